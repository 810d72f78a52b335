package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"handoff"
)

// A Health is what the store knows of how a site does.
type Health struct {
	// WebhookAt is when a webhook last told of one of the site's newest bookings; zero:
	// none did.
	WebhookAt time.Time
	// Sweeps is how often Cal.com's list was read to its end, SweptAt when last, and
	// SweptSince from when on without a gap; zero: never.
	Sweeps              int
	SweptAt, SweptSince time.Time
	Open                []ReasonCount // by reason
	Alarms              []FailureView // open, about the site's connections; the newest first
}

// A ReasonCount is how many open failures have one reason.
type ReasonCount struct {
	Reason handoff.Reason      `json:"reason"`
	Kind   handoff.FailureKind `json:"kind"`
	Count  int                 `json:"count"`
}

// newestBookings is of how many bookings Health looks for the last webhook.
const newestBookings = 50

// Health tells how a site does, at one moment.
func (db *DB) Health(ctx context.Context, site string) (Health, error) {
	var h Health
	err := db.look(ctx, func(q querier) error {
		row, err := readPlace(ctx, q, site, "")
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if h.Sweeps, h.SweptAt = row.number, row.ended.Time; !h.SweptAt.IsZero() {
			h.SweptSince = row.whole.Time
		}
		var at stamp
		err = q.QueryRowContext(ctx, `
			SELECT max(o.received_at) FROM (SELECT uid FROM bookings WHERE site = $1 AND made_at IS NOT NULL ORDER BY made_at DESC LIMIT $3) b
			CROSS JOIN observations o WHERE o.site = $1 AND o.uid = b.uid AND o.source = $2`, site, handoff.FromEvent, newestBookings).Scan(&at) // SQLite keeps this order
		if err != nil {
			return fmt.Errorf("observations: %w", err)
		}
		h.WebhookAt = at.Time
		rows, err := q.QueryContext(ctx, `
			SELECT reason, kind, count(*) FROM failures WHERE site = $1 AND settled_at IS NULL GROUP BY reason, kind ORDER BY reason, kind`, site)
		h.Open, err = collect(rows, err, func(r *sql.Rows) (c ReasonCount, err error) { return c, r.Scan(&c.Reason, &c.Kind, &c.Count) })
		if err != nil {
			return fmt.Errorf("failures: %w", err)
		}
		h.Alarms, err = failurePage(ctx, q, site, FailurePage{Kind: handoff.FailedSite, Limit: 100})
		return err
	})
	if err != nil {
		return h, unavailable(err)
	}
	return h, nil
}

// A FailurePage chooses failures for a list that is read page by page.
type FailurePage struct {
	Sites   []string            // the only ones
	Settled bool                // also the settled ones
	Kind    handoff.FailureKind // empty: all
	Reason  handoff.Reason      // empty: all
	Before  handoff.FailureID   // continues a list: the last of the page before
	Limit   int                 // at least 1
}

// FailuresOf lists failures of some sites, the newest first, by when they were opened:
// that never changes, so no page misses one or has it twice.
func (db *DB) FailuresOf(ctx context.Context, p FailurePage) ([]FailureView, error) {
	var all []FailureView
	for _, site := range p.Sites {
		one, err := failurePage(ctx, db.read, site, p)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, one...)
	}
	slices.SortFunc(all, func(a, b FailureView) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), p.Limit)], nil
}

func failurePage(ctx context.Context, q querier, site string, p FailurePage) ([]FailureView, error) {
	where, args := `f.site = $1`, []any{site, p.Limit}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(` AND `+condition, len(args))
	}
	if p.Before != "" {
		add(`f.id < $%d`, p.Before)
	}
	if !p.Settled {
		where += ` AND f.settled_at IS NULL`
	}
	if p.Kind != "" {
		add(`f.kind = $%d`, p.Kind)
	}
	if p.Reason != "" {
		add(`f.reason = $%d`, p.Reason)
	}
	rows, err := q.QueryContext(ctx, `SELECT `+failureColumns+` FROM failures f WHERE `+where+` ORDER BY f.id DESC LIMIT $2`, args...)
	out, err := collect(rows, err, func(r *sql.Rows) (FailureView, error) { return scanFailure(r) })
	if err != nil {
		return nil, fmt.Errorf("failures: %w", err)
	}
	return out, nil
}

// A KeptBooking is a booking with what became of it.
type KeptBooking struct {
	handoff.Booking
	Lead    handoff.LeadID // empty: tied to none
	Ignored string         // the rule by which it needs nobody; empty: none
}

// Booking reads a booking of a site, of a seated one each seat. The error is ErrNotFound
// if nothing is known of it.
func (db *DB) Booking(ctx context.Context, site, uid string) ([]KeptBooking, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT doc, lead_id, ignored FROM bookings WHERE site = $1 AND uid = $2 ORDER BY seat`, site, uid)
	out, err := collect(rows, err, func(r *sql.Rows) (b KeptBooking, err error) {
		var doc string
		if err := r.Scan(&doc, opt(&b.Lead), &b.Ignored); err != nil {
			return b, err
		}
		return b, decodeDoc(doc, &b.Booking)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("booking %s: %w", uid, handoff.ErrNotFound)
	}
	return out, nil
}

// SiteOfLead finds which of some sites has a lead. The error is ErrNotFound if none has.
func (db *DB) SiteOfLead(ctx context.Context, sites []string, id handoff.LeadID) (string, error) {
	for _, site := range sites {
		has, err := exists(ctx, db.read, `SELECT 1 FROM leads WHERE site = $1 AND id = $2`, site, id)
		if err != nil {
			return "", unavailable(err)
		}
		if has {
			return site, nil
		}
	}
	return "", fmt.Errorf("lead %s: %w", id, handoff.ErrNotFound)
}

// SiteOfFailure finds which of some sites has a failure, settled by a resolution if one
// is named. The error is ErrNotFound if none has.
func (db *DB) SiteOfFailure(ctx context.Context, sites []string, id handoff.FailureID, by handoff.ResolutionID) (string, error) {
	for _, site := range sites {
		has, err := exists(ctx, db.read, `SELECT 1 FROM failures WHERE site = $1 AND id = $2 AND ($3 = '' OR resolution = $3)`, site, id, by)
		if err != nil {
			return "", unavailable(err)
		}
		if has {
			return site, nil
		}
	}
	return "", fmt.Errorf("failure %s: %w", id, handoff.ErrNotFound)
}
