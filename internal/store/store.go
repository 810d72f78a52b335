// Package store holds all SQL. A store method is one transaction and one fact:
// when it returns nil, the fact and the work that follows from it are on disk
// together.
//
// The SQL text is written once, in the part that SQLite and PostgreSQL share
// ($1 placeholders, ON CONFLICT, RETURNING); what differs is counted in [engine].
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"handoff"
)

//go:embed migrations
var embedded embed.FS

// migrations has one folder per engine. Tests add steps of the future to it.
var migrations fs.FS = embedded

// A DB is an open store. Its methods may be used concurrently.
type DB struct {
	engine engine
	name   string // its address, for messages
	write  *sql.DB
	read   *sql.DB // may be the same pool
	now    func() time.Time
	log    *slog.Logger
	feed   *Feed

	statements statements
	seen       bodiesSeen
	tallies    tallies
	deliveries *line[verified]
	forgeries  *line[unverified]
	forms      *line[form]

	relay      *relay // nil: no other process writes to this store
	tender     tender
	background sync.WaitGroup // what relay and tender do
	stop       context.CancelFunc
}

// Options of Open. The zero value is right.
type Options struct {
	Now         func() time.Time // the clock; nil is time.Now
	Log         *slog.Logger     // nil discards
	NoMigration bool             // refuse a store that is older than this version; its owner migrates by command
}

// Open opens the store at url, creating and migrating it as needed. A url is
// "sqlite:" and a path, a path alone, or one of PostgreSQL ("postgres://…"). A
// store that a newer version of Handoff wrote is refused.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.NoMigration && engineOf(url).missing(url) {
		return nil, fmt.Errorf("store: there is none at %s yet; make it with: handoff migrate: %w", nameOf(url), handoff.ErrInvalid)
	}
	db, err := connect(url, o)
	if err != nil {
		return nil, err
	}
	m, err := db.pending(ctx)
	switch {
	case err != nil:
	case o.NoMigration && len(m.Steps) > 0:
		err = fmt.Errorf("store: %s has schema %d, and this version of Handoff needs %d; bring it there with: handoff migrate: %w", db.name, m.From, m.To, handoff.ErrInvalid)
	default:
		err = db.migrate(ctx, m)
	}
	if err == nil {
		err = db.start(ctx, url)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// connect opens a store as it is.
func connect(url string, o Options) (*DB, error) {
	db := &DB{engine: engineOf(url), name: nameOf(url), now: o.Now, log: o.Log, feed: newFeed()}
	if db.now == nil {
		db.now = time.Now
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.engine.open == nil {
		scheme, _, _ := strings.Cut(url, ":")
		return nil, fmt.Errorf("store: engine %q is not supported; use sqlite:PATH or postgres://…: %w", scheme, handoff.ErrInvalid)
	}
	db.statements.on = db.engine.prepares
	var err error
	if db.write, db.read, err = db.engine.open(url); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return db, nil
}

// start opens the lines, and begins what a store of several processes needs beside.
func (db *DB) start(ctx context.Context, url string) error {
	db.deliveries = newLine(db.engine.writers, maxTogether, db.keepVerified)
	db.forgeries = newLine(1, maxTogether, db.keepUnverified)
	db.forms = newLine(db.engine.writers, maxTogether, db.keepForms)
	ctx, db.stop = context.WithCancel(context.WithoutCancel(ctx))
	db.tender.due = make(chan struct{}, 1)
	db.tender.next.Store(firstTending)
	db.background.Go(func() { db.tend(ctx) })
	db.background.Go(func() { db.fillIn(ctx) })
	if db.engine.relays {
		return db.startRelay(ctx, url)
	}
	return nil
}

// maxTogether is how many deliveries, or forms, are kept in one transaction at most.
const maxTogether = 128

// Close closes the store. Nothing acknowledged is pending.
func (db *DB) Close() error {
	if db.stop != nil { // it was started
		db.stop()
		db.background.Wait()
		db.deliveries.close()
		db.forgeries.close()
		db.forms.close()
	}
	if db.read == db.write {
		return db.write.Close()
	}
	return errors.Join(db.read.Close(), db.write.Close())
}

// Now is the store's clock.
func (db *DB) Now() time.Time { return db.now() }

// Ping reports whether the store can be written: a server that cannot keep a
// webhook is not ready.
func (db *DB) Ping(ctx context.Context) error {
	return db.tx(ctx, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `UPDATE due SET version = version WHERE site = ''`)
		return err
	})
}

// querier is a transaction, or the reading pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// collect reads all rows with scan.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// newID makes an ID that sorts by time, with a prefix such as "lead".
func newID(prefix string) string {
	return handoff.FormatID(prefix, uuid.Must(uuid.NewV7()))
}
