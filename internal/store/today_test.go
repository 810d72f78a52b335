package store_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// todayOf is what the site's people see in the morning.
func (h *harness) todayOf(change func(*store.TodayFilter)) store.Today {
	h.t.Helper()
	f := store.TodayFilter{
		Stage: "new", UnbookedFrom: h.now().Add(-30 * 24 * time.Hour), UnbookedTo: h.now().Add(-24 * time.Hour), Since: h.now().Add(-36 * time.Hour),
	}
	if change != nil {
		change(&f)
	}
	t, err := h.Today(h.t.Context(), site, f)
	h.must(err)
	return t
}

func (h *harness) from(form, name, email string) handoff.Submission {
	h.t.Helper()
	s, err := h.CreateLead(h.t.Context(), handoff.Submission{Site: site, Service: "s", Form: form, Name: name, Email: email}, handoff.DefaultPipeline())
	h.must(err)
	return s
}

func unbookedNames(t store.Today) string {
	var out []string
	for _, u := range t.Unbooked {
		out = append(out, u.Name)
	}
	return strings.Join(out, " ")
}

// Who did not book is there once: after the wait, not after a booking, not once a person
// took them over, not while they are reminded, and with the newest form of an address.
func TestTodayNamesWhoDidNotBook(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx := t.Context()
		db.from("f0", "Ancient", "ancient@example.com")
		db.pass(31 * 24 * time.Hour)
		ada, bea := db.from("f1", "Ada", "ada@example.com"), db.from("f2", "Bea", "bea@example.com")
		cyd, dan := db.from("f3", "Cyd", "cyd@example.com"), db.from("f4", "Dan", "dan@example.com")
		db.from("f5", "Eve", "eve@example.com")
		if got := db.todayOf(nil); got.UnbookedCount != 0 {
			t.Errorf("before the wait: %+v", got.Unbooked)
		}
		db.pass(25 * time.Hour)
		db.from("f6", "Evelyn", "EVE@example.com")
		db.keep(db.event("e1", "u1", handoff.Accepted, ada.ID), "d1")
		db.keep(db.event("e2", "u2", handoff.Accepted, bea.ID), "d2")
		db.work()
		cancelled := db.event("e3", "u2", handoff.Cancelled, bea.ID)
		cancelled.Observation.At = db.now().Add(time.Minute)
		db.keep(cancelled, "d3")
		db.work()
		_, err := db.SetStage(ctx, handoff.CommandLine, site, cyd.Lead, "new", "contacted", handoff.DefaultPipeline())
		db.must(err)
		got := db.todayOf(nil)
		if unbookedNames(got) != "Dan" || got.UnbookedCount != 1 || got.Unbooked[0].Submission != dan.ID || got.Unbooked[0].Reminded != 0 {
			t.Errorf("%d: %+v", got.UnbookedCount, got.Unbooked)
		}
		db.pass(25 * time.Hour) // now Eve's newer form waits too, and still not the older one
		if got := unbookedNames(db.todayOf(nil)); got != "Evelyn Dan" {
			t.Errorf("the newest form: %q", got)
		}

		reminded := func(f *store.TodayFilter) { f.Over, f.LastReminder = db.now().Add(-72*time.Hour), 2 }
		if got := unbookedNames(db.todayOf(reminded)); got != "" {
			t.Errorf("while they are reminded: %q", got)
		}
		due := func(n int) func(handoff.Waiting) int { return func(handoff.Waiting) int { return n } }
		send := func(lead handoff.LeadID, n int, state handoff.ReminderState) {
			r, ok, err := db.ClaimReminder(ctx, site, lead, due(n), time.UTC)
			db.must(err)
			if !ok {
				t.Fatal("no reminder to send")
			}
			db.must(db.EndReminder(ctx, r, state, db.now().Add(time.Hour)))
		}
		send(dan.Lead, 1, handoff.ReminderSent)
		if got := unbookedNames(db.todayOf(reminded)); got != "" {
			t.Errorf("one more is to come: %q", got)
		}
		send(dan.Lead, 2, handoff.ReminderRetry)
		if got := unbookedNames(db.todayOf(reminded)); got != "" {
			t.Errorf("the last one is tried again: %q", got)
		}
		db.pass(2 * time.Hour)
		send(dan.Lead, 2, handoff.ReminderSent)
		if got := db.todayOf(reminded); unbookedNames(got) != "Dan" || got.Unbooked[0].Reminded != 2 {
			t.Errorf("after the last one: %+v", got.Unbooked)
		}
		var evelyn handoff.SubmissionID
		for _, u := range db.todayOf(nil).Unbooked {
			if u.Name == "Evelyn" {
				evelyn = u.Submission
			}
		}
		db.must(db.StopReminders(ctx, site, evelyn))
		if got := db.todayOf(reminded); unbookedNames(got) != "Evelyn Dan" || !got.Unbooked[0].Stopped || got.Unbooked[1].Stopped {
			t.Errorf("who stopped them: %+v", got.Unbooked)
		}
		db.pass(72 * time.Hour)
		if got := unbookedNames(db.todayOf(reminded)); got != "Evelyn Dan" {
			t.Errorf("once it is over: %q", got)
		}
	})
}

