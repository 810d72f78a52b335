package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"handoff"
)

// Bounds on what nobody vouches for. Beyond them an unverified delivery is only
// counted, on the one entry of reason UnverifiedFlood.
const (
	maxUnverifiedPerSite   = 1000
	maxUnverifiedPerSource = 200
	maxUnverifiedBody      = 16 << 10 // bytes kept of one
)

// KeepEvent stores a verified delivery, the event it tells, its observation and
// the work that follows, in one transaction. It is the one door for events. It
// reports whether the event is new: the same bytes again are counted on their
// first row, an event ID that the site has seen is another delivery of that
// event, and neither makes work.
func (db *DB) KeepEvent(ctx context.Context, d handoff.Delivery, e handoff.Event) (isNew bool, err error) {
	err = db.tx(ctx, func(tx *sql.Tx) error {
		if err := db.keepVerified(ctx, tx, d, e.ID); err != nil {
			return err
		}
		var uid, seat string
		if e.Observation != nil {
			uid, seat = e.Observation.UID, e.Observation.Seat
		}
		res, err := tx.ExecContext(ctx, `
			INSERT INTO events (site, id, trigger_name, uid, seat, ignored, created_at, received_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (site, id) DO NOTHING`,
			e.Site, e.ID, e.Trigger, uid, seat, e.Ignored, stamp{e.CreatedAt}, stamp{d.ReceivedAt})
		if err != nil {
			return fmt.Errorf("event: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		isNew = true
		if e.Observation == nil {
			return nil
		}
		return db.observe(ctx, tx, e.Observation)
	})
	if err == nil {
		db.feed.tell(TopicDue, TopicLeads)
	}
	return isNew && err == nil, err
}

// observe keeps an observation and the work of reconciling its booking. It is
// the one door for facts: from events, from the API, and from operators.
func (db *DB) observe(ctx context.Context, tx *sql.Tx, o *handoff.Observation) error {
	doc, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("observation: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO observations (site, id, uid, seat, predecessor, ical_uid, doc, received_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (site, id) DO NOTHING`,
		o.Site, o.ID, o.UID, o.Seat, o.Predecessor, o.ICalUID, string(doc), stamp{db.now()}); err != nil {
		return fmt.Errorf("observation: %w", err)
	}
	return db.enqueue(ctx, tx, o.Site, KindReconcile, o.UID, db.now())
}

// Ask makes it due to ask Cal.com about a booking, because somebody says that it
// exists.
func (db *DB) Ask(ctx context.Context, site, uid string) error {
	return db.tx(ctx, func(tx *sql.Tx) error { return db.ask(ctx, tx, site, uid) })
}

func (db *DB) ask(ctx context.Context, tx *sql.Tx, site, uid string) error {
	return db.enqueue(ctx, tx, site, KindAsk, uid, db.now().Add(AskAfter))
}

// Tied reports whether a booking of this uid is tied to a lead.
func (db *DB) Tied(ctx context.Context, site, uid string) (bool, error) {
	return exists(ctx, db.read, `SELECT 1 FROM bookings WHERE site = $1 AND uid = $2 AND lead_id IS NOT NULL`, site, uid)
}

// KeepAnswer stores what Cal.com's API said of a booking, and ends the work of
// asking. It is the door for facts that no webhook brought.
//
// Who says that a booking exists may be anybody, and Cal.com answers about every
// account's bookings. So an answer counts only if its event type is one of the
// site's own, or a signed event of this site named the booking before.
func (db *DB) KeepAnswer(ctx context.Context, w Work, observations []handoff.Observation, successors []string, eventTypes []int64) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		for i := range observations {
			o := &observations[i]
			ours := slices.Contains(eventTypes, o.EventType)
			if !ours {
				var err error
				if ours, err = exists(ctx, tx, `SELECT 1 FROM events WHERE site = $1 AND uid = $2`, w.Site, o.UID); err != nil {
					return err
				}
			}
			if !ours {
				continue
			}
			if err := db.observe(ctx, tx, o); err != nil {
				return err
			}
			for _, uid := range successors {
				if err := db.ask(ctx, tx, w.Site, uid); err != nil {
					return err
				}
			}
		}
		return db.finish(ctx, tx, w)
	})
	if err == nil {
		db.feed.tell(TopicDue)
	}
	return err
}

