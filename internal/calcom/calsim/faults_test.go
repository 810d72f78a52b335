package calsim_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/internal/calcom/calsim"
)

// Each fault does what its comment says, to the bytes and the signature, and
// nothing else.
func TestFaultsDoWhatTheySay(t *testing.T) {
	const right, wrong, old, none, words = "right", "wrong", "old", "none", "no-secret-provided"
	tests := []struct {
		name      string
		faults    calsim.Faults
		deliver   int
		signature string // over the bytes that came
		carried   string // value of the reference; "" means absent
	}{
		{"nothing", calsim.Faults{}, 1, right, reference},
		{"duplicate", calsim.Faults{Duplicate: 2}, 3, right, reference},
		{"drop", calsim.Faults{Drop: true}, 0, "", ""},
		{"hold", calsim.Faults{Hold: true}, 0, "", ""},
		{"delay", calsim.Faults{Delay: time.Millisecond}, 1, right, reference},
		{"unsigned", calsim.Faults{Unsigned: true}, 1, none, reference},
		{"no secret", calsim.Faults{NoSecret: true}, 1, words, reference},
		{"forge", calsim.Faults{Forge: true}, 1, wrong, reference},
		{"old secret", calsim.Faults{OldSecret: true}, 1, old, reference},
		{"alter", calsim.Faults{Alter: true}, 1, wrong, reference},
		{"reencode", calsim.Faults{Reencode: true}, 1, wrong, reference},
		{"strip", calsim.Faults{StripMetadata: true}, 1, right, ""},
		{"change reference", calsim.Faults{ChangeReference: true}, 1, right, "another"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, calsim.CalDIY)
			w.SetFaults(tt.faults)
			w.book(t, plain)
			got := w.take()
			if len(got) != tt.deliver {
				t.Fatalf("%d deliveries, want %d", len(got), tt.deliver)
			}
			for _, r := range got {
				if !bytes.Equal(r.Body, got[0].Body) {
					t.Error("a duplicate has other bytes")
				}
				if s := kindOfSignature(r); s != tt.signature {
					t.Errorf("signature is %s, want %s", s, tt.signature)
				}
				if c := carriedBy(t, r); c != tt.carried && (tt.carried != "another" || c == "" || c == reference) {
					t.Errorf("carries %q, want %s", c, tt.carried)
				}
			}
		})
	}
}

func kindOfSignature(r received) string {
	have, sent := r.Header[http.CanonicalHeaderKey("X-Cal-Signature-256")]
	switch {
	case !sent:
		return "none"
	case have[0] == "no-secret-provided":
		return have[0]
	case have[0] == signed(secret, r.Body):
		return "right"
	case have[0] == signed(oldSecret, r.Body):
		return "old"
	}
	return "wrong"
}

// carriedBy is the reference that metadata and answers agree on.
func carriedBy(t *testing.T, r received) string {
	t.Helper()
	p := r.payload(t)
	m, _ := p["metadata"].(map[string]any)
	inMetadata, _ := m["submissionId"].(string)
	for _, key := range []string{"responses", "userFieldsResponses"} {
		a, _ := p[key].(map[string]any)["submissionId"].(map[string]any)
		if v, _ := a["value"].(string); v != inMetadata {
			t.Errorf("%s carries %q, metadata %q", key, v, inMetadata)
		}
	}
	return inMetadata
}

// An altered body still carries the signature of the original; a re-encoded one
// says the same in other bytes.
func TestAlteredAndReencodedBodiesAreJSON(t *testing.T) {
	plainly := newWorld(t, calsim.CalDIY)
	plainly.book(t, plain)
	original := plainly.last(t)
	for _, f := range []calsim.Faults{{Alter: true}, {Reencode: true}} {
		w := newWorld(t, calsim.CalDIY)
		w.SetFaults(f)
		w.book(t, plain)
		got := w.last(t)
		if got.Header.Get("X-Cal-Signature-256") != original.Header.Get("X-Cal-Signature-256") {
			t.Errorf("%+v: the signature is not the original's", f)
		}
		if bytes.Equal(got.Body, original.Body) {
			t.Errorf("%+v: the body is the original's", f)
		}
		if same := reflect.DeepEqual(got.json(t), original.json(t)); same != f.Reencode {
			t.Errorf("%+v: says the same: %v", f, same)
		}
	}
}

