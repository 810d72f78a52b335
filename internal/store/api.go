package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	Open                []Waiting     // by reason
	Alarms              []FailureView // open, about the site's connections; the newest first
}

// newestBookings is of how many bookings Health looks for the last webhook.
const newestBookings = 50

// Health tells how a site does.
func (db *DB) Health(ctx context.Context, site string) (h Health, err error) {
	row, err := readPlace(ctx, db.read, site, "")
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return h, unavailable(err)
	}
	if h.Sweeps, h.SweptAt = row.number, row.ended.Time; !h.SweptAt.IsZero() {
		h.SweptSince = row.whole.Time
	}
	var at stamp
	err = db.read.QueryRowContext(ctx, `
		SELECT max(o.received_at) FROM (SELECT uid FROM bookings WHERE site = $1 AND made_at IS NOT NULL ORDER BY made_at DESC LIMIT $3) b
		CROSS JOIN observations o WHERE o.site = $1 AND o.uid = b.uid AND o.source = $2`, site, handoff.FromEvent, newestBookings).Scan(&at) // SQLite keeps this order
	if err != nil {
		return h, unavailable(err)
	}
	h.WebhookAt = at.Time
	if h.Open, err = db.Waiting(ctx, []string{site}); err != nil {
		return h, err
	}
	h.Alarms, err = db.Failures(ctx, FailureFilter{Sites: []string{site}, Kind: handoff.FailedSite})
	return h, err
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
