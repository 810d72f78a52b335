// Package content reads a site's content folder: what the business is, what it
// sells, its pages, proof and posts.
//
// A folder holds
//
//	site.yaml           the business: names, contact, hours, colour, navigation
//	home.md             the first page
//	services/<slug>.md  one service each: page, intake questions, Cal.com event type
//	pages/<slug>.md     other pages: about, privacy …
//	proof/<slug>.md     testimonials and cases (or .yaml, with the text under body)
//	posts/<slug>.md     the blog, if there is one
//	mail/reminder-N.md  letters to leads that did not book, if there are any
//
// Markdown files begin with a front matter in YAML between two lines "---".
// [Load] checks everything when the program starts, so a page never meets a
// missing text: its errors name file, line and field, and all of them at once.
package content

import (
	"fmt"
	"html/template"
	"time"
)

// Bounds of Load. They are far above any real site and keep a wrong folder from
// filling the memory.
const (
	MaxFile  = 256 << 10 // bytes of one file
	MaxFiles = 500       // files of one folder
	MaxTotal = 8 << 20   // bytes of a site
)

// A Site is the content of one website, checked and ready to be shown. It is
// read once and shared by requests: nobody changes it after Load.
type Site struct {
	Name        string // as people say it: "Brightwater Plumbing"
	LegalName   string // as registered; "" if the same
	Tagline     string // one line below the name
	Description string // one or two sentences, for search engines and cards
	Language    string // BCP 47, such as "en-GB"
	TimeZone    string // IANA name, such as "Europe/London"; when the visitor's own is unknown

	// URL is the address of the site without a trailing slash, such as
	// "https://brightwater.example". Canonical links and metadata begin with it.
	URL string

	Phone       string // international, as shown: "+44 20 7946 0812"; "" for none
	Email       string
	Address     Address
	Hours       []Hours  // opening hours; empty if not told
	AreasServed []string // place names
	Type        string   // schema.org type, one of BusinessTypes
	Social      []string // addresses of profiles elsewhere, https
	Accent      Color    // of buttons and links
	Demo        bool     // the business is made up, and the footer says so

	Navigation []Link // of the header
	Home       Home
	Services   []*Service // by their order, then slug
	Pages      []*Page    // by slug
	Proof      []*Proof   // newest first
	Posts      []*Post    // newest first

	Reminders map[int]*Mail // to leads that did not book, by their numbers: 1, 2 …
}

// An Address is a postal address. Parts that do not apply are empty.
type Address struct {
	Street   string `yaml:"street"`
	Locality string `yaml:"locality"` // town
	Region   string `yaml:"region"`
	Postcode string `yaml:"postcode"`
	Country  string `yaml:"country"` // ISO 3166 code, such as "GB"
}

// Hours are the opening hours of some days of the week.
type Hours struct {
	Days   []string `yaml:"days"`   // schema.org names: "Monday" … "Sunday"
	Opens  string   `yaml:"opens"`  // "08:00", local time
	Closes string   `yaml:"closes"` // "18:00", local time
}

// A Link leads to a page of the site ("/about") or elsewhere (https).
type Link struct {
	Label string `yaml:"label"`
	Href  string `yaml:"href"`
}

// A Home is the first page.
type Home struct {
	Title           string // its heading
	MetaDescription string
	Lead            string // the sentence below the heading
	Body            template.HTML
}

// A Service is something the business sells: it has a page, an intake form and a
// Cal.com event type.
type Service struct {
	Slug            string
	Title           string // "Boiler replacement survey"
	Short           string // for lists and navigation: "Boiler replacement"
	Summary         string // one or two sentences
	MetaDescription string
	PriceNote       string // what it costs, in words; "" if not told
	Body            template.HTML

	Host        string   // who holds the call; "" for the business
	CallMinutes int      // how long the call takes
	CallNote    string   // how it happens: "Priya phones you"
	Prepare     []string // what to have at hand
	NextSteps   []string // what happens after the form was sent

	// Confirmation says who confirms a booking, and when. "" if the booking is
	// valid at once, which must agree with the event type at Cal.com.
	Confirmation string

	Calendar  string // path at Cal.com: "priya-raman/survey-call"
	EventType int    // number of that event type
	Embed     Embed
	Phone     Phone
	Consent   Consent
	Questions []Question
	FAQ       []FAQ

	order int
}

// Path returns the address of the service's page.
func (s *Service) Path() string { return "/services/" + s.Slug }

// StartPath returns the address of the service's intake form.
func (s *Service) StartPath() string { return "/start/" + s.Slug }

// Embed says when the booking page loads the calendar.
type Embed string

const (
	EmbedAuto  Embed = "auto"  // at once
	EmbedClick Embed = "click" // after the visitor asked for it, with a note that Cal.com sees the IP address
)

// Phone says whether an intake form asks for a phone number.
type Phone string