// A fault with a count ends by itself; the next event is delivered as usual.
func TestFaultsWithACountEnd(t *testing.T) {
	w := newWorld(t, calsim.CalDIY)
	w.SetFaults(calsim.Faults{Drop: true, Count: 2})
	b := w.book(t, plain)
	ok(t, w.MeetingStarted(b.UID))
	ok(t, w.MeetingEnded(b.UID))
	if got := triggers(t, w.take()); !slices.Equal(got, []string{"MEETING_ENDED"}) {
		t.Errorf("delivered %v", got)
	}
	if f := w.Faults(); f != (calsim.Faults{}) {
		t.Errorf("faults left on: %+v", f)
	}
}

// Held deliveries come when they are released, in the order asked for, and
// holding ends with it.
func TestHeldDeliveriesComeInTheOrderAskedFor(t *testing.T) {
	want := []string{"BOOKING_CREATED", "MEETING_STARTED", "MEETING_ENDED", "BOOKING_NO_SHOW_UPDATED", "BOOKING_CANCELLED"}
	run := func(order calsim.Order, seed uint64) []string {
		w := newWorld(t, calsim.SelfHosted2025)
		w.SetFaults(calsim.Faults{Hold: true})
		b := w.book(t, plain)
		ok(t, w.MeetingStarted(b.UID))
		ok(t, w.MeetingEnded(b.UID))
		ok(t, w.MarkNoShow(b.UID, true))
		ok(t, w.Cancel(b.UID, "", ""))
		if got := w.take(); len(got) != 0 {
			t.Fatalf("%d came while held", len(got))
		}
		if n := w.Release(order, seed); n != len(want) {
			t.Fatalf("released %d, want %d", n, len(want))
		}
		got := triggers(t, w.take())
		w.Ping()
		if after := triggers(t, w.take()); !slices.Equal(after, []string{"PING"}) {
			t.Errorf("after the release came %v", after)
		}
		return got
	}
	if got := run(calsim.InOrder, 0); !slices.Equal(got, want) {
		t.Errorf("in order: %v", got)
	}
	slices.Reverse(want)
	if got := run(calsim.Reversed, 0); !slices.Equal(got, want) {
		t.Errorf("reversed: %v", got)
	}
	first, again, other := run(calsim.Shuffled, 1), run(calsim.Shuffled, 1), run(calsim.Shuffled, 2)
	if !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Errorf("shuffles: seed 1 %v and %v, seed 2 %v", first, again, other)
	}
}

// The same delivery again is the same bytes and the same headers, even after a
// fault, and the log shows both.
func TestRedeliverSendsTheSameBytes(t *testing.T) {
	w := newWorld(t, calsim.CalDIY)
	w.SetFaults(calsim.Faults{Drop: true, Count: 1})
	w.book(t, plain)
	log := w.Deliveries()
	if len(log) != 1 || log[0].Outcome != calsim.Dropped {
		t.Fatalf("log %+v", log)
	}
	d, err := w.Redeliver(log[0].Index)
	ok(t, err)
	got := w.last(t)
	if !bytes.Equal(got.Body, log[0].Body) || kindOfSignature(got) != "right" {
		t.Error("other bytes, or a wrong signature")
	}
	if d.Outcome != calsim.Sent || d.Status != 200 || len(w.Deliveries()) != 2 {
		t.Errorf("new attempt %+v", d)
	}
	if _, err := w.Redeliver(99); err == nil {
		t.Error("delivery 99 does not exist")
	}
}

