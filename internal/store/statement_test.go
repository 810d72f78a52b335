package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// made is what the API says of a booking that was made at a time.
func (h *harness) made(uid string, eventType int64, at time.Time, carried handoff.SubmissionID) handoff.Observation {
	o := h.answer(uid, eventType, at, carried)
	o.Made, o.Attendees = at, []handoff.Person{{Email: "somebody@example.com"}}
	return o
}

// statement is the statement of the day until now.
func (h *harness) statement() *handoff.Statement {
	h.t.Helper()
	s, err := h.Statement(h.t.Context(), site, h.now().Add(-24*time.Hour), h.now().Add(time.Second))
	if err != nil {
		h.t.Fatal(err)
	}
	return &s
}

// swept does a sweep of one page.
func (h *harness) swept(s store.Swept) {
	h.t.Helper()
	s.Size = len(s.Observations) + s.Unread
	h.startSweep()
	if _, _, ok := h.page(s); !ok {
		h.t.Fatal("nothing to sweep")
	}
}

// workBy is work with rules of its own.
func (h *harness) workBy(rules handoff.Rules) {
	h.t.Helper()
	rules.Pipeline = handoff.DefaultPipeline()
	for {
		n, err := h.Reconcile(h.t.Context(), site, rules, 10)
		if err != nil {
			h.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// Every booking that Cal.com lists is accounted for, and each account is what became
// of it.
func TestStatement(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana, omar := db.submit("f1", "Dana"), db.submit("f2", "Omar")
		if s := db.statement(); !s.AsOf.IsZero() || s.Complete() || len(s.Listed) != 0 {
			t.Errorf("before a sweep: %+v", s)
		}
		db.keep(db.event("e1", "heard", handoff.Accepted, omar.ID), "d1")
		db.work()
		db.pass(time.Minute)
		at := db.now()
		page := store.Swept{Last: at, Observations: []handoff.Observation{
			db.made("lost", 7, at.Add(-time.Minute), dana.ID), db.made("heard", 7, at, omar.ID), db.made("nobodys", 7, at, ""), db.made("elsewhere", 8, at, ""),
		}}
		db.swept(page)
		open := db.statement()
		if got := open.Sentence(); got != "2 of 4 bookings accounted for: 1 tied to leads, 1 of other event types, 2 being worked." {
			t.Error("before it is worked: ", got)
		}
		db.work()
		for range 2 { // a sweep that shows them again changes nothing
			db.pass(time.Minute)
			s := db.statement()
			if got := s.Sentence(); got != "4 of 4 bookings accounted for: 2 tied to leads, 1 in the failure queue, 1 of other event types." {
				t.Error(got)
			}
			for i, want := range []struct {
				uid     string
				account handoff.Account
				told    handoff.Told
				lead    handoff.LeadID
			}{
				{"lost", handoff.AccountTied, handoff.ToldNever, dana.Lead},
				{"elsewhere", handoff.AccountOtherType, handoff.ToldNever, ""},
				{"heard", handoff.AccountTied, handoff.ToldInTime, omar.Lead},
				{"nobodys", handoff.AccountQueued, handoff.ToldNever, ""},
			} {
				if got := s.Listed[i]; got.UID != want.uid || got.Account() != want.account || got.Told() != want.told || got.Lead() != want.lead || (got.Failure != "") != (want.account == handoff.AccountQueued) {
					t.Errorf("%d: %+v, want %+v", i, got, want)
				}
			}
			db.swept(page)
			db.work()
		}

		// A webhook that comes after all was late; a reference that is found ties it.
		db.pass(time.Hour)
		db.keep(db.event("e2", "nobodys", handoff.Accepted, dana.ID), "d2")
		db.work()
		s := db.statement()
		if got := s.Sentence(); got != "4 of 4 bookings accounted for: 3 tied to leads, 1 of other event types." || s.Untold(handoff.ToldLate) != 1 || s.Untold(handoff.ToldNever) != 1 {
			t.Error(got, s.Untold(handoff.ToldLate), s.Untold(handoff.ToldNever))
		}
		if _, err := db.Statement(t.Context(), site, time.Time{}, db.now()); !errors.Is(err, handoff.ErrInvalid) {
			t.Errorf("of two thousand years: %v", err)
		}
	})
}

// A booking is in the statement of the time when it was made, and in no other.
func TestStatementIsOfATime(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		midnight := db.now().Truncate(24 * time.Hour)
		var observations []handoff.Observation
		for i, at := range []time.Time{midnight.Add(-time.Millisecond), midnight, midnight.Add(24*time.Hour - time.Millisecond), midnight.Add(24 * time.Hour)} {
			observations = append(observations, db.made(fmt.Sprint("u", i), 7, at, ""))
		}
		db.pass(24 * time.Hour)
		db.swept(store.Swept{Observations: observations, Last: db.now()})
		s, err := db.Statement(t.Context(), site, midnight, midnight.Add(24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Listed) != 2 || s.Listed[0].UID != "u1" || s.Listed[1].UID != "u2" {
			t.Errorf("%+v", s.Listed)
		}
	})
}

