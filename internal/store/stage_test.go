package store_test

import (
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

var (
	priya = handoff.Actor{Name: "priya@example.com", Role: handoff.RoleOperator}
	vera  = handoff.Actor{Name: "victor@example.com", Role: handoff.RoleViewer}
	olga  = handoff.Actor{Name: "olga@example.com", Role: handoff.RoleOwner}
)

func (h *harness) setStage(lead handoff.LeadID, from, to handoff.Stage) (handoff.Change, error) {
	return h.SetStage(h.t.Context(), priya, site, lead, from, to, handoff.DefaultPipeline())
}

func (h *harness) undo(lead handoff.LeadID, cause string) (handoff.Change, error) {
	return h.UndoStage(h.t.Context(), priya, site, lead, cause, handoff.DefaultPipeline())
}

// worked is the audit log's rows about a lead, the newest first.
func (h *harness) worked(lead handoff.LeadID) []handoff.Act {
	h.t.Helper()
	acts, err := h.Audit(h.t.Context(), store.AuditFilter{Subject: string(lead)})
	h.must(err)
	return acts
}

// A stage that a person sets is one change with its cause in the audit log; what is
// refused changes nothing.
func TestSetStage(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f", "Dana")
		for name, c := range map[string]struct {
			by       handoff.Actor
			site     string
			lead     handoff.LeadID
			from, to handoff.Stage
			want     error
		}{
			"a viewer":          {vera, site, s.Lead, "new", "contacted", handoff.ErrForbidden},
			"nobody":            {handoff.Actor{}, site, s.Lead, "new", "contacted", handoff.ErrNotFound},
			"of another site":   {handoff.Actor{Role: handoff.RoleOwner, Sites: []string{"other"}}, site, s.Lead, "new", "contacted", handoff.ErrNotFound},
			"by another site":   {priya, "other", s.Lead, "new", "contacted", handoff.ErrNotFound},
			"no such lead":      {priya, site, "lead_x", "new", "contacted", handoff.ErrNotFound},
			"seen elsewhere":    {priya, site, s.Lead, "contacted", "won", handoff.ErrConflict},
			"no such stage":     {priya, site, s.Lead, "new", "nonsense", handoff.ErrInvalid},
			"it stands already": {priya, site, s.Lead, "new", "new", handoff.ErrInvalid},
		} {
			if _, err := db.SetStage(t.Context(), c.by, c.site, c.lead, c.from, c.to, handoff.DefaultPipeline()); !errors.Is(err, c.want) || errors.Is(err, handoff.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if d := db.lead(s.Lead); d.Stage != "new" || d.Manual != nil || len(d.History) != 1 || len(db.worked(s.Lead)) != 0 {
			t.Fatalf("what was refused left %+v and %+v", d, db.worked(s.Lead))
		}

		heard, stop := db.Feed().Listen(store.TopicLead(site, string(s.Lead)))
		defer stop()
		c, err := db.setStage(s.Lead, "new", "contacted")
		if err != nil {
			t.Fatal(err)
		}
		<-heard
		d, acts := db.lead(s.Lead), db.worked(s.Lead)
		if d.Stage != "contacted" || *d.Manual != (handoff.Manual{Stage: "contacted", Ruled: "new"}) || len(d.History) != 2 {
			t.Errorf("lead %+v", d)
		}
		if h := d.History[1]; h.Cause != c.Cause || h.From != "new" || h.To != "contacted" || !strings.Contains(h.Note, priya.Name) {
			t.Errorf("change %+v", h)
		}
		if len(acts) != 1 || acts[0].ID != c.Cause || acts[0].Actor != priya.Name || acts[0].Action != "lead.stage" || acts[0].Detail != "new → contacted" {
			t.Errorf("acts %+v", acts)
		}
	})
}

// Undoing returns to what a person had set before, then to what the rules say, and is
// refused once anything else moved the lead.
func TestUndoStage(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f", "Dana")
		set := func(from, to handoff.Stage) string {
			t.Helper()
			c, err := db.setStage(s.Lead, from, to)
			db.must(err)
			return c.Cause
		}
		refused := func(cause, why string) {
			t.Helper()
			before := db.lead(s.Lead)
			if _, err := db.undo(s.Lead, cause); !errors.Is(err, handoff.ErrConflict) {
				t.Errorf("%s: %v", why, err)
			}
			if d := db.lead(s.Lead); d.Stage != before.Stage || len(d.History) != len(before.History) {
				t.Errorf("%s: the lead is %+v", why, d.Lead)
			}
		}
		refused("", "nobody set anything")
		first := set("new", "contacted")
		second := set("contacted", "lost")
		refused(first, "another person set it since")
		c, err := db.undo(s.Lead, second)
		if d := db.lead(s.Lead); err != nil || c.From != "lost" || c.To != "contacted" || d.Stage != "contacted" || *d.Manual != (handoff.Manual{Stage: "contacted", Ruled: "new"}) {
			t.Errorf("undone: %+v, %v; lead %+v", c, err, d.Lead)
		}
		refused(second, "undone already")

		third := set("contacted", "lost")
		db.keep(db.event("e1", "u1", handoff.Accepted, s.ID), "d1")
		db.work() // lost is final: it holds
		c, err = db.undo(s.Lead, third)
		if d := db.lead(s.Lead); err != nil || c.To != "booked" || d.Stage != "booked" {
			t.Errorf("what was set before does not hold any more, since a call is booked: %+v, %v", c, err)
		}

		fourth := set("booked", "contacted")
		e := db.event("e2", "u1", handoff.Cancelled, "")
		db.keep(e, "d2")
		db.work()
		if got := db.lead(s.Lead).Stage; got != "rebook" {
			t.Fatalf("the lead is %s", got)
		}
		refused(fourth, "a fact moved it since")
		// A person was before the webhook: without the person's word it would stand there too.
		other := db.submit("f2", "Bea")
		early, err := db.setStage(other.Lead, "new", "booked")
		db.must(err)
		db.keep(db.event("e3", "u3", handoff.Accepted, other.ID), "d3")
		db.work()
		if _, err := db.undo(other.Lead, early.Cause); !errors.Is(err, handoff.ErrConflict) || len(db.lead(other.Lead).History) != 2 {
			t.Errorf("undone to where it stands: %v, %+v", err, db.lead(other.Lead).History)
		}
		if acts := db.worked(s.Lead); len(acts) != 6 || acts[1].Action != "lead.stage.undo" {
			t.Errorf("acts %+v", acts)
		}
	})
}

