package calsim_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"handoff/internal/calcom/calsim"
)

// BOOKING_CANCELLED arrives before the row has changed in the direct
// generations, after it in the cloud; BOOKING_REJECTED always after
// (calcom.md §9.4).
func TestCancelledArrivesBeforeTheRowChanges(t *testing.T) {
	for _, gen := range calsim.Generations() {
		w := newWorld(t, gen)
		b := w.book(t, plain)
		w.take()
		var during calsim.Status
		w.then = func(http.ResponseWriter) {
			row, err := w.Booking(b.UID)
			if err == nil {
				during = row.Status
			}
		}
		ok(t, w.Cancel(b.UID, "", ""))
		w.Wait()
		want := calsim.Accepted
		if gen == calsim.Cloud2026 {
			want = calsim.Cancelled
		}
		if during != want {
			t.Errorf("%s: the subscriber sees %s, want %s", gen, during, want)
		}
		if row, _ := w.Booking(b.UID); row.Status != calsim.Cancelled || row.ICalSequence != 1 {
			t.Errorf("%s: afterwards %s, sequence %d", gen, row.Status, row.ICalSequence)
		}
	}
}

// A second cancellation while the first is being delivered is refused: one
// cancellation, one webhook.
func TestConcurrentCancellationsAreOne(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, plain)
	w.take()
	var second error
	w.then = func(http.ResponseWriter) { second = w.Cancel(b.UID, "", "") }
	ok(t, w.Cancel(b.UID, "", ""))
	if got := w.take(); len(got) != 1 || !errors.Is(second, calsim.ErrNotPossible) {
		t.Errorf("%d webhooks, second cancellation: %v", len(got), second)
	}
}

// Cal.com refuses what makes no sense, and sends nothing for it.
func TestWhatIsRefusedSendsNothing(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, plain)
	ok(t, w.Cancel(b.UID, "", ""))
	w.take()
	tests := []struct {
		name string
		do   func() error
		want error
	}{
		{"cancel twice", func() error { return w.Cancel(b.UID, "", "") }, calsim.ErrNotPossible},
		{"accept what is not requested", func() error { return w.Accept(b.UID) }, calsim.ErrNotPossible},
		{"reject what is not requested", func() error { return w.Reject(b.UID, "") }, calsim.ErrNotPossible},
		{"pay what is free", func() error { return w.Pay(b.UID) }, calsim.ErrNotPossible},
		{"meet when cancelled", func() error { return w.MeetingStarted(b.UID) }, calsim.ErrNotPossible},
		{"move what was cancelled", func() error { return pageMove(w, b.UID) }, calsim.ErrNotPossible},
		{"unknown uid", func() error { return w.Cancel("nobody", "", "") }, calsim.ErrNotFound},
		{"unknown event type", func() error { _, err := w.Book(request(99)); return err }, calsim.ErrNotFound},
		{"no name", func() error { _, err := w.Book(calsim.BookRequest{EventType: plain, Start: slot}); return err }, calsim.ErrNotPossible},
		{"a series that there is not", func() error { return w.CancelRemaining(b.UID, "", "") }, calsim.ErrNotPossible},
	}
	for _, tt := range tests {
		if err := tt.do(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if got := w.take(); len(got) != 0 {
		t.Errorf("sent %v", triggers(t, got))
	}
}

// A concurrent double submit makes one booking and one webhook (calcom.md §9.3).
func TestOneSlotIsBookedOnce(t *testing.T) {
	w := newWorld(t, calsim.Cloud2026)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.Book(request(plain)) })
	}
	wg.Wait()
	taken := 0
	for _, err := range errs {
		if errors.Is(err, calsim.ErrSlotTaken) {
			taken++
		}
	}
	if got := w.take(); taken != len(errs)-1 || len(got) != 1 || len(w.Bookings()) != 1 {
		t.Errorf("%d taken, %d deliveries, %d rows", taken, len(got), len(w.Bookings()))
	}
}

