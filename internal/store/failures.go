package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	Attendee   string              `json:"attendee,omitempty"` // who booked, as Cal.com has it
	Start      *time.Time          `json:"start,omitempty"`    // of the call

	digest, resolution string
	booking            *handoff.Booking
}

// Booking is what is known of the booking that it is about; nil: nothing, or it is about
// none.
func (f FailureView) Booking() *handoff.Booking { return f.booking }

// Key names the booking that it is about; zero: none.
func (f FailureView) Key() handoff.BookingKey { return handoff.BookingKey{UID: f.UID, Seat: f.Seat} }

// Remedies are what can be done about it; nothing once it is settled.
func (f FailureView) Remedies() []handoff.Remedy {
	if f.SettledAt != nil {
		return nil
	}
	return handoff.Remedies(f.Kind, f.Reason, f.Key())
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
	f.received_at, f.last_at, f.settled_at, f.settled_by, f.resolution, (SELECT b.doc FROM bookings b WHERE b.site = f.site AND b.uid = f.uid AND b.seat = f.seat),
	CASE WHEN f.uid = '' THEN f.count ELSE coalesce((
		SELECT sum(d.count) FROM deliveries d WHERE d.site = f.site AND d.verified AND d.digest IN (` + deliveriesOf("f.site", "f.uid", "f.seat") + `)), f.count) END`

func scanFailure(r interface{ Scan(...any) error }) (FailureView, error) {
	var f FailureView
	var received, last, settled stamp
	var doc sql.NullString
	err := r.Scan(&f.ID, &f.Site, &f.Kind, &f.Reason, &f.Detail, &f.Verified, &f.UID, &f.Seat, opt(&f.Lead), &f.digest,
		&received, &last, &settled, &f.SettledBy, &f.resolution, &doc, &f.Deliveries)
	f.ReceivedAt, f.LastAt, f.Title = received.Time, last.Time, f.Reason.Text().Title
	if !settled.IsZero() {
		f.SettledAt = &settled.Time
	}
	if err != nil || !doc.Valid {
		return f, err
	}
	var b handoff.Booking
	if err := decodeDoc(doc.String, &b); err != nil {
		return f, err
	}
	f.booking = &b
	if f.Attendee = b.Attendee.Name; !b.Start.IsZero() {
		f.Start = &b.Start
	}
	return f, nil
}

// A FailureFilter chooses failures. The zero value is the newest 100 open ones of all
// sites.
type FailureFilter struct {
	Sites   []string            // the only ones; nil: all
	Reason  handoff.Reason      // empty: all
	Kind    handoff.FailureKind // empty: all
	UID     string              // of the booking; empty: all
	Settled bool                // also the settled ones
	Limit   int                 // 0: 100
	After   FailurePlace        // continues a list; zero: from its beginning
}

// A FailurePlace is where in a list a failure stands.
type FailurePlace struct {
	Verified bool
	LastAt   time.Time
	ID       handoff.FailureID
}

// Place is where in lists the failure stands.
func (f FailureView) Place() FailurePlace { return FailurePlace{f.Verified, f.LastAt, f.ID} }

// streams are the conditions of the lists that a filter's is merged from, in parts that
// come one after the other. Each goes by an index of its own. In them $5 is the booking's
// uid, $6 the reason and $7 the kind.
func (f FailureFilter) streams() (parts [][]string) {
	switch {
	case f.UID != "" && f.Settled:
		return [][]string{{"f.uid <> '' AND f.uid = $5"}}
	case f.UID != "":
		return [][]string{{"f.uid <> '' AND f.uid = $5 AND f.settled_at IS NULL"}}
	case f.Settled:
		return [][]string{{"TRUE"}}
	case f.Reason != "" || f.Kind != "":
		var of []string
		for _, t := range handoff.ReasonTexts {
			if t.Reason == f.Reason || f.Reason == "" && t.Kind == f.Kind {
				of = append(of, "f.settled_at IS NULL AND f.reason = '"+string(t.Reason)+"'")
			}
		}
		return [][]string{of}
	}
	// What anybody can send must not push the others out of a list that has an end.
	return [][]string{{"f.settled_at IS NULL AND f.verified"}, {"f.settled_at IS NULL AND NOT f.verified"}}
}

// Failures lists failures, the newest first; of the open ones, those that Cal.com signed
// before the others, since anybody can send others until the list is full.
func (db *DB) Failures(ctx context.Context, filter FailureFilter) ([]FailureView, error) {
	if filter.Limit == 0 {
		filter.Limit = 100
	}
	sites, err := db.sitesOf(ctx, "failures", filter.Sites)
	if err != nil {
		return nil, err
	}
	var out []FailureView
	for i, part := range filter.streams() {
		after, ends := filter.After, len(out) >= filter.Limit
		switch signedFirst := len(filter.streams()) == 2; {
		case ends || signedFirst && i == 0 && after.ID != "" && !after.Verified:
			continue
		case signedFirst && i == 1 && after.Verified:
			after = FailurePlace{}
		}
		var found []FailureView
		for _, site := range sites {
			for _, where := range part {
				some, err := db.failuresAfter(ctx, site, where, filter, after)
				if err != nil {
					return nil, err
				}
				found = append(found, some...)
			}
		}
		slices.SortFunc(found, newestFailure)
		out = append(out, found[:min(len(found), filter.Limit-len(out))]...)
	}
	return out, nil
}

// newestFailure orders failures within a part of a list.
func newestFailure(a, b FailureView) int {
	return cmp.Or(b.LastAt.Compare(a.LastAt), cmp.Compare(b.ID, a.ID))
}

// failuresAfter reads one stream.
func (db *DB) failuresAfter(ctx context.Context, site, where string, filter FailureFilter, after FailurePlace) ([]FailureView, error) {
	if after.ID == "" {
		after.LastAt, after.ID = endOfTime, "~"
	}
	rows, err := db.read.QueryContext(ctx, `
		SELECT `+failureColumns+` FROM failures f
		WHERE f.site = $1 AND (f.last_at, f.id) < ($2, $3) AND `+where+`
			AND ($5 = '' OR f.uid = $5) AND ($6 = '' OR f.reason = $6) AND ($7 = '' OR f.kind = $7)
		ORDER BY f.last_at DESC, f.id DESC LIMIT $4`,
		site, stamp{after.LastAt}, after.ID, filter.Limit, filter.UID, filter.Reason, filter.Kind)
	out, err := collect(rows, err, func(r *sql.Rows) (FailureView, error) { return scanFailure(r) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// endOfTime is later than anything.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// sitesOf returns the sites given, or, of nil, those that a table has, which are found
// one after the other in its key.
func (db *DB) sitesOf(ctx context.Context, table string, given []string) ([]string, error) {
	if given != nil {
		return slices.Compact(slices.Sorted(slices.Values(given))), nil
	}
	rows, err := db.read.QueryContext(ctx, `
		WITH RECURSIVE sites (site) AS (
			SELECT min(site) FROM `+table+`
			UNION ALL SELECT (SELECT min(t.site) FROM `+table+` t WHERE t.site > sites.site) FROM sites WHERE site IS NOT NULL)
		SELECT site FROM sites WHERE site IS NOT NULL`)
	out, err := collect(rows, err, func(r *sql.Rows) (site string, err error) { return site, r.Scan(&site) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// maxCounted is how many failures of a reason are counted.
const maxCounted = 1000

// Waiting says how many open failures of a reason a site has. Its JSON is stable.
type Waiting struct {
	Site   string         `json:"site"`
	Reason handoff.Reason `json:"reason"`
	Count  int            `json:"count"`
	More   bool           `json:"more"` // there are more than were counted
}

// Waiting counts the open failures of sites (nil: of all) by reason; the parts are in no
// order that means anything.
func (db *DB) Waiting(ctx context.Context, sites []string) (out []Waiting, err error) {
	if sites, err = db.sitesOf(ctx, "failures", sites); err != nil {
		return nil, err
	}
	for _, site := range sites {
		rows, err := db.read.QueryContext(ctx, `
			WITH RECURSIVE r (reason) AS (
				SELECT min(reason) FROM failures WHERE site = $1 AND settled_at IS NULL
				UNION ALL SELECT (SELECT min(f.reason) FROM failures f WHERE f.site = $1 AND f.settled_at IS NULL AND f.reason > r.reason) FROM r WHERE reason IS NOT NULL)
			SELECT reason, (SELECT count(*) FROM (SELECT 1 FROM failures f WHERE f.site = $1 AND f.settled_at IS NULL AND f.reason = r.reason ORDER BY f.last_at LIMIT $2) AS few)
			FROM r WHERE reason IS NOT NULL`, site, maxCounted+1)
		of, err := collect(rows, err, func(r *sql.Rows) (Waiting, error) {
			w := Waiting{Site: site}
			err := r.Scan(&w.Reason, &w.Count)
			if w.More = w.Count > maxCounted; w.More {
				w.Count = maxCounted
			}
			return w, err
		})
		if err != nil {
			return nil, unavailable(err)
		}
		out = append(out, of...)
	}
	return out, nil
}

// OpenFailures counts the failures of sites (nil: of all) that wait, of each reason of a
// site up to a thousand.
func (db *DB) OpenFailures(ctx context.Context, sites []string) (n int, err error) {
	all, err := db.Waiting(ctx, sites)
	for _, w := range all {
		n += w.Count
	}
	return n, err
}

// A FailureDetail is one failure with what was received.
type FailureDetail struct {
	FailureView
	Received   []ReceivedView   `json:"received"`
	Remedies   []handoff.Remedy `json:"remedies"`             // what can be done about it; nothing once it is settled
	Resolution *Resolution      `json:"resolution,omitempty"` // what a person did about it, if that stands
	Asked      *Asked           `json:"asked,omitempty"`      // what came of asking Cal.com about its booking
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

// Failure reads one failure of some sites; nil: of all. The error is ErrNotFound if
// there is none.
func (db *DB) Failure(ctx context.Context, sites []string, id handoff.FailureID) (FailureDetail, error) {
	sites, err := db.sitesOf(ctx, "failures", sites)
	if err != nil {
		return FailureDetail{}, err
	}
	args := []any{id}
	f, err := scanFailure(db.read.QueryRowContext(ctx, `SELECT `+failureColumns+` FROM failures f WHERE f.id = $1 AND `+oneOf("f.site", sites, &args), args...))
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
	d := FailureDetail{FailureView: f, Received: append([]ReceivedView{}, received...), Remedies: append([]handoff.Remedy{}, f.Remedies()...)}
	if d.Resolution, err = readResolution(ctx, db.read, f.Site, f.resolution, ""); err != nil && !errors.Is(err, handoff.ErrNotFound) {
		return FailureDetail{}, unavailable(err)
	}
	if d.Asked, err = readAsked(ctx, db.read, f.Site, f.UID); err != nil {
		return FailureDetail{}, unavailable(err)
	}
	return d, nil
}

// decodeDoc reads a JSON column.
func decodeDoc(doc string, v any) error {
	if err := json.Unmarshal([]byte(doc), v); err != nil {
		return fmt.Errorf("stored document: %w", err)
	}
	return nil
}
