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

// TodayShown is how much of each kind the first page of the desk shows.
const TodayShown = 10

// maxMoves is how many changes of stage are counted.
const maxMoves = 10_000

// aheadFrom is how long before now a call that is taking place can have begun.
const aheadFrom = 12 * time.Hour

// A TodayFilter says what is asked of a site.
type TodayFilter struct {
	Stage handoff.Stage // where forms put leads
	// UnbookedFrom and UnbookedTo are from when on and before when leads were submitted
	// of which it is asked whether they booked.
	UnbookedFrom, UnbookedTo time.Time
	// Over is before when leads were submitted that are not reminded any more, and LastReminder
	// the number of the last reminder there is; 0: there are none.
	Over         time.Time
	LastReminder int
	Since        time.Time // from when on it is asked what moved
}

// A Today is what a site's people look at in the morning.
type Today struct {
	Site     string
	Waiting  []FailureView // open failures that are vouched for, the one that was heard of longest ago first
	Unbooked []Unbooked    // the newest first
	// UnbookedCount is how many there are; MaxCount+1: more.
	UnbookedCount int
	Doubled       []DoubledLead // by their first call
	Moved         []Moved       // how many leads moved where
	Moves         []LeadMove    // the newest first
	Calls         []Call        // by their start
	Reading       Reading
}

// An Unbooked is a lead that did not book.
type Unbooked struct {
	handoff.Lead
	Submission handoff.SubmissionID // the newest
	Reminded   int                  // the number of the last reminder; 0: none was sent
	Stopped    bool                 // its address wants no reminders
}

// A DoubledLead is a lead with more than one call ahead, of which nobody said that all are
// wanted.
type DoubledLead struct {
	handoff.Lead
	Calls []handoff.Booking    // by their start; of a recurring one the first occurrence
	Ahead []handoff.BookingKey // of all that is ahead, to say that all are wanted
}

// A Moved says how many leads moved to a stage.
type Moved struct {
	To    handoff.Stage
	First bool // they are new: a form put them there
	Count int
	More  bool // not all were counted
}

// A LeadMove is a change of stage, and whose it was.
type LeadMove struct {
	Lead handoff.LeadID
	Name string
	handoff.Change
}

// A Call is a booking that may still take place.
type Call struct {
	handoff.Booking
	Lead    handoff.LeadID // empty: tied to none
	Name    string         // the lead's
	Service string         // the lead's
}

// A Reading says how Cal.com's list of bookings is read.
type Reading struct {
	AsOf     time.Time // up to when it is known; zero: it was not read yet
	EndedAt  time.Time // when it was read to its end last; zero: never
	DueAt    time.Time // when it is read next; zero: nobody means to
	Attempts int       // in a row that failed
}

