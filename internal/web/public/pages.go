// Package public holds the public pages of a site: their data, their templates,
// their style sheet and scripts. It has no routes; package web fills the data in
// and serves what Render writes.
//
// Every page runs under csp.Public, and the booking page under csp.Booking: no
// inline script or style, nothing from elsewhere but Cal.com's frame.
package public

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"

	"handoff/internal/content"
)

// A Page is the data of one page. Its pages are the types of this package:
// Home, Service, Text, Posts, Post, Start, Book, Booked, Stop and Error.
type Page interface {
	template() string // name of its file, without .html
	layout() *Layout
}

// A Layout is what every page has: the site around it, and what its head says.
type Layout struct {
	Site        *content.Site
	Path        string // of this page, without query: "/about"
	Title       string // of the browser tab; the site's name is added
	Description string
	NoIndex     bool           // keeps the page out of search engines, and its path out of the head
	Article     bool           // Open Graph type "article" instead of "website"
	Crumbs      []content.Link // from the first page to this one; empty for none
	Graph       any            // structured data; nil for none
}

func (l *Layout) layout() *Layout { return l }

// Canonical returns the address of the page, "" if it is not to be indexed.
func (l *Layout) Canonical() string {
	if l.NoIndex {
		return ""
	}
	return l.Site.URL + l.Path
}

// Current tells the navigation where the visitor is: "page" on the page itself,
// "true" on one below it, "" elsewhere.
func (l *Layout) Current(href string) string {
	switch {
	case href == l.Path:
		return "page"
	case href != "/" && strings.HasPrefix(l.Path, href+"/"):
		return "true"
	}
	return ""
}

// Home is "/".
type Home struct{ Layout }

// Service is "/services/{service}".
type Service struct {
	Layout
	Service *content.Service
}

// Text is a page of its own, such as "/about".
type Text struct {
	Layout
	Page *content.Page
}

// Posts is the list of posts.
type Posts struct{ Layout }

// Post is one post.
type Post struct {
	Layout
	Post *content.Post
}

// NewHome returns the first page of a site.
func NewHome(s *content.Site) *Home {
	return &Home{Layout{
		Site: s, Path: "/", Title: s.Tagline, Description: s.Home.MetaDescription, Graph: graph(s, website(s)),
	}}
}

// NewService returns the page of a service.
func NewService(s *content.Site, v *content.Service) *Service {
	crumbs := []content.Link{{Label: "Home", Href: "/"}, {Label: v.Short, Href: v.Path()}}
	nodes := []thing{service(s, v), breadcrumbs(s, crumbs)}
	if len(v.FAQ) > 0 {
		nodes = append(nodes, faq(s, v))
	}
	return &Service{Layout{
		Site: s, Path: v.Path(), Title: v.Title, Description: v.MetaDescription, Crumbs: crumbs, Graph: graph(s, nodes...),
	}, v}
}

// NewText returns a page of its own.
func NewText(s *content.Site, p *content.Page) *Text {
	crumbs := []content.Link{{Label: "Home", Href: "/"}, {Label: p.Title, Href: p.Path()}}
	return &Text{Layout{
		Site: s, Path: p.Path(), Title: p.Title, Description: p.MetaDescription, Crumbs: crumbs, Graph: graph(s, page(s, p), breadcrumbs(s, crumbs)),
	}, p}
}

// NewPosts returns the list of a site's posts.
func NewPosts(s *content.Site) *Posts {
	crumbs := []content.Link{{Label: "Home", Href: "/"}, {Label: "Notes", Href: content.PostsPath}}
	return &Posts{Layout{
		Site: s, Path: content.PostsPath, Title: "Notes", Description: "Notes by " + s.Name + ": short pieces on questions that come up in calls.",
		Crumbs: crumbs, Graph: graph(s, blog(s), breadcrumbs(s, crumbs)),
	}}
}

// NewPost returns the page of a post.
func NewPost(s *content.Site, p *content.Post) *Post {
	crumbs := []content.Link{{Label: "Home", Href: "/"}, {Label: "Notes", Href: content.PostsPath}, {Label: p.Title, Href: p.Path()}}
	return &Post{Layout{
		Site: s, Path: p.Path(), Title: p.Title, Description: p.Summary, Article: true, Crumbs: crumbs, Graph: graph(s, posting(s, p), breadcrumbs(s, crumbs)),
	}, p}
}

// A Stop is "/stop/{reference}": it stops reminders.
type Stop struct {
	Layout
	BookURL string // empty: there is nothing left to book
	Stopped bool   // it has been done
}

