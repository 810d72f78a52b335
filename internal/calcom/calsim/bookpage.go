package calsim

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// bookPage is what templates/book.html shows.
type bookPage struct {
	Type    EventType
	Host    Organizer
	Minutes int
	Zone    string // of the times in the page; scripts may show others
	Days    []day
	Embed   bool // hidden until the parent answers
	Theme   string
	Problem string // "" or one sentence
	Chosen  string // the start chosen before the problem
	Old     *Booking
	Req     BookRequest
	Meta    []pair // metadata carried by the URL
	Fields  []field
	DryRun  bool
}

// day is one day with free times.
type day struct {
	Name  string
	Slots []slot
}

type slot struct {
	Start time.Time
	Clock string
}

type pair struct{ Key, Value string }

// field is one custom booking question and its answer so far.
type field struct {
	Question
	Value string
}

// workingDays is how far ahead the calendar offers times, and opens and closes
// are its hours in the organiser's zone.
const (
	workingDays = 10
	opens       = 9
	closes      = 17
)

// free are the offered starts: hours of the next working days that no live
// booking holds. A seated type offers a time until its
// seats are gone.
func (s *Sim) free(et EventType, except string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	zone := location(s.cfg.Organizer.TimeZone)
	now := s.cfg.Now().In(zone)
	var out []time.Time
	for d, days := now, 0; days < workingDays; d = d.AddDate(0, 0, 1) {
		end := time.Date(d.Year(), d.Month(), d.Day(), closes, 0, 0, 0, zone)
		if d.Weekday() == time.Saturday || d.Weekday() == time.Sunday || !end.Add(-time.Hour).After(now) {
			continue
		}
		days++
		for h := opens; h < closes; h++ {
			at := time.Date(d.Year(), d.Month(), d.Day(), h, 0, 0, 0, zone)
			if at.After(now) && s.bookable(et, at, except) {
				out = append(out, at.UTC())
			}
		}
	}
	return out
}

// bookable needs mu.
func (s *Sim) bookable(et EventType, at time.Time, except string) bool {
	if et.Seats > 1 {
		if r := s.seatedAt(et, at); r != nil {
			return len(r.Attendees) < et.Seats
		}
	}
	return !s.taken(at, et.Length, except)
}

// byDay groups starts by their day in the zone.
func byDay(starts []time.Time, zone string) []day {
	var out []day
	for _, at := range starts {
		local := at.In(location(zone))
		name := local.Format("Monday 2 January")
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, day{Name: name})
		}
		last := &out[len(out)-1]
		last.Slots = append(last.Slots, slot{Start: at, Clock: local.Format("15:04")})
	}
	return out
}

// bookingPage answers /{user}/{slug} and its /embed. The query carries what
// calcom.md §2.3 lists: metadata[key], name, email, notes, any question's slug,
// rescheduleUid, rescheduledBy, cal.tz, theme.
func (s *Sim) bookingPage(et EventType, embed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		et := s.asNow(et)
		q := r.URL.Query()
		req := BookRequest{
			EventType: et.ID, Name: cmp.Or(q.Get("name"), strings.TrimSpace(q.Get("firstName")+" "+q.Get("lastName"))),
			Email: q.Get("email"), Notes: q.Get("notes"), TimeZone: q.Get("cal.tz"), Metadata: metadataOf(q),
			Answers: map[string]string{}, RescheduleUID: q.Get("rescheduleUid"), RescheduledBy: q.Get("rescheduledBy"),
		}
		for _, question := range et.Questions {
			req.Answers[question.Slug] = q.Get(question.Slug)
		}
		p := s.newBookPage(et, req)
		p.Embed, p.Theme, p.Chosen = embed, theme(q.Get("theme")), q.Get("slot")
		p.DryRun = q.Get("cal.isBookingDryRun") == "true"
		s.render(w, http.StatusOK, "book.html", true, p)
	}
}

// asNow is the event type with the questions it has now.
func (s *Sim) asNow(et EventType) EventType {
	if now, err := s.eventType(et.ID); err == nil {
		return now
	}
	return et
}

func theme(v string) string {
	if v == "dark" || v == "light" {
		return v
	}
	return "auto"
}

