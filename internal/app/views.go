package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"

	"handoff"
	"handoff/internal/store"
)

// A LeadView is a lead as commands print it. Its JSON is stable; lists are
// arrays, also when empty.
type LeadView struct {
	ID          handoff.LeadID   `json:"id"`
	Site        string           `json:"site"`
	Service     string           `json:"service"`
	Name        string           `json:"name"`
	Email       string           `json:"email"`
	Phone       string           `json:"phone"`
	Source      string           `json:"source"`
	Stage       handoff.Stage    `json:"stage"`
	CreatedAt   time.Time        `json:"created_at"`
	UpdatedAt   time.Time        `json:"updated_at"`
	Submissions []SubmissionView `json:"submissions"`
	Bookings    []BookingView    `json:"bookings"`
	History     []ChangeView     `json:"history"`
	Notes       []handoff.Note   `json:"notes"`
	Reminders   []ReminderView   `json:"reminders"`
}

// A ReminderView is one reminder to the lead.
type ReminderView struct {
	Number int                   `json:"number"`
	State  handoff.ReminderState `json:"state"`
	At     time.Time             `json:"at"`
}

// A SubmissionView is one form that the lead sent.
type SubmissionView struct {
	ID      handoff.SubmissionID `json:"id"`
	At      time.Time            `json:"at"`
	Service string               `json:"service"`
	Message string               `json:"message"`
	Answers []handoff.Answer     `json:"answers"`
	Consent handoff.Consent      `json:"consent"`
	Context handoff.Context      `json:"context"`
}

// A BookingView is one booking of the lead.
type BookingView struct {
	UID         string         `json:"uid"`
	Seat        string         `json:"seat"`
	Status      handoff.Status `json:"status"`
	Start       *time.Time     `json:"start"` // null where nobody has said
	End         *time.Time     `json:"end"`
	Predecessor string         `json:"predecessor,omitempty"`
	NoShow      bool           `json:"no_show"`
	Paid        bool           `json:"paid"`
	Ended       bool           `json:"ended"`
}

// A ChangeView is one step of the lead's stage.
type ChangeView struct {
	At    time.Time     `json:"at"`
	From  handoff.Stage `json:"from"` // empty for the first
	To    handoff.Stage `json:"to"`
	Cause string        `json:"cause"`
	Note  string        `json:"note"`
}

// ViewLead makes the view of a lead.
func ViewLead(d store.LeadDetail) LeadView {
	v := LeadView{
		ID: d.ID, Site: d.Site, Service: d.Service, Name: d.Name, Email: d.Email, Phone: d.Phone, Source: d.Source, Stage: d.Stage,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
		Notes: append([]handoff.Note{}, d.Notes...), Submissions: []SubmissionView{}, Bookings: []BookingView{}, History: []ChangeView{}, Reminders: []ReminderView{},
	}
	for _, r := range d.Reminders {
		v.Reminders = append(v.Reminders, ReminderView(r))
	}
	for _, s := range d.Submissions {
		v.Submissions = append(v.Submissions, SubmissionView{
			ID: s.ID, At: s.At, Service: s.Service, Message: s.Message,
			Answers: append([]handoff.Answer{}, s.Answers...), Consent: s.Consent, Context: s.Context,
		})
	}
	for _, b := range d.Bookings {
		v.Bookings = append(v.Bookings, BookingView{
			UID: b.UID, Seat: b.Seat, Status: b.Status, Start: known(b.Start), End: known(b.End),
			Predecessor: b.Predecessor, NoShow: b.NoShow, Paid: b.Paid, Ended: b.Ended,
		})
	}
	for _, c := range d.History {
		v.History = append(v.History, ViewChange(c))
	}
	return v
}

// ViewChange makes the view of one step of a lead's stage.
func ViewChange(c handoff.Change) ChangeView {
	return ChangeView{At: c.At, From: c.From, To: c.To, Cause: c.Cause, Note: c.Note}
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// WriteJSON prints a view as indented JSON. What encoding/json leaves as it is, but
// a terminal obeys, is escaped: the control characters from U+007F to U+009F, of
// which one begins commands, and what turns the direction of a text. Strangers
// write into bodies and forms.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	var out bytes.Buffer
	for _, r := range b.String() {
		if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	_, err := w.Write(out.Bytes())
	return err
}
