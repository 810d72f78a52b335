package store_test

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"handoff"
	"handoff/internal/store"
)

// seen keeps an event of a trigger and returns what there is to look at.
func (h *harness) seen(n int) []store.BodySeen {
	h.t.Helper()
	h.keep(h.event(fmt.Sprint("shape", n), fmt.Sprint("u", n), handoff.Accepted, ""), fmt.Sprint("shape", n))
	return h.BodiesSeen()
}

func never(string, string) bool { return false }

// What changed in a trigger's bodies waits for a person, once, with the body that
// showed it; of what was learned first nobody hears.
func TestChangedBodiesAreTold(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		plain := handoff.Shape{"": "object", "payload": "object", "payload.uid": "text"}
		with := func(path, kind string) handoff.Shape {
			s := maps.Clone(plain)
			s[path] = kind
			return s
		}
		learn := func(n int, shape handoff.Shape) {
			t.Helper()
			seen := h.seen(n)
			if len(seen) != 1 || seen[0].Site != site || len(h.BodiesSeen()) != 0 {
				t.Fatalf("%+v", seen)
			}
			body, err := h.Body(ctx, seen[0])
			if err != nil || string(body) != `{"a":1}` {
				t.Fatal(string(body), err)
			}
			h.must(h.LearnShape(ctx, seen[0], shape, never))
		}
		changed := func() (out []store.FailureView) {
			t.Helper()
			list, err := h.Failures(ctx, store.FailureFilter{Kind: handoff.FailedSite})
			h.must(err)
			return list
		}
		for n := range handoff.LearnedAfter {
			learn(n, plain)
		}
		if got := changed(); len(got) != 0 {
			t.Fatalf("told while it was learned: %+v", got)
		}
		learn(100, with("payload.team", "number"))
		got := changed()
		if len(got) != 1 || got[0].Reason != handoff.BodyChanged || got[0].Detail != ": payload.team is new (number)." || got[0].Deliveries != 1 {
			t.Fatalf("%+v", got)
		}
		d, err := h.Failure(ctx, nil, got[0].ID)
		if err != nil || len(d.Received) != 1 || d.Received[0].Body != `{"a":1}` {
			t.Errorf("received %+v, %v", d.Received, err)
		}
		learn(101, with("payload.team", "number"))
		if again := changed(); len(again) != 1 || again[0].Deliveries != 1 {
			t.Errorf("told again: %+v", again)
		}
		learn(102, handoff.Shape{"": "object", "payload": "object"})
		if got = changed(); len(got) != 1 || got[0].Deliveries != 2 || !strings.HasSuffix(got[0].Detail, "(number). Then: payload.uid is gone.") {
			t.Errorf("%+v", got)
		}
		// However much changes, what is written about it has an end.
		for n := range 50 {
			learn(200+n, with("payload."+strings.Repeat("x", 50+n), "text"))
		}
		if got = changed(); len(got) != 1 || len(got[0].Detail) > 2100 || !strings.HasSuffix(got[0].Detail, "… and more.") {
			t.Errorf("%d bytes: %s", len(got[0].Detail), got[0].Detail)
		}
	})
}

// Bodies that came again, or told of an event that is known, are not looked at; of many
// of one trigger only the newest is.
func TestBodiesSeenAreFew(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		for n := range 5 {
			h.keep(h.event(fmt.Sprint("e", n), fmt.Sprint("u", n), handoff.Accepted, ""), fmt.Sprint("d", n))
		}
		if got := h.BodiesSeen(); len(got) != 1 {
			t.Errorf("%+v", got)
		}
		h.keep(h.event("e1", "u1", handoff.Accepted, ""), "d1")
		h.keep(h.event("e1", "u1", handoff.Accepted, ""), "another")
		h.must(h.KeepUnverified(t.Context(), h.delivery("forged"), handoff.SignatureWrong, ""))
		h.must(h.KeepNotUnderstood(t.Context(), h.delivery("odd"), handoff.UnknownShape, ""))
		if got := h.BodiesSeen(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Two processes that look at once tell of a change once.
func TestChangedBodiesAreToldOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		plain := handoff.Shape{"": "object", "uid": "text"}
		for n := range handoff.LearnedAfter {
			h.must(h.LearnShape(t.Context(), h.seen(n)[0], plain, never))
		}
		seen := h.seen(99)[0]
		const changes, lookers = 10, 8
		shape := maps.Clone(plain)
		for change := range changes {
			shape[fmt.Sprint("new", change)] = "text"
			var wg sync.WaitGroup
			for range lookers {
				wg.Go(func() {
					if err := h.LearnShape(t.Context(), seen, shape, never); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		list, err := h.Failures(t.Context(), store.FailureFilter{Kind: handoff.FailedSite})
		h.must(err)
		if len(list) != 1 || list[0].Reason != handoff.BodyChanged || list[0].Deliveries != changes {
			t.Errorf("%+v", list)
		}
	})
}
