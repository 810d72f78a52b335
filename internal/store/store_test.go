package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A harness is a store with a clock that the test moves.
type harness struct {
	*store.DB
	t    *testing.T
	mu   sync.Mutex
	at   time.Time
	url  string
	path string // of the file; empty where there is none
	make func(t *testing.T) (url, path string)
}

// onEachEngine runs a test on every engine there is.
func onEachEngine(t *testing.T, test func(t *testing.T, db *harness)) {
	t.Helper()
	run := func(engine string, make func(t *testing.T) (url, path string)) {
		t.Run(engine, func(t *testing.T) {
			h := &harness{t: t, at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
			h.make = make
			h.renew()
			h.open()
			t.Cleanup(func() { h.Close() })
			test(t, h)
		})
	}
	run("sqlite", func(t *testing.T) (url, path string) {
		path = filepath.Join(t.TempDir(), "handoff.db")
		return "sqlite:" + path, path
	})
	run("postgres", func(t *testing.T) (url, path string) { return newPostgres(t), "" })
}

// renew gives the harness another, empty store, which open opens.
func (h *harness) renew() { h.url, h.path = h.make(h.t) }

func (h *harness) open() {
	h.t.Helper()
	db, err := store.Open(h.t.Context(), h.url, store.Options{Now: h.now})
	if err != nil {
		h.t.Fatal(err)
	}
	h.DB = db
}

func (h *harness) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *harness) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

const site = "acme"

func (h *harness) submit(form, name string) handoff.Submission {
	h.t.Helper()
	s, err := h.CreateLead(h.t.Context(), handoff.Submission{Site: site, Service: "s", Form: form, Name: name, Email: "a@example.com"}, handoff.DefaultPipeline())
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// event makes a verified event of a booking that carries a submission's reference.
func (h *harness) event(id, uid string, status handoff.Status, carried handoff.SubmissionID) handoff.Event {
	o := &handoff.Observation{
		ID: id, Site: site, Source: handoff.FromEvent, Trigger: "BOOKING_CREATED", UID: uid, At: h.now(), Digest: id, Status: status,
		Start: h.now().Add(48 * time.Hour), End: h.now().Add(49 * time.Hour),
	}
	if carried != "" {
		o.Carried = []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: carried}}
	}
	return handoff.Event{ID: id, Site: site, Trigger: o.Trigger, CreatedAt: o.At, Observation: o}
}

func (h *harness) delivery(digest string) handoff.Delivery {
	return handoff.Delivery{Site: site, Digest: digest, Signature: "sig-" + digest, ContentType: "application/json", Body: []byte(`{"a":1}`), Source: "s1", ReceivedAt: h.now()}
}

func (h *harness) keep(e handoff.Event, digest string) bool {
	h.t.Helper()
	isNew, err := h.KeepEvent(h.t.Context(), h.delivery(digest), e)
	if err != nil {
		h.t.Fatal(err)
	}
	return isNew
}

// work does what is due and returns how much it was.
func (h *harness) work() int {
	h.t.Helper()
	n := 0
	for {
		done, err := h.Reconcile(h.t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10)
		if err != nil {
			h.t.Fatal(err)
		}
		if done == 0 {
			return n
		}
		n += done
	}
}

