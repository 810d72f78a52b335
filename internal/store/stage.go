package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"handoff"
)

// SetStage moves a lead to a stage by a person's word, and returns the change. from is
// where the person saw it stand: the error is ErrConflict if it stands elsewhere by
// now, and ErrInvalid if it stands there already or the pipeline has no such stage. The
// stage holds until the bookings say something else than now (see handoff.Pipeline).
//
// The lead is held meanwhile, as a reconciliation holds it, so that of a fact and a
// person that come at once one is first, and the other sees what it did.
func (db *DB) SetStage(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, from, to handoff.Stage, pipeline handoff.Pipeline) (c handoff.Change, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return c, err
	}
	if !slices.Contains(pipeline.Stages, to) {
		return c, fmt.Errorf("the site has no stage %q: %w", to, handoff.ErrInvalid)
	}
	if from == to {
		return c, fmt.Errorf("the lead stands at %q already: %w", to, handoff.ErrInvalid)
	}
	return db.moveLead(ctx, by, site, lead, actStage, func(tx *txn, l handoff.Lead) (move, error) {
		if l.Stage != from {
			return move{}, fmt.Errorf("the lead stands at %q now, not at %q: %w", l.Stage, from, handoff.ErrConflict)
		}
		bookings, err := bookingsOf(ctx, tx, site, lead)
		if err != nil {
			return move{}, fmt.Errorf("bookings: %w", err)
		}
		return move{to: to, manual: &handoff.Manual{Stage: to, Ruled: pipeline.Ruled(bookings)}, note: by.Name + " set the stage"}, nil
	})
}

// UndoStage takes back the stage that a person set, and returns the change: the lead
// returns to what a person had set before, if that still holds, else to what its
// bookings say. cause is that of the change to undo. The error is ErrConflict if
// anything moved the lead since, or if its bookings say the same by now.
func (db *DB) UndoStage(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, cause string, pipeline handoff.Pipeline) (c handoff.Change, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return c, err
	}
	return db.moveLead(ctx, by, site, lead, actUndoStage, func(tx *txn, l handoff.Lead) (move, error) {
		var newest string
		err := tx.QueryRowContext(ctx, `SELECT cause FROM history WHERE site = $1 AND lead_id = $2 ORDER BY seq DESC LIMIT 1`, site, lead).Scan(&newest)
		if err != nil {
			return move{}, fmt.Errorf("stage history: %w", err)
		}
		if newest != cause {
			return move{}, fmt.Errorf("the lead was moved since: %w", handoff.ErrConflict)
		}
		if l.Manual == nil {
			return move{}, fmt.Errorf("no stage that was set by hand holds: %w", handoff.ErrConflict)
		}
		prior, err := manualBefore(ctx, tx, site, lead)
		if err != nil {
			return move{}, err
		}
		bookings, err := bookingsOf(ctx, tx, site, lead)
		if err != nil {
			return move{}, fmt.Errorf("bookings: %w", err)
		}
		to := pipeline.Progress(prior, bookings).Stage
		if to == l.Stage {
			return move{}, fmt.Errorf("without it the lead would stand at %q as well: %w", to, handoff.ErrConflict)
		}
		return move{to: to, manual: prior, note: by.Name + " took back the stage that was set by hand", undoes: true}, nil
	})
}

// The acts of the audit log that move a lead by hand.
const (
	actStage     = "lead.stage"
	actUndoStage = "lead.stage.undo"
)

// A move is where a person's act takes a lead.
type move struct {
	to     handoff.Stage
	manual *handoff.Manual // what is remembered of it; nil: no person's word holds
	note   string
	undoes bool // it takes one back, instead of setting one
}

// moveLead moves a lead as decide says, which sees the lead while it is held.
func (db *DB) moveLead(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, action string, decide func(*txn, handoff.Lead) (move, error)) (c handoff.Change, err error) {
	err = db.tx(ctx, func(tx *txn) error {
		l, err := scanLead(tx.QueryRowContext(ctx, `SELECT `+leadColumns+` FROM leads WHERE site = $1 AND id = $2`+db.engine.lock, site, lead))
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("lead %s: %w", lead, handoff.ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("lead: %w", err)
		}
		m, err := decide(tx, l)
		if err != nil {
			return err
		}
		act := handoff.Act{ID: newID("act"), Action: action, Site: site, Subject: string(lead), Detail: string(l.Stage) + " → " + string(m.to)}
		c = handoff.Change{At: db.now(), From: l.Stage, To: m.to, Cause: act.ID, Note: m.note}
		if err := db.audit(ctx, tx, by, act); err != nil {
			return err
		}
		manual, prior := handoff.Manual{}, handoff.Manual{}
		if m.manual != nil {
			manual = *m.manual
		}
		if l.Manual != nil && !m.undoes {
			prior = *l.Manual
		}
		if _, err := tx.ExecContext(ctx, `UPDATE leads SET stage = $3, manual_stage = $4, manual_ruled = $5, updated_at = $6 WHERE site = $1 AND id = $2`,
			site, lead, m.to, opt(&manual.Stage), opt(&manual.Ruled), stamp{c.At}); err != nil {
			return fmt.Errorf("lead: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO history (site, lead_id, seq, at, from_stage, to_stage, cause, note, uid, seat, prior_stage, prior_ruled)
			SELECT $1, $2, coalesce(max(seq), 0) + 1, $3, $4, $5, $6, $7, '', '', $8, $9 FROM history WHERE site = $1 AND lead_id = $2`,
			site, lead, stamp{c.At}, c.From, c.To, c.Cause, c.Note, opt(&prior.Stage), opt(&prior.Ruled)); err != nil {
			return fmt.Errorf("stage history: %w", err)
		}
		return nil
	})
	if err != nil {
		return handoff.Change{}, err
	}
	db.wrote(1)
	db.tellAll(TopicLead(site, string(lead)), TopicLeads)
	return c, nil
}

// manualBefore is what a person had set before the last of those settings of a lead's stage
// that nobody took back: to what it leads to take that back. Nil: nobody had set anything.
func manualBefore(ctx context.Context, q querier, site string, lead handoff.LeadID) (*handoff.Manual, error) {
	type moved struct {
		action string
		prior  handoff.Manual // of a setting
	}
	rows, err := q.QueryContext(ctx, `
		SELECT a.action, h.prior_stage, h.prior_ruled FROM history h CROSS JOIN audit a
		WHERE h.site = $1 AND h.lead_id = $2 AND a.id = h.cause ORDER BY h.seq`, site, lead)
	all, err := collect(rows, err, func(r *sql.Rows) (m moved, err error) {
		return m, r.Scan(&m.action, opt(&m.prior.Stage), opt(&m.prior.Ruled))
	})
	if err != nil {
		return nil, fmt.Errorf("stage history: %w", err)
	}
	var stand []handoff.Manual
	for _, m := range all {
		switch {
		case m.action == actStage:
			stand = append(stand, m.prior)
		case len(stand) > 0:
			stand = stand[:len(stand)-1]
		}
	}
	if len(stand) == 0 || stand[len(stand)-1].Stage == "" {
		return nil, nil
	}
	return &stand[len(stand)-1], nil
}
