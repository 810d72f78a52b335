package content

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// A Mail is a letter of the site's: mail/reminder-1.md and so on.
type Mail struct {
	Subject string // may hold fields
	Body    string // Markdown; may hold fields
}

// Fields are what stands in a letter between two braces, {{first_name}}, and is filled
// in for each. Nothing else that a form said is among them: anybody can send a form with
// somebody else's address, and would write to them in the site's name.
var Fields = []string{"first_name", "service", "link", "business"}

var field = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// mail reads mail/reminder-N.md, and returns N.
func (l *loader) mail(name string) (number int, m *Mail) {
	var y struct {
		Subject string `yaml:"subject"`
	}
	f := l.open(name)
	m = new(Mail)
	if !f.decode(&y) {
		return 0, m
	}
	digits, ok := strings.CutPrefix(f.slug(), "reminder-")
	number, err := strconv.Atoi(digits)
	if !ok || err != nil || number < 1 || number > MaxReminders {
		f.fault("", "is no letter; their names are reminder-1.md to reminder-%d.md", MaxReminders)
	}
	f.text("subject", y.Subject, 1, 120)
	f.body = field.ReplaceAll(f.body, []byte("{{$1}}"))
	m.Subject, m.Body = y.Subject, string(bytes.TrimSpace(f.body))
	f.body = bytes.ReplaceAll(f.body, []byte("{{link}}"), []byte(sampleLink))
	f.markdown()
	f.letter()
	for _, found := range field.FindAllStringSubmatch(m.Subject+m.Body, -1) {
		if !slices.Contains(Fields, found[1]) {
			f.fault("", "has the field {{%s}}; there are: %s", found[1], strings.Join(Fields, ", "))
		}
	}
	return number, m
}

// sampleLink stands for a visitor's link while a letter is checked.
const sampleLink = "https://example.com/handoff-link"

// letter refuses what a letter's plain text cannot show, and a letter without the link.
func (f *file) letter() {
	linked := false
	_ = ast.Walk(goldmark.New().Parser().Parse(text.NewReader(f.body)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeSpan, *ast.CodeBlock, *ast.FencedCodeBlock, *ast.Blockquote, *ast.ThematicBreak:
			f.faultAt(f.lineOf(n), 0, "", "a letter has paragraphs, headings, lists, emphasis and links; nothing else can be read in plain mail")
		case *ast.Link:
			linked = linked || string(n.Destination) == sampleLink
		}
		return ast.WalkContinue, nil
	})
	if !linked {
		f.fault("", "has no link to {{link}}, which leads to the visitor's booking page; write [Choose a time]({{link}})")
	}
}

// MaxReminders is how many reminders a site can send to one lead.
const MaxReminders = 5

// Fill writes the letter for one reader: its subject, and its body as plain text and
// as HTML. What is filled in is text, whatever it holds.
func (m *Mail) Fill(values map[string]string) (subject, plain, page string, err error) {
	fill := func(s string, escape func(string) string) string {
		return field.ReplaceAllStringFunc(s, func(f string) string {
			name := field.FindStringSubmatch(f)[1]
			if name == "link" {
				return values[name]
			}
			return escape(strings.Join(strings.Fields(values[name]), " "))
		})
	}
	body := []byte(fill(m.Body, markdownText))
	md := goldmark.New()
	doc := md.Parser().Parse(text.NewReader(body))
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, body, doc); err != nil {
		return "", "", "", fmt.Errorf("letter: %w", err)
	}
	return fill(m.Subject, func(s string) string { return s }), plainText(doc, body), b.String(), nil
}

// markdownText writes a text so that Markdown shows it as it is.
func markdownText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 128 && strings.ContainsRune("\\`*_{}[]()<>#+-.!|&~:\"'=", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plainText writes a document as people write in plain mail: links with their address
// behind them.
func plainText(doc ast.Node, body []byte) string {
	var b strings.Builder
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.WriteString(unescape(n.Segment.Value(body)))
				switch {
				case n.HardLineBreak():
					b.WriteByte('\n')
				case n.SoftLineBreak():
					b.WriteByte(' ')
				}
			}
		case *ast.Link:
			if !entering && string(n.Destination) != "" {
				b.WriteString(": " + string(n.Destination))
			}
		case *ast.AutoLink:
			if entering {
				b.Write(n.URL(body))
			}
		case *ast.ListItem:
			if entering {
				b.WriteString(bullet(n))
			}
		case *ast.Paragraph, *ast.Heading:
			if !entering {
				b.WriteString("\n\n")
			}
		case *ast.TextBlock:
			if !entering {
				b.WriteByte('\n')
			}
		case *ast.List:
			if !entering {
				b.WriteByte('\n')
			}
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String()) + "\n"
}

// bullet is what an item of a list begins with: its number, where they are numbered.
func bullet(item *ast.ListItem) string {
	list, ok := item.Parent().(*ast.List)
	if !ok || !list.IsOrdered() {
		return "- "
	}
	number := list.Start
	for n := item.PreviousSibling(); n != nil; n = n.PreviousSibling() {
		number++
	}
	return strconv.Itoa(number) + ". "
}

// unescape takes the backslashes of markdownText away.
func unescape(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte("\\`*_{}[]()<>#+-.!|&~:\"'=", b[i+1]) >= 0 {
			i++
		}
		out.WriteByte(b[i])
	}
	return out.String()
}
