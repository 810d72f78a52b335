package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Of several servers on one PostgreSQL, which get the same webhooks in other orders,
// one is killed and another takes its place: nothing is lost or done twice. And a
// page that is open at one of them hears of a webhook that another received.
func faultReplicaKilled(t *testing.T) {
	tr := newTrial(t, "postgres")
	tr.serve()
	tr.openForms(2 * rounds(2, 4))
	tr.serveAnother()
	tr.serveAnother()
	for range rounds(2, 4) {
		tales := tr.tell(3 * len(stories))
		dead := make(chan bool)
		l := tr.deliver(tales, traffic{forms: 2, acked: tr.once(func() { dead <- true })})
		<-dead
		victim := tr.any()
		victim.kill()
		if acked := l.acked.Load(); acked >= int64(l.parts) {
			t.Errorf("killed after all %d acknowledgements: this round has shown nothing", acked)
		}
		tr.serveAnother()
		tr.leave(victim)
		l.wait()
		tr.check(l, tales)
		tr.pageHears()
		tr.endRound()
	}
	tr.conclude()
}

// soon is how quickly a page hears, and how quickly work that is due is done.
const soon = 8 * time.Second

// pageHears opens a lead's event stream at one server, delivers the booking to
// another, and waits for the page's word.
func (tr *trial) pageHears() {
	tr.t.Helper()
	ta := tr.tell(1)[0]
	ctx, cancel := context.WithTimeout(tr.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, tr.servers[0].url+"/book/"+ta.reference+"/events", nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if err := hears(lines, "none"); err != nil {
		tr.t.Error(err)
	}
	p := ta.parts[0]
	p.sent.Add(1)
	if status, err := tr.postTo(tr.servers[1], p.body, tr.secrets["main"]); status != http.StatusOK {
		tr.t.Errorf("status %d, %v", status, err)
	}
	p.acked.Add(1)
	told := time.Now()
	if err := hears(lines, ta.heard(p)); err != nil {
		tr.t.Error(err)
	}
	if took := time.Since(told); took > soon {
		tr.t.Errorf("the page heard after %s", took)
	} else {
		tr.t.Logf("a page heard of another server's webhook after %s", took.Round(time.Millisecond))
	}
}

// heard is what the page says after a story's first part.
func (ta *tale) heard(p *part) string {
	if ta.stageOf(1<<p.step) == "requested" {
		return "requested"
	}
	return "booked"
}

// hears reads an event stream until it tells a state.
func hears(lines *bufio.Scanner, state string) error {
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"state":"`+state+`"`) {
			return nil
		}
	}
	return fmt.Errorf("the stream ended before it told %q: %w", state, lines.Err())
}
