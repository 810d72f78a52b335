package store_test

import (
	"errors"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// What came of asking Cal.com about a booking stands with what waits for it, the last of
// it, and with nothing else; of a uid about which nothing waits nothing is kept.
func TestAsked(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.keep(h.event("evt_u", "u", handoff.Accepted, ""), "u")
		h.keep(h.event("evt_v", "v", handoff.Accepted, ""), "v")
		h.work()
		of := func(uid string) *store.Asked {
			t.Helper()
			list, err := h.Failures(ctx, store.FailureFilter{UID: uid})
			h.must(err)
			d, err := h.Failure(ctx, nil, list[0].ID)
			h.must(err)
			return d.Asked
		}
		claim := func(uid string) store.Work {
			t.Helper()
			h.must(h.Ask(ctx, site, uid))
			h.pass(time.Hour)
			claimed, err := h.Claim(ctx, site, store.KindAsk, 10)
			h.must(err)
			for _, w := range claimed {
				if w.Key == uid {
					return w
				}
			}
			t.Fatalf("there is no work for %s: %+v", uid, claimed)
			return store.Work{}
		}
		if got := of("u"); got != nil {
			t.Errorf("nobody asked: %+v", got)
		}
		told, stop := h.Feed().Listen(store.TopicLeads)
		defer stop()
		for _, c := range []struct {
			name string
			end  func(store.Work) error
			want handoff.Reply
		}{
			{"it has none", func(w store.Work) error { return h.EndAsking(ctx, w, handoff.ReplyNone) }, handoff.ReplyNone},
			{"away", func(w store.Work) error { return h.Defer(ctx, w, errors.New("away"), 0) }, handoff.ReplyFailed},
			{"given up", func(w store.Work) error { return h.EndAsking(ctx, w, handoff.ReplyGivenUp) }, handoff.ReplyGivenUp},
			{"heard", func(w store.Work) error { return h.KeepAnswer(ctx, w, nil, nil, nil) }, handoff.ReplyHeard},
		} {
			w := claim("u")
			asked := h.now()
			h.must(c.end(w))
			got := of("u")
			if got == nil || got.Reply != c.want || !got.At.Equal(asked) || got.Text != c.want.Text() || got.Text == "" {
				t.Errorf("%s: %+v", c.name, got)
			}
			if of("v") != nil {
				t.Errorf("%s: and of another booking", c.name)
			}
		}
		select {
		case <-told:
		default:
			t.Error("nobody who looks was told")
		}
		// Who says that there is a booking may be anybody.
		h.must(h.EndAsking(ctx, claim("made-up"), handoff.ReplyNone))
		h.keep(h.event("evt_m", "made-up", handoff.Accepted, ""), "m")
		h.work()
		if got := of("made-up"); got != nil {
			t.Errorf("of a uid about which nothing waited: %+v", got)
		}
	})
}
