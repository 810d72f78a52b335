package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"

	"github.com/pressly/goose/v3"

	"handoff"
)

// A Migration is what brings a store's schema to this version of Handoff.
type Migration struct {
	From  int64    // the schema the store has; 0: none, it is new
	To    int64    // the schema of this version
	Steps []string // names, in order; empty if the store is there already
}

// Migrate brings the store at url to the schema of this version, and says what it
// did. With dry it says what it would do, and changes nothing. A store that a
// newer version wrote is refused.
//
// Of two processes that migrate one store at once, one does it and the other finds
// it done.
func Migrate(ctx context.Context, url string, dry bool) (Migration, error) {
	if dry && engineOf(url).missing(url) {
		return pending(engineOf(url), 0)
	}
	db, err := connect(url, Options{})
	if err != nil {
		return Migration{}, err
	}
	defer db.Close()
	m, err := db.pending(ctx)
	if err != nil || dry {
		return m, err
	}
	return m, db.migrate(ctx, m)
}

// pending says what is between the store's schema and this version's. The error
// is ErrInvalid if the store is ahead.
func (db *DB) pending(ctx context.Context) (Migration, error) {
	current, err := version(ctx, db.read, db.engine)
	if err != nil {
		return Migration{}, fmt.Errorf("store: reading its schema's version: %w", err)
	}
	m, err := pending(db.engine, current)
	if err == nil && m.From > m.To {
		err = fmt.Errorf("store: %s was written by a newer version of Handoff (schema %d; this one knows %d); use that version, or a later one. Nothing was changed: %w", db.name, m.From, m.To, handoff.ErrInvalid)
	}
	return m, err
}

// pending lists the steps that follow a version.
func pending(e engine, current int64) (Migration, error) {
	m := Migration{From: current}
	if e.name == "" {
		return m, fmt.Errorf("store: use sqlite:PATH or postgres://…: %w", handoff.ErrInvalid)
	}
	files, err := fs.Glob(migrations, "migrations/"+e.name+"/*.sql") // sorted
	if err != nil {
		return m, fmt.Errorf("store: migrations: %w", err)
	}
	for _, file := range files {
		v, err := goose.NumericComponent(file)
		if err != nil {
			return m, fmt.Errorf("store: migrations: %w", err)
		}
		if m.To = v; v > current {
			m.Steps = append(m.Steps, path.Base(file))
		}
	}
	return m, nil
}

// version reads the schema's version; 0 if there is no schema. It writes nothing.
func version(ctx context.Context, q querier, e engine) (v int64, err error) {
	names, err := tableNames(ctx, q, e)
	if err != nil || !slices.Contains(names, goose.DefaultTablename) {
		return 0, err
	}
	err = q.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename).Scan(&v)
	return v, err
}

// tableNames lists the tables that the store's statements see.
func tableNames(ctx context.Context, q querier, e engine) ([]string, error) {
	rows, err := q.QueryContext(ctx, e.tables)
	return collect(rows, err, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) })
}

// migrate takes the steps of m. PostgreSQL's lock lets one process at a time take
// them. SQLite has none that outlives a transaction: who loses a step to another
// process goes on from where that one is.
func (db *DB) migrate(ctx context.Context, m Migration) error {
	if len(m.Steps) == 0 {
		return nil
	}
	p, err := db.migrator()
	if err != nil {
		return fmt.Errorf("store: migrations: %w", err)
	}
	for reached := m.From; ; {
		_, err := p.Up(ctx)
		if err == nil {
			return nil
		}
		now, verr := version(ctx, db.read, db.engine)
		if verr != nil || now <= reached {
			return fmt.Errorf("store: migrating %s from schema %d to %d: %w", db.name, m.From, m.To, errors.Join(err, verr))
		}
		reached = now
	}
}

func (db *DB) migrator() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+db.engine.name)
	if err != nil {
		return nil, err
	}
	options, err := db.engine.migrating()
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(db.engine.dialect, db.write, dir, options...)
}

// nameOf is a store's address without its password, for messages.
func nameOf(address string) string {
	if engineOf(address).name == sqlite.name {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return "the store"
	}
	u.RawQuery = "" // it may hold a password too
	return u.Redacted()
}
