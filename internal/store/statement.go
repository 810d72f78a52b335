package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"handoff"
)

// A statement accounts for every booking that Cal.com's list showed. What it says of
// one is read from the bookings, observations and failures of the moment: nothing
// about a booking is written twice.

// keepListed notes the bookings of a page, each once. A later page cannot change when
// one was made.
func (db *DB) keepListed(ctx context.Context, tx *txn, site string, observations []handoff.Observation) error {
	now, noted := stamp{db.now()}, map[string]bool{}
	var rows [][]any
	for i := range observations {
		o := &observations[i]
		made := o.Made
		if made.IsZero() {
			made = o.At
		}
		if !noted[o.UID] {
			rows = append(rows, []any{site, o.UID, stamp{made}, o.EventType, now})
		}
		noted[o.UID] = true
	}
	err := many(ctx, tx, `INSERT INTO listed (site, uid, made_at, event_type, listed_at) VALUES? ON CONFLICT (site, uid) DO NOTHING`, nil, rows, nil)
	if err != nil {
		return fmt.Errorf("listed bookings: %w", err)
	}
	return nil
}

// unread is the subject of the failure of what could not be read.
const unread = "unread"

// failUnread opens the failure of bookings in Cal.com's list that could not be read,
// or counts them on the one that is open: nothing tells them apart.
func (db *DB) failUnread(ctx context.Context, tx *txn, site string, n int) error {
	if n == 0 {
		return nil
	}
	return db.openFailure(ctx, tx, failure{Failure: handoff.Failure{
		Site: site, Kind: handoff.FailedSite, Reason: handoff.BookingUnreadable, ReceivedAt: db.now(), Deliveries: n,
	}, subject: unread, verified: true})
}

// MaxStatement is the longest time that a statement covers.
const MaxStatement = 100 * 24 * time.Hour

