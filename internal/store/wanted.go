package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"handoff"
)

// WantCalls keeps a person's word that a lead wants all its calls ahead, and returns it.
// seen are all that were ahead when the person looked, in any order: the error is
// ErrConflict if by now it is others, so that a call that came meanwhile is not hidden by
// who has not seen it. It is ErrInvalid if there is no more than one call ahead, and
// ErrNotFound if there is no such lead. A word that was given already stays as it is.
//
// It is about attention only: no stage moves, and no booking changes.
func (db *DB) WantCalls(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, seen []handoff.BookingKey) (said handoff.CallsWanted, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return said, err
	}
	err = db.aboutCalls(ctx, by, site, lead, "lead.calls", func(tx *txn, before *handoff.CallsWanted) ([]handoff.BookingKey, error) {
		bookings, err := bookingsOf(ctx, tx, site, lead)
		if err != nil {
			return nil, fmt.Errorf("bookings: %w", err)
		}
		now := db.now()
		ahead := keysOf(handoff.CallsAhead(bookings, now))
		if !sameKeys(ahead, seen) {
			return nil, fmt.Errorf("other calls are ahead than were seen: %w", handoff.ErrConflict)
		}
		if handoff.Doubled(bookings, now) == nil {
			return nil, handoff.Refuse(handoff.ErrInvalid, "The lead has no more than one call ahead.")
		}
		if before.Covers(bookings, now) {
			said = *before
			return nil, nil
		}
		said = handoff.CallsWanted{Calls: ahead, By: by.Name, At: now.UTC().Truncate(time.Microsecond)}
		var rows [][]any
		for _, k := range ahead {
			rows = append(rows, []any{site, lead, k.UID, k.Seat, stamp{said.At}, said.By})
		}
		if err := forgetWanted(ctx, tx, site, lead); err != nil {
			return nil, err
		}
		return ahead, many(ctx, tx, `INSERT INTO wanted (site, lead_id, uid, seat, at, author) VALUES?`, nil, rows, nil)
	})
	if err != nil {
		return handoff.CallsWanted{}, err
	}
	return said, nil
}

// UndoCallsWanted takes back the word that a lead wants all its calls ahead, whoever gave
// it, and returns it. The error is ErrConflict if nobody has, and ErrNotFound if there is
// no such lead.
func (db *DB) UndoCallsWanted(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID) (said handoff.CallsWanted, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return said, err
	}
	err = db.aboutCalls(ctx, by, site, lead, "lead.calls.undo", func(tx *txn, before *handoff.CallsWanted) ([]handoff.BookingKey, error) {
		if before == nil {
			return nil, fmt.Errorf("nobody said that the lead wants all its calls: %w", handoff.ErrConflict)
		}
		said = *before
		return said.Calls, forgetWanted(ctx, tx, site, lead)
	})
	if err != nil {
		return handoff.CallsWanted{}, err
	}
	return said, nil
}

// aboutCalls does something about which calls of a lead are wanted, which it holds, and
// writes the act into the audit log; unless it was about no calls, since nothing was to do.
func (db *DB) aboutCalls(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, action string, do func(*txn, *handoff.CallsWanted) ([]handoff.BookingKey, error)) error {
	err := db.tx(ctx, func(tx *txn) error {
		var id handoff.LeadID
		err := tx.QueryRowContext(ctx, `SELECT id FROM leads WHERE site = $1 AND id = $2`+db.engine.lock, site, lead).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("lead %s: %w", lead, handoff.ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("lead: %w", err)
		}
		before, err := wantedOf(ctx, tx, site, lead)
		if err != nil {
			return err
		}
		calls, err := do(tx, before)
		if err != nil || len(calls) == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE leads SET updated_at = $3 WHERE site = $1 AND id = $2`, site, lead, stamp{db.now()}); err != nil {
			return fmt.Errorf("lead: %w", err)
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: action, Site: site, Subject: string(lead), Detail: callsWords(calls)})
	})
	if err == nil {
		db.wrote(1)
		db.tellAll(TopicLead(site, string(lead)), TopicLeads)
	}
	return err
}

// wantedOf reads which calls of a lead somebody wanted; nil if nobody did.
func wantedOf(ctx context.Context, q querier, site string, lead handoff.LeadID) (*handoff.CallsWanted, error) {
	var said handoff.CallsWanted
	rows, err := q.QueryContext(ctx, `SELECT uid, seat, at, author FROM wanted WHERE site = $1 AND lead_id = $2 ORDER BY uid, seat`, site, lead)
	said.Calls, err = collect(rows, err, func(r *sql.Rows) (k handoff.BookingKey, err error) {
		var at stamp
		err = r.Scan(&k.UID, &k.Seat, &at, &said.By)
		said.At = at.Time
		return k, err
	})
	if err != nil {
		return nil, fmt.Errorf("calls that are wanted: %w", err)
	}
	if len(said.Calls) == 0 {
		return nil, nil
	}
	return &said, nil
}

func (db *DB) readWanted(ctx context.Context, d *LeadDetail) (err error) {
	d.Wanted, err = wantedOf(ctx, db.read, d.Site, d.ID)
	return err
}

func forgetWanted(ctx context.Context, tx *txn, site string, lead handoff.LeadID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM wanted WHERE site = $1 AND lead_id = $2`, site, lead); err != nil {
		return fmt.Errorf("calls that are wanted: %w", err)
	}
	return nil
}

func keysOf(bookings []handoff.Booking) []handoff.BookingKey {
	var out []handoff.BookingKey
	for i := range bookings {
		out = append(out, bookings[i].BookingKey)
	}
	return out
}

// sameKeys reports that two lists name the same bookings, in whatever order and however often.
func sameKeys(a, b []handoff.BookingKey) bool {
	within := func(a, b []handoff.BookingKey) bool {
		return !slices.ContainsFunc(a, func(k handoff.BookingKey) bool { return !slices.Contains(b, k) })
	}
	return within(a, b) && within(b, a)
}

// callsWords say how many calls a word was about, for the audit log: a uid of Cal.com's lets
// its reader cancel the call, and who reads the log may not read leads.
func callsWords(calls []handoff.BookingKey) string { return fmt.Sprintf("%d calls", len(calls)) }
