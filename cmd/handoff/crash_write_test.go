package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"handoff"
)

// A noted is a note that this test writes through the API, under a name of its own.
type noted struct {
	lead   handoff.LeadID
	text   string
	answer string // the body of the answer 201; empty: this test has seen none
}

// Kill -9 while programs write through the API loses no write that was answered, and one
// that is sent again under its name, whether it was answered or not, is done once and
// answered as before.
func TestKillLosesNoWrite(t *testing.T) {
	t.Parallel()
	in := newSites(t, "main")
	enquiries := in.enquire(t, "main", "write", perRound)
	token := in.key(t)
	unanswered := 0
	for round, at := range killed {
		var writes []*noted
		for i, e := range enquiries {
			writes = append(writes, &noted{lead: e.lead, text: fmt.Sprintf("round-%d-note-%d", round, i)})
		}
		p := in.serve(t)
		in.write(t, token, writes, at, p.kill)
		answered, there := 0, in.notes(t, writes)
		for _, w := range writes {
			n := there[w.text]
			if w.answer != "" {
				answered++
			}
			switch {
			case n > 1 || n == 0 && w.answer != "":
				t.Errorf("%q was answered (%v) and is there %d times", w.text, w.answer != "", n)
			case n == 1 && w.answer == "":
				unanswered++
			}
		}
		if answered < at || answered == perRound {
			t.Errorf("%d answers: the server was to die after %d and before the last", answered, at)
		}

		p = in.serve(t)
		in.write(t, token, writes, 0, nil)
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		there = in.notes(t, writes)
		for _, w := range writes {
			if there[w.text] != 1 {
				t.Errorf("sent again, %q is there %d times", w.text, there[w.text])
			}
		}
	}
	t.Logf("%d writes were done and not answered", unanswered)
}

// key makes a key of the API that may write notes.
func (in *sites) key(t *testing.T) (token string) {
	t.Helper()
	db := in.open(t)
	defer db.Close()
	_, token, err := db.CreateKey(t.Context(), handoff.CommandLine, handoff.APIKey{
		Name: "a program", Scopes: []handoff.Scope{handoff.LeadsWrite}, ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// write sends every note at once, and notes the answers; one that was answered before must
// be answered so again. At an answer it kills the server.
func (in *sites) write(t *testing.T, token string, writes []*noted, at int, kill func()) {
	t.Helper()
	var answers atomic.Int64
	sendAll(writes, func(client *http.Client, w *noted) {
		status, body, replayed, err := in.note(client, token, w)
		if kill == nil && (err != nil || status != http.StatusCreated) {
			t.Errorf("%q: status %d, %s, %v", w.text, status, body, err)
		}
		if err != nil || status != http.StatusCreated {
			return
		}
		if w.answer != "" && (w.answer != body || !replayed) {
			t.Errorf("%q was answered %s, and sent again %s (replayed: %v)", w.text, w.answer, body, replayed)
		}
		w.answer = body
		if answers.Add(1) == int64(at) {
			kill()
		}
	})
}

func (in *sites) note(client *http.Client, token string, w *noted) (status int, body string, replayed bool, err error) {
	req, err := http.NewRequest(http.MethodPost, in.site+"/api/v1/leads/"+string(w.lead)+"/notes", bytes.NewReader(fmt.Appendf(nil, `{"text":%q}`, w.text)))
	if err != nil {
		return 0, "", false, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", w.text)
	res, err := client.Do(req)
	if err != nil {
		return 0, "", false, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Header.Get("Idempotency-Replayed") == "true", err
}

// notes counts how often each note is there, in the store of a server that does not run.
func (in *sites) notes(t *testing.T, writes []*noted) map[string]int {
	t.Helper()
	db := in.open(t)
	defer db.Close()
	times := map[string]int{}
	for _, w := range writes {
		d, err := db.Lead(t.Context(), nil, w.lead)
		if err != nil {
			t.Fatal(err)
		}
		for _, note := range d.Notes {
			times[note.Text]++
		}
	}
	return times
}