// keepVerified counts or stores a delivery whose signature matched. If the same
// bytes waited unverified, because the secret was wrong then, that failure is
// settled; if they were read more than a day ago, somebody replays them.
func (db *DB) keepVerified(ctx context.Context, tx *sql.Tx, d handoff.Delivery, eventID string) error {
	first, count, err := db.countDelivery(ctx, tx, d, true, eventID)
	if err != nil {
		return err
	}
	subject := "delivery/" + d.Digest
	if count > 1 && d.ReceivedAt.Sub(first) > handoff.ReplayAfter {
		return db.openFailure(ctx, tx, failure{Failure: handoff.Failure{
			Site: d.Site, Kind: handoff.FailedEvent, Reason: handoff.Replayed, ReceivedAt: d.ReceivedAt,
		}, subject: subject, digest: d.Digest, verified: true, source: d.Source})
	}
	if count > 1 {
		return nil
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE failures SET settled_at = $1, settled_by = $2
		WHERE site = $3 AND subject = $4 AND settled_at IS NULL AND NOT verified`,
		stamp{d.ReceivedAt}, "the same body came with a right signature", d.Site, subject)
	return err
}

// countDelivery stores a delivery, or counts it on the row it has; it returns
// when it first came and how often it has.
func (db *DB) countDelivery(ctx context.Context, tx *sql.Tx, d handoff.Delivery, verified bool, eventID string) (first time.Time, count int, err error) {
	var at stamp
	err = tx.QueryRowContext(ctx, `
		INSERT INTO deliveries (site, digest, verified, signature, event_id, trigger_name, content_type, source, body, count, received_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)
		ON CONFLICT (site, digest, verified) DO UPDATE SET count = deliveries.count + 1, last_at = excluded.last_at
		RETURNING received_at, count`,
		d.Site, d.Digest, verified, d.Signature, opt(&eventID), d.Trigger, d.ContentType, d.Source, compress(d.Body), stamp{d.ReceivedAt}).Scan(&at, &count)
	if err != nil {
		return first, 0, fmt.Errorf("delivery: %w", err)
	}
	return at.Time, count, nil
}

// KeepUnverified stores a delivery that proved nothing, as an entry of the
// failure queue. Equal bodies are one entry. It is bounded per site and per
// source, and what is over the bounds is counted only.
//
// A wrong signature that is the right one of another body we have is reported as
// BodyAltered.
func (db *DB) KeepUnverified(ctx context.Context, d handoff.Delivery, reason handoff.Reason, detail string) error {
	d.Body = d.Body[:min(len(d.Body), maxUnverifiedBody)]
	var full bool
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if reason == handoff.SignatureWrong {
			altered, err := exists(ctx, tx, `SELECT 1 FROM deliveries WHERE site = $1 AND signature = $2 AND verified`, d.Site, d.Signature)
			if err != nil {
				return err
			}
			if altered {
				reason = handoff.BodyAltered
			}
		}
		f := failure{Failure: handoff.Failure{
			Site: d.Site, Kind: handoff.FailedDelivery, Reason: reason, Detail: detail, ReceivedAt: d.ReceivedAt,
		}, subject: "delivery/" + d.Digest, digest: d.Digest, source: d.Source}
		var err error
		if full, err = db.unverifiedFull(ctx, tx, f); err != nil {
			return err
		}
		if full {
			f.Reason, f.Detail, f.subject, f.digest, f.source = handoff.UnverifiedFlood, "", "flood", "", ""
			return db.openFailure(ctx, tx, f)
		}
		if _, _, err := db.countDelivery(ctx, tx, d, false, ""); err != nil {
			return err
		}
		return db.openFailure(ctx, tx, f)
	})
	if err == nil && !full { // a flood must not wake every desk each time
		db.feed.tell(TopicLeads)
	}
	return err
}

// unverifiedFull reports that a new unverified entry would pass the bounds. One
// that is open already is never new.
func (db *DB) unverifiedFull(ctx context.Context, tx *sql.Tx, f failure) (bool, error) {
	open, err := exists(ctx, tx, `SELECT 1 FROM failures WHERE site = $1 AND subject = $2 AND reason = $3 AND settled_at IS NULL`, f.Site, f.subject, f.Reason)
	if err != nil || open {
		return false, err
	}
	var ofSite, ofSource int
	err = tx.QueryRowContext(ctx, `
		SELECT count(*), count(*) FILTER (WHERE source = $2) FROM failures
		WHERE site = $1 AND settled_at IS NULL AND NOT verified`, f.Site, f.source).Scan(&ofSite, &ofSource)
	return ofSite >= maxUnverifiedPerSite || ofSource >= maxUnverifiedPerSource, err
}

// KeepNotUnderstood stores a delivery that Cal.com signed and we could not read.
func (db *DB) KeepNotUnderstood(ctx context.Context, d handoff.Delivery, reason handoff.Reason, detail string) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if err := db.keepVerified(ctx, tx, d, ""); err != nil {
			return err
		}
		return db.openFailure(ctx, tx, failure{Failure: handoff.Failure{
			Site: d.Site, Kind: handoff.FailedEvent, Reason: reason, Detail: detail, ReceivedAt: d.ReceivedAt,
		}, subject: "delivery/" + d.Digest, digest: d.Digest, verified: true, source: d.Source})
	})
	if err == nil {
		db.feed.tell(TopicLeads)
	}
	return err
}

func exists(ctx context.Context, q querier, query string, args ...any) (bool, error) {
	var one int
	err := q.QueryRowContext(ctx, query+" LIMIT 1", args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
