package jobs_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/calcom/calsim"
	"handoff/internal/jobs"
	"handoff/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	site    = "acme"
	survey  = 90210 // the site's own event type
	foreign = 5     // somebody else's, at the same Cal.com
	apiKey  = "cal_key"
)

// An office is a store, a Cal.com whose webhooks all get lost, and who asks it.
type office struct {
	t      *testing.T
	db     *store.DB
	sim    *calsim.Sim
	runner *jobs.Runner
	keys   handoff.Keys
	mu     sync.Mutex
	at     time.Time
}

func newOffice(t *testing.T, generation calsim.Generation, seats int) *office {
	f := &office{t: t, at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), keys: handoff.Keys{handoff.Key("a reference key of 32 bytes, test")}}
	var err error
	if f.db, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "h.db"), store.Options{Now: f.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.db.Close() })
	f.sim = calsim.New(calsim.Config{Generation: generation, Now: f.now, APIKey: apiKey, EventTypes: []calsim.EventType{
		{ID: survey, Slug: "survey-call", Seats: seats}, {ID: foreign, Slug: "elsewhere"},
	}})
	t.Cleanup(f.sim.Close)
	server := httptest.NewServer(f.sim)
	t.Cleanup(server.Close)
	f.runner = &jobs.Runner{Store: f.db, Log: slog.New(slog.DiscardHandler), Sites: map[string]jobs.Site{site: {
		Rules: handoff.Rules{Pipeline: handoff.DefaultPipeline(), EventTypes: []int64{survey}}, Trust: calcom.Trust{Site: site, Keys: f.keys},
		API: &calcom.API{Base: server.URL + "/v2", Client: server.Client()},
	}}}
	return f
}

func (f *office) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

func (f *office) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = f.at.Add(d)
}

func (f *office) submit(name string) (handoff.LeadID, string) {
	f.t.Helper()
	s, err := f.db.CreateLead(f.t.Context(), handoff.Submission{Site: site, Form: name, Name: name, Email: name + "@example.com"}, handoff.DefaultPipeline())
	if err != nil {
		f.t.Fatal(err)
	}
	return s.Lead, f.keys.Sign(site, s.ID)
}

