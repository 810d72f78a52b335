package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Background work is rows that are due, not a second list of jobs (docs/adr).
// Ten facts about one booking are one row, and a fact that arrives while the row
// is worked raises its version, so that the work is done once more.

// Kinds of work. The key of both is a booking's uid.
const (
	KindReconcile = "reconcile" // derive the bookings and leads around it
	KindAsk       = "ask"       // ask Cal.com's API about it
)

// AskAfter is how long a webhook that may still come is waited for, before
// Cal.com is asked.
const AskAfter = 5 * time.Second

// Lease is how long a claim holds work that nobody finishes: after a crash the
// work is due again.
const Lease = time.Minute

// Work is a claimed row that is due.
type Work struct {
	Site     string
	Kind     string
	Key      string // what to work on
	Attempts int    // this one included
	version  int64
}

// enqueue makes work due. A version is never used twice, also after its row was
// deleted: whoever claimed the row before would end the new one unseen.
func (db *DB) enqueue(ctx context.Context, tx *sql.Tx, site, kind, key string, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO due (site, kind, key, version, due_at, attempts, last_error) VALUES ($1, $2, $3, $5, $4, 0, '')
		ON CONFLICT (site, kind, key) DO UPDATE SET version = due.version + 1, attempts = 0,
			due_at = CASE WHEN due.due_at < excluded.due_at THEN due.due_at ELSE excluded.due_at END`,
		site, kind, key, stamp{at}, rand.Int64N(1<<62))
	if err != nil {
		return fmt.Errorf("due work: %w", err)
	}
	return nil
}

// dueVersion is the version of a row of work; false if there is none.
func dueVersion(ctx context.Context, tx *sql.Tx, site, kind, key string) (version int64, ok bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT version FROM due WHERE site = $1 AND kind = $2 AND key = $3`, site, kind, key).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("due work: %w", err)
	}
	return version, true, nil
}

// Claim takes at most n pieces of work of a kind that are due, oldest first, and
// leases them. The caller ends each with its own transaction (as Reconcile does)
// or with Defer.
func (db *DB) Claim(ctx context.Context, kind string, n int) ([]Work, error) {
	var out []Work
	now := db.now()
	err := db.tx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `
			SELECT site, kind, key, version, attempts FROM due
			WHERE kind = $1 AND due_at <= $2 AND (leased_until IS NULL OR leased_until < $2)
			ORDER BY due_at LIMIT $3`+db.engine.skip, kind, stamp{now}, n)
		out, err = collect(rows, err, func(r *sql.Rows) (w Work, err error) {
			err = r.Scan(&w.Site, &w.Kind, &w.Key, &w.version, &w.Attempts)
			w.Attempts++
			return w, err
		})
		if err != nil {
			return err
		}
		for _, w := range out {
			if _, err := tx.ExecContext(ctx, `
				UPDATE due SET leased_until = $4, attempts = attempts + 1 WHERE site = $1 AND kind = $2 AND key = $3`,
				w.Site, w.Kind, w.Key, stamp{now.Add(Lease)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Recover makes due at once what a server held when it died, so that nobody waits
// for leases to end. The server calls it before it works. Of SQLite there is one
// server, and a lease from before it started is nobody's. Of PostgreSQL it can be
// another server's that lives: then some work is done twice, which changes nothing.
func (db *DB) Recover(ctx context.Context) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE due SET leased_until = NULL WHERE leased_until IS NOT NULL`)
		return err
	})
}

// finish ends work inside the transaction that did it. If a new reason came
// meanwhile the row stays, due at once.
func (db *DB) finish(ctx context.Context, tx *sql.Tx, w Work) error {
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
	return db.tx(ctx, func(tx *sql.Tx) error { return db.finish(ctx, tx, w) })
}

// Defer gives work back that could not be done, to be tried again after a wait.
func (db *DB) Defer(ctx context.Context, w Work, wait time.Duration, cause error) error {
	return db.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE due SET leased_until = NULL, due_at = $4, last_error = $5 WHERE site = $1 AND kind = $2 AND key = $3`,
			w.Site, w.Kind, w.Key, stamp{db.now().Add(wait)}, cause.Error())
		return err
	})
}
