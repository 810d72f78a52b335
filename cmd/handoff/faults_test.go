package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"handoff/internal/pgtest"
)

// TestFaults is the fault suite. Each of its tests is one thing that breaks while
// leads come in and webhooks are delivered, on the real binary and on both engines;
// the promise is always the same: what was acknowledged is found, once.
//
// It is over before the tests that run at once with others begin: those look at
// what a page shows in time, and these leave the machine little.
//
//	faults_load_test.go    the load: stories told by senders that send again
//	faults_story_test.go   the stories: what Cal.com sends of one lead
//	faults_servers_test.go the servers, and their clock
//	faults_oracle_test.go  what must be true afterwards, known without the product's rules
//
// go test runs a short form; make faults runs all of it.
func TestFaults(t *testing.T) {
	for _, fault := range []struct {
		name string
		test func(*testing.T)
	}{
		{"killed at any instant", faultKilled},
		{"one of several replicas killed", faultReplicaKilled},
		{"PostgreSQL gone", faultPostgresGone},
		{"PostgreSQL hangs", faultPostgresHangs},
		{"disk full", faultDiskFull},
		{"clock steps", faultClockSteps},
		{"secret rotated", faultSecretRotated},
		{"slow and oversized senders", faultSlowSenders},
		{"flood of forgeries", faultFlood},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			fault.test(t)
		})
	}
}

var (
	faultRounds = flag.Int("faults.rounds", 0, "rounds of each fault on each engine; 0 is the short form")
	faultForged = flag.Int("faults.forged", 1200, "forged bodies in the flood")
)

// rounds is how often a fault is made: as often as was asked for, less the dearer
// it is, or the few of the short form.
func rounds(short, dear int) int {
	if *faultRounds == 0 {
		return short
	}
	return max(short, *faultRounds/dear)
}

var faultEngines = []string{"sqlite", "postgres"}

// onEngines runs a fault on each engine.
func onEngines(t *testing.T, fault func(tr *trial)) {
	t.Helper()
	for _, engine := range faultEngines {
		t.Run(engine, func(t *testing.T) {
			tr := newTrial(t, engine)
			fault(tr)
			tr.conclude()
		})
	}
}

// A trial is one fault on one engine: an install, its servers, and the account of
// all that was sent and acknowledged.
type trial struct {
	*sites
	t        *testing.T
	postgres *pgtest.Server // nil on SQLite
	clock    string         // file with the offset of the servers' clock
	client   *http.Client
	examples map[string]string // Cal.com's example bodies by number

	mu      sync.Mutex
	servers []*replica   // that are asked
	count   int          // servers started, for their names
	forms   []url.Values // that were opened long enough ago, and are filled in
	sources atomic.Int64

	tales   []*tale // of all rounds
	answers answers
	tally
	before tally // at the end of the round before
}

// A tally is what a trial counts, and prints at its end.
type tally struct {
	rounds               int
	acknowledged         int // bodies that were answered with 200
	lost                 int // of these not in the store, or without effect
	doubled              int // what was counted or applied more often than it was sent
	formsSent, formsLost int // forms that were answered with 303, and of these without a lead
	formsDoubled         int
}

func (y tally) String() string {
	return fmt.Sprintf("acknowledged %d, lost %d, doubled %d; forms %d, lost %d, doubled %d",
		y.acknowledged, y.lost, y.doubled, y.formsSent, y.formsLost, y.formsDoubled)
}

// endRound counts a round, and prints what it saw: a round in which nothing was
// acknowledged has shown nothing.
func (tr *trial) endRound() {
	tr.t.Helper()
	tr.rounds++
	now, b := tr.tally, tr.before
	tr.before = now
	round := tally{
		acknowledged: now.acknowledged - b.acknowledged, lost: now.lost - b.lost, doubled: now.doubled - b.doubled,
		formsSent: now.formsSent - b.formsSent, formsLost: now.formsLost - b.formsLost, formsDoubled: now.formsDoubled - b.formsDoubled,
	}
	tr.t.Logf("round %d: %s, found %d", tr.rounds, round, round.acknowledged-round.lost)
	if round.acknowledged == 0 {
		tr.t.Error("nothing was acknowledged: this round has shown nothing")
	}
}

// newTrial writes an install for an engine. PostgreSQL is a private one, which the
// trial may stop and kill, as durable as in production.
func newTrial(t *testing.T, engine string) *trial {
	t.Helper()
	if engine == "sqlite" {
		return newTrialOn(t, nil, "")
	}
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return newTrialOn(t, server, server.URL)
}

// newTrialOn writes an install for a store that is there; empty: its own SQLite file.
func newTrialOn(t *testing.T, postgres *pgtest.Server, url string) *trial {
	t.Helper()
	in := newSites(t, "main")
	in.store = url
	tr := &trial{
		sites: in, t: t, postgres: postgres, clock: filepath.Join(in.dir, "clock"), examples: map[string]string{},
		client: &http.Client{
			Timeout:       2 * patience,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 2 * senders},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	t.Cleanup(tr.client.CloseIdleConnections)
	more := "trusted_proxies: [127.0.0.1]\n" // so that each form can come from another visitor
	if url != "" {
		more += "store: " + url + "\n"
	}
	tr.reconfigure(in.config(), func(config string) string { return config + more })
	all, err := bodies(danasReference, omarsReference)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		tr.examples[b.number] = string(b.bytes)
	}
	return tr
}

// reconfigure changes the text of handoff.yaml, or of a replica's.
func (tr *trial) reconfigure(path string, change func(string) string) {
	tr.t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(change(string(b))), 0o600)
	}
	if err != nil {
		tr.t.Fatal(err)
	}
}

// engine is the name of the trial's engine.
func (tr *trial) engine() string {
	if tr.postgres != nil {
		return "postgres"
	}
	return "sqlite"
}

// conclude looks once more for everything that any round saw acknowledged, stops
// the servers, and prints the trial's line.
func (tr *trial) conclude() {
	tr.t.Helper()
	tr.alive()
	again := tr.tally
	again.acknowledged, again.lost, again.doubled = 0, 0, 0
	if err := tr.account(&again, tr.tales, nil); err != nil {
		tr.t.Error(err)
	}
	tr.lost = max(tr.lost, again.lost)
	for _, s := range tr.servers {
		if err := s.stop(); err != nil {
			tr.t.Error(err)
		}
	}
	tr.t.Logf("%s, %s: rounds %d, %s; %s", strings.Split(tr.t.Name(), "/")[1], tr.engine(), tr.rounds, tr.tally, tr.answers.String())
	if tr.lost+tr.doubled+tr.formsLost+tr.formsDoubled > 0 {
		tr.t.Error("the promise is broken: what was acknowledged is found, once")
	}
	if tr.rounds == 0 {
		tr.t.Error("there was no round: this trial has shown nothing")
	}
}
