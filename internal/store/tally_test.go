package store_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// tallied is what was written, a line each.
func (h *harness) tallied(kind store.TallyKind) string {
	h.t.Helper()
	return h.Setting(h.t.Context(), fmt.Sprintf(`
		SELECT coalesce(max(all_of), '') FROM (SELECT count(*) || ' rows, ' || sum(n) || ', of other ' || sum(CASE WHEN source = 'other' THEN n ELSE 0 END) AS all_of
			FROM tallies WHERE site = '%s' AND kind = '%s') summed`, site, kind))
}

// What is counted is written once, added to what was there, and no more sources are told
// apart than a day may have; those that were there first keep their place.
func TestTallies(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		count := func(source string, n int) {
			for range n {
				db.Tally(store.Tally{Site: site, Kind: store.TallyVisit, At: "2026-11-23", Service: "s", Source: source})
			}
		}
		count("google", 2)
		db.must(db.KeepTallies(t.Context()))
		db.must(db.KeepTallies(t.Context()))
		count("google", 3)
		count(handoff.DirectSource, 1)
		db.must(db.KeepTallies(t.Context()))
		if got := db.tallied(store.TallyVisit); got != "2 rows, 6, of other 0" {
			t.Error(got)
		}
		for i := range 60 {
			count(fmt.Sprintf("made-up-%02d", i), 1)
		}
		count("google", 1)
		db.must(db.KeepTallies(t.Context()))
		count("later", 1)
		count("made-up-00", 1)
		count(handoff.DirectSource, 1)
		db.must(db.KeepTallies(t.Context()))
		if got := db.tallied(store.TallyVisit); got != "52 rows, 70, of other 12" { // 50, direct, other
			t.Error(got)
		}
		db.Tally(store.Tally{Site: site, Kind: store.TallyVisit, At: "2026-11-24", Service: "s", Source: "later"})
		db.must(db.KeepTallies(t.Context()))
		if got := db.tallied(store.TallyVisit); got != "53 rows, 71, of other 12" {
			t.Errorf("another day: %s", got)
		}
	})
}

// What cannot be written is written with what comes next.
func TestTalliesAreNotLostWhereTheStoreIsAway(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.keep(db.event("e1", "u1", handoff.Accepted, ""), "d1")
		db.Tally(store.Tally{Site: site, Kind: store.TallyStart, At: "2026-11-23"})
		db.Sign(site, "secret/a", db.now())
		db.must(db.Exec(t.Context(), `ALTER TABLE tallies RENAME TO away`))
		if err := db.KeepTallies(t.Context()); err == nil {
			t.Fatal("it was written nowhere")
		}
		db.must(db.Exec(t.Context(), `ALTER TABLE away RENAME TO tallies`))
		db.Tally(store.Tally{Site: site, Kind: store.TallyStart, At: "2026-11-23"})
		db.must(db.KeepTallies(t.Context()))
		v, err := db.ViewSite(t.Context(), site, db.now().Add(-time.Hour))
		db.must(err)
		if got := db.tallied(store.TallyStart); got != "1 rows, 2, of other 0" || v.Hours[store.Hour(db.now())].Verified != 1 || !v.Signs["secret/a"].Equal(db.now()) {
			t.Errorf("%s, %+v", got, v)
		}
	})
}

