package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"handoff/internal/pgtest"
	"handoff/internal/store"
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

// Statements are not compiled, nor spread over workers: they are short. And the leads that
// have a word are looked up one by one, even where the planner would rather not.
func TestSearchIsPlannedForShortStatements(t *testing.T) {
	db, err := store.Open(t.Context(), newPostgres(t)+"&enable_nestloop=off", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`INSERT INTO leads (site, id, service, name, email, phone, stage, created_at, updated_at, folded)
		SELECT 'acme', 'lead_' || n, 's', '', '', '', 'new', now(), now(), ' dana' FROM generate_series(1, 5000) n`,
		`INSERT INTO words (site, word, lead_id) SELECT site, 'dana', id FROM leads`,
		`ANALYZE leads, words`,
	} {
		if err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for setting, want := range map[string]string{"jit": "off", "max_parallel_workers_per_gather": "0"} {
		if got := db.Setting(t.Context(), "SHOW "+setting); got != want {
			t.Errorf("%s is %s", setting, got)
		}
	}
	plan, err := db.Plan(t.Context(), "acme", store.LeadFilter{Search: "dana", Limit: 51})
	if err != nil || !strings.Contains(plan, "Nested Loop") || !strings.Contains(plan, "Index Scan using leads_pkey") {
		t.Errorf("%v\n%s", err, plan)
	}
}
