package jobs

import (
	"context"
	"time"
)

// tallyEvery is how long what is counted stays in memory: so much of it a crash loses.
const tallyEvery = 5 * time.Second

// keepTallies writes what was counted, until ctx ends, and then the rest.
func (r *Runner) keepTallies(ctx context.Context) {
	tick := time.NewTicker(tallyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.writeTallies(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			r.writeTallies(ctx)
		}
	}
}

func (r *Runner) writeTallies(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tallyEvery)
	defer cancel()
	if err := r.Store.KeepTallies(ctx); err != nil && ctx.Err() == nil {
		r.Log.Warn("writing what was counted failed; it is written with what comes next", "err", err)
	}
}
