package main

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"handoff/internal/pgtest"
)

// The fault suite. Each of its tests (TestFault…) is one thing that breaks while
// leads come in and webhooks are delivered, on the real binary and on both engines;
// the promise is always the same: what was acknowledged is found, once.
//
//	faults_load_test.go    the load: stories told by senders that send again
//	faults_story_test.go   the stories: what Cal.com sends of one lead
//	faults_oracle_test.go  what must be true afterwards, known without the product's rules
//
// go test runs a short form; make faults runs all of it.
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
	t.Parallel()
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

// newTrial writes an install for an engine. PostgreSQL is a private one, as durable
// as in production.
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

// A replica is one process of the install: the only one, or one of several.
type replica struct {
	*process
	url, config string
}

// serve starts a server of the install's handoff.yaml, and waits until it is ready.
func (tr *trial) serve() *replica {
	tr.t.Helper()
	return tr.start(tr.site, tr.config())
}

// serveAnother starts one more server, with an address of its own.
func (tr *trial) serveAnother() *replica {
	tr.t.Helper()
	b, err := os.ReadFile(tr.config())
	if err != nil {
		tr.t.Fatal(err)
	}
	address := freeAddress()
	config := filepath.Join(tr.dir, address+".yaml")
	text := strings.Replace(string(b), strings.TrimPrefix(tr.site, "http://"), address, 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		tr.t.Fatal(err)
	}
	return tr.start("http://"+address, config)
}

func (tr *trial) start(url, config string) *replica {
	tr.t.Helper()
	tr.count++
	p, err := launch(tr.dir, fmt.Sprintf("server-%d", tr.count), []string{clockVariable + "=" + tr.clock}, "--log", "warn", "serve", "-c", config)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(p.kill)
	if err := p.ready(url + "/readyz"); err != nil {
		tr.t.Fatal(err)
	}
	s := &replica{process: p, url: url, config: config}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for i, old := range tr.servers {
		if old.url == url {
			tr.servers[i] = s
			return s
		}
	}
	tr.servers = append(tr.servers, s)
	return s
}

// leave takes a server out of those that are asked.
func (tr *trial) leave(s *replica) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for i, other := range tr.servers {
		if other == s {
			tr.servers = append(tr.servers[:i:i], tr.servers[i+1:]...)
			return
		}
	}
}

// alive reports servers that ended by themselves or panicked.
func (tr *trial) alive() {
	tr.t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, s := range tr.servers {
		select {
		case <-s.ended:
			tr.t.Errorf("a server ended by itself: %v\n%s", s.result, s.log())
		default:
		}
		if panicked.MatchString(s.log()) {
			tr.t.Errorf("a server panicked:\n%s", s.log())
		}
	}
}

// lastWords are the last lines of each kind in the servers' logs.
func (tr *trial) lastWords() string {
	last := map[string]string{}
	for _, s := range tr.servers {
		for line := range strings.Lines(s.log()) {
			last[s.url+message.FindString(line)] = line
		}
	}
	return strings.Join(slices.Sorted(maps.Values(last)), "")
}

var message = regexp.MustCompile(`msg="[^"]*"`)

var panicked = regexp.MustCompile(`panick|panic:|fatal error:|DATA RACE`)

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
	tr.t.Logf("%s, %s: rounds %d, acknowledged %d, lost %d, doubled %d; forms %d, lost %d, doubled %d; %s",
		strings.TrimPrefix(strings.Split(tr.t.Name(), "/")[0], "TestFault"), tr.engine(),
		tr.rounds, tr.acknowledged, tr.lost, tr.doubled, tr.formsSent, tr.formsLost, tr.formsDoubled, tr.answers.String())
	if tr.lost+tr.doubled+tr.formsLost+tr.formsDoubled > 0 {
		tr.t.Error("the promise is broken: what was acknowledged is found, once")
	}
	if tr.rounds == 0 || tr.acknowledged == 0 {
		tr.t.Error("nothing was acknowledged: this trial has shown nothing")
	}
}

// clockVariable names a file with how far the clock of a server under test is off,
// such as "-1h". The product reads no such thing: see TestMain.
const clockVariable = "HANDOFF_TEST_CLOCK"

// clock is the time of a server under test.
func clock() func() time.Time {
	path := os.Getenv(clockVariable)
	if path == "" {
		return time.Now
	}
	return func() time.Time {
		b, _ := os.ReadFile(path)               // no file: no offset
		off, _ := time.ParseDuration(string(b)) // half a file: none either, for a moment
		return time.Now().Round(0).Add(off)     // without the monotonic reading, as after a real step
	}
}

// step sets the servers' clock off by an offset.
func (tr *trial) step(off time.Duration) {
	tr.t.Helper()
	next := tr.clock + ".next"
	err := os.WriteFile(next, []byte(off.String()), 0o600)
	if err == nil {
		err = os.Rename(next, tr.clock)
	}
	if err != nil {
		tr.t.Fatal(err)
	}
}
