package store_test

import (
	"fmt"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A visitor who moves a call over and over makes work for each booking; one
// reconciliation does it all, or a chain would cost its length squared.
func TestChainIsReconciledOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		for i := range 50 {
			e := db.event(fmt.Sprint("e", i), fmt.Sprint("u", i), handoff.Accepted, s.ID)
			if i > 0 {
				e.Observation.Predecessor = fmt.Sprint("u", i-1)
			}
			db.keep(e, fmt.Sprint(i))
		}
		if n := db.work(); n != 10 { // one claim; the nine others find it done
			t.Errorf("%d pieces of work were claimed, want 10", n)
		}
		d := db.lead(s.Lead)
		if len(d.Bookings) != 50 || d.Stage != "booked" || len(d.History) != 2 {
			t.Errorf("%d bookings, stage %s, history %+v", len(d.Bookings), d.Stage, d.History)
		}
	})
}

// Who claimed work that another did since, does not end what became due after it.
func TestLateWorkerEndsNothingNew(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		claim := func() []store.Work {
			t.Helper()
			db.pass(store.AskAfter)
			w, err := db.Claim(t.Context(), store.KindAsk, 10)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		ask := func() {
			t.Helper()
			if err := db.Ask(t.Context(), site, "u1"); err != nil {
				t.Fatal(err)
			}
		}
		ask()
		late := claim()
		db.pass(store.Lease + time.Second)
		if err := db.Drop(t.Context(), claim()[0]); err != nil {
			t.Fatal(err)
		}
		ask()
		if err := db.Drop(t.Context(), late[0]); err != nil {
			t.Fatal(err)
		}
		if len(claim()) != 1 {
			t.Error("a late worker ended work that it never saw")
		}
	})
}
