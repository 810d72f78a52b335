package desk

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A note is something about a lead that a person should know. Notes are derived
// when they are shown; nothing depends on them.
type note struct {
	Text   string
	Anchor string // of the booking it is about; may be empty
}

// notes derives what is remarkable about a lead:
//
//   - a stage that a person set and the rules would not;
//   - two calls ahead, since one of them is probably not wanted, unless somebody said that
//     they are;
//   - a booking that was rescheduled twice, into two;
//   - a booking made with another address than the lead's, or for another service;
//   - somebody did not come.
func notes(site Site, l store.LeadDetail, now time.Time) []note {
	var out []note
	add := func(b *handoff.Booking, format string, args ...any) {
		n := note{Text: fmt.Sprintf(format, args...)}
		if b != nil {
			n.Anchor = anchor("booking", b.String())
		}
		out = append(out, n)
	}
	if ruled := site.Pipeline.Ruled(l.Bookings); l.Manual != nil && l.Stage == l.Manual.Stage && ruled != l.Stage {
		add(nil, "A person set the stage “%s”. By its bookings it would be “%s”.", label(string(l.Stage)), label(string(ruled)))
	}
	if live := len(handoff.Doubled(l.Bookings, now)); live > 1 && !l.Wanted.Covers(l.Bookings, now) {
		add(nil, "There are %s calls ahead. If only one is wanted, cancel %s at Cal.com.", number(live), others(live))
	}
	said := map[string]bool{} // addresses and event types named already
	for i := range l.Bookings {
		b := &l.Bookings[i]
		if len(b.Successors) > 1 {
			add(b, "A booking was moved %s, into several bookings.", times(len(b.Successors)))
		}
		if email := strings.ToLower(strings.TrimSpace(b.Attendee.Email)); email != "" && email != NormalizeEmail(l.Email) && !said[email] {
			said[email] = true
			add(b, "Booked with another address than the form’s: %s.", b.Attendee.Email)
		}
		if words := otherService(site, l.Lead, b); words != "" && !said[words] {
			said[words] = true
			add(b, "%s", words)
		}
		if b.NoShow {
			add(b, "The visitor did not come to the call of %s.", b.Start.In(site.zone).Format("2 Jan 2006, 15:04"))
		}
		if b.HostAbsent {
			add(b, "The host did not come to the call of %s.", b.Start.In(site.zone).Format("2 Jan 2006, 15:04"))
		}
	}
	return out
}

// otherService says that a booking is of an event type that is not the service's.
func otherService(site Site, l handoff.Lead, b *handoff.Booking) string {
	if b.EventType == 0 || !slices.Contains(slices.Collect(maps.Values(site.EventTypes)), l.Service) {
		return "" // unknown, or nothing to compare with
	}
	service, known := site.EventTypes[b.EventType]
	switch {
	case service == l.Service:
		return ""
	case known:
		return fmt.Sprintf("Booked as “%s”, but asked about “%s”.", site.service(service), site.service(l.Service))
	}
	return fmt.Sprintf("Booked with event type %d, which is of none of this site’s services.", b.EventType)
}

func number(n int) string {
	switch n {
	case 2:
		return "two"
	case 3:
		return "three"
	}
	return fmt.Sprint(n)
}

// others are so many calls but one, in words.
func others(n int) string {
	if n == 2 {
		return "the other"
	}
	return "the others"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
