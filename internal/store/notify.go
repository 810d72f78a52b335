package store

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Processes on one PostgreSQL tell each other what changed, through its
// LISTEN/NOTIFY. Like the feed, that only wakes sooner.
//
// The word is sent after the commit that it is about, and many in one, since a
// transaction that notifies waits at its commit for all others that do.

const (
	notifyGap   = 20 * time.Millisecond // between two words: what comes meanwhile goes together
	notifyMost  = 7000                  // bytes of one word; PostgreSQL takes 8000
	notifyRetry = time.Second           // after the connection was lost
	notifyPing  = 30 * time.Second      // a connection that says nothing so long is looked at
)

// everything is the topic of all topics.
const everything = "*"

// A relay passes topics between the feeds of several processes.
type relay struct {
	db      *DB
	channel string
	self    string // who we are, so that we do not hear ourselves

	mu      sync.Mutex
	topics  map[string]bool // to be sent
	waiting chan struct{}   // there are some
}

// startRelay passes topics until ctx ends.
func (db *DB) startRelay(ctx context.Context, url string) error {
	var schema string
	if err := db.read.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&schema); err != nil {
		return unavailable(err)
	}
	r := &relay{db: db, channel: "handoff/" + schema, self: fmt.Sprintf("%s/%d", newID("proc"), os.Getpid()), topics: map[string]bool{}, waiting: make(chan struct{}, 1)}
	db.relay = r
	db.background.Go(func() { r.send(ctx) })
	db.background.Go(func() { r.listen(ctx, url) })
	return nil
}

// tell notes topics to be sent.
func (r *relay) tell(topics ...string) {
	r.mu.Lock()
	for _, topic := range topics {
		r.topics[topic] = true
	}
	r.mu.Unlock()
	select {
	case r.waiting <- struct{}{}:
	default:
	}
}

// take returns what is to be sent as one word; more than fits is everything.
func (r *relay) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	word := r.self
	for topic := range r.topics {
		if len(word)+1+len(topic) > notifyMost {
			word = r.self + "\n" + everything
			break
		}
		word += "\n" + topic
	}
	clear(r.topics)
	return word
}

func (r *relay) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.waiting:
		}
		if _, err := r.db.write.ExecContext(ctx, `SELECT pg_notify($1, $2)`, r.channel, r.take()); err != nil && ctx.Err() == nil {
			r.db.log.Warn("other processes could not be told of a change; they look by the clock", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(notifyGap):
		}
	}
}

// listen hears the others. What was said while nobody listened is made good by
// waking everybody.
func (r *relay) listen(ctx context.Context, url string) {
	for ctx.Err() == nil {
		if err := r.hear(ctx, url); err != nil && ctx.Err() == nil {
			r.db.log.Warn("listening for other processes failed; pages look by the clock until it works again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(notifyRetry):
		}
	}
}

func (r *relay) hear(ctx context.Context, url string) error {
	config, err := postgresConfig(url)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{r.channel}.Sanitize()); err != nil {
		return err
	}
	r.db.feed.tell(everything)
	for {
		word, err := waitFor(ctx, conn)
		if err != nil {
			return err
		}
		topics := strings.Split(word, "\n")
		if topics[0] != r.self {
			r.db.feed.tell(topics[1:]...)
		}
	}
}

// waitFor waits for the next word, and looks now and then whether the server is
// still there. An empty word tells nothing.
func waitFor(ctx context.Context, conn *pgx.Conn) (string, error) {
	short, cancel := context.WithTimeout(ctx, notifyPing)
	defer cancel()
	n, err := conn.WaitForNotification(short)
	switch {
	case err == nil:
		return n.Payload, nil
	case ctx.Err() == nil && short.Err() != nil && !conn.IsClosed():
		return "", conn.Ping(ctx)
	}
	return "", err
}