// NewStop returns the page that stops reminders, or says that they are.
func NewStop(s *content.Site, book string, stopped bool) *Stop {
	return &Stop{Layout{Site: s, NoIndex: true, Title: "No more reminders"}, book, stopped}
}

// An Error is a page that says what went wrong and what to do.
type Error struct {
	Layout
	Status  int
	Heading string
	Message string         // what happened
	Advice  string         // what to do
	Links   []content.Link // where to go on
	ID      string         // of the request, to be told to us; "" for none
}

// NewError returns the page for a status, with words of its own for the statuses
// that visitors meet. Heading, Message and Advice may be replaced. s is nil for an
// address that belongs to no site.
func NewError(s *content.Site, status int) *Error {
	if s == nil {
		s = &content.Site{Name: "Handoff", Language: "en-GB", Accent: "#1f5f8b"}
	}
	p := &Error{
		Layout: Layout{Site: s, NoIndex: true}, Status: status,
		Links: []content.Link{{Label: "Go to the first page", Href: "/"}},
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		p.Heading, p.Message, p.Advice = "We could not read that", "What your browser sent was not what this page expects.", "Go back, load the page again and send the form once more."
	case http.StatusForbidden:
		p.Heading, p.Message, p.Advice = "That was not allowed", "The form was sent from another site, or its page was open for too long.", "Open the page again and send the form from there."
	case http.StatusNotFound, http.StatusGone:
		p.Heading, p.Message, p.Advice = "There is no such page", "The address may be mistyped, cut off, or out of date.", "If a link in an e-mail brought you here, copy the whole of it into your browser."
	case http.StatusMethodNotAllowed:
		p.Heading, p.Message, p.Advice = "This page cannot be used that way", "It was opened in a way that it does not answer.", "Start again from the first page."
	case http.StatusTooManyRequests:
		p.Heading, p.Message, p.Advice = "That was a little too fast", "Many requests came from your connection within a short time.", "Wait a minute and try again. Nothing that you sent before is lost."
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		p.Heading, p.Message, p.Advice = "We are out for a moment", "The site cannot answer just now. We have not kept what you just sent.", "Try again in a minute."
	default:
		p.Heading, p.Message, p.Advice = "Something went wrong on our side", "The fault is ours, and we have noted it.", "Try again in a minute. If you sent a form, we cannot promise that it arrived."
	}
	p.Title = p.Heading
	return p
}

func (*Home) template() string    { return "home" }
func (*Service) template() string { return "service" }
func (*Text) template() string    { return "text" }
func (*Posts) template() string   { return "posts" }
func (*Post) template() string    { return "post" }
func (*Start) template() string   { return "start" }
func (*Book) template() string    { return "book" }
func (*Booked) template() string  { return "booked" }
func (*Stop) template() string    { return "stop" }
func (*Error) template() string   { return "error" }

// Render writes a page as HTML. Nothing is written if it fails.
func Render(w io.Writer, p Page) error {
	t, ok := templates[p.template()]
	if !ok {
		return fmt.Errorf("public: no template %s", p.template())
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", p); err != nil {
		return fmt.Errorf("public: %s: %w", p.template(), err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

//go:embed *.html
var templateFS embed.FS

// templates holds each page with the layout and the parts, parsed at the start.
var templates = func() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(funcs).ParseFS(templateFS, "layout.html", "parts.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"home", "service", "text", "posts", "post", "start", "book", "booked", "stop", "error"} {
		all[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFS, name+".html"))
	}
	return all
}()

var funcs = template.FuncMap{
	"asset":  Asset,
	"tinted": Tinted,
	"join":   strings.Join,
	"dict":   dict,
	"tel":    func(phone string) template.URL { return template.URL("tel:" + digits(phone)) },
	"locale": func(language string) string { return strings.ReplaceAll(language, "-", "_") },
	"day":    func(t time.Time) string { return t.Format("2 January 2006") },
	"isoday": func(t time.Time) string { return t.Format(time.DateOnly) },
	"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"days":   days,
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
}

// dict makes a map of pairs, for parts that need two values.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

// digits leaves of a phone number what a tel: address holds.
func digits(phone string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, phone)
}

// days shortens "Monday", "Tuesday", "Wednesday" to "Monday to Wednesday".
func days(list []string) string {
	if len(list) > 2 {
		return list[0] + " to " + list[len(list)-1]
	}
	return strings.Join(list, " and ")
}
