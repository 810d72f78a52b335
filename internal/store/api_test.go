package store_test

import (
	"errors"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A site's health is what happened last, and what waits; of another site it says nothing.
func TestHealth(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		if got, err := h.Health(ctx, site); err != nil || got.Sweeps != 0 || !got.WebhookAt.IsZero() || !got.SweptAt.IsZero() || len(got.Open)+len(got.Alarms) != 0 {
			t.Errorf("of nothing: %+v, %v", got, err)
		}
		s := h.submit("f", "Dana")
		h.keep(h.event("e1", "u1", handoff.Accepted, s.ID), "d1")
		h.keep(h.event("e2", "u2", handoff.Accepted, ""), "d2")
		heard := h.now()
		h.work()
		h.must(h.SiteFails(ctx, site, store.SweepSubject, handoff.SweepFailing, "401"))
		h.must(h.SiteFails(ctx, "other", store.SweepSubject, handoff.SweepFailing, "401"))
		h.pass(time.Hour)
		h.must(h.StartSweep(ctx, site))
		got, err := h.Health(ctx, site)
		h.must(err)
		open := map[handoff.Reason]int{}
		for _, w := range got.Open {
			open[w.Reason] = w.Count
		}
		if !got.WebhookAt.Equal(heard) || got.Sweeps != 0 || !got.SweptSince.IsZero() || len(got.Alarms) != 1 || got.Alarms[0].Site != site || len(open) != 2 || open[handoff.NoReference] != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// What is named by an ID is found among the sites that are asked for, and in no other.
func TestFoundAmongSites(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		s := h.submit("f", "Dana")
		h.keep(h.event("e1", "u1", handoff.Accepted, s.ID), "d1")
		h.keep(h.event("e2", "u2", handoff.Accepted, ""), "d2")
		h.work()
		failure := h.waiting()[0].ID
		r, err := h.Dismiss(ctx, handoff.CommandLine, site, []handoff.FailureID{failure}, "")
		h.must(err)
		for _, c := range []struct {
			sites []string
			want  bool
		}{{[]string{"a", site}, true}, {[]string{"a"}, false}, {nil, false}} {
			for what, find := range map[string]func() (string, error){
				"lead":            func() (string, error) { return h.SiteOfLead(ctx, c.sites, s.Lead) },
				"failure":         func() (string, error) { return h.SiteOfFailure(ctx, c.sites, failure, "") },
				"settled failure": func() (string, error) { return h.SiteOfFailure(ctx, c.sites, failure, r.ID) },
			} {
				if got, err := find(); c.want && (got != site || err != nil) || !c.want && !errors.Is(err, handoff.ErrNotFound) {
					t.Errorf("%s in %v: %q, %v", what, c.sites, got, err)
				}
			}
		}
		if _, err := h.SiteOfFailure(ctx, []string{site}, failure, "res_other"); !errors.Is(err, handoff.ErrNotFound) {
			t.Error(err)
		}
		seats, err := h.Booking(ctx, site, "u1")
		if err != nil || len(seats) != 1 || seats[0].Lead != s.Lead || seats[0].Status != handoff.Accepted {
			t.Errorf("%+v, %v", seats, err)
		}
		for _, key := range [][2]string{{site, "none"}, {"other", "u1"}} {
			if _, err := h.Booking(ctx, key[0], key[1]); !errors.Is(err, handoff.ErrNotFound) {
				t.Errorf("%v: %v", key, err)
			}
		}
	})
}
