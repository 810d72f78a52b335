package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff"
)

// People are told of what happened by looking: each channel has a mark, up to which it
// was told, and it moves once a message was taken. What could not be sent is in the next
// one; a crash between sending and noting it sends it twice, rather than never.

// KindTell is the work of telling a channel; its key is the channel.
const KindTell = "tell"

// maxTold is how many things of one kind a message lists.
const maxTold = 10

// StartTelling makes it due to tell channels of a site. One that is new is told of what
// happens from now on; what is open about one that is no longer there is settled.
func (db *DB) StartTelling(ctx context.Context, site string, channels ...string) error {
	return db.tx(ctx, func(tx *txn) error {
		var work []dueRow
		for _, channel := range slices.Sorted(slices.Values(channels)) {
			if _, err := tx.ExecContext(ctx, `INSERT INTO told (site, channel, mark, digest) VALUES ($1, $2, $3, '') ON CONFLICT (site, channel) DO NOTHING`,
				site, channel, stamp{db.now()}); err != nil {
				return fmt.Errorf("told: %w", err)
			}
			work = append(work, dueRow{site, KindTell, channel, atOnce})
		}
		if err := db.settleOtherChannels(ctx, tx, site, channels); err != nil {
			return err
		}
		return db.enqueue(ctx, tx, work...)
	})
}

// settleOtherChannels settles what is open about channels that are none of these.
func (db *DB) settleOtherChannels(ctx context.Context, tx *txn, site string, channels []string) error {
	rows, err := tx.QueryContext(ctx, `SELECT subject FROM failures WHERE site = $1 AND settled_at IS NULL AND reason = $2`, site, handoff.TellingFailing)
	open, err := collect(rows, err, func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) })
	if err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	for _, subject := range open {
		if !slices.Contains(channels, strings.TrimPrefix(subject, TellingSubject)) {
			if err := db.settleSubject(ctx, tx, site, subject, toldNoMore); err != nil {
				return err
			}
		}
	}
	return nil
}

// toldNoMore settles what is open about a channel that is gone.
const toldNoMore = "nobody is told there any more"

// StopTelling ends the work of telling a channel that is gone, and settles what is open
// about it: a server that went by the configuration of before may have tried it after
// the start of one that goes by another.
func (db *DB) StopTelling(ctx context.Context, w Work) error {
	return db.tx(ctx, func(tx *txn) error {
		if err := db.settleSubject(ctx, tx, w.Site, TellingSubject+w.Key, toldNoMore); err != nil {
			return err
		}
		return db.finish(ctx, tx, w)
	})
}

// A Mark is up to when a channel was told, and the last day of which it had a digest.
type Mark struct {
	At     time.Time
	Digest string
}

// MarkOf reads a channel's mark. The error is ErrNotFound if it has none.
func (db *DB) MarkOf(ctx context.Context, site, channel string) (m Mark, err error) {
	var at stamp
	err = db.read.QueryRowContext(ctx, `SELECT mark, digest FROM told WHERE site = $1 AND channel = $2`, site, channel).Scan(&at, &m.Digest)
	if errors.Is(err, sql.ErrNoRows) {
		return m, fmt.Errorf("channel: %w", handoff.ErrNotFound)
	}
	if err != nil {
		return m, unavailable(err)
	}
	m.At = at.Time
	return m, nil
}

// Told notes that a channel was told, and when it is to be told next.
func (db *DB) Told(ctx context.Context, w Work, m Mark, next time.Time) error {
	return db.tx(ctx, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `UPDATE told SET mark = $3, digest = $4 WHERE site = $1 AND channel = $2`, w.Site, w.Key, stamp{m.At}, m.Digest); err != nil {
			return fmt.Errorf("told: %w", err)
		}
		if err := db.finish(ctx, tx, w); err != nil {
			return err
		}
		return db.enqueue(ctx, tx, dueRow{w.Site, KindTell, w.Key, next})
	})
}

// News reads what happened at a site from one time until before another: leads that
// came to stand at a stage, and failures that opened and wait still. What anybody can
// send is no news.
func (db *DB) News(ctx context.Context, site string, booked handoff.Stage, from, to time.Time) (n handoff.News, err error) {
	n.Site = site
	err = db.look(ctx, func(q querier) error {
		rows, err := q.QueryContext(ctx, `
			SELECT DISTINCT l.id, l.name, l.service, h.at, (SELECT max(b.start_at) FROM bookings b WHERE b.site = l.site AND b.lead_id = l.id AND b.status = $5)
			FROM leads l JOIN history h ON h.site = l.site AND h.lead_id = l.id
			WHERE l.updated_at >= $2 AND l.site = $1 AND h.at >= $2 AND h.at < $3 AND h.to_stage = $4 ORDER BY h.at, l.id`,
			site, stamp{from}, stamp{to}, booked, handoff.Accepted)
		all, err := collect(rows, err, func(r *sql.Rows) (b handoff.Booked, err error) {
			var at, start stamp
			err = r.Scan(&b.Lead, &b.Name, &b.Service, &at, &start)
			b.Start = start.Time
			return b, err
		})
		if err != nil {
			return fmt.Errorf("leads: %w", err)
		}
		n.Booked, n.MoreBooked = clip(all)
		if n.Failures, n.MoreFailures, err = opened(ctx, q, site, handoff.FailedEvent, from, to); err != nil {
			return err
		}
		n.Alarms, n.MoreAlarms, err = opened(ctx, q, site, handoff.FailedSite, from, to)
		return err
	})
	if err != nil {
		return n, unavailable(err)
	}
	return n, nil
}

// opened reads the failures of a kind that opened in a time and wait still.
func opened(ctx context.Context, q querier, site string, kind handoff.FailureKind, from, to time.Time) ([]handoff.Failure, int, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT id, reason, detail FROM failures
		WHERE site = $1 AND last_at >= $2 AND received_at >= $2 AND received_at < $3 AND kind = $4 AND settled_at IS NULL ORDER BY received_at, id`,
		site, stamp{from}, stamp{to}, kind)
	all, err := collect(rows, err, func(r *sql.Rows) (f handoff.Failure, err error) {
		f.Site, f.Kind = site, kind
		return f, r.Scan(&f.ID, &f.Reason, &f.Detail)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("failures: %w", err)
	}
	list, more := clip(all)
	return list, more, nil
}

// clip keeps as many as a message lists, and counts the others.
func clip[T any](all []T) ([]T, int) {
	n := min(len(all), maxTold)
	return all[:n], len(all) - n
}
