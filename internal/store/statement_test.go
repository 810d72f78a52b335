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
	s, err := h.Statement(h.t.Context(), site, h.now().Add(-24*time.Hour), h.now().Add(time.Second), handoff.Rules{EventTypes: []int64{7}})
	if err != nil {
		h.t.Fatal(err)
	}
	return &s
}

// swept does a sweep of one page.
func (h *harness) swept(s store.Swept) {
	h.t.Helper()
	s.Size = len(s.Observations) + len(s.Unread)
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
		n, err := h.Reconcile(h.t.Context(), site, rules, 100)
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
		if got := open.Sentence(); got != "1 of 3 bookings accounted for: 1 tied to leads, 2 not accounted for, or not yet. Beside them 1 of event types that no service of the site has." {
			t.Error("before it is worked: ", got)
		}
		db.work()
		for range 2 { // a sweep that shows them again changes nothing
			db.pass(time.Minute)
			s := db.statement()
			if got := s.Sentence(); got != "3 of 3 bookings accounted for: 2 tied to leads, 1 in the failure queue. Beside them 1 of event types that no service of the site has." {
				t.Error(got)
			}
			for i, want := range []struct {
				uid     string
				account handoff.Account
				told    handoff.Told
				lead    handoff.LeadID
			}{
				{"lost", handoff.AccountTied, handoff.ToldNever, dana.Lead},
				{"heard", handoff.AccountTied, handoff.ToldInTime, omar.Lead},
				{"nobodys", handoff.AccountQueued, handoff.ToldNever, ""},
				{"", handoff.AccountOtherType, handoff.ToldNever, ""},
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
		if got := s.Sentence(); got != "3 of 3 bookings accounted for: 3 tied to leads. Beside them 1 of event types that no service of the site has." || s.Untold(handoff.ToldLate) != 1 || s.Untold(handoff.ToldNever) != 1 {
			t.Error(got, s.Untold(handoff.ToldLate), s.Untold(handoff.ToldNever))
		}
		if _, err := db.Statement(t.Context(), site, time.Time{}, db.now(), handoff.Rules{}); !errors.Is(err, handoff.ErrInvalid) {
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
		s, err := db.Statement(t.Context(), site, midnight, midnight.Add(24*time.Hour), handoff.Rules{})
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
		trials := 600 // more than one statement can name
		if testing.Short() {
			trials = 60
		}
		var many []handoff.Observation
		for i := range trials {
			many = append(many, db.made(fmt.Sprint("trial", i), 7, db.now(), ""))
		}
		db.swept(store.Swept{Observations: append(many, db.made("u", 7, db.now(), "")), Last: db.now()})
		db.workBy(handoff.Rules{})
		if n := len(db.waiting()); n != trials+1 {
			t.Fatalf("%d wait without a rule", n)
		}
		apply(rules)
		if n := len(db.waiting()); n != 0 {
			t.Errorf("%d wait, which a rule ignores", n)
		}
		if got := db.statement().ByRule(); got["trial"] != trials+1 {
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
		if n := len(db.waiting()); n != trials+1 {
			t.Errorf("%d wait once the rule is gone", n)
		}
		apply(rules)

		db.keep(db.event("e1", "u", handoff.Accepted, dana.ID), "d1")
		db.workBy(rules)
		if d := db.lead(dana.Lead); d.Stage != "booked" {
			t.Errorf("dana %s: a rule kept a lead from moving", d.Stage)
		}
		if s := db.statement(); s.Count(handoff.AccountTied) != 1 || s.Count(handoff.AccountIgnored) != trials {
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

// What could not be read waits for a person, once, until it is read; and no statement
// of a time in which it can have been made is whole meanwhile.
func TestUnreadWaits(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		at := db.now().Add(-time.Minute)
		odd := handoff.Unread{At: at, Key: handoff.UnreadKey("odd")}
		nameless := handoff.Unread{At: at.Add(time.Second), Key: handoff.UnreadKey("{...}")}
		page := func(s store.Swept) {
			t.Helper()
			s.Last = db.now()
			db.swept(s)
			db.pass(time.Minute)
		}
		page(store.Swept{Unread: []handoff.Unread{odd, nameless}})
		page(store.Swept{Unread: []handoff.Unread{odd, nameless}}) // the next sweep meets them again
		list := db.waiting()
		if len(list) != 2 || list[0].Reason != handoff.BookingUnreadable || list[0].Deliveries != 1 || !list[0].Verified || list[0].Kind != handoff.FailedSite {
			t.Fatalf("%+v", list)
		}
		whole := func(from, to time.Duration) bool {
			t.Helper()
			s, err := db.Statement(t.Context(), site, at.Add(from), at.Add(to), handoff.Rules{})
			if err != nil {
				t.Fatal(err)
			}
			return s.Complete()
		}
		db.pass(24 * time.Hour)
		page(store.Swept{Unread: []handoff.Unread{odd, nameless}})
		if whole(-time.Minute, time.Minute) || !whole(time.Hour, 2*time.Hour) {
			t.Errorf("whole: before %v, after %v", whole(-time.Minute, time.Minute), whole(time.Hour, 2*time.Hour))
		}

		// One changed, and can be read; of the other its part of the list is read again.
		db.swept(store.Swept{Last: db.now(), Observations: []handoff.Observation{db.made("odd", 7, db.now(), "")}})
		if list = db.waiting(); len(list) != 1 {
			t.Fatalf("%+v", list)
		}
		w, ok, err := db.ClaimSweep(t.Context(), site, at.Add(-time.Hour))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		place, err := db.PlaceOf(t.Context(), site)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.KeepSwept(t.Context(), w, place, store.Swept{Size: 1, Last: db.now()}, nil, every); err != nil {
			t.Fatal(err)
		}
		if list = db.waiting(); len(list) != 0 || !whole(-time.Minute, time.Minute) {
			t.Errorf("%+v, whole %v", list, whole(-time.Minute, time.Minute))
		}
	})
}

// A booking of another event type is nobody's here: its uid is not kept, unless a
// webhook names it, or it carries a reference of ours, when it waits for a person.
func TestOthersBookings(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana := db.submit("f1", "Dana")
		found := store.Swept{Last: db.now(), Observations: []handoff.Observation{
			db.made("friends", 8, db.now(), ""), db.made("named-later", 8, db.now(), ""), db.made("with-reference", 8, db.now(), dana.ID), db.made("wrong-number", 0, db.now(), ""),
		}}
		for range 2 {
			db.swept(found)
			db.work()
		}
		if n := db.Setting(t.Context(), `SELECT count(*) FROM listed WHERE uid IN ('friends', 'named-later')`); n != "0" {
			t.Errorf("%s uids of other people's bookings are kept", n)
		}
		list := db.waiting()
		if len(list) != 1 || list[0].Reason != handoff.OtherEventType || list[0].UID != "with-reference" || list[0].Deliveries != 1 {
			t.Errorf("%+v", list)
		}
		if d := db.lead(dana.Lead); d.Stage != "new" {
			t.Errorf("dana %s", d.Stage)
		}
		s := db.statement()
		if s.Count(handoff.AccountOtherType) != 2 || s.Count(handoff.AccountQueued) != 1 || s.Count(handoff.AccountOpen) != 1 {
			t.Error(s.Sentence())
		}
		rules := handoff.Rules{EventTypes: []int64{7}, Ignore: []handoff.IgnoreRule{{Name: "others", OtherEventTypes: true}}}
		ignored, err := db.Statement(t.Context(), site, db.now().Add(-time.Hour), db.now().Add(time.Second), rules)
		if err != nil || ignored.ByRule()["others"] != 2 {
			t.Errorf("%v, %v", ignored.ByRule(), err)
		}
		own, err := db.Statement(t.Context(), site, db.now().Add(-time.Hour), db.now().Add(time.Second), handoff.Rules{EventTypes: []int64{7, 8}})
		if err != nil || own.Count(handoff.AccountOpen) != 3 || own.Count(handoff.AccountOtherType) != 0 {
			t.Errorf("once a service has the event type: %s, %v", own.Sentence(), err)
		}

		// The account's webhook tells of one after all.
		db.keep(db.event("e1", "named-later", handoff.Accepted, ""), "d1")
		db.work()
		db.pass(time.Hour)
		db.swept(store.Swept{})
		s = db.statement()
		if s.Count(handoff.AccountOtherType) != 1 || s.Count(handoff.AccountQueued) != 2 || len(s.Unlisted) != 0 || len(s.Listed) != 4 {
			t.Errorf("%s %+v", s.Sentence(), s.Unlisted)
		}
		// The number is corrected, and the list read again.
		corrected := store.Swept{Last: db.now(), Observations: []handoff.Observation{db.made("with-reference", 7, db.now(), dana.ID)}}
		db.swept(corrected)
		db.work()
		if d := db.lead(dana.Lead); d.Stage != "booked" {
			t.Errorf("dana %s", d.Stage)
		}
		for _, f := range db.waiting() {
			if f.Reason == handoff.OtherEventType {
				t.Errorf("still open: %+v", f)
			}
		}
	})
}

// What a person said of another event type's booking holds, however often Cal.com's list
// shows it again, until they take it back.
func TestAnotherEventTypeIsDismissedForGood(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana := db.submit("f1", "Dana")
		found := store.Swept{Last: db.now(), Observations: []handoff.Observation{db.made("with-reference", 8, db.now(), dana.ID)}}
		db.swept(found)
		list := db.waiting()
		if len(list) != 1 {
			t.Fatalf("%+v", list)
		}
		r, err := db.Dismiss(t.Context(), priya, site, []handoff.FailureID{list[0].ID}, "")
		db.must(err)
		for range 2 {
			db.pass(time.Hour)
			db.swept(found)
			db.work()
		}
		if list := db.waiting(); len(list) != 0 {
			t.Errorf("it came back: %+v", list)
		}
		if s := db.statement(); s.Count(handoff.AccountOtherType) != 1 || s.Count(handoff.AccountOpen) != 0 {
			t.Error(s.Sentence())
		}
		db.must(db.Undo(t.Context(), priya, site, r.ID))
		db.swept(found)
		if again := db.waiting(); len(again) != 1 || again[0].ID != list[0].ID {
			t.Errorf("taken back: %+v", again)
		}
	})
}

