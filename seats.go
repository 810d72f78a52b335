package handoff

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// seats is what is known of the seats of one uid. Nil knows none.
//
// Cal.com gives every seat of a seated event the same uid. Its bodies about one
// seat carry attendeeSeatId in some flows and only list the attendee in others
// (calcom.md §1.5, "seat cancelled"), and a body about the whole event lists all
// of them. So an observation without a seat is resolved by the attendees that
// Cal.com itself lists for each seat. This never ties a booking to a lead; it
// only tells the seats of one booking apart. Cal.com refuses the same address
// twice in one event, so an address names one seat at a time.
type seats struct {
	since map[string]time.Time       // seat → Cal.com's time of the earliest fact
	had   map[string]map[string]bool // address → seats heard with that address alone
}

// learn takes note of a seat that an observation names. One that lists several
// people does not say whose seat it is.
func (s *seats) learn(o *Observation) {
	if o.Seat == "" {
		return
	}
	if s.since == nil {
		s.since, s.had = map[string]time.Time{}, map[string]map[string]bool{}
	}
	if since, ok := s.since[o.Seat]; !ok || o.At.Before(since) {
		s.since[o.Seat] = o.At
	}
	if len(o.Attendees) != 1 || o.Attendees[0].Email == "" {
		return
	}
	email := sameEmail(o.Attendees[0].Email)
	if s.had[email] == nil {
		s.had[email] = map[string]bool{}
	}
	s.had[email][o.Seat] = true
}

// seated reports that seats of this uid are known.
func (s *seats) seated() bool { return s != nil && len(s.since) > 0 }

// resolve says which bookings of uid an observation speaks of: one, or, where it
// names no seat of a seated event, those of the attendees it lists.
func (s *seats) resolve(uid string, o *Observation) []BookingKey {
	var keys []BookingKey
	for _, email := range o.emails() {
		keys = append(keys, s.key(uid, o, email))
	}
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}

// key is the booking of uid that an observation speaks of for one address:
//
//  1. its own seat, where it names one that uid has;
//  2. where uid has no seats, uid alone;
//  3. the seat that the address had at the time;
//  4. uid without a seat, if no such seat is known.
func (s *seats) key(uid string, o *Observation, email string) BookingKey {
	if !s.seated() {
		return BookingKey{UID: uid}
	}
	if _, ok := s.since[o.Seat]; ok {
		return BookingKey{uid, o.Seat}
	}
	return BookingKey{uid, s.of(email, o.At)}
}

// of finds the seat that an address had at a time: the one that began last. It is
// "" if there is none, or if two began at once.
func (s *seats) of(email string, at time.Time) string {
	found, alone := "", true
	for seat := range s.had[email] {
		since := s.since[seat]
		switch {
		case since.After(at):
		case found == "" || since.After(s.since[found]):
			found, alone = seat, true
		case since.Equal(s.since[found]):
			alone = false
		}
	}
	if !alone {
		return ""
	}
	return found
}

// emails are the addresses of the people that an observation speaks of, for
// telling seats apart. One empty address stands for nobody in particular.
func (o *Observation) emails() []string {
	if len(o.Attendees) == 0 || (o.Seat != "" && len(o.Attendees) > 1) {
		return []string{""}
	}
	emails := make([]string, len(o.Attendees))
	for i, p := range o.Attendees {
		emails[i] = sameEmail(p.Email)
	}
	return emails
}

func compareKeys(a, b BookingKey) int {
	return cmp.Or(strings.Compare(a.UID, b.UID), strings.Compare(a.Seat, b.Seat))
}
