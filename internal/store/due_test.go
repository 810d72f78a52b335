package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// claim takes what is due of a kind.
func (h *harness) claim(kind string) []store.Work {
	h.t.Helper()
	w, err := h.Claim(h.t.Context(), site, kind, 10)
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

func (h *harness) ask(uid string) {
	h.t.Helper()
	if err := h.Ask(h.t.Context(), site, uid); err != nil {
		h.t.Fatal(err)
	}
}

// Ten facts about one booking are one piece of work, and a fact that comes later
// makes it due once more.
func TestTenFactsAreOnePieceOfWork(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		for i := range 10 {
			db.keep(db.event(fmt.Sprint("e", i), "u1", handoff.Accepted, ""), fmt.Sprint("d", i))
		}
		if n := db.work(); n != 1 {
			t.Errorf("%d pieces of work, want 1", n)
		}
		db.keep(db.event("late", "u1", handoff.Cancelled, ""), "late")
		if n := db.work(); n != 1 {
			t.Errorf("%d pieces of work after another fact, want 1", n)
		}
		if n := db.work(); n != 0 {
			t.Error("finished work is due")
		}
	})
}

// Work that waits for an answer is leased: nobody else does it, until whoever took
// it has died, or gives it back.
func TestLeases(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.ask("u1")
		if len(db.claim(store.KindAsk)) != 0 {
			t.Fatal("asked at once; a webhook may still come")
		}
		db.pass(store.AskAfter)
		if w := db.claim(store.KindAsk); len(w) != 1 || w[0].Attempts != 1 {
			t.Fatalf("claimed %+v, want it", w)
		}
		if len(db.claim(store.KindAsk)) != 0 {
			t.Fatal("leased work was claimed again")
		}
		db.pass(store.Lease + time.Second) // its worker died
		again := db.claim(store.KindAsk)
		if len(again) != 1 || again[0].Attempts != 2 {
			t.Fatalf("after the lease: %+v, want it again", again)
		}
		if err := db.Defer(t.Context(), again[0], errors.New("no"), 0); err != nil {
			t.Fatal(err)
		}
		if len(db.claim(store.KindAsk)) != 0 {
			t.Error("work that was put off is due at once")
		}
		db.pass(2 * time.Second)
		if w := db.claim(store.KindAsk); len(w) != 1 || w[0].Attempts != 3 {
			t.Errorf("work that was put off: %+v, want it", w)
		}
	})
}

// A clock that is set back keeps no lead waiting, and puts nothing off for long.
func TestClockSetBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		db.keep(db.event("e1", "u1", handoff.Accepted, s.ID), "d1")
		db.ask("u2")
		db.pass(store.AskAfter)
		db.claim(store.KindAsk)
		db.ask("u3")
		db.pass(-10 * time.Minute)
		if db.work() != 1 {
			t.Error("work that is due at once waits for the clock")
		}
		if h := db.lead(s.Lead).History; len(h) != 2 || h[0].To != "new" || h[1].To != "booked" || h[1].At.After(h[0].At) {
			t.Errorf("history %+v, want it in the order in which it happened", h)
		}
		db.pass(-24 * time.Hour)
		var keys []string
		for _, w := range db.claim(store.KindAsk) {
			keys = append(keys, w.Key)
		}
		if !slices.Contains(keys, "u2") || !slices.Contains(keys, "u3") {
			t.Errorf("claimed %v: a lease or a wait from before lasts a day", keys)
		}
	})
}

// Sites that have work of a kind that is due are found, and no others.
func TestDueSites(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		if sites, err := db.DueSites(t.Context(), store.KindReconcile); len(sites) != 0 || err != nil {
			t.Fatal(sites, err)
		}
		for i, name := range []string{"b", "a", "c", "b"} {
			e, d := db.event(fmt.Sprint("e", i), fmt.Sprint("u", i), handoff.Accepted, ""), db.delivery(fmt.Sprint(i))
			e.Site, e.Observation.Site, d.Site = name, name, name
			if _, err := db.KeepEvent(t.Context(), d, e); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Ask(t.Context(), "asks", "u"); err != nil {
			t.Fatal(err)
		}
		if sites, err := db.DueSites(t.Context(), store.KindReconcile); !slices.Equal(sites, []string{"a", "b", "c"}) || err != nil {
			t.Errorf("to reconcile: %v, %v", sites, err)
		}
		if sites, err := db.DueSites(t.Context(), store.KindAsk); len(sites) != 0 || err != nil {
			t.Errorf("to ask at once: %v, %v", sites, err)
		}
		db.pass(store.AskAfter)
		if sites, err := db.DueSites(t.Context(), store.KindAsk); !slices.Equal(sites, []string{"asks"}) || err != nil {
			t.Errorf("to ask: %v, %v", sites, err)
		}
	})
}

// One booking that cannot be reconciled keeps no other waiting: it is put off, and
// tried again more and more seldom.
func TestOneBadBookingStopsNoOther(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		db.keep(db.event("bad", "u1", handoff.Accepted, ""), "d1")
		db.keep(db.event("good", "u2", handoff.Accepted, s.ID), "d2")
		if err := db.Exec(t.Context(), `UPDATE observations SET doc = 'damaged' WHERE id = 'bad'`); err != nil {
			t.Fatal(err)
		}
		n, err := db.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10)
		if n != 1 || err == nil || db.lead(s.Lead).Stage != "booked" {
			t.Errorf("did %d, %v, stage %s; want the good one and an error", n, err, db.lead(s.Lead).Stage)
		}
		if n, err := db.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10); n != 0 || err != nil {
			t.Errorf("at once again: %d, %v", n, err)
		}
		db.pass(2 * time.Second)
		if n, err := db.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10); n != 0 || err == nil {
			t.Errorf("later: %d, %v; want it to be tried again", n, err)
		}
	})
}

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
		if n, err := db.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 1); n != 50 || err != nil {
			t.Errorf("the first piece did the work of %d, %v; want all 50", n, err)
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
			return db.claim(store.KindAsk)
		}
		db.ask("u1")
		late := claim()
		db.pass(store.Lease + time.Second)
		if err := db.Drop(t.Context(), claim()[0]); err != nil {
			t.Fatal(err)
		}
		db.ask("u1")
		if err := db.Drop(t.Context(), late[0]); err != nil {
			t.Fatal(err)
		}
		if len(claim()) != 1 {
			t.Error("a late worker ended work that it never saw")
		}
	})
}
