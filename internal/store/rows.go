package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// maxRows is how many rows one statement has at most. Statements have 1, 2, 4 …
// rows, so that there are few different texts for a database to prepare.
const maxRows = 64

// many runs a statement for many rows, as few times as it can. Where query has
// VALUES? or IN? the rows are written out; before them its parameters are args.
// scan, unless it is nil, reads each row of the result.
//
// A row is written as it stands in the list, so a statement that must not touch
// one row twice must not be given it twice; and where two processes meet, both
// must give them in one order.
func many(ctx context.Context, tx *txn, query string, args []any, rows [][]any, scan func(*sql.Rows) error) error {
	for n := maxRows; len(rows) > 0; n /= 2 {
		wide := len(rows[0])
		if n > 1 && n*wide > tx.parameters {
			continue
		}
		for len(rows) >= n {
			if err := run(ctx, tx, expand(query, len(args), n, wide), flat(args, rows[:n]), scan); err != nil {
				return err
			}
			rows = rows[n:]
		}
	}
	return nil
}

// run runs one statement.
func run(ctx context.Context, tx *txn, query string, args []any, scan func(*sql.Rows) error) error {
	if scan == nil {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) { return struct{}{}, scan(r) })
	return err
}

func flat(args []any, rows [][]any) []any {
	out := make([]any, 0, len(args)+len(rows)*len(rows[0]))
	out = append(out, args...)
	for _, row := range rows {
		out = append(out, row...)
	}
	return out
}

// singles makes rows of one value each.
func singles[T any](values []T) [][]any {
	rows := make([][]any, len(values))
	for i, v := range values {
		rows[i] = []any{v}
	}
	return rows
}

// A text is what a statement is expanded from.
type text struct {
	query            string
	args, rows, wide int
}

var texts sync.Map // text → string; few, since rows are a power of two

// expand writes out the rows of a statement.
func expand(query string, args, rows, wide int) string {
	key := text{query, args, rows, wide}
	if known, ok := texts.Load(key); ok {
		return known.(string)
	}
	var b strings.Builder
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for i := range wide {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("$" + strconv.Itoa(args+row*wide+i+1))
		}
		b.WriteByte(')')
	}
	list := "VALUES " + b.String() // SQLite wants it where there is more than one column
	if wide == 1 {
		list = strings.NewReplacer("(", "", ")", "").Replace(b.String())
	}
	out := strings.NewReplacer("VALUES?", "VALUES "+b.String(), "IN?", "IN ("+list+")").Replace(query)
	texts.Store(key, out)
	return out
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
