package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"handoff"
)

// Cal.com's 26 bodies, delivered to the running server in any order and each
// twice, leave every site's leads, bookings and failures as design.md says. Each
// order has a site of its own, with a bystander who has Dana's name and address.
func TestBodiesOverHTTP(t *testing.T) {
	t.Parallel()
	const orders = 8
	var ids []string
	for i := range orders {
		ids = append(ids, fmt.Sprintf("order-%d", i))
	}
	in := newSites(t, ids...)
	shuffled := map[string][]body{}
	for i, id := range ids {
		all, err := bodies(in.lead(t, id, "dana"), in.lead(t, id, "omar"))
		if err != nil {
			t.Fatal(err)
		}
		in.lead(t, id, "bystander")
		shuffled[id] = append(all, all...)
		rng := rand.New(rand.NewPCG(uint64(i), 26))
		if i > 0 { // the first is in order
			rng.Shuffle(len(shuffled[id]), func(a, b int) { shuffled[id][a], shuffled[id][b] = shuffled[id][b], shuffled[id][a] })
		}
	}

	p := in.serve(t)
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() { in.deliverAll(t, id, shuffled[id]) })
	}
	all.Wait()
	if err := in.quiet(); err != nil {
		t.Fatal(err)
	}

	rows, err := in.leads()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3*orders {
		t.Errorf("%d leads, want %d: a body opened one", len(rows), 3*orders)
	}
	want := map[string][]string{
		"dana":      {"booked", "8mWdT2kQe4RfYpX1sLhC9v=rescheduled", "kP6nB0xU3jZtVw7yRgS5Qa=cancelled", "rT4vN8cM2bQ6wE0yU5iOpA=accepted"},
		"omar":      {"booked", "8mWdT2kQe4RfYpX1sLhC9v/3be561a9-31f1-4b8e-aefc-9d9a085f0dd1=accepted"},
		"bystander": {"new"},
	}
	for _, l := range rows {
		if got := append([]string{l.Stage}, l.bookings()...); !slices.Equal(got, want[l.Name]) {
			t.Errorf("%s of %s: %q, want %q\n%q", l.Name, l.Site, got, want[l.Name], l.moves())
		}
	}
	in.checkFailures(t, ids)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if err := p.complaints(); err != nil {
		t.Error(err)
	}
}

// lead opens a lead and returns its reference.
func (in *sites) lead(t *testing.T, site, name string) string {
	t.Helper()
	db := in.open(t)
	defer db.Close()
	email := emailOf(name)
	if name == "bystander" {
		email = emailOf("dana")
	}
	sub, err := db.CreateLead(t.Context(), handoff.Submission{
		Site: site, Service: "boiler-replacement", Form: name, Name: name, Email: email,
	}, handoff.DefaultPipeline())
	if err != nil {
		t.Fatal(err)
	}
	reference, err := in.sign(site, sub.ID)
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

// deliverAll delivers one after another, and checks the answers.
func (in *sites) deliverAll(t *testing.T, site string, all []body) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	for _, b := range all {
		want := http.StatusOK
		switch b.number {
		case "23", "25": // a template that writes JSON; the webhook of another app
			want = http.StatusUnprocessableEntity
		case "24": // a template that writes text
			want = http.StatusUnsupportedMediaType
		}
		if got, err := in.deliver(client, site, b.contentType, b.bytes); err != nil || got != want {
			t.Errorf("%s: %s: status %d, want %d, %v", site, b.number, got, want, err)
		}
	}
}

// checkFailures wants the same open failures in each site, each of a body that
// came twice.
func (in *sites) checkFailures(t *testing.T, ids []string) {
	t.Helper()
	want := []string{"not_json 2", "reference_forged 2", "unknown_shape 2", "unknown_shape 2"}
	for _, id := range ids {
		open, err := in.failures("--site", id)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range open {
			got = append(got, fmt.Sprintf("%s %d", f.Reason, f.Deliveries))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: failures %q, want %q", id, got, want)
		}
	}
}
