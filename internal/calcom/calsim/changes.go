package calsim

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// change finds a booking, checks that it can change, changes it and sends the
// event, in this order: the row is already in its new state when CREATED,
// REQUESTED, REJECTED and the like arrive (calcom.md §9.4).
func (s *Sim) change(uid string, allowed func(*row) bool, do func(*row) []event) error {
	s.mu.Lock()
	r, err := s.find(uid)
	if err == nil && !allowed(r) {
		err = fmt.Errorf("%w: booking %s is %s", ErrNotPossible, uid, r.Status)
	}
	var events []event
	if err == nil {
		events = do(r)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.emit(events...)
	return nil
}

func waitsForHost(r *row) bool { return r.Status == Pending && !r.AwaitsPayment() }
func accepted(r *row) bool     { return r.Status == Accepted }
func known(*row) bool          { return true }

// Accept is the host's yes to a requested booking. It sends BOOKING_CREATED;
// there is no BOOKING_CONFIRMED (calcom.md §1.1).
func (s *Sim) Accept(uid string) error {
	return s.change(uid, waitsForHost, func(r *row) []event {
		r.Status, r.UpdatedAt = Accepted, s.now()
		s.freeze(r)
		return []event{of("BOOKING_CREATED", uid, s.about(r).confirmed())}
	})
}

// Reject is the host's no to a requested booking: BOOKING_REJECTED.
func (s *Sim) Reject(uid, reason string) error {
	return s.change(uid, waitsForHost, func(r *row) []event {
		r.Status, r.RejectReason, r.UpdatedAt = Rejected, reason, s.now()
		return []event{of("BOOKING_REJECTED", uid, s.about(r).rejected())}
	})
}

// Pay settles the payment: BOOKING_PAID, then BOOKING_CREATED, or
// BOOKING_REQUESTED if the host still has to confirm.
func (s *Sim) Pay(uid string) error {
	unpaid := func(r *row) bool { return r.Status == Pending && r.AwaitsPayment() }
	return s.change(uid, unpaid, func(r *row) []event {
		et, _ := s.eventType(r.EventType)
		r.Paid, r.UpdatedAt = true, s.now()
		if !et.RequiresConfirmation {
			r.Status = Accepted
			s.freeze(r)
		}
		f := s.about(r)
		events := []event{of("BOOKING_PAID", uid, f.paid())}
		if et.RequiresConfirmation {
			return append(events, of("BOOKING_REQUESTED", uid, f.requestedAfterPayment()))
		}
		return append(events, of("BOOKING_CREATED", uid, f.confirmed()))
	})
}

// Cancel cancels a booking. by is the canceller's e-mail; "" means the
// attendee's. In the direct generations the webhook is sent, and answered,
// before the row changes (calcom.md §9.4). Cancelling twice: ErrNotPossible.
func (s *Sim) Cancel(uid, reason, by string) error {
	return s.cancel(uid, func(b *Booking) { b.CancelReason, b.CancelledBy = reason, cmp.Or(by, b.Attendees[0].Email) }, facts.cancelled)
}

// RequestReschedule is the host's "request reschedule": a BOOKING_CANCELLED that
// is not a lost lead. A later reschedule may name this uid.
func (s *Sim) RequestReschedule(uid, reason string) error {
	return s.cancel(uid, func(b *Booking) {
		b.AskedToMove, b.CancelledBy = true, s.cfg.Organizer.Email
		b.CancelReason = "Please reschedule. " + reason
	}, facts.askedToMove)
}

// CancelRemaining cancels a recurring booking and all later ones of its series:
// several rows, one BOOKING_CANCELLED with recurringEvent (calcom.md §9.3).
func (s *Sim) CancelRemaining(uid, reason, by string) error {
	first, err := s.Booking(uid)
	if err != nil {
		return err
	}
	if first.RecurringID == "" {
		return fmt.Errorf("%w: booking %s is not recurring", ErrNotPossible, uid)
	}
	if err := s.Cancel(uid, reason, by); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if r.RecurringID == first.RecurringID && r.Live() && r.Start.After(first.Start) {
			r.Status, r.CancelReason, r.CancelledBy = Cancelled, reason, cmp.Or(by, r.Attendees[0].Email)
			r.UpdatedAt = s.now()
		}
	}
	return nil
}