func (h *harness) lead(id handoff.LeadID) store.LeadDetail {
	h.t.Helper()
	d, err := h.Lead(h.t.Context(), nil, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

func (h *harness) waiting() []store.FailureView {
	h.t.Helper()
	list, err := h.Failures(h.t.Context(), store.FailureFilter{Limit: 5000})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// The same form sent twice is one submission; sent again with a correction it is
// a second submission of the same lead.
func TestFormSentAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		first := db.submit("f1", "Dana")
		again := db.submit("f1", "Dana")
		if again.ID != first.ID || again.Lead != first.Lead {
			t.Errorf("sent twice: %v %v, want the same", first, again)
		}
		corrected := db.submit("f1", "Dana Whitfield")
		if corrected.ID == first.ID || corrected.Lead != first.Lead {
			t.Errorf("corrected: %v, want another submission of %s", corrected, first.Lead)
		}
		if other := db.submit("f2", "Dana"); other.Lead == first.Lead {
			t.Error("another form must open another lead")
		}
		d := db.lead(first.Lead)
		if len(d.Submissions) != 2 || d.Name != "Dana Whitfield" || len(d.History) != 1 {
			t.Errorf("lead %+v", d)
		}
		for i := range 20 {
			_, err := db.CreateLead(t.Context(), handoff.Submission{Site: site, Form: "f1", Name: fmt.Sprint(i)}, handoff.DefaultPipeline())
			if err != nil {
				if !errors.Is(err, handoff.ErrInvalid) {
					t.Errorf("error %v, want ErrInvalid", err)
				}
				return
			}
		}
		t.Error("one form made more than 20 submissions")
	})
}

// However often, and however concurrently, one fact is delivered, the lead moves once.
func TestOneFactMovesALeadOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		var wg sync.WaitGroup
		var mu sync.Mutex
		news := 0
		for i := range 32 {
			wg.Go(func() {
				// The same event in eight different bodies, each four times.
				isNew, err := db.KeepEvent(t.Context(), db.delivery(fmt.Sprint(i%8)), db.event("e1", "u1", handoff.Accepted, s.ID))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if isNew {
					news++
				}
				if _, err := db.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		db.work()
		d := db.lead(s.Lead)
		if news != 1 || d.Stage != "booked" || len(d.History) != 2 || len(d.Bookings) != 1 {
			t.Errorf("%d new, stage %s, history %+v", news, d.Stage, d.History)
		}
		if f := db.waiting(); len(f) != 0 {
			t.Errorf("failures %+v", f)
		}
	})
}

// An event's ID is unique within its site, not across sites: one site cannot use
// up another's.
func TestEventIDsAreASitesOwn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.keep(db.event("e1", "u1", handoff.Accepted, ""), "d1")
		e, d := db.event("e1", "u1", handoff.Accepted, ""), db.delivery("d1")
		e.Site, e.Observation.Site, d.Site = "other", "other", "other"
		isNew, err := db.KeepEvent(t.Context(), d, e)
		if err != nil || !isNew {
			t.Errorf("new %v, %v; want a new event of the other site", isNew, err)
		}
	})
}

// The unverified part of the queue is bounded for each source and site, counts
// what is over, and pushes nothing verified out.
func TestUnverifiedIsBounded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.keep(db.event("e1", "u1", handoff.Accepted, ""), "real")
		db.work() // waits: no reference
		keep := func(source string, i int) {
			d := db.delivery(fmt.Sprint(source, i))
			d.Source = source
			if err := db.KeepUnverified(t.Context(), d, handoff.SignatureWrong, ""); err != nil {
				t.Error(err)
			}
		}
		for i := range 230 {
			keep("flooder", i)
		}
		keep("somebody else", 1)
		count := map[handoff.Reason]int{}
		for _, f := range db.waiting() {
			count[f.Reason]++
			if f.Reason == handoff.UnverifiedFlood && f.Deliveries != 30 {
				t.Errorf("flood counts %d, want 30", f.Deliveries)
			}
		}
		if count[handoff.SignatureWrong] != 201 || count[handoff.UnverifiedFlood] != 1 || count[handoff.NoReference] != 1 {
			t.Errorf("entries %v, want 200 of the flooder, 1 of somebody else, 1 flood, 1 verified", count)
		}
		heard, stop := db.Feed().Listen(store.TopicLeads)
		defer stop()
		keep("flooder", 999)
		select {
		case <-heard:
			t.Error("what is only counted wakes every page")
		default:
		}
		var all sync.WaitGroup
		for n := range 6 {
			all.Go(func() {
				for i := range 200 {
					keep(fmt.Sprint("source", n), i)
				}
			})
		}
		all.Wait()
		if n := len(db.waiting()); n > 1002 {
			t.Errorf("%d entries of one site, want at most 1,000 unverified", n)
		}
	})
}

