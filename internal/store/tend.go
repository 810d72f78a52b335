package store

import (
	"context"
	"sync/atomic"
)

// Both engines need something done beside the writing, after so many writes.
//
// SQLite's log has to be copied into the file. The writer does that too, but only
// when the log is long, since everybody waits for it; what was copied beside it
// before, it has not to do.
//
// A young store on PostgreSQL grows faster than the server looks at it. Plans that
// were made for a table of ten rows are kept for one of ten thousand, until
// statistics are gathered; autovacuum does that once a minute at best. So each
// process has them gathered, of the tables that grew, and then again each time it
// has written four times as much.

const (
	firstTending = 100       // writes
	lastTending  = 1_000_000 // writes, of waits that grow: from then on the server's own care suffices
)

// analyzeGrown gathers PostgreSQL's statistics of the tables around ours that
// changed by half since it was last done: of a big table it costs a second.
const analyzeGrown = `DO $$
DECLARE
	grown regclass;
BEGIN
	FOR grown IN
		SELECT c.oid FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
		WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'leads'::regclass) AND s.n_mod_since_analyze > c.reltuples / 2
		ORDER BY c.oid -- two that do it at once wait for one another in one order
	LOOP
		EXECUTE 'ANALYZE ' || grown;
	END LOOP;
END $$`

// A tender counts writes. The zero value tends nothing.
type tender struct {
	written, next atomic.Int64
	due           chan struct{}
}

// wrote counts writes, and makes tending due.
func (db *DB) wrote(n int) {
	t := &db.tender
	written, next := t.written.Add(int64(n)), t.next.Load()
	if written < next {
		return
	}
	later := next * db.engine.tendGrowth
	if db.engine.tendGrowth == 1 {
		later = written + firstTending
	}
	if (db.engine.tendGrowth > 1 && next > lastTending) || !t.next.CompareAndSwap(next, later) {
		return
	}
	select {
	case t.due <- struct{}{}:
	default: // it is at it
	}
}

// tend does what is due, until ctx ends.
func (db *DB) tend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-db.tender.due:
		}
		if _, err := db.read.ExecContext(ctx, db.engine.tend); err != nil && ctx.Err() == nil {
			db.log.Debug("tending the store failed; it is done later, or by the database itself", "err", err)
		}
	}
}