// The cloud retries what its code retries, with the same bytes, and switches the
// webhook off on a 410. Direct generations never retry.
func TestRetriesFollowTheGeneration(t *testing.T) {
	tests := []struct {
		gen    calsim.Generation
		status int
		want   int // requests for one event
		after  int // requests for the event after it
	}{
		{calsim.Cloud2026, 200, 1, 1},
		{calsim.Cloud2026, 503, 3, 3},
		{calsim.Cloud2026, 429, 3, 3},
		{calsim.Cloud2026, 401, 1, 1},
		{calsim.Cloud2026, 302, 1, 1},
		{calsim.Cloud2026, 410, 1, 0},
		{calsim.SelfHosted2025, 503, 1, 1},
		{calsim.CalDIY, 410, 1, 1},
	}
	for _, tt := range tests {
		w := newWorld(t, tt.gen, func(c *calsim.Config) { c.Retry = []time.Duration{time.Millisecond, time.Millisecond} })
		w.then = func(rw http.ResponseWriter) {
			rw.Header().Set("Location", "/elsewhere")
			rw.WriteHeader(tt.status)
		}
		w.book(t, plain)
		got := w.take()
		if len(got) != tt.want {
			t.Errorf("%s %d: %d requests, want %d", tt.gen, tt.status, len(got), tt.want)
		}
		for _, r := range got {
			if !bytes.Equal(r.Body, got[0].Body) {
				t.Errorf("%s %d: a retry has other bytes", tt.gen, tt.status)
			}
		}
		w.Ping()
		if got := w.take(); len(got) != tt.after {
			t.Errorf("%s %d: then %d requests, want %d", tt.gen, tt.status, len(got), tt.after)
		}
	}
}

// One URL registered twice gets every event twice, with createdAt a millisecond
// apart in the direct path and two signatures (calcom.md §9.3).
func TestTwoRegistrationsDifferInCreatedAtOnly(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	w.SetWebhooks(calsim.Webhook{URL: w.url, Secret: secret}, calsim.Webhook{URL: w.url, Secret: ""},
		calsim.Webhook{URL: w.url, Secret: secret, Triggers: []string{"PING"}})
	w.book(t, plain)
	got := w.take()
	if len(got) != 2 {
		t.Fatalf("%d deliveries, want 2", len(got))
	}
	a, b := got[0].json(t), got[1].json(t)
	if a["createdAt"] == b["createdAt"] {
		t.Error("createdAt is the same")
	}
	maps.DeleteFunc(a, func(k string, _ any) bool { return k == "createdAt" })
	maps.DeleteFunc(b, func(k string, _ any) bool { return k == "createdAt" })
	if !reflect.DeepEqual(a, b) {
		t.Error("they differ in more than createdAt")
	}
	if s := kindOfSignature(got[1]); s != "no-secret-provided" {
		t.Errorf("a webhook without a secret sends %s", s)
	}
}

// A visitor chooses all metadata, also videoCallUrl; bytes are not escaped as Go
// would (calcom.md §2.1, body 26).
func TestHostileMetadataIsSentAsItCame(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	req := request(plain)
	req.Metadata = map[string]string{"videoCallUrl": "https://phish.example/", "<script>": "1&2", "": "empty key"}
	_, err := w.Book(req)
	ok(t, err)
	got := w.last(t)
	var body struct {
		Payload struct{ Metadata map[string]string }
	}
	ok(t, json.Unmarshal(got.Body, &body))
	if !maps.Equal(body.Payload.Metadata, req.Metadata) {
		t.Errorf("metadata %v", body.Payload.Metadata)
	}
	if !strings.Contains(string(got.Body), `"<script>":"1&2"`) {
		t.Error("the body is escaped as Go does it")
	}
}

// Of a booking its event type's webhook hears; what is of no booking is told to each
// address once, however many webhooks it has.
func TestWebhooksOfEventTypes(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	var hooks []calsim.Webhook
	for _, et := range []int{plain, plain + 1, plain + 2} {
		hooks = append(hooks, calsim.Webhook{URL: w.url, Secret: secret, EventType: et, Triggers: []string{"BOOKING_CREATED", "PING"}})
	}
	w.SetWebhooks(hooks...)
	w.book(t, plain)
	w.Ping()
	w.OutOfOffice() // nobody asked for it
	if got, want := triggers(t, w.take()), []string{"BOOKING_CREATED", "PING"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}