// Calls ahead are listed by their start, whoever they are tied to, but not those that
// need nobody; and a lead with two is named, until one of them is cancelled or over.
func TestTodayNamesCalls(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ada, bea := db.from("f1", "Ada", "ada@example.com"), db.from("f2", "Bea", "bea@example.com")
		book := func(id, uid string, in time.Duration, status handoff.Status, of handoff.SubmissionID) {
			e := db.event(id, uid, status, of)
			e.Observation.Start, e.Observation.End = db.now().Add(in), db.now().Add(in+30*time.Minute)
			db.keep(e, "d"+id)
			db.work()
		}
		book("e1", "late", 50*time.Hour, handoff.Accepted, ada.ID)
		book("e2", "soon", time.Hour, handoff.Requested, ada.ID)
		book("e3", "other", 3*time.Hour, handoff.Accepted, bea.ID)
		book("e4", "stray", 2*time.Hour, handoff.Accepted, "")
		book("e5", "gone", 2*time.Hour, handoff.Cancelled, bea.ID)
		uids := func() string {
			var out []string
			for _, c := range db.todayOf(nil).Calls {
				out = append(out, c.UID+"/"+c.Name)
			}
			return strings.Join(out, " ")
		}
		if got := uids(); got != "soon/Ada stray/ other/Bea late/Ada" {
			t.Errorf("calls: %s", got)
		}
		doubled := db.todayOf(nil).Doubled
		if len(doubled) != 1 || doubled[0].Name != "Ada" || len(doubled[0].Calls) != 2 || doubled[0].Calls[0].UID != "soon" {
			t.Errorf("two calls: %+v", doubled)
		}
		stray, err := db.Failures(t.Context(), store.FailureFilter{Reason: handoff.NoReference})
		db.must(err)
		_, err = db.Dismiss(t.Context(), handoff.CommandLine, site, []handoff.FailureID{stray[0].ID}, "a test")
		db.must(err)
		db.work()
		db.pass(time.Hour + time.Minute) // it takes place
		if got := uids(); got != "soon/Ada other/Bea late/Ada" {
			t.Errorf("calls an hour later: %s", got)
		}
		db.pass(time.Hour)
		if got := uids(); got != "other/Bea late/Ada" {
			t.Errorf("calls two hours later: %s", got)
		}
		if doubled := db.todayOf(nil).Doubled; len(doubled) != 0 {
			t.Errorf("one call is over: %+v", doubled)
		}
	})
}

// What moved is counted from a time on, and what is of another site is not there.
func TestTodayTellsWhatMoved(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.from("f0", "Before", "before@example.com")
		db.pass(48 * time.Hour)
		ada, bea := db.from("f1", "Ada", "ada@example.com"), db.from("f2", "Bea", "bea@example.com")
		_, err := db.CreateLead(t.Context(), handoff.Submission{Site: "other", Service: "s", Form: "x", Name: "Other", Email: "o@example.com"}, handoff.DefaultPipeline())
		db.must(err)
		db.pass(time.Minute)
		db.keep(db.event("e1", "u1", handoff.Accepted, ada.ID), "d1")
		db.work()
		db.pass(time.Minute)
		_, err = db.SetStage(t.Context(), handoff.CommandLine, site, bea.Lead, "new", "lost", handoff.DefaultPipeline())
		db.must(err)
		got := db.todayOf(nil)
		want := []store.Moved{{To: "new", First: true, Count: 2}, {To: "booked", Count: 1}, {To: "lost", Count: 1}}
		if len(got.Moved) != 3 || got.Moved[0] != want[0] || got.Moved[1] != want[1] || got.Moved[2] != want[2] {
			t.Errorf("moved: %+v", got.Moved)
		}
		if len(got.Moves) != 4 || got.Moves[0].Name != "Bea" || got.Moves[0].To != "lost" || got.Moves[0].From != "new" || got.Moves[1].To != "booked" {
			t.Errorf("moves: %+v", got.Moves)
		}
		if got := db.todayOf(func(f *store.TodayFilter) { f.Since = db.now().Add(time.Second) }); len(got.Moved)+len(got.Moves) != 0 {
			t.Errorf("since now: %+v", got)
		}
	})
}

