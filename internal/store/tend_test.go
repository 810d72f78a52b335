package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// PostgreSQL's statistics follow a table that grows, and a big one that hardly
// changed is left alone.
func TestStatisticsOfWhatGrew(t *testing.T) {
	url := newPostgres(t)
	db, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	total := 0
	add := func(n int) {
		t.Helper()
		if err := db.Exec(t.Context(), fmt.Sprintf(`
			INSERT INTO leads (site, id, service, name, email, phone, stage, created_at, updated_at)
			SELECT 'acme', 'lead_' || n, 's', '', '', '', 'new', now(), now() FROM generate_series(%d, %d) n`, total+1, total+n)); err != nil {
			t.Fatal(err)
		}
		total += n
	}
	known := func() string {
		t.Helper()
		if err := db.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		return db.Setting(t.Context(), `SELECT reltuples::bigint FROM pg_class WHERE oid = 'leads'::regclass`)
	}
	settle := func() { time.Sleep(1100 * time.Millisecond) }                                         // the server counts changes within a second
	if err := db.Exec(t.Context(), `ALTER TABLE leads SET (autovacuum_enabled = off)`); err != nil { // which looks at it when it likes
		t.Fatal(err)
	}
	add(2000)
	settle()
	if got := known(); got != "2000" {
		t.Errorf("of a young table %s rows are known, want 2000", got)
	}
	add(100)
	settle()
	if got := known(); got != "2000" {
		t.Errorf("a table that hardly changed was looked at again: %s rows", got)
	}
	add(3000)
	for deadline := time.Now().Add(10 * time.Second); known() != "5100"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("of a table that grew %s rows are known, want 5100", known())
		}
	}
}

// SQLite copies its log into the file beside the writing.
func TestLogIsCopied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "handoff.db")
	db, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if err := db.Exec(t.Context(), `INSERT INTO users (email, name, password_hash, created_at) VALUES ('a', '', hex(zeroblob(500000)), '')`); err != nil {
		t.Fatal(err)
	}
	before := size()
	if before > 1_000_000 {
		t.Errorf("the file had %d bytes before", before)
	}
	for deadline := time.Now().Add(10 * time.Second); size() < 1_000_000; time.Sleep(10 * time.Millisecond) {
		if err := db.Tend(t.Context()); err != nil { // does nothing while the store itself is at it
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the file grew from %d to %d bytes", before, size())
		}
	}
}

// Whatever is written much, be it by strangers, makes the log be copied, so that it
// does not grow with a flood.
func TestEveryLineHasTheLogCopied(t *testing.T) {
	for name, write := range map[string]func(db *harness, i int) error{
		"deliveries": func(db *harness, i int) error {
			_, err := db.KeepEvent(t.Context(), db.delivery(fmt.Sprint(i)), db.event(fmt.Sprint("e", i), fmt.Sprint("u", i), handoff.Accepted, ""))
			return err
		},
		"forgeries": func(db *harness, i int) error {
			return db.KeepUnverified(t.Context(), db.delivery(fmt.Sprint(i)), handoff.SignatureWrong, "")
		},
		"counted forgeries": func(db *harness, i int) error {
			return db.CountUnverified(t.Context(), db.delivery(fmt.Sprint(i)))
		},
		"forms": func(db *harness, i int) error {
			db.submit(fmt.Sprint("f", i), "Dana")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "handoff.db")
			db := &harness{t: t, at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), url: "sqlite:" + path, path: path}
			db.open()
			defer db.Close()
			before, err := os.ReadFile(db.path)
			db.must(err)
			for i := range 250 {
				db.must(write(db, i))
			}
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				now, err := os.ReadFile(db.path)
				db.must(err)
				if !bytes.Equal(before, now) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatal("the file is as it was: everything is in the log")
				}
			}
		})
	}
}
