package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"handoff"
)

// A View is a list of leads that an operator gave a name.
type View struct {
	Name  string
	Query string // as in the address of the list
}

const (
	maxViews     = 50 // of one operator
	maxViewName  = 60 // characters
	maxViewQuery = 2000
)

// searches says that a view looks for a text, which is of a person mostly.
func (v View) searches() bool {
	q, err := url.ParseQuery(v.Query)
	return err != nil || q.Has("q")
}

// act is what was done with a view. The name of one that looks for somebody would be
// theirs, and the audit log outlives them.
func (v View) act(action string, by handoff.Actor) handoff.Act {
	detail := "“" + v.Name + "”"
	if v.searches() {
		detail = "one that looks for a text"
	}
	return handoff.Act{Action: action, Subject: by.Name, Detail: detail}
}

// PutView keeps a view of an operator, or gives the one of that name another query. The
// error is ErrInvalid if it has no name, or if it or the number of views is too large.
func (db *DB) PutView(ctx context.Context, by handoff.Actor, v View) error {
	v.Name = strings.TrimSpace(v.Name)
	if n := utf8.RuneCountInString(v.Name); n == 0 || n > maxViewName || !utf8.ValidString(v.Name) || len(v.Query) > maxViewQuery {
		return handoff.Refuse(handoff.ErrInvalid, "A view has a name of 1 to %d characters.", maxViewName)
	}
	return db.tx(ctx, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO views (email, name, query) VALUES ($1, $2, $3) ON CONFLICT (email, name) DO UPDATE SET query = excluded.query`, by.Name, v.Name, v.Query); err != nil {
			return fmt.Errorf("view: %w", err)
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM views WHERE email = $1`, by.Name).Scan(&n); err != nil {
			return fmt.Errorf("views: %w", err)
		}
		if n > maxViews {
			return handoff.Refuse(handoff.ErrInvalid, "You have %d views. Delete one first.", maxViews)
		}
		return db.audit(ctx, tx, by, v.act("view.save", by))
	})
}

// DeleteView deletes a view of an operator. The error is ErrNotFound if there is none of
// that name.
func (db *DB) DeleteView(ctx context.Context, by handoff.Actor, name string) error {
	return db.tx(ctx, func(tx *txn) error {
		v := View{Name: name}
		err := tx.QueryRowContext(ctx, `DELETE FROM views WHERE email = $1 AND name = $2 RETURNING query`, by.Name, name).Scan(&v.Query)
		if errors.Is(err, sql.ErrNoRows) {
			err = handoff.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("view: %w", err)
		}
		return db.audit(ctx, tx, by, v.act("view.delete", by))
	})
}

// Views lists an operator's views by name.
func (db *DB) Views(ctx context.Context, email string) ([]View, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT name, query FROM views WHERE email = $1 ORDER BY name`, email)
	out, err := collect(rows, err, func(r *sql.Rows) (v View, err error) { return v, r.Scan(&v.Name, &v.Query) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}