// What waits is what is vouched for, the one that was heard of longest ago first; and how
// far Cal.com's list is read is told as it is.
func TestTodayTellsWhatWaits(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx := t.Context()
		for _, id := range []string{"1", "2"} {
			db.keep(db.event("e"+id, "u"+id, handoff.Accepted, ""), "d"+id)
			db.work()
			db.pass(time.Minute)
		}
		db.must(db.KeepUnverified(ctx, db.delivery("forged"), handoff.SignatureWrong, ""))
		got := db.todayOf(nil)
		if len(got.Waiting) != 2 || got.Waiting[0].UID != "u1" || got.Waiting[1].UID != "u2" {
			t.Errorf("waiting: %+v", got.Waiting)
		}
		if got.Reading != (store.Reading{}) {
			t.Errorf("nobody reads: %+v", got.Reading)
		}
		w, ok, err := db.ClaimSweep(ctx, site, time.Time{})
		db.must(err)
		at, err := db.PlaceOf(ctx, site)
		db.must(err)
		if !ok {
			t.Fatal("no sweep to do")
		}
		_, err = db.KeepSwept(ctx, w, at, store.Swept{}, nil, 5*time.Minute)
		db.must(err)
		r := db.todayOf(nil).Reading
		if !r.EndedAt.Equal(db.now()) || !r.AsOf.Equal(db.now().Add(-5*time.Minute)) || !r.DueAt.Equal(db.now().Add(5*time.Minute)) || r.Attempts != 0 {
			t.Errorf("read: %+v", r)
		}
		for range 2 {
			db.pass(10 * time.Minute)
			work, err := db.Claim(ctx, site, store.KindSweep, 1)
			db.must(err)
			db.must(db.Defer(ctx, work[0], handoff.ErrUnavailable, time.Minute))
		}
		if again := db.todayOf(nil).Reading; again.Attempts != 2 || !again.AsOf.Equal(r.AsOf) {
			t.Errorf("it fails: %+v", again)
		}
	})
}

// Whatever a store holds, the page goes by indexes with the site in front.
func TestTodayGoesByIndexes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		plans, err := db.Plans(t.Context(), func(ctx context.Context, look store.Looker) error {
			return look.Today(ctx, site, store.TodayFilter{Stage: "new", UnbookedTo: db.now(), Since: db.now()})
		})
		db.must(err)
		all := strings.Join(plans, "\n\n")
		for _, index := range []string{"bookings_ahead", "history_by_time"} {
			if !strings.Contains(all, index) {
				t.Errorf("nothing goes by %s", index)
			}
		}
		for _, index := range []string{"leads_by_stage", "leads_by_email", "submissions_of_lead"} {
			if db.path != "" && !strings.Contains(all, index) { // PostgreSQL chooses as it likes where nothing is
				t.Errorf("nothing goes by %s:\n%s", index, all)
			}
		}
		noScan(t, plans)
	})
}

var (
	// What is scanned may be a subquery, which goes by an index itself.
	scansSQLite   = regexp.MustCompile(`SCAN (leads|bookings|history|failures|reminders|submissions|stops|tallies|wanted|l|b|f|o|r|s|w)\b|leads_newest \(site=\? AND created_at>\?\)|sqlite_autoindex_submissions_1 \(site=\?\)`)
	scansPostgres = regexp.MustCompile(`Seq Scan on`)
)

func noScan(t *testing.T, plans []string) {
	t.Helper()
	for _, plan := range plans {
		if scansSQLite.MatchString(plan) || scansPostgres.MatchString(plan) {
			t.Errorf("a whole table is read:\n%s", plan)
		}
	}
}
