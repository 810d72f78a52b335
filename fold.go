package handoff

import (
	"cmp"
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

	Made    time.Time `json:"made,omitzero"`    // when it was booked, where somebody said so
	FirstAt time.Time `json:"firstAt,omitzero"` // Cal.com's time of the earliest fact
	LastAt  time.Time `json:"lastAt,omitzero"`  // and of the newest
}

// MadeAt is when it was booked, as far as it is known.
func (b *Booking) MadeAt() time.Time {
	if b.Made.IsZero() {
		return b.FirstAt
	}
	return b.Made
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
// attendees it lists (see seats.key).
func Fold(observations []Observation) map[BookingKey]Booking {
	f := newFolder(observations)
	out := make(map[BookingKey]Booking, len(f.heard))
	for key := range f.heard {
		out[key] = f.booking(key)
	}
	return out
}

// A folder sorts observations to the bookings they speak of.
type folder struct {
	observations []*Observation
	seats        map[string]*seats
	heard        map[BookingKey][]*Observation // what speaks of a booking, in the order of byAttributes
	successions  map[BookingKey][]succession   // what replaced a booking, in the order of byFact
}

// A succession is an observation's word that a booking was replaced.
type succession struct {
	by *Observation
	to BookingKey
}

// newFolder leaves out observations without a uid: they speak of no booking, and
// must not speak of one together.
func newFolder(observations []Observation) *folder {
	f := &folder{
		seats:       map[string]*seats{},
		heard:       map[BookingKey][]*Observation{},
		successions: map[BookingKey][]succession{},
	}
	for i := range observations {
		o := &observations[i]
		if o.UID == "" {
			continue
		}
		f.observations = append(f.observations, o)
		if f.seats[o.UID] == nil {
			f.seats[o.UID] = &seats{}
		}
		f.seats[o.UID].learn(o)
	}
	for _, o := range f.observations {
		for _, key := range f.seats[o.UID].resolve(o.UID, o) {
			f.heard[key] = append(f.heard[key], o)
		}
		for _, m := range f.moves(o) {
			if _, ok := f.heard[m.from]; !ok {
				f.heard[m.from] = nil // the booking exists, though nothing speaks of it yet
			}
			f.successions[m.from] = append(f.successions[m.from], succession{o, m.to})
		}
	}
	for _, heard := range f.heard {
		slices.SortFunc(heard, byAttributes)
	}
	for _, next := range f.successions {
		slices.SortFunc(next, func(a, b succession) int { return cmp.Or(byFact(a.by, b.by), compareKeys(a.to, b.to)) })
	}
	return f
}

// A move is one booking replaced by another.
type move struct{ from, to BookingKey }

// moves are the replacements that an observation tells of: one, or, where it
// speaks of several seats, each attendee's own.
func (f *folder) moves(o *Observation) []move {
	if o.Predecessor == "" || o.Predecessor == o.UID {
		return nil
	}
	var moves []move
	for _, email := range o.emails() {
		m := move{
			from: f.seats[o.Predecessor].key(o.Predecessor, o, email),
			to:   f.seats[o.UID].key(o.UID, o, email),
		}
		if !slices.Contains(moves, m) {
			moves = append(moves, m)
		}
	}
	return moves
}

// booking joins what was heard of one booking.
func (f *folder) booking(key BookingKey) Booking {
	b := Booking{BookingKey: key}
	emails := map[string]bool{}
	unpaid := awaitsPayment(f.heard[key])
	for _, o := range f.heard[key] { // oldest first: what comes later overwrites
		b.climb(o, unpaid)
		b.take(o)
		if who := o.attendeeOf(key); who != nil && who.Email != "" {
			b.Attendee.merge(who)
			emails[sameEmail(who.Email)] = true
		}
	}
	b.hearNoShow(f.heard[key], emails)
	for _, next := range f.successions[key] {
		if b.Status != Rescheduled {
			b.Status, b.StatusBy = Rescheduled, next.by.ID
		}
		b.Successors = append(b.Successors, next.to)
		b.span(next.by.At)
	}
	slices.SortFunc(b.Successors, compareKeys)
	b.Successors = slices.Compact(b.Successors)
	return b
}

// awaitsPayment reports that a payment was begun, and that nobody told of its end.
func awaitsPayment(heard []*Observation) bool {
	is := func(o *Observation) bool { return o.Status == AwaitingPayment }
	paid := func(o *Observation) bool { return o.Paid }
	return slices.ContainsFunc(heard, is) && !slices.ContainsFunc(heard, paid)
}

// climb raises the status, and names the earliest observation that did so. The API
// calls a booking pending that waits for its payment, as well as one that waits for
// the host; of one that is known to be unpaid it tells nothing by that.
func (b *Booking) climb(o *Observation, unpaid bool) {
	status := o.Status
	if unpaid && o.Source == FromAPI && status == Requested {
		status = ""
	}
	if status.rank() > b.Status.rank() {
		b.Status, b.StatusBy = status, o.ID
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

// span widens the time of the booking's facts; a fact without a time does not
// count. UTC for the reason given at setTime.
func (b *Booking) span(at time.Time) {
	if at.IsZero() {
		return
	}
	at = at.UTC()
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
	setTime(&b.Made, o.Made)
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
// have booked, any word does. NoShowBy is what changed it last, so it is empty
// until somebody was marked.
func (b *Booking) hearNoShow(heard []*Observation, emails map[string]bool) {
	for _, o := range heard {
		for _, p := range o.Attendees {
			if p.NoShow == nil || (len(emails) > 0 && !emails[sameEmail(p.Email)]) {
				continue
			}
			if *p.NoShow != b.NoShow {
				b.NoShow, b.NoShowBy = *p.NoShow, o.ID
			}
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

// merge takes what is newer of one person; another address is another person, of
// whom nothing older holds.
func (p *Person) merge(newer *Person) {
	if p.Email != "" && newer.Email != "" && sameEmail(p.Email) != sameEmail(newer.Email) {
		*p = Person{}
	}
	set(&p.Name, newer.Name)
	set(&p.Email, newer.Email)
	set(&p.Phone, newer.Phone)
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
