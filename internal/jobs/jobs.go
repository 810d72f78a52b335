// Package jobs is the clock of Handoff: it claims work that is due and does it.
// It decides nothing; each piece of work is one call into the store, which runs
// the rules.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// A Site is what the work of a site needs to know.
type Site struct {
	handoff.Rules
	Trust calcom.Trust // judges the references in answers
	API   *calcom.API  // nil: Cal.com is never asked
	// Reminders to who did not book. Nil: there are none.
	Reminders *Reminders
	// Calendars tells why a calendar cannot be shown in the site's pages, in words;
	// empty: all that were looked at can. An error says that one could not be looked at
	// now. Nil: nobody looks.
	Calendars func(context.Context) (string, error)
	// Telling people of the site. Nil: nobody is told.
	Telling *Telling
}

// A Runner does the work that is due until its context ends.
type Runner struct {
	Store *store.DB
	// Sites by ID. The work of a site that is not there waits.
	Sites map[string]Site
	Log   *slog.Logger

	hidden  map[string]bool // sites whose calendars could not be shown at the last look
	ill     streaks         // mail servers
	resting rests           // sites and leads that are not to be reminded before a time
}

const (
	batch     = 32          // bookings reconciled at once
	questions = 2           // asked before others are: each can take ten seconds, and the lease is of thirty
	look      = time.Second // between two looks, if nothing wakes us; a lost wake-up costs no more

	// maxAsks is how often Cal.com is asked about one booking that it cannot or
	// will not answer; spread by backoff over about a day.
	maxAsks = 150
)

// Run works until ctx ends. A piece of work that is under way is finished. Asking
// Cal.com has lines of its own, so that a slow answer keeps no lead waiting. It
// begins with a sweep: nobody heard the webhooks that came while we were away.
func (r *Runner) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { r.loop(ctx, store.KindReconcile) })
	wg.Go(func() { r.applyRules(ctx) })
	wg.Go(func() { r.remindAll(ctx) })
	wg.Go(func() { r.watchCalendars(ctx) })
	wg.Go(func() { r.watchShapes(ctx) })
	wg.Go(func() { r.keepTallies(ctx) })
	wg.Go(func() { r.purge(ctx) })
	wg.Go(func() {
		r.startTelling(ctx)
		r.loop(ctx, store.KindTell)
	})
	wg.Go(func() { r.loop(ctx, store.KindAsk) })
	wg.Go(func() {
		r.startSweep(ctx)
		r.loop(ctx, store.KindSweep)
	})
	wg.Wait()
}

// startSweep makes the sweep due.
func (r *Runner) startSweep(ctx context.Context) {
	r.insist(ctx, "starting to sweep", func() error { return r.Store.StartSweep(ctx, r.Swept()...) })
}

// applyRules makes bookings due that a site's rules, which may have been changed while
// we were away, speak of in another way than before.
func (r *Runner) applyRules(ctx context.Context) {
	for id, site := range r.Sites {
		r.insist(ctx, "applying the rules of "+id, func() error { return r.Store.ApplyRules(ctx, id, site.Rules) })
	}
}

// insist does something as soon as the store lets it.
func (r *Runner) insist(ctx context.Context, what string, do func() error) {
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return
		}
		r.Log.Error(what+" failed; it is tried again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(look):
		}
	}
}

// Swept lists the sites that are swept, sorted.
func (r *Runner) Swept() []string {
	var out []string
	for id, site := range r.Sites {
		if site.sweeps() {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// loop works one kind. Reconciliation is woken; what asks Cal.com waits some seconds
// at least, and is found by looking.
func (r *Runner) loop(ctx context.Context, kind string) {
	var due <-chan struct{}
	if kind == store.KindReconcile {
		var stop func()
		due, stop = r.Store.Feed().Listen(store.TopicDue)
		defer stop()
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		for ctx.Err() == nil && r.Once(ctx, kind) > 0 {
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-tick.C:
		}
	}
}

// Once works one batch of a kind for each site that has some due, and returns how
// much it did. What fails is tried again later, more and more seldom.
func (r *Runner) Once(ctx context.Context, kind string) (done int) {
	sites, err := r.Store.DueSites(ctx, kind)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Error("looking for work failed", "kind", kind, "err", err)
		}
		return 0
	}
	ctx = context.WithoutCancel(ctx) // what is begun is finished
	for _, id := range sites {
		site, ok := r.Sites[id]
		if !ok {
			continue // its work waits until the configuration has it again
		}
		do := r.reconcile
		switch kind {
		case store.KindAsk:
			do = r.ask
		case store.KindSweep:
			do = r.sweep
		case store.KindTell:
			do = r.tellPeople
		}
		n, err := do(ctx, id, site)
		if err != nil {
			r.Log.Warn("work failed; it is tried again", "kind", kind, "site", id, "err", err)
		}
		done += n
	}
	return done
}

func (r *Runner) reconcile(ctx context.Context, id string, site Site) (done int, err error) {
	return r.Store.Reconcile(ctx, id, site.Rules, batch)
}

// ask works a batch of questions, and returns how many.
func (r *Runner) ask(ctx context.Context, id string, site Site) (done int, err error) {
	claimed, err := r.Store.Claim(ctx, id, store.KindAsk, questions)
	if err != nil {
		return 0, err
	}
	for _, w := range claimed {
		if failed := r.askOne(ctx, w, site); failed != nil {
			err = errors.Join(failed, r.Store.Defer(ctx, w, failed, calcom.Wait(failed)))
		}
	}
	return len(claimed), err
}

// askOne asks Cal.com about a booking, unless it was tied to a lead meanwhile and nothing
// about it waits.
func (r *Runner) askOne(ctx context.Context, w store.Work, site Site) error {
	known, err := r.Store.NothingToAsk(ctx, w.Site, w.Key)
	if err != nil {
		return err
	}
	if site.API == nil || known {
		return r.Store.Drop(ctx, w)
	}
	if w.Attempts > maxAsks {
		return r.Store.EndAsking(ctx, w, handoff.ReplyGivenUp)
	}
	answer, err := site.API.Booking(ctx, site.Trust, w.Key)
	if errors.Is(err, handoff.ErrNotFound) {
		return r.Store.EndAsking(ctx, w, handoff.ReplyNone)
	}
	if err != nil {
		return err
	}
	return r.Store.KeepAnswer(ctx, w, answer.Observations, answer.Successors, site.EventTypes)
}
