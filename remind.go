package handoff

import "time"

// Reminding says when a site asks those again who sent a form and did not book.
type Reminding struct {
	After []time.Duration // after the form was sent, growing; empty: never
	Quiet Quiet
}

// Quiet are the hours in which nobody is written to, in minutes since midnight. They
// can go over midnight; from and to the same minute there are none.
type Quiet struct{ From, To int }

// At reports whether a time, in its own zone, is a quiet one.
func (q Quiet) At(t time.Time) bool {
	m := t.Hour()*60 + t.Minute()
	if q.From <= q.To {
		return m >= q.From && m < q.To
	}
	return m >= q.From || m < q.To
}

// RemindWithin is how long after its time a reminder is still sent: quiet hours and an
// outage put it off, and what is later than that surprises more than it helps.
const RemindWithin = 24 * time.Hour

// Waiting is what a reminder has to know of a lead.
type Waiting struct {
	Lead     Lead
	Bookings int            // of whatever status
	Reminded int            // number of the last reminder; 0: none
	Zone     *time.Location // the visitor's, or the site's where it is not known
}

// Number tells which reminder of a lead is due: 1, 2 …, or 0 for none. Only who stands
// where the form put them is reminded: not after a booking, whatever became of it, and
// not once a person has taken the lead over. A reminder whose successor is due is left
// out, so that nobody is written to twice after an outage.
func (r *Reminding) Number(w Waiting, pipeline Pipeline, now time.Time) int {
	if w.Bookings > 0 || w.Lead.Manual != nil || w.Lead.Stage != pipeline.On[Submitted] || r.Quiet.At(now.In(w.Zone)) {
		return 0
	}
	age, number := now.Sub(w.Lead.CreatedAt), 0
	for i, after := range r.After {
		if age >= after {
			number = i + 1
		}
	}
	if number <= w.Reminded || age >= r.After[number-1]+RemindWithin {
		return 0
	}
	return number
}

// A ReminderState says how a reminder ended.
type ReminderState string

const (
	ReminderSending ReminderState = "sending" // now, or by a process that is gone
	ReminderSent    ReminderState = "sent"    // the mail server took it
	ReminderRetry   ReminderState = "retry"   // it did not, for now
	ReminderRefused ReminderState = "refused" // it never will
	ReminderUnknown ReminderState = "unknown" // nobody knows; it is not sent again
)
