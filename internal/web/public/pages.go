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
	"net/url"
	"slices"
	"strings"
	"time"

	"handoff/internal/content"
)

// A Page is the data of one page. Its pages are the types of this package:
// Home, Service, Text, Posts, Post, Start, Book, Booked and Error.
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

// Names of the intake form's fields. A service's own questions are named by
// content.Question.Field.
const (
	FieldName     = "name"
	FieldEmail    = "email"
	FieldPhone    = "phone"
	FieldMessage  = "message"
	FieldConsent  = "consent"
	FieldHoneypot = "website" // people leave it empty: they cannot see it
	FieldToken    = "form"    // Start.Token
)

// ConsentGiven is the value of FieldConsent when its box is ticked.
const ConsentGiven = "yes"

// Start is "/start/{service}": the intake form. Send it with status 422 when it
// has errors.
type Start struct {
	Layout
	Service *content.Service
	Token   string            // value of FieldToken
	Hidden  map[string]string // further hidden fields, by name
	Values  url.Values        // what was sent, to be shown again; nil at first
	Errors  []FieldError      // in the order of the fields
}

// A FieldError is what is wrong with one answer, in a whole sentence that says
// what to do: "Enter your name."
type FieldError struct {
	Field   string // name of the field; "" if the form as a whole could not be taken
	Message string
}

// NewStart returns the intake form of a service, empty.
func NewStart(s *content.Site, v *content.Service, token string) *Start {
	return &Start{
		Layout: Layout{
			Site: s, Path: v.StartPath(), Title: "Tell us about the job: " + v.Short,
			Description: "Answer a few questions, then choose a time for your call: " + v.Title + " with " + s.Name + ".",
			Crumbs:      []content.Link{{Label: "Home", Href: "/"}, {Label: v.Short, Href: v.Path()}, {Label: "Tell us about the job", Href: v.StartPath()}},
		},
		Service: v, Token: token,
	}
}

// A Field is one field of the intake form as it is drawn.
type Field struct {
	ID, Name, Label, Hint string
	Kind                  content.QuestionKind
	Type                  string // of an <input>: "text", "email" or "tel"
	Autocomplete          string // WCAG 1.3.5; "" for none
	Required              bool
	Value                 string
	Choices               []Choice // of select, radio and checkbox
	Error                 string   // "" if the answer is right
}

// A Choice is one option of a field.
type Choice struct {
	ID, Value string
	Chosen    bool
}

// DescribedBy returns the IDs of the elements that explain the field.
func (f Field) DescribedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.ID+"-error")
	}
	return strings.Join(ids, " ")
}

// Fields returns the fields in their order: the job first, then the person.
func (p *Start) Fields() []Field {
	var list []Field
	add := func(f Field) {
		f.ID, f.Value = f.Name, p.Values.Get(f.Name)
		for _, e := range p.Errors {
			if e.Field == f.Name && f.Error == "" {
				f.Error = e.Message
			}
		}
		list = append(list, f)
	}

	for _, q := range p.Service.Questions {
		f := Field{Name: q.Field(), Label: q.Label, Hint: q.Hint, Kind: q.Kind, Type: "text", Required: q.Required}
		for i, o := range q.Options {
			id := f.Name // the first is where a link to the field leads
			if i > 0 {
				id = fmt.Sprintf("%s-%d", f.Name, i+1)
			}
			f.Choices = append(f.Choices, Choice{id, o, slices.Contains(p.Values[f.Name], o)})
		}
		add(f)
	}
	add(Field{Name: FieldMessage, Label: "Anything else we should know?", Kind: content.KindTextarea})
	add(Field{Name: FieldName, Label: "Your name", Kind: content.KindText, Type: "text", Autocomplete: "name", Required: true})
	add(Field{
		Name: FieldEmail, Label: "E-mail address", Hint: "For the confirmation of your call.",
		Kind: content.KindText, Type: "email", Autocomplete: "email", Required: true,
	})
	if p.Service.Phone != content.PhoneHidden {
		add(Field{
			Name: FieldPhone, Label: "Phone number", Hint: "With the country code if you are abroad.",
			Kind: content.KindText, Type: "tel", Autocomplete: "tel", Required: p.Service.Phone == content.PhoneRequired,
		})
	}
	return list
}

// Consented reports whether the consent box was ticked.
func (p *Start) Consented() bool { return p.Values.Get(FieldConsent) == ConsentGiven }

// ConsentError returns what is wrong with the consent, "" if nothing.
func (p *Start) ConsentError() string {
	for _, e := range p.Errors {
		if e.Field == FieldConsent {
			return e.Message
		}
	}
	return ""
}

