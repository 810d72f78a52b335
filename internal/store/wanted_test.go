package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// books keeps a booking of a lead that begins so much later.
func (h *harness) books(uid string, in time.Duration, of handoff.SubmissionID, change ...func(*handoff.Observation)) {
	h.t.Helper()
	e := h.event("e-"+uid, uid, handoff.Accepted, of)
	e.Observation.Start, e.Observation.End = h.now().Add(in), h.now().Add(in+30*time.Minute)
	for _, f := range change {
		f(e.Observation)
	}
	h.keep(e, "d-"+uid)
	h.work()
}

// cancels keeps that a booking is cancelled.
func (h *harness) cancels(uid string, of handoff.SubmissionID) {
	h.t.Helper()
	e := h.event("cancelled-"+uid, uid, handoff.Cancelled, of)
	e.Observation.At = h.now().Add(time.Minute)
	h.keep(e, "cancelled-"+uid)
	h.work()
}

func calls(uids ...string) (out []handoff.BookingKey) {
	for _, uid := range uids {
		out = append(out, handoff.BookingKey{UID: uid})
	}
	return out
}

func (h *harness) wants(lead handoff.LeadID, uids ...string) (handoff.CallsWanted, error) {
	return h.WantCalls(h.t.Context(), priya, site, lead, calls(uids...))
}

// doubled are the leads with more calls ahead than anybody wanted, each with its calls.
func (h *harness) doubled() string {
	h.t.Helper()
	var out []string
	for _, d := range h.todayOf(nil).Doubled {
		var uids []string
		for i := range d.Calls {
			uids = append(uids, d.Calls[i].UID)
		}
		out = append(out, d.Name+": "+strings.Join(uids, " "))
	}
	return strings.Join(out, ", ")
}

// A lead whose calls are all wanted needs nobody, until a call is ahead that nobody has
// seen; and again once the word is taken back. The audit log has both, and nothing else
// about the lead changes.
func TestCallsWanted(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.from("f1", "Ada", "ada@example.com")
		other := db.from("f2", "Bea", "bea@example.com")
		db.books("u1", 2*time.Hour, s.ID)
		db.books("u2", 50*time.Hour, s.ID)
		db.books("o1", 3*time.Hour, other.ID)
		db.books("o2", 4*time.Hour, other.ID)
		before := db.lead(s.Lead)
		heard, stop := db.Feed().Listen(store.TopicLead(site, string(s.Lead)))
		defer stop()
		said, err := db.wants(s.Lead, "u2", "u1")
		db.must(err)
		<-heard
		if said.By != priya.Name || !said.At.Equal(db.now()) || len(said.Calls) != 2 {
			t.Errorf("said %+v", said)
		}
		if got := db.doubled(); got != "Bea: o1 o2" {
			t.Errorf("there wait %s", got)
		}
		d := db.lead(s.Lead)
		if d.Wanted == nil || d.Wanted.By != priya.Name || !d.Wanted.At.Equal(said.At) || !slices.Equal(d.Wanted.Calls, calls("u1", "u2")) {
			t.Errorf("the lead has %+v", d.Wanted)
		}
		if d.Stage != before.Stage || d.Manual != nil || len(d.History) != len(before.History) || len(d.Facts) != len(before.Facts) || db.work() != 0 {
			t.Errorf("what is about attention changed the lead: %+v", d)
		}
		if db.lead(other.Lead).Wanted != nil {
			t.Error("it was said of another lead")
		}

		// Who says it again, or of fewer calls, changes nothing.
		db.pass(time.Minute)
		again, err := db.WantCalls(t.Context(), olga, site, s.Lead, calls("u1", "u2"))
		if err != nil || again.By != priya.Name || len(db.worked(s.Lead)) != 1 {
			t.Errorf("said again: %+v, %v; %+v", again, err, db.worked(s.Lead))
		}

		// A third call brings it back, and goes with a word of its own.
		db.books("u3", 70*time.Hour, s.ID)
		if got := db.doubled(); got != "Ada: u1 u2 u3, Bea: o1 o2" {
			t.Errorf("with a third call there wait %s", got)
		}
		if _, err := db.wants(s.Lead, "u1", "u2"); !errors.Is(err, handoff.ErrConflict) {
			t.Errorf("from a page that is older than the third call: %v", err)
		}
		if got := db.doubled(); got != "Ada: u1 u2 u3, Bea: o1 o2" {
			t.Errorf("after what was refused there wait %s", got)
		}
		db.must2(db.WantCalls(t.Context(), olga, site, s.Lead, calls("u1", "u2", "u3")))
		db.cancels("u2", s.ID)
		if got := db.doubled(); got != "Bea: o1 o2" || db.lead(s.Lead).Wanted.By != olga.Name {
			t.Errorf("of three that are wanted two are left, and there wait %s", got)
		}

		undone, err := db.UndoCallsWanted(t.Context(), priya, site, s.Lead)
		if err != nil || undone.By != olga.Name || len(undone.Calls) != 3 {
			t.Errorf("undone %+v, %v", undone, err)
		}
		if got := db.doubled(); got != "Ada: u1 u3, Bea: o1 o2" || db.lead(s.Lead).Wanted != nil {
			t.Errorf("taken back, and there wait %s", got)
		}
		if _, err := db.UndoCallsWanted(t.Context(), priya, site, s.Lead); !errors.Is(err, handoff.ErrConflict) {
			t.Errorf("taken back twice: %v", err)
		}
		var acts []string
		for _, a := range db.worked(s.Lead) {
			acts = append(acts, a.Actor+" "+a.Action+" "+a.Detail)
		}
		want := []string{"priya@example.com lead.calls.undo 3 calls", "olga@example.com lead.calls 3 calls", "priya@example.com lead.calls 2 calls"}
		if !slices.Equal(acts, want) {
			t.Errorf("acts %q", acts)
		}
	})
}