// Statement accounts for the bookings of a site that were made from one time until
// before another. The error is ErrInvalid if that is longer than MaxStatement.
//
// It is read at one moment, so that it sums up while others write.
func (db *DB) Statement(ctx context.Context, site string, from, to time.Time) (handoff.Statement, error) {
	s := handoff.Statement{Site: site, From: from, To: to}
	if to.Sub(from) > MaxStatement {
		return s, fmt.Errorf("a statement covers %d days at most: %w", MaxStatement/(24*time.Hour), handoff.ErrInvalid)
	}
	err := db.look(ctx, func(q querier) error {
		row, err := readPlace(ctx, q, site, "")
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if s.AsOf = row.ended.Time; !s.AsOf.IsZero() {
			s.Since = row.whole.Time
		}
		if s.Listed, err = readListed(ctx, q, `l.site = $1 AND l.made_at >= $3 AND l.made_at < $4 ORDER BY l.made_at, l.uid, b.seat`, site, stamp{from}, stamp{to}); err != nil {
			return err
		}
		if s.Unlisted, err = unlistedBetween(ctx, q, site, from, to, row); err != nil {
			return err
		}
		err = q.QueryRowContext(ctx, `SELECT id FROM failures WHERE site = $1 AND subject = $2 AND reason = $3 AND settled_at IS NULL`,
			site, unread, handoff.BookingUnreadable).Scan(opt(&s.Unread))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return s, unavailable(err)
	}
	return s, nil
}

// readListed reads the listed bookings that a condition, whose parameters are $1 and $3
// onward, chooses, in the order that follows it.
func readListed(ctx context.Context, q querier, where, site string, args ...any) ([]handoff.Listed, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT l.uid, l.made_at, l.event_type, l.listed_at, b.seat, b.lead_id, ld.name, b.ignored,
			(SELECT min(o.received_at) FROM observations o WHERE o.site = l.site AND o.uid = l.uid AND o.source = $2),
			(SELECT count(*) FROM observations o WHERE o.site = l.site AND o.uid = l.uid),
			(SELECT min(f.id) FROM failures f WHERE f.site = l.site AND f.uid = l.uid AND f.uid <> '' AND f.settled_at IS NULL)
		FROM listed l LEFT JOIN bookings b ON b.site = l.site AND b.uid = l.uid
		LEFT JOIN leads ld ON ld.site = b.site AND ld.id = b.lead_id
		WHERE `+where, append([]any{site, handoff.FromEvent}, args...)...)
	var out []handoff.Listed
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var l handoff.Listed
		var made, listed, webhook stamp
		var seat sql.NullString
		var one handoff.Seat
		var heard int
		err := r.Scan(&l.UID, &made, &l.EventType, &listed, &seat, opt(&one.Lead), opt(&one.Name), opt(&one.Rule), &webhook, &heard, opt(&l.Failure))
		l.Made, l.ListedAt, l.WebhookAt, l.Observed = made.Time, listed.Time, webhook.Time, heard > 0
		if n := len(out); n == 0 || out[n-1].UID != l.UID {
			out = append(out, l)
		}
		if seat.Valid {
			last := &out[len(out)-1]
			last.Seats = append(last.Seats, one)
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("listed bookings: %w", err)
	}
	return out, nil
}

// unlistedBetween finds the bookings that webhooks told of and that a sweep which
// ended later did not show.
func unlistedBetween(ctx context.Context, q querier, site string, from, to time.Time, sweep sweepRow) ([]handoff.Unlisted, error) {
	if sweep.ended.IsZero() {
		return nil, nil
	}
	if from.Before(sweep.whole.Time) {
		from = sweep.whole.Time
	}
	rows, err := q.QueryContext(ctx, `
		SELECT b.uid, min(b.made_at), min(b.lead_id) FROM bookings b
		WHERE b.site = $1 AND b.made_at >= $2 AND b.made_at < $3
			AND NOT EXISTS (SELECT 1 FROM listed l WHERE l.site = b.site AND l.uid = b.uid)
			AND EXISTS (SELECT 1 FROM observations o WHERE o.site = b.site AND o.uid = b.uid AND o.received_at < $4)
		GROUP BY b.uid ORDER BY min(b.made_at), b.uid`,
		site, stamp{from}, stamp{to}, stamp{sweep.ended.Add(-sweepOverlap)})
	out, err := collect(rows, err, func(r *sql.Rows) (u handoff.Unlisted, err error) {
		var made stamp
		err = r.Scan(&u.UID, &made, opt(&u.Lead))
		u.Made = made.Time
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("unlisted bookings: %w", err)
	}
	return out, nil
}

// ApplyRules makes the bookings of a site due, of those that are tied to no lead, that
// its rules ignore and did not before, or the other way round.
func (db *DB) ApplyRules(ctx context.Context, site string, rules handoff.Rules) error {
	var last handoff.BookingKey
	for {
		rows, err := db.read.QueryContext(ctx, `
			SELECT uid, seat, ignored, doc FROM bookings
			WHERE site = $1 AND lead_id IS NULL AND (uid, seat) > ($2, $3) ORDER BY uid, seat LIMIT 500`, site, last.UID, last.Seat)
		n, due := 0, []dueRow{}
		_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
			var b handoff.Booking
			var ignored, doc string
			if err := r.Scan(&last.UID, &last.Seat, &ignored, &doc); err != nil {
				return struct{}{}, err
			}
			n++
			if err := decodeDoc(doc, &b); err != nil {
				return struct{}{}, err
			}
			if rules.Ignored(&b, handoff.Tie{Reason: handoff.NoReference}) != ignored {
				due = append(due, dueRow{site, KindReconcile, last.UID, atOnce})
			}
			return struct{}{}, nil
		})
		if err != nil {
			return unavailable(err)
		}
		if n == 0 {
			return nil
		}
		if err := db.tx(ctx, func(tx *txn) error { return db.enqueue(ctx, tx, due...) }); err != nil {
			return err
		}
		db.feed.tell(TopicDue)
	}
}
