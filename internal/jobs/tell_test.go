package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom/calsim"
	"handoff/internal/jobs"
	"handoff/internal/store"
)

// A board is a channel that keeps what it is told.
type board struct {
	mu     sync.Mutex
	told   []handoff.News
	answer error
}

func (b *board) send(_ context.Context, n handoff.News) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answer == nil {
		b.told = append(b.told, n)
	}
	return b.answer
}

// newTeller is an office with people who are told of everything, or of some of it.
func newTeller(t *testing.T, about ...handoff.Topic) (*office, *board) {
	f, b := newOffice(t, calsim.SelfHosted2025, 0), &board{}
	if len(about) == 0 {
		about = []handoff.Topic{handoff.TellBooking, handoff.TellFailure, handoff.TellAlarm}
	}
	s := f.runner.Sites[site]
	s.Telling = &jobs.Telling{Name: "Acme", Desk: "https://acme.example/desk", Zone: time.UTC, Services: map[string]string{"": "Survey"}, Channels: []jobs.Channel{{ID: "c", About: about, Send: b.send}}}
	f.runner.Sites[site] = s
	if err := f.db.StartTelling(t.Context(), site, "c"); err != nil {
		t.Fatal(err)
	}
	return f, b
}

// hearOf makes a booking that a webhook told of.
func (f *office) hearOf(uid, name string, lead bool) {
	f.t.Helper()
	o := handoff.Observation{ID: "evt_" + uid, Site: site, Source: handoff.FromEvent, UID: uid, At: f.now(), Digest: uid, Status: handoff.Accepted, Start: f.now().Add(48 * time.Hour)}
	if lead {
		s, err := f.db.CreateLead(f.t.Context(), handoff.Submission{Site: site, Form: uid, Name: name, Email: name + "@example.com"}, handoff.DefaultPipeline())
		if err != nil {
			f.t.Fatal(err)
		}
		o.Carried = []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: s.ID}}
	}
	if _, err := f.db.KeepEvent(f.t.Context(), handoff.Delivery{Site: site, Digest: uid, ReceivedAt: f.now()}, handoff.Event{ID: o.ID, Site: site, CreatedAt: o.At, Observation: &o}); err != nil {
		f.t.Fatal(err)
	}
	for f.runner.Once(f.t.Context(), store.KindReconcile) > 0 {
	}
}

// look lets time pass, and every process look for something to tell.
func (f *office) look(d time.Duration) {
	f.t.Helper()
	f.pass(d)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { f.runner.Once(f.t.Context(), store.KindTell) })
	}
	all.Wait()
}

// People are told once, of all that happened, in one message; after a minute, in which
// much settles itself; and not again within five.
func TestPeopleAreToldOnce(t *testing.T) {
	f, b := newTeller(t)
	f.look(0)
	f.pass(time.Minute)
	f.hearOf("u1", "Dana", true)
	f.hearOf("u2", "Omar", true)
	f.hearOf("stray", "", false)
	f.hearOf("soon-settled", "", false)
	f.look(30 * time.Second)
	if len(b.told) != 0 {
		t.Errorf("too early: %+v", b.told)
	}
	// A fact that comes within the minute settles one entry.
	s, err := f.db.CreateLead(t.Context(), handoff.Submission{Site: site, Form: "x", Name: "Ines", Email: "i@example.com"}, handoff.DefaultPipeline())
	if err != nil {
		t.Fatal(err)
	}
	o := handoff.Observation{ID: "evt_later", Site: site, Source: handoff.FromEvent, UID: "soon-settled", At: f.now(), Digest: "later", Carried: []handoff.Carried{{From: handoff.InAnswer, Verdict: handoff.Valid, Submission: s.ID}}}
	if _, err := f.db.KeepEvent(t.Context(), handoff.Delivery{Site: site, Digest: "later", ReceivedAt: f.now()}, handoff.Event{ID: o.ID, Site: site, CreatedAt: o.At, Observation: &o}); err != nil {
		t.Fatal(err)
	}
	for f.runner.Once(t.Context(), store.KindReconcile) > 0 {
	}
	f.look(31 * time.Second)
	if len(b.told) != 1 || len(b.told[0].Failures) != 1 || b.told[0].Failures[0].Reason != handoff.NoReference || b.told[0].Name != "Acme" {
		t.Fatalf("%+v", b.told)
	}
	if got := b.told[0].Booked; len(got) != 2 || got[0].Name != "Dana" || got[0].Service != "Survey" || got[0].Start.IsZero() {
		t.Errorf("booked %+v", got)
	}
	f.hearOf("u3", "Zoe", true)
	f.look(4 * time.Minute)
	if len(b.told) != 1 {
		t.Error("two messages within five minutes")
	}
	f.look(61 * time.Second)
	if len(b.told) != 2 || len(b.told[1].Booked) != 2 || len(b.told[1].Failures) != 0 {
		t.Fatalf("%+v, want Ines and Zoe", b.told[1:])
	}
	for range 5 {
		f.look(5 * time.Minute)
	}
	if len(b.told) != 2 {
		t.Errorf("told again: %+v", b.told[2:])
	}
}

