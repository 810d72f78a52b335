package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"handoff"
)

// Background work is rows that are due, not a second list of jobs (docs/adr).
// Ten facts about one booking are one row, and a fact that arrives while the row
// is worked makes it due once more.

// Kinds of work. The key of both is a booking's uid.
const (
	KindReconcile = "reconcile" // derive the bookings and leads around it
	KindAsk       = "ask"       // ask Cal.com's API about it
)

// AskAfter is how long a webhook that may still come is waited for, before
// Cal.com is asked.
const AskAfter = 5 * time.Second

// Lease is how long a claim holds work that nobody finishes: after a crash the
// work is due again. Whoever claims gives up before.
const Lease = 30 * time.Second

// longestWait is more than any work is ever put off. What is due later than that
// was written before the clock was set back, and is due now.
const longestWait = 15 * time.Minute

// atOnce is when work is due that waits for nothing: in the past of every clock,
// so that one that is set back keeps no lead waiting.
var atOnce = time.Unix(0, 0)

// Work is a claimed row that is due.
type Work struct {
	Site     string
	Kind     string
	Key      string // what to work on
	Attempts int    // this one included
	version  int64
}

// A dueRow is work to be written.
type dueRow struct {
	site, kind, key string
	at              time.Time
}

// enqueue makes work due. A version is never used twice, also after its row was
// deleted: whoever claimed the row before would end the new one unseen.
func (db *DB) enqueue(ctx context.Context, tx *txn, work ...dueRow) error {
	slices.SortFunc(work, func(a, b dueRow) int {
		return strings.Compare(a.site+"\x00"+a.kind+"\x00"+a.key, b.site+"\x00"+b.kind+"\x00"+b.key)
	})
	work = slices.CompactFunc(work, func(a, b dueRow) bool { return a.site == b.site && a.kind == b.kind && a.key == b.key })
	rows := make([][]any, len(work))
	for i, w := range work {
		rows[i] = []any{w.site, w.kind, w.key, stamp{w.at}, rand.Int64N(1 << 62), 0, ""}
	}
	err := many(ctx, tx, `
		INSERT INTO due (site, kind, key, due_at, version, attempts, last_error) VALUES?
		ON CONFLICT (site, kind, key) DO UPDATE SET version = due.version + 1, attempts = 0,
			due_at = CASE WHEN due.due_at < excluded.due_at THEN due.due_at ELSE excluded.due_at END`, nil, rows, nil)
	if err != nil {
		return fmt.Errorf("due work: %w", err)
	}
	return nil
}

// DueSites lists the sites that have work of a kind that is due.
func (db *DB) DueSites(ctx context.Context, kind string) ([]string, error) {
	now := db.now()
	// The sites are found one after the other in the index: a site can have much due.
	rows, err := db.read.QueryContext(ctx, `
		WITH RECURSIVE sites (site) AS (
			SELECT min(site) FROM due
			UNION ALL SELECT (SELECT min(due.site) FROM due WHERE due.site > sites.site) FROM sites WHERE site IS NOT NULL)
		SELECT site FROM sites WHERE site IS NOT NULL AND EXISTS (
			SELECT 1 FROM due WHERE due.site = sites.site AND kind = $1 AND (due_at <= $2 OR due_at > $3))`,
		kind, stamp{now}, stamp{now.Add(longestWait)})
	out, err := collect(rows, err, func(r *sql.Rows) (site string, err error) { return site, r.Scan(&site) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// next reads at most n pieces of a site's work that are due and that nobody
// holds, those that wait longest first, and holds them until the transaction
// ends; or only the piece named, if only is not empty.
func (db *DB) next(ctx context.Context, tx *txn, site, kind string, n int, only string) ([]Work, error) {
	now := db.now()
	rows, err := tx.QueryContext(ctx, `
		SELECT site, kind, key, version, attempts FROM due
		WHERE site = $1 AND kind = $2 AND (due_at <= $3 OR due_at > $4)
			AND (leased_until IS NULL OR leased_until < $3 OR leased_until > $5) AND ($6 = '' OR key = $6)
		ORDER BY due_at LIMIT $7`+db.engine.skip,
		site, kind, stamp{now}, stamp{now.Add(longestWait)}, stamp{now.Add(Lease)}, only, n)
	out, err := collect(rows, err, func(r *sql.Rows) (w Work, err error) {
		err = r.Scan(&w.Site, &w.Kind, &w.Key, &w.version, &w.Attempts)
		w.Attempts++
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("due work: %w", err)
	}
	return out, nil
}

// Claim takes at most n pieces of a site's work of a kind that are due, those
// that wait longest first, and leases them: it is for work that asks somebody
// else. The caller ends each with Drop, Defer, KeepAnswer or KeepSwept.
func (db *DB) Claim(ctx context.Context, site, kind string, n int) (out []Work, err error) {
	err = db.tx(ctx, func(tx *txn) (err error) {
		out, err = db.claim(ctx, tx, site, kind, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (db *DB) claim(ctx context.Context, tx *txn, site, kind string, n int) ([]Work, error) {
	out, err := db.next(ctx, tx, site, kind, n, "")
	if err != nil {
		return nil, err
	}
	for _, w := range out {
		if _, err := tx.ExecContext(ctx, `
			UPDATE due SET leased_until = $4, attempts = attempts + 1 WHERE site = $1 AND kind = $2 AND key = $3`,
			w.Site, w.Kind, w.Key, stamp{db.now().Add(Lease)}); err != nil {
			return nil, fmt.Errorf("due work: %w", err)
		}
	}
	return out, nil
}

// finish ends claimed work inside the transaction that did it. If a new reason
// came meanwhile the row stays, and can be claimed again.
func (db *DB) finish(ctx context.Context, tx *txn, w Work) error {
	res, err := tx.ExecContext(ctx, `
		DELETE FROM due WHERE site = $1 AND kind = $2 AND key = $3 AND version = $4`, w.Site, w.Kind, w.Key, w.version)
	if err != nil {
		return fmt.Errorf("due work: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE due SET leased_until = NULL WHERE site = $1 AND kind = $2 AND key = $3`, w.Site, w.Kind, w.Key)
	return err
}

// Drop ends work that needs nothing done.
func (db *DB) Drop(ctx context.Context, w Work) error {
	return db.tx(ctx, func(tx *txn) error { return db.finish(ctx, tx, w) })
}

// Defer gives work back that could not be done, to be tried again after a wait
// that grows with the attempts: 1, 2, 4 … seconds, and at least as long as is told;
// but at most ten minutes.
func (db *DB) Defer(ctx context.Context, w Work, cause error, least time.Duration) error {
	wait := min(max(time.Second<<min(w.Attempts-1, 20), least), 10*time.Minute)
	return db.tx(ctx, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE due SET leased_until = NULL, due_at = $4, last_error = $5, attempts = $6 WHERE site = $1 AND kind = $2 AND key = $3`,
			w.Site, w.Kind, w.Key, stamp{db.now().Add(wait)}, cause.Error(), w.Attempts)
		if err == nil && w.Kind == KindAsk {
			err = db.noteReply(ctx, tx, w, handoff.ReplyFailed)
		}
		return err
	})
}