// A booking is listed once, however often its event type comes to a service and leaves it.
func TestBookingComesAndGoes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		at := db.now()
		for _, sequence := range [][]int64{{8, 7, 8, 7}, {7, 8, 7, 8, 8, 7}} {
			for i, eventType := range sequence {
				uid := fmt.Sprint("u", len(sequence))
				db.swept(store.Swept{Last: at, Observations: []handoff.Observation{db.made(uid, eventType, at, "")}})
				db.pass(time.Hour)
				if n := db.Setting(t.Context(), fmt.Sprintf(`SELECT count(*) FROM listed WHERE made_at IS NOT NULL AND uid NOT IN ('u%d')`, 10-len(sequence))); n != "1" {
					t.Errorf("%v, %d: it is listed %s times", sequence, i, n)
				}
			}
			if n := db.Setting(t.Context(), fmt.Sprintf(`SELECT count(*) FROM listed WHERE uid = 'u%d'`, len(sequence))); n != "1" {
				t.Errorf("%v: it is not listed by its uid", sequence)
			}
		}
	})
}

// Who cannot read Cal.com's list is told of once, until it is read.
func TestSweepFails(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		for range 2 {
			if err := db.SiteFails(t.Context(), site, store.SweepSubject, handoff.SweepFailing, "the API refuses our key (401)"); err != nil {
				t.Fatal(err)
			}
		}
		list := db.waiting()
		if len(list) != 1 || list[0].Reason != handoff.SweepFailing || list[0].Deliveries != 1 || !strings.Contains(list[0].Detail, "401") {
			t.Fatalf("%+v", list)
		}
		db.swept(store.Swept{})
		if list = db.waiting(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
	})
}

