package calsim

import (
	"cmp"
	"fmt"
	"maps"
	"time"
)

// Book makes a booking, a seat, a series or a reschedule, whichever the request
// and the event type ask for, and sends what Cal.com sends for it. For a series
// it returns the first occurrence.
//
// Errors: ErrNotFound for an unknown event type or RescheduleUID, ErrSlotTaken,
// ErrNotPossible when name, e-mail or start is missing.
func (s *Sim) Book(req BookRequest) (Booking, error) {
	s.mu.Lock()
	b, events, err := s.book(req)
	s.mu.Unlock()
	if err != nil {
		return Booking{}, err
	}
	s.emit(events...)
	return b, nil
}

// book needs mu.
func (s *Sim) book(req BookRequest) (Booking, []event, error) {
	et, err := s.eventType(req.EventType)
	if err != nil {
		return Booking{}, nil, err
	}
	if req.Name == "" || req.Email == "" || req.Start.IsZero() {
		return Booking{}, nil, fmt.Errorf("%w: name, e-mail and start are required", ErrNotPossible)
	}
	req.Start = req.Start.UTC().Truncate(time.Second)
	req.TimeZone = cmp.Or(req.TimeZone, s.cfg.Organizer.TimeZone)
	switch {
	case req.RescheduleUID != "":
		return s.bookAgain(et, req)
	case et.Seats > 1:
		return s.bookSeat(et, req)
	}
	return s.bookNew(et, req)
}

// taken reports whether a live booking other than the one called except
// overlaps the time: all event types have the same host. It needs mu.
func (s *Sim) taken(start time.Time, length time.Duration, except string) bool {
	for _, r := range s.rows {
		if r.Live() && r.UID != except && r.Start.Before(start.Add(length)) && start.Before(r.End) {
			return true
		}
	}
	return false
}

// bookNew makes one row, or one a week for a recurring type: each occurrence
// has its own uid and sends its own event (calcom.md §2.2). It needs mu.
func (s *Sim) bookNew(et EventType, req BookRequest) (Booking, []event, error) {
	times := max(1, et.Recurring)
	for i := range times {
		if s.taken(req.Start.AddDate(0, 0, 7*i), et.Length, "") {
			return Booking{}, nil, ErrSlotTaken
		}
	}
	series := ""
	if times > 1 {
		series = s.newUID()
	}
	var first Booking
	var events []event
	for i := range times {
		one := req
		one.Start = req.Start.AddDate(0, 0, 7*i)
		r := s.insert(et, one)
		r.RecurringID = series
		events = append(events, s.announce(r, req.Metadata))
		if i == 0 {
			first = r.Booking.clone()
		}
	}
	return first, events, nil
}

