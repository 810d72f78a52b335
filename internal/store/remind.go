package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"handoff"
)

// Reminders are rows of their own kind: their key makes sure that of many processes
// one sends each, once. What is due is found by looking at the leads, so that a wait
// that is changed counts for all of them.

// A Reminder is one that was claimed and has to be sent now.
type Reminder struct {
	handoff.Lead
	Number     int
	Attempts   int // this one included
	Submission handoff.SubmissionID
}

// lostSender is after how long a process that sends is taken for gone. What became of
// its mail nobody knows.
const lostSender = 15 * time.Minute

// maxRemindable is how many leads are listed at once.
const maxRemindable = 200

// sameAddress is how long what was sent to an address counts against another lead that
// has it: whoever sends form after form is reminded of one.
const sameAddress = 60 * 24 * time.Hour

// A Remindable is a lead that may be due a reminder.
type Remindable struct {
	ID        handoff.LeadID
	CreatedAt time.Time
}

// Remindable lists leads of a site that may be due a reminder of a number, the oldest
// first: that were created after one lead, or after a time, and until another; stand at
// a stage; have no booking; and whose address did not stop reminders, has no newer lead,
// and was sent none of that number or a later one.
func (db *DB) Remindable(ctx context.Context, site string, stage handoff.Stage, number int, after Remindable, to time.Time) ([]Remindable, error) {
	rows, err := db.read.QueryContext(ctx, `
		SELECT l.id, l.created_at FROM leads l
		WHERE l.site = $1 AND l.stage = $2 AND (l.created_at, l.id) > ($3, $9) AND l.created_at <= $4 AND l.manual_stage IS NULL
			AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.site = l.site AND b.lead_id = l.id)
			AND NOT EXISTS (SELECT 1 FROM stops s WHERE s.site = l.site AND s.email = lower(l.email))
			AND NOT EXISTS (SELECT 1 FROM leads o WHERE o.site = l.site AND lower(o.email) = lower(l.email) AND o.created_at > l.created_at)
			AND NOT EXISTS (SELECT 1 FROM reminders r JOIN leads o ON o.site = r.site AND o.id = r.lead_id
				WHERE o.site = l.site AND lower(o.email) = lower(l.email) AND r.number >= $5 AND r.at > $7
					AND NOT (r.lead_id = l.id AND r.number = $5 AND r.state = $6 AND r.next_at <= $8))
		ORDER BY l.created_at, l.id LIMIT $10`,
		site, stage, stamp{after.CreatedAt}, stamp{to}, number, handoff.ReminderRetry, stamp{db.now().Add(-sameAddress)}, stamp{db.now()}, after.ID, maxRemindable)
	out, err := collect(rows, err, func(r *sql.Rows) (one Remindable, err error) {
		var at stamp
		err = r.Scan(&one.ID, &at)
		one.CreatedAt = at.Time
		return one, err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// MayRemind reports whether a rule says that a lead is due a reminder, without taking it.
func (db *DB) MayRemind(ctx context.Context, site string, id handoff.LeadID, due func(handoff.Waiting) int, zone *time.Location) (may bool, err error) {
	err = db.look(ctx, func(q querier) error {
		w, _, err := db.waitingLead(ctx, q, "", site, id, zone)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		may = err == nil && due(w) > 0
		return err
	})
	if err != nil {
		return false, unavailable(err)
	}
	return may, nil
}

// Reminded counts the reminders of a site that were begun since a time.
func (db *DB) Reminded(ctx context.Context, site string, since time.Time) (n int, err error) {
	if err := db.read.QueryRowContext(ctx, `SELECT count(*) FROM reminders WHERE site = $1 AND at >= $2`, site, stamp{since}).Scan(&n); err != nil {
		return 0, unavailable(err)
	}
	return n, nil
}

// RemindersFailed reports whether the mail server did not take a reminder of a site since
// a time.
func (db *DB) RemindersFailed(ctx context.Context, site string, since time.Time) (bool, error) {
	return exists(ctx, db.read, `SELECT 1 FROM reminders WHERE site = $1 AND at >= $2 AND state IN ($3, $4)`, site, stamp{since}, handoff.ReminderRetry, handoff.ReminderRefused)
}

// ClaimReminder makes a lead's reminder this process's to send, if the rule that is
// given still says so once the lead is held, and nobody else has it. zone is the
// visitor's where it is not known. ok is false if there is nothing to send.
//
// The claim is on disk before anything is sent, and is not given back by a crash: a
// reminder that may have been sent is not sent again.
func (db *DB) ClaimReminder(ctx context.Context, site string, id handoff.LeadID, due func(handoff.Waiting) int, zone *time.Location) (r Reminder, ok bool, err error) {
	err = db.tx(ctx, func(tx *txn) error {
		r, ok = Reminder{}, false
		w, submission, err := db.waitingLead(ctx, tx, db.engine.lock, site, id, zone)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.Number = due(w); r.Number == 0 {
			return nil
		}
		now := stamp{db.now()}
		err = tx.QueryRowContext(ctx, `
			INSERT INTO reminders (site, lead_id, number, state, attempts, at) VALUES ($1, $2, $3, $4, 1, $5)
			ON CONFLICT (site, lead_id, number) DO UPDATE SET state = excluded.state, attempts = reminders.attempts + 1, at = excluded.at, next_at = NULL
				WHERE reminders.state = $6 AND reminders.next_at <= $5
			RETURNING attempts`, site, id, r.Number, handoff.ReminderSending, now, handoff.ReminderRetry).Scan(&r.Attempts)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		r.Lead, r.Submission, ok = w.Lead, submission, err == nil
		return err
	})
	return r, ok && err == nil, err
}

// waitingLead reads, and with a lock holds, what a reminder has to know of a lead. As a
// booking counts whatever is a reason to leave its address alone: a booking of this lead,
// or since its form, or to come, of another lead of the address, or of nobody's that we
// know with that attendee; a newer lead of the address; a stop; what was sent to it for
// another lead; and work that is left to do on bookings, since it can be about this one.
func (db *DB) waitingLead(ctx context.Context, tx querier, lock, site string, id handoff.LeadID, zone *time.Location) (handoff.Waiting, handoff.SubmissionID, error) {
	w := handoff.Waiting{Zone: zone}
	var manual, ruled sql.NullString
	var created stamp
	l := &w.Lead
	err := tx.QueryRowContext(ctx, `SELECT site, id, service, name, email, stage, manual_stage, manual_ruled, created_at FROM leads WHERE site = $1 AND id = $2`+lock,
		site, id).Scan(&l.Site, &l.ID, &l.Service, &l.Name, &l.Email, &l.Stage, &manual, &ruled, &created)
	if err != nil {
		return w, "", err
	}
	l.CreatedAt = created.Time
	if manual.Valid {
		l.Manual = &handoff.Manual{Stage: handoff.Stage(manual.String), Ruled: handoff.Stage(ruled.String)}
	}
	var submission handoff.SubmissionID
	var doc string
	if err := tx.QueryRowContext(ctx, `SELECT id, doc FROM submissions WHERE site = $1 AND lead_id = $2 ORDER BY submitted_at DESC, id DESC LIMIT 1`, site, id).Scan(&submission, &doc); err != nil {
		return w, "", err
	}
	var s handoff.Submission
	if err := decodeDoc(doc, &s); err != nil {
		return w, "", err
	}
	if there, err := time.LoadLocation(s.Context.TimeZone); err == nil && s.Context.TimeZone != "" {
		w.Zone = there
	}
	email := strings.ToLower(l.Email)
	attendee, err := json.Marshal(email)
	if err != nil {
		return w, "", err
	}
	var left bool
	err = tx.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM bookings WHERE site = $1 AND lead_id = $2)
			OR EXISTS (SELECT 1 FROM bookings b JOIN leads o ON o.site = b.site AND o.id = b.lead_id WHERE o.site = $1 AND lower(o.email) = $3
				AND (b.made_at >= $4 OR b.status IN ($7, $8, $9)))
			OR EXISTS (SELECT 1 FROM bookings b WHERE b.site = $1 AND b.lead_id IS NULL AND lower(b.doc) LIKE $10 ESCAPE '\')
			OR EXISTS (SELECT 1 FROM leads o WHERE o.site = $1 AND lower(o.email) = $3 AND (o.created_at > $4 OR o.created_at = $4 AND o.id > $2))
			OR EXISTS (SELECT 1 FROM stops WHERE site = $1 AND email = $3)
			OR EXISTS (SELECT 1 FROM due WHERE site = $1 AND kind = $11 AND attempts < 3),
			(SELECT coalesce(max(r.number), 0) FROM reminders r JOIN leads o ON o.site = r.site AND o.id = r.lead_id
				WHERE o.site = $1 AND (o.id = $2 OR lower(o.email) = $3 AND r.at > $12) AND NOT (r.lead_id = $2 AND r.state = $5 AND r.next_at <= $6))`,
		site, id, email, created, handoff.ReminderRetry, stamp{db.now()}, handoff.AwaitingPayment, handoff.Requested, handoff.Accepted,
		`%"email":`+likely(string(attendee))+`%`, KindReconcile, stamp{db.now().Add(-sameAddress)}).Scan(&left, &w.Reminded)
	if left {
		w.Bookings = 1
	}
	return w, submission, err
}

// likely writes a text so that LIKE finds it as it is.
func likely(s string) string { return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s) }

// EndReminder notes how a reminder ended; next is when one that was put off is tried
// again.
func (db *DB) EndReminder(ctx context.Context, r Reminder, state handoff.ReminderState, next time.Time) error {
	return db.tx(ctx, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `UPDATE reminders SET state = $4, at = $5, next_at = $6 WHERE site = $1 AND lead_id = $2 AND number = $3 AND state = $7`,
			r.Site, r.ID, r.Number, state, stamp{db.now()}, stamp{next}, handoff.ReminderSending)
		if err != nil {
			return fmt.Errorf("reminder: %w", err)
		}
		return nil
	})
}

// LoseReminders notes the reminders of a site whose sender is gone: nobody knows
// whether they were sent.
func (db *DB) LoseReminders(ctx context.Context, site string) (n int64, err error) {
	lost, err := exists(ctx, db.read, `SELECT 1 FROM reminders WHERE site = $1 AND state <> 'sent' AND state = $2 AND at < $3`,
		site, handoff.ReminderSending, stamp{db.now().Add(-lostSender)})
	if err != nil {
		return 0, unavailable(err)
	}
	if !lost { // nothing is written where nothing was lost: others wait for the writer
		return 0, nil
	}
	err = db.tx(ctx, func(tx *txn) error {
		res, err := tx.ExecContext(ctx, `UPDATE reminders SET state = $3, at = $4 WHERE site = $1 AND state <> 'sent' AND state = $2 AND at < $5`,
			site, handoff.ReminderSending, handoff.ReminderUnknown, stamp{db.now()}, stamp{db.now().Add(-lostSender)})
		if err != nil {
			return fmt.Errorf("reminder: %w", err)
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// StopReminders keeps the address of a submission from being reminded again. The error
// is ErrNotFound if there is no such submission.
func (db *DB) StopReminders(ctx context.Context, site string, id handoff.SubmissionID) error {
	return db.tx(ctx, func(tx *txn) error {
		var email string
		err := tx.QueryRowContext(ctx, `SELECT l.email FROM submissions s JOIN leads l ON l.site = s.site AND l.id = s.lead_id WHERE s.site = $1 AND s.id = $2`, site, id).Scan(&email)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("submission: %w", handoff.ErrNotFound)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO stops (site, email, at) VALUES ($1, $2, $3) ON CONFLICT (site, email) DO NOTHING`, site, strings.ToLower(email), stamp{db.now()})
		}
		return err
	})
}

// A SentReminder is how one reminder of a lead ended, or stands.
type SentReminder struct {
	Number int
	State  handoff.ReminderState
	At     time.Time // since when it is in this state
}

func (db *DB) readReminders(ctx context.Context, d *LeadDetail) error {
	rows, err := db.read.QueryContext(ctx, `SELECT number, state, at FROM reminders WHERE site = $1 AND lead_id = $2 ORDER BY number`, d.Site, d.ID)
	d.Reminders, err = collect(rows, err, func(r *sql.Rows) (s SentReminder, err error) {
		var at stamp
		err = r.Scan(&s.Number, &s.State, &at)
		s.At = at.Time
		return s, err
	})
	return err
}
