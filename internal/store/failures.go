package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"handoff"
)

// failure is a failure with what identifies it in the store.
type failure struct {
	handoff.Failure
	subject  string // what waits; with the reason unique while open
	digest   string // of its delivery, if it is about one
	verified bool
	source   string
}

// openFailure writes a failure, or counts its deliveries on the open one of the
// same subject and reason.
func (db *DB) openFailure(ctx context.Context, tx *txn, f failure) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO failures (site, id, kind, reason, detail, subject, verified, digest, uid, seat, lead_id, source, count, received_at, last_at, settled_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $13, $13, '')
		ON CONFLICT (site, subject, reason) WHERE settled_at IS NULL
		DO UPDATE SET count = failures.count + excluded.count, last_at = excluded.last_at`,
		f.Site, newID("fail"), f.Kind, f.Reason, f.Detail, f.subject, f.verified, f.digest,
		f.Booking.UID, f.Booking.Seat, opt(&f.Lead), f.source, stamp{f.ReceivedAt}, f.Deliveries)
	if err != nil {
		return fmt.Errorf("failure: %w", err)
	}
	return nil
}

// bookingFailures makes the open failures about bookings agree with what was
// derived: ties that wait for a person are open, and all others of these uids are
// settled, also those of bookings that a rule ignores. A failure of this kind is
// derived like everything else, so a fact that comes later settles it.
func (db *DB) bookingFailures(ctx context.Context, tx *txn, site string, uids []string, ties map[handoff.BookingKey]handoff.Tie, ignored map[handoff.BookingKey]string, at time.Time) error {
	open := map[waiting]bool{}
	err := many(ctx, tx, `
		SELECT site, subject, reason FROM failures WHERE site = $1 AND settled_at IS NULL AND uid <> '' AND uid IN?`,
		[]any{site}, singles(uids), func(r *sql.Rows) error {
			var w waiting
			err := r.Scan(&w.site, &w.subject, &w.reason)
			open[w] = true
			return err
		})
	if err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	ruled := map[string]string{} // what is ignored → its rule
	for key, tie := range ties {
		w := waiting{site, "booking/" + key.String(), tie.Reason}
		if rule := ignored[key]; rule != "" {
			ruled[w.subject] = rule
			continue
		}
		if tie.Reason == "" || open[w] {
			delete(open, w)
			continue
		}
		if err := db.openFailure(ctx, tx, failure{Failure: handoff.Failure{
			Site: site, Kind: handoff.FailedEvent, Reason: tie.Reason, Booking: key, Lead: tie.Lead, ReceivedAt: at, Deliveries: 1,
		}, subject: w.subject, verified: true}); err != nil {
			return err
		}
	}
	by := func(subject string) string {
		if rule := ruled[subject]; rule != "" {
			return "the rule “" + rule + "” says that it needs nobody"
		}
		return "a later fact settled it"
	}
	for w := range open {
		if _, err := tx.ExecContext(ctx, `
			UPDATE failures SET settled_at = $1, settled_by = $2
			WHERE site = $3 AND subject = $4 AND reason = $5 AND settled_at IS NULL`,
			stamp{at}, by(w.subject), site, w.subject, w.reason); err != nil {
			return err
		}
	}
	return nil
}

// A FailureView is a failure as it is shown and listed. Its JSON is stable.
type FailureView struct {
	ID         handoff.FailureID   `json:"id"`
	Site       string              `json:"site"`
	Kind       handoff.FailureKind `json:"kind"`
	Reason     handoff.Reason      `json:"reason"`
	Title      string              `json:"title"`
	Detail     string              `json:"detail,omitempty"`
	Verified   bool                `json:"verified"`
	UID        string              `json:"uid,omitempty"`
	Seat       string              `json:"seat,omitempty"`
	Lead       handoff.LeadID      `json:"lead,omitempty"`
	Deliveries int                 `json:"deliveries"` // how often it came
	ReceivedAt time.Time           `json:"received_at"`
	LastAt     time.Time           `json:"last_at"`
	SettledAt  *time.Time          `json:"settled_at"` // null while it is open
	SettledBy  string              `json:"settled_by,omitempty"`

	digest string
}

// Text explains the failure to a person.
func (f FailureView) Text() handoff.ReasonText { return f.Reason.Text() }

// deliveriesOf selects the digests of the deliveries that told of a booking, whose
// key stands in these columns: the first of each event, and those that told it
// again.
func deliveriesOf(site, uid, seat string) string {
	booking := `o.site = ` + site + ` AND o.uid = ` + uid + ` AND o.seat = ` + seat
	return `SELECT o.delivery FROM observations o WHERE ` + booking + ` UNION
		SELECT again.digest FROM observations o CROSS JOIN deliveries again WHERE again.site = o.site AND again.event_id = o.id AND ` + booking // SQLite keeps this order
}

// A booking's failure came as often as all deliveries of that booking.
var failureColumns = `f.id, f.site, f.kind, f.reason, f.detail, f.verified, f.uid, f.seat, f.lead_id, f.digest,
	f.received_at, f.last_at, f.settled_at, f.settled_by,
	CASE WHEN f.uid = '' THEN f.count ELSE coalesce((
		SELECT sum(d.count) FROM deliveries d WHERE d.site = f.site AND d.verified AND d.digest IN (` + deliveriesOf("f.site", "f.uid", "f.seat") + `)), f.count) END`

func scanFailure(r interface{ Scan(...any) error }) (FailureView, error) {
	var f FailureView
	var received, last, settled stamp
	err := r.Scan(&f.ID, &f.Site, &f.Kind, &f.Reason, &f.Detail, &f.Verified, &f.UID, &f.Seat, opt(&f.Lead), &f.digest,
		&received, &last, &settled, &f.SettledBy, &f.Deliveries)
	f.ReceivedAt, f.LastAt, f.Title = received.Time, last.Time, f.Reason.Text().Title
	if !settled.IsZero() {
		f.SettledAt = &settled.Time
	}
	return f, err
}

// A FailureFilter chooses failures. The zero value is the open ones of all sites.
type FailureFilter struct {
	Site    string // empty: all
	Settled bool   // also the settled ones
	// Kind is empty for all. What anybody can send must not push the others out of a
	// list that has an end.
	Kind  handoff.FailureKind
	Limit int // 0: 100
}

// Failures lists failures: those that Cal.com signed before the others, since
// anybody can send others until the list is full; of each the newest first.
func (db *DB) Failures(ctx context.Context, filter FailureFilter) ([]FailureView, error) {
	if filter.Limit == 0 {
		filter.Limit = 100
	}
	rows, err := db.read.QueryContext(ctx, `
		SELECT `+failureColumns+` FROM failures f
		WHERE ($1 = '' OR f.site = $1) AND ($2 OR f.settled_at IS NULL) AND ($3 = '' OR f.kind = $3)
		ORDER BY f.verified DESC, f.last_at DESC, f.id DESC LIMIT $4`,
		filter.Site, filter.Settled, filter.Kind, filter.Limit)
	out, err := collect(rows, err, func(r *sql.Rows) (FailureView, error) { return scanFailure(r) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// A FailureDetail is one failure with what was received.
type FailureDetail struct {
	FailureView
	Received []ReceivedView `json:"received"`
}

// A ReceivedView is one stored delivery, its body redacted.
type ReceivedView struct {
	At          time.Time `json:"at"`
	LastAt      time.Time `json:"last_at"`
	Count       int       `json:"count"`
	Trigger     string    `json:"trigger,omitempty"`
	ContentType string    `json:"content_type"`
	Verified    bool      `json:"verified"`
	Body        string    `json:"body"`
}

// Failure reads one failure, of whatever site. The error is ErrNotFound if there
// is none.
func (db *DB) Failure(ctx context.Context, id string) (FailureDetail, error) {
	f, err := scanFailure(db.read.QueryRowContext(ctx, `SELECT `+failureColumns+` FROM failures f WHERE f.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return FailureDetail{}, fmt.Errorf("failure %s: %w", id, handoff.ErrNotFound)
	}
	if err != nil {
		return FailureDetail{}, unavailable(err)
	}
	rows, err := db.read.QueryContext(ctx, `
		SELECT d.received_at, d.last_at, d.count, d.trigger_name, d.content_type, d.verified, d.body FROM deliveries d
		WHERE d.site = $1 AND d.verified = $3 AND d.digest IN (SELECT CAST($2 AS TEXT) UNION `+deliveriesOf("$1", "$4", "$5")+`)
		ORDER BY d.received_at LIMIT 50`, f.Site, f.digest, f.Verified, f.UID, f.Seat)
	received, err := collect(rows, err, func(r *sql.Rows) (v ReceivedView, err error) {
		var at, last stamp
		var body []byte
		if err := r.Scan(&at, &last, &v.Count, &v.Trigger, &v.ContentType, &v.Verified, &body); err != nil {
			return v, err
		}
		v.At, v.LastAt = at.Time, last.Time
		body, err = decompress(body)
		v.Body = string(body)
		return v, err
	})
	if err != nil {
		return FailureDetail{}, unavailable(err)
	}
	return FailureDetail{f, append([]ReceivedView{}, received...)}, nil
}

// decodeDoc reads a JSON column.
func decodeDoc(doc string, v any) error {
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return fmt.Errorf("stored document: %w", err)
	}
	return nil
}
