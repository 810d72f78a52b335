package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff"
)

// Copy copies everything from one store into another, of whatever engines, and
// checks that it is there: it reads both again and compares rows and digests of
// each table. It returns what it found, also with an error that names a table.
//
// The source is read as it was at one moment; what is stored in it later is not in
// the copy. The target has no store yet, or an empty one. It is filled, read again
// and compared in one transaction, in which nobody else can write to it: a copy
// that is broken off or differs leaves it empty. tell hears what a person may want
// to know meanwhile, a line at a time; nil is nobody.
//
// The error is ErrInvalid if a store is not fit for a copy. Then it is unchanged.
func Copy(ctx context.Context, from, to string, tell func(line string)) ([]TableCopy, error) {
	if tell == nil {
		tell = func(string) {}
	}
	return copyStore(ctx, from, to, tell, func(*sql.Tx) error { return nil })
}

// copyStore is Copy. Between copying and comparing it calls meddle with the
// target's transaction, for tests.
func copyStore(ctx context.Context, from, to string, tell func(string), meddle func(*sql.Tx) error) ([]TableCopy, error) {
	if held(from) {
		tell("Another process has the source open. What it stores from now on is not in the copy.")
	}
	source, err := openSource(ctx, from)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	target, err := openTarget(ctx, to)
	if err != nil {
		return nil, err
	}
	defer target.Close()

	reading, err := source.read.BeginTx(ctx, source.engine.snapshot)
	if err != nil {
		return nil, fmt.Errorf("store: reading %s: %w", source.name, err)
	}
	defer reading.Rollback()
	writing, err := target.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("store: writing %s: %w", target.name, err)
	}
	defer writing.Rollback()
	a, b := side{source.engine, source.name, reading}, side{target.engine, target.name, writing}
	if err := fill(ctx, a, b, tell); err != nil {
		return nil, err
	}
	if err := meddle(writing); err != nil {
		return nil, err
	}
	found, err := compare(ctx, a, b, tell)
	if err != nil {
		return found, err
	}
	if err := writing.Commit(); err != nil {
		return found, fmt.Errorf("store: writing %s; nothing was copied: %w", target.name, err)
	}
	return found, nil
}

