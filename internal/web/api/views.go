package api

import (
	"slices"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A LeadView is a lead as commands print it and the API answers. Its JSON is stable;
// lists are arrays, also when empty.
type LeadView struct {
	LeadSummaryView
	Submissions []SubmissionView `json:"submissions"`
	History     []ChangeView     `json:"history"`
	Notes       []handoff.Note   `json:"notes"`
	// CallsWanted is null where nobody said that all calls ahead are wanted.
	CallsWanted *handoff.CallsWanted `json:"calls_wanted"`
	Reminders   []ReminderView       `json:"reminders"`
	Related     []RelatedView        `json:"related"`
}

// A RelatedView is another lead of the site that may be of the same person. It is a hint.
type RelatedView struct {
	Lead    handoff.LeadID `json:"lead"`
	Reasons []string       `json:"reasons"` // in words, the strongest first
}

// A LeadSummaryView is a lead in a list of the API: a LeadView without what takes
// reading on.
type LeadSummaryView struct {
	ID        handoff.LeadID `json:"id"`
	Site      string         `json:"site"`
	Service   string         `json:"service"`
	Name      string         `json:"name"`
	Email     string         `json:"email"`
	Phone     string         `json:"phone"`
	Source    string         `json:"source"` // where the visitor came from; empty: not known yet
	Stage     handoff.Stage  `json:"stage"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	Bookings  []BookingView  `json:"bookings"`
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

// ViewLead makes the view of a lead, with those that the store says are related.
func ViewLead(d store.LeadDetail, related []store.RelatedLead) LeadView {
	v := LeadView{
		LeadSummaryView: viewSummary(store.LeadSummary{Lead: d.Lead, Bookings: d.Bookings}),
		Submissions:     []SubmissionView{}, History: []ChangeView{}, Notes: append([]handoff.Note{}, d.Notes...), Reminders: []ReminderView{},
		CallsWanted: d.Wanted, Related: []RelatedView{},
	}
	for _, r := range related {
		v.Related = append(v.Related, RelatedView{r.ID, append([]string{}, r.Reasons...)})
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
	for _, c := range d.History {
		v.History = append(v.History, ViewChange(c))
	}
	return v
}

// viewSummary makes the view of a lead in a list.
func viewSummary(l store.LeadSummary) LeadSummaryView {
	v := LeadSummaryView{
		ID: l.ID, Site: l.Site, Service: l.Service, Name: l.Name, Email: l.Email, Phone: l.Phone, Source: l.Source, Stage: l.Stage,
		CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt, Bookings: []BookingView{},
	}
	for i := range l.Bookings {
		v.Bookings = append(v.Bookings, viewBooking(&l.Bookings[i]))
	}
	return v
}

func viewBooking(b *handoff.Booking) BookingView {
	return BookingView{
		UID: b.UID, Seat: b.Seat, Status: b.Status, Start: known(b.Start), End: known(b.End),
		Predecessor: b.Predecessor, NoShow: b.NoShow, Paid: b.Paid, Ended: b.Ended,
	}
}

// known is a time that is null where it is not known.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// A KeyView is a key of the API as commands print it. Its JSON is stable.
type KeyView struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Scopes     []handoff.Scope `json:"scopes"`
	Sites      []string        `json:"sites"` // the only ones that it sees; null: all
	CreatedBy  string          `json:"created_by"`
	CreatedAt  time.Time       `json:"created_at"`
	ExpiresAt  time.Time       `json:"expires_at"`
	LastUsedAt *time.Time      `json:"last_used_at"` // null: never
	RevokedAt  *time.Time      `json:"revoked_at"`   // null: it was not
	Token      string          `json:"token,omitempty"`
}

// ViewKey makes the view of a key. token is empty but where the key was just made.
func ViewKey(k store.Key, token string) KeyView {
	return KeyView{k.ID, k.Name, k.Scopes, k.Sites, k.CreatedBy, k.CreatedAt, k.ExpiresAt, known(k.LastUsedAt), known(k.RevokedAt), token}
}

// ViewChange makes the view of one step of a lead's stage.
func ViewChange(c handoff.Change) ChangeView {
	return ChangeView{At: c.At, From: c.From, To: c.To, Cause: c.Cause, Note: c.Note}
}

// A FailureDetailView is a failure with what was received, and with whom it may be about.
// Its JSON is stable.
type FailureDetailView struct {
	store.FailureDetail
	Suggestions []SuggestionView `json:"suggestions"` // the likeliest first; empty where no booking can be tied to a lead
}

// A SuggestionView is a lead that a failure's booking may belong to, for a person to judge.
type SuggestionView struct {
	Lead    handoff.LeadID `json:"lead"`
	Reasons []string       `json:"reasons"` // in words, the strongest first
}

// ViewFailure makes the view of a failure, with suggestions as the store ranks them. Where
// it cannot be attached to a lead, none is shown.
func ViewFailure(d store.FailureDetail, suggested []handoff.Suggestion) FailureDetailView {
	v := FailureDetailView{FailureDetail: d, Suggestions: []SuggestionView{}}
	if !slices.Contains(d.Remedies, handoff.Attach) {
		return v
	}
	for _, s := range suggested {
		v.Suggestions = append(v.Suggestions, SuggestionView{s.Lead.ID, s.Reasons})
	}
	return v
}
