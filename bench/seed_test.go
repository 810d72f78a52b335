package main

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"
)

// Multiplied leads are whole: their keys are their own, references between tables
// hold, keys inside documents are replaced too, and they stand in the order of time.
func TestMultipliedLeadsAreWhole(t *testing.T) {
	st := &store{engine: sqlite, dir: t.TempDir(), file: "x.db"}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(st.dir, st.file))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lead, uid := newID("lead", time.Now()), "8mWdT2kQe4RfYpX1sLhC9v"
	for _, q := range []string{
		`CREATE TABLE leads (site TEXT, id TEXT, stage TEXT, created_at TEXT, PRIMARY KEY (site, id))`,
		`CREATE TABLE bookings (uid TEXT PRIMARY KEY, lead_id TEXT, doc TEXT, raw BLOB UNIQUE, start_at TEXT)`,
		`CREATE INDEX bookings_of_lead ON bookings (lead_id)`,
		`INSERT INTO leads VALUES ('main', '` + lead + `', 'booked', '2026-11-23T09:30:00.000000Z')`,
		`INSERT INTO bookings VALUES ('` + uid + `', '` + lead + `', '{"uid":"` + uid + `","lead":"` + lead + `"}', x'0102030405060708', '2026-12-01T15:00:00.000000Z')`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	casts, err := snapshot(t.Context(), db, sqlite)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err = multiply(t.Context(), st, multiplication{mould: newMould(casts), n: 50, at: func(i int) time.Time { return begin.Add(time.Duration(i) * time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	if db, err = st.open(); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		`SELECT count(*) FROM leads JOIN bookings ON lead_id = id WHERE doc ->> 'lead' = id AND doc ->> 'uid' = uid`:                               51,
		`SELECT count(DISTINCT raw) FROM bookings WHERE length(raw) = 8`:                                                                           51,
		`SELECT count(DISTINCT created_at) FROM leads`:                                                                                             51,
		`SELECT count(DISTINCT start_at) FROM bookings`:                                                                                            1, // it is the booking's own
		`SELECT count(*) FROM (SELECT created_at < lag(created_at) OVER (ORDER BY id) AS back FROM leads WHERE created_at < '2026-06') WHERE back`: 0,
		`SELECT count(*) FROM leads WHERE site <> 'main' OR stage <> 'booked'`:                                                                     0,
	} {
		var got int
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %d, want %d: %v", query, got, want, err)
		}
	}
}
