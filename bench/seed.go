package main

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Leads are made by the product, one of a kind, and then multiplied inside the
// database: a million of them through forms and webhooks would take an hour. What
// the product wrote for one lead (the mould) is written again for each other, with
// its keys replaced. Which columns there are, and which of them are keys, is read
// from the database, so that a migration needs no change here.

// A column is one of a table.
type column struct {
	name string
	kind string // PostgreSQL's type; empty on SQLite
	key  bool   // in a primary key or a unique index
}

// A cast is one row of the mould.
type cast struct {
	table   string
	columns []column
	values  []any
}

// never are tables whose rows belong to no lead.
var never = []string{"users", "sessions", "due", "goose_db_version"}

// snapshot reads all rows of all tables.
func snapshot(ctx context.Context, db *sql.DB, e engine) ([]cast, error) {
	tables, err := strings1(ctx, db, catalogue[e].tables)
	if err != nil {
		return nil, err
	}
	var out []cast
	for _, table := range tables {
		if slices.Contains(never, table) {
			continue
		}
		columns, err := columnsOf(ctx, db, e, table)
		if err != nil {
			return nil, err
		}
		rows, err := rowsOf(ctx, db, table, columns)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// catalogue is how each engine says what it holds.
var catalogue = map[engine]struct{ tables, columns, keys, indexes string }{
	sqlite: {
		tables:  `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
		columns: `SELECT name FROM pragma_table_info($1) ORDER BY cid`,
		keys: `SELECT i.name FROM pragma_index_list($1) l JOIN pragma_index_info(l.name) i WHERE l."unique" = 1
			UNION SELECT name FROM pragma_table_info($1) WHERE pk > 0`,
		indexes: `SELECT name || char(9) || sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND sql NOT LIKE 'CREATE UNIQUE%'`,
	},
	postgres: {
		tables:  `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name`,
		columns: `SELECT column_name || chr(9) || udt_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position`,
		keys: `SELECT DISTINCT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
			WHERE i.indrelid = ('public.' || $1)::regclass AND i.indisunique`,
		indexes: `SELECT indexname || chr(9) || indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef NOT LIKE 'CREATE UNIQUE%'`,
	},
}

// strings1 reads the rows of a query with one column.
func strings1(ctx context.Context, db *sql.DB, query string, args ...any) ([]string, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func columnsOf(ctx context.Context, db *sql.DB, e engine, table string) ([]column, error) {
	lines, err := strings1(ctx, db, catalogue[e].columns, table)
	if err != nil {
		return nil, err
	}
	keys, err := strings1(ctx, db, catalogue[e].keys, table)
	if err != nil {
		return nil, err
	}
	var out []column
	for _, line := range lines {
		name, kind, _ := strings.Cut(line, "\t")
		out = append(out, column{name, kind, slices.Contains(keys, name)})
	}
	return out, nil
}

func rowsOf(ctx context.Context, db *sql.DB, table string, columns []column) ([]cast, error) {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	rows, err := db.QueryContext(ctx, `SELECT "`+strings.Join(names, `", "`)+`" FROM "`+table+`"`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []cast
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, cast{table, columns, values})
	}
	return out, rows.Err()
}

// without are the rows of the second snapshot that the first has not.
func without(before, after []cast) []cast {
	seen := map[string]bool{}
	for _, c := range before {
		seen[fmt.Sprint(c.table, c.values)] = true
	}
	return slices.DeleteFunc(after, func(c cast) bool { return seen[fmt.Sprint(c.table, c.values)] })
}

// A mould is what the product wrote for one lead, and the keys in it.
type mould struct {
	casts []cast
	keys  []string // longest first, so that a key inside another is replaced after it
}

var (
	typeID = regexp.MustCompile(`^[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}$`)
	digest = regexp.MustCompile(`^([a-z]+_)?[0-9a-f]{16,}$`)
	moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
)

// newMould finds the keys: what is long and stands in a unique column, or looks
// like an ID or a digest wherever it stands. Bytes in a unique column are keys too;
// they are written in hexadecimal here.
func newMould(casts []cast) mould {
	var keys []string
	for _, c := range casts {
		for i, v := range c.values {
			switch v := v.(type) {
			case string:
				if c.columns[i].key && len(v) >= 12 && c.columns[i].name != "site" || typeID.MatchString(v) || digest.MatchString(v) {
					keys = append(keys, v)
				}
			case []byte:
				if c.columns[i].key && len(v) >= 8 {
					keys = append(keys, fmt.Sprintf("%x", v))
				}
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	slices.SortStableFunc(keys, func(a, b string) int { return len(b) - len(a) })
	return mould{casts, keys}
}

// maker returns what makes other keys of the same look: IDs in the order of time,
// as the product's; everything else is random.
func maker(key string) func(at time.Time) string {
	prefix, _, found := strings.Cut(key, "_")
	random := func(prefix, alphabet string) func(time.Time) string {
		return func(time.Time) string { return prefix + randomText(len(key)-len(prefix), alphabet) }
	}
	switch {
	case typeID.MatchString(key):
		return func(at time.Time) string { return newID(prefix, at) }
	case digest.MatchString(key) && found:
		return random(prefix+"_", "0123456789abcdef")
	case digest.MatchString(key):
		return random("", "0123456789abcdef")
	}
	return random("", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
}

// statement writes one cast for every row of the table of keys.
func (m mould) statement(c cast, e engine) (query string, args []any) {
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	var names, values []string
	for i, col := range c.columns {
		if c.values[i] == nil {
			continue
		}
		names = append(names, `"`+col.name+`"`)
		v := m.expression(col, c.values[i], e, arg)
		if col.kind != "" {
			v = "CAST(" + v + " AS " + col.kind + ")"
		}
		values = append(values, v)
	}
	return `INSERT INTO "` + c.table + `" (` + strings.Join(names, ", ") + `) SELECT ` + strings.Join(values, ", ") + ` FROM bench_keys k`, args
}

// expression is a column's value for one row of keys.
func (m mould) expression(col column, value any, e engine, arg func(any) string) string {
	own := col.name == "start_at" || col.name == "end_at" // the booking's, and no matter when it was written
	switch v := value.(type) {
	case time.Time:
		if !own {
			return "k.at"
		}
	case []byte:
		if i := slices.Index(m.keys, fmt.Sprintf("%x", v)); i >= 0 && e == sqlite {
			return fmt.Sprintf("unhex(k.k%d)", i)
		} else if i >= 0 {
			return fmt.Sprintf("decode(k.k%d, 'hex')", i)
		}
		if strings.HasPrefix(col.kind, "json") {
			return m.replaced(string(v), e, arg)
		}
	case string:
		if moment.MatchString(v) && !own {
			return "k.at"
		}
		return m.replaced(v, e, arg)
	}
	v := arg(value)
	if e == postgres {
		v += "::" + col.kind
	}
	return v
}

// replaced is text with its keys replaced.
func (m mould) replaced(text string, e engine, arg func(any) string) string {
	as := ""
	if e == postgres {
		as = "::text"
	}
	if i := slices.Index(m.keys, text); i >= 0 {
		return fmt.Sprintf("k.k%d", i)
	}
	out := arg(text) + as
	for i, key := range m.keys {
		if strings.Contains(text, key) {
			out = fmt.Sprintf("replace(%s, %s%s, k.k%d)", out, arg(key), as, i)
			text = strings.ReplaceAll(text, key, "")
		}
	}
	return out
}
