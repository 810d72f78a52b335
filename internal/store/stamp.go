package store

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// A stamp is a time in the store: UTC text with exactly six decimals in SQLite,
// which sorts. The zero time is NULL.
type stamp struct{ time.Time }

const stampLayout = "2006-01-02T15:04:05.000000Z"

// Value writes the time for the database. Who asks may name any time: one before the
// first year, which PostgreSQL does not read, or after the year 9999, which does not sort as
// text, stands for the nearest that can be kept.
func (s stamp) Value() (driver.Value, error) {
	switch at := s.UTC(); {
	case s.IsZero():
		return nil, nil
	case at.Year() < 1:
		return "0001-01-01T00:00:00.000000Z", nil
	case at.Year() > 9999:
		return "9999-12-31T23:59:59.999999Z", nil
	default:
		return at.Format(stampLayout), nil
	}
}

// Scan reads a time from the database.
func (s *stamp) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		s.Time = time.Time{}
	case time.Time:
		s.Time = v.UTC()
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return fmt.Errorf("store: time: %w", err)
		}
		s.Time = t.UTC()
	default:
		return fmt.Errorf("store: a time is stored as %T", v)
	}
	return nil
}

// optional is text that is NULL where it is empty.
type optional[T ~string] struct{ v *T }

// Value writes the text for the database.
func (o optional[T]) Value() (driver.Value, error) {
	if *o.v == "" {
		return nil, nil
	}
	return string(*o.v), nil
}

// Scan reads the text from the database.
func (o optional[T]) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*o.v = ""
	case string:
		*o.v = T(v)
	default:
		return fmt.Errorf("store: text is stored as %T", v)
	}
	return nil
}

func opt[T ~string](v *T) optional[T] { return optional[T]{v} }
