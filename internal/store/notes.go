package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"handoff"
)

// maxNotes is how many notes one lead has at most.
const maxNotes = 1000

// AddNote writes down what a person says about a lead. The error is ErrInvalid if it is
// no note (see handoff.CheckNote) or the lead has too many.
func (db *DB) AddNote(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, text string) (n handoff.Note, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return n, err
	}
	if text, err = handoff.CheckNote(text); err != nil {
		return n, err
	}
	n = handoff.Note{ID: newID("note"), At: db.now(), Author: by.Name, Text: text}
	err = db.noteOn(ctx, by, site, lead, handoff.Act{Action: "note.add", Detail: n.ID}, func(tx *txn) error {
		var have int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM notes WHERE site = $1 AND lead_id = $2`, site, lead).Scan(&have); err != nil {
			return fmt.Errorf("notes: %w", err)
		}
		if have >= maxNotes {
			return handoff.Refuse(handoff.ErrInvalid, "The lead has %d notes. Delete some first.", have)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO notes (site, lead_id, id, at, author, text) VALUES ($1, $2, $3, $4, $5, $6)`,
			site, lead, n.ID, stamp{n.At}, n.Author, n.Text)
		return err
	})
	if err != nil {
		return handoff.Note{}, err
	}
	return n, nil
}

// DeleteNote deletes a note, which its author may and an owner. The audit log keeps that
// there was one.
func (db *DB) DeleteNote(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, id string) error {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return err
	}
	return db.noteOn(ctx, by, site, lead, handoff.Act{Action: "note.delete", Detail: id}, func(tx *txn) error {
		var author string
		err := tx.QueryRowContext(ctx, `SELECT author FROM notes WHERE site = $1 AND lead_id = $2 AND id = $3`, site, lead, id).Scan(&author)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("note %s: %w", id, handoff.ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("note: %w", err)
		}
		if author != by.Name && !by.May(handoff.RoleOwner) {
			return fmt.Errorf("the note is somebody else's: %w", handoff.ErrForbidden)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM notes WHERE site = $1 AND lead_id = $2 AND id = $3`, site, lead, id)
		return err
	})
}

// noteOn does something about the notes of a lead, which it holds, and writes the act
// into the audit log.
func (db *DB) noteOn(ctx context.Context, by handoff.Actor, site string, lead handoff.LeadID, a handoff.Act, do func(*txn) error) error {
	err := db.tx(ctx, func(tx *txn) error {
		done, err := tx.ExecContext(ctx, `UPDATE leads SET updated_at = $3 WHERE site = $1 AND id = $2`, site, lead, stamp{db.now()})
		if err != nil {
			return fmt.Errorf("lead: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("lead %s: %w", lead, handoff.ErrNotFound), err)
		}
		if err := do(tx); err != nil {
			return err
		}
		a.Site, a.Subject = site, string(lead)
		return db.audit(ctx, tx, by, a)
	})
	if err == nil {
		db.tellAll(TopicLead(site, string(lead)), TopicLeads)
	}
	return err
}

func (db *DB) readNotes(ctx context.Context, d *LeadDetail) error {
	rows, err := db.read.QueryContext(ctx, `SELECT id, at, author, text FROM notes WHERE site = $1 AND lead_id = $2 ORDER BY id`, d.Site, d.ID)
	d.Notes, err = collect(rows, err, func(r *sql.Rows) (n handoff.Note, err error) {
		var at stamp
		err = r.Scan(&n.ID, &at, &n.Author, &n.Text)
		n.At = at.Time
		return n, err
	})
	return err
}
