package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// What anybody can send does not push what Cal.com signed out of a list that ends.
func TestForgeriesHideNoSignedFailure(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		if err := db.KeepNotUnderstood(t.Context(), db.delivery("signed"), handoff.UnknownTrigger, ""); err != nil {
			t.Fatal(err)
		}
		for i := range 120 {
			db.pass(time.Second)
			if err := db.KeepUnverified(t.Context(), db.delivery(fmt.Sprint("forged", i)), handoff.SignatureWrong, ""); err != nil {
				t.Fatal(err)
			}
		}
		list, err := db.Failures(t.Context(), store.FailureFilter{})
		if err != nil || len(list) != 100 || list[0].Reason != handoff.UnknownTrigger || list[1].LastAt.Before(list[2].LastAt) {
			t.Errorf("%d failures, the first %+v, %v; want 100, the signed one first, the others by time", len(list), list[0], err)
		}
	})
}

// A right signature of another body tells that this one was altered; one that only
// begins like a right one, or is no text, tells nothing.
func TestAlteredBodies(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		signed := db.delivery("signed")
		signed.Signature = "0123456789abcdef"
		if _, err := db.KeepEvent(t.Context(), signed, handoff.Event{ID: "e", Site: site, Ignored: "ping"}); err != nil {
			t.Fatal(err)
		}
		for signature, want := range map[string]handoff.Reason{
			signed.Signature:        handoff.BodyAltered,
			"0123456789ab":          handoff.SignatureWrong,
			"0123456789abXXXX":      handoff.SignatureWrong,
			"0123456789aéé":         handoff.SignatureWrong, // the twelfth byte is half a letter
			"":                      handoff.SignatureWrong,
			signed.Signature + "00": handoff.SignatureWrong,
		} {
			d := db.delivery("forged" + signature)
			d.Signature = signature
			if err := db.KeepUnverified(t.Context(), d, handoff.SignatureWrong, ""); err != nil {
				t.Fatalf("%q: %v", signature, err)
			}
			if f := db.failureOf(d.Digest); f.Reason != want {
				t.Errorf("%q: %s, want %s", signature, f.Reason, want)
			}
		}
	})
}

// failureOf is the failure about a delivery, with what came.
func (h *harness) failureOf(digest string) store.FailureDetail {
	h.t.Helper()
	for _, f := range h.waiting() {
		d, err := h.Failure(h.t.Context(), nil, f.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		if strings.Contains(h.Setting(h.t.Context(), `SELECT subject FROM failures WHERE id = '`+string(f.ID)+`'`), digest) {
			return d
		}
	}
	h.t.Fatalf("no failure of %s", digest)
	return store.FailureDetail{}
}

// A booking's failure counts every delivery that told of the booking, and shows
// each body once: an event that came again in the same bytes, and in others, also
// where those came at the same time.
func TestFailureCountsWhatToldOfTheBooking(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		e := db.event("e1", "u1", handoff.Accepted, "")
		db.keep(e, "d1")
		db.keep(e, "d1")
		for range 3 {
			db.keep(e, "other-bytes")
		}
		db.keep(db.event("e2", "u1", handoff.Cancelled, ""), "d2")
		db.keep(db.event("e3", "somebody-elses", handoff.Accepted, ""), "d3")
		db.work()
		var found bool
		for _, f := range db.waiting() {
			if f.UID != "u1" {
				continue
			}
			found = true
			d, err := db.Failure(t.Context(), nil, f.ID)
			if err != nil || d.Deliveries != 6 || len(d.Received) != 3 {
				t.Errorf("%d deliveries, %d bodies, %v; want 6 of 3", d.Deliveries, len(d.Received), err)
			}
		}
		if !found {
			t.Error("the booking waits for nobody")
		}
	})
}

// A booking that follows another under its iCalUID is found with it, in whatever
// order they come, be that the iCalUID of the first one's uid or any other.
func TestFollowersByICal(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		for i, ical := range []string{"u%d@Cal.com", "u%d@elsewhere.example", "%d"} {
			for order := range 2 {
				n := 2*i + order
				ical, first, second := fmt.Sprintf(ical, n), fmt.Sprint("u", n), fmt.Sprint("v", n)
				s := db.submit(first, "Dana")
				one := db.event("one"+first, first, handoff.Rescheduled, s.ID)
				db.pass(time.Minute)
				two := db.event("two"+first, second, handoff.Accepted, "")
				one.Observation.ICalUID, two.Observation.ICalUID, two.Observation.Sequence = ical, ical, 1
				events := []handoff.Event{one, two}
				db.keep(events[order], fmt.Sprint("d", n))
				db.work()
				db.keep(events[1-order], fmt.Sprint("dd", n))
				db.work()
				if d := db.lead(s.Lead); d.Stage != "booked" || len(d.Bookings) != 2 {
					t.Errorf("%s, order %d: %s, bookings %+v; want both, booked", ical, order, d.Stage, d.Bookings)
				}
			}
		}
	})
}

// A list of failures is narrowed by all that it is asked for at once, also of settled ones.
func TestFailuresAreNarrowed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		for _, uid := range []string{"u1", "u2"} {
			h.keep(h.event("evt_"+uid, uid, handoff.Accepted, ""), uid)
		}
		h.must(h.KeepUnverified(ctx, h.delivery("x"), handoff.SignatureWrong, ""))
		h.work()
		list := func(f store.FailureFilter) string {
			t.Helper()
			found, err := h.Failures(ctx, f)
			h.must(err)
			var out []string
			for _, one := range found {
				out = append(out, strings.TrimSpace(one.UID+" "+string(one.Reason)))
			}
			slices.Sort(out)
			return strings.Join(out, ", ")
		}
		id := func(uid string) handoff.FailureID {
			found, err := h.Failures(ctx, store.FailureFilter{UID: uid, Settled: true})
			h.must(err)
			return found[0].ID
		}
		_, err := h.Dismiss(ctx, handoff.CommandLine, site, []handoff.FailureID{id("u1")}, "")
		h.must(err)
		for _, tt := range []struct {
			f    store.FailureFilter
			want string
		}{
			{store.FailureFilter{}, "signature_wrong, u2 no_reference"},
			{store.FailureFilter{UID: "u1"}, ""},
			{store.FailureFilter{UID: "u1", Settled: true}, "u1 no_reference"},
			{store.FailureFilter{UID: "u2"}, "u2 no_reference"},
			{store.FailureFilter{UID: "u2", Reason: handoff.OtherLead}, ""},
			{store.FailureFilter{UID: "u2", Kind: handoff.FailedSite}, ""},
			{store.FailureFilter{UID: "u2", Kind: handoff.FailedEvent, Reason: handoff.NoReference}, "u2 no_reference"},
			{store.FailureFilter{Kind: handoff.FailedDelivery}, "signature_wrong"},
			{store.FailureFilter{Kind: handoff.FailedDelivery, Reason: handoff.NoReference}, ""},
			{store.FailureFilter{Settled: true, Kind: handoff.FailedEvent}, "u1 no_reference, u2 no_reference"},
			{store.FailureFilter{Settled: true, Kind: handoff.FailedDelivery, Reason: handoff.NoReference}, ""},
			{store.FailureFilter{Settled: true, Reason: handoff.NoReference}, "u1 no_reference, u2 no_reference"},
		} {
			if got := list(tt.f); got != tt.want {
				t.Errorf("%+v: %q, want %q", tt.f, got, tt.want)
			}
		}
	})
}