// A statement knows from when on the list was read without a gap.
func TestStatementKnowsItsGaps(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		start := db.now()
		since := func(want time.Time) {
			t.Helper()
			if s := db.statement(); !s.Since.Equal(want) || !s.AsOf.Equal(db.now().Add(-5*time.Minute)) {
				t.Errorf("read from %s to %s, want from %s to five minutes before %s", s.Since, s.AsOf, want, db.now())
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
		db.pass(store.Lease + time.Second)
		db.page(store.Swept{Size: 1, Last: start.Add(2 * time.Hour)})
		since(back)

		// Who goes back twice has gone back to the earlier time.
		earlier := back.Add(-10 * time.Hour)
		for _, at := range []time.Time{earlier, back.Add(-5 * time.Hour)} {
			if _, ok, err := db.ClaimSweep(t.Context(), site, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
			db.pass(store.Lease + time.Second)
			db.page(store.Swept{Size: 100, Last: back.Add(-time.Hour), More: true})
		}
		db.page(store.Swept{Size: 1, Last: start.Add(2 * time.Hour)})
		since(earlier)
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
		check(handoff.WebhookSilent, "the newest 3 bookings. Deliveries came with a wrong signature; if")
		if err := db.KeepNotUnderstood(t.Context(), db.delivery("template"), handoff.UnknownShape, ""); err != nil {
			t.Fatal(err)
		}
		check(handoff.WebhookSilent, "remove the custom payload template")
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
		db.work()
		if d := db.lead(dana.Lead); d.Stage != "booked" || len(d.History) != 2 {
			t.Errorf("dana %s %+v: the leads are right all the same", d.Stage, d.History)
		}
	})
}
