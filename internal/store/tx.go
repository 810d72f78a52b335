package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// tx runs f in one transaction of the writer, which is on disk when it returns.
// The error is ErrUnavailable beside its cause unless f's own error is one of
// handoff's. f runs again if the database broke the transaction off because of
// another one.
func (db *DB) tx(ctx context.Context, f func(*txn) error) error {
	return db.attempt(func() error { return db.once(ctx, db.write, f) })
}

// look runs f on one moment of the store: what it reads agrees.
func (db *DB) look(ctx context.Context, f func(querier) error) error {
	tx, err := db.read.BeginTx(ctx, db.engine.snapshot)
	if err != nil {
		return err
	}
	defer tx.Rollback() // it only reads
	return f(tx)
}

// derive is tx for what follows from what is on disk already, and from nothing
// else. It does not wait for the disk: a power cut takes the whole transaction
// back, with the end of the work that it did, so that the work is done again.
func (db *DB) derive(ctx context.Context, f func(*txn) error) error {
	return db.attempt(func() error {
		conn, err := db.write.Conn(ctx)
		if err != nil {
			return unavailable(err)
		}
		defer db.giveWay(time.Now())
		defer conn.Close()
		if _, err = conn.ExecContext(ctx, db.engine.hurry); err == nil {
			err = db.once(ctx, conn, f)
		}
		if _, failed := conn.ExecContext(context.WithoutCancel(ctx), db.engine.wait); failed != nil {
			// Nobody else may have a connection that does not wait for the disk.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
			err = errors.Join(err, failed)
		}
		if err != nil {
			return unavailable(err)
		}
		return nil
	})
}

// maxAttempts is how often a transaction is tried that others break off.
const maxAttempts = 5

func (db *DB) attempt(once func() error) error {
	defer db.statements.prepare(db.write)
	for attempt := 1; ; attempt++ {
		err := once()
		if err == nil || attempt == maxAttempts || !db.engine.again(err) {
			return err
		}
	}
}

// beginner is the writer's pool, or one connection of it.
type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func (db *DB) once(ctx context.Context, on beginner, f func(*txn) error) error {
	tx, err := on.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer tx.Rollback()
	t := db.txn(tx)
	if r := receiptOf(ctx); r != nil {
		r.act = nil // of an attempt that was broken off
	}
	if err := f(t); err != nil {
		return unavailable(err)
	}
	if err := db.keepAnswer(ctx, t); err != nil {
		return unavailable(err)
	}
	if err := tx.Commit(); err != nil {
		return unavailable(err)
	}
	return nil
}

// A txn is a transaction of the writer. Its statements are prepared once, where
// the driver does not do so itself.
type txn struct {
	tx         *sql.Tx
	statements *statements
	parameters int // of a statement with many rows, at most
}

func (db *DB) txn(tx *sql.Tx) *txn { return &txn{tx, &db.statements, db.engine.parameters} }

// ExecContext runs a statement without a result.
func (t *txn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := t.statements.find(query); s != nil {
		return t.tx.StmtContext(ctx, s).ExecContext(uninterrupted(ctx), args...)
	}
	return t.tx.ExecContext(ctx, query, args...)
}

// QueryContext runs a statement with many rows.
func (t *txn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.statements.find(query); s != nil {
		return t.tx.StmtContext(ctx, s).QueryContext(uninterrupted(ctx), args...)
	}
	return t.tx.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a statement with at most one row.
func (t *txn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.statements.find(query); s != nil {
		return t.tx.StmtContext(ctx, s).QueryRowContext(uninterrupted(ctx), args...)
	}
	return t.tx.QueryRowContext(ctx, query, args...)
}

// uninterrupted spares SQLite's driver a goroutine for each statement that waits
// for the end of ctx: a statement is short, and the transaction still ends with it.
func uninterrupted(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// statements are the prepared statements of the one connection that writes SQLite,
// whose driver would parse a text each time. Inside a transaction that connection
// is taken, so a statement is prepared after the first transaction that used it.
// The zero value prepares nothing: PostgreSQL's driver does it itself.
type statements struct {
	on     bool
	mu     sync.Mutex
	ready  map[string]*sql.Stmt
	wanted map[string]bool
}

// maxStatements bounds them. Texts are constants, some for few numbers of rows.
const maxStatements = 1000

func (s *statements) find(query string) *sql.Stmt {
	if !s.on {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.ready[query]; stmt != nil {
		return stmt
	}
	if len(s.ready)+len(s.wanted) < maxStatements {
		if s.wanted == nil {
			s.ready, s.wanted = map[string]*sql.Stmt{}, map[string]bool{}
		}
		s.wanted[query] = true
	}
	return nil
}

// prepare prepares what was wanted. What cannot be is run as text, as before. It
// waits for the connection, so it must not keep those waiting who have it.
func (s *statements) prepare(write *sql.DB) {
	for _, query := range s.take() {
		stmt, err := write.Prepare(query)
		if err != nil {
			continue
		}
		s.mu.Lock()
		if s.ready[query] == nil {
			s.ready[query], stmt = stmt, nil
		}
		s.mu.Unlock()
		if stmt != nil {
			stmt.Close()
		}
	}
}

func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wanted) == 0 {
		return nil
	}
	defer clear(s.wanted)
	return slices.Collect(maps.Keys(s.wanted))
}