// A reschedule makes a new uid; the row keeps the metadata although the webhook
// loses it, iCalUID stays, and a replaced uid can be replaced again: a fork.
func TestAChainKeepsItsLinks(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	first := w.book(t, plain)
	second, err := w.Reschedule(first.UID, slot.Add(24*time.Hour), calsim.CarryPage, "")
	ok(t, err)
	fork, err := w.Reschedule(first.UID, slot.Add(48*time.Hour), calsim.CarryPage, "")
	ok(t, err)
	for _, b := range []calsim.Booking{second, fork} {
		if b.UID == first.UID || b.RescheduledFrom != first.UID || b.ICalUID != first.UID+"@Cal.com" || b.ICalSequence != 1 {
			t.Errorf("successor %+v", b)
		}
		if b.Metadata["submissionId"] != reference {
			t.Errorf("the row lost its metadata: %v", b.Metadata)
		}
	}
	if old, _ := w.Booking(first.UID); old.Status != calsim.Cancelled || old.RescheduledTo != fork.UID {
		t.Errorf("old row %s → %s", old.Status, old.RescheduledTo)
	}
	got := w.take()
	if want := []string{"BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_RESCHEDULED"}; !slices.Equal(triggers(t, got), want) {
		t.Fatalf("sent %v: the old booking must be cancelled silently", triggers(t, got))
	}
	for _, r := range got[1:] {
		if p := r.payload(t); p["rescheduleUid"] != first.UID || p["iCalSequence"] != 1.0 {
			t.Errorf("rescheduleUid %v, iCalSequence %v", p["rescheduleUid"], p["iCalSequence"])
		}
	}
}

// The host's request to reschedule cancels; a later reschedule names that uid.
func TestAnAskedForMoveHasASuccessor(t *testing.T) {
	w := newWorld(t, calsim.CalDIY)
	b := w.book(t, plain)
	ok(t, w.RequestReschedule(b.UID, "ill"))
	next, err := w.Reschedule(b.UID, slot, calsim.CarryPage, "")
	ok(t, err)
	if p := w.last(t).payload(t); p["rescheduleUid"] != b.UID || p["uid"] != next.UID {
		t.Errorf("rescheduleUid %v, uid %v", p["rescheduleUid"], p["uid"])
	}
}

// Moving a booking whose type needs a yes: REQUESTED by the attendee,
// RESCHEDULED at once by the host.
func TestWhoMovesDecidesWhetherItNeedsAYes(t *testing.T) {
	for by, want := range map[string]string{"": "BOOKING_REQUESTED", "priya@brightwater.example": "BOOKING_RESCHEDULED"} {
		w := newWorld(t, calsim.SelfHosted2025)
		b := w.book(t, confirmed)
		ok(t, w.Accept(b.UID))
		_, err := w.Reschedule(b.UID, slot.Add(time.Hour), calsim.CarryPage, by)
		ok(t, err)
		if got := w.last(t).trigger(t); got != want {
			t.Errorf("by %q: %s, want %s", by, got, want)
		}
	}
}

// Seats: one uid, one event per seat with its own attendee and seat; a leaving
// seat sends a cancellation and the booking goes on.
func TestSeatsShareTheUID(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, seated)
	req := request(seated)
	other := map[string]string{"submissionId": "sub_other.mac"}
	req.Name, req.Email, req.Metadata, req.Answers = "Omar", "omar@example.com", other, other
	both, err := w.Book(req)
	ok(t, err)
	got := w.take()
	one, two := got[0].payload(t), got[1].payload(t)
	if one["uid"] != two["uid"] || one["attendeeSeatId"] == two["attendeeSeatId"] || two["attendeeSeatId"] == nil {
		t.Errorf("uids %v %v, seats %v %v", one["uid"], two["uid"], one["attendeeSeatId"], two["attendeeSeatId"])
	}
	if c := carriedBy(t, got[1]); c != "sub_other.mac" {
		t.Errorf("the second seat carries %q", c)
	}
	if _, err := w.Book(request(seated)); !errors.Is(err, calsim.ErrSlotTaken) {
		t.Errorf("third of two seats: %v", err)
	}
	ok(t, w.CancelSeat(b.UID, both.Attendees[1].SeatID, "", ""))
	left := w.last(t)
	p := left.payload(t)
	people, _ := p["attendees"].([]any)
	if left.trigger(t) != "BOOKING_CANCELLED" || len(people) != 1 || people[0].(map[string]any)["email"] != "omar@example.com" {
		t.Errorf("%s names %v", left.trigger(t), people)
	}
	if row, _ := w.Booking(b.UID); row.Status != calsim.Accepted || len(row.Attendees) != 1 {
		t.Errorf("the booking is %s with %d seats", row.Status, len(row.Attendees))
	}
}

