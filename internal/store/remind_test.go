package store_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// always is a rule by which the first reminder is due unless it, or a booking, was.
func always(w handoff.Waiting) int {
	r := handoff.Reminding{After: []time.Duration{time.Minute}}
	return r.Number(w, handoff.DefaultPipeline(), w.Lead.CreatedAt.Add(time.Hour))
}

func (h *harness) claimReminder(id handoff.LeadID) (store.Reminder, bool) {
	h.t.Helper()
	r, ok, err := h.ClaimReminder(h.t.Context(), site, id, always, time.UTC)
	if err != nil {
		h.t.Fatal(err)
	}
	return r, ok
}

func (h *harness) remindable() []handoff.LeadID {
	h.t.Helper()
	list, err := h.Remindable(h.t.Context(), site, "new", 1, store.Remindable{CreatedAt: h.now().Add(-24 * time.Hour)}, h.now())
	if err != nil {
		h.t.Fatal(err)
	}
	var out []handoff.LeadID
	for _, one := range list {
		out = append(out, one.ID)
	}
	return out
}

// Who booked, stopped, was taken over, or sent another form is not reminded, whether
// that was before the look or between the look and the claim.
func TestWhoIsReminded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		email := func(form, name string) handoff.Submission {
			s, err := db.CreateLead(t.Context(), handoff.Submission{Site: site, Service: "s", Form: form, Name: name, Email: name + "@Example.com"}, handoff.DefaultPipeline())
			if err != nil {
				t.Fatal(err)
			}
			db.pass(time.Second)
			return s
		}
		dana, omar, ines, twice, again := email("f1", "Dana"), email("f2", "Omar"), email("f3", "Ines"), email("f4", "Twice"), email("f5", "twice")
		if got := db.remindable(); len(got) != 4 || got[0] != dana.Lead || slices.Contains(got, twice.Lead) {
			t.Errorf("%v", got)
		}
		// Meanwhile two things happen.
		db.keep(db.event("e1", "u1", handoff.Accepted, omar.ID), "d1")
		db.work()
		if err := db.StopReminders(t.Context(), site, ines.ID); err != nil {
			t.Fatal(err)
		}
		for _, s := range []handoff.Submission{omar, ines, twice} {
			if r, ok := db.claimReminder(s.Lead); ok {
				t.Errorf("%s is reminded", r.Name)
			}
		}
		if _, ok := db.claimReminder("lead_none"); ok {
			t.Error("nobody is reminded")
		}
		r, ok := db.claimReminder(dana.Lead)
		if !ok || r.Number != 1 || r.Submission != dana.ID || r.Email != "Dana@Example.com" || r.Attempts != 1 {
			t.Errorf("%+v, %v", r, ok)
		}
		if got := db.remindable(); slices.Contains(got, dana.Lead) || slices.Contains(got, omar.Lead) || slices.Contains(got, ines.Lead) || !slices.Contains(got, again.Lead) {
			t.Errorf("%v", got)
		}
		// A booking of one lead speaks for another of the same address.
		db.keep(db.event("e2", "u2", handoff.Cancelled, twice.ID), "d2")
		db.work()
		if _, ok := db.claimReminder(again.Lead); ok {
			t.Error("somebody who booked is reminded of another form")
		}
		if err := db.StopReminders(t.Context(), site, "sub_none"); !errors.Is(err, handoff.ErrNotFound) {
			t.Error(err)
		}
	})
}

// Of many who try, one has a reminder; one that was put off can be had again, in its
// time; and what a process took with it when it died is never sent again.
func TestReminderIsClaimedOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana := db.submit("f1", "Dana")
		db.pass(time.Hour)
		var mu sync.Mutex
		var all sync.WaitGroup
		var won []store.Reminder
		for range 8 {
			all.Go(func() {
				r, ok, err := db.ClaimReminder(t.Context(), site, dana.Lead, always, time.UTC)
				if err != nil {
					t.Error(err)
				}
				if ok {
					mu.Lock()
					won = append(won, r)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("%d have it", len(won))
		}
		if err := db.EndReminder(t.Context(), won[0], handoff.ReminderRetry, db.now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, ok := db.claimReminder(dana.Lead); ok || len(db.remindable()) != 0 {
			t.Error("it is tried again too early")
		}
		db.pass(time.Minute)
		if len(db.remindable()) != 1 {
			t.Error("it is not tried again")
		}
		r, ok := db.claimReminder(dana.Lead)
		if !ok || r.Attempts != 2 {
			t.Fatalf("%+v, %v", r, ok)
		}
		// The process dies here.
		db.pass(14 * time.Minute)
		if n, err := db.LoseReminders(t.Context(), site); err != nil || n != 0 {
			t.Errorf("%d lost already, %v", n, err)
		}
		db.pass(2 * time.Minute)
		if n, err := db.LoseReminders(t.Context(), site); err != nil || n != 1 {
			t.Errorf("%d lost, %v", n, err)
		}
		if _, ok := db.claimReminder(dana.Lead); ok || len(db.remindable()) != 0 {
			t.Error("it is sent again, though it may have been sent")
		}
		if state := db.Setting(t.Context(), `SELECT state FROM reminders`); state != string(handoff.ReminderUnknown) {
			t.Errorf("it is %s", state)
		}
		// Its sender was only slow: what it says does not count any more.
		if err := db.EndReminder(t.Context(), r, handoff.ReminderSent, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if state := db.Setting(t.Context(), `SELECT state FROM reminders`); state != string(handoff.ReminderUnknown) {
			t.Errorf("it is %s", state)
		}
		// A row is kept for as long as its lead, and shows on it.
		if d := db.lead(dana.Lead); len(d.Reminders) != 1 || d.Reminders[0].Number != 1 || d.Reminders[0].State != handoff.ReminderUnknown {
			t.Errorf("%+v", d.Reminders)
		}
	})
}

// The visitor's own zone is read from the newest form.
func TestReminderKnowsTheZone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s, err := db.CreateLead(t.Context(), handoff.Submission{Site: site, Form: "f", Name: "Dana", Email: "d@example.com", Context: handoff.Context{TimeZone: "Asia/Tokyo"}}, handoff.DefaultPipeline())
		if err != nil {
			t.Fatal(err)
		}
		var zone string
		look := func(w handoff.Waiting) int { zone = w.Zone.String(); return 0 }
		if _, _, err := db.ClaimReminder(t.Context(), site, s.Lead, look, time.UTC); err != nil || zone != "Asia/Tokyo" {
			t.Errorf("%s, %v", zone, err)
		}
		other := db.submit("f2", "Omar")
		if _, _, err := db.ClaimReminder(t.Context(), site, other.Lead, look, time.UTC); err != nil || zone != "UTC" {
			t.Errorf("%s, %v", zone, err)
		}
		if db.Setting(t.Context(), `SELECT count(*) FROM reminders`) != "0" {
			t.Error("a look left a row")
		}
	})
}

