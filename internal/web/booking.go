package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/content"
	"handoff/internal/store"
	"handoff/internal/web/public"
)

// A visitor is who opened a booking page: whoever has the reference.
type visitor struct {
	reference  string
	submission handoff.Submission
	service    *content.Service
	lead       store.LeadDetail
}

// visitor finds whom a reference names. The error is ErrNotFound for one that we
// did not sign for this site, or whose submission was erased.
func (s *Server) visitor(r *http.Request, site *Site) (v visitor, err error) {
	v.reference = r.PathValue("reference")
	id, err := s.Keys.Open(site.ID, v.reference)
	if err != nil {
		return v, fmt.Errorf("%w: %w", handoff.ErrNotFound, err)
	}
	if v.lead, err = s.Store.LeadBySubmission(r.Context(), site.ID, id); err != nil {
		return v, err
	}
	i := slices.IndexFunc(v.lead.Submissions, func(sub handoff.Submission) bool { return sub.ID == id })
	if i < 0 {
		return v, fmt.Errorf("submission: %w", handoff.ErrNotFound)
	}
	v.submission = v.lead.Submissions[i]
	if v.service = site.Content.Service(v.submission.Service); v.service == nil {
		return v, fmt.Errorf("service %s: %w", v.submission.Service, handoff.ErrNotFound)
	}
	return v, nil
}

// private keeps a page that belongs to one visitor out of caches, search engines
// and the Referer headers of what it links to.
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("X-Robots-Tag", "noindex, nofollow")
}

// book shows the calendar; a visitor who has booked is shown the booking instead,
// because a second calendar is where double bookings start.
func (s *Server) book(w http.ResponseWriter, r *http.Request, site *Site) error {
	private(w)
	v, err := s.visitor(r, site)
	if err != nil {
		return err
	}
	word := s.word(v)
	if word.State == public.StateBooked || word.State == public.StateRequested || word.State == public.StateAwaitingPayment {
		http.Redirect(w, r, word.URL, http.StatusSeeOther)
		return nil
	}
	w.Header().Set("Content-Security-Policy", site.policy)
	w.Header().Set("Permissions-Policy", site.permissions)
	s.countCalendar(r, site, v)
	p := public.NewBook(site.Content, v.service, v.reference)
	p.FirstName = firstName(v.submission.Name)
	p.Prefill = public.Prefill{Name: v.submission.Name, Email: v.submission.Email}
	p.FrameURL = calcom.EmbedURL(site.CalOrigins[0], v.service.Calendar, v.reference)
	p.LinkURL = calcom.PageURL(site.CalOrigins[0], v.service.Calendar, v.reference)
	p.Origins = site.CalOrigins
	p.StatusURL, p.EventsURL = "/book/"+v.reference+"/status", "/book/"+v.reference+"/events"
	if site.API != nil {
		p.HeardURL = "/book/" + v.reference + "/heard"
	}
	p.State, p.Version = word.State, word.Version
	if p.Mode == content.EmbedAuto {
		w.Header().Set("Link", "<"+site.CalOrigins[0]+">; rel=preconnect")
	}
	s.render(w, http.StatusOK, p)
	return nil
}

// booked shows what we know of the visitor's booking, and no more.
func (s *Server) booked(w http.ResponseWriter, r *http.Request, site *Site) error {
	private(w)
	v, err := s.visitor(r, site)
	if err != nil {
		return err
	}
	p := public.NewBooked(site.Content, v.service, v.reference, s.calls(site, v))
	p.FirstName = firstName(v.submission.Name)
	p.StatusURL, p.EventsURL = "/book/"+v.reference+"/status", "/book/"+v.reference+"/events"
	p.Version = s.word(v).Version
	s.render(w, http.StatusOK, p)
	return nil
}

// A word is what a page is told of its visitor's booking.
type word struct {
	State   public.State `json:"state"`
	URL     string       `json:"url"`
	Version string       `json:"version"` // changes whenever the booked page would
}

