package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	driver "modernc.org/sqlite" // the one that binds $1 by number
	sqlite3 "modernc.org/sqlite/lib"
)

// An engine is everything in which the engines differ for us.
type engine struct {
	name    string // also the folder below migrations
	dialect goose.Dialect
	// open makes the pool that writes and the one that only reads.
	open func(url string) (write, read *sql.DB, err error)
	// missing reports that nothing is at the address, and that opening would make it.
	missing func(url string) bool
	// migrating keeps two processes from migrating at once.
	migrating func() ([]goose.ProviderOption, error)

	// again reports that a transaction was broken off because of another one.
	again func(error) bool

	lock string // ends a SELECT whose rows this transaction will update
	skip string // the same, and passes over rows that others hold
	turn string // waits for the turns of whoever names the same texts, until the end of the transaction; empty: writers take turns anyway
	free string // the same for one, but tells whether it got the turn and does not wait

	hurry      string // makes commits of a connection not wait for the disk
	wait       string // makes them wait again
	tend       string // what it needs done now and then beside the writing
	tendGrowth int64  // how much longer the next time waits than the last; 1: not
	prepares   bool   // statements have to be prepared by us
	parameters int    // of one statement at most, where it pays to have many
	writers    int    // transactions of one kind at once
	crowded    int    // pieces of work in one transaction while deliveries crowd their line; 0: as many as ever
	relays     bool   // several processes can share a store, and tell each other what changed

	tables   string             // lists the names of the tables that statements see
	bytewise string             // makes ORDER BY compare a text byte by byte
	eachLead string             // joins to rows w of a site, whose name is $1, their leads l, one by one, however many the planner takes them for
	snapshot *sql.TxOptions     // of a transaction that reads one moment
	alone    string             // keeps other writers out of the tables named, until the end of the transaction; empty: a writer is alone anyway
	holds    func(string) error // says why it cannot keep a text; nil: it keeps all
	batch    int                // how many rows are copied with one statement
}

// engineOf finds the engine of a store's address; without open if there is none.
func engineOf(url string) engine {
	scheme, _, ok := strings.Cut(url, "://")
	switch {
	case !ok:
		return sqlite
	case scheme == "postgres" || scheme == "postgresql":
		return postgres
	}
	return engine{missing: func(string) bool { return false }}
}

// sqlite is embedded: one file, one writer.
var sqlite = engine{
	name: "sqlite", dialect: goose.DialectSQLite3, open: openSQLite,
	missing: func(url string) bool {
		_, err := os.Stat(strings.TrimPrefix(url, "sqlite:"))
		return errors.Is(err, fs.ErrNotExist)
	},
	migrating: func() ([]goose.ProviderOption, error) { return nil, nil },
	again:     func(error) bool { return false },
	hurry:     "PRAGMA synchronous = NORMAL", wait: "PRAGMA synchronous = FULL",
	tend: "PRAGMA wal_checkpoint(PASSIVE)", tendGrowth: 1,
	prepares: true, writers: 1, parameters: 128, // its driver looks for each among all
	crowded:  8, // they wait for the one writer, some milliseconds
	tables:   "SELECT name FROM sqlite_master WHERE type = 'table'",
	eachLead: "CROSS JOIN leads l", // it keeps this order
	batch:    1,                    // a statement is a call here, and binding many parameters costs more
}

