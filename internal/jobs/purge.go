package jobs

import (
	"context"
	"time"
)

const (
	purgeFirst = 5 * time.Minute // after the start
	purgeEvery = time.Hour
)

// purge forgets what nobody waits for any more, until ctx ends. At its start it looks
// through everything that was settled, then only at what became old since.
func (r *Runner) purge(ctx context.Context) {
	wait, looked := purgeFirst, time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = purgeEvery
		var err error
		for more := true; more && err == nil && ctx.Err() == nil; {
			looked, more, err = r.Store.PurgeBodies(ctx, looked)
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("forgetting old bodies failed; it is done with the next ones", "err", err)
		}
	}
}