// A sign is written once a minute at most, and never goes back.
func TestSigns(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		first := db.now()
		at := func() time.Time {
			db.must(db.KeepTallies(t.Context()))
			v, err := db.ViewSite(t.Context(), site, db.now())
			db.must(err)
			if len(v.Signs) != 1 {
				t.Fatalf("signs %v", v.Signs)
			}
			return v.Signs["secret/a"]
		}
		db.Sign(site, "secret/a", db.now())
		db.Sign("other", "secret/b", db.now())
		if got := at(); !got.Equal(first) {
			t.Errorf("%s, want %s", got, first)
		}
		db.pass(59 * time.Second)
		db.Sign(site, "secret/a", db.now())
		if got := at(); !got.Equal(first) {
			t.Errorf("within a minute it was written again: %s", got)
		}
		db.pass(time.Second)
		db.Sign(site, "secret/a", db.now())
		db.Sign(site, "secret/a", first.Add(-time.Hour))
		if got := at(); !got.Equal(db.now()) {
			t.Errorf("%s, want %s", got, db.now())
		}
		other, err := store.Open(t.Context(), db.url, store.Options{Now: db.now})
		db.must(err)
		defer other.Close()
		other.Sign(site, "secret/a", first.Add(time.Second))
		db.must(other.KeepTallies(t.Context()))
		if got := at(); !got.Equal(db.now()) {
			t.Errorf("another process took it back to %s", got)
		}
	})
}

// Deliveries are counted by the hour in which they came, also those that are told again,
// apart from what proved nothing, and forgotten once nobody looks at them.
func TestDeliveriesAreCounted(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx, first := t.Context(), db.now()
		hours := func() map[string]store.Deliveries {
			db.must(db.KeepTallies(ctx))
			v, err := db.ViewSite(ctx, site, first)
			db.must(err)
			return v.Hours
		}
		db.keep(db.event("e1", "u1", handoff.Accepted, ""), "d1")
		db.keep(db.event("e1", "u1", handoff.Accepted, ""), "d1")
		db.must(db.KeepUnverified(ctx, db.delivery("forged"), handoff.SignatureWrong, ""))
		db.must(db.CountUnverified(ctx, db.delivery("forged too")))
		db.pass(time.Hour)
		db.keep(db.event("e2", "u2", handoff.Accepted, ""), "d2")
		want := map[string]store.Deliveries{"2026-11-23T09": {Verified: 2, Refused: 2}, "2026-11-23T10": {Verified: 1}}
		if got := hours(); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		db.pass(41 * 24 * time.Hour)
		db.keep(db.event("e3", "u3", handoff.Accepted, ""), "d3")
		if got := hours(); len(got) != 2 || got["2026-11-23T09"] != (store.Deliveries{Refused: 2}) { // none of that kind came since
			t.Errorf("later: %v", got)
		}
	})
}

// How a call ended is kept with it, also of calls from before it was.
func TestOutcomes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		outcomes := func() string {
			var out []string
			for _, uid := range []string{"met", "missed", "ahead", "gone"} {
				out = append(out, db.Setting(t.Context(), `SELECT '`+uid+`=' || outcome FROM bookings WHERE uid = '`+uid+`'`))
			}
			return strings.Join(out, " ")
		}
		yes := true
		for i, uid := range []string{"met", "missed", "ahead", "gone"} {
			e := db.event(fmt.Sprint("e", i), uid, handoff.Accepted, "")
			switch uid {
			case "met":
				e.Observation.Ended = true
				e.Observation.Attendees = []handoff.Person{{Name: `","ended":true,"noShow":true,"noShowBy":"x`, Email: "a@example.com", NoShow: new(bool)}}
			case "missed":
				e.Observation.Ended = true
				e.Observation.Attendees = []handoff.Person{{Name: "A", Email: "a@example.com", NoShow: &yes}}
			case "ahead":
				e.Observation.Attendees = []handoff.Person{{Name: `"ended":true,"endedBy":"x`, Email: "a@example.com", NoShow: new(bool)}}
			case "gone":
				e.Observation.Status, e.Observation.Ended = handoff.Cancelled, true
			}
			db.keep(e, fmt.Sprint("d", i))
			db.work()
		}
		want := "met=met missed=missed ahead= gone="
		if got := outcomes(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		db.must(db.Exec(t.Context(), `UPDATE bookings SET outcome = ''`))
		db.must(db.Exec(t.Context(), store.Backfill(t, "UPDATE bookings SET outcome")))
		if got := outcomes(); got != want {
			t.Errorf("of before: %s, want %s", got, want)
		}
	})
}
