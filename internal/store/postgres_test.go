package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"handoff/internal/pgtest"
)

// postgresURL is a PostgreSQL server for tests: the one that HANDOFF_TEST_POSTGRES
// names, or a private one that ends with the tests. It is an error, never a
// reason to skip, if there is none.
//
// The private one writes nothing to the disk for sure: these tests are of what we
// ask of it, not of the disk.
var postgresURL = sync.OnceValues(func() (string, error) {
	if url := os.Getenv("HANDOFF_TEST_POSTGRES"); url != "" {
		return url, nil
	}
	server, err := pgtest.Start("fsync=off")
	if err != nil {
		return "", err
	}
	stopPostgres = server.Close
	return server.URL, nil
})

var stopPostgres = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	stopPostgres()
	os.Exit(code)
}

var schemas atomic.Int64

// newPostgres makes an empty schema and returns its address.
func newPostgres(t testing.TB) string {
	t.Helper()
	url, err := postgresURL()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), schemas.Add(1))
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	return url + "&search_path=" + name
}