// Each stage that was set by hand is taken back in its turn, the last first, also where one
// was set again between, until the rules alone speak.
func TestUndoStageAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f", "Dana")
		at := handoff.Stage("new")
		var last handoff.Change
		set := func(to handoff.Stage) {
			t.Helper()
			var err error
			last, err = db.setStage(s.Lead, at, to)
			db.must(err)
			at = to
		}
		undo := func(want handoff.Stage) {
			t.Helper()
			var err error
			if last, err = db.undo(s.Lead, last.Cause); err != nil || last.To != want {
				t.Fatalf("from %s undone to %q, want %s: %v", at, last.To, want, err)
			}
			at = want
			d := db.lead(s.Lead)
			if d.Stage != want || (d.Manual == nil) != (want == "new") {
				t.Errorf("undone: %+v", d.Lead)
			}
		}
		set("contacted")
		set("requested")
		set("contacted")
		set("won")
		undo("contacted")
		undo("requested")
		set("lost")
		undo("requested")
		undo("contacted")
		undo("new")
		if _, err := db.undo(s.Lead, last.Cause); !errors.Is(err, handoff.ErrConflict) {
			t.Errorf("nothing is left to undo: %v", err)
		}
	})
}

// A fact that comes after a person's word, though it happened before, moves the lead
// only if it says something that was not known then; a final stage holds.
func TestLateFactAfterAPersonsWord(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		for i, c := range []struct {
			set   handoff.Stage
			late  handoff.Status
			stage handoff.Stage
		}{
			{"contacted", handoff.Accepted, "contacted"}, // told again, by an earlier event
			{"contacted", handoff.Cancelled, "rebook"},
			{"won", handoff.Cancelled, "won"},
		} {
			s := db.submit(fmt.Sprint("f", i), "Dana")
			uid := fmt.Sprint("u", i)
			early := db.event(fmt.Sprint("early", i), uid, c.late, s.ID)
			db.pass(time.Hour)
			db.keep(db.event(fmt.Sprint("known", i), uid, handoff.Accepted, s.ID), fmt.Sprint("known", i))
			db.work()
			if _, err := db.setStage(s.Lead, "booked", c.set); err != nil {
				t.Fatal(err)
			}
			db.keep(early, fmt.Sprint("early", i))
			db.work()
			d := db.lead(s.Lead)
			if d.Stage != c.stage || d.Manual.Stage != c.set || d.Manual.Ruled != "booked" {
				t.Errorf("%s, then late %s: %s, want %s", c.set, c.late, d.Stage, c.stage)
			}
		}
	})
}