// What a rule ignores waits for nobody, in whatever order the rule and the booking
// come; and a reference that comes later ties it all the same.
func TestRulesIgnore(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana := db.submit("f1", "Dana")
		rules := handoff.Rules{Ignore: []handoff.IgnoreRule{{Name: "trial", Attendees: []string{"*@example.com"}}}}
		apply := func(rules handoff.Rules) {
			t.Helper()
			if err := db.ApplyRules(t.Context(), site, rules); err != nil {
				t.Fatal(err)
			}
			db.workBy(rules)
		}
		var many []handoff.Observation
		for i := range 600 {
			many = append(many, db.made(fmt.Sprint("trial", i), 7, db.now(), ""))
		}
		db.swept(store.Swept{Observations: append(many, db.made("u", 7, db.now(), "")), Last: db.now()})
		db.workBy(handoff.Rules{})
		if n := len(db.waiting()); n != 601 {
			t.Fatalf("%d wait without a rule", n)
		}
		apply(rules)
		if n := len(db.waiting()); n != 0 {
			t.Errorf("%d wait, which a rule ignores", n)
		}
		if got := db.statement().ByRule(); got["trial"] != 601 {
			t.Errorf("ignored: %v", got)
		}
		if by := db.Setting(t.Context(), `SELECT min(settled_by) FROM failures`); by != "the rule “trial” says that it needs nobody" {
			t.Errorf("settled by %q", by)
		}
		if err := db.ApplyRules(t.Context(), site, rules); err != nil {
			t.Fatal(err)
		}
		if n := db.Setting(t.Context(), `SELECT count(*) FROM due WHERE kind = 'reconcile'`); n != "0" {
			t.Errorf("%s are due, though nothing changed", n)
		}
		apply(handoff.Rules{})
		if n := len(db.waiting()); n != 601 {
			t.Errorf("%d wait once the rule is gone", n)
		}
		apply(rules)

		db.keep(db.event("e1", "u", handoff.Accepted, dana.ID), "d1")
		db.workBy(rules)
		if d := db.lead(dana.Lead); d.Stage != "booked" {
			t.Errorf("dana %s: a rule kept a lead from moving", d.Stage)
		}
		if s := db.statement(); s.Count(handoff.AccountTied) != 1 || s.Count(handoff.AccountIgnored) != 600 {
			t.Error(s.Sentence())
		}
	})
}

// What Cal.com's list does not show, and webhooks told of, is named; but not what the
// list had no time to show, or is older than it was read.
func TestUnlisted(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana := db.submit("f1", "Dana")
		db.keep(db.event("e0", "old", handoff.Accepted, dana.ID), "d0")
		db.work()
		db.pass(10 * time.Hour)
		db.swept(store.Swept{})
		db.keep(db.event("e1", "hidden", handoff.Accepted, dana.ID), "d1")
		db.work()
		db.pass(time.Minute)
		db.swept(store.Swept{})
		if u := db.statement().Unlisted; len(u) != 0 {
			t.Errorf("too early: %+v", u)
		}
		db.pass(10 * time.Minute)
		db.keep(db.event("e2", "fresh", handoff.Accepted, dana.ID), "d2")
		db.work()
		db.swept(store.Swept{})
		u := db.statement().Unlisted
		if len(u) != 1 || u[0].UID != "hidden" || u[0].Lead != dana.Lead {
			t.Errorf("%+v, want the hidden one", u)
		}
		db.swept(store.Swept{Observations: []handoff.Observation{db.made("hidden", 7, db.now().Add(-10*time.Minute), dana.ID)}})
		if u := db.statement().Unlisted; len(u) != 0 {
			t.Errorf("it is listed: %+v", u)
		}
	})
}

// What could not be read waits for a person, once, and no statement is whole meanwhile.
func TestUnreadWaits(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.swept(store.Swept{Unread: 2})
		db.swept(store.Swept{Unread: 1})
		list := db.waiting()
		if len(list) != 1 || list[0].Reason != handoff.BookingUnreadable || list[0].Deliveries != 3 || !list[0].Verified {
			t.Fatalf("%+v", list)
		}
		if s := db.statement(); s.Unread != list[0].ID || s.Complete() {
			t.Errorf("%q, complete %v", s.Unread, s.Complete())
		}
	})
}

