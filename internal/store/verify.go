package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// A TableCopy is what was found when a table and its copy were compared. Its JSON
// is stable.
type TableCopy struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`   // of the source
	Digest string `json:"digest"` // of the source: SHA-256, in hex, over all rows in the order of their key
	Same   bool   `json:"same"`   // the copy has the same rows and digest
}

// compare reads both sides of every table, each by itself, and compares them. The
// error names the tables that differ.
func compare(ctx context.Context, a, b side, tell func(string)) ([]TableCopy, error) {
	var found []TableCopy
	var differ []string
	for _, t := range tables {
		one, two, err := both(func(s side) (sum, error) { return s.sum(ctx, t) }, a, b)
		if err != nil {
			return found, fmt.Errorf("store: reading %s again to compare; nothing was copied: %w", t.name, err)
		}
		found = append(found, TableCopy{t.name, one.rows, one.digest, one == two})
		if one != two {
			differ = append(differ, fmt.Sprintf("%s (%d rows and %d)", t.name, one.rows, two.rows))
		}
		if one.rows >= 100_000 {
			tell(fmt.Sprintf("compared %s: %d rows", t.name, one.rows))
		}
	}
	if len(differ) > 0 {
		return found, fmt.Errorf("store: the copy differs from its source in %s; nothing was copied", strings.Join(differ, ", "))
	}
	return found, nil
}

// both asks two sides at once.
func both(ask func(side) (sum, error), a, b side) (one, two sum, err error) {
	var wg sync.WaitGroup
	var erra, errb error
	wg.Go(func() { one, erra = ask(a) })
	wg.Go(func() { two, errb = ask(b) })
	wg.Wait()
	return one, two, errors.Join(erra, errb)
}

// A sum says what is in a table, whichever engine has it.
type sum struct {
	rows   int64
	digest string
}

// sum reads a table.
func (s side) sum(ctx context.Context, t table) (sum, error) {
	columns, err := s.columns(ctx, t)
	if err != nil {
		return sum{}, err
	}
	h := sha256.New()
	h.Write([]byte(names(columns)))
	var out sum
	var text []byte
	err = s.each(ctx, t, columns, func(row []any) error {
		out.rows++
		text = text[:0]
		for _, v := range row {
			text = appendValue(text, v)
		}
		h.Write(text)
		return nil
	})
	out.digest = hex.EncodeToString(h.Sum(nil))
	return out, err
}

// appendValue writes a value of the common form so that no two rows look alike:
// its kind, its length, and what it is.
func appendValue(to []byte, v any) []byte {
	long := func(kind byte, n int) []byte { return binary.BigEndian.AppendUint64(append(to, kind), uint64(n)) }
	switch v := v.(type) {
	case string:
		return append(long('t', len(v)), v...)
	case []byte:
		return append(long('b', len(v)), v...)
	case int64:
		return binary.BigEndian.AppendUint64(append(to, 'n'), uint64(v))
	}
	return append(to, '-') // NULL: common lets nothing else pass
}