// postgres serves any number of processes. It is version 14 or newer.
var postgres = engine{
	name: "postgres", dialect: goose.DialectPostgres, open: openPostgres,
	missing: func(string) bool { return false }, // who makes the database is its owner
	migrating: func() ([]goose.ProviderOption, error) {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // looks each second, for five minutes
		return []goose.ProviderOption{goose.WithSessionLocker(locker)}, err
	},
	lock: " FOR UPDATE", skip: " FOR UPDATE SKIP LOCKED",
	turn: "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM (VALUES?) AS names (name)",
	free: "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))",
	again: func(err error) bool {
		var pg *pgconn.PgError // deadlock_detected, serialization_failure
		return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001")
	},
	hurry: "SET synchronous_commit = off", wait: "SET synchronous_commit = on",
	tendGrowth: 4,
	tend:       analyzeGrown,
	writers:    2, relays: true, parameters: 1000, // while one waits for the disk, another can be filled

	tables:   "SELECT tablename FROM pg_tables WHERE schemaname = ANY (current_schemas(false))",
	bytewise: ` COLLATE "C"`,
	eachLead: `CROSS JOIN LATERAL (SELECT * FROM leads one WHERE one.site = $1 AND one.id = w.lead_id OFFSET 0) l`, // which it cannot look into
	snapshot: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	alone:    "LOCK TABLE %s IN EXCLUSIVE MODE",
	holds:    postgresHolds,
	batch:    500,
}

// openSQLite opens a file, readable by its owner only since it holds personal
// data. It has one writer, and queueing for it here is cheaper than fighting for
// its lock.
func openSQLite(url string) (write, read *sql.DB, err error) {
	path, err := filepath.Abs(strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	f.Close()
	if write, err = sql.Open("sqlite", dsn(path, "_txlock=immediate&_pragma=cache_size(-32768)&_pragma=temp_store(2)&_pragma=wal_autocheckpoint(20000)")); err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	if err := settled(write); err != nil {
		write.Close()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if read, err = sql.Open("sqlite", dsn(path, "_pragma=query_only(1)")); err != nil {
		return nil, nil, err
	}
	read.SetMaxOpenConns(4)
	return write, read, nil
}

// settled makes the first connection, which switches a new file to WAL. For
// another process that does the same SQLite does not wait, so we do.
func settled(db *sql.DB) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := db.Ping()
		var busy *driver.Error
		if !errors.As(err, &busy) || busy.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(deadline) {
			return err
		}
	}
}

// dsn sets what every connection needs, in the address, because a PRAGMA that is
// executed reaches one connection of the pool only. busy_timeout comes first, so
// that the others wait for a lock. What we acknowledge must survive a power cut:
// synchronous=FULL; NORMAL may lose the last commits.
func dsn(path, more string) string {
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&" + more
}

// openPostgres opens one pool for both.
func openPostgres(url string) (write, read *sql.DB, err error) {
	config, err := postgresConfig(url)
	if err != nil {
		return nil, nil, err
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	db.SetConnMaxIdleTime(time.Minute)
	return db, db, nil
}

// maxConnections is how many connections one process has at most to PostgreSQL,
// beside the one that listens.
const maxConnections = 16

// postgresConfig is how each connection is made. A commit waits for the server's
// disk, whatever the server's own setting is. All statements are short: to compile one, or
// to start workers for it, takes longer than it does.
func postgresConfig(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["synchronous_commit"] = "on"
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["jit"] = "off"
	config.RuntimeParams["max_parallel_workers_per_gather"] = "0"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	return config, nil
}

// turn makes a transaction wait for the turns of names, which are sorted, so that
// what must not happen at once does not.
func (db *DB) turn(ctx context.Context, tx *txn, names ...string) error {
	if db.engine.turn == "" {
		return nil
	}
	if err := many(ctx, tx, db.engine.turn, nil, singles(names), nil); err != nil {
		return fmt.Errorf("waiting for a turn: %w", err)
	}
	return nil
}

// tryTurn takes the turn of a name unless somebody has it.
func (db *DB) tryTurn(ctx context.Context, tx *txn, name string) (mine bool, err error) {
	if db.engine.free == "" {
		return true, nil
	}
	if err := tx.QueryRowContext(ctx, db.engine.free, name).Scan(&mine); err != nil {
		return false, fmt.Errorf("asking for %s: %w", name, err)
	}
	return mine, nil
}

// postgresHolds says why PostgreSQL cannot keep a text.
func postgresHolds(s string) error {
	switch {
	case strings.ContainsRune(s, 0):
		return errors.New("it has a NUL character")
	case !utf8.ValidString(s):
		return errors.New("it is not UTF-8")
	}
	return nil
}
