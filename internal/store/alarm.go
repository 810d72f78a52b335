package store

import (
	"context"
	"database/sql"
	"fmt"

	"handoff"
)

// looked is how many listed bookings an alarm looks through for those that tell
// something: a site's own stand among those of the account's other calendars.
const looked = 3 * handoff.RecentBookings

// CheckWebhook opens the failure of a site whose webhook is silent or loses bookings,
// with the likely cause, and settles it once it does neither. It is for after a sweep.
func (db *DB) CheckWebhook(ctx context.Context, site string) error {
	var changed bool
	err := db.tx(ctx, func(tx *txn) error {
		signs, err := db.signs(ctx, tx, site)
		if err != nil {
			return err
		}
		reason, detail := signs.Alarm()
		changed, err = db.alarm(ctx, tx, site, reason, detail)
		return err
	})
	if err == nil && changed {
		db.tellAll(TopicLeads)
	}
	return err
}

// signs reads how a site's webhook does.
func (db *DB) signs(ctx context.Context, q querier, site string) (handoff.Signs, error) {
	s := handoff.Signs{Failed: map[handoff.Reason]int{}}
	newest := fmt.Sprintf(`(SELECT * FROM listed WHERE site = $1 AND EXISTS (SELECT 1 FROM observations o WHERE o.site = listed.site AND o.uid = listed.uid)
		ORDER BY made_at DESC, uid LIMIT %d)`, looked)
	all, err := readListed(ctx, q, newest, `ORDER BY l.made_at DESC, l.uid, b.seat`, site)
	if err != nil {
		return s, err
	}
	for i := range all {
		if all[i].Tells(db.now()) && len(s.Recent) < handoff.RecentBookings {
			s.Recent = append(s.Recent, all[i])
		}
	}
	since := s.Trouble()
	if since.IsZero() {
		return s, nil
	}
	rows, err := q.QueryContext(ctx, `
		SELECT reason, sum(count) FROM failures WHERE site = $1 AND digest <> '' AND last_at >= $2 GROUP BY reason`, site, stamp{since})
	if _, err := collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var reason handoff.Reason
		var n int
		err := r.Scan(&reason, &n)
		s.Failed[reason] = n
		return struct{}{}, err
	}); err != nil {
		return s, fmt.Errorf("failures: %w", err)
	}
	for i := range all {
		if all[i].WebhookAt.After(since) {
			s.Told++
		}
	}
	return s, nil
}

// alarm makes the open failures about a site's webhook agree with what was found:
// the one of the reason is open, with the newest detail, and the other is settled.
func (db *DB) alarm(ctx context.Context, tx *txn, site string, reason handoff.Reason, detail string) (changed bool, err error) {
	now := stamp{db.now()}
	res, err := tx.ExecContext(ctx, `
		UPDATE failures SET settled_at = $1, settled_by = $2 WHERE site = $3 AND subject = $4 AND reason <> $5 AND settled_at IS NULL`,
		now, "webhooks come as they should", site, webhookSubject, reason)
	if err != nil {
		return false, fmt.Errorf("failure: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil || reason == "" {
		return n > 0, err
	}
	opened, err := db.siteFails(ctx, tx, site, webhookSubject, reason, detail)
	return opened || n > 0, err
}

// Subjects of failures about a site's connections.
const (
	webhookSubject = "webhook"
	SweepSubject   = "sweep" // Cal.com's list of bookings; it settles itself with the next page
	MailSubject    = "mail"  // the mail server
	EmbedSubject   = "embed" // the calendars in the site's pages

	TellingSubject = "telling/" // and the channel on which people are told
)

// SiteFails opens a failure about a site's connections; one that is open gets the newest
// detail.
func (db *DB) SiteFails(ctx context.Context, site, subject string, reason handoff.Reason, detail string) error {
	return db.tx(ctx, func(tx *txn) error {
		_, err := db.siteFails(ctx, tx, site, subject, reason, detail)
		return err
	})
}

func (db *DB) siteFails(ctx context.Context, tx *txn, site, subject string, reason handoff.Reason, detail string) (opened bool, err error) {
	res, err := tx.ExecContext(ctx, `UPDATE failures SET detail = $1 WHERE site = $2 AND subject = $3 AND reason = $4 AND settled_at IS NULL`, detail, site, subject, reason)
	if err != nil {
		return false, fmt.Errorf("failure: %w", err)
	}
	if known, err := res.RowsAffected(); err != nil || known > 0 {
		return false, err
	}
	return true, db.openFailure(ctx, tx, failure{Failure: handoff.Failure{
		Site: site, Kind: handoff.FailedSite, Reason: reason, Detail: detail, ReceivedAt: db.now(), Deliveries: 1,
	}, subject: subject, verified: true})
}

// SiteWell settles what is open about a subject of a site, if anything is.
func (db *DB) SiteWell(ctx context.Context, site, subject, by string) error {
	open, err := exists(ctx, db.read, `SELECT 1 FROM failures WHERE site = $1 AND subject = $2 AND settled_at IS NULL`, site, subject)
	if err != nil || !open {
		return err
	}
	return db.tx(ctx, func(tx *txn) error { return db.settleSubject(ctx, tx, site, subject, by) })
}

// settleSubject settles what is open about a subject.
func (db *DB) settleSubject(ctx context.Context, tx *txn, site, subject, by string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE failures SET settled_at = $1, settled_by = $2 WHERE site = $3 AND subject = $4 AND settled_at IS NULL`,
		stamp{db.now()}, by, site, subject); err != nil {
		return fmt.Errorf("failure: %w", err)
	}
	return nil
}