// cancel is the one way to end a live booking.
func (s *Sim) cancel(uid string, mark func(*Booking), body func(facts) object) error {
	s.mu.Lock()
	r, err := s.find(uid)
	if err == nil && (!r.Live() || r.cancelling) {
		err = fmt.Errorf("%w: booking %s is %s", ErrNotPossible, uid, r.Status)
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	after := r.Booking.clone()
	after.Status, after.ICalSequence, after.UpdatedAt = Cancelled, r.ICalSequence+1, s.now()
	mark(&after)
	f := s.about(r)
	f.b = after
	early := s.gen.direct()
	r.cancelling = true
	if !early {
		r.Booking = after
	}
	s.mu.Unlock()

	s.emit(of("BOOKING_CANCELLED", uid, body(f)))
	s.mu.Lock()
	defer s.mu.Unlock()
	r.cancelling = false
	if early { // only what a cancellation changes: the row may have moved on meanwhile
		r.Status, r.ICalSequence, r.UpdatedAt = Cancelled, after.ICalSequence, s.now()
		mark(&r.Booking)
	}
	return nil
}

// CancelSeat lets one attendee leave a seated booking, which goes on. The last
// one to leave cancels it.
func (s *Sim) CancelSeat(uid, seat, reason, by string) error {
	b, err := s.Booking(uid)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(b.Attendees, func(a Attendee) bool { return a.SeatID != "" && a.SeatID == seat })
	if i < 0 {
		return fmt.Errorf("%w: seat %q of booking %s", ErrNotFound, seat, uid)
	}
	if len(b.Attendees) == 1 {
		return s.Cancel(uid, reason, by)
	}
	leaver := b.Attendees[i]
	return s.change(uid, (*row).live, func(r *row) []event {
		f := s.about(r)
		f.who = []Attendee{leaver}
		f.b.Status, f.b.CancelReason, f.b.CancelledBy = Cancelled, reason, cmp.Or(by, leaver.Email)
		f.b.ICalSequence++
		r.Attendees = slices.DeleteFunc(r.Attendees, func(a Attendee) bool { return a.SeatID == seat })
		r.UpdatedAt = s.now()
		return []event{of("BOOKING_CANCELLED", uid, f.cancelled())}
	})
}

func (r *row) live() bool { return r.Live() }

// MarkNoShow marks or unmarks all attendees: BOOKING_NO_SHOW_UPDATED.
func (s *Sim) MarkNoShow(uid string, noShow bool) error {
	return s.change(uid, accepted, func(r *row) []event {
		for i := range r.Attendees {
			r.Attendees[i].NoShow = noShow
		}
		r.UpdatedAt = s.now()
		return []event{of("BOOKING_NO_SHOW_UPDATED", uid, s.about(r).noShow(noShow))}
	})
}

// MeetingStarted sends MEETING_STARTED, whatever the clock says.
func (s *Sim) MeetingStarted(uid string) error { return s.meeting(uid, "MEETING_STARTED") }

// MeetingEnded sends MEETING_ENDED, whatever the clock says.
func (s *Sim) MeetingEnded(uid string) error { return s.meeting(uid, "MEETING_ENDED") }

// meeting sends the copy frozen when the meeting was arranged, or in the cloud
// the row as it is now (calcom.md §1.5 B).
func (s *Sim) meeting(uid, trigger string) error {
	return s.change(uid, accepted, func(r *row) []event {
		f := s.about(r)
		if s.gen.direct() && r.frozen != nil {
			f = *r.frozen
		}
		body := f.meeting(trigger)
		return []event{{trigger: trigger, uid: uid, root: func(time.Time) object { return body }}}
	})
}

// GuestsNoShow sends AFTER_GUESTS_CAL_VIDEO_NO_SHOW, which Cal Video sends by
// itself and which changes no row.
func (s *Sim) GuestsNoShow(uid string) error {
	return s.change(uid, accepted, func(r *row) []event {
		f := s.about(r)
		return []event{{
			trigger: "AFTER_GUESTS_CAL_VIDEO_NO_SHOW", uid: uid,
			payload: func(url string, _ time.Time) object { return f.guestsMissing(url) },
		}}
	})
}

// RecordingReady sends RECORDING_READY.
func (s *Sim) RecordingReady(uid string) error {
	return s.change(uid, known, func(r *row) []event {
		return []event{of("RECORDING_READY", uid, s.about(r).recording())}
	})
}

// Ping is the UI's test button.
func (s *Sim) Ping() {
	s.emit(event{trigger: "PING", payload: func(_ string, at time.Time) object { return ping(at) }})
}

// OutOfOffice sends OOO_CREATED.
func (s *Sim) OutOfOffice() {
	s.emit(event{trigger: "OOO_CREATED", payload: func(_ string, at time.Time) object { return s.outOfOffice(at) }})
}

// SubmitForm sends FORM_SUBMITTED of a routing form.
func (s *Sim) SubmitForm(name, service string) {
	s.emit(event{trigger: "FORM_SUBMITTED", root: func(at time.Time) object { return formSubmitted(at, name, service) }})
}