// A statement knows from when on the list was read without a gap.
func TestStatementKnowsItsGaps(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		start := db.now()
		since := func(want time.Time) {
			t.Helper()
			if s := db.statement(); !s.Since.Equal(want) || !s.AsOf.Equal(db.now()) {
				t.Errorf("read from %s to %s, want from %s to %s", s.Since, s.AsOf, want, db.now())
			}
		}
		db.startSweep()
		if s := db.statement(); !s.AsOf.IsZero() || !s.Since.IsZero() {
			t.Errorf("under way: %+v", s)
		}
		db.page(store.Swept{})
		since(start.Add(-65 * time.Minute))
		db.pass(time.Hour)
		db.swept(store.Swept{Observations: []handoff.Observation{db.made("u", 7, db.now(), "")}, Last: db.now()})
		since(start.Add(-65 * time.Minute))

		// Going back closes the gap once it has ended, and not before.
		back := start.Add(-20 * time.Hour)
		if _, ok, err := db.ClaimSweep(t.Context(), site, back); !ok || err != nil {
			t.Fatal(ok, err)
		}
		since(start.Add(-65 * time.Minute))
		db.pass(store.Lease + time.Second)
		db.page(store.Swept{Size: 100, Last: back.Add(time.Hour), More: true})
		if s := db.statement(); !s.Since.Equal(start.Add(-65 * time.Minute)) {
			t.Errorf("half way: %s", s.Since)
		}
		db.page(store.Swept{Size: 1, Last: start})
		since(back)

		// Who asks for less than what is under way gets it with the rest.
		if _, ok, err := db.ClaimSweep(t.Context(), site, start.Add(-2*time.Hour)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		db.pass(store.Lease + time.Second)
		db.page(store.Swept{Size: 100, Last: start.Add(time.Minute), More: true})
		if _, ok, err := db.ClaimSweep(t.Context(), site, start.Add(30*time.Minute)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if at, err := db.PlaceOf(t.Context(), site); err != nil || !at.Since.Equal(start.Add(time.Minute)) {
			t.Errorf("the sweep under way goes on at %+v, %v: it was made to skip", at, err)
		}
	})
}

// Of a seated booking every seat counts.
func TestStatementOfSeats(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana := db.submit("f1", "Dana")
		one, two := db.made("class", 7, db.now(), dana.ID), db.made("class", 7, db.now(), "")
		one.ID, one.Seat, two.ID, two.Seat = "api_1", "s1", "api_2", "s2"
		db.swept(store.Swept{Observations: []handoff.Observation{one, two}, Last: db.now()})
		db.work()
		s := db.statement()
		if len(s.Listed) != 1 || len(s.Listed[0].Seats) != 2 || s.Listed[0].Account() != handoff.AccountQueued {
			t.Errorf("%+v", s.Listed)
		}
		leads := []handoff.LeadID{s.Listed[0].Seats[0].Lead, s.Listed[0].Seats[1].Lead}
		if slices.Sort(leads); leads[0] != "" || leads[1] != dana.Lead {
			t.Errorf("%v", leads)
		}
	})
}

// A webhook that is silent is told of with its likely cause, once; and settles itself
// when webhooks come again.
func TestSilentWebhook(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		check := func(want handoff.Reason, detail string) {
			t.Helper()
			for range 2 { // to look again changes nothing
				if err := db.CheckWebhook(t.Context(), site); err != nil {
					t.Fatal(err)
				}
			}
			list, err := db.Failures(t.Context(), store.FailureFilter{Kind: handoff.FailedSite})
			if err != nil {
				t.Fatal(err)
			}
			if want == "" && len(list) == 0 {
				return
			}
			if len(list) != 1 || list[0].Reason != want || !strings.Contains(list[0].Detail, detail) || list[0].Deliveries != 1 {
				t.Fatalf("%+v, want %q with %q", list, want, detail)
			}
		}
		dana := db.submit("f1", "Dana")
		n := 0
		book := func(webhook bool) {
			t.Helper()
			n++
			uid := fmt.Sprint("u", n)
			if webhook {
				db.keep(db.event("e"+uid, uid, handoff.Accepted, dana.ID), "d"+uid)
			}
			db.swept(store.Swept{Last: db.now(), Observations: []handoff.Observation{db.made(uid, 7, db.now(), dana.ID), db.made("other"+uid, 8, db.now(), "")}})
			db.pass(10 * time.Minute)
		}
		check("", "")
		book(false)
		check("", "")
		book(false)
		check(handoff.WebhookSilent, "the newest 2 bookings. Nothing came at all")
		if err := db.KeepUnverified(t.Context(), db.delivery("forged"), handoff.SignatureWrong, ""); err != nil {
			t.Fatal(err)
		}
		book(false)
		check(handoff.WebhookSilent, "the newest 3 bookings. Deliveries came with a wrong signature")
		book(true)
		check("", "")
		if all, _ := db.Failures(t.Context(), store.FailureFilter{Kind: handoff.FailedSite, Settled: true}); len(all) != 1 || all[0].SettledBy != "webhooks come as they should" {
			t.Errorf("%+v", all)
		}
		for range 6 {
			book(true)
		}
		check(handoff.WebhookLossy, "3 of the newest 10 bookings")
		book(false)
		book(false)
		check(handoff.WebhookSilent, "the newest 2 bookings")
		db.startSweep()
		if d := db.lead(dana.Lead); d.Stage != "new" {
			t.Errorf("dana %s: an alarm moved a lead", d.Stage)
		}
	})
}