// The same bytes, first unverified because a secret was wrong, then verified,
// settle the entry and are applied.
func TestVerifiedLaterSettles(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		if err := db.KeepUnverified(t.Context(), db.delivery("d1"), handoff.SignatureWrong, ""); err != nil {
			t.Fatal(err)
		}
		if !db.keep(db.event("e1", "u1", handoff.Accepted, s.ID), "d1") {
			t.Error("the verified event must be new")
		}
		db.work()
		if f := db.waiting(); len(f) != 0 || db.lead(s.Lead).Stage != "booked" {
			t.Errorf("open %+v, stage %s", f, db.lead(s.Lead).Stage)
		}
		// And the other way round: known bytes with a false signature are told, and change nothing.
		if err := db.KeepUnverified(t.Context(), db.delivery("d1"), handoff.SignatureMissing, ""); err != nil {
			t.Fatal(err)
		}
		if f := db.waiting(); len(f) != 1 || f[0].Reason != handoff.SignatureMissing {
			t.Errorf("open %+v, want signature_missing", f)
		}
	})
}

// A booking that passes to another lead, because an earlier fact came late,
// leaves the first lead as if it had never been there; both histories say why.
func TestLateFactMovesABooking(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		dana, mallory := db.submit("f1", "Dana"), db.submit("f2", "Mallory")
		original := db.event("e1", "u1", handoff.Accepted, dana.ID)
		db.pass(time.Hour)
		moved := db.event("e2", "u2", handoff.Accepted, mallory.ID)
		moved.Observation.Predecessor, moved.Observation.Sequence = "u1", 1

		db.keep(moved, "d2")
		db.work()
		if got := db.lead(mallory.Lead).Stage; got != "booked" {
			t.Fatalf("mallory %s, want booked: nothing else is known yet", got)
		}
		db.keep(original, "d1")
		db.work()
		if d, m := db.lead(dana.Lead), db.lead(mallory.Lead); d.Stage != "booked" || m.Stage != "new" || len(m.Bookings) != 0 || len(m.History) != 3 {
			t.Errorf("dana %s, mallory %s %+v", d.Stage, m.Stage, m.History)
		}
		if f := db.waiting(); len(f) != 2 || f[0].Reason != handoff.OtherLead {
			t.Errorf("failures %+v, want both bookings to wait for a person", f)
		}
	})
}

// Two bookings of one chain can be due at once; who reconciles holds the site's
// turn before reading, so that who read first cannot write last. Who does not get
// it does nothing and holds up nobody.
func TestReconcileTakesTurns(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		if db.path != "" {
			return // one writer: TestOneFactMovesALeadOnce
		}
		db.keep(db.event("e1", "u1", handoff.Accepted, ""), "d1")
		release := db.HoldTurn(t.Context(), "reconcile/"+site)
		if n, err := db.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10); n != 0 || err != nil {
			t.Errorf("did %d, %v: it did not wait for its turn", n, err)
		}
		release()
		if db.work() != 1 {
			t.Error("the work is lost")
		}
	})
}

// A double click sends a form twice at once: one lead, one submission.
func TestDoubleClick(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		var wg sync.WaitGroup
		ids := make([]handoff.SubmissionID, 16)
		for i := range ids {
			wg.Go(func() {
				s, err := db.CreateLead(t.Context(), handoff.Submission{Site: site, Form: "f1", Name: "Dana", Email: "a@example.com"}, handoff.DefaultPipeline())
				if err != nil {
					t.Error(err)
				}
				ids[i] = s.ID
			})
		}
		wg.Wait()
		slices.Sort(ids)
		leads, err := db.Leads(t.Context(), store.LeadFilter{})
		if err != nil || len(leads) != 1 || len(slices.Compact(ids)) != 1 {
			t.Errorf("%d leads, submissions %v, %v", len(leads), ids, err)
		}
	})
}

