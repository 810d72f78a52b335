package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"
)

// visibleRates are what is sent in a second while leads are watched.
var visibleRates = []int{50, 200}

func (b *bench) takeVisible() error {
	return b.everyProgram(func(p *program) bool { return p.key != "" }, visible)
}

// visible measures from when a webhook was due to when another connection to the
// database sees that its lead is booked. It looks every millisecond or so, the same
// for all.
func visible(s *session) error {
	if err := s.warm(); err != nil {
		return err
	}
	db, err := s.store.open()
	if err != nil {
		return err
	}
	defer db.Close()
	for _, rate := range visibleRates {
		w := &watcher{p: s.p, db: db, waiting: map[string]time.Time{}}
		hooks := s.webhooks
		ctx, sent := context.WithCancel(s.ctx)
		var watching sync.WaitGroup
		var failed error
		watching.Go(func() { failed = w.watch(s.ctx, ctx) })
		s.deliver(s.ctx, load{conns: 128, rate: float64(rate), sending: func(i int, due time.Time) { w.await(s.p.lookupKey(hooks, i), due) }})
		sent()
		watching.Wait()
		if failed != nil {
			return failed
		}
		slices.Sort(w.seen)
		s.addPercentiles(fmt.Sprintf("visible/%d", rate), w.seen)
		log.Printf("    %s at %d a second: visible p50 %s, p99 %s of %d", s.label, rate, percentile(w.seen, 50), percentile(w.seen, 99), len(w.seen))
	}
	return nil
}

// A watcher looks for leads that move.
type watcher struct {
	p       *program
	db      *sql.DB
	mu      sync.Mutex
	waiting map[string]time.Time // since when each webhook was due
	seen    []time.Duration
}

func (w *watcher) await(key string, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[key] = due
}

// maxWatched bounds one look.
const maxWatched = 300

// watch looks until all were seen after sending ended.
func (w *watcher) watch(ctx, sending context.Context) error {
	var ended time.Time
	for ctx.Err() == nil {
		keys := w.keys()
		if sending.Err() != nil {
			if len(keys) == 0 {
				return nil
			}
			if ended.IsZero() {
				ended = time.Now()
			}
			if time.Since(ended) > patience {
				w.giveUp()
				return nil
			}
		}
		if len(keys) > 0 {
			if err := w.look(ctx, keys); err != nil {
				return err
			}
		}
		time.Sleep(time.Millisecond)
	}
	return ctx.Err()
}

// giveUp counts what did not move as if it had moved now, which is too good for it.
func (w *watcher) giveUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	log.Printf("    %s: %d leads did not move within %s", w.p.name, len(w.waiting), patience)
	for _, due := range w.waiting {
		w.seen = append(w.seen, time.Since(due))
	}
	clear(w.waiting)
}

func (w *watcher) keys() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for key := range w.waiting {
		if out = append(out, key); len(out) == maxWatched {
			break
		}
	}
	return out
}

func (w *watcher) look(ctx context.Context, keys []string) error {
	found, err := w.p.bookedAmong(ctx, w.db, keys)
	if err != nil {
		return err
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range found {
		w.seen = append(w.seen, now.Sub(w.waiting[key]))
		delete(w.waiting, key)
	}
	return nil
}
