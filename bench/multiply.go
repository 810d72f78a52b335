package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// chunk is how many leads are written in one transaction.
	chunk = 50_000
	// rebuild is from how many leads on it is quicker to write without the
	// secondary indexes and to build them afterwards.
	rebuild = 200_000
)

// A multiplication says how many leads are to be made of a mould.
type multiplication struct {
	mould mould
	n     int
	// at is when the i-th lead was written.
	at func(i int) time.Time
	// given are keys that are known already, by the key that they replace.
	given map[string]func(i int) string
}

// makers are what makes each key of the i-th lead. Keys of one lead differ in time,
// so that they keep their order.
func (m multiplication) makers() []func(i int) string {
	var out []func(i int) string
	for n, key := range m.mould.keys {
		if known := m.given[key]; known != nil {
			out = append(out, known)
			continue
		}
		fresh := maker(key)
		out = append(out, func(i int) string { return fresh(m.at(i).Add(time.Duration(n) * time.Millisecond)) })
	}
	return out
}

// columns are those of the table of keys.
func (m multiplication) columns() []string {
	out := []string{"n", "at"}
	for i := range m.mould.keys {
		out = append(out, fmt.Sprintf("k%d", i))
	}
	return out
}

// multiply writes the leads into a store that no program uses.
func multiply(ctx context.Context, st *store, m multiplication) error {
	db, conn, err := bulk(ctx, st)
	if err != nil {
		return err
	}
	defer db.Close()
	defer conn.Close()
	restore := func() error { return nil }
	if m.n >= rebuild {
		if restore, err = dropIndexes(ctx, db, conn, st.engine); err != nil {
			return err
		}
	}
	at := "TEXT"
	if st.engine == postgres {
		at = "TIMESTAMPTZ"
	}
	if err := execAll(ctx, conn, "DROP TABLE IF EXISTS bench_keys", "CREATE TEMP TABLE bench_keys (n INTEGER PRIMARY KEY, at "+at+", "+strings.Join(m.columns()[2:], " TEXT, ")+" TEXT)"); err != nil {
		return err
	}
	for from := 0; from < m.n; from += chunk {
		if err := m.writeChunk(ctx, conn, st.engine, from, min(from+chunk, m.n)); err != nil {
			return err
		}
	}
	return restore()
}

// bulk opens a connection that hurries: nothing here must survive a power cut,
// and references between tables hold because the mould's do.
func bulk(ctx context.Context, st *store) (*sql.DB, *sql.Conn, error) {
	driver, url := "pgx", st.url()
	hurry := []string{"SET session_replication_role = replica", "SET synchronous_commit = off", "SET maintenance_work_mem = '512MB'"}
	if st.engine == sqlite {
		driver, url = "sqlite", "file:"+url+"?_pragma=busy_timeout(10000)"
		hurry = []string{"PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000", "PRAGMA foreign_keys = OFF"}
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(2)
	conn, err := db.Conn(ctx)
	if err == nil {
		err = execAll(ctx, conn, hurry...)
	}
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return db, conn, nil
}

func execAll(ctx context.Context, conn *sql.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// dropIndexes removes the secondary indexes, and returns what builds them again.
func dropIndexes(ctx context.Context, db *sql.DB, conn *sql.Conn, e engine) (restore func() error, err error) {
	lines, err := strings1(ctx, db, catalogue[e].indexes)
	if err != nil {
		return nil, err
	}
	var drop, build []string
	for _, line := range lines {
		name, definition, _ := strings.Cut(line, "\t")
		drop, build = append(drop, `DROP INDEX "`+name+`"`), append(build, definition)
	}
	return func() error { return execAll(ctx, conn, build...) }, execAll(ctx, conn, drop...)
}

// writeChunk writes the leads from one number to before another.
func (m multiplication) writeChunk(ctx context.Context, conn *sql.Conn, e engine, from, to int) error {
	if err := execAll(ctx, conn, "BEGIN", "DELETE FROM bench_keys"); err != nil {
		return err
	}
	if err := m.writeKeys(ctx, conn, e, from, to); err != nil {
		return err
	}
	for _, c := range m.mould.casts {
		query, args := m.mould.statement(c, e)
		if _, err := conn.ExecContext(ctx, query, args...); err != nil {
			return fmt.Errorf("%s: %w", c.table, err)
		}
	}
	return execAll(ctx, conn, "COMMIT")
}

// writeKeys fills the table of keys.
func (m multiplication) writeKeys(ctx context.Context, conn *sql.Conn, e engine, from, to int) error {
	makers := m.makers()
	keys := func(i int) []any {
		out := []any{i, m.at(i)}
		if e == sqlite {
			out[1] = m.at(i).UTC().Format("2006-01-02T15:04:05.000000Z")
		}
		for _, key := range makers {
			out = append(out, key(i))
		}
		return out
	}
	if e == postgres {
		return conn.Raw(func(driver any) error {
			i := from - 1
			_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"bench_keys"}, m.columns(), pgx.CopyFromFunc(func() ([]any, error) {
				if i++; i == to {
					return nil, nil
				}
				return keys(i), nil
			}))
			return err
		})
	}
	marks := make([]string, len(m.columns()))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	insert, err := conn.PrepareContext(ctx, "INSERT INTO bench_keys VALUES ("+strings.Join(marks, ", ")+")")
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := from; i < to; i++ {
		if _, err := insert.ExecContext(ctx, keys(i)...); err != nil {
			return err
		}
	}
	return nil
}

// randomText is n random characters of an alphabet.
func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
