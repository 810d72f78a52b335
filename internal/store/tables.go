package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tables are all tables of the product, with their keys; one that refers to
// another comes after it. A test compares the list with the schema.
var tables = []table{
	{"leads", []string{"site", "id"}},
	{"submissions", []string{"site", "id"}},
	{"deliveries", []string{"site", "digest", "verified"}},
	{"observations", []string{"site", "uid", "id"}},
	{"bookings", []string{"site", "uid", "seat"}},
	{"history", []string{"site", "lead_id", "seq"}},
	{"failures", []string{"site", "id"}},
	{"due", []string{"site", "kind", "key"}},
	{"asked", []string{"site", "uid"}},
	{"sweeps", []string{"site"}},
	{"listed", []string{"site", "uid"}},
	{"words", []string{"site", "word", "lead_id"}},
	{"notes", []string{"site", "lead_id", "id"}},
	{"wanted", []string{"site", "lead_id", "uid", "seat"}},
	{"reminders", []string{"site", "lead_id", "number"}},
	{"stops", []string{"site", "email"}},
	{"told", []string{"site", "channel"}},
	{"users", []string{"email"}},
	{"sessions", []string{"id"}},
	{"links", []string{"kind", "email"}},
	{"passkeys", []string{"id"}},
	{"ceremonies", []string{"id"}},
	{"views", []string{"email", "name"}},
	{"audit", []string{"id"}},
	{"resolutions", []string{"site", "id"}},
	{"resolved", []string{"failure", "resolution"}},
	{"tallies", []string{"site", "kind", "at", "service", "source"}},
	{"signs", []string{"site", "sign"}},
	{"shapes", []string{"site", "trigger_name", "path"}},
	{"api_keys", []string{"id"}},
	{"idempotency", []string{"key_id", "key"}},
}

type table struct {
	name string
	key  []string
}

// A column has a name and the engine's type, such as TEXT.
type column struct{ name, kind string }

// A side is one of the two stores of a copy, seen in one transaction.
type side struct {
	engine engine
	name   string
	tx     *sql.Tx
}

// columns lists a table's columns by name.
func (s side) columns(ctx context.Context, t table) ([]column, error) {
	rows, err := s.tx.QueryContext(ctx, `SELECT * FROM `+t.name+` LIMIT 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var out []column
	for _, c := range types {
		out = append(out, column{c.Name(), c.DatabaseTypeName()})
	}
	slices.SortFunc(out, func(a, b column) int { return strings.Compare(a.name, b.name) })
	return out, rows.Err()
}

// each reads a table in the order of its key, which is the same on all engines,
// without ever holding more than a row. f may not keep the row.
func (s side) each(ctx context.Context, t table, columns []column, f func(row []any) error) error {
	rows, err := s.tx.QueryContext(ctx, `SELECT `+names(columns)+` FROM `+t.name+` ORDER BY `+s.order(t, columns))
	if err != nil {
		return err
	}
	defer rows.Close()
	row, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range row {
			if row[i], err = common(v); err != nil {
				return fmt.Errorf("%s.%s: %w", t.name, columns[i].name, err)
			}
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s side) order(t table, columns []column) string {
	by := slices.Clone(t.key)
	for i, name := range by {
		if slices.Contains(columns, column{name, "TEXT"}) {
			by[i] += s.engine.bytewise
		}
	}
	return strings.Join(by, ", ")
}

// common writes a value of any engine in the form all have in common, which is
// SQLite's: times as stamps, truth as 0 or 1.
func common(v any) (any, error) {
	switch v := v.(type) {
	case nil, string, int64:
		return v, nil
	case []byte:
		return append([]byte{}, v...), nil // an empty one can come as nil, which would be written as NULL
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case time.Time:
		return v.UTC().Format(stampLayout), nil
	}
	return nil, fmt.Errorf("a value is stored as %T", v)
}

// own writes a value of the common form as a column of this side takes it.
func (s side) own(c column, v any) (any, error) {
	switch v := v.(type) {
	case int64:
		if c.kind == "BOOL" {
			return v != 0, nil
		}
	case string:
		if s.engine.holds != nil {
			return v, s.engine.holds(v)
		}
	}
	return v, nil
}

func names(columns []column) string {
	var out []string
	for _, c := range columns {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

// keyOf shows which row it is.
func keyOf(t table, columns []column, row []any) string {
	var out []string
	for i, c := range columns {
		if slices.Contains(t.key, c.name) {
			out = append(out, fmt.Sprintf("%s %q", c.name, fmt.Sprint(row[i])))
		}
	}
	return strings.Join(out, ", ")
}