func (f *office) book(eventType int, name, reference string) calsim.Booking {
	f.t.Helper()
	b, err := f.sim.Book(calsim.BookRequest{
		EventType: eventType, Start: f.now().Add(48 * time.Hour).Truncate(time.Hour), Name: name, Email: name + "@example.com", TimeZone: "Europe/London",
		Metadata: map[string]string{"submissionId": reference}, Answers: map[string]string{"submissionId": reference},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// ask lets the wait pass, and does all work.
func (f *office) ask(uid string) {
	f.t.Helper()
	if err := f.db.Ask(f.t.Context(), site, uid); err != nil {
		f.t.Fatal(err)
	}
	if f.runner.Once(f.t.Context(), store.KindAsk) != 0 {
		f.t.Error("Cal.com was asked at once; a webhook may still come")
	}
	f.pass(store.AskAfter)
	f.work()
}

func (f *office) work() {
	for f.runner.Once(f.t.Context(), store.KindAsk)+f.runner.Once(f.t.Context(), store.KindReconcile) > 0 {
	}
}

func (f *office) want(id handoff.LeadID, stage handoff.Stage, statuses ...handoff.Status) {
	f.t.Helper()
	d, err := f.db.Lead(f.t.Context(), nil, id)
	if err != nil {
		f.t.Fatal(err)
	}
	var got []handoff.Status
	for _, b := range d.Bookings {
		got = append(got, b.Status)
	}
	slices.Sort(got)
	if d.Stage != stage || !slices.Equal(got, statuses) {
		f.t.Errorf("%s: %s %v, want %s %v; history %+v", d.Name, d.Stage, got, stage, statuses, d.History)
	}
}

// A webhook that never came is made good: the page heard "booked", Cal.com is
// asked, and its answer moves the lead, once.
func TestLostWebhookIsMadeGood(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	dana, ref := f.submit("dana")
	b := f.book(survey, "dana", ref)
	f.ask(b.UID)
	f.want(dana, "booked", handoff.Accepted)
	f.ask(b.UID) // tied already: nobody asks
	f.want(dana, "booked", handoff.Accepted)

	// A reschedule that was lost as well is found from the first booking.
	moved, err := f.sim.Reschedule(b.UID, f.now().Add(72*time.Hour).Truncate(time.Hour), calsim.CarryNothing, "")
	if err != nil {
		t.Fatal(err)
	}
	f.ask(moved.UID)
	f.want(dana, "booked", handoff.Accepted, handoff.Rescheduled)
}

// Who says "booked" may be anybody: what is not a booking of this account, or
// carries nobody's reference, moves no lead.
func TestHintsProveNothing(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	dana, ref := f.submit("dana")
	elsewhere := f.book(foreign, "mallory", ref) // at Mallory's own event type, with Dana's good reference
	f.ask(elsewhere.UID)
	f.want(dana, "new")
	f.ask("nothing-there")
	f.want(dana, "new")

	f.pass(time.Hour)
	forged := f.book(survey, "mallory", ref[:len(ref)-2]+"AA")
	f.ask(forged.UID)
	f.want(dana, "new")
	list, err := f.db.Failures(t.Context(), store.FailureFilter{})
	if err != nil || len(list) != 1 || list[0].Reason != handoff.ReferenceForged {
		t.Errorf("failures %+v, %v; want the forged one only", list, err)
	}
}

// A webhook that names nothing makes us ask Cal.com, whose database still has the
// reference.
func TestEventWithoutReferenceAsks(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	dana, ref := f.submit("dana")
	b := f.book(survey, "dana", ref)
	o := handoff.Observation{ID: "e1", Site: site, Source: handoff.FromEvent, UID: b.UID, At: f.now(), Digest: "d", Status: handoff.Accepted}
	if _, err := f.db.KeepEvent(t.Context(), handoff.Delivery{Site: site, Digest: "d", ReceivedAt: f.now()},
		handoff.Event{ID: "e1", Site: site, CreatedAt: f.now(), Observation: &o}); err != nil {
		t.Fatal(err)
	}
	f.work()
	f.want(dana, "new")
	if list, _ := f.db.Failures(t.Context(), store.FailureFilter{}); len(list) != 1 {
		t.Errorf("%d failures while we wait, want 1", len(list))
	}
	f.pass(store.AskAfter)
	f.work()
	f.want(dana, "booked", handoff.Accepted)
	if list, _ := f.db.Failures(t.Context(), store.FailureFilter{}); len(list) != 0 {
		t.Errorf("still open: %+v", list)
	}
}

// What waits says what came of asking about it.
func TestAskingLeavesItsReply(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	known := f.book(survey, "mallory", "") // who booked without our form
	for _, uid := range []string{known.UID, "nothing-there"} {
		o := handoff.Observation{ID: "e_" + uid, Site: site, Source: handoff.FromEvent, UID: uid, At: f.now(), Digest: "d" + uid, Status: handoff.Accepted}
		if _, err := f.db.KeepEvent(t.Context(), handoff.Delivery{Site: site, Digest: "d" + uid, ReceivedAt: f.now()},
			handoff.Event{ID: o.ID, Site: site, CreatedAt: f.now(), Observation: &o}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(of map[string]handoff.Reply) {
		t.Helper()
		for uid, reply := range of {
			list, err := f.db.Failures(t.Context(), store.FailureFilter{UID: uid})
			if err != nil || len(list) != 1 {
				t.Fatal(uid, list, err)
			}
			if d, err := f.db.Failure(t.Context(), nil, list[0].ID); err != nil || d.Asked == nil || d.Asked.Reply != reply {
				t.Errorf("%s: %+v, %v; want %s", uid, d.Asked, err, reply)
			}
		}
	}
	f.work()
	s := f.runner.Sites[site]
	back := s.API
	s.API = &calcom.API{Base: "http://127.0.0.1:1"}
	f.runner.Sites[site] = s
	f.pass(store.AskAfter)
	f.work()
	want(map[string]handoff.Reply{known.UID: handoff.ReplyFailed, "nothing-there": handoff.ReplyFailed})
	s.API = back
	f.runner.Sites[site] = s
	f.pass(time.Minute)
	f.work()
	want(map[string]handoff.Reply{known.UID: handoff.ReplyHeard, "nothing-there": handoff.ReplyNone})
}

// Cal.com is also asked about what waits although its booking, or another seat of it, is tied
// to a lead: somebody who asks is told what came of it.
func TestAskingAboutWhatIsTied(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	dana, ref := f.submit("dana")
	_, rival := f.submit("omar")
	b := f.book(survey, "dana", ref)
	f.ask(b.UID)
	f.want(dana, "booked", handoff.Accepted)
	o := handoff.Observation{
		ID: "e1", Site: site, Source: handoff.FromEvent, UID: b.UID, At: f.now(), Digest: "d", Status: handoff.Accepted,
		Carried: []handoff.Carried{f.keys.Judge(site, nil, handoff.InAnswer, rival)},
	}
	if _, err := f.db.KeepEvent(t.Context(), handoff.Delivery{Site: site, Digest: "d", ReceivedAt: f.now()},
		handoff.Event{ID: "e1", Site: site, CreatedAt: f.now(), Observation: &o}); err != nil {
		t.Fatal(err)
	}
	f.work()
	list, err := f.db.Failures(t.Context(), store.FailureFilter{UID: b.UID})
	if err != nil || len(list) != 1 || list[0].Reason != handoff.OtherLead || !slices.Contains(list[0].Remedies(), handoff.AskCal) {
		t.Fatalf("%+v, %v", list, err)
	}
	f.pass(time.Minute)
	asked := f.now()
	if err := f.db.AskAbout(t.Context(), handoff.CommandLine, site, list[0].ID); err != nil {
		t.Fatal(err)
	}
	f.work()
	if d, err := f.db.Failure(t.Context(), nil, list[0].ID); err != nil || d.Asked == nil || !d.Asked.At.Equal(asked) || d.Asked.Reply != handoff.ReplyHeard {
		t.Errorf("%+v, %v", d.Asked, err)
	}
}

// Each seat of a seated event is its own lead's.
func TestSeatsInAnswers(t *testing.T) {
	f := newOffice(t, calsim.Cloud2026, 4)
	dana, danaRef := f.submit("dana")
	omar, omarRef := f.submit("omar")
	b := f.book(survey, "dana", danaRef)
	f.book(survey, "omar", omarRef)
	f.sim.Wait()
	f.ask(b.UID)
	f.want(dana, "booked", handoff.Accepted)
	f.want(omar, "booked", handoff.Accepted)
}

// While Cal.com is away the work waits, and no lead waits for it.
func TestCalcomAway(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	dana, ref := f.submit("dana")
	b := f.book(survey, "dana", ref)
	broken := f.runner.Sites[site]
	back := broken.API
	broken.API = &calcom.API{Base: "http://127.0.0.1:1"}
	f.runner.Sites[site] = broken
	f.ask(b.UID)
	f.want(dana, "new")
	broken.API = back
	f.runner.Sites[site] = broken
	f.pass(time.Minute)
	f.work()
	f.want(dana, "booked", handoff.Accepted)
}

// Run works what comes until it is told to end.
func TestRun(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	dana, ref := f.submit("dana")
	id, err := f.keys.Open(site, ref)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.runner.Run(ctx) })
	changed, stop := f.db.Feed().Listen(store.TopicLead(site, string(dana)))
	defer stop()
	o := handoff.Observation{
		ID: "e1", Site: site, Source: handoff.FromEvent, UID: "u", At: f.now(), Digest: "d", Status: handoff.Accepted,
		Carried: []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: id}},
	}
	if _, err := f.db.KeepEvent(t.Context(), handoff.Delivery{Site: site, Digest: "d", ReceivedAt: f.now()},
		handoff.Event{ID: "e1", Site: site, CreatedAt: f.now(), Observation: &o}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Error("nothing was worked")
	}
	f.want(dana, "booked", handoff.Accepted)
	cancel()
	wg.Wait()
}