// word says where a visitor's booking stands, from the stored bookings.
func (s *Server) word(v visitor) word {
	out := word{State: public.StateNone, URL: "/booked/" + v.reference}
	h := sha256.New()
	for _, b := range shown(v.lead.Bookings) {
		if out.State == public.StateNone {
			out.State = s.stateOf(b)
		}
		fmt.Fprintf(h, "%s %s %s %s %s\n", b.BookingKey, s.stateOf(b), b.Start, b.End, b.Location)
	}
	out.Version = hex.EncodeToString(h.Sum(nil)[:8])
	return out
}

// shown are the bookings that concern a visitor: those that may take place, by
// their start; without one, the newest that ended.
func shown(all []handoff.Booking) []handoff.Booking {
	var live, ended []handoff.Booking
	for _, b := range all {
		switch {
		case b.Live():
			live = append(live, b)
		case b.Status != "" && b.Status != handoff.Rescheduled:
			ended = append(ended, b)
		}
	}
	if len(live) > 0 || len(ended) == 0 {
		return live
	}
	newest := slices.MaxFunc(ended, func(a, b handoff.Booking) int { return a.LastAt.Compare(b.LastAt) })
	return []handoff.Booking{newest}
}

func (s *Server) stateOf(b handoff.Booking) public.State {
	switch b.Status {
	case handoff.AwaitingPayment:
		return public.StateAwaitingPayment
	case handoff.Requested:
		return public.StateRequested
	case handoff.Cancelled:
		return public.StateCancelled
	case handoff.Rejected:
		return public.StateRejected
	case handoff.RescheduleRequested:
		return public.StateRescheduleRequested
	}
	if b.Ended || (!b.End.IsZero() && b.End.Before(s.Now())) {
		return public.StatePast
	}
	return public.StateBooked
}

// calls are the bookings in the visitor's words and time zone.
func (s *Server) calls(site *Site, v visitor) []public.Call {
	var out []public.Call
	for _, b := range shown(v.lead.Bookings) {
		c := public.Call{State: s.stateOf(b), Start: b.Start}
		if !b.Start.IsZero() && !b.End.IsZero() {
			zone := zoneOf(b.Attendee.TimeZone, site)
			c.When, c.Zone = public.When(b.Start, b.End, zone), public.Zone(b.Start, zone)
		}
		c.Where, c.JoinURL = placeOf(b.Location)
		if c.Live() {
			origin := site.CalOrigins[0]
			c.RescheduleURL = calcom.RescheduleURL(origin, v.service.Calendar, v.reference, b.UID)
			c.CancelURL = calcom.CancelURL(origin, b.UID)
		}
		if c.State == public.StateBooked && c.When != "" {
			title, details := v.service.Title+" – "+site.Content.Name, v.service.CallNote
			c.ICS = "/booked/" + v.reference + "/calendar.ics?uid=" + b.UID
			c.Google = public.GoogleCalendar(title, details, c.Where, b.Start, b.End)
			c.Outlook = public.OutlookCalendar(title, details, c.Where, b.Start, b.End)
		}
		out = append(out, c)
	}
	return out
}

// zoneOf is the zone that the visitor chose at Cal.com, else the site's.
func zoneOf(name string, site *Site) *time.Location {
	if name != "" {
		if loc, err := time.LoadLocation(name); err == nil && loc != time.Local {
			return loc
		}
	}
	return site.Content.Location()
}

// places are Cal.com's words for locations that are no address of their own.
//
// Source: packages/app-store/locations.ts
var places = map[string]string{
	"phone": "By phone", "userPhone": "By phone", "attendeeInPerson": "At your address", "inPerson": "In person",
	"link": "Online", "conferencing": "Online", "somewhereElse": "", "unknown": "",
}

