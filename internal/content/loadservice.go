package content

import (
	"fmt"
	"slices"
)

// service reads services/<slug>.md.
func (l *loader) service(name string) *Service {
	var y struct {
		Title           string     `yaml:"title"`
		Short           string     `yaml:"short"`
		Summary         string     `yaml:"summary"`
		MetaDescription string     `yaml:"meta_description"`
		PriceNote       string     `yaml:"price_note"`
		Order           int        `yaml:"order"`
		Host            string     `yaml:"host"`
		CallMinutes     int        `yaml:"call_minutes"`
		CallNote        string     `yaml:"call_note"`
		Prepare         []string   `yaml:"prepare"`
		NextSteps       []string   `yaml:"next_steps"`
		Confirmation    string     `yaml:"confirmation"`
		Calendar        string     `yaml:"calendar"`
		EventType       int        `yaml:"event_type"`
		Embed           Embed      `yaml:"embed"`
		Phone           Phone      `yaml:"phone"`
		Consent         Consent    `yaml:"consent"`
		Questions       []Question `yaml:"questions"`
		FAQ             []FAQ      `yaml:"faq"`
	}
	y.Embed, y.Phone = EmbedClick, PhoneOptional

	f := l.open(name)
	if !f.decode(&y) {
		return &Service{Slug: f.slug()}
	}
	if y.Short == "" {
		y.Short = y.Title
	}
	f.text("title", y.Title, 1, 100)
	f.text("short", y.Short, 1, 60)
	f.text("summary", y.Summary, 1, 300)
	f.text("meta_description", y.MetaDescription, 1, 200)
	f.text("price_note", y.PriceNote, 0, 200)
	f.text("host", y.Host, 0, 80)
	if y.CallMinutes < 5 || y.CallMinutes > 480 {
		f.fault("call_minutes", "is %d, expected 5 to 480", y.CallMinutes)
	}
	f.text("call_note", y.CallNote, 0, 200)
	f.list("prepare", y.Prepare, 10, 200)
	f.list("next_steps", y.NextSteps, 8, 200)
	f.text("confirmation", y.Confirmation, 0, 300)
	f.match("calendar", y.Calendar, calendarForm, "a path at Cal.com such as priya-raman/survey-call")
	if y.EventType < 1 {
		f.fault("event_type", "is %d, expected the number of the event type at Cal.com", y.EventType)
	}
	f.oneOf("embed", string(y.Embed), []string{"auto", "click"})
	f.oneOf("phone", string(y.Phone), []string{"hidden", "optional", "required"})
	f.text("consent.text", y.Consent.Text, 0, 600)
	if y.Consent.Required && y.Consent.Text == "" {
		f.fault("consent.text", "is missing, but consent is required")
	}
	f.questions(y.Questions)
	for i, v := range y.FAQ {
		at := fmt.Sprintf("faq[%d].", i)
		f.text(at+"question", v.Question, 1, 200)
		f.text(at+"answer", v.Answer, 1, 1000)
	}

	return &Service{
		Slug: f.slug(), Title: y.Title, Short: y.Short, Summary: y.Summary, MetaDescription: y.MetaDescription, PriceNote: y.PriceNote,
		Body: f.markdown(), Host: y.Host, CallMinutes: y.CallMinutes, CallNote: y.CallNote, Prepare: y.Prepare, NextSteps: y.NextSteps,
		Confirmation: y.Confirmation, Calendar: y.Calendar, EventType: y.EventType, Embed: y.Embed, Phone: y.Phone,
		Consent: y.Consent, Questions: y.Questions, FAQ: y.FAQ, order: y.Order,
	}
}

// questions checks the extra questions of a service and fills in their lengths.
func (f *file) questions(list []Question) {
	if len(list) > 12 {
		f.fault("questions", "has %d questions, at most 12: a short form is answered", len(list))
	}
	seen := map[string]bool{}
	for i := range list {
		q, at := &list[i], fmt.Sprintf("questions[%d].", i)
		f.match(at+"id", q.ID, idForm, "lower case letters, digits and _")
		if seen[q.ID] {
			f.fault(at+"id", "%q is used twice", q.ID)
		}
		seen[q.ID] = true
		f.text(at+"label", q.Label, 1, 200)
		f.text(at+"hint", q.Hint, 0, 300)
		f.oneOf(at+"kind", string(q.Kind), []string{"text", "textarea", "select", "radio", "checkbox"})

		switch q.Kind {
		case KindSelect, KindRadio, KindCheckbox:
			if len(q.Options) < 1 || len(q.Options) > 30 {
				f.fault(at+"options", "has %d options, expected 1 to 30", len(q.Options))
			}
			f.list(at+"options", q.Options, 30, 120)
			if len(slices.Compact(slices.Sorted(slices.Values(q.Options)))) != len(q.Options) {
				f.fault(at+"options", "holds an option twice")
			}
			if q.MaxLength != 0 {
				f.fault(at+"max_length", "is for text and textarea only")
			}
		default:
			if len(q.Options) > 0 {
				f.fault(at+"options", "are for select, radio and checkbox only")
			}
			if q.MaxLength == 0 {
				q.MaxLength = 200
				if q.Kind == KindTextarea {
					q.MaxLength = 2000
				}
			}
			if q.MaxLength < 1 || q.MaxLength > 5000 {
				f.fault(at+"max_length", "is %d, expected 1 to 5000", q.MaxLength)
			}
		}
	}
}