// Today reads what a site's people look at in the morning, at one moment.
func (db *DB) Today(ctx context.Context, site string, f TodayFilter) (Today, error) {
	t := Today{Site: site}
	err := db.look(ctx, func(q querier) error {
		for _, step := range db.todaySteps() {
			if err := step(ctx, q, &t, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Today{}, unavailable(err)
	}
	return t, nil
}

// todaySteps read the parts of a Today.
func (db *DB) todaySteps() []func(context.Context, querier, *Today, TodayFilter) error {
	return []func(context.Context, querier, *Today, TodayFilter) error{
		readWaiting, db.readUnbooked, db.readDoubled, readMoved, db.readCalls, readReading,
	}
}

func readWaiting(ctx context.Context, q querier, t *Today, _ TodayFilter) error {
	rows, err := q.QueryContext(ctx, `
		SELECT `+failureColumns+` FROM failures f WHERE f.site = $1 AND f.settled_at IS NULL AND f.verified ORDER BY f.last_at, f.id LIMIT $2`, t.Site, TodayShown)
	t.Waiting, err = collect(rows, err, func(r *sql.Rows) (FailureView, error) { return scanFailure(r) })
	if err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	return nil
}

// unbooked are the leads that stand where their form put them, have no booking, are not
// to be reminded, and whose address has no newer lead; which are found by the address, by
// no index of when they came.
const unbooked = `
	FROM (SELECT id AS recent_id FROM leads WHERE site = $1 AND stage = $2 AND created_at >= $3 AND (created_at, id) < ($4, '') ORDER BY created_at DESC, id DESC LIMIT 5000) recent
	CROSS JOIN leads l WHERE l.site = $1 AND l.id = recent_id AND l.manual_stage IS NULL
		AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.site = l.site AND b.lead_id = l.id)
		AND NOT EXISTS (SELECT 1 FROM leads o WHERE o.site = l.site AND lower(o.email) = lower(l.email) AND coalesce(o.created_at, o.created_at) > l.created_at)
		AND (l.created_at < $5
			OR EXISTS (SELECT 1 FROM reminders r WHERE r.site = l.site AND r.lead_id = l.id AND r.number >= $6 AND r.state IN ('sent', 'refused', 'unknown'))
			OR EXISTS (SELECT 1 FROM stops s WHERE s.site = l.site AND s.email = lower(l.email)))`

func (db *DB) readUnbooked(ctx context.Context, q querier, t *Today, f TodayFilter) error {
	last := f.LastReminder
	if last == 0 {
		f.Over, last = f.UnbookedTo, 1
	}
	args := []any{t.Site, f.Stage, stamp{f.UnbookedFrom}, stamp{f.UnbookedTo}, stamp{f.Over}, last}
	rows, err := q.QueryContext(ctx, `
		SELECT `+leadColumns+`,
			(SELECT s.id FROM submissions s WHERE s.site = l.site AND s.lead_id = l.id ORDER BY s.submitted_at DESC, s.id DESC LIMIT 1),
			(SELECT coalesce(max(r.number), 0) FROM reminders r WHERE r.site = l.site AND r.lead_id = l.id AND r.state <> 'retry'),
			CASE WHEN EXISTS (SELECT 1 FROM stops s WHERE s.site = l.site AND s.email = lower(l.email)) THEN 1 ELSE 0 END
		`+unbooked+` ORDER BY l.created_at DESC, l.id DESC LIMIT $7`, append(args, TodayShown)...)
	t.Unbooked, err = collect(rows, err, func(r *sql.Rows) (u Unbooked, err error) {
		u.Lead, err = scanLead(with{r, []any{opt(&u.Submission), &u.Reminded, &u.Stopped}})
		return u, err
	})
	if err == nil {
		err = q.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 %s LIMIT %d) bounded`, unbooked, MaxCount+1), args...).Scan(&t.UnbookedCount)
	}
	if err != nil {
		return fmt.Errorf("leads: %w", err)
	}
	return nil
}

// with scans more columns behind those that are asked for.
type with struct {
	r    *sql.Rows
	more []any
}

func (w with) Scan(into ...any) error { return w.r.Scan(append(into, w.more...)...) }

// live is the condition of the index of calls that may still take place.
const live = `status ` + alive

const alive = `IN ('awaiting_payment', 'requested', 'accepted')`

// unwanted is the condition that a lead has a call ahead that is none of those somebody
// wanted. It is asked of the few leads with several, each by its own bookings: coalesce,
// so that the index of calls ahead is not read whole for each of them; and by counting,
// since PostgreSQL makes one join over all calls and all that are wanted of what is asked
// with EXISTS.
const unwanted = `
	(SELECT count(*) FROM bookings b WHERE b.site = $1 AND b.lead_id = doubled.lead_id AND coalesce(b.status, '') ` + alive + ` AND coalesce(b.start_at, b.start_at) >= $2
		AND (SELECT count(*) FROM wanted w WHERE w.site = $1 AND w.lead_id = doubled.lead_id AND w.uid = b.uid AND w.seat = b.seat) = 0) > 0`

func (db *DB) readDoubled(ctx context.Context, q querier, t *Today, _ TodayFilter) error {
	now := db.now()
	rows, err := q.QueryContext(ctx, `
		SELECT lead_id FROM (
			SELECT lead_id, min(start_at) AS first_at FROM bookings WHERE site = $1 AND `+live+` AND start_at >= $2 AND lead_id IS NOT NULL
			GROUP BY lead_id HAVING count(*) > 1) doubled
		WHERE `+unwanted+` ORDER BY first_at, lead_id LIMIT 200`, t.Site, stamp{now.Add(-aheadFrom)})
	ids, err := collect(rows, err, func(r *sql.Rows) (id handoff.LeadID, err error) { return id, r.Scan(&id) })
	if err != nil {
		return fmt.Errorf("bookings: %w", err)
	}
	for _, id := range ids {
		all, err := bookingsOf(ctx, q, t.Site, id)
		if err != nil {
			return fmt.Errorf("bookings: %w", err)
		}
		calls := handoff.Doubled(all, now)
		if calls == nil {
			continue
		}
		said, err := wantedOf(ctx, q, t.Site, id)
		if err != nil {
			return err
		}
		if said.Covers(all, now) { // a call that nobody wanted is over, which only the rule knows
			continue
		}
		if len(t.Doubled) == TodayShown {
			break
		}
		lead, err := scanLead(q.QueryRowContext(ctx, `SELECT `+leadColumns+` FROM leads WHERE site = $1 AND id = $2`, t.Site, id))
		if err != nil {
			return fmt.Errorf("lead: %w", err)
		}
		t.Doubled = append(t.Doubled, DoubledLead{lead, calls, keysOf(handoff.CallsAhead(all, now))})
	}
	return nil
}

func readMoved(ctx context.Context, q querier, t *Today, f TodayFilter) error {
	rows, err := q.QueryContext(ctx, fmt.Sprintf(`
		SELECT to_stage, first, count(*) FROM (
			SELECT to_stage, CASE WHEN seq = 1 THEN 1 ELSE 0 END AS first FROM history WHERE site = $1 AND at >= $2 ORDER BY at DESC LIMIT %d) moves
		GROUP BY to_stage, first ORDER BY first DESC, to_stage`, maxMoves), t.Site, stamp{f.Since})
	total := 0
	t.Moved, err = collect(rows, err, func(r *sql.Rows) (m Moved, err error) {
		err = r.Scan(&m.To, &m.First, &m.Count)
		total += m.Count
		return m, err
	})
	if err != nil {
		return fmt.Errorf("stage history: %w", err)
	}
	for i := range t.Moved {
		t.Moved[i].More = total == maxMoves
	}
	rows, err = q.QueryContext(ctx, `
		SELECT h.lead_id, l.name, h.at, h.from_stage, h.to_stage, h.cause, h.note, h.uid, h.seat
		FROM (SELECT * FROM history WHERE site = $1 AND at >= $2 ORDER BY at DESC LIMIT $3) h
		JOIN leads l ON l.site = h.site AND l.id = h.lead_id ORDER BY h.at DESC, h.lead_id, h.seq DESC`, t.Site, stamp{f.Since}, TodayShown)
	t.Moves, err = collect(rows, err, func(r *sql.Rows) (m LeadMove, err error) {
		var at stamp
		err = r.Scan(&m.Lead, &m.Name, &at, &m.From, &m.To, &m.Cause, &m.Note, &m.Booking.UID, &m.Booking.Seat)
		m.At = at.Time
		return m, err
	})
	if err != nil {
		return fmt.Errorf("stage history: %w", err)
	}
	return nil
}

func (db *DB) readCalls(ctx context.Context, q querier, t *Today, _ TodayFilter) error {
	now := db.now()
	rows, err := q.QueryContext(ctx, `
		SELECT b.doc, b.lead_id, l.name, l.service FROM bookings b LEFT JOIN leads l ON l.site = b.site AND l.id = b.lead_id
		WHERE b.site = $1 AND b.`+live+` AND b.start_at >= $2 AND (b.start_at > $3 OR b.end_at > $3)
			AND (b.lead_id IS NOT NULL OR b.ignored = '' AND b.dismissed = '')
		ORDER BY b.start_at, b.uid, b.seat LIMIT $4`, t.Site, stamp{now.Add(-aheadFrom)}, stamp{now}, 2*TodayShown)
	found, err := collect(rows, err, func(r *sql.Rows) (c Call, err error) {
		var doc string
		if err := r.Scan(&doc, opt(&c.Lead), opt(&c.Name), opt(&c.Service)); err != nil {
			return c, err
		}
		return c, decodeDoc(doc, &c.Booking)
	})
	if err != nil {
		return fmt.Errorf("bookings: %w", err)
	}
	found = slices.DeleteFunc(found, func(c Call) bool { return !c.Ahead(now) })
	t.Calls = found[:min(len(found), TodayShown)]
	return nil
}

func readReading(ctx context.Context, q querier, t *Today, _ TodayFilter) error {
	row, err := readPlace(ctx, q, t.Site, "")
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("sweep: %w", err)
	}
	if t.Reading.EndedAt = row.ended.Time; !row.ended.IsZero() {
		t.Reading.AsOf = row.ended.Add(-sweepOverlap)
	}
	var due stamp
	err = q.QueryRowContext(ctx, `SELECT due_at, attempts FROM due WHERE site = $1 AND kind = $2 AND key = $3`, t.Site, KindSweep, sweepKey).Scan(&due, &t.Reading.Attempts)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("due work: %w", err)
	}
	t.Reading.DueAt = due.Time
	return nil
}
