package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"handoff"
)

// A statement accounts for every booking that Cal.com's list showed. What it says of
// one is read from the bookings, observations and failures of the moment: nothing
// about a booking is written twice.

// keepListed notes the bookings of a page, each once; of which of them facts are kept
// is given. A booking of another event type is nobody's here, and its uid would let its
// reader see and cancel it, so a digest stands for it. A later page cannot change when
// one was made.
func (db *DB) keepListed(ctx context.Context, tx *txn, site string, observations []handoff.Observation, facts []*fact) error {
	ours := map[string]bool{}
	for _, f := range facts {
		ours[f.UID] = true
	}
	now, rows := stamp{db.now()}, map[string][]any{}
	var own, foreign []string
	for i := range observations {
		o := &observations[i]
		made, uid := o.Made, o.UID
		if made.IsZero() {
			made = o.At
		}
		switch {
		case ours[uid] || rows[uid] != nil:
			own = append(own, uid)
		case slices.ContainsFunc(o.Carried, func(c handoff.Carried) bool { return c.Verdict == handoff.Valid }):
			if err := db.failForeign(ctx, tx, site, o); err != nil {
				return err
			}
		default:
			foreign = append(foreign, uid)
		}
		rows[uid] = []any{site, uid, stamp{made}, o.EventType, now}
	}
	if err := named(ctx, tx, site, own); err != nil {
		return err
	}
	// One that was the site's once has its own row, and needs no other.
	err := many(ctx, tx, `SELECT uid FROM listed WHERE site = $1 AND uid IN?`, []any{site}, singles(foreign), func(r *sql.Rows) error {
		var uid string
		err := r.Scan(&uid)
		delete(rows, uid)
		return err
	})
	if err != nil {
		return fmt.Errorf("listed bookings: %w", err)
	}
	for _, uid := range foreign {
		if row := rows[uid]; row != nil {
			delete(rows, uid)
			row[1] = foreignUID(site, uid)
			rows[row[1].(string)] = row
		}
	}
	var sorted [][]any
	for _, uid := range slices.Sorted(maps.Keys(rows)) {
		sorted = append(sorted, rows[uid])
	}
	err = many(ctx, tx, `INSERT INTO listed (site, uid, made_at, event_type, listed_at) VALUES? ON CONFLICT (site, uid) DO NOTHING`, nil, sorted, nil)
	if err != nil {
		return fmt.Errorf("listed bookings: %w", err)
	}
	return nil
}

// foreignUID stands for the uid of a booking of which nothing is kept.
func foreignUID(site, uid string) string {
	sum := sha256.Sum256([]byte(site + "/" + uid))
	return foreignPrefix + hex.EncodeToString(sum[:16])
}

// foreignPrefix is no beginning of a uid of Cal.com's.
const foreignPrefix = "~"

// named gives bookings that are the site's after all the uids for which digests stood.
func named(ctx context.Context, tx *txn, site string, uids []string) error {
	byDigest := make(map[string]string, len(uids))
	for _, uid := range uids {
		byDigest[foreignUID(site, uid)] = uid
	}
	var found []string
	err := many(ctx, tx, `SELECT uid FROM listed WHERE site = $1 AND uid IN?`, []any{site}, singles(slices.Sorted(maps.Keys(byDigest))), func(r *sql.Rows) error {
		var digest string
		err := r.Scan(&digest)
		found = append(found, digest)
		return err
	})
	if err != nil {
		return fmt.Errorf("listed bookings: %w", err)
	}
	for _, digest := range found {
		for _, step := range []string{ // where the uid has a row too, that one stays
			`UPDATE listed SET uid = $3 WHERE site = $1 AND uid = $2 AND NOT EXISTS (SELECT 1 FROM listed own WHERE own.site = $1 AND own.uid = $3)`,
			`DELETE FROM listed WHERE site = $1 AND uid = $2 AND EXISTS (SELECT 1 FROM listed own WHERE own.site = $1 AND own.uid = $3)`,
		} {
			if _, err := tx.ExecContext(ctx, step, site, digest, byDigest[digest]); err != nil {
				return fmt.Errorf("listed bookings: %w", err)
			}
		}
	}
	return nil
}

