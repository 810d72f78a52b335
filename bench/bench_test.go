package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, r := range []struct {
		name   string
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		{"none", nil, 99, 0},
		{"one", hundred[:1], 99.9, 1},
		{"the middle of a hundred", hundred, 50, 50},
		{"99 of a hundred", hundred, 99, 99},
		{"99.9 of a hundred is the worst", hundred, 99.9, 100},
		{"the middle of three", hundred[:3], 50, 2},
	} {
		if got := percentile(r.sorted, r.p); got != r.want {
			t.Errorf("%s: %d, want %d", r.name, got, r.want)
		}
	}
}

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	if got := median(values); got != 5 || !slices.Equal(values, []float64{9, 1, 5}) {
		t.Errorf("median %v, and the values are now %v", got, values)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median of four: %v", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of none: %v", got)
	}
}

// What the measured programs answer is read to its end, so that the next answer
// on the connection is read as the next.
func TestAnswersAreReadToTheirEnd(t *testing.T) {
	stream := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" +
		"HTTP/1.1 401 Unauthorized\r\ncontent-length:0\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
		"HTTP/1.1 204 No Content\r\n\r\n" +
		"HTTP/1.1 303 See Other\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"
	in := bufio.NewReader(strings.NewReader(stream))
	for i, want := range []struct {
		status int
		body   string
	}{{200, "hello"}, {401, ""}, {200, "abcde"}, {204, ""}, {303, ""}} {
		var body bytes.Buffer
		status, err := readAnswer(in, func(b []byte) { body.Write(b) })
		if err != nil || status != want.status || body.String() != want.body {
			t.Errorf("answer %d: %d %q, %v", i, status, body.String(), err)
		}
	}
	for _, wrong := range []string{"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "nonsense over the line\r\n"} {
		if _, err := readAnswer(bufio.NewReader(strings.NewReader(wrong)), nil); !errors.Is(err, errAnswer) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// A program that stalls is not asked less: what was due meanwhile counts as late.
func TestOpenLoopCountsFromTheSchedule(t *testing.T) {
	if got := dueAt(3, 200); got != 15*time.Millisecond {
		t.Errorf("the fourth of 200 a second is due at %s", got)
	}
	const stall = 300 * time.Millisecond
	var once sync.Once
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { time.Sleep(stall) })
		w.Header().Set("Content-Length", "0")
	}))
	defer srv.Close()
	requests := slices.Repeat([][]byte{get("/")}, 40)
	out := load{addr: srv.Listener.Addr().String(), requests: requests, conns: 1, want: 200, rate: 200, duration: 200 * time.Millisecond}.run(t.Context())
	if out.done != 40 || len(out.latency) != 40 {
		t.Fatalf("%d answered of 40, %v", out.done, out.err)
	}
	// All 40 were due within the stall, so that each was late by what was left of it.
	if late := out.latency[0]; late < stall-200*time.Millisecond {
		t.Errorf("the least of the delays is %s: the stall was not counted", late)
	}
}

// What is not answered as wanted is counted, not hidden, and is no latency.
func TestOtherAnswersAreCounted(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "0")
		if r.URL.Path == "/no" {
			w.WriteHeader(503)
		}
	}))
	defer srv.Close()
	requests := [][]byte{get("/"), get("/no"), get("/"), get("/no"), get("/no")}
	out := load{addr: srv.Listener.Addr().String(), requests: requests, conns: 2, want: 200, duration: time.Minute}.run(context.Background())
	if out.done != 2 || out.other[503] != 3 || len(out.latency) != 2 || !out.ranOut {
		t.Errorf("%+v", out)
	}
}

// Each webhook is signed, names its own lead, and is a booking of its own.
func TestWebhooksAreGenuine(t *testing.T) {
	example, err := os.ReadFile("../internal/calcom/testdata/bodies/01-booking-created.direct.json")
	if err != nil {
		t.Fatal(err)
	}
	const secret = "a secret of the test's own"
	key := handoff.Key(strings.Repeat("k", handoff.MinKeyLen))
	hooks := newClerk(example, secret, key, time.Now()).webhooks(3, time.Now())
	seen := map[string]bool{}
	for i, request := range hooks.requests {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		if r.Header.Get("X-Cal-Signature-256") != sign(secret, body.Bytes()) {
			t.Errorf("webhook %d is not signed", i)
		}
		var b struct {
			Payload struct {
				UID      string
				Metadata struct{ SubmissionID string }
			}
		}
		if err := json.Unmarshal(body.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		id, err := handoff.Keys{key}.Open(site, b.Payload.Metadata.SubmissionID)
		if err != nil || id != hooks.submissions[i] || seen[b.Payload.UID] {
			t.Errorf("webhook %d: submission %q, uid %q, %v", i, id, b.Payload.UID, err)
		}
		seen[b.Payload.UID] = true
		if strings.Contains(body.String(), exampleReference) || strings.Contains(body.String(), exampleUID) {
			t.Errorf("webhook %d still holds the example's names", i)
		}
	}
}