// Each reason to leave an address alone is one by itself.
func TestReasonsToLeaveAlone(t *testing.T) {
	someone := func(db *harness, form, name, email string) handoff.Submission {
		s, err := db.CreateLead(db.t.Context(), handoff.Submission{Site: site, Service: "s", Form: form, Name: name, Email: email}, handoff.DefaultPipeline())
		if err != nil {
			db.t.Fatal(err)
		}
		return s
	}
	attended := func(db *harness, id string, status handoff.Status, carried handoff.SubmissionID, email string, made time.Time) handoff.Event {
		e := db.event(id, "u-"+id, status, carried)
		e.Observation.Made, e.Observation.Attendees = made, []handoff.Person{{Email: email}}
		return e
	}
	for _, tt := range []struct {
		name  string
		alone bool
		// before and after are what happens before and after Dana sends her form.
		before, after func(db *harness, dana handoff.Submission)
	}{
		{name: "nothing"},
		{
			name: "a booking of hers that was cancelled, and made before", alone: true,
			after: func(db *harness, dana handoff.Submission) {
				db.keep(attended(db, "e1", handoff.Cancelled, dana.ID, "x@y.example", db.now().Add(-48*time.Hour)), "d1")
				db.work()
			},
		},
		{
			name: "an older form of the address, and a call to come of that", alone: true,
			before: func(db *harness, _ handoff.Submission) {
				older := someone(db, "f0", "Dana", "dana@Example.com")
				db.keep(attended(db, "e1", handoff.Accepted, older.ID, "x@y.example", db.now()), "d1")
				db.work()
			},
		},
		{
			name: "an older form of the address, and a call of that which was cancelled before",
			before: func(db *harness, _ handoff.Submission) {
				older := someone(db, "f0", "Dana", "dana@Example.com")
				db.keep(attended(db, "e1", handoff.Cancelled, older.ID, "x@y.example", db.now()), "d1")
				db.work()
			},
		},
		{
			name: "a booking without a reference that she attends", alone: true,
			after: func(db *harness, _ handoff.Submission) {
				db.keep(attended(db, "e1", handoff.Accepted, "", "DANA@example.com", db.now()), "d1")
				db.work()
			},
		},
		{
			name: "one that somebody else attends, whose address hers is like",
			after: func(db *harness, _ handoff.Submission) {
				db.keep(attended(db, "e1", handoff.Accepted, "", "jordana@example.com", db.now()), "d1")
				db.work()
			},
		},
		{
			name: "a webhook that nobody has looked at", alone: true,
			after: func(db *harness, _ handoff.Submission) {
				db.keep(attended(db, "e1", handoff.Accepted, "", "x@y.example", db.now()), "d1")
			},
		},
		{
			name: "a letter for an older form of the address", alone: true,
			before: func(db *harness, _ handoff.Submission) {
				older := someone(db, "f0", "Dana", "dana@Example.com")
				if r, ok := db.claimReminder(older.Lead); !ok {
					db.t.Fatal(r)
				}
			},
		},
		{
			name: "a letter for one two months ago",
			before: func(db *harness, _ handoff.Submission) {
				older := someone(db, "f0", "Dana", "dana@Example.com")
				if r, ok := db.claimReminder(older.Lead); !ok {
					db.t.Fatal(r)
				}
				db.pass(61 * 24 * time.Hour)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, db *harness) {
				if tt.before != nil {
					tt.before(db, handoff.Submission{})
					db.pass(time.Hour)
				}
				dana := someone(db, "f1", "Dana", "Dana@example.com")
				db.pass(time.Hour)
				if tt.after != nil {
					tt.after(db, dana)
				}
				reasons := 0
				look := func(w handoff.Waiting) int { reasons = w.Bookings + w.Reminded; return 0 }
				if _, _, err := db.ClaimReminder(t.Context(), site, dana.Lead, look, time.UTC); err != nil || (reasons > 0) != tt.alone {
					t.Errorf("the rule hears of %d reasons, %v", reasons, err)
				}
				if may, err := db.MayRemind(t.Context(), site, dana.Lead, always, time.UTC); err != nil || may == tt.alone {
					t.Errorf("she may be reminded: %v, %v", may, err)
				}
				if r, ok := db.claimReminder(dana.Lead); ok == tt.alone {
					t.Errorf("she is reminded: %+v, %v", r, ok)
				}
			})
		})
	}
}
