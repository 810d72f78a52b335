package handoff

import (
	"slices"
	"time"
)

// A Booking is what all observations together say of one appointment. The zero
// value is a booking nobody has spoken of.
type Booking struct {
	BookingKey
	Status   Status `json:"status"`
	StatusBy string `json:"statusBy,omitempty"` // ID of the observation that settled Status

	Start      time.Time `json:"start,omitzero"`
	End        time.Time `json:"end,omitzero"`
	Title      string    `json:"title,omitempty"`
	EventType  int64     `json:"eventType,omitempty"`
	Location   string    `json:"location,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Host       Person    `json:"host,omitzero"`
	Attendee   Person    `json:"attendee,omitzero"` // who booked
	NoShow     bool      `json:"noShow,omitempty"`
	NoShowBy   string    `json:"noShowBy,omitempty"`
	HostAbsent bool      `json:"hostAbsent,omitempty"`
	Started    bool      `json:"started,omitempty"`
	Ended      bool      `json:"ended,omitempty"`
	EndedBy    string    `json:"endedBy,omitempty"`
	Paid       bool      `json:"paid,omitempty"`
	Recurring  bool      `json:"recurring,omitempty"`
	ICalUID    string    `json:"icalUid,omitempty"`
	Sequence   int       `json:"sequence,omitempty"` // highest heard

	Predecessor string       `json:"predecessor,omitempty"` // uid it replaced
	Successors  []BookingKey `json:"successors,omitempty"`  // two after a forked reschedule (calcom.md §9.3)

	FirstAt time.Time `json:"firstAt,omitzero"` // Cal.com's time of the earliest fact
	LastAt  time.Time `json:"lastAt,omitzero"`  // and of the newest
}

// Live reports whether the booking may still take place, or took place.
func (b *Booking) Live() bool { return b.Status.Live() }

// Fold derives the bookings from a set of observations. It is a join: neither
// the order of the slice nor repetitions in it change the result (proved in
// order_test.go). Observations must be of one site and, for a chain to be
// whole, hold all that is known of it.
//
//   - status: the highest heard (see Status); a booking that another one names
//     as its predecessor is Rescheduled, since Cal.com sends nothing for it;
//   - attributes: the newest non-empty value, by Cal.com's time, sequence and
//     digest of the payload; absent never overwrites;
//   - started, ended, paid: once heard, they stay;
//   - no-show: the newest word about the person who booked, since it can be
//     taken back.
//
// An observation without a seat in a seated event speaks for the seats of the
// attendees it lists (see seats.resolve).
func Fold(observations []Observation) map[BookingKey]Booking {
	f := newFolder(observations)
	out := make(map[BookingKey]Booking, len(f.heard))
	for key, heard := range f.heard {
		out[key] = f.booking(key, heard)
	}
	return out
}

// A folder sorts observations to the bookings they speak of.
type folder struct {
	seats      map[string]*seats
	heard      map[BookingKey][]*Observation // what speaks of a booking
	successors map[BookingKey][]*Observation // what names it as its predecessor
}

func newFolder(observations []Observation) *folder {
	f := &folder{
		seats:      map[string]*seats{},
		heard:      map[BookingKey][]*Observation{},
		successors: map[BookingKey][]*Observation{},
	}
	for i := range observations {
		o := &observations[i]
		s := f.seats[o.UID]
		if s == nil {
			s = &seats{}
			f.seats[o.UID] = s
		}
		s.learn(o)
	}
	for i := range observations {
		o := &observations[i]
		for _, key := range f.keys(o) {
			f.heard[key] = append(f.heard[key], o)
		}
		for _, key := range f.predecessors(o) {
			f.heard[key] = append(f.heard[key], nil) // the booking exists, though nothing may speak of it yet
			f.successors[key] = append(f.successors[key], o)
		}
	}
	for key, heard := range f.heard {
		heard = slices.DeleteFunc(heard, func(o *Observation) bool { return o == nil })
		slices.SortFunc(heard, byAttributes)
		f.heard[key] = heard
	}
	return f
}

// keys are the bookings that an observation speaks of.
func (f *folder) keys(o *Observation) []BookingKey { return f.seats[o.UID].resolve(o.UID, o) }

// predecessors are the bookings that an observation says were replaced.
func (f *folder) predecessors(o *Observation) []BookingKey {
	if o.Predecessor == "" || o.Predecessor == o.UID {
		return nil
	}
	return f.seats[o.Predecessor].resolve(o.Predecessor, o)
}

// booking joins what was heard of one booking; heard is in the order of byAttributes.
func (f *folder) booking(key BookingKey, heard []*Observation) Booking {
	b := Booking{BookingKey: key}
	emails := map[string]bool{}
	for _, o := range heard { // oldest first: what comes later overwrites
		b.climb(o)
		b.take(o)
		if who := o.attendeeOf(key); who != nil && who.Email != "" {
			b.Attendee.merge(who)
			emails[sameEmail(who.Email)] = true
		}
	}
	b.hearNoShow(heard, emails)
	for _, o := range f.successors[key] {
		if b.Status != Rescheduled || o.ID < b.StatusBy {
			b.Status, b.StatusBy = Rescheduled, o.ID
		}
		for _, next := range f.keys(o) {
			if !slices.Contains(b.Successors, next) {
				b.Successors = append(b.Successors, next)
			}
		}
		b.span(o.At)
	}
	slices.SortFunc(b.Successors, compareKeys)
	return b
}

// climb raises the status, and names the earliest observation that did so.
func (b *Booking) climb(o *Observation) {
	if o.Status.rank() > b.Status.rank() {
		b.Status, b.StatusBy = o.Status, o.ID
	}
	if o.Ended && !b.Ended {
		b.Ended, b.EndedBy = true, o.ID
	}
	b.Started = b.Started || o.Started || o.Ended
	b.Paid = b.Paid || o.Paid
	b.Recurring = b.Recurring || o.Recurring
	b.Sequence = max(b.Sequence, o.Sequence)
	b.span(o.At)
}

func (b *Booking) span(at time.Time) {
	if b.FirstAt.IsZero() || at.Before(b.FirstAt) {
		b.FirstAt = at
	}
	if at.After(b.LastAt) {
		b.LastAt = at
	}
}

// take overwrites attributes with the non-empty ones of a newer observation.
func (b *Booking) take(o *Observation) {
	setTime(&b.Start, o.Start)
	setTime(&b.End, o.End)
	set(&b.Title, o.Title)
	set(&b.EventType, o.EventType)
	set(&b.Location, o.Location)
	set(&b.Reason, o.Reason)
	set(&b.ICalUID, o.ICalUID)
	if o.Predecessor != o.UID {
		set(&b.Predecessor, o.Predecessor)
	}
	b.Host.merge(&o.Host)
	if o.HostAbsent != nil {
		b.HostAbsent = *o.HostAbsent
	}
}

// hearNoShow takes the newest word about the person who booked. A word about
// somebody else in the call (a guest) does not count; where nobody is known to
// have booked, any word does.
func (b *Booking) hearNoShow(heard []*Observation, emails map[string]bool) {
	for _, o := range heard {
		for _, p := range o.Attendees {
			if p.NoShow == nil || (len(emails) > 0 && !emails[sameEmail(p.Email)]) {
				continue
			}
			b.NoShow, b.NoShowBy = *p.NoShow, o.ID
		}
	}
}

// attendeeOf is the person who booked, as this observation has it: the first one
// listed, or, where an observation without a seat speaks for several seats, none.
// What only reports a no-show lists people for that reason alone.
func (o *Observation) attendeeOf(key BookingKey) *Person {
	if len(o.Attendees) == 0 || (key.Seat != "" && o.Seat == "") || o.onlyNoShow() {
		return nil
	}
	return &o.Attendees[0]
}

// onlyNoShow reports that the observation claims nothing but presence.
func (o *Observation) onlyNoShow() bool {
	return o.Status == "" && len(o.Attendees) > 0 && o.Attendees[0].NoShow != nil
}

func (p *Person) merge(newer *Person) {
	set(&p.Name, newer.Name)
	set(&p.Email, newer.Email)
	set(&p.TimeZone, newer.TimeZone)
}

func set[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

// setTime keeps times in UTC, so that equal instants are equal values.
func setTime(to *time.Time, value time.Time) {
	if !value.IsZero() {
		*to = value.UTC()
	}
}
