package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A replica is one process of the install: the only one, or one of several.
type replica struct {
	*process
	url, config string
}

// serve starts a server of the install's handoff.yaml, and waits until it is ready.
func (tr *trial) serve() *replica {
	tr.t.Helper()
	return tr.start(tr.site, tr.config(), tr.clock)
}

// serveAnother starts one more server, with an address of its own and a clock that
// is some seconds ahead: those of several hosts never agree.
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
	clock := filepath.Join(tr.dir, address+".clock")
	if err := os.WriteFile(clock, []byte(rand.N(5*time.Second).String()), 0o600); err != nil {
		tr.t.Fatal(err)
	}
	return tr.start("http://"+address, config, clock)
}

func (tr *trial) start(url, config, clock string) *replica {
	tr.t.Helper()
	tr.count++
	p, err := launch(tr.dir, fmt.Sprintf("server-%d", tr.count), []string{clockVariable + "=" + clock}, "--log", "warn", "serve", "-c", config)
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