// Facts and persons that come at once lose nothing: each change goes on from the one
// before, one person of many is first, and the lead ends where the rules say it does
// after all of them.
func TestFactsAndPersonsAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		pipeline := handoff.DefaultPipeline()
		for round := range 15 {
			s := db.submit(fmt.Sprint("f", round), "Dana")
			uid := fmt.Sprint("u", round)
			db.keep(db.event("a"+uid, uid, handoff.Accepted, s.ID), "a"+uid)
			var wg sync.WaitGroup
			var mu sync.Mutex
			done := map[handoff.Stage]int{} // by where it was seen
			for _, from := range []handoff.Stage{"new", "booked", "rebook"} {
				for _, to := range []handoff.Stage{"contacted", "contacted", "met"} {
					wg.Go(func() {
						_, err := db.setStage(s.Lead, from, to)
						if err != nil && !errors.Is(err, handoff.ErrConflict) {
							t.Error(err)
						}
						if err == nil {
							mu.Lock()
							defer mu.Unlock()
							done[from]++
						}
					})
				}
			}
			wg.Go(func() {
				db.work()
				db.keep(db.event("c"+uid, uid, handoff.Cancelled, ""), "c"+uid)
				db.work()
			})
			wg.Wait()
			db.work()
			d := db.lead(s.Lead)
			for i, c := range d.History[1:] {
				if c.From != d.History[i].To {
					t.Errorf("the history has a gap: %+v", d.History)
				}
			}
			if want := pipeline.Progress(d.Manual, d.Bookings).Stage; d.Stage != want || d.History[len(d.History)-1].To != want || d.Bookings[0].Status != handoff.Cancelled {
				t.Errorf("the lead is %s, want %s: %+v", d.Stage, want, d)
			}
			acts := 0
			for from, n := range done {
				if acts += n; n > 1 {
					t.Errorf("%d persons moved it from %s", n, from)
				}
			}
			if got := len(db.worked(s.Lead)); got != acts {
				t.Errorf("%d acts, want %d", got, acts)
			}
		}
	})
}

// Who writes a note may delete it, and an owner; the audit log keeps both, and not the
// text.
func TestNotes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx, s := t.Context(), db.submit("f", "Dana")
		other := handoff.Actor{Name: "omar@example.com", Role: handoff.RoleOperator}
		for _, c := range []struct {
			by   handoff.Actor
			site string
			lead handoff.LeadID
			text string
			want error
		}{
			{vera, site, s.Lead, "x", handoff.ErrForbidden},
			{priya, "other", s.Lead, "x", handoff.ErrNotFound},
			{priya, site, "lead_x", "x", handoff.ErrNotFound},
			{priya, site, s.Lead, " \n ", handoff.ErrInvalid},
			{priya, site, s.Lead, "a\x00b", handoff.ErrInvalid},
			{priya, site, s.Lead, strings.Repeat("é", handoff.MaxNote+1), handoff.ErrInvalid},
		} {
			if _, err := db.AddNote(ctx, c.by, c.site, c.lead, c.text); !errors.Is(err, c.want) {
				t.Errorf("%.10q by %s: %v", c.text, c.by.Name, err)
			}
		}
		var ids []string
		for _, text := range []string{" Called,\r\nnobody there ", strings.Repeat("é", handoff.MaxNote), "third"} {
			n, err := db.AddNote(ctx, priya, site, s.Lead, text)
			db.must(err)
			ids = append(ids, n.ID)
		}
		d := db.lead(s.Lead)
		if len(d.Notes) != 3 || d.Notes[0].Text != "Called,\nnobody there" || d.Notes[0].Author != priya.Name || !d.Notes[0].At.Equal(db.now()) {
			t.Fatalf("notes %+v", d.Notes)
		}
		for _, c := range []struct {
			by   handoff.Actor
			id   string
			want error
		}{
			{other, ids[0], handoff.ErrForbidden},
			{vera, ids[0], handoff.ErrForbidden},
			{priya, "note_x", handoff.ErrNotFound},
			{priya, ids[0], nil},
			{priya, ids[0], handoff.ErrNotFound},
			{olga, ids[1], nil},
		} {
			if err := db.DeleteNote(ctx, c.by, site, s.Lead, c.id); !errors.Is(err, c.want) {
				t.Errorf("%s deletes %s: %v", c.by.Name, c.id, err)
			}
		}
		if d := db.lead(s.Lead); len(d.Notes) != 1 || d.Notes[0].Text != "third" {
			t.Errorf("left %+v", d.Notes)
		}
		acts := db.worked(s.Lead)
		if len(acts) != 5 || acts[0].Action != "note.delete" || acts[0].Actor != olga.Name || acts[0].Detail != ids[1] {
			t.Errorf("acts %+v", acts)
		}
		for _, a := range acts {
			if strings.Contains(a.Detail, "nobody") {
				t.Errorf("the audit log has the text: %+v", a)
			}
		}
	})
}

