package handoff

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Stage is where a lead stands. Its name is the site's own; the defaults are
// those of [DefaultPipeline].
type Stage string

// A Situation is what the bookings of a lead amount to. A pipeline maps each to a stage.
type Situation string

const (
	Submitted      Situation = "submitted"            // no booking yet
	PaymentPending Situation = "awaiting_payment"     // slot chosen, not paid
	CallRequested  Situation = "requested"            // waits for the host
	CallBooked     Situation = "booked"               //
	CallEnded      Situation = "met"                  // its time is over, and nobody said no-show
	CallMissed     Situation = "no_show"              // the visitor did not come
	CallCancelled  Situation = "cancelled"            // and nothing else booked
	CallRejected   Situation = "rejected"             // and nothing else booked
	NewTimeWanted  Situation = "reschedule_requested" // and nothing else booked
)

// Situations lists them all, in the order in which a lead usually meets them.
var Situations = []Situation{
	Submitted, PaymentPending, CallRequested, CallBooked, CallEnded,
	CallMissed, CallCancelled, CallRejected, NewTimeWanted,
}

// A Pipeline is a site's stages in order, and which stage each situation means.
type Pipeline struct {
	Stages []Stage
	On     map[Situation]Stage
	// Final stages that a person set are left by a person only, unless Reopen is set.
	Final  []Stage
	Reopen bool
}

// DefaultPipeline is the pipeline of a site that configures none:
// new → contacted → requested → booked → met → won / lost, beside it rebook and
// no_show.
func DefaultPipeline() Pipeline {
	return Pipeline{
		Stages: []Stage{"new", "contacted", "requested", "booked", "met", "won", "lost", "rebook", "no_show"},
		On: map[Situation]Stage{
			Submitted: "new", PaymentPending: "requested", CallRequested: "requested",
			CallBooked: "booked", CallEnded: "met", CallMissed: "no_show",
			CallCancelled: "rebook", CallRejected: "rebook", NewTimeWanted: "rebook",
		},
		Final: []Stage{"won", "lost"},
	}
}

// Check reports the first fault of a pipeline that a person wrote: a stage that
// is listed twice or is no plain word, a situation without a stage, a final
// stage or a mapping that names no listed stage. The error is ErrInvalid.
func (p Pipeline) Check() error {
	for i, s := range p.Stages {
		if s == "" || len(s) > 40 || strings.ContainsFunc(string(s), func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
		}) {
			return fmt.Errorf("stage %q: use small letters, digits, - and _, at most 40: %w", s, ErrInvalid)
		}
		if slices.Contains(p.Stages[:i], s) {
			return fmt.Errorf("stage %q is listed twice: %w", s, ErrInvalid)
		}
	}
	for _, situation := range Situations {
		if s := p.On[situation]; !slices.Contains(p.Stages, s) {
			return fmt.Errorf("situation %q leads to %q, which is no stage of this pipeline: %w", situation, s, ErrInvalid)
		}
	}
	for _, situation := range slices.Sorted(maps.Keys(p.On)) {
		if !slices.Contains(Situations, situation) {
			return fmt.Errorf("there is no situation %q: %w", situation, ErrInvalid)
		}
	}
	for _, s := range p.Final {
		if !slices.Contains(p.Stages, s) {
			return fmt.Errorf("final stage %q is no stage of this pipeline: %w", s, ErrInvalid)
		}
	}
	return nil
}

// Manual is a stage that a person set, with what the rules said at that moment.
type Manual struct {
	Stage Stage `json:"stage"`
	Ruled Stage `json:"ruled"`
}

// A Standing is where a lead stands, and what makes it stand there. By is no
// cause of a move: a lead can come back to a standing (a second call is booked,
// and cancelled), and what moved it then is what was new (see Change).
type Standing struct {
	Stage     Stage
	Situation Situation
	Booking   BookingKey // that speaks for the lead; zero before the first
	By        string     // ID of the observation that settled it; empty before the first
}

// Progress says where a lead stands, from its bookings and a person's word. It
// is a function of the bookings as they are: which of them came first, and which
// facts came late, does not matter, so a late fact never moves a lead back.
//
//  1. the newest live booking speaks for the lead;
//  2. without one, the newest booking that ended says why a new one is needed;
//  3. a stage that a person set holds until the rules say something else than
//     they said when it was set, and again if they come back to that: whether
//     they said something else in between depends on what arrived first, so a
//     Manual is kept until a person replaces it;
//  4. a final stage that a person set holds, unless the pipeline reopens.
func (p Pipeline) Progress(manual *Manual, bookings []Booking) Standing {
	s := p.ruled(bookings)
	if manual == nil {
		return s
	}
	final := slices.Contains(p.Final, manual.Stage) && !p.Reopen
	if final || manual.Ruled == s.Stage {
		s.Stage = manual.Stage
	}
	return s
}

// Ruled is the stage that the bookings alone give: what Manual.Ruled remembers.
func (p Pipeline) Ruled(bookings []Booking) Stage { return p.ruled(bookings).Stage }

func (p Pipeline) ruled(bookings []Booking) Standing {
	speaker := speaking(bookings)
	if speaker == nil {
		return Standing{Stage: p.On[Submitted], Situation: Submitted}
	}
	situation, by := speaker.situation()
	return Standing{Stage: p.On[situation], Situation: situation, Booking: speaker.BookingKey, By: by}
}

// speaking picks the booking that speaks for a lead; nil if there is none. A
// booking that was replaced speaks only while its successor is not known to be
// this lead's: somebody moved the call, and we have not heard to when.
func speaking(bookings []Booking) *Booking {
	all := make(map[BookingKey]Status, len(bookings))
	for i := range bookings {
		all[bookings[i].BookingKey] = bookings[i].Status
	}
	var best *Booking
	for i := range bookings {
		b := &bookings[i]
		if b.weight(all) == 0 {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(b.weight(all), best.weight(all)), byFirst(b, best)) > 0 {
			best = b
		}
	}
	return best
}

// byFirst orders bookings by when they were made.
func byFirst(a, b *Booking) int {
	return cmp.Or(a.FirstAt.Compare(b.FirstAt), compareKeys(a.BookingKey, b.BookingKey))
}

// weight is 2 for a booking that may take place, 1 for one that ended without,
// and 0 for one that says nothing or whose successor speaks instead; all holds the
// statuses of the lead's bookings.
func (b *Booking) weight(all map[BookingKey]Status) int {
	switch {
	case b.Live():
		return 2
	case b.Status == "":
		return 0
	case b.Status != Rescheduled:
		return 1
	case slices.ContainsFunc(b.Successors, func(next BookingKey) bool { return all[next] != "" }):
		return 0
	}
	return 2
}

// situation reads one booking, and names the observation that settled it.
func (b *Booking) situation() (Situation, string) {
	switch b.Status {
	case AwaitingPayment:
		return PaymentPending, b.StatusBy
	case Requested:
		return CallRequested, b.StatusBy
	case Cancelled:
		return CallCancelled, b.StatusBy
	case Rejected:
		return CallRejected, b.StatusBy
	case RescheduleRequested:
		return NewTimeWanted, b.StatusBy
	}
	switch {
	case b.NoShow:
		return CallMissed, b.NoShowBy
	case b.Ended:
		return CallEnded, b.EndedBy
	}
	return CallBooked, b.StatusBy
}
