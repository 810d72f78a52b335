// Package jobs is the clock of Handoff: it claims work that is due and does it.
// It decides nothing; each piece of work is one call into the store, which runs
// the rules.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A Runner does the work that is due until its context ends.
type Runner struct {
	Store *store.DB
	// Pipeline finds a site's pipeline; false if this install no longer has the
	// site, whose work then waits.
	Pipeline func(site string) (handoff.Pipeline, bool)
	Log      *slog.Logger
}

const (
	batch = 100         // pieces of work claimed at once
	look  = time.Second // between two looks, if nothing wakes us; a lost wake-up costs no more
)

// Run works until ctx ends. A piece of work that is under way is finished.
func (r *Runner) Run(ctx context.Context) {
	due, stop := r.Store.Feed().Listen(store.TopicDue)
	defer stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		for ctx.Err() == nil && r.Once(ctx) == batch {
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-tick.C:
		}
	}
}

// Once claims one batch and works it, and returns how much it claimed. What fails
// is tried again later, more and more seldom; it is never dropped.
func (r *Runner) Once(ctx context.Context) int {
	claimed, err := r.Store.Claim(ctx, store.KindReconcile, batch)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Error("claiming work failed", "err", err)
		}
		return 0
	}
	ctx = context.WithoutCancel(ctx) // a claim is worked to its end
	for _, w := range claimed {
		if err := r.reconcile(ctx, w); err != nil {
			r.Log.Error("reconciling failed; it is tried again", "site", w.Site, "attempt", w.Attempts, "err", err)
			if err := r.Store.Defer(ctx, w, backoff(w.Attempts), err); err != nil {
				r.Log.Error("giving work back failed; its lease will end", "site", w.Site, "err", err)
			}
		}
	}
	return len(claimed)
}

func (r *Runner) reconcile(ctx context.Context, w store.Work) error {
	pipeline, ok := r.Pipeline(w.Site)
	if !ok {
		return errUnknownSite
	}
	return r.Store.Reconcile(ctx, w, pipeline)
}

// backoff waits 1, 2, 4 … seconds, at most ten minutes.
func backoff(attempts int) time.Duration {
	return min(time.Second<<min(attempts-1, 20), 10*time.Minute)
}

var errUnknownSite = errors.New("the configuration has no such site; its work waits until it is there again")
