package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

const every = 5 * time.Minute

// answer is what the API says of a booking of an event type.
func (h *harness) answer(uid string, eventType int64, changed time.Time, carried handoff.SubmissionID) handoff.Observation {
	o := *h.event("api_"+uid+changed.Format(time.RFC3339), uid, handoff.Accepted, carried).Observation
	o.Source, o.EventType, o.At = handoff.FromAPI, eventType, changed
	return o
}

// page keeps a page of the sweep that is due, and returns where it was asked for and
// what nobody had told of; ok is false if none is due.
func (h *harness) page(s store.Swept) (at store.Place, missed int, ok bool) {
	h.t.Helper()
	claimed, err := h.Claim(h.t.Context(), site, store.KindSweep, 1)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(claimed) == 0 {
		return at, 0, false
	}
	if at, err = h.PlaceOf(h.t.Context(), site); err != nil {
		h.t.Fatal(err)
	}
	if missed, err = h.KeepSwept(h.t.Context(), claimed[0], at, s, []int64{7}, every); err != nil {
		h.t.Fatal(err)
	}
	return at, missed, true
}

func (h *harness) startSweep() {
	h.t.Helper()
	if err := h.StartSweep(h.t.Context(), site); err != nil {
		h.t.Fatal(err)
	}
}

// A sweep goes on where its last page ended, and the next one begins a little before
// the newest change, by Cal.com's clock.
func TestSweepGoesOn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		if _, err := db.PlaceOf(t.Context(), site); !errors.Is(err, handoff.ErrNotFound) {
			t.Errorf("a sweep that nobody started: %v", err)
		}
		start := db.now()
		db.startSweep()
		db.startSweep() // another process begins too
		at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
		for i, step := range []struct {
			page  store.Swept
			since time.Time
			skip  int
		}{
			{store.Swept{Size: 100, Last: at(-30), More: true}, at(-60 - 5), 0},
			{store.Swept{Size: 100, Last: at(-20), More: true}, at(-30), 0},
			{store.Swept{Size: 100, Last: at(-20), More: true}, at(-20), 0}, // all at one moment
			{store.Swept{Size: 100, Last: at(-20), More: true}, at(-20), 100},
			{store.Swept{Size: 100, Last: at(-10), More: true}, at(-20), 200},
			{store.Swept{Size: 3, Last: at(-5)}, at(-10), 0},
		} {
			got, _, ok := db.page(step.page)
			if want := (store.Place{Since: step.since, Skip: step.skip}); !ok || !got.Since.Equal(want.Since) || got.Skip != want.Skip {
				t.Fatalf("page %d was asked for at %+v (%v), want %+v", i, got, ok, want)
			}
		}
		if n, ended, err := db.LastSweep(t.Context(), site); err != nil || n != 1 || !ended.Equal(db.now()) {
			t.Errorf("%d ended, the last at %v, %v", n, ended, err)
		}
		db.pass(every - time.Second)
		if _, _, ok := db.page(store.Swept{}); ok {
			t.Error("the next sweep begins too early")
		}
		db.pass(time.Second)
		// Nothing changed, and then somebody's clock says that something will.
		if got, _, ok := db.page(store.Swept{}); !ok || !got.Since.Equal(at(-5-5)) {
			t.Errorf("the next sweep begins at %+v (%v)", got, ok)
		}
		db.startSweep()
		db.page(store.Swept{Size: 1, Last: at(60 * 24)})
		db.startSweep()
		if got, _, ok := db.page(store.Swept{}); !ok || got.Since.After(db.now()) || got.Since.Before(at(-5)) {
			t.Errorf("after a time that has not come the next sweep begins at %+v (%v), want about now", got, ok)
		}
	})
}

// What a sweep finds goes through the door of all facts: the site's own bookings
// move their leads, once; others are left out; what was heard of is not missed.
func TestSweepIsHeardOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana, omar := db.submit("f1", "Dana"), db.submit("f2", "Omar")
		db.keep(db.event("e1", "heard", handoff.Accepted, omar.ID), "d1")
		db.keep(db.event("e2", "moved-elsewhere", handoff.Accepted, ""), "d2")
		db.work()
		now := db.now()
		found := store.Swept{Size: 4, Last: now, Observations: []handoff.Observation{
			db.answer("lost", 7, now, dana.ID), db.answer("heard", 7, now, omar.ID),
			db.answer("somebody-elses", 8, now, dana.ID), db.answer("moved-elsewhere", 8, now, ""),
		}}
		for i, want := range []int{1, 0} {
			db.startSweep()
			if _, missed, ok := db.page(found); !ok || missed != want {
				t.Errorf("sweep %d: %d missed (%v), want %d", i, missed, ok, want)
			}
			db.work()
			d, o := db.lead(dana.Lead), db.lead(omar.Lead)
			if d.Stage != "booked" || len(d.Bookings) != 1 || len(d.History) != 2 || o.Stage != "booked" || len(o.History) != 2 {
				t.Errorf("sweep %d: dana %s %+v, omar %s %+v", i, d.Stage, d.History, o.Stage, o.History)
			}
		}
		if n := db.Setting(t.Context(), `SELECT count(*) FROM observations WHERE uid = 'somebody-elses'`); n != "0" {
			t.Error("a booking that is not the site's was kept")
		}
		if n := db.Setting(t.Context(), `SELECT count(*) FROM observations WHERE uid = 'moved-elsewhere'`); n != "2" {
			t.Errorf("%s facts of a booking that a signed event named, want the event and the answer", n)
		}
		// The webhook comes after all.
		db.keep(db.event("e3", "lost", handoff.Accepted, dana.ID), "d3")
		db.work()
		if d := db.lead(dana.Lead); d.Stage != "booked" || len(d.History) != 2 {
			t.Errorf("after the webhook: %s %+v", d.Stage, d.History)
		}
	})
}

