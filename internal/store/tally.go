package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"handoff"
)

// How often something happens is counted in memory, and written every few seconds in one
// small transaction: what is counted waits for nothing, and a crash loses some seconds of
// it. So it is for what people look at, and never for what something depends on.

// A TallyKind says what is counted.
type TallyKind string

const (
	TallyVisit    TallyKind = "visit"    // somebody came to the site; or, with a service, opened its page
	TallyStart    TallyKind = "start"    // a form was opened
	TallyCalendar TallyKind = "calendar" // the calendar was shown to who had sent one
	TallyDelivery TallyKind = "delivery" // a webhook's delivery was verified and kept
	TallyRefused  TallyKind = "refused"  // one proved nothing
)

// A Tally names what is counted together.
type Tally struct {
	Site    string
	Kind    TallyKind
	At      string // a day in the site's zone, such as 2026-11-28, or an hour in UTC, such as 2026-11-28T14
	Service string // slug; empty: of none
	Source  string // empty: it is not told apart
}

// hourLayout is how an hour is written down.
const hourLayout = "2006-01-02T15"

const (
	// MaxTallySources is how many sources of a day are told apart; a visitor can make one up.
	MaxTallySources = 50
	// OtherSource stands for those beyond.
	OtherSource = "other"

	maxTallies  = 4000                // that are in memory at once
	signEvery   = time.Minute         // between two times that one sign is written
	keepTallies = 40 * 24 * time.Hour // of hours; those of days are kept
)

// tallies are what was counted and not written yet. The zero value is empty.
type tallies struct {
	mu      sync.Mutex
	counts  map[Tally]int
	hours   map[hourTally]int
	signs   map[siteKey]time.Time
	written map[siteKey]time.Time // signs, as they were written last
}

// An hourTally is what is counted by the hour, which many do at once.
type hourTally struct {
	site string
	kind TallyKind
	hour int64 // since 1970
}

// Tally counts something that happened.
func (db *DB) Tally(t Tally) { db.tallies.count(t, 1) }

func (c *tallies) count(t Tally, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[Tally]int{}
	}
	if _, known := c.counts[t]; !known && len(c.counts) >= maxTallies {
		t.Source = OtherSource
	}
	if _, known := c.counts[t]; known || len(c.counts) < 2*maxTallies {
		c.counts[t] += n
	}
}

// countHour counts what came at a time.
func (c *tallies) countHour(site string, kind TallyKind, at time.Time, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hours == nil {
		c.hours = map[hourTally]int{}
	}
	c.hours[hourTally{site, kind, at.Unix() / 3600}] += n
}

// Signs that a site gives.
const (
	SignCalendars = "calendars" // they were looked at
	SignSecret    = "secret/"   // a webhook secret signed something; behind it is its fingerprint
)

// Sign notes when a site last gave a sign, such as "secret/" and a fingerprint.
func (db *DB) Sign(site, sign string, at time.Time) {
	c, key := &db.tallies, siteKey{site, sign}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signs == nil {
		c.signs = map[siteKey]time.Time{}
	}
	if at.After(c.signs[key]) && at.Sub(c.written[key]) >= signEvery {
		c.signs[key] = at
	}
}

// take takes what is to be written.
func (c *tallies) take() (map[Tally]int, map[siteKey]time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts, signs := c.counts, c.signs
	for h, n := range c.hours {
		if counts == nil {
			counts = map[Tally]int{}
		}
		counts[Tally{Site: h.site, Kind: h.kind, At: time.Unix(h.hour*3600, 0).UTC().Format(hourLayout)}] += n
	}
	c.counts, c.hours, c.signs = nil, nil, nil
	return counts, signs
}

// giveBack takes what could not be written.
func (c *tallies) giveBack(counts map[Tally]int, signs map[siteKey]time.Time) {
	for t, n := range counts {
		c.count(t, n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signs == nil {
		c.signs = map[siteKey]time.Time{}
	}
	for key, at := range signs {
		if at.After(c.signs[key]) {
			c.signs[key] = at
		}
	}
}

// KeepTallies writes what was counted since it was asked last. It does not wait for the
// disk; if it fails, it is written the next time.
func (db *DB) KeepTallies(ctx context.Context) error {
	counts, signs := db.tallies.take()
	if len(counts)+len(signs) == 0 {
		return nil
	}
	err := db.derive(ctx, func(tx *txn) error {
		rows, err := tallyRows(ctx, tx, counts)
		if err != nil {
			return err
		}
		if err := many(ctx, tx, `
			INSERT INTO tallies (site, kind, at, service, source, n) VALUES?
			ON CONFLICT (site, kind, at, service, source) DO UPDATE SET n = tallies.n + excluded.n`, nil, rows, nil); err != nil {
			return fmt.Errorf("tallies: %w", err)
		}
		rows = nil
		for _, key := range slices.SortedFunc(maps.Keys(signs), compareSiteKeys) {
			rows = append(rows, []any{key.site, key.key, stamp{signs[key]}})
		}
		if err := many(ctx, tx, `
			INSERT INTO signs (site, sign, at) VALUES?
			ON CONFLICT (site, sign) DO UPDATE SET at = excluded.at WHERE signs.at < excluded.at`, nil, rows, nil); err != nil {
			return fmt.Errorf("signs: %w", err)
		}
		return db.dropHours(ctx, tx, counts)
	})
	if err != nil {
		db.tallies.giveBack(counts, signs)
		return err
	}
	db.tallies.mu.Lock()
	defer db.tallies.mu.Unlock()
	if db.tallies.written == nil {
		db.tallies.written = map[siteKey]time.Time{}
	}
	maps.Copy(db.tallies.written, signs)
	return nil
}

// tallyRows are what was counted as rows, sorted; sources beyond those that a day may
// have are one.
func tallyRows(ctx context.Context, tx *txn, counts map[Tally]int) ([][]any, error) {
	type day struct {
		site, at string
		kind     TallyKind
	}
	known := map[day]map[string]bool{}
	sums := map[Tally]int{}
	for _, t := range slices.SortedFunc(maps.Keys(counts), compareTallies) {
		if t.Source != "" && t.Source != handoff.DirectSource && t.Source != OtherSource {
			d := day{t.Site, t.At, t.Kind}
			if known[d] == nil {
				known[d] = map[string]bool{}
				err := many(ctx, tx, `SELECT DISTINCT source FROM tallies WHERE site = $1 AND kind = $2 AND at IN?`, []any{t.Site, t.Kind}, singles([]string{t.At}), func(r *sql.Rows) error {
					var source string
					err := r.Scan(&source)
					known[d][source] = true
					return err
				})
				if err != nil {
					return nil, fmt.Errorf("tallies: %w", err)
				}
				for _, always := range []string{"", handoff.DirectSource, OtherSource} {
					delete(known[d], always)
				}
			}
			if !known[d][t.Source] && len(known[d]) >= MaxTallySources {
				n := counts[t]
				t.Source = OtherSource
				sums[t] += n
				continue
			}
			known[d][t.Source] = true
		}
		sums[t] += counts[t]
	}
	var rows [][]any
	for _, t := range slices.SortedFunc(maps.Keys(sums), compareTallies) {
		rows = append(rows, []any{t.Site, t.Kind, t.At, t.Service, t.Source, sums[t]})
	}
	return rows, nil
}

func compareTallies(a, b Tally) int {
	return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.At, b.At), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Source, b.Source))
}

