package content

import (
	"strings"
	"testing"
	"testing/fstest"
)

// A letter says the same as text and as HTML, and what is filled in stays text.
func TestLetter(t *testing.T) {
	site, err := Load(Demo())
	if err != nil {
		t.Fatal(err)
	}
	if len(site.Reminders) != 2 || site.Reminders[1] == nil || site.Reminders[2] == nil {
		t.Fatalf("letters: %v", site.Reminders)
	}
	link := "https://b.example/book/sub_01j.ab-C_d"
	subject, text, page, err := site.Reminders[1].Fill(map[string]string{"first_name": "Zoë", "service": "Boiler & <b>flue</b> *survey*\r\nBcc: x@y", "link": link, "business": "B. Plumbing"})
	if err != nil {
		t.Fatal(err)
	}
	if subject != "Choose a time for your call about Boiler & <b>flue</b> *survey* Bcc: x@y" {
		t.Errorf("subject %q", subject)
	}
	for _, want := range []string{"Hello Zoë,\n\n", "Choose a time: " + link + "\n\n", "B. Plumbing\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if !strings.Contains(page, `<a href="`+link+`">Choose a time</a>`) || strings.Contains(text, "{{") || strings.Contains(page, "{{") || strings.Contains(text, `\`) {
		t.Errorf("%s\n%s", text, page)
	}
	hostile := Mail{Subject: "{{first_name}}", Body: "Hello {{first_name}}\n\n[x]({{link}})"}
	_, text, page, err = hostile.Fill(map[string]string{"first_name": "[win](https://evil.example) <script>alert(1)</script> # `x` &amp; **b**", "link": link})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page, "<script") || strings.Contains(page, `href="https://evil`) || strings.Contains(page, "<strong>") {
		t.Errorf("what was filled in became more than text: %s", page)
	}
	if !strings.Contains(text, "[win](https://evil.example) <script>alert(1)</script> # `x` &amp; **b**") {
		t.Errorf("the text is another: %s", text)
	}
}

// A letter that would not do what it should is refused when the program starts.
func TestLettersAreChecked(t *testing.T) {
	for name, tt := range map[string]struct{ file, body, want string }{
		"name":      {"mail/hello.md", "---\nsubject: s\n---\n[x]({{link}})\n", "is no letter"},
		"number":    {"mail/reminder-9.md", "---\nsubject: s\n---\n[x]({{link}})\n", "is no letter"},
		"subject":   {"mail/reminder-1.md", "---\nsubject: \"\"\n---\n[x]({{link}})\n", "subject"},
		"field":     {"mail/reminder-1.md", "---\nsubject: s\n---\n[x]({{link}}) {{email}}\n", "{{email}}"},
		"link":      {"mail/reminder-1.md", "---\nsubject: s\n---\nHello\n", "no link to {{link}}"},
		"bare link": {"mail/reminder-1.md", "---\nsubject: s\n---\nHello, see {{link}}\n", "no link to {{link}}"},
		"code link": {"mail/reminder-1.md", "---\nsubject: s\n---\n`[x]({{link}})`\n", "a letter has paragraphs"},
		"quotation": {"mail/reminder-1.md", "---\nsubject: s\n---\n> [x]({{link}})\n", "a letter has paragraphs"},
		"html":      {"mail/reminder-1.md", "---\nsubject: s\n---\n<b>[x]({{link}})</b>\n", "HTML is not read"},
	} {
		fsys := fstest.MapFS{tt.file: {Data: []byte(tt.body)}}
		l := &loader{fsys: fsys}
		for _, f := range l.folder("mail", ".md") {
			l.mail(f)
		}
		if len(l.errs) == 0 || !strings.Contains(l.errs[0].Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, l.errs, tt.want)
		}
	}
}

// A field may be written with spaces, and a numbered list keeps its numbers.
func TestLettersAreReadAsMeant(t *testing.T) {
	fsys := fstest.MapFS{"mail/reminder-1.md": {Data: []byte("---\nsubject: s\n---\nBefore the call:\n\n3. one\n4. two\n\n- three\n\n[Choose]({{ link }})\n")}}
	l := &loader{fsys: fsys}
	_, m := l.mail("mail/reminder-1.md")
	if len(l.errs) != 0 {
		t.Fatal(l.errs)
	}
	_, text, page, err := m.Fill(map[string]string{"link": "https://b.example/book/x"})
	if err != nil || text != "Before the call:\n\n3. one\n4. two\n\n- three\n\nChoose: https://b.example/book/x\n" || !strings.Contains(page, `<a href="https://b.example/book/x">`) {
		t.Errorf("%v\n%s\n%s", err, text, page)
	}
}
