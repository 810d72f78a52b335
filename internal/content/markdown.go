package content

import (
	"bytes"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// markdown renders the body. CommonMark, without raw HTML: the result holds no
// script, style or attribute that the pages' policy would block.
func (f *file) markdown() template.HTML {
	md := goldmark.New()
	doc := md.Parser().Parse(text.NewReader(f.body))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			f.node(n)
		}
		return ast.WalkContinue, nil
	})

	var b bytes.Buffer
	if err := md.Renderer().Render(&b, f.body, doc); err != nil {
		f.fault("", "%v", err)
	}
	return template.HTML(bytes.TrimSpace(b.Bytes()))
}

// node refuses what a page cannot show, instead of dropping it silently.
func (f *file) node(n ast.Node) {
	line := f.lineOf(n)
	switch n := n.(type) {
	case *ast.Heading:
		if n.Level == 1 {
			f.faultAt(line, 0, "", "headings begin with ##: the title is the page's only first heading")
		}
	case *ast.HTMLBlock, *ast.RawHTML:
		f.faultAt(line, 0, "", "HTML is not read; write Markdown, or \\< for the character")
	case *ast.Image:
		f.faultAt(line, 0, "", "images are not supported yet")
	case *ast.Link:
		if why := f.target(Error{File: f.name, Line: line}, string(n.Destination)); why != "" {
			f.faultAt(line, 0, "", "%s", why)
		}
	case *ast.AutoLink:
		if n.AutoLinkType == ast.AutoLinkURL && !bytes.HasPrefix(n.URL(f.body), []byte("https://")) {
			f.faultAt(line, 0, "", "%q must begin with https://", n.URL(f.body))
		}
	}
}

// lineOf returns the line of the file on which the node's block begins.
func (f *file) lineOf(n ast.Node) int {
	for ; n != nil; n = n.Parent() {
		if n.Type() == ast.TypeBlock && n.Lines() != nil && n.Lines().Len() > 0 {
			return f.bodyLine + bytes.Count(f.body[:n.Lines().At(0).Start], []byte("\n"))
		}
	}
	return f.bodyLine
}
