package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"handoff"
)

// A sweep asks Cal.com for all bookings that changed since the last one, because a
// webhook can be lost for good. It goes page by page; each page is kept with how far
// it reached, so that a crash goes on from there. Only where the first one begins is
// told by our clock; from then on it goes by the times that Cal.com wrote.

// KindSweep is the work of sweeping a site's bookings; it has one row of each site.
const KindSweep = "sweep"

const sweepKey = "bookings"

const (
	// sweepOverlap is how far a sweep goes back behind the newest change that the
	// last one heard of: a change can be written later than another of a later time.
	sweepOverlap = 5 * time.Minute

	// sweepFirst is how far the first one goes back. What was booked before there was
	// a lead is nobody's here.
	sweepFirst = time.Hour
)

// A Place is where a sweep goes on: with the bookings that changed at a time or
// later, after so many of them.
type Place struct {
	Since time.Time
	Skip  int
}

// A Swept is a page that Cal.com answered with.
type Swept struct {
	Observations []handoff.Observation
	Unread       []handoff.Unread
	Size         int       // bookings in it, also those that could not be read
	Last         time.Time // when the last of them changed; zero: none says so
	More         bool      // there may be more behind it
}

// StartSweep makes it due to sweep the bookings of sites.
func (db *DB) StartSweep(ctx context.Context, sites ...string) error {
	return db.tx(ctx, func(tx *txn) error { return db.startSweep(ctx, tx, sites...) })
}