// metadataOf takes every key that starts with "metadata" and cuts metadata[…],
// as BookerWebWrapper.tsx does (calcom.md §2.1).
func metadataOf(q url.Values) map[string]string {
	out := map[string]string{}
	for key := range q {
		if rest, ok := strings.CutPrefix(key, "metadata"); ok {
			out[strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")] = q.Get(key)
		}
	}
	return out
}

// newBookPage fills the form. A reschedule starts with the old booking's answers
// (useInitialFormValues.ts), but not with its metadata.
func (s *Sim) newBookPage(et EventType, req BookRequest) bookPage {
	p := bookPage{Type: et, Host: s.cfg.Organizer, Minutes: int(et.Length.Minutes()), Zone: cmp.Or(req.TimeZone, s.cfg.Organizer.TimeZone)}
	if old, err := s.Booking(req.RescheduleUID); err == nil {
		p.Old = &old
		a := old.Attendees[0]
		req.Name, req.Email, req.Notes = cmp.Or(req.Name, a.Name), cmp.Or(req.Email, a.Email), cmp.Or(req.Notes, old.Notes)
		for k, v := range old.Answers {
			if req.Answers[k] == "" {
				req.Answers[k] = v
			}
		}
	}
	p.Req = req
	p.Days = byDay(s.free(et, req.RescheduleUID), p.Zone)
	for _, k := range slices.Sorted(maps.Keys(req.Metadata)) {
		p.Meta = append(p.Meta, pair{k, req.Metadata[k]})
	}
	for _, question := range et.Questions {
		p.Fields = append(p.Fields, field{question, req.Answers[question.Slug]})
	}
	return p
}

// submitBookingPage takes the form of a page without scripts.
//
//	303  booked; to /booking/{uid}
//	400  something is missing; the page again
//	409  the slot is taken; the page again
func (s *Sim) submitBookingPage(et EventType) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		et := s.asNow(et)
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form could not be read", http.StatusBadRequest)
			return
		}
		f := r.PostForm
		start, _ := time.Parse(time.RFC3339, f.Get("start"))
		req := BookRequest{
			EventType: et.ID, Start: start, Name: strings.TrimSpace(f.Get("name")), Email: strings.TrimSpace(f.Get("email")),
			Notes: f.Get("notes"), TimeZone: f.Get("timeZone"), Metadata: metadataOf(f), Answers: map[string]string{},
			RescheduleUID: f.Get("rescheduleUid"), RescheduledBy: f.Get("rescheduledBy"), RescheduleReason: f.Get("rescheduleReason"),
		}
		for _, question := range et.Questions {
			req.Answers[question.Slug] = f.Get("answer[" + question.Slug + "]")
		}
		b, err := s.Book(req)
		if err != nil {
			p := s.newBookPage(et, req)
			p.Theme, p.Problem, p.Chosen = "auto", problem(err), f.Get("start")
			s.render(w, statusOf(err), "book.html", true, p)
			return
		}
		http.Redirect(w, r, "/booking/"+b.UID, http.StatusSeeOther)
	}
}

// problem says an error to a visitor.
func problem(err error) string {
	switch {
	case errors.Is(err, ErrSlotTaken):
		return "Somebody else has just taken this time. Please choose another."
	case errors.Is(err, ErrNotPossible):
		return "Please choose a time and fill in your name and e-mail address."
	}
	return "This booking could not be made."
}

// bookEventRequest is the body of POST /api/book/event, as the real page sends
// it (bookingCreateBodySchema.ts).
type bookEventRequest struct {
	EventTypeID   int               `json:"eventTypeId"`
	Start         time.Time         `json:"start"`
	TimeZone      string            `json:"timeZone"`
	Metadata      map[string]string `json:"metadata"`
	Responses     map[string]any    `json:"responses"`
	RescheduleUID string            `json:"rescheduleUid"`
	RescheduledBy string            `json:"rescheduledBy"`
	DryRun        bool              `json:"_isDryRun"`
}

func (b bookEventRequest) request(et EventType) BookRequest {
	text := func(key string) string { v, _ := b.Responses[key].(string); return v }
	req := BookRequest{
		EventType: b.EventTypeID, Start: b.Start, Name: text("name"), Email: text("email"), Notes: text("notes"),
		Phone: text("attendeePhoneNumber"), TimeZone: b.TimeZone, Metadata: b.Metadata, Answers: map[string]string{},
		RescheduleUID: b.RescheduleUID, RescheduledBy: b.RescheduledBy, RescheduleReason: text("rescheduleReason"),
	}
	for _, question := range et.Questions {
		req.Answers[question.Slug] = text(question.Slug)
	}
	return req
}