// A view is its operator's own, and goes with the operator. What they do with one is an
// act, without what it looks for; what was refused is none.
func TestViews(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx := t.Context()
		for _, email := range []string{"a@example.com", "b@example.com"} {
			db.must(db.PutUser(ctx, store.User{Email: email, PasswordHash: "x"}))
		}
		a, other := handoff.Actor{Name: "a@example.com"}, handoff.Actor{Name: "b@example.com"}
		put := func(name, query string) error {
			return db.PutView(ctx, a, store.View{Name: name, Query: query})
		}
		db.must(put(" Won ", "stage=won"))
		db.must(put("Lost", "stage=lost"))
		db.must(put("Won", "stage=won&site=acme"))
		for _, c := range [][2]string{{"", "x"}, {strings.Repeat("x", 61), "x"}, {"x", strings.Repeat("x", 3000)}} {
			if err := put(c[0], c[1]); !errors.Is(err, handoff.ErrInvalid) {
				t.Errorf("%.5q: %v", c, err)
			}
		}
		got, err := db.Views(ctx, "a@example.com")
		if err != nil || len(got) != 2 || got[0] != (store.View{Name: "Lost", Query: "stage=lost"}) || got[1] != (store.View{Name: "Won", Query: "stage=won&site=acme"}) {
			t.Errorf("views %+v, %v", got, err)
		}
		if err := db.DeleteView(ctx, other, "Won"); !errors.Is(err, handoff.ErrNotFound) {
			t.Errorf("somebody else's: %v", err)
		}
		db.must(db.DeleteView(ctx, a, "Won"))
		db.must(put("Dana", "q=dana%40example.com"))
		db.must(db.DeleteView(ctx, a, "Dana"))
		want := []string{
			"view.save of a@example.com by a@example.com: “Won”", "view.save of a@example.com by a@example.com: “Lost”",
			"view.save of a@example.com by a@example.com: “Won”", "view.delete of a@example.com by a@example.com: “Won”",
			"view.save of a@example.com by a@example.com: one that looks for a text", "view.delete of a@example.com by a@example.com: one that looks for a text",
		}
		acts := slices.DeleteFunc(db.acts(), func(act string) bool { return !strings.HasPrefix(act, "view.") })
		if !slices.Equal(acts, want) {
			t.Errorf("acts %q", acts)
		}
		for i := range 49 {
			db.must(put(fmt.Sprint("v", i), ""))
		}
		if err := put("one more", ""); !errors.Is(err, handoff.ErrInvalid) {
			t.Errorf("51 views: %v", err)
		}
		if acts := strings.Join(db.acts(), "\n"); strings.Contains(acts, "one more") {
			t.Errorf("what was refused is an act:\n%s", acts)
		}
		db.must(db.Exec(ctx, `DELETE FROM users WHERE email = 'a@example.com'`))
		if got, err := db.Views(ctx, "a@example.com"); err != nil || len(got) != 0 {
			t.Errorf("left %+v, %v", got, err)
		}
	})
}