// placeOf reads Cal.com's location: an address on the web to join at, the name of
// an app whose link comes by e-mail, one of its own words, a phone number, or a
// place.
func placeOf(location string) (where, join string) {
	if where, ok := places[location]; ok {
		return where, ""
	}
	switch {
	case strings.HasPrefix(location, "https://"):
		return "Online", location
	case strings.HasPrefix(location, "integrations:"), strings.HasPrefix(location, "http://"):
		return "Online; the link is in the e-mail from Cal.com", ""
	}
	return location, ""
}

func firstName(name string) string {
	first, _, _ := strings.Cut(name, " ")
	return first
}

// calendarFile is the call as an iCalendar file. It has Cal.com's own UID and
// sequence, so that a calendar joins it with Cal.com's invitation.
func (s *Server) calendarFile(w http.ResponseWriter, r *http.Request, site *Site) error {
	private(w)
	v, err := s.visitor(r, site)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(v.lead.Bookings, func(b handoff.Booking) bool {
		return b.UID == r.URL.Query().Get("uid") && s.stateOf(b) == public.StateBooked && !b.Start.IsZero() && !b.End.IsZero()
	})
	if i < 0 {
		return handoff.ErrNotFound
	}
	b := v.lead.Bookings[i]
	cal := ics.NewCalendar()
	cal.SetMethod(ics.MethodPublish)
	cal.SetProductId("-//Handoff//Booking//EN")
	e := cal.AddEvent(calendarUID(b, v.lead.Bookings))
	e.SetSequence(b.Sequence)
	e.SetDtStampTime(b.LastAt)
	e.SetStartAt(b.Start)
	e.SetEndAt(b.End)
	e.SetSummary(v.service.Title + " – " + site.Content.Name)
	if v.service.CallNote != "" {
		e.SetDescription(v.service.CallNote)
	}
	if where, join := placeOf(b.Location); join != "" {
		e.SetLocation(join)
	} else if where != "" {
		e.SetLocation(where)
	}
	e.SetStatus(ics.ObjectStatusConfirmed)
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="call.ics"`)
	_, _ = w.Write([]byte(cal.Serialize())) // the client may be gone
	return nil
}

// calendarUID is the name of a call in Cal.com's own invitation: a booking that
// replaced another has the name of the chain's first, which most of Cal.com's
// bodies do not repeat (calcom.md §9.2).
func calendarUID(b handoff.Booking, all []handoff.Booking) string {
	for range all { // a chain is no longer than that
		i := slices.IndexFunc(all, func(p handoff.Booking) bool { return p.UID == b.Predecessor && p.Seat == b.Seat })
		if b.ICalUID != "" || i < 0 {
			break
		}
		b = all[i]
	}
	if b.ICalUID != "" {
		return b.ICalUID
	}
	return cmp.Or(b.Predecessor, b.UID) + "@Cal.com"
}

// status is the word as JSON, for pages without an event stream.
func (s *Server) status(w http.ResponseWriter, r *http.Request, site *Site) error {
	private(w)
	v, err := s.visitor(r, site)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.word(v)) // the client may be gone
	return nil
}

// bookingUID is the form of a uid that a page may claim.
var bookingUID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// heard takes the page's word that the calendar said "booked": a hint, which may
// make us ask Cal.com, if no webhook comes, and changes nothing by itself.
//
//	204  noted
//	400  not a uid
//	404  no such reference
//	429  too many from one page, or one source
func (s *Server) heard(w http.ResponseWriter, r *http.Request, site *Site) error {
	private(w)
	v, err := s.visitor(r, site)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	uid := r.PostFormValue("uid")
	if !bookingUID.MatchString(uid) {
		return fmt.Errorf("uid: %w", handoff.ErrInvalid)
	}
	if s.hintLimit.OnLimit(w, r, v.reference) || s.hintSourceLimit.OnLimit(w, r, s.Source(r)) {
		return errTooMany
	}
	if site.API != nil {
		if err := s.Store.Ask(r.Context(), site.ID, uid); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
