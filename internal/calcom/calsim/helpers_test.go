package calsim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/internal/calcom/calsim"
)

const (
	secret    = "whsec_test"
	oldSecret = "whsec_before"
	reference = "sub_01jdb7z5q4x3s8m2k9v6t1n0rc.p3Vb1m9sYt7QkD0wEoHgZLx2"
)

// The event types of the tests.
const (
	plain = iota + 1
	confirmed
	priced
	seated
	weekly
	pricedConfirmed
	inPerson
)

var (
	monday = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) // the clock of the tests
	slot   = time.Date(2026, 12, 1, 15, 0, 0, 0, time.UTC)
)

// received is one request that the subscriber got.
type received struct {
	Body   []byte
	Header http.Header
}

func (r received) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("body is not JSON: %v\n%s", err, r.Body)
	}
	return v
}

// payload is what a handler reads: "payload", or the body itself if flat.
func (r received) payload(t *testing.T) map[string]any {
	t.Helper()
	v := r.json(t)
	if p, ok := v["payload"].(map[string]any); ok {
		return p
	}
	return v
}

func (r received) trigger(t *testing.T) string {
	t.Helper()
	s, _ := r.json(t)["triggerEvent"].(string)
	return s
}

// world is a stand-in with one subscriber that keeps what it gets.
type world struct {
	*calsim.Sim
	url  string // of the subscriber
	mu   sync.Mutex
	got  []received
	then func(http.ResponseWriter) // the subscriber's answer; nil means 200
}

func newWorld(t *testing.T, gen calsim.Generation, change ...func(*calsim.Config)) *world {
	t.Helper()
	w := &world{}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.got = append(w.got, received{body, r.Header})
		then := w.then
		w.mu.Unlock()
		if then != nil {
			then(rw)
		}
	}))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	cfg := calsim.Config{
		Origin: "http://cal.localhost:8202", Generation: gen, APIKey: "cal_key", OldSecret: oldSecret, Seed: 1,
		Webhooks: []calsim.Webhook{{URL: srv.URL, Secret: secret}},
		Now:      func() time.Time { return monday },
		EventTypes: []calsim.EventType{
			{ID: plain, Slug: "survey-call", Title: "Survey call"},
			{ID: confirmed, Slug: "visit", Title: "Visit", RequiresConfirmation: true},
			{ID: priced, Slug: "paid", Title: "Paid", Price: 4500, Currency: "gbp"},
			{ID: seated, Slug: "workshop", Title: "Workshop", Seats: 2},
			{ID: weekly, Slug: "course", Title: "Course", Recurring: 3},
			{ID: pricedConfirmed, Slug: "paid-visit", Title: "Paid visit", Price: 100, RequiresConfirmation: true},
			{ID: inPerson, Slug: "office", Title: "At the office", RequiresConfirmation: true, Location: "attendeeInPerson"},
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	w.Sim = calsim.New(cfg)
	t.Cleanup(w.Close)
	return w
}

// request books the slot as the embedded page does: with both carriers.
func request(eventType int) calsim.BookRequest {
	carried := map[string]string{"submissionId": reference}
	return calsim.BookRequest{
		EventType: eventType, Start: slot, Name: "Dana Whitfield", Email: "dana@example.com",
		TimeZone: "America/New_York", Notes: "Boiler", Metadata: carried, Answers: carried,
	}
}

func (w *world) book(t *testing.T, eventType int) calsim.Booking {
	t.Helper()
	b, err := w.Book(request(eventType))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// take drains the stand-in and returns what came since the last take.
func (w *world) take() []received {
	w.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.got
	w.got = nil
	return got
}

// last is the newest delivery; there must be one.
func (w *world) last(t *testing.T) received {
	t.Helper()
	got := w.take()
	if len(got) == 0 {
		t.Fatal("nothing was delivered")
	}
	return got[len(got)-1]
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func signed(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// keysInOrder are the keys of the object at path, as they stand in the body.
func keysInOrder(t *testing.T, body []byte, path string) string {
	t.Helper()
	if path != "" {
		var outer map[string]json.RawMessage
		ok(t, json.Unmarshal(body, &outer))
		body = outer[path]
	}
	dec := json.NewDecoder(strings.NewReader(string(body)))
	var keys []string
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		key, err := dec.Token()
		ok(t, err)
		keys = append(keys, key.(string))
		var skip json.RawMessage
		ok(t, dec.Decode(&skip))
	}
	return strings.Join(keys, " ")
}

func triggers(t *testing.T, got []received) []string {
	t.Helper()
	var out []string
	for _, r := range got {
		out = append(out, r.trigger(t))
	}
	return out
}

func sameWords(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) }
