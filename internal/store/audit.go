package store

import (
	"context"
	"database/sql"
	"fmt"

	"handoff"
)

// audit writes what somebody does into the log, in the transaction that does it. An
// act that something refers to has its ID already.
func (db *DB) audit(ctx context.Context, tx *txn, by handoff.Actor, a handoff.Act) error {
	if a.ID == "" {
		a.ID = newID("act")
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (id, at, actor, action, site, subject, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.ID, stamp{db.now()}, by.Name, a.Action, a.Site, a.Subject, a.Detail)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// Note writes into the audit log what somebody does elsewhere than in the store.
func (db *DB) Note(ctx context.Context, by handoff.Actor, a handoff.Act) error {
	return db.tx(ctx, func(tx *txn) error { return db.audit(ctx, tx, by, a) })
}

// An AuditFilter chooses rows of the audit log. The zero value is the newest 100 of
// all.
type AuditFilter struct {
	// Sites are the only ones; what is of no site is left out with them. Nil: all.
	Sites   []string
	Subject string // empty: all
	Limit   int    // 0: 100
	Before  string // continues a list: the ID of its last row
}

// Audit lists what people did, the newest first.
func (db *DB) Audit(ctx context.Context, f AuditFilter) ([]handoff.Act, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	where, args := `($1 = '' OR id < $1)`, []any{f.Before, f.Limit}
	if f.Subject != "" {
		args = append(args, f.Subject)
		where += fmt.Sprintf(` AND subject = $%d AND subject <> ''`, len(args))
	}
	if f.Sites != nil {
		where += ` AND ` + oneOf("site", f.Sites, &args)
	}
	rows, err := db.read.QueryContext(ctx, `
		SELECT id, at, actor, action, site, subject, detail FROM audit WHERE `+where+` ORDER BY id DESC LIMIT $2`, args...)
	out, err := collect(rows, err, func(r *sql.Rows) (a handoff.Act, err error) {
		var at stamp
		err = r.Scan(&a.ID, &at, &a.Actor, &a.Action, &a.Site, &a.Subject, &a.Detail)
		a.At = at.Time
		return a, err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// oneOf is the condition that a column has one of some values, which it adds to args.
// Of none, it is never true.
func oneOf(column string, values []string, args *[]any) string {
	if len(values) == 0 {
		return "1 = 0"
	}
	list := ""
	for _, v := range values {
		*args = append(*args, v)
		list += fmt.Sprintf(", $%d", len(*args))
	}
	return column + " IN (" + list[2:] + ")"
}
