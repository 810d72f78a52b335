package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// fresh makes addresses at which no store is yet, one kind per engine.
var fresh = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "handoff.db") },
	"postgres": func(t *testing.T) string { return newPostgres(t) },
}

// The command says what it does, does it once, and does nothing on a dry run.
func TestMigrate(t *testing.T) {
	for engine, at := range fresh {
		t.Run(engine, func(t *testing.T) {
			url := at(t)
			would := migrate(t, url, true)
			if would.From != 0 || would.To < 1 || len(would.Steps) == 0 || would.Steps[0] != "00001_init.sql" {
				t.Errorf("a new store would be migrated with %+v", would)
			}
			if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
				if _, err := os.Stat(path); err == nil {
					t.Error("a dry run made the file")
				}
			}
			if did := migrate(t, url, false); !slices.Equal(did.Steps, would.Steps) || did.From != 0 {
				t.Errorf("did %+v, said %+v", did, would)
			}
			if m := migrate(t, url, false); m.From != would.To || m.To != would.To || len(m.Steps) != 0 {
				t.Errorf("again: %+v", m)
			}

			store.AddStep(t, "90000_later.sql", "CREATE TABLE later (id TEXT NOT NULL PRIMARY KEY);")
			if m := migrate(t, url, true); m.From != would.To || m.To != 90000 || !slices.Equal(m.Steps, []string{"90000_later.sql"}) {
				t.Errorf("a newer version would do %+v", m)
			}
			if m := migrate(t, url, true); len(m.Steps) != 1 {
				t.Errorf("after a dry run %+v is left", m)
			}
			if _, err := store.Open(t.Context(), url, store.Options{NoMigration: true}); !errors.Is(err, handoff.ErrInvalid) || !strings.Contains(err.Error(), "handoff migrate") {
				t.Errorf("an older store, migrated by command only: %v", err)
			}
			if m := migrate(t, url, false); len(m.Steps) != 1 {
				t.Errorf("migrated with %+v", m)
			}
			db, err := store.Open(t.Context(), url, store.Options{NoMigration: true})
			if err != nil {
				t.Fatal(err)
			}
			db.Close()
		})
	}
}

func migrate(t *testing.T, url string, dry bool) store.Migration {
	t.Helper()
	m, err := store.Migrate(t.Context(), url, dry)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A store that is not there is not made by whom may not migrate it.
func TestNoMigrationMakesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	if _, err := store.Open(t.Context(), path, store.Options{NoMigration: true}); !errors.Is(err, handoff.ErrInvalid) {
		t.Errorf("opened: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is there")
	}
}

// Processes that start at once on one store of an older version, or on a new one,
// all find it migrated.
func TestMigrateAtOnce(t *testing.T) {
	for engine, at := range fresh {
		t.Run(engine, func(t *testing.T) {
			url := at(t)
			openAtOnce(t, url)
			store.AddStep(t, "90000_later.sql", "CREATE TABLE later (id TEXT NOT NULL PRIMARY KEY);")
			store.AddStep(t, "90001_later.sql", "CREATE TABLE much_later (id TEXT NOT NULL PRIMARY KEY);")
			openAtOnce(t, url)
			if m := migrate(t, url, true); m.From != 90001 {
				t.Errorf("after all of them: %+v", m)
			}
		})
	}
}

func openAtOnce(t *testing.T, url string) {
	t.Helper()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			db, err := store.Open(t.Context(), url, store.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			db.Close()
		})
	}
	all.Wait()
}

// A store of a newer version is refused by everything, and stays as it is.
func TestNewerStore(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		if err := db.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
			t.Fatal(err)
		}
		other := "sqlite:" + filepath.Join(t.TempDir(), "other.db")
		migrate(t, other, false)
		tries := map[string]func() error{
			"open":    func() error { _, err := store.Open(t.Context(), db.url, store.Options{}); return err },
			"migrate": func() error { _, err := store.Migrate(t.Context(), db.url, false); return err },
			"dry run": func() error { _, err := store.Migrate(t.Context(), db.url, true); return err },
		}
		for name, try := range tries {
			if err := try(); !errors.Is(err, handoff.ErrInvalid) || !strings.Contains(err.Error(), "newer version") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A server of the version before works on while the schema is brought up to date: what it
// has begun waits for the migration, or the other way round, and neither breaks the other off.
func TestMigrateBesideAServer(t *testing.T) {
	url := newPostgres(t)
	ctx := t.Context()
	if err := store.MigrateTo(ctx, url, 14); err != nil {
		t.Fatal(err)
	}
	server, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	tx, err := server.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(query string) {
		t.Helper()
		if _, err := tx.ExecContext(ctx, query); err != nil {
			t.Errorf("the server: %v", err)
		}
	}
	write(`UPDATE bookings SET outcome = outcome`) // as reconciling does, in this order
	done := make(chan error, 1)
	go func() { done <- store.MigrateTo(context.Background(), url, 15) }()
	for waits, deadline := false, time.Now().Add(10*time.Second); !waits; time.Sleep(10 * time.Millisecond) {
		err := server.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
				WHERE NOT l.granted AND c.relnamespace = current_schema()::regnamespace)`).Scan(&waits)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the migration does not wait: %v", err)
		}
	}
	write(`UPDATE failures SET detail = detail`)
	write(`UPDATE leads SET name = name`)
	if err := tx.Commit(); err != nil {
		t.Errorf("the server: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("the migration: %v", err)
	}
}