// bookEvent is the page's own API.
//
//	200  booked, or a dry run; the booking
//	400  a body that is not understood, or a missing name, e-mail or start
//	404  no such event type or booking to replace
//	409  the slot is taken
func (s *Sim) bookEvent(w http.ResponseWriter, r *http.Request) {
	var in bookEventRequest
	if err := readJSON(w, r, &in); err != nil {
		writeJSON(w, http.StatusBadRequest, object{{"message", "invalid_body"}})
		return
	}
	et, err := s.eventType(in.EventTypeID)
	if err != nil {
		writeJSON(w, http.StatusNotFound, object{{"message", "event_type_not_found"}})
		return
	}
	if in.DryRun {
		writeJSON(w, http.StatusOK, s.bookingAnswer(Booking{
			Title: et.Title, Status: Accepted, Start: in.Start, End: in.Start.Add(et.Length), EventType: et.ID,
		}))
		return
	}
	b, err := s.Book(in.request(et))
	if err != nil {
		writeJSON(w, statusOf(err), object{{"message", err.Error()}, {"problem", problem(err)}})
		return
	}
	writeJSON(w, http.StatusOK, s.bookingAnswer(b))
}

// bookingAnswer is what the page needs for its success screen and for
// bookingSuccessfulV2 (calcom.md §3.2).
func (s *Sim) bookingAnswer(b Booking) object {
	et, _ := s.eventType(b.EventType)
	video := maybe(b.Status == Accepted && et.Location == "integrations:daily", s.cfg.Origin+"/video/"+b.UID)
	return object{
		{"id", b.ID},
		{"uid", b.UID},
		{"title", b.Title},
		{"startTime", b.Start.UTC().Format(timeMillis)},
		{"endTime", b.End.UTC().Format(timeMillis)},
		{"eventTypeId", b.EventType},
		{"status", b.Status},
		{"paymentRequired", b.AwaitsPayment()},
		{"isRecurring", b.RecurringID != ""},
		{"videoCallUrl", video},
	}
}

// showBooking is the visitor's page of one booking, and the success page of a
// booking made without scripts.
func (s *Sim) showBooking(w http.ResponseWriter, r *http.Request) {
	b, err := s.Booking(r.PathValue("uid"))
	if err != nil {
		s.render(w, http.StatusNotFound, "booking.html", true, bookingView{})
		return
	}
	et, _ := s.eventType(b.EventType)
	s.render(w, http.StatusOK, "booking.html", true, bookingView{Found: true, B: b, Type: et, Host: s.cfg.Organizer, Zone: b.Attendees[0].TimeZone})
}

type bookingView struct {
	Found bool
	B     Booking
	Type  EventType
	Host  Organizer
	Zone  string
}

// cancelBooking is the visitor's cancel form. 303 back to the booking; 400 when
// it is cancelled already, as the real one answers.
func (s *Sim) cancelBooking(w http.ResponseWriter, r *http.Request) {
	uid := r.PathValue("uid")
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := s.Cancel(uid, r.PostFormValue("reason"), ""); err != nil {
		http.Error(w, "This booking cannot be cancelled.", statusOf(err))
		return
	}
	http.Redirect(w, r, "/booking/"+url.PathEscape(uid), http.StatusSeeOther)
}

// payBooking stands in for the payment page.
func (s *Sim) payBooking(w http.ResponseWriter, r *http.Request) {
	uid := r.PathValue("uid")
	if err := s.Pay(uid); err != nil {
		http.Error(w, "This booking cannot be paid.", statusOf(err))
		return
	}
	http.Redirect(w, r, "/booking/"+url.PathEscape(uid), http.StatusSeeOther)
}

// redirectToReschedule sends the visitor to the booking page, without the
// metadata (calcom.md §9.6).
func (s *Sim) redirectToReschedule(w http.ResponseWriter, r *http.Request) {
	b, err := s.Booking(r.PathValue("uid"))
	if err != nil {
		s.render(w, http.StatusNotFound, "booking.html", true, bookingView{})
		return
	}
	et, _ := s.eventType(b.EventType)
	http.Redirect(w, r, "/"+et.User+"/"+et.Slug+"?rescheduleUid="+b.UID, http.StatusFound)
}
