package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"handoff"
	"handoff/internal/store"
)

// An enquiry is a lead that this test made, and what it delivers for it.
type enquiry struct {
	lead  handoff.LeadID
	uid   string
	body  []byte
	acked bool // this test has seen the answer 200
}

// killed is how often each round kills the server: at which acknowledgement.
var killed = []int{1, 3, 25, 60}

const (
	perRound = 80 // leads
	senders  = 12 // at once
)

// Kill -9 between acknowledgement and reconciliation loses nothing: what was
// answered with 200 is applied after a restart, to each lead once. What was not
// answered was kept or was not, and is never half.
//
// The oracle is the test's own list of the answers it saw. It counts only if in
// some round the server died with acknowledged facts that no lead showed yet.
func TestKillLosesNothing(t *testing.T) {
	t.Parallel()
	in := newSites(t, "main")
	inBetween := 0
	for round, at := range killed {
		enquiries := in.enquire(t, "main", fmt.Sprintf("r%d", round), perRound)
		p := in.serve(t)
		in.burst(t, enquiries, at, p.kill)
		pending, answered := in.between(t, enquiries)
		inBetween += pending
		t.Logf("round %d: killed at acknowledgement %d; %d of %d answered; %d of these not yet applied", round, at, answered, perRound, pending)
		if answered < at || answered == perRound {
			t.Errorf("%d answers: the server was to die after %d and before the last", answered, at)
		}

		p = in.serve(t)
		if err := in.quiet(); err != nil {
			t.Fatal(err)
		}
		in.check(t, enquiries, func(e *enquiry) bool { return e.acked })

		// All of it again, to the server that came back: each lead has moved once.
		for range 2 {
			in.burst(t, enquiries, 0, nil)
		}
		if err := in.quiet(); err != nil {
			t.Fatal(err)
		}
		in.check(t, enquiries, func(*enquiry) bool { return true })
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		if err := p.complaints(); err != nil {
			t.Error(err)
		}
	}
	if inBetween == 0 {
		t.Error("the server never died between acknowledgement and reconciliation: this test has shown nothing")
	}
}

// A server that is killed again and again while it works through one backlog gets
// to its end.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	in := newSites(t, "main")
	enquiries := in.enquire(t, "main", "again", 4*perRound)
	p := in.serve(t)
	rest := enquiries
	for kills := range 4 {
		at := 20 + rand.IntN(40)
		in.burst(t, rest, at, p.kill)
		_, answered := in.between(t, enquiries)
		t.Logf("kill %d: %d answered so far", kills+1, answered)
		rest = slices.DeleteFunc(slices.Clone(enquiries), func(e *enquiry) bool { return e.acked })
		p = in.serve(t)
	}
	in.burst(t, rest, 0, nil)
	if err := in.quiet(); err != nil {
		t.Fatal(err)
	}
	in.check(t, enquiries, func(*enquiry) bool { return true })
	if err := p.stop(); err != nil {
		t.Error(err)
	}
}

// enquire opens leads in the store, as forms do, and makes a booking of each.
func (in *sites) enquire(t *testing.T, site, prefix string, n int) []*enquiry {
	t.Helper()
	all, err := bodies(danasReference, omarsReference)
	if err != nil {
		t.Fatal(err)
	}
	db := in.open(t)
	defer db.Close()
	var out []*enquiry
	for i := range n {
		name := fmt.Sprintf("%s-%d", prefix, i)
		sub, err := db.CreateLead(t.Context(), handoff.Submission{
			Site: site, Service: "boiler-replacement", Form: name, Name: name, Email: emailOf(name),
		}, handoff.DefaultPipeline())
		if err != nil {
			t.Fatal(err)
		}
		reference, err := in.sign(site, sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		uid := "uid" + name
		body := strings.NewReplacer(danasReference, reference, "8mWdT2kQe4RfYpX1sLhC9v", uid).Replace(string(all[0].bytes))
		out = append(out, &enquiry{lead: sub.Lead, uid: uid, body: []byte(body)})
	}
	return out
}

// burst delivers the booking of every enquiry at once, and notes what is
// acknowledged. At an acknowledgement it kills the server.
func (in *sites) burst(t *testing.T, enquiries []*enquiry, at int, kill func()) {
	t.Helper()
	var acks atomic.Int64
	sendAll(enquiries, func(client *http.Client, e *enquiry) {
		status, err := in.deliver(client, "main", "application/json", e.body)
		if kill == nil && (err != nil || status != http.StatusOK) {
			t.Errorf("%s: status %d, %v", e.uid, status, err)
		}
		if err != nil || status != http.StatusOK {
			return
		}
		e.acked = true
		if acks.Add(1) == int64(at) {
			kill()
		}
	})
}

// sendAll sends all of them, some at once.
func sendAll[T any](of []T, send func(*http.Client, T)) {
	queue := make(chan T, len(of))
	for _, one := range of {
		queue <- one
	}
	close(queue)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: patience}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for one := range queue {
				send(client, one)
			}
		})
	}
	all.Wait()
}

// deliver posts a body as Cal.com does.
func (in *sites) deliver(client *http.Client, site, contentType string, body []byte) (status int, err error) {
	req, err := http.NewRequest(http.MethodPost, in.site+"/webhooks/calcom/"+site, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Cal-Webhook-Version", "2021-10-20")
	req.Header.Set("X-Cal-Signature-256", calSign(in.secrets[site], body))
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// between opens the dead server's store and counts what was answered, and what of
// that no lead shows yet.
func (in *sites) between(t *testing.T, enquiries []*enquiry) (pending, answered int) {
	t.Helper()
	db := in.open(t)
	defer db.Close()
	for _, e := range enquiries {
		if !e.acked {
			continue
		}
		answered++
		l, err := db.Lead(t.Context(), nil, e.lead)
		if err != nil {
			t.Fatal(err)
		}
		if l.Stage == "new" && len(l.Bookings) == 0 {
			pending++
		}
	}
	return pending, answered
}

// check reads all leads. Those that must be are booked; each other is booked or
// untouched, and none is between; each that moved has moved once.
func (in *sites) check(t *testing.T, enquiries []*enquiry, must func(*enquiry) bool) {
	t.Helper()
	rows, err := in.leads()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]leadJSON{}
	for _, l := range rows {
		found[l.ID] = l
	}
	for _, e := range enquiries {
		l := found[string(e.lead)]
		got := append(l.moves(), l.bookings()...)
		booked := []string{"new: ", "booked: booking created", e.uid + "=accepted"}
		booked[0] += l.History[0].Note
		if !slices.Equal(got, booked) && (must(e) || !slices.Equal(got, booked[:1])) {
			t.Errorf("%s (answered: %v): %q, want %q", l.Name, e.acked, got, booked)
		}
	}
	open, err := in.failures()
	if err != nil || len(open) > 0 {
		t.Errorf("failures %+v, %v", open, err)
	}
}

// open opens the store of a server that does not run.
func (in *sites) open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), in.database(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}
