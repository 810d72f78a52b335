package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// numbersOf are the numbers of days from now on, so many later.
func (h *harness) numbersOf(from time.Time, days int) store.Numbers {
	h.t.Helper()
	to := from.AddDate(0, 0, days)
	n, err := h.Numbers(h.t.Context(), site, store.NumbersFilter{From: from, To: to, FromDay: from.Format(time.DateOnly), ToDay: to.Format(time.DateOnly)})
	h.must(err)
	return n
}

func funnel(n store.Numbers) string {
	var out []string
	for _, r := range n.Funnel {
		out = append(out, fmt.Sprintf("%s/%s%v", r.Service, r.Source, r.N))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Leads count on the day of their form, whenever they booked after it; who booked is
// counted once, however often, and each of their calls on its own day; and what was
// counted of visits is of its days.
func TestNumbers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx := t.Context()
		day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		submit := func(form, service, source string) handoff.Submission {
			s, err := db.CreateLead(ctx, handoff.Submission{
				Site: site, Service: service, Form: form, Name: form, Email: form + "@example.com", Context: handoff.Context{Campaign: map[string]string{"utm_source": source}},
			}, handoff.DefaultPipeline())
			db.must(err)
			return s
		}
		events := 0
		book := func(uid string, s handoff.Submission, change func(*handoff.Observation)) {
			events++
			e := db.event(fmt.Sprint("e", events), uid, handoff.Accepted, s.ID)
			if change != nil {
				change(e.Observation)
			}
			db.keep(e, fmt.Sprint("d", events))
			db.work()
		}
		ended := func(o *handoff.Observation) { o.Ended = true }
		ada, bea, cyd := submit("ada", "boiler", "google"), submit("bea", "boiler", "google"), submit("cyd", "leak", "mail")
		db.must2(db.CreateLead(ctx, handoff.Submission{Site: "other", Service: "boiler", Form: "x", Name: "x", Email: "x@example.com"}, handoff.DefaultPipeline()))
		for _, one := range []store.Tally{
			{Site: site, Kind: store.TallyVisit, At: "2026-11-22", Source: "google"},
			{Site: site, Kind: store.TallyVisit, At: "2026-11-23", Source: "google"},
			{Site: site, Kind: store.TallyVisit, At: "2026-11-23", Service: "boiler", Source: "google"},
			{Site: site, Kind: store.TallyStart, At: "2026-11-23", Service: "boiler", Source: "google"},
			{Site: site, Kind: store.TallyCalendar, At: "2026-11-23", Service: "boiler", Source: "google"},
			{Site: site, Kind: store.TallyVisit, At: "2026-11-24", Source: "google"},
			{Site: "other", Kind: store.TallyVisit, At: "2026-11-23", Source: "google"},
		} {
			db.Tally(one)
		}
		db.must(db.KeepTallies(ctx))
		db.pass(time.Hour)
		book("u1", ada, nil)
		book("u2", ada, ended)
		db.pass(24 * time.Hour)
		book("u3", bea, func(o *handoff.Observation) { o.Status = handoff.Cancelled })
		late := submit("dan", "boiler", "google")
		book("u4", late, ended)
		book("stray", handoff.Submission{}, nil)
		_ = cyd

		n := db.numbersOf(day, 1)
		if got, want := funnel(n), "/google[1 0 0 0 0 0] boiler/google[1 1 2 1 2 1] leak/mail[0 0 1 0 0 0]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if n.CountedSince != "2026-11-22" || len(n.Failures) != 0 {
			t.Errorf("since %s, failures %+v", n.CountedSince, n.Failures)
		}
		slices.SortFunc(n.Booked, func(a, b store.BookedLead) int { return cmp.Compare(a.BookedAt.Unix(), b.BookedAt.Unix()) })
		if len(n.Booked) != 2 || !n.Booked[0].Met || n.Booked[1].Met || n.Booked[0].BookedAt.Sub(n.Booked[0].SubmittedAt) != time.Hour {
			t.Errorf("booked: %+v", n.Booked)
		}

		n = db.numbersOf(day.AddDate(0, 0, 1), 1)
		if got, want := funnel(n), "/google[1 0 0 0 0 0] boiler/google[0 0 1 0 1 1]"; got != want {
			t.Errorf("the day after: %s, want %s", got, want)
		}
		if len(n.Booked) != 1 || len(n.Calls) != 2 { // bea and dan booked on that day, of whom dan sent the form then
			t.Errorf("the day after: %+v, calls %+v", n.Booked, n.Calls)
		}
		if len(n.Failures) != 1 || n.Failures[0] != (store.ReasonOpened{Reason: handoff.NoReference, Opened: 1, Open: 1}) {
			t.Errorf("failures: %+v", n.Failures)
		}
		for _, days := range []int{0, 367} {
			if _, err := db.Numbers(ctx, site, store.NumbersFilter{From: day, To: day.AddDate(0, 0, days)}); !errors.Is(err, handoff.ErrInvalid) {
				t.Errorf("of %d days: %v", days, err)
			}
		}
	})
}

