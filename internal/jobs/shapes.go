package jobs

import (
	"context"
	"errors"
	"time"

	"handoff"
	"handoff/internal/calcom"
)

// watchShapes looks each second at the newest body of each trigger, until ctx ends: so
// it costs the same however many come, and misses nothing that lasts.
func (r *Runner) watchShapes(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.LookAtShapes(ctx)
		}
	}
}

// LookAtShapes looks once at the newest bodies that came, and remembers which fields
// they have. What changed waits in the failure queue.
func (r *Runner) LookAtShapes(ctx context.Context) {
	for _, seen := range r.Store.BodiesSeen() {
		body, err := r.Store.Body(ctx, seen)
		if err == nil {
			err = r.Store.LearnShape(ctx, seen, calcom.ShapeOf(body), calcom.Usual(seen.Trigger))
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, handoff.ErrNotFound) {
			r.Log.Warn("looking at a webhook's fields failed; the next one is looked at", "site", seen.Site, "err", err)
		}
	}
}
