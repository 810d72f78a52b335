package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A webhook's secret can be changed under load: until the time that the
// configuration says, what is signed with the old one counts as well, and nothing
// is lost. After it, it waits in the failure queue.
func faultSecretRotated(t *testing.T) {
	onEngines(t, func(tr *trial) {
		s := tr.serve()
		off := time.Duration(0) // of the servers' clock
		for i := range rounds(2, 10) {
			former, latter := tr.secrets["main"], fmt.Sprintf("whsec_of_the_site_main_%d", i)
			var both atomic.Bool // secrets are in use
			var signed [2]atomic.Int64
			tales := tr.tell(2 * len(stories))
			begun := make(chan bool)
			l := tr.deliver(tales, traffic{constant: true, acked: tr.once(func() { close(begun) }), secret: func() string {
				if !both.Load() {
					return former
				}
				n := rand.IntN(2)
				signed[n].Add(1)
				return []string{former, latter}[n]
			}})
			<-begun
			if i%2 == 0 {
				s.kill()
			} else if err := s.stop(); err != nil {
				tr.t.Error(err)
			}
			// Not before: a server that runs takes up a secret as its file changes, and learns
			// only at its start what the former one is.
			tr.rotate(former, latter, time.Now().Add(off+time.Hour))
			s = tr.serve()
			both.Store(true)
			l.wait()
			tr.check(l, tales)
			if signed[0].Load() == 0 || signed[1].Load() == 0 {
				tr.t.Error("not both secrets were in use: this round has shown nothing")
			}
			off += 2 * time.Hour
			tr.step(off)
			tr.retired(former, latter)
			tr.endRound()
		}
	})
}

var rotated = regexp.MustCompile(`webhook_secret: \{file: secrets/main\}(, previous_webhook_secret: \{[^}]*\}[^}]*\})?`)

// rotate writes the new secret, and the old one beside it until a time.
func (tr *trial) rotate(former, latter string, until time.Time) {
	tr.t.Helper()
	for name, secret := range map[string]string{"main": latter, "main.former": former} {
		if err := os.WriteFile(filepath.Join(tr.dir, "secrets", name), []byte(secret), 0o600); err != nil {
			tr.t.Fatal(err)
		}
	}
	tr.reconfigure(tr.config(), func(config string) string {
		return rotated.ReplaceAllString(config, "webhook_secret: {file: secrets/main}, previous_webhook_secret: {secret: {file: secrets/main.former}, until: "+
			until.UTC().Format(time.RFC3339)+"}")
	})
	tr.secrets["main"] = latter
}

// retired delivers a body under a secret whose time is over, and then under the new
// one: the first waits in the failure queue, and the second is taken.
func (tr *trial) retired(former, latter string) {
	tr.t.Helper()
	ta := tr.tell(1)[0]
	p := ta.parts[0]
	if status, err := tr.post(p.body, former); status != http.StatusUnauthorized {
		tr.t.Errorf("signed with a secret whose time is over: status %d, %v", status, err)
	}
	open, err := tr.failures()
	if err != nil {
		tr.t.Fatal(err)
	}
	if got := strings.Join(reasons(open, func(f failureJSON) bool { return f.Reason != "no_reference" }), " "); got != "signature_retired_secret" {
		tr.t.Errorf("the failure queue says %q", got)
	}
	p.sent.Add(1)
	if status, err := tr.post(p.body, latter); status != http.StatusOK {
		tr.t.Errorf("signed with the new secret: status %d, %v", status, err)
	}
	p.acked.Add(1)
	tr.check(&load{tr: tr}, []*tale{ta})
}
