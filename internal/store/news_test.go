package store_test

import (
	"fmt"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// News are what happened within a time: leads that booked in it, and what opened in it
// and waits still; however much it was, a message is of a size. What anybody can send is
// no news.
func TestNews(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		old := db.submit("f0", "Old")
		db.keep(db.event("e0", "u0", handoff.Accepted, old.ID), "d0")
		db.keep(db.event("s0", "stray0", handoff.Accepted, ""), "ds0")
		db.work()
		db.pass(time.Hour)
		from := db.now()
		for i := range 12 {
			s := db.submit(fmt.Sprint("f", i+1), fmt.Sprint("Lead ", i))
			db.keep(db.event(fmt.Sprint("e", i+1), fmt.Sprint("u", i+1), handoff.Accepted, s.ID), fmt.Sprint("d", i+1))
		}
		db.keep(db.event("s1", "stray1", handoff.Accepted, ""), "ds1")
		if err := db.KeepUnverified(t.Context(), db.delivery("forged"), handoff.SignatureWrong, ""); err != nil {
			t.Fatal(err)
		}
		if err := db.SiteFails(t.Context(), site, store.SweepSubject, handoff.SweepFailing, "key"); err != nil {
			t.Fatal(err)
		}
		db.work()
		db.pass(time.Second)
		to := db.now()
		late := db.submit("late", "Late")
		db.keep(db.event("elate", "ulate", handoff.Accepted, late.ID), "dlate")
		db.work()
		n, err := db.News(t.Context(), site, "booked", from, to)
		if err != nil {
			t.Fatal(err)
		}
		if len(n.Booked) != 10 || n.MoreBooked != 2 || n.Booked[0].Name[:4] != "Lead" || n.Booked[0].Start.IsZero() {
			t.Errorf("%d and %d more: %+v", len(n.Booked), n.MoreBooked, n.Booked)
		}
		for _, b := range n.Booked {
			if b.Name == "Old" || b.Name == "Late" {
				t.Errorf("%s is no news of that time", b.Name)
			}
		}
		if len(n.Failures) != 1 || n.Failures[0].Reason != handoff.NoReference || len(n.Alarms) != 1 || n.Alarms[0].Reason != handoff.SweepFailing || n.Alarms[0].Detail != "key" {
			t.Errorf("failures %+v, alarms %+v", n.Failures, n.Alarms)
		}
		none, err := db.News(t.Context(), "elsewhere", "booked", from, to)
		if err != nil || !none.Empty() {
			t.Errorf("%+v, %v", none, err)
		}
	})
}