// A call that is over or was moved is none of those that are ahead, and each occurrence
// of a recurring one is.
func TestCallsWantedAreThoseAhead(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.from("f1", "Ada", "ada@example.com")
		recurs := func(o *handoff.Observation) { o.Recurring = true }
		db.books("r1", time.Hour, s.ID, recurs)
		db.books("r2", 100*time.Hour, s.ID, recurs)
		db.books("r3", 200*time.Hour, s.ID, recurs)
		if _, err := db.wants(s.Lead, "r1", "r2", "r3"); !errors.Is(err, handoff.ErrInvalid) || handoff.WordsOf(err) == "" {
			t.Errorf("of one recurring call: %v", err)
		}
		db.books("u1", 2*time.Hour, s.ID)
		found := db.todayOf(nil).Doubled
		if len(found) != 1 || len(found[0].Calls) != 2 || len(found[0].Ahead) != 4 {
			t.Fatalf("there wait %+v", found)
		}
		db.must2(db.WantCalls(t.Context(), priya, site, s.Lead, found[0].Ahead))
		db.pass(90 * time.Minute)
		if got := db.doubled(); got != "" {
			t.Errorf("after the first occurrence there wait %s", got)
		}
		moved := db.event("moved", "u2", handoff.Accepted, "")
		moved.Observation.Predecessor, moved.Observation.At = "u1", db.now().Add(time.Minute)
		db.keep(moved, "moved")
		db.work()
		if got := db.doubled(); got != "Ada: u2 r2" && got != "Ada: r2 u2" {
			t.Errorf("one was moved, and there wait %s", got)
		}
	})
}

// A call that is over needs nobody's word, also while it is of the same day.
func TestCallsWantedAfterACall(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.from("f1", "Ada", "ada@example.com")
		db.books("u0", 10*time.Minute, s.ID)
		db.pass(time.Hour)
		db.books("u1", 2*time.Hour, s.ID)
		db.books("u2", 50*time.Hour, s.ID)
		db.must2(db.wants(s.Lead, "u1", "u2"))
		if got := db.doubled(); got != "" {
			t.Errorf("there wait %s", got)
		}
	})
}

// What is refused leaves nothing.
func TestCallsWantedIsRefused(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s, one := db.from("f1", "Ada", "ada@example.com"), db.from("f2", "Bea", "bea@example.com")
		db.books("u1", 2*time.Hour, s.ID)
		db.books("u2", 50*time.Hour, s.ID)
		db.books("o1", 3*time.Hour, one.ID)
		db.books("o2", 4*time.Hour, one.ID)
		db.cancels("o2", one.ID)
		both := calls("u1", "u2")
		for name, c := range map[string]struct {
			by   handoff.Actor
			site string
			lead handoff.LeadID
			seen []handoff.BookingKey
			want error
		}{
			"a viewer":             {vera, site, s.Lead, both, handoff.ErrForbidden},
			"nobody":               {handoff.Actor{}, site, s.Lead, both, handoff.ErrNotFound},
			"of another site":      {handoff.Actor{Role: handoff.RoleOwner, Sites: []string{"other"}}, site, s.Lead, both, handoff.ErrNotFound},
			"by another site":      {priya, "other", s.Lead, both, handoff.ErrNotFound},
			"no such lead":         {priya, site, "lead_x", both, handoff.ErrNotFound},
			"who saw one":          {priya, site, s.Lead, calls("u1"), handoff.ErrConflict},
			"who saw none":         {priya, site, s.Lead, nil, handoff.ErrConflict},
			"who saw one more":     {priya, site, s.Lead, calls("u1", "u2", "u3"), handoff.ErrConflict},
			"who saw another seat": {priya, site, s.Lead, []handoff.BookingKey{{UID: "u1"}, {UID: "u2", Seat: "x"}}, handoff.ErrConflict},
			"who saw one twice":    {priya, site, s.Lead, calls("u1", "u1"), handoff.ErrConflict},
			"of one call":          {priya, site, one.Lead, calls("o1"), handoff.ErrInvalid},
			"of one that is gone":  {priya, site, one.Lead, calls("o1", "o2"), handoff.ErrConflict},
		} {
			if _, err := db.WantCalls(t.Context(), c.by, c.site, c.lead, c.seen); !errors.Is(err, c.want) || errors.Is(err, handoff.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if db.lead(s.Lead).Wanted != nil || len(db.worked(s.Lead))+len(db.worked(one.Lead)) != 0 || db.doubled() != "Ada: u1 u2" {
			t.Errorf("what was refused left %+v", db.worked(s.Lead))
		}
		db.must2(db.wants(s.Lead, "u1", "u2"))
		for name, c := range map[string]struct {
			by   handoff.Actor
			site string
			lead handoff.LeadID
			want error
		}{
			"a viewer":        {vera, site, s.Lead, handoff.ErrForbidden},
			"by another site": {priya, "other", s.Lead, handoff.ErrNotFound},
			"no such lead":    {priya, site, "lead_x", handoff.ErrNotFound},
			"never said":      {priya, site, one.Lead, handoff.ErrConflict},
		} {
			if _, err := db.UndoCallsWanted(t.Context(), c.by, c.site, c.lead); !errors.Is(err, c.want) {
				t.Errorf("taken back, %s: %v", name, err)
			}
		}
		if db.lead(s.Lead).Wanted == nil {
			t.Error("what was refused took it back")
		}
	})
}