// A call counts on the day on which it was booked first. One that was moved, also when its
// predecessor is known by the calendar's name only, is not another, also not when it was
// booked before the days; a further one of the lead is, and one of nobody's is not.
func TestNumbersCountCalls(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx := t.Context()
		s, err := db.CreateLead(ctx, handoff.Submission{Site: site, Service: "boiler", Form: "ada", Name: "Ada", Email: "ada@example.com"}, handoff.DefaultPipeline())
		db.must(err)
		first := db.now().Truncate(24 * time.Hour)
		hear := func(uid string, change func(*handoff.Observation), carried handoff.SubmissionID) {
			e := db.event("e"+uid, uid, handoff.Accepted, carried)
			e.Observation.Title = `"predecessor":"none", "sequence":1` // what people write means nothing
			if change != nil {
				change(e.Observation)
			}
			db.keep(e, "d"+uid)
			db.work()
		}
		calendar := func(o *handoff.Observation) { o.ICalUID = "ical" }
		hear("a", calendar, s.ID)
		hear("b", nil, s.ID) // a further call on the same day
		hear("stray", nil, "")
		db.pass(24 * time.Hour)
		hear("a2", func(o *handoff.Observation) { o.Predecessor = "a" }, s.ID)
		hear("a3", func(o *handoff.Observation) { o.Predecessor = "a" }, s.ID) // moved twice from one
		hear("a4", func(o *handoff.Observation) { o.ICalUID, o.Sequence = "ical", 2 }, "")
		hear("c", func(o *handoff.Observation) { o.ICalUID, o.Sequence = "its own", 1 }, s.ID)
		hear("d", func(o *handoff.Observation) { o.Status = handoff.Cancelled }, s.ID)
		for name, c := range map[string]struct{ day, days, want int }{
			"the first day":  {0, 1, 2},
			"the second day": {1, 1, 2},
			"both":           {0, 2, 4},
			"after them":     {2, 1, 0},
		} {
			n := db.numbersOf(first.AddDate(0, 0, c.day), c.days)
			if len(n.Calls) != c.want {
				t.Errorf("%s: %d calls, want %d: %+v", name, len(n.Calls), c.want, n.Calls)
			}
			for _, one := range n.Calls {
				if one.Service != "boiler" || one.At.Before(first) {
					t.Errorf("%s: %+v", name, one)
				}
			}
		}
	})
}

func (h *harness) must2(_ any, err error) { h.t.Helper(); h.must(err) }

func TestNumbersGoByIndexes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		plans, err := db.Plans(t.Context(), func(ctx context.Context, look store.Looker) error {
			return look.Numbers(ctx, site, store.NumbersFilter{From: db.now().Add(-time.Hour), To: db.now()})
		})
		db.must(err)
		noScan(t, plans)
		if all := strings.Join(plans, "\n"); !strings.Contains(all, "bookings_of_lead") {
			t.Errorf("a lead's earlier bookings are not looked for by the lead:\n%s", all)
		}
		for _, plan := range plans { // what is before the days is not read
			if db.path != "" && (strings.Contains(plan, "bookings_of_lead (site=? AND lead_id>?)") || strings.Contains(plan, "leads_by_s")) {
				t.Errorf("all of a site is read:\n%s", plan)
			}
		}
	})
}
