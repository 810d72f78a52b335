package store_test

import (
	"context"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// hears waits until a process hears of a topic, however often told says it.
func hears(t *testing.T, db *store.DB, topic string, told func()) {
	t.Helper()
	heard, stop := db.Feed().Listen(topic)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		told()
		select {
		case <-heard:
			return
		case <-time.After(300 * time.Millisecond): // the other may not listen yet
		case <-ctx.Done():
			t.Fatalf("nobody heard of %s", topic)
		}
	}
}

// A lead's page on one process hears of a webhook that came to another, and hears
// again after its connection was cut.
func TestProcessesHearOneAnother(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		if db.path != "" {
			return // a file has one process
		}
		other, err := store.Open(t.Context(), db.url, store.Options{Now: db.now})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		s := db.submit("f1", "Dana")
		n := 0
		book := func() {
			n++
			db.keep(db.event(string(rune('a'+n)), "u1", handoff.Accepted, s.ID), string(rune('a'+n)))
			db.work()
		}
		hears(t, other, store.TopicLead(site, string(s.Lead)), book)
		hears(t, other, store.TopicLeads, func() { db.submit(time.Now().String(), "Another") })
		if err := db.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
		hears(t, other, store.TopicLead(site, string(s.Lead)), book)
	})
}