// insert makes the row of a request. It needs mu.
func (s *Sim) insert(et EventType, req BookRequest) *row {
	uid, at := s.newUID(), s.now()
	r := &row{Booking: Booking{
		ID: s.nextID, UID: uid, EventType: et.ID, Status: Accepted, Start: req.Start, End: req.Start.Add(et.Length),
		Title: et.Title + " between " + s.cfg.Organizer.Name + " and " + req.Name, Notes: req.Notes,
		Metadata: orEmpty(maps.Clone(req.Metadata)), Answers: orEmpty(maps.Clone(req.Answers)),
		ICalUID: uid + "@Cal.com", OneTimePassword: s.newUUID(), CreatedAt: at, UpdatedAt: at,
	}}
	r.Attendees = []Attendee{s.attendee(r, et, req)}
	if et.RequiresConfirmation || et.Price > 0 {
		r.Status = Pending
	}
	if et.Price > 0 {
		r.PaymentID = 800 + s.nextID%1000
	}
	s.nextID++
	s.rows = append(s.rows, r)
	return r
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// attendee needs mu.
func (s *Sim) attendee(r *row, et EventType, req BookRequest) Attendee {
	a := Attendee{ID: 88000 + 10*r.ID + len(r.Attendees), Name: req.Name, Email: req.Email, TimeZone: req.TimeZone, Phone: req.Phone}
	if et.Seats > 1 {
		a.SeatID = s.newUUID()
		a.Metadata, a.Answers = orEmpty(maps.Clone(req.Metadata)), orEmpty(maps.Clone(req.Answers))
	}
	return a
}

// announce is the event of a new row, and freezes what MEETING_* will tell. It
// needs mu.
func (s *Sim) announce(r *row, sent map[string]string) event {
	f := s.about(r)
	f.sent = maps.Clone(sent)
	if len(r.Attendees) == 1 {
		f.seat = r.Attendees[0].SeatID
	}
	switch {
	case r.AwaitsPayment():
		return of("BOOKING_PAYMENT_INITIATED", r.UID, f.paymentInitiated())
	case r.Status == Pending:
		return of("BOOKING_REQUESTED", r.UID, f.requested())
	}
	s.freeze(r)
	return of("BOOKING_CREATED", r.UID, f.created())
}

// freeze keeps the row as it is now: in [2512] and [DIY] the body of MEETING_*
// is written when the meeting is arranged (calcom.md §1.5 B). It needs mu.
func (s *Sim) freeze(r *row) {
	f := s.about(r)
	r.frozen = &f
}

// bookSeat adds the visitor to the booking of that time, or makes it. Every seat
// sends BOOKING_CREATED with the same uid. In the direct generations a seat
// without its own metadata inherits the first booker's; the cloud reads the
// row's, so every later seat shows the first booker's (calcom.md §2.2, the
// latter is inference). It needs mu.
func (s *Sim) bookSeat(et EventType, req BookRequest) (Booking, []event, error) {
	r := s.seatedAt(et, req.Start)
	if r == nil {
		return s.bookNew(et, req)
	}
	if len(r.Attendees) >= et.Seats {
		return Booking{}, nil, ErrSlotTaken
	}
	a := s.attendee(r, et, req)
	r.Attendees = append(r.Attendees, a)
	r.UpdatedAt = s.now()

	f := s.about(r)
	f.who, f.seat, f.answers, f.b.Notes = []Attendee{a}, a.SeatID, a.Answers, req.Notes
	f.sent = maps.Clone(r.Metadata)
	maps.Copy(f.sent, req.Metadata)
	if r.Status == Pending {
		return r.Booking.clone(), []event{of("BOOKING_REQUESTED", r.UID, f.requested())}, nil
	}
	return r.Booking.clone(), []event{of("BOOKING_CREATED", r.UID, f.created())}, nil
}

// seatedAt needs mu.
func (s *Sim) seatedAt(et EventType, start time.Time) *row {
	for _, r := range s.rows {
		if r.EventType == et.ID && r.Live() && r.Start.Equal(start) {
			return r
		}
	}
	return nil
}

// bookAgain replaces a booking: new uid and row, the old row becomes CANCELLED
// without an event of its own. A replaced uid can be replaced again: a fork
// (calcom.md §9.3). It needs mu.
func (s *Sim) bookAgain(et EventType, req BookRequest) (Booking, []event, error) {
	old, err := s.find(req.RescheduleUID)
	if err != nil {
		return Booking{}, nil, err
	}
	if !old.Live() && old.RescheduledTo == "" && !old.AskedToMove {
		return Booking{}, nil, fmt.Errorf("%w: booking %s is %s", ErrNotPossible, old.UID, old.Status)
	}
	if s.taken(req.Start, et.Length, old.UID) {
		return Booking{}, nil, ErrSlotTaken
	}
	r := s.insert(et, req)
	byHost := req.RescheduledBy == s.cfg.Organizer.Email
	s.succeed(old, r, req)
	if old.Paid || et.Price == 0 {
		r.Status, r.PaymentID, r.Paid = Accepted, old.PaymentID, old.Paid
		if et.RequiresConfirmation && !byHost {
			r.Status = Pending
		}
	}
	return r.Booking.clone(), []event{s.announceMove(old, r, req.Metadata)}, nil
}

// succeed links the rows. The new row's metadata is the old row's plus the new
// request's (createBooking.ts, calcom.md §2.2). It needs mu.
func (s *Sim) succeed(old, r *row, req BookRequest) {
	merged := maps.Clone(old.Metadata)
	maps.Copy(merged, req.Metadata)
	r.Metadata = merged
	r.ICalUID, r.ICalSequence = old.ICalUID, old.ICalSequence+1
	r.RescheduledFrom, r.RescheduleReason = old.UID, req.RescheduleReason
	r.RescheduledBy = cmp.Or(req.RescheduledBy, req.Email)
	if len(old.Attendees) > 1 {
		r.Attendees = old.Booking.clone().Attendees
	}
	old.Status, old.RescheduledTo, old.UpdatedAt = Cancelled, r.UID, s.now()
}

// announceMove needs mu.
func (s *Sim) announceMove(old, r *row, sent map[string]string) event {
	f := s.about(r)
	f.sent = maps.Clone(sent)
	replaced := old.Booking.clone()
	f.old = &replaced
	switch {
	case r.AwaitsPayment():
		return of("BOOKING_PAYMENT_INITIATED", r.UID, f.paymentInitiated())
	case r.Status == Pending:
		return of("BOOKING_REQUESTED", r.UID, f.requested())
	}
	s.freeze(r)
	return of("BOOKING_RESCHEDULED", r.UID, f.rescheduled())
}

// A Carry says what of the old booking a reschedule's request repeats.
type Carry string

// What is carried, as seen on a real Cal.com (calcom.md §9.2, §9.6, §9.7).
const (
	CarryPage    Carry = "page"    // the pages: the answers, but no metadata
	CarryAll     Carry = "api"     // API v2: metadata and answers
	CarryNothing Carry = "nothing" // a bare HTTP call
)

// Reschedule moves a booking to another start on behalf of its attendee, or of
// the organiser if by is the organiser's e-mail. by may be empty.
func (s *Sim) Reschedule(uid string, start time.Time, carry Carry, by string) (Booking, error) {
	old, err := s.Booking(uid)
	if err != nil {
		return Booking{}, err
	}
	a := old.Attendees[0]
	req := BookRequest{
		EventType: old.EventType, Start: start, Name: a.Name, Email: a.Email, TimeZone: a.TimeZone, Phone: a.Phone,
		Notes: old.Notes, RescheduleUID: uid, RescheduledBy: by,
	}
	switch carry {
	case CarryAll:
		req.Metadata, req.Answers = old.Metadata, old.Answers
	case CarryPage, "":
		req.Answers = old.Answers
	}
	return s.Book(req)
}