// openSource opens a store that has this version's schema.
func openSource(ctx context.Context, url string) (*DB, error) {
	if engineOf(url).missing(url) {
		return nil, fmt.Errorf("store: there is no file %s to copy from: %w", nameOf(url), handoff.ErrInvalid)
	}
	db, err := connect(url, Options{})
	if err != nil {
		return nil, err
	}
	m, err := db.pending(ctx)
	switch {
	case err != nil:
	case m.From == 0:
		err = fmt.Errorf("store: there is no store of Handoff at %s to copy from: %w", db.name, handoff.ErrInvalid)
	case len(m.Steps) > 0:
		err = older(db, m)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func older(db *DB, m Migration) error {
	return fmt.Errorf("store: %s has schema %d, and a copy needs %d on both sides; first bring it there with: handoff migrate: %w", db.name, m.From, m.To, handoff.ErrInvalid)
}

// openTarget opens a store with this version's schema and makes it if there is
// none. Whether it is empty is looked at later, when nobody else can fill it.
func openTarget(ctx context.Context, url string) (*DB, error) {
	db, err := connect(url, Options{})
	if err != nil {
		return nil, err
	}
	if err := db.prepare(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// prepare makes an empty store of what may have none yet.
func (db *DB) prepare(ctx context.Context) error {
	m, err := db.settledSchema(ctx)
	if err != nil || m.From == m.To {
		return err
	}
	if m.From > 0 {
		return older(db, m)
	}
	there, err := tableNames(ctx, db.read, db.engine)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, t := range tables {
		if slices.Contains(there, t.name) {
			return fmt.Errorf("store: %s has a table %s that is not Handoff's; choose a database, or a schema, of Handoff's own: %w", db.name, t.name, handoff.ErrInvalid)
		}
	}
	return db.migrate(ctx, m)
}

// settledSchema is pending, unless another process is making the store at this moment:
// then it has an older schema for a moment, and this waits for it.
func (db *DB) settledSchema(ctx context.Context) (Migration, error) {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		m, err := db.pending(ctx)
		if err != nil || m.From == 0 || m.From == m.To || time.Now().After(deadline) {
			return m, err
		}
	}
}

// fill copies all tables.
func fill(ctx context.Context, source, target side, tell func(string)) error {
	if err := target.reserve(ctx); err != nil {
		return err
	}
	for _, t := range tables {
		if err := copyTable(ctx, source, target, t, tell); err != nil {
			return fmt.Errorf("store: copying %s from %s to %s; nothing was copied: %w", t.name, source.name, target.name, err)
		}
	}
	return nil
}

// reserve keeps others from writing, and makes sure that nobody has written.
func (s side) reserve(ctx context.Context) error {
	for _, t := range tables {
		if s.engine.alone != "" {
			if _, err := s.tx.ExecContext(ctx, fmt.Sprintf(s.engine.alone, t.name)); err != nil {
				return fmt.Errorf("store: reserving %s: %w", s.name, err)
			}
		}
		full, err := exists(ctx, s.tx, `SELECT 1 FROM `+t.name)
		if err != nil {
			return fmt.Errorf("store: looking into %s: %w", s.name, err)
		}
		if full {
			return fmt.Errorf("store: %s has rows in %s already; copy into a new or an empty store. Nothing was changed: %w", s.name, t.name, handoff.ErrInvalid)
		}
	}
	return nil
}

// copyTable copies one table, so many rows with one statement.
func copyTable(ctx context.Context, source, target side, t table, tell func(string)) error {
	columns, err := source.columns(ctx, t)
	if err != nil {
		return err
	}
	theirs, err := target.columns(ctx, t)
	if err != nil {
		return err
	}
	if names(columns) != names(theirs) {
		return fmt.Errorf("the columns differ: %s, and %s: %w", names(columns), names(theirs), handoff.ErrInvalid)
	}
	into := inserter{side: target, table: t, columns: theirs}
	var rows int64
	err = source.each(ctx, t, columns, func(row []any) error {
		if rows++; rows%100_000 == 0 {
			tell(fmt.Sprintf("copying %s: %d rows", t.name, rows))
		}
		return into.add(ctx, row)
	})
	return errors.Join(err, into.end(ctx, err))
}

// maxBatch is how many bytes of text and documents wait for one statement.
const maxBatch = 1 << 20

// An inserter writes rows into a table, several with one statement.
type inserter struct {
	side
	table   table
	columns []column

	full  *sql.Stmt // for as many rows as the engine likes best; nil before the first
	args  []any
	rows  int
	bytes int
}

func (in *inserter) add(ctx context.Context, row []any) error {
	for i, v := range row {
		v, err := in.own(in.columns[i], v)
		if err != nil {
			return fmt.Errorf("%s.%s of %s: %w, and %s cannot keep that; change it in the source and copy again: %w",
				in.table.name, in.columns[i].name, keyOf(in.table, in.columns, row), err, in.engine.name, handoff.ErrInvalid)
		}
		switch v := v.(type) {
		case string:
			in.bytes += len(v)
		case []byte:
			in.bytes += len(v)
		}
		in.args = append(in.args, v)
	}
	if in.rows++; in.rows < in.engine.batch && in.bytes < maxBatch {
		return nil
	}
	return in.flush(ctx)
}

func (in *inserter) flush(ctx context.Context) (err error) {
	if in.rows == in.engine.batch {
		if in.full == nil {
			if in.full, err = in.tx.PrepareContext(ctx, in.statement()); err != nil {
				return err
			}
		}
		_, err = in.full.ExecContext(ctx, in.args...)
	} else if in.rows > 0 {
		_, err = in.tx.ExecContext(ctx, in.statement(), in.args...)
	}
	if err != nil {
		last := in.args[len(in.args)-len(in.columns):]
		return fmt.Errorf("%d rows, the last of %s: %w", in.rows, keyOf(in.table, in.columns, last), err)
	}
	in.args, in.rows, in.bytes = in.args[:0], 0, 0
	return nil
}

// end writes what waits, unless something failed before.
func (in *inserter) end(ctx context.Context, failed error) error {
	var err error
	if failed == nil {
		err = in.flush(ctx)
	}
	if in.full != nil {
		err = errors.Join(err, in.full.Close())
	}
	return err
}

// statement inserts as many rows as wait.
func (in *inserter) statement() string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", in.table.name, names(in.columns))
	for i := range in.rows * len(in.columns) {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%len(in.columns) == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteByte(')')
	return b.String()
}