func (db *DB) startSweep(ctx context.Context, tx *txn, sites ...string) error {
	var work []dueRow
	for _, site := range slices.Sorted(slices.Values(sites)) {
		mark := db.now().Add(-sweepFirst)
		if _, err := tx.ExecContext(ctx, `INSERT INTO sweeps (site, mark, skip, number, whole_since) VALUES ($1, $2, 0, 0, $3) ON CONFLICT (site) DO NOTHING`,
			site, stamp{mark}, stamp{mark.Add(-sweepOverlap)}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		work = append(work, dueRow{site, KindSweep, sweepKey, atOnce})
	}
	return db.enqueue(ctx, tx, work...)
}

// ClaimSweep is StartSweep for one site and the claim of it at once, before anybody
// else can. ok is false if another process is at it; then it is done once more. It
// goes back to a time, unless that is zero.
func (db *DB) ClaimSweep(ctx context.Context, site string, since time.Time) (w Work, ok bool, err error) {
	err = db.tx(ctx, func(tx *txn) error {
		if err := db.startSweep(ctx, tx, site); err != nil {
			return err
		}
		if !since.IsZero() {
			if err := db.goBack(ctx, tx, site, since); err != nil {
				return err
			}
		}
		claimed, err := db.claim(ctx, tx, site, KindSweep, 1)
		if ok = len(claimed) > 0; ok {
			w = claimed[0]
		}
		return err
	})
	return w, ok && err == nil, err
}

// goBack takes the sweep of a site back to a time. One that is further back already,
// or will be when it begins, stays there: it comes by.
func (db *DB) goBack(ctx context.Context, tx *txn, site string, since time.Time) error {
	row, err := readPlace(ctx, tx, site, db.engine.lock)
	if err != nil || !since.Before(row.place().Since) {
		return err
	}
	began := row.began
	if began.IsZero() || since.Before(began.Time) {
		began = stamp{since}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE sweeps SET reached = $2, skip = 0, began_from = $3 WHERE site = $1`, site, stamp{since}, began); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

// PlaceOf tells where the sweep of a site goes on. The error is ErrNotFound if none
// was ever started.
func (db *DB) PlaceOf(ctx context.Context, site string) (Place, error) {
	at, err := readPlace(ctx, db.read, site, "")
	if errors.Is(err, sql.ErrNoRows) {
		return Place{}, fmt.Errorf("the sweep of %s: %w", site, handoff.ErrNotFound)
	}
	if err != nil {
		return Place{}, unavailable(err)
	}
	return at.place(), nil
}

// LastSweep tells how many sweeps of a site have heard of everything, and when the
// last one had; zero if none has.
func (db *DB) LastSweep(ctx context.Context, site string) (number int, ended time.Time, err error) {
	at, err := readPlace(ctx, db.read, site, "")
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, unavailable(err)
	}
	return at.number, at.ended.Time, nil
}

// A sweepRow is how far a site's bookings were heard of.
type sweepRow struct {
	mark, reached, ended stamp
	whole, began         stamp // from when on there is no gap; from where the one under way went back
	skip, number         int
}

func readPlace(ctx context.Context, q querier, site, lock string) (r sweepRow, err error) {
	err = q.QueryRowContext(ctx, `SELECT mark, reached, skip, number, ended_at, whole_since, began_from FROM sweeps WHERE site = $1`+lock, site).
		Scan(&r.mark, &r.reached, &r.skip, &r.number, &r.ended, &r.whole, &r.began)
	return r, err
}

func (r sweepRow) isAt(p Place) bool {
	now := r.place()
	return now.Since.Equal(p.Since) && now.Skip == p.Skip
}

func (r sweepRow) place() Place {
	if r.reached.IsZero() {
		return Place{Since: r.mark.Add(-sweepOverlap)}
	}
	return Place{r.reached.Time, r.skip}
}

// after is the row after a page that was asked for at a place. Within the sweep it
// goes on where the page ends; behind the last page the next one is prepared.
func (r sweepRow) after(at Place, s Swept, now time.Time) sweepRow {
	last := latest(at.Since, s.Last)
	switch {
	case s.More && last.After(at.Since):
		r.reached, r.skip = stamp{last}, 0
	case s.More: // more than a page changed at one moment
		r.reached, r.skip = stamp{at.Since}, at.Skip+s.Size
	default:
		// A time that has not come would pass over all that comes before it: be it
		// Cal.com's, or ours when the first sweep began by a clock that was wrong.
		if last.After(now) {
			last = now
		}
		if r.mark.After(now) {
			r.mark = stamp{now.Add(-sweepFirst)}
			r.whole = r.mark
		}
		if last.After(r.mark.Time) {
			r.mark = stamp{last}
		}
		if !r.began.IsZero() && r.began.Before(r.whole.Time) {
			r.whole = r.began
		}
		r.reached, r.began, r.skip, r.number, r.ended = stamp{}, stamp{}, 0, r.number+1, stamp{now}
	}
	return r
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// KeepSwept stores a page that was asked for at a place, and how far the sweep is;
// the next page is due at once, and the next sweep after a while. It returns how many
// bookings nobody had told of before. What is not the site's own is left out, as
// KeepAnswer does; but each booking is noted as listed. What could not be read waits
// for a person.
//
// If somebody else went on with the sweep meanwhile, what the page says is kept, and
// the sweep stays where it is.
func (db *DB) KeepSwept(ctx context.Context, w Work, at Place, s Swept, eventTypes []int64, every time.Duration) (missed int, err error) {
	err = db.tx(ctx, func(tx *txn) error {
		facts, err := ownFacts(ctx, tx, w.Site, s.Observations, eventTypes)
		if err != nil {
			return err
		}
		if missed, err = unheard(ctx, tx, w.Site, facts); err != nil {
			return err
		}
		if err := db.keepListed(ctx, tx, w.Site, s.Observations, facts); err != nil {
			return err
		}
		if err := db.observe(ctx, tx, facts, func(*fact) {}); err != nil {
			return err
		}
		if err := db.failUnread(ctx, tx, w.Site, at, s); err != nil {
			return err
		}
		if err := db.settleSubject(ctx, tx, w.Site, SweepSubject, "Cal.com's list was read"); err != nil {
			return err
		}
		if err := db.finish(ctx, tx, w); err != nil {
			return err
		}
		row, err := readPlace(ctx, tx, w.Site, db.engine.lock)
		if err != nil || !row.isAt(at) {
			return err
		}
		row = row.after(at, s, db.now())
		if _, err := tx.ExecContext(ctx, `UPDATE sweeps SET mark = $2, reached = $3, skip = $4, number = $5, ended_at = $6, whole_since = $7, began_from = $8 WHERE site = $1`,
			w.Site, row.mark, row.reached, row.skip, row.number, row.ended, row.whole, row.began); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		next := dueRow{w.Site, KindSweep, sweepKey, atOnce}
		if !s.More {
			next.at = db.now().Add(every)
		}
		return db.enqueue(ctx, tx, next)
	})
	if err == nil {
		db.feed.tell(TopicDue)
	}
	return missed, err
}

// unheard counts the bookings of which nothing was kept before.
func unheard(ctx context.Context, tx *txn, site string, facts []*fact) (int, error) {
	uids := seen{}
	for _, f := range facts {
		uids.add(f.UID)
	}
	all := uids.take()
	heard := 0
	err := many(ctx, tx, `SELECT DISTINCT uid FROM observations WHERE site = $1 AND uid IN?`, []any{site}, singles(all), func(*sql.Rows) error {
		heard++
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("observations: %w", err)
	}
	return len(all) - heard, nil
}