// A series: three rows, three events, one reference; cancelling all remaining
// sends one event with recurringEvent.
func TestASeriesIsCancelledWithOneEvent(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	first := w.book(t, weekly)
	got := w.take()
	uids := map[any]bool{}
	for _, r := range got {
		uids[r.payload(t)["uid"]] = true
		if c := carriedBy(t, r); c != reference {
			t.Errorf("an occurrence carries %q", c)
		}
	}
	if len(got) != 3 || len(uids) != 3 {
		t.Fatalf("%d events, %d uids, want 3 of each", len(got), len(uids))
	}
	ok(t, w.CancelRemaining(first.UID, "moved away", ""))
	got = w.take()
	if len(got) != 1 || got[0].trigger(t) != "BOOKING_CANCELLED" || got[0].payload(t)["recurringEvent"] == nil {
		t.Errorf("sent %v", triggers(t, got))
	}
	for _, b := range w.Bookings() {
		if b.Status != calsim.Cancelled {
			t.Errorf("occurrence %s is %s", b.UID, b.Status)
		}
	}
}

// In the direct generations MEETING_* is frozen when the booking is made; the
// cloud reads the row as it is (calcom.md §1.5 B).
func TestMeetingEventsAreFrozenInDirectGenerations(t *testing.T) {
	for gen, want := range map[calsim.Generation]bool{calsim.SelfHosted2025: false, calsim.CalDIY: false, calsim.Cloud2026: true} {
		w := newWorld(t, gen)
		b := w.book(t, plain)
		ok(t, w.MarkNoShow(b.UID, true))
		w.take()
		ok(t, w.MeetingEnded(b.UID))
		got := w.last(t)
		who := got.json(t)["attendees"].([]any)[0].(map[string]any)
		if who["noShow"] != want {
			t.Errorf("%s: noShow %v, want %v", gen, who["noShow"], want)
		}
	}
}

// Direct generations keep the caller waiting for the subscriber; the cloud does
// not (calcom.md §9.4).
func TestOnlyTheCloudDeliversInTheBackground(t *testing.T) {
	w := newWorld(t, calsim.Cloud2026)
	answer := make(chan struct{})
	w.then = func(http.ResponseWriter) { <-answer }
	w.book(t, plain) // returns although the subscriber has not answered
	if log := w.Deliveries(); log[0].Outcome != calsim.Waiting {
		t.Errorf("cloud: %s", log[0].Outcome)
	}
	close(answer)
	w.Wait()

	d := newWorld(t, calsim.SelfHosted2025)
	d.book(t, plain)
	if log := d.Deliveries(); log[0].Outcome != calsim.Sent || log[0].Status != 200 {
		t.Errorf("direct: %s %d", log[0].Outcome, log[0].Status)
	}
}

// A subscriber that is not there fails the delivery, not the booking.
func TestANetworkErrorIsLogged(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	w.SetWebhooks(calsim.Webhook{URL: "http://127.0.0.1:1/none", Secret: secret})
	w.book(t, plain)
	if d := w.Deliveries()[0]; d.Outcome != calsim.Failed || d.Error == "" || d.Status != 0 {
		t.Errorf("logged %+v", d)
	}
}