// dropHours forgets hours that nobody looks at any more, of sites that were counted.
func (db *DB) dropHours(ctx context.Context, tx *txn, counts map[Tally]int) error {
	before := db.now().Add(-keepTallies).UTC().Format(hourLayout)
	done := map[siteKey]bool{}
	for t := range counts {
		key := siteKey{t.Site, string(t.Kind)}
		if done[key] || t.Kind != TallyDelivery && t.Kind != TallyRefused {
			continue
		}
		done[key] = true
		if _, err := tx.ExecContext(ctx, `DELETE FROM tallies WHERE site = $1 AND kind = $2 AND at < $3`, t.Site, t.Kind, before); err != nil {
			return fmt.Errorf("tallies: %w", err)
		}
	}
	return nil
}

// A SiteView is how a site does: Health, and what only people look at.
type SiteView struct {
	Health
	Reading   Reading
	RefusedAt time.Time            // when a delivery that proved nothing came last, of those that wait; zero: none does
	Signs     map[string]time.Time // when each sign was given last
	Hours     map[string]Deliveries
	Letter    *SentReminder // the newest reminder; nil: none was sent
}

// Deliveries are how many came within an hour.
type Deliveries struct{ Verified, Refused int }

// Hour is the name that an hour has in SiteView.Hours.
func Hour(t time.Time) string { return t.UTC().Format(hourLayout) }

// ViewSite reads how a site does; of its deliveries, those since a time.
func (db *DB) ViewSite(ctx context.Context, site string, since time.Time) (v SiteView, err error) {
	if v.Health, err = db.Health(ctx, site); err != nil {
		return v, err
	}
	err = db.look(ctx, func(q querier) error {
		t := Today{Site: site}
		if err := readReading(ctx, q, &t, TodayFilter{}); err != nil {
			return err
		}
		v.Reading = t.Reading
		var refused stamp
		err := q.QueryRowContext(ctx, `SELECT max(last_at) FROM failures WHERE site = $1 AND settled_at IS NULL AND NOT verified`, site).Scan(&refused)
		if err != nil {
			return fmt.Errorf("failures: %w", err)
		}
		v.RefusedAt = refused.Time
		if err := readSigns(ctx, q, site, &v); err != nil {
			return err
		}
		return readHours(ctx, q, site, since, &v)
	})
	if err != nil {
		return v, unavailable(err)
	}
	return v, nil
}

func readSigns(ctx context.Context, q querier, site string, v *SiteView) error {
	v.Signs = map[string]time.Time{}
	rows, err := q.QueryContext(ctx, `SELECT sign, at FROM signs WHERE site = $1 LIMIT 1000`, site)
	if _, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
		var sign string
		var at stamp
		err = r.Scan(&sign, &at)
		v.Signs[sign] = at.Time
		return struct{}{}, err
	}); err != nil {
		return fmt.Errorf("signs: %w", err)
	}
	var s SentReminder
	var at stamp
	switch err := q.QueryRowContext(ctx, `SELECT number, state, at FROM reminders WHERE site = $1 ORDER BY at DESC LIMIT 1`, site).Scan(&s.Number, &s.State, &at); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return fmt.Errorf("reminders: %w", err)
	default:
		s.At = at.Time
		v.Letter = &s
	}
	return nil
}

func readHours(ctx context.Context, q querier, site string, since time.Time, v *SiteView) error {
	v.Hours = map[string]Deliveries{}
	for _, kind := range []TallyKind{TallyDelivery, TallyRefused} {
		rows, err := q.QueryContext(ctx, `SELECT at, n FROM tallies WHERE site = $1 AND kind = $2 AND at >= $3`, site, kind, Hour(since))
		if _, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
			var at string
			var n int
			if err := r.Scan(&at, &n); err != nil {
				return struct{}{}, err
			}
			of := v.Hours[at]
			if kind == TallyDelivery {
				of.Verified = n
			} else {
				of.Refused = n
			}
			v.Hours[at] = of
			return struct{}{}, nil
		}); err != nil {
			return fmt.Errorf("tallies: %w", err)
		}
	}
	return nil
}
