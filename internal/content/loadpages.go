package content

import (
	"path"
	"slices"
	"strings"
)

// reserved are first path segments that belong to the program.
var reserved = []string{
	"api", "assets", "book", "booked", "desk", "healthz", "metrics", "posts", "readyz", "services", "start", "stop", "webhooks",
}

// page reads pages/<slug>.md.
func (l *loader) page(name string) *Page {
	var y struct {
		Title           string `yaml:"title"`
		MetaDescription string `yaml:"meta_description"`
		Kind            string `yaml:"kind"`
	}
	y.Kind = "WebPage"
	f := l.open(name)
	if !f.decode(&y) {
		return &Page{Slug: f.slug()}
	}
	if slices.Contains(reserved, f.slug()) {
		f.fault("", "the address /%s belongs to the program; choose another file name", f.slug())
	}
	f.text("title", y.Title, 1, 100)
	f.text("meta_description", y.MetaDescription, 1, 200)
	f.oneOf("kind", y.Kind, []string{"WebPage", "AboutPage", "ContactPage"})
	return &Page{f.slug(), y.Title, y.MetaDescription, y.Kind, f.markdown()}
}

// proof reads proof/<slug>.md or .yaml and draws the proof boundary.
func (l *loader) proof(name string) *Proof {
	var y struct {
		Kind       string `yaml:"kind"`
		Title      string `yaml:"title"`
		Source     string `yaml:"source"`
		Date       string `yaml:"date"`
		Permission string `yaml:"permission"`
		Service    string `yaml:"service"`
		Demo       bool   `yaml:"demo"`
		Body       string `yaml:"body"`
	}
	y.Kind = "testimonial"
	f := l.open(name)
	if !f.decode(&y) {
		return &Proof{Slug: f.slug()}
	}
	f.oneOf("kind", y.Kind, []string{"testimonial", "case"})
	f.text("title", y.Title, 0, 120)
	f.text("source", y.Source, 1, 120)
	date := f.date("date", y.Date)
	if strings.TrimSpace(y.Permission) == "" {
		f.fault("permission", "is missing: say how and when the source agreed to be shown, or take the file out of the folder")
	}
	f.text("permission", y.Permission, 0, 300)
	if y.Service != "" {
		l.links = append(l.links, reference{Error{File: name, Field: "service"}, "/services/" + y.Service})
	}
	switch {
	case path.Ext(name) == ".yaml":
		f.body, f.bodyLine = []byte(y.Body), f.line("body")
	case y.Body != "":
		f.fault("body", "belongs below the front matter")
	}
	body := f.markdown()
	if body == "" {
		f.fault("", "has no text")
	}
	return &Proof{f.slug(), y.Kind, y.Title, y.Source, date, y.Permission, y.Service, y.Demo, body}
}

// post reads posts/<slug>.md.
func (l *loader) post(name string) *Post {
	var y struct {
		Title   string `yaml:"title"`
		Summary string `yaml:"summary"`
		Date    string `yaml:"date"`
		Updated string `yaml:"updated"`
		Author  string `yaml:"author"`
	}
	f := l.open(name)
	if !f.decode(&y) {
		return &Post{Slug: f.slug()}
	}
	f.text("title", y.Title, 1, 100)
	f.text("summary", y.Summary, 1, 200)
	f.text("author", y.Author, 0, 80)
	p := &Post{Slug: f.slug(), Title: y.Title, Summary: y.Summary, Date: f.date("date", y.Date), Author: y.Author, Body: f.markdown()}
	if y.Updated != "" {
		p.Updated = f.date("updated", y.Updated)
		if p.Updated.Before(p.Date) {
			f.fault("updated", "is before date")
		}
	}
	return p
}
