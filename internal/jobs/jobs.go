// Package jobs is the clock of Handoff: it claims work that is due and does it.
// It decides nothing; each piece of work is one call into the store, which runs
// the rules.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// A Site is what the work of a site needs to know.
type Site struct {
	Pipeline   handoff.Pipeline
	Trust      calcom.Trust // judges the references in answers
	API        *calcom.API  // nil: Cal.com is never asked
	EventTypes []int64      // Cal.com's numbers of the site's own event types
}

// A Runner does the work that is due until its context ends.
type Runner struct {
	Store *store.DB
	// Sites by ID. The work of a site that is not there waits.
	Sites map[string]Site
	Log   *slog.Logger
}

const (
	batch = 100         // pieces of work claimed at once
	look  = time.Second // between two looks, if nothing wakes us; a lost wake-up costs no more

	// maxAsks is how often Cal.com is asked about one booking that it cannot or
	// will not answer; spread by backoff over about a day.
	maxAsks = 150
)

// Run works until ctx ends. A piece of work that is under way is finished. Asking
// Cal.com has a line of its own, so that a slow answer keeps no lead waiting.
func (r *Runner) Run(ctx context.Context) {
	if err := r.Store.Recover(ctx); err != nil && ctx.Err() == nil {
		r.Log.Error("taking over the work of a server that died failed; its leases will end", "err", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.loop(ctx, store.KindReconcile) })
	wg.Go(func() { r.loop(ctx, store.KindAsk) })
	wg.Wait()
}

func (r *Runner) loop(ctx context.Context, kind string) {
	due, stop := r.Store.Feed().Listen(store.TopicDue)
	defer stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		for ctx.Err() == nil && r.Once(ctx, kind) == batch {
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-tick.C:
		}
	}
}

// Once claims one batch of a kind and works it, and returns how much it claimed.
// What fails is tried again later, more and more seldom.
func (r *Runner) Once(ctx context.Context, kind string) int {
	claimed, err := r.Store.Claim(ctx, kind, batch)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Error("claiming work failed", "kind", kind, "err", err)
		}
		return 0
	}
	ctx = context.WithoutCancel(ctx) // a claim is worked to its end
	for _, w := range claimed {
		if err := r.do(ctx, w); err != nil {
			r.Log.Warn("work failed; it is tried again", "kind", kind, "site", w.Site, "attempt", w.Attempts, "err", err)
			if err := r.Store.Defer(ctx, w, backoff(w.Attempts), err); err != nil {
				r.Log.Error("giving work back failed; its lease will end", "site", w.Site, "err", err)
			}
		}
	}
	return len(claimed)
}

func (r *Runner) do(ctx context.Context, w store.Work) error {
	site, ok := r.Sites[w.Site]
	switch {
	case !ok:
		return errUnknownSite
	case w.Kind == store.KindAsk:
		return r.ask(ctx, w, site)
	}
	return r.Store.Reconcile(ctx, w, site.Pipeline)
}

// ask asks Cal.com about a booking, unless it was tied to a lead meanwhile.
func (r *Runner) ask(ctx context.Context, w store.Work, site Site) error {
	tied, err := r.Store.Tied(ctx, w.Site, w.Key)
	if err != nil {
		return err
	}
	if site.API == nil || tied || w.Attempts > maxAsks {
		return r.Store.Drop(ctx, w)
	}
	answer, err := site.API.Booking(ctx, site.Trust, w.Key)
	if errors.Is(err, handoff.ErrNotFound) {
		return r.Store.Drop(ctx, w)
	}
	if err != nil {
		return err
	}
	return r.Store.KeepAnswer(ctx, w, answer.Observations, answer.Successors, site.EventTypes)
}

// backoff waits 1, 2, 4 … seconds, at most ten minutes.
func backoff(attempts int) time.Duration {
	return min(time.Second<<min(attempts-1, 20), 10*time.Minute)
}

var errUnknownSite = errors.New("the configuration has no such site; its work waits until it is there again")