// Of many who say it at once one does; and a booking that comes at the same time is never
// hidden by them.
func TestCallsWantedAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.from("f1", "Ada", "ada@example.com")
		db.books("u1", 2*time.Hour, s.ID)
		db.books("u2", 50*time.Hour, s.ID)
		e := db.event("e-u3", "u3", handoff.Accepted, s.ID)
		var wg sync.WaitGroup
		failed := make(chan error, 20)
		for range 8 {
			wg.Go(func() {
				if _, err := db.wants(s.Lead, "u1", "u2"); err != nil && !errors.Is(err, handoff.ErrConflict) {
					failed <- err
				}
			})
		}
		wg.Go(func() {
			_, err := db.KeepEvent(t.Context(), db.delivery("d-u3"), e)
			for n := 1; err == nil && n > 0; {
				n, err = db.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10)
			}
			if err != nil {
				failed <- err
			}
		})
		wg.Wait()
		close(failed)
		for err := range failed {
			t.Error(err)
		}
		if n := len(db.worked(s.Lead)); n > 1 {
			t.Errorf("it was done %d times", n)
		}
		if got := db.doubled(); got != "Ada: u1 u3 u2" && got != "Ada: u1 u2 u3" {
			t.Errorf("there wait %q", got)
		}
	})
}

// Leads whose calls are wanted do not stand in the way of one that needs somebody,
// however many there are; and they are left out by indexes.
func TestManyWantedHideNone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		const stampLayout = "2006-01-02T15:04:05.000000Z"
		at := func(in time.Duration) string { return db.now().Add(in).UTC().Format(stampLayout) }
		var leads, bookings, wanted []string
		for i := range 250 {
			leads = append(leads, fmt.Sprintf(`('%s', 'lead_%d', 's', 'Ada', 'a', '', '', '', 'booked', '%s', '%s')`, site, i, at(0), at(0)))
			for n := range 2 {
				uid := fmt.Sprintf("u%d-%d", i, n)
				doc := fmt.Sprintf(`{"uid":"%s","status":"accepted","start":"%s","end":"%s"}`, uid, at(time.Hour), at(2*time.Hour))
				bookings = append(bookings, fmt.Sprintf(`('%s', '%s', '', 'lead_%d', 'accepted', '%s', '%s', 'reference', '%s', '%s', '%s')`, site, uid, i, at(time.Hour), at(2*time.Hour), doc, at(0), at(0)))
				wanted = append(wanted, fmt.Sprintf(`('%s', 'lead_%d', '%s', '', '%s', 'x')`, site, i, uid, at(0)))
			}
		}
		db.must(db.Exec(t.Context(), "INSERT INTO leads (site, id, service, name, email, phone, source, folded, stage, created_at, updated_at) VALUES "+strings.Join(leads, ", ")))
		db.must(db.Exec(t.Context(), "INSERT INTO bookings (site, uid, seat, lead_id, status, start_at, end_at, tied_by, doc, updated_at, made_at) VALUES "+strings.Join(bookings, ", ")))
		db.must(db.Exec(t.Context(), "INSERT INTO wanted (site, lead_id, uid, seat, at, author) VALUES "+strings.Join(wanted, ", ")))
		s := db.from("f1", "Zoe", "zoe@example.com")
		db.books("z1", 50*time.Hour, s.ID)
		db.books("z2", 60*time.Hour, s.ID)
		if got := db.doubled(); got != "Zoe: z1 z2" {
			t.Errorf("there wait %s", got)
		}
		plans, err := db.Plans(t.Context(), func(ctx context.Context, look store.Looker) error {
			return look.Today(ctx, site, store.TodayFilter{Stage: "new", UnbookedTo: db.now(), Since: db.now()})
		})
		db.must(err)
		noScan(t, plans)
	})
}