// Several workers on one store, as in several replicas, end where one would: each
// chain of bookings, delivered in parallel and worked at once, is whole.
func TestManyWorkers(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		const leads, moves, workers = 8, 4, 4
		var subs []handoff.Submission
		events := make(chan handoff.Event, leads*moves)
		for l := range leads {
			subs = append(subs, db.submit(fmt.Sprint("f", l), fmt.Sprint("Lead ", l)))
		}
		for m := range moves {
			for l, s := range subs {
				e := db.event(fmt.Sprint("e", l, "-", m), fmt.Sprint("u", l, "-", m), handoff.Accepted, "")
				e.Observation.Sequence, e.Observation.At = m, e.Observation.At.Add(time.Duration(m)*time.Hour)
				if m == 0 {
					e.Observation.Carried = []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: s.ID}}
				} else {
					e.Observation.Predecessor = fmt.Sprint("u", l, "-", m-1)
				}
				events <- e
			}
		}
		close(events)
		var delivering, working sync.WaitGroup
		delivered := make(chan struct{})
		for range workers {
			delivering.Go(func() {
				for e := range events {
					if _, err := db.KeepEvent(t.Context(), db.delivery(e.ID), e); err != nil {
						t.Error(err)
					}
				}
			})
			replica := db.DB
			if db.path == "" { // a file has one process, a server has many
				var err error
				if replica, err = store.Open(t.Context(), db.url, store.Options{Now: db.now}); err != nil {
					t.Fatal(err)
				}
				defer replica.Close()
			}
			working.Go(func() {
				for ended := false; ; {
					done, err := replica.Reconcile(t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 3)
					if err != nil {
						t.Error(err)
						return
					}
					if done == 0 && ended {
						return
					}
					select {
					case <-delivered:
						ended = true
					default:
					}
				}
			})
		}
		delivering.Wait()
		close(delivered)
		working.Wait()
		db.work()
		for l, s := range subs {
			d := db.lead(s.Lead)
			live := 0
			for _, b := range d.Bookings {
				if b.Live() {
					live++
				}
			}
			if len(d.Bookings) != moves || live != 1 || d.Stage != "booked" || len(d.History) != 2 {
				t.Errorf("lead %d: %d bookings, %d live, %s, history %+v", l, len(d.Bookings), live, d.Stage, d.History)
			}
		}
		if f := db.waiting(); len(f) != 0 {
			t.Errorf("failures %+v", f)
		}
	})
}

// A lead can come back to a stage; each move has a cause of its own, which is what
// was new, and no cause moves it to one stage twice.
func TestLeadComesBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		for i, e := range []handoff.Event{
			db.event("e1", "u1", handoff.Accepted, s.ID),
			db.event("e2", "u2", handoff.Requested, s.ID), // a second call, which speaks as the newer one
			db.event("e3", "u2", handoff.Rejected, s.ID),  // and now the first again
		} {
			e.Observation.At = e.Observation.At.Add(time.Duration(i) * time.Minute)
			db.keep(e, fmt.Sprint(i))
			db.work()
		}
		var got []string
		for _, c := range db.lead(s.Lead).History {
			got = append(got, string(c.To)+" "+strings.Replace(c.Cause, string(s.ID), "form", 1))
		}
		if want := []string{"new form", "booked e1", "requested e2", "booked e3"}; !slices.Equal(got, want) {
			t.Errorf("history %q, want %q", got, want)
		}
	})
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		db.keep(db.event("e1", "u1", handoff.Accepted, s.ID), "e1")
		db.work()
		for i, id := range []string{"marked", "taken back", "marked again"} {
			absent := i != 1
			e := db.event(id, "u1", "", "")
			e.Observation.At = e.Observation.At.Add(time.Duration(i+1) * time.Hour)
			e.Observation.Attendees = []handoff.Person{{Email: "a@example.com", NoShow: &absent}}
			db.keep(e, id)
			db.work()
		}
		var got []string
		for _, c := range db.lead(s.Lead).History[1:] {
			got = append(got, string(c.To)+" "+c.Cause)
		}
		if want := []string{"booked e1", "no_show marked", "booked taken back", "no_show marked again"}; !slices.Equal(got, want) {
			t.Errorf("history %q, want %q", got, want)
		}
	})
}

