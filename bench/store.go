package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"

	"handoff/internal/pgtest"
)

// An engine is where a program keeps what it acknowledged.
type engine string

const (
	sqlite   engine = "SQLite"
	postgres engine = "PostgreSQL"
)

// A store is one store of one program: a folder with its files and, on
// PostgreSQL, a database.
type store struct {
	engine engine
	dir    string
	file   string // SQLite's file, in dir
	name   string // PostgreSQL's database
	pg     *pgtest.Server
}

// url is the address of the database, for a program or a driver.
func (st *store) url() string {
	if st.engine == sqlite {
		return filepath.Join(st.dir, st.file)
	}
	u, err := url.Parse(st.pg.URL)
	if err != nil {
		panic(err) // pgtest made it
	}
	u.Path = "/" + st.name
	return u.String()
}

// open opens the database beside the program, to look. On SQLite it can only look.
func (st *store) open() (*sql.DB, error) {
	if st.engine == postgres {
		return sql.Open("pgx", st.url())
	}
	return sql.Open("sqlite", "file:"+st.url()+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)")
}

// admin runs a statement on PostgreSQL's own database.
func admin(ctx context.Context, pg *pgtest.Server, statement string) error {
	db, err := sql.Open("pgx", pg.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// create makes an empty store.
func (st *store) create(ctx context.Context) error {
	if err := os.MkdirAll(st.dir, 0o755); err != nil {
		return err
	}
	if st.engine == postgres {
		return admin(ctx, st.pg, "CREATE DATABASE "+st.name)
	}
	return nil
}

// clone copies a store that no program uses, and waits until the copy is on the
// disk, so that writing it back disturbs no measurement.
func (st *store) clone(ctx context.Context, name string) (*store, error) {
	c := *st
	c.dir, c.name = filepath.Join(filepath.Dir(st.dir), name), databaseName(name)
	if err := os.CopyFS(c.dir, os.DirFS(st.dir)); err != nil {
		return nil, err
	}
	if st.engine == postgres {
		if err := admin(ctx, st.pg, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy", c.name, st.name)); err != nil {
			return nil, err
		}
	}
	syscall.Sync()
	return &c, nil
}

// remove ends a store.
func (st *store) remove() {
	if st.engine == postgres {
		_ = admin(context.Background(), st.pg, "DROP DATABASE IF EXISTS "+st.name+" WITH (FORCE)") // the server ends soon anyway
	}
	_ = os.RemoveAll(st.dir)
}

// size is what the store takes on the disk in bytes, with all that was written in
// its place. No program uses it.
func (st *store) size(ctx context.Context) (n int64, err error) {
	if st.engine == postgres {
		if err := admin(ctx, st.pg, "CHECKPOINT"); err != nil {
			return 0, err
		}
		db, err := st.open()
		if err != nil {
			return 0, err
		}
		defer db.Close()
		return n, db.QueryRowContext(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
	}
	db, err := sql.Open("sqlite", "file:"+st.url()+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return 0, err
	}
	for _, end := range []string{"", "-wal"} {
		if info, err := os.Stat(st.url() + end); err == nil {
			n += info.Size()
		}
	}
	return n, nil
}

// databaseName makes a name that needs no quotes.
func databaseName(name string) string {
	return "bench_" + strings.NewReplacer("-", "_", " ", "_", ".", "_").Replace(strings.ToLower(name))
}