// failForeign opens the failure of a booking of another event type that carries a
// reference of ours: it may be a lead's, and is not believed to be. What a person
// dismissed does not come back with the next sweep.
func (db *DB) failForeign(ctx context.Context, tx *txn, site string, o *handoff.Observation) error {
	dismissed, err := exists(ctx, tx, `SELECT 1 FROM failures WHERE site = $1 AND uid = $2 AND uid <> '' AND remedy = 'dismiss' AND reason = $3`, site, o.UID, handoff.OtherEventType)
	if err != nil || dismissed {
		return err
	}
	return db.failOnce(ctx, tx, failure{Failure: handoff.Failure{
		Site: site, Kind: handoff.FailedEvent, Reason: handoff.OtherEventType, Booking: handoff.BookingKey{UID: o.UID}, ReceivedAt: db.now(), Deliveries: 1,
		Detail: fmt.Sprintf("event type %d", o.EventType),
	}, subject: "booking/" + o.UID, verified: true})
}

// failOnce opens a failure unless it is open: to find the same again is no news.
func (db *DB) failOnce(ctx context.Context, tx *txn, f failure) error {
	open, err := exists(ctx, tx, `SELECT 1 FROM failures WHERE site = $1 AND subject = $2 AND reason = $3 AND settled_at IS NULL`, f.Site, f.subject, f.Reason)
	if err != nil || open {
		return err
	}
	return db.openFailure(ctx, tx, f)
}

// unread names what could not be read in Cal.com's list: where it stands, by Cal.com's
// time, and what tells it from others.
func unread(at time.Time, key string) string {
	return "unread/" + at.UTC().Format(stampLayout) + "/" + key
}

// failUnread makes the open failures about what could not be read agree with a page of
// Cal.com's list: one opens for each new thing, and those settle that stand in the part
// that was read, or are of a booking that was.
func (db *DB) failUnread(ctx context.Context, tx *txn, site string, at Place, s Swept) error {
	rows, err := tx.QueryContext(ctx, `SELECT subject FROM failures WHERE site = $1 AND reason = $2 AND settled_at IS NULL`, site, handoff.BookingUnreadable)
	open, err := collect(rows, err, func(r *sql.Rows) (subject string, err error) { return subject, r.Scan(&subject) })
	if err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	known, still, read := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, subject := range open {
		known[path.Base(subject)] = true
	}
	for i := range s.Observations {
		read[handoff.UnreadKey(s.Observations[i].UID)] = true
	}
	for _, u := range s.Unread {
		still[u.Key] = true
		if known[u.Key] {
			continue
		}
		if err := db.openFailure(ctx, tx, failure{Failure: handoff.Failure{
			Site: site, Kind: handoff.FailedSite, Reason: handoff.BookingUnreadable, ReceivedAt: db.now(), Deliveries: 1,
		}, subject: unread(u.At, u.Key), verified: true}); err != nil {
			return err
		}
	}
	from, to := wholly(at, s)
	for _, subject := range open {
		key := path.Base(subject)
		inside := subject >= unread(from, "") && subject < unread(to, "~")
		if still[key] || !inside && !read[key] {
			continue
		}
		if err := db.settleSubject(ctx, tx, site, subject, "it was read"); err != nil {
			return err
		}
	}
	return nil
}

// wholly is the part of the list of which a page has everything: of the moments at
// which it begins and ends other pages can have more.
func wholly(at Place, s Swept) (from, to time.Time) {
	from, to = at.Since, latest(at.Since, s.Last)
	if at.Skip > 0 {
		from = from.Add(time.Microsecond)
	}
	if s.More {
		to = to.Add(-time.Microsecond)
	}
	return from, to
}

// MaxStatement is the longest time that a statement covers: a hundred days, one of which can
// be an hour longer.
const MaxStatement = 100*24*time.Hour + time.Hour

