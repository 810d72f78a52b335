package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"handoff"
)

// Asked is what came of asking Cal.com about a booking, last. Its JSON is stable.
type Asked struct {
	At    time.Time     `json:"at"`
	Reply handoff.Reply `json:"reply"`
	Text  string        `json:"text"` // the reply in words
}

// EndAsking ends the work of asking about a booking without a fact, and notes why.
func (db *DB) EndAsking(ctx context.Context, w Work, reply handoff.Reply) error {
	err := db.tx(ctx, func(tx *txn) error {
		if err := db.noteReply(ctx, tx, w, reply); err != nil {
			return err
		}
		return db.finish(ctx, tx, w)
	})
	if err == nil {
		db.tellAll(TopicLeads)
	}
	return err
}

// noteReply notes it of a booking about which something waits or waited: that a booking was
// made may have been said by anybody, with uids without end.
func (db *DB) noteReply(ctx context.Context, tx *txn, w Work, reply handoff.Reply) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO asked (site, uid, at, reply)
		SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM failures WHERE site = $1 AND uid <> '' AND uid = $2)
		ON CONFLICT (site, uid) DO UPDATE SET at = excluded.at, reply = excluded.reply`, w.Site, w.Key, stamp{db.now()}, reply)
	if err != nil {
		return fmt.Errorf("asked: %w", err)
	}
	return nil
}

// readAsked reads what came of asking about a booking; nil: nobody asked.
func readAsked(ctx context.Context, q querier, site, uid string) (*Asked, error) {
	var a Asked
	var at stamp
	err := q.QueryRowContext(ctx, `SELECT at, reply FROM asked WHERE site = $1 AND uid = $2`, site, uid).Scan(&at, &a.Reply)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	a.At, a.Text = at.Time, a.Reply.Text()
	return &a, err
}
