package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff"
)

// audit writes what somebody does into the log, in the transaction that does it. An
// act that something refers to has its ID already.
func (db *DB) audit(ctx context.Context, tx *txn, by handoff.Actor, a handoff.Act) error {
	if a.ID == "" {
		a.ID = newID("act")
	}
	a.At, a.Actor = db.now().UTC().Truncate(time.Microsecond), by.Name
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (id, at, actor, action, site, subject, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.ID, stamp{a.At}, a.Actor, a.Action, a.Site, a.Subject, a.Detail)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if r := receiptOf(ctx); r != nil && r.act == nil {
		r.act = &a
	}
	return nil
}

// Note writes into the audit log what somebody does elsewhere than in the store.
func (db *DB) Note(ctx context.Context, by handoff.Actor, acts ...handoff.Act) error {
	return db.tx(ctx, func(tx *txn) error {
		for _, a := range acts {
			if err := db.audit(ctx, tx, by, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// An AuditFilter chooses rows of the audit log. The zero value is the newest 100 of
// all.
type AuditFilter struct {
	// Sites are the only ones; what is of no site is left out with them. Nil: all.
	Sites   []string
	Actor   string    // empty: all
	Action  string    // empty: all
	Subject string    // empty: all; of a failure, also what was done about several with it
	Since   time.Time // zero: from the first one
	Limit   int       // 0: 100
	Before  string    // continues a list: the ID of its last row
}

// Audit lists what people did, the newest first.
func (db *DB) Audit(ctx context.Context, f AuditFilter) ([]handoff.Act, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	if f.Sites == nil {
		return db.auditWhere(ctx, f, "", "")
	}
	var out []handoff.Act
	for i, site := range f.Sites { // each by its index
		if slices.Contains(f.Sites[:i], site) {
			continue
		}
		part, err := db.auditWhere(ctx, f, "site", site)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	slices.SortFunc(out, func(a, b handoff.Act) int { return strings.Compare(b.ID, a.ID) })
	return out[:min(len(out), f.Limit)], nil
}

// auditWhere reads rows with a value in a column, unless column is empty.
func (db *DB) auditWhere(ctx context.Context, f AuditFilter, column, value string) ([]handoff.Act, error) {
	if f.Before == "" {
		f.Before = "act_~"
	}
	where, args := `id < $1`, []any{f.Before, f.Limit}
	add := func(condition string, v any) {
		args = append(args, v)
		where += fmt.Sprintf(" AND "+condition, len(args))
	}
	if column != "" {
		add(column+` = $%d`, value)
	}
	if f.Subject != "" {
		add(`subject <> '' AND subject IN (SELECT $%[1]d UNION ALL SELECT resolution FROM resolved WHERE failure = $%[1]d)`, f.Subject)
	}
	if f.Actor != "" {
		add(`actor = $%d`, f.Actor)
	}
	if f.Action != "" {
		add(`action = $%d`, f.Action)
	}
	if !f.Since.IsZero() {
		add(`at >= $%d`, stamp{f.Since})
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

// AuditActions lists the names of the actions in the log.
func (db *DB) AuditActions(ctx context.Context) ([]string, error) {
	var out []string
	for last := ""; ; {
		err := db.read.QueryRowContext(ctx, `SELECT action FROM audit WHERE action > $1 ORDER BY action LIMIT 1`, last).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			return out, nil
		}
		if err != nil {
			return nil, unavailable(err)
		}
		out = append(out, last)
	}
}