// Statement accounts for the bookings of a site that were made from one time until
// before another, by its rules of today. The error is ErrInvalid if that is longer than
// MaxStatement.
//
// It is read at one moment, so that it sums up while others write. What was made in the
// last minutes before the list was read can have come too late for it.
func (db *DB) Statement(ctx context.Context, site string, from, to time.Time, rules handoff.Rules) (handoff.Statement, error) {
	s := handoff.Statement{Site: site, From: from, To: to}
	if to.Sub(from) > MaxStatement {
		return s, fmt.Errorf("a statement covers %d days at most: %w", MaxStatement/(24*time.Hour), handoff.ErrInvalid)
	}
	err := db.look(ctx, func(q querier) error {
		row, err := readPlace(ctx, q, site, "")
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if !row.ended.IsZero() {
			s.Since, s.AsOf = row.whole.Time, row.ended.Add(-sweepOverlap)
		}
		if s.Listed, err = readListed(ctx, q, `listed`, `WHERE l.site = $1 AND l.made_at >= $3 AND l.made_at < $4 ORDER BY l.made_at, l.uid, b.seat`, site, stamp{from}, stamp{to}); err != nil {
			return err
		}
		judge(s.Listed, rules)
		if s.Unlisted, err = unlistedBetween(ctx, q, site, from, to, row); err != nil {
			return err
		}
		var subject string
		err = q.QueryRowContext(ctx, `SELECT id, subject FROM failures WHERE site = $1 AND reason = $2 AND settled_at IS NULL AND subject >= $3 ORDER BY subject DESC LIMIT 1`,
			site, handoff.BookingUnreadable, unread(from, "")).Scan(opt(&s.Unread), &subject)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			s.UnreadAt, err = time.Parse(stampLayout, path.Base(path.Dir(subject)))
		}
		return err
	})
	if err != nil {
		return s, unavailable(err)
	}
	return s, nil
}

// judge notes which of the listed bookings are of the site's own event types, and which
// of the others a rule ignores.
func judge(listed []handoff.Listed, rules handoff.Rules) {
	rule := rules.OtherTypesRule()
	for i := range listed {
		l := &listed[i]
		l.Own = slices.Contains(rules.EventTypes, l.EventType)
		if rule != "" && l.Account() == handoff.AccountOtherType {
			l.Seats = []handoff.Seat{{Rule: rule}}
		}
	}
}

// readListed reads listed bookings from a table or a choice of its rows, as the rest of
// the statement says, whose parameters are the site, $1, and $3 onward.
func readListed(ctx context.Context, q querier, from, rest, site string, args ...any) ([]handoff.Listed, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT l.uid, l.made_at, l.event_type, l.listed_at, b.seat, b.lead_id, ld.name, b.ignored, b.dismissed,
			(SELECT min(o.received_at) FROM observations o WHERE o.site = l.site AND o.uid = l.uid AND o.source = $2),
			EXISTS (SELECT 1 FROM observations o WHERE o.site = l.site AND o.uid = l.uid),
			(SELECT min(f.id) FROM failures f WHERE f.site = l.site AND f.uid = l.uid AND f.uid <> '' AND f.settled_at IS NULL)
		FROM `+from+` l LEFT JOIN bookings b ON b.site = l.site AND b.uid = l.uid
		LEFT JOIN leads ld ON ld.site = b.site AND ld.id = b.lead_id
		`+rest, append([]any{site, handoff.FromEvent}, args...)...)
	var out []handoff.Listed
	last := ""
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var l handoff.Listed
		var made, listed, webhook stamp
		var seat sql.NullString
		var dismissed handoff.Reason
		var one handoff.Seat
		var uid string
		err := r.Scan(&uid, &made, &l.EventType, &listed, &seat, opt(&one.Lead), opt(&one.Name), opt(&one.Rule), opt(&dismissed), &webhook, &l.Observed, opt(&l.Failure))
		l.Made, l.ListedAt, l.WebhookAt = made.Time, listed.Time, webhook.Time
		if uid != last {
			if !strings.HasPrefix(uid, foreignPrefix) {
				l.UID = uid
			}
			out, last = append(out, l), uid
		}
		if seat.Valid {
			newest := &out[len(out)-1]
			one.Dismissed = one.Lead == "" && dismissed != ""
			newest.Seats = append(newest.Seats, one)
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
			SELECT uid, seat, ignored, doc, coalesce((SELECT min(f.reason) FROM failures f WHERE f.site = b.site AND f.uid = b.uid AND f.seat = b.seat AND f.uid <> '' AND f.settled_at IS NULL), '')
			FROM bookings b WHERE site = $1 AND lead_id IS NULL AND (uid, seat) > ($2, $3) ORDER BY uid, seat LIMIT 500`, site, last.UID, last.Seat)
		n, due := 0, []dueRow{}
		_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
			var b handoff.Booking
			var ignored, doc, waits string
			if err := r.Scan(&last.UID, &last.Seat, &ignored, &doc, &waits); err != nil {
				return struct{}{}, err
			}
			n++
			if err := decodeDoc(doc, &b); err != nil {
				return struct{}{}, err
			}
			if now := rules.Ignored(&b, handoff.Tie{Reason: handoff.NoReference}); now != ignored && (ignored != "" || waits == string(handoff.NoReference)) {
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
