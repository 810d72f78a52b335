package handoff

import (
	"cmp"
	"maps"
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
	emails map[string]map[string]bool // seat → addresses heard with that seat
	since  map[string]time.Time       // seat → Cal.com's time of the earliest fact
}

// learn takes note of a seat that an observation names.
func (s *seats) learn(o *Observation) {
	if o.Seat == "" {
		return
	}
	if s.emails == nil {
		s.emails, s.since = map[string]map[string]bool{}, map[string]time.Time{}
	}
	if s.emails[o.Seat] == nil {
		s.emails[o.Seat] = map[string]bool{}
	}
	for _, p := range o.Attendees {
		s.emails[o.Seat][sameEmail(p.Email)] = true
	}
	if since, ok := s.since[o.Seat]; !ok || o.At.Before(since) {
		s.since[o.Seat] = o.At
	}
}

// resolve says which bookings of uid an observation speaks of:
//
//  1. its own seat, where it names one that uid has, or where it is about uid itself;
//  2. where uid has no seats, uid alone;
//  3. the seats of the attendees it lists, as far as each address names exactly
//     one seat that existed at the time;
//  4. uid without a seat, for attendees of whom no seat is known.
func (s *seats) resolve(uid string, o *Observation) []BookingKey {
	whole := BookingKey{UID: uid}
	if s == nil || len(s.emails) == 0 {
		if o.UID == uid {
			return []BookingKey{o.key()}
		}
		return []BookingKey{whole}
	}
	if o.Seat != "" && (o.UID == uid || s.emails[o.Seat] != nil) {
		return []BookingKey{{uid, o.Seat}}
	}
	var keys []BookingKey
	for _, p := range o.Attendees {
		key := BookingKey{uid, s.of(sameEmail(p.Email), o.At)}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return []BookingKey{whole}
	}
	return keys
}

// of finds the one seat that an address had at a time; "" if there is none, or
// more than one.
func (s *seats) of(email string, at time.Time) string {
	found := ""
	for _, seat := range slices.Sorted(maps.Keys(s.emails)) {
		if !s.emails[seat][email] || s.since[seat].After(at) {
			continue
		}
		if found != "" {
			return ""
		}
		found = seat
	}
	return found
}

func compareKeys(a, b BookingKey) int {
	return cmp.Or(strings.Compare(a.UID, b.UID), strings.Compare(a.Seat, b.Seat))
}
