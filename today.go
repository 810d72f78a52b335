package handoff

import (
	"slices"
	"time"
)

// Ahead reports that a call may still take place, or is taking place.
func (b *Booking) Ahead(now time.Time) bool {
	end := b.End
	if end.IsZero() {
		end = b.Start
	}
	return b.Live() && !b.Ended && end.After(now)
}

// CallsAhead are the calls of a lead that are ahead, by their start.
func CallsAhead(bookings []Booking, now time.Time) []Booking {
	var out []Booking
	for _, b := range bookings {
		if b.Ahead(now) {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b Booking) int { return a.Start.Compare(b.Start) })
	return out
}

// Doubled are the calls of a lead that are ahead, by their start, if there is more than
// one: probably only one is wanted. Nil: there is at most one. The occurrences of a
// recurring booking are one call, of which the first is named.
func Doubled(bookings []Booking, now time.Time) []Booking {
	recurs := false
	out := slices.DeleteFunc(CallsAhead(bookings, now), func(b Booking) bool {
		again := b.Recurring && recurs
		recurs = recurs || b.Recurring
		return again
	})
	if len(out) < 2 {
		return nil
	}
	return out
}

// CallsWanted is a person's word that a lead wants all the calls that were ahead when the
// person looked. It says what needs nobody's attention, and moves nothing.
type CallsWanted struct {
	Calls []BookingKey `json:"calls"` // also each occurrence of a recurring one
	By    string       `json:"by"`    // as the audit log has it
	At    time.Time    `json:"at"`
}

// Covers reports that every call that is ahead is among those that are wanted. A call that
// came later, also in the place of one that was moved, nobody has seen: it is not covered.
// Nil covers none.
func (w *CallsWanted) Covers(bookings []Booking, now time.Time) bool {
	return w != nil && !slices.ContainsFunc(CallsAhead(bookings, now), func(b Booking) bool { return !slices.Contains(w.Calls, b.BookingKey) })
}

// Over is how long after the form nobody is reminded any more; 0: nobody ever is.
func (r *Reminding) Over() time.Duration {
	if r == nil || len(r.After) == 0 {
		return 0
	}
	return r.After[len(r.After)-1] + RemindWithin
}

// Worked is the stage for a lead that a person talked to and that did not book: the
// first that no situation leads to and that is not final. Empty: the pipeline has none.
func (p Pipeline) Worked() Stage {
	for _, s := range p.Stages {
		led := slices.ContainsFunc(Situations, func(situation Situation) bool { return p.On[situation] == s })
		if !led && !slices.Contains(p.Final, s) {
			return s
		}
	}
	return ""
}

// An Outcome says how a call ended. The names are stored.
type Outcome string

const (
	OutcomeMet    Outcome = "met"
	OutcomeMissed Outcome = "missed" // the visitor did not come
)

// Outcome is how the call ended; empty if it has not, or did not take place.
func (b *Booking) Outcome() Outcome {
	switch {
	case b.Status != Accepted:
		return ""
	case b.NoShow:
		return OutcomeMissed
	case b.Ended:
		return OutcomeMet
	}
	return ""
}
