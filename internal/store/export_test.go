package store

import (
	"context"
	"io/fs"
	"testing"
	"testing/fstest"
)

// AddStep adds a migration of the future to both engines, until the test ends.
func AddStep(t *testing.T, name, sql string) {
	now, later := migrations, fstest.MapFS{}
	t.Cleanup(func() { migrations = now })
	err := fs.WalkDir(now, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(now, path)
		later[path] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		later["migrations/"+engine+"/"+name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
	}
	migrations = later
}

// Exec runs SQL, for tests that need a store in a state no method makes.
func (db *DB) Exec(ctx context.Context, query string) error {
	_, err := db.write.ExecContext(ctx, query)
	return err
}

// ExecReading runs SQL on the reading pool.
func (db *DB) ExecReading(ctx context.Context, query string) error {
	_, err := db.read.ExecContext(ctx, query)
	return err
}

// Setting asks a writing connection for a setting.
func (db *DB) Setting(ctx context.Context, query string) (value string) {
	if err := db.write.QueryRowContext(ctx, query).Scan(&value); err != nil {
		return err.Error()
	}
	return value
}

// HoldTurn takes a turn, or, where writers take turns anyway, the writer, until
// the returned function is called.
func (db *DB) HoldTurn(ctx context.Context, name string) (release func()) {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		panic(err)
	}
	if err := db.turn(ctx, tx, name); err != nil {
		panic(err)
	}
	return func() { _ = tx.Rollback() }
}