const (
	PhoneHidden   Phone = "hidden"
	PhoneOptional Phone = "optional"
	PhoneRequired Phone = "required"
)

// Consent is a permission that the intake form asks for.
type Consent struct {
	Text     string `yaml:"text"`     // the wording that is agreed to; "" asks for none
	Required bool   `yaml:"required"` // the form is not accepted without it
}

// A Question is one the intake form asks beside name, e-mail and message. Its
// field is named "q_" and the ID.
type Question struct {
	ID        string       `yaml:"id"` // lower case, digits and _; never reused for another question
	Label     string       `yaml:"label"`
	Hint      string       `yaml:"hint"`
	Kind      QuestionKind `yaml:"kind"`
	Options   []string     `yaml:"options"` // of select, radio and checkbox
	Required  bool         `yaml:"required"`
	MaxLength int          `yaml:"max_length"` // characters of text and textarea; 200 and 2000 unless told
}

// Field returns the name of the question's form field.
func (q Question) Field() string { return "q_" + q.ID }

// A QuestionKind is how a question is answered.
type QuestionKind string

const (
	KindText     QuestionKind = "text"     // one line
	KindTextarea QuestionKind = "textarea" // several lines
	KindSelect   QuestionKind = "select"   // one of a list, folded
	KindRadio    QuestionKind = "radio"    // one of a list, open
	KindCheckbox QuestionKind = "checkbox" // any of a list
)

// A FAQ is a question that people ask, and its answer in plain text.
type FAQ struct {
	Question string `yaml:"question"`
	Answer   string `yaml:"answer"`
}

// A Page is a page of its own, at "/" and its slug.
type Page struct {
	Slug            string
	Title           string
	MetaDescription string
	Kind            string // schema.org type: "AboutPage", "ContactPage" or "WebPage"
	Body            template.HTML
}

// Path returns the address of the page.
func (p *Page) Path() string { return "/" + p.Slug }

// A Proof is something that shows the business keeps its word. Load refuses one
// that does not say where it comes from and that it may be shown: the proof
// boundary. What is not permitted is not on the site.
type Proof struct {
	Slug       string
	Kind       string // "testimonial" or "case"
	Title      string // of a case; "" for a testimonial
	Source     string // who says so, as they agreed to be named
	Date       time.Time
	Permission string // how and when they agreed; kept, not shown
	Service    string // slug of the service it speaks of; "" for all
	Demo       bool   // made up, and marked so
	Body       template.HTML
}

// A Post is an entry of the blog.
type Post struct {
	Slug    string
	Title   string
	Summary string
	Date    time.Time
	Updated time.Time // zero if never
	Author  string    // "" for the business
	Body    template.HTML
}

// PostsPath is the address of the list of posts.
const PostsPath = "/posts"

// Path returns the address of the post.
func (p *Post) Path() string { return PostsPath + "/" + p.Slug }

// Service returns the service with that slug, or nil.
func (s *Site) Service(slug string) *Service {
	for _, v := range s.Services {
		if v.Slug == slug {
			return v
		}
	}
	return nil
}

// Page returns the page with that slug, or nil.
func (s *Site) Page(slug string) *Page {
	for _, v := range s.Pages {
		if v.Slug == slug {
			return v
		}
	}
	return nil
}

// Post returns the post with that slug, or nil.
func (s *Site) Post(slug string) *Post {
	for _, v := range s.Posts {
		if v.Slug == slug {
			return v
		}
	}
	return nil
}

// ProofOf returns the proof that speaks of a service, or of all.
func (s *Site) ProofOf(service string) []*Proof {
	var list []*Proof
	for _, p := range s.Proof {
		if p.Service == service || p.Service == "" {
			list = append(list, p)
		}
	}
	return list
}

// Location returns the site's time zone. Load has checked that it exists.
func (s *Site) Location() *time.Location {
	loc, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// Paths returns every public address of the site that belongs into a site map.
func (s *Site) Paths() []string {
	paths := []string{"/"}
	for _, v := range s.Services {
		paths = append(paths, v.Path())
	}
	for _, v := range s.Pages {
		paths = append(paths, v.Path())
	}
	if len(s.Posts) > 0 {
		paths = append(paths, PostsPath)
	}
	for _, v := range s.Posts {
		paths = append(paths, v.Path())
	}
	return paths
}

// An Error is one fault in a content folder.
type Error struct {
	File    string // path in the folder
	Line    int    // 0 if the fault has no place, as of a missing field
	Column  int    // 0 if unknown
	Field   string // such as "questions[1].kind"; "" for the file itself
	Message string // what is wrong, and what is expected
}

// Error returns "file:line:column: field: message".
func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place += fmt.Sprintf(":%d", e.Line)
		if e.Column > 0 {
			place += fmt.Sprintf(":%d", e.Column)
		}
	}
	if e.Field != "" {
		return place + ": " + e.Field + ": " + e.Message
	}
	return place + ": " + e.Message
}