// What is acknowledged survives a power cut: every writing connection syncs fully,
// also after a reconciliation, which does not; and the reading ones cannot write.
func TestDurable(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		for i := range 20 {
			db.keep(db.event(fmt.Sprint("e", i), fmt.Sprint("u", i), handoff.Accepted, ""), fmt.Sprint("d", i))
			db.work()
		}
		if db.path == "" {
			if got := db.Setting(t.Context(), "SHOW synchronous_commit"); got != "on" {
				t.Errorf("synchronous_commit %s, want on", got)
			}
			return
		}
		if got := db.Setting(t.Context(), "PRAGMA synchronous"); got != "2" {
			t.Errorf("synchronous %s, want 2 (FULL)", got)
		}
		if got := db.Setting(t.Context(), "PRAGMA journal_mode"); got != "wal" {
			t.Errorf("journal_mode %s, want wal", got)
		}
		if err := db.ExecReading(t.Context(), `DELETE FROM leads`); err == nil {
			t.Error("a reading connection can write")
		}
	})
}

// What is stored survives closing; a store of a newer version is refused; the
// file is nobody else's to read.
func TestOpen(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f1", "Dana")
		db.keep(db.event("e1", "u1", handoff.Accepted, s.ID), "d1")
		db.Close()
		db.open()
		if db.work() != 1 || db.lead(s.Lead).Stage != "booked" {
			t.Error("work or lead lost by closing")
		}
		if db.path != "" {
			info, err := os.Stat(db.path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
			}
		}
		if err := db.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
			t.Fatal(err)
		}
		db.Close()
		_, err := store.Open(t.Context(), db.url, store.Options{})
		if !errors.Is(err, handoff.ErrInvalid) || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("a newer store: %v", err)
		}
	})
	odd, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "odd # name?.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	odd.Close()
	if _, err := store.Open(t.Context(), "mysql://x", store.Options{}); !errors.Is(err, handoff.ErrInvalid) {
		t.Errorf("unknown engine: %v", err)
	}
}

// A store that is gone says that it is unavailable, and nothing half-done stays.
func TestUnavailable(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := db.KeepEvent(ctx, db.delivery("d1"), db.event("e1", "u1", handoff.Accepted, "")); !errors.Is(err, handoff.ErrUnavailable) {
			t.Errorf("cancelled: %v", err)
		}
		if db.work() != 0 || len(db.waiting()) != 0 {
			t.Error("something of the cancelled write stayed")
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
}

// The queue's bodies come back as they were stored.
func TestFailureDetail(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		d := db.delivery("d1")
		d.Body = []byte(`{"long":"` + strings.Repeat("x", 20000) + `"}`)
		if err := db.KeepNotUnderstood(t.Context(), d, handoff.UnknownShape, "no payload"); err != nil {
			t.Fatal(err)
		}
		f, err := db.Failure(t.Context(), nil, db.waiting()[0].ID)
		if err != nil || len(f.Received) != 1 || f.Received[0].Body != string(d.Body) || f.Detail != "no payload" {
			t.Errorf("detail %+v, %v", f, err)
		}
		if _, err := db.Failure(t.Context(), nil, "fail_nobody"); !errors.Is(err, handoff.ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
	})
}

// Whoever listens hears of a change, and many changes unheard are one.
func TestFeed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		heard, stop := db.Feed().Listen(store.TopicDue)
		db.keep(db.event("e1", "u1", handoff.Accepted, ""), "d1")
		db.keep(db.event("e2", "u1", handoff.Accepted, ""), "d2")
		<-heard
		select {
		case <-heard:
			t.Error("two words for one unread")
		default:
		}
		stop()
		db.keep(db.event("e3", "u1", handoff.Accepted, ""), "d3")
		select {
		case <-heard:
			t.Error("heard after stopping")
		default:
		}
	})
}