// A channel that takes nothing three times in a row is told of where others are told,
// once; it is well with the next message that it takes, or when it is taken out.
func TestDeadChannelIsTold(t *testing.T) {
	f, dead := newTeller(t)
	alive := &board{}
	s := f.runner.Sites[site]
	s.Telling.Channels[0].Name = "notify[0]: Slack"
	s.Telling.Channels = append(s.Telling.Channels, jobs.Channel{ID: "d", About: []handoff.Topic{handoff.TellAlarm}, Send: alive.send})
	if err := f.db.StartTelling(t.Context(), site, "c", "d"); err != nil {
		t.Fatal(err)
	}
	f.look(0)
	fail := func() {
		t.Helper()
		dead.answer = errors.New("dial hooks.example.com/T0/secret: no route")
		f.hearOf(fmt.Sprint("u", f.now().UnixNano()), "Dana", true)
		f.pass(2 * time.Minute)
		f.runner.Once(t.Context(), store.KindTell)
		f.look(time.Minute)
		if len(f.waiting()) != 0 {
			t.Error("told after two tries")
		}
		for range 8 {
			f.look(11 * time.Minute)
		}
		if list := f.waiting(); len(list) != 1 || list[0].Reason != handoff.TellingFailing || list[0].Detail != "notify[0]: Slack: it cannot be reached, or does not take it now" || list[0].Deliveries != 1 {
			t.Errorf("there waits %+v", list)
		}
	}
	fail()
	if len(alive.told) != 1 || len(alive.told[0].Alarms) != 1 {
		t.Errorf("the other channel was told %+v", alive.told)
	}
	dead.answer = nil
	f.look(11 * time.Minute)
	if list := f.waiting(); len(list) != 0 || len(dead.told) != 1 || len(dead.told[0].Booked) != 1 {
		t.Errorf("there waits %+v; told %+v", list, dead.told)
	}

	fail()
	if err := f.db.StartTelling(t.Context(), site, "c", "d"); err != nil || len(f.waiting()) != 1 {
		t.Errorf("a start settles what is not well: %v", err)
	}
	if err := f.db.StartTelling(t.Context(), site, "d"); err != nil || len(f.waiting()) != 0 {
		t.Errorf("taken out, and there waits %+v, %v", f.waiting(), err)
	}
	if n := f.told(handoff.TellingFailing); n != 2 {
		t.Errorf("it was an entry %d times", n)
	}
}

// The entry says what is wrong now, and on which line of the configuration of now.
func TestDeadChannelSaysWhatIsWrongNow(t *testing.T) {
	f, b := newTeller(t)
	s := f.runner.Sites[site]
	s.Telling.Channels[0].Name = "notify[1]: Slack"
	f.look(0)
	b.answer = errors.New("no route")
	f.hearOf("u", "Dana", true)
	for range 5 {
		f.look(11 * time.Minute)
	}
	s.Telling.Channels[0].Name = "notify[0]: Slack"
	b.answer = context.DeadlineExceeded
	f.look(11 * time.Minute)
	if list := f.waiting(); len(list) != 1 || list[0].Detail != "notify[0]: Slack: it does not answer in time" {
		t.Errorf("there waits %+v", list)
	}
}

// While servers go by different configurations, a channel that only one of them has is
// told; and when none has it any more, it is no entry, whoever tried it last.
func TestServersOfDifferentConfigurationsTell(t *testing.T) {
	f, b := newTeller(t)
	with := f.runner.Sites[site]
	without := with
	without.Telling = nil
	look := func(s jobs.Site) {
		f.runner.Sites[site] = s
		f.look(11 * time.Minute)
	}
	f.look(0)
	f.hearOf("u1", "Dana", true)
	for range 5 {
		look(without)
	}
	look(with)
	if len(b.told) != 1 || len(b.told[0].Booked) != 1 {
		t.Fatalf("a server of before ended the telling: %+v", b.told)
	}
	b.answer = errors.New("no route")
	f.hearOf("u2", "Omar", true)
	for range 4 {
		look(with)
	}
	if len(f.waiting()) != 1 {
		t.Fatal("nothing waits")
	}
	for range 10 {
		look(without)
	}
	if list := f.waiting(); len(list) != 0 {
		t.Errorf("of a channel that is gone there waits %+v", list)
	}
	if sites, err := f.db.DueSites(t.Context(), store.KindTell); err != nil || len(sites) != 0 {
		t.Errorf("it is due still: %v, %v", sites, err)
	}
}

// What could not be sent is in the next message, and nothing is lost meanwhile.
func TestNewsWaitForTheChannel(t *testing.T) {
	f, b := newTeller(t, handoff.TellBooking)
	f.look(0)
	b.answer = errors.New("away")
	f.pass(time.Minute)
	f.hearOf("u1", "Dana", true)
	for range 10 {
		f.look(2 * time.Minute)
	}
	f.hearOf("u2", "Omar", true)
	b.answer = nil
	for range 12 {
		f.look(time.Minute)
	}
	var names []string
	for _, n := range b.told {
		for _, l := range n.Booked {
			names = append(names, l.Name)
		}
	}
	if !slices.Equal(names, []string{"Dana", "Omar"}) {
		t.Errorf("%v", names)
	}
}

// A digest comes once a day, in the morning of the site, and who does not want a thing
// is not told of it.
func TestDigestOnceADay(t *testing.T) {
	f, b := newTeller(t, handoff.TellDigest)
	f.pass(20 * time.Hour) // five in the morning
	f.hearOf("u1", "Dana", true)
	f.look(2 * time.Hour)
	if len(b.told) != 0 {
		t.Errorf("at seven: %+v", b.told)
	}
	for range 10 {
		f.look(70 * time.Minute)
	}
	if len(b.told) != 1 || b.told[0].Digest == nil || len(b.told[0].Booked) != 0 || b.told[0].Digest.Day.Format(time.DateOnly) != "2026-11-23" {
		t.Fatalf("%+v", b.told)
	}
	f.look(24 * time.Hour)
	if len(b.told) != 2 {
		t.Errorf("the next day: %d messages", len(b.told))
	}
}