// A Book is "/book/{reference}": the calendar. Send it with csp.Booking, and with
// no-store, since it names the visitor.
type Book struct {
	Layout
	Service   *content.Service
	Reference string // carried through Cal.com
	FirstName string // "" if unknown
	Prefill   Prefill

	// FrameURL is the calendar's page for our frame, LinkURL the same for a plain
	// link. Neither may hold the visitor's name or e-mail.
	FrameURL, LinkURL string
	Origins           []string // of Cal.com, whose messages are heard; as csp.Origin writes them

	// StatusURL answers {"state": …, "url": "/booked/…", "version": …} as JSON;
	// EventsURL sends the same as server-sent events named "status".
	StatusURL, EventsURL string
	// HeardURL takes the uid that the calendar calls booked, as a form field; "" if
	// nobody would ask about it.
	HeardURL string

	// State and Version are what StatusURL says now. The page leaves for the
	// booked page as soon as it hears something else that is a booking.
	State   State
	Version string

	Mode content.Embed
}

// A Prefill is what the calendar's own form is filled with.
type Prefill struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// NewBook returns a booking page. The caller fills in the rest.
func NewBook(s *content.Site, v *content.Service, reference string) *Book {
	return &Book{
		Layout:  Layout{Site: s, Path: "/book/" + reference, Title: "Choose a time: " + v.Short, NoIndex: true},
		Service: v, Reference: reference, State: StateNone, Mode: v.Embed,
	}
}

// Accent and AccentDark are the site's colour for the calendar's own buttons.
func (p *Book) Accent() string     { return string(p.Site.Accent) }
func (p *Book) AccentDark() string { return string(darkAccent(p.Site.Accent)) }

// A State is where a visitor's booking stands, as pages and status answers say it.
type State string

const (
	StateNone                State = "none"                 // nothing known yet
	StateAwaitingPayment     State = "awaiting_payment"     // held until it is paid
	StateRequested           State = "requested"            // the host has to confirm it
	StateBooked              State = "booked"               // it stands
	StateCancelled           State = "cancelled"            // by either side
	StateRejected            State = "rejected"             // the host could not confirm it
	StateRescheduleRequested State = "reschedule_requested" // the host asked for another time
	StatePast                State = "past"                 // it was
)

// live are the states of a booking that is, or may become, a call.
func (s State) live() bool {
	return s == StateBooked || s == StateRequested || s == StateAwaitingPayment
}

// A Call is one booking as the visitor sees it.
type Call struct {
	State State
	When  string    // in words: see When
	Zone  string    // in which When is: see Zone
	Start time.Time // for machines
	Where string    // "By phone", an address; "" to leave it to the service's note

	// Addresses; "" leaves the link out. JoinURL is the meeting's, PayURL where
	// an open payment is made, ICS our own file, Google and Outlook theirs.
	JoinURL, PayURL, RescheduleURL, CancelURL string
	ICS, Google, Outlook                      string
}

// Live reports whether the call stands or may come to stand.
func (c Call) Live() bool { return c.State.live() }

// A Booked is "/booked/{reference}": what we know of the visitor's booking. Send it
// with no-store.
type Booked struct {
	Layout
	Service   *content.Service
	FirstName string // "" if unknown
	Calls     []Call // the live ones; else the latest one; empty in StateNone
	BookURL   string // where a (new) time is chosen; "" for none

	// StatusURL, EventsURL and Version as in Book; the page reloads when either of
	// State and Version changes.
	StatusURL, EventsURL string
	Version              string
}

// NewBooked returns the page that says where a booking stands.
func NewBooked(s *content.Site, v *content.Service, reference string, calls []Call) *Booked {
	p := &Booked{
		Layout:  Layout{Site: s, Path: "/booked/" + reference, NoIndex: true},
		Service: v, Calls: calls, BookURL: "/book/" + reference,
	}
	p.Title = p.Heading()
	return p
}

// State returns what the first call says, or StateNone.
func (p *Booked) State() State {
	if len(p.Calls) == 0 {
		return StateNone
	}
	return p.Calls[0].State
}

// Two reports whether the visitor has more than one live call.
func (p *Booked) Two() bool {
	n := 0
	for _, c := range p.Calls {
		if c.State.live() {
			n++
		}
	}
	return n > 1
}

// Heading returns the page's heading. It claims no more than we know.
func (p *Booked) Heading() string {
	if p.Two() {
		return "You have more than one call"
	}
	switch p.State() {
	case StateBooked:
		return "Your call is booked"
	case StateRequested:
		return "Your call waits for confirmation"
	case StateAwaitingPayment:
		return "Your call waits for payment"
	case StateCancelled:
		return "Your call is cancelled"
	case StateRejected:
		return "This time could not be confirmed"
	case StateRescheduleRequested:
		return "Please choose another time"
	case StatePast:
		return "This call has been"
	}
	return "We have no booking yet"
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
	for _, name := range []string{"home", "service", "text", "posts", "post", "start", "book", "booked", "error"} {
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
