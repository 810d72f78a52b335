package store

import (
	"context"
	"sync/atomic"
)

// A young store on PostgreSQL grows faster than the server looks at it. Plans that
// were made for a table of ten rows are kept for one of ten thousand, until
// statistics are gathered; autovacuum does that once a minute at best. So each
// process has them gathered after its first few hundred writes, and then each time
// it has written four times as much.

// firstLook is after how many writes statistics are gathered first.
const firstLook = 200

// lastLook is the number of writes from which on the server's own looks suffice.
const lastLook = 1_000_000

// A tender gathers statistics. The zero value gathers none.
type tender struct {
	written, next atomic.Int64
	due           chan struct{} // nil: nobody gathers
}

// wrote counts writes.
func (t *tender) wrote(n int) {
	if t.due == nil {
		return
	}
	written, next := t.written.Add(int64(n)), t.next.Load()
	if written < next || next > lastLook || !t.next.CompareAndSwap(next, 4*next) {
		return
	}
	select {
	case t.due <- struct{}{}:
	default:
	}
}

// tend gathers statistics whenever it is due, until ctx ends.
func (db *DB) tend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-db.tender.due:
		}
		if _, err := db.write.ExecContext(ctx, db.engine.gather); err != nil && ctx.Err() == nil {
			db.log.Debug("gathering statistics failed; the server does it itself now and then", "err", err)
		}
	}
}