// A page that somebody slow brings, after others went on with the sweep, is kept, and
// takes the sweep nowhere.
func TestSlowSweeperMovesNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana := db.submit("f1", "Dana")
		db.startSweep()
		slow, err := db.Claim(t.Context(), site, store.KindSweep, 1)
		if err != nil || len(slow) != 1 {
			t.Fatal(slow, err)
		}
		at, err := db.PlaceOf(t.Context(), site)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := db.page(store.Swept{}); ok {
			t.Error("two sweep one site at once")
		}
		db.pass(store.Lease + time.Second)
		reached := db.now().Add(-time.Minute)
		for i := range 2 {
			if _, _, ok := db.page(store.Swept{Size: 100, Last: reached.Add(time.Duration(i) * time.Second), More: true}); !ok {
				t.Fatal("nobody goes on with what was left")
			}
		}
		missed, err := db.KeepSwept(t.Context(), slow[0], at, store.Swept{Size: 1, Last: db.now(), Observations: []handoff.Observation{db.answer("u", 7, db.now(), dana.ID)}}, []int64{7}, every)
		if err != nil || missed != 1 {
			t.Errorf("%d missed, %v; want what the page says to count", missed, err)
		}
		db.work()
		if got := db.lead(dana.Lead).Stage; got != "booked" {
			t.Errorf("dana %s", got)
		}
		if got, _, ok := db.page(store.Swept{}); !ok || !got.Since.Equal(reached.Add(time.Second)) {
			t.Errorf("the sweep goes on at %+v (%v), want where the others are", got, ok)
		}
	})
}

// Work that is never done is not lost with the process: a page that failed is asked
// for again, at the same place.
func TestSweepThatFailsGoesOn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.startSweep()
		for i := range 3 {
			claimed, err := db.Claim(t.Context(), site, store.KindSweep, 1)
			if err != nil || len(claimed) != 1 || claimed[0].Attempts != i+1 {
				t.Fatalf("%+v, %v", claimed, err)
			}
			if err := db.Defer(t.Context(), claimed[0], fmt.Errorf("too many"), 0); err != nil {
				t.Fatal(err)
			}
			db.pass(time.Second << i)
		}
		if got, _, ok := db.page(store.Swept{}); !ok || !got.Since.Equal(db.now().Add(-time.Hour-5*time.Minute-7*time.Second)) {
			t.Errorf("the sweep goes on at %+v (%v)", got, ok)
		}
	})
}

// Who wants a sweep now has it before anybody else, or leaves it to whom is at it,
// who then does it once more.
func TestClaimSweep(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		w, ok, err := db.ClaimSweep(t.Context(), site, time.Time{})
		if err != nil || !ok || w.Kind != store.KindSweep {
			t.Fatal(w, ok, err)
		}
		if _, ok, err := db.ClaimSweep(t.Context(), site, time.Time{}); ok || err != nil {
			t.Errorf("claimed twice: %v, %v", ok, err)
		}
		at, err := db.PlaceOf(t.Context(), site)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.KeepSwept(t.Context(), w, at, store.Swept{}, nil, every); err != nil {
			t.Fatal(err)
		}
		if _, _, ok := db.page(store.Swept{}); !ok {
			t.Error("what somebody asked for meanwhile is not done")
		}
		if _, _, ok := db.page(store.Swept{}); ok {
			t.Error("it is done for ever")
		}
	})
}

// A sweep can go back further, and afterwards goes on where it was. A clock that was
// ahead when the first one began does not keep later ones from hearing anything.
func TestSweepGoesBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.startSweep()
		newest := db.now().Add(-time.Minute)
		db.page(store.Swept{Size: 1, Last: newest})
		before := db.now().Add(-30 * 24 * time.Hour)
		w, ok, err := db.ClaimSweep(t.Context(), site, before)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		at, err := db.PlaceOf(t.Context(), site)
		if err != nil || !at.Since.Equal(before) || at.Skip != 0 {
			t.Errorf("goes back to %+v, %v; want %s", at, err, before)
		}
		if _, err := db.KeepSwept(t.Context(), w, at, store.Swept{Size: 1, Last: before}, nil, every); err != nil {
			t.Fatal(err)
		}
		db.startSweep()
		if at, _, _ := db.page(store.Swept{}); !at.Since.Equal(newest.Add(-5 * time.Minute)) {
			t.Errorf("the next one begins at %+v, want where the newest change was", at)
		}

		db.pass(-24 * time.Hour)
		db.startSweep()
		db.page(store.Swept{})
		db.startSweep()
		if at, _, _ := db.page(store.Swept{}); at.Since.After(db.now()) {
			t.Errorf("it begins at %+v, which has not come", at)
		}
	})
}
