package public

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"handoff/internal/content"
)

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
