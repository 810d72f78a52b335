package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"handoff"
)

// MaxNumbers is the longest time that numbers cover.
const MaxNumbers = 366 * 24 * time.Hour

// bookedWithin is how long after the last day of numbers a booking still counts for who
// sent a form on it; so what they read is bounded.
const bookedWithin = 90 * 24 * time.Hour

// A NumbersFilter says of which days numbers are. From and To are the beginnings of the
// first day and of the one after the last, FromDay and ToDay the same days as tallies have
// them, such as 2026-11-28.
type NumbersFilter struct {
	From, To       time.Time
	FromDay, ToDay string
}

// Numbers say what became of a site's visitors.
type Numbers struct {
	Funnel []FunnelRow // in no order that means anything
	// Booked are the leads that sent their form within the days and booked.
	Booked []BookedLead
	// Calls are what leads booked within the days, each once however often it was moved,
	// also a further one of a lead.
	Calls    []BookedCall
	Failures []ReasonOpened // by reason
	// CountedSince is the first day of which visits were counted, such as 2026-11-28; empty:
	// none were yet.
	CountedSince string

	at map[[2]string]int // where the row of a service and a source is
}

// A Step is a part of the way from a visit to a call.
type Step int

// The steps, in order.
const (
	StepVisited   Step = iota // somebody came to the site, or opened the page of a service
	StepStarted               // a form was opened
	StepSubmitted             // and sent: leads
	StepCalendar              // the calendar was shown to who had sent it
	StepBooked                // leads that booked a call, whatever became of it
	StepMet                   // leads whose call took place
	Steps
)

// A FunnelRow is how many took each step, of a service and a source.
type FunnelRow struct {
	Service string // slug; empty: of visits, the whole site's
	Source  string
	N       [Steps]int
}

// A BookedLead is one that booked.
type BookedLead struct {
	Service, Source string
	SubmittedAt     time.Time
	BookedAt        time.Time // the first time
	Met             bool
}

// A BookedCall is a call that a lead booked, whatever became of it.
type BookedCall struct {
	Service string    // the lead's
	At      time.Time // when it was booked first, as far as that is known
}

// A ReasonOpened is how many failures of a reason opened, and how many of those are open.
type ReasonOpened struct {
	Reason handoff.Reason
	Opened int
	Open   int
}

// Numbers reads the numbers of a site, at one moment. The error is ErrInvalid if they are
// of longer than MaxNumbers.
//
// Who sent a form on the last day may not have booked yet: of those days the last steps
// are fewer than they will be.
func (db *DB) Numbers(ctx context.Context, site string, f NumbersFilter) (n Numbers, err error) {
	if f.To.Sub(f.From) > MaxNumbers || !f.From.Before(f.To) {
		return n, fmt.Errorf("numbers are of a day at least and %d at most: %w", MaxNumbers/(24*time.Hour), handoff.ErrInvalid)
	}
	err = db.look(ctx, func(q querier) error {
		for _, step := range numberSteps {
			if err := step(ctx, q, site, f, &n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Numbers{}, unavailable(err)
	}
	n.countBooked()
	return n, nil
}

var numberSteps = []func(context.Context, querier, string, NumbersFilter, *Numbers) error{readCounted, readSubmitted, readBooked, readCalls, readOpened}

// row finds the row of a service and a source.
func (n *Numbers) row(service, source string) *FunnelRow {
	key := [2]string{service, source}
	i, known := n.at[key]
	if !known {
		if n.at == nil {
			n.at = map[[2]string]int{}
		}
		i = len(n.Funnel)
		n.at[key], n.Funnel = i, append(n.Funnel, FunnelRow{Service: service, Source: source})
	}
	return &n.Funnel[i]
}

func readCounted(ctx context.Context, q querier, site string, f NumbersFilter, n *Numbers) error {
	var since sql.NullString
	if err := q.QueryRowContext(ctx, `SELECT min(at) FROM tallies WHERE site = $1 AND kind = $2`, site, TallyVisit).Scan(&since); err != nil {
		return fmt.Errorf("tallies: %w", err)
	}
	n.CountedSince = since.String
	for kind, step := range map[TallyKind]Step{TallyVisit: StepVisited, TallyStart: StepStarted, TallyCalendar: StepCalendar} {
		rows, err := q.QueryContext(ctx, `
			SELECT service, source, sum(n) FROM tallies WHERE site = $1 AND kind = $2 AND at >= $3 AND at < $4 GROUP BY service, source`, site, kind, f.FromDay, f.ToDay)
		_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
			var service, source string
			var count int
			err = r.Scan(&service, &source, &count)
			n.row(service, source).N[step] = count
			return struct{}{}, err
		})
		if err != nil {
			return fmt.Errorf("tallies: %w", err)
		}
	}
	return nil
}

func readSubmitted(ctx context.Context, q querier, site string, f NumbersFilter, n *Numbers) error {
	rows, err := q.QueryContext(ctx, `
		SELECT service || '', source || '', count(*) FROM leads WHERE site = $1 AND created_at >= $2 AND created_at < $3
		GROUP BY service || '', source || '' ORDER BY count(*) DESC LIMIT 5000`, site, stamp{f.From}, stamp{f.To}) // by no index of their own
	_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
		row := FunnelRow{}
		if err := r.Scan(&row.Service, &row.Source, &row.N[StepSubmitted]); err != nil {
			return struct{}{}, err
		}
		n.row(row.Service, row.Source).N[StepSubmitted] = row.N[StepSubmitted]
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("leads: %w", err)
	}
	return nil
}

// readBooked reads who booked, by when their bookings were made: a form is sent before.
func readBooked(ctx context.Context, q querier, site string, f NumbersFilter, n *Numbers) error {
	rows, err := q.QueryContext(ctx, `
		SELECT l.service, l.source, l.created_at, firsts.first_at, firsts.met FROM (
			SELECT lead_id || '' AS lead_id, min(made_at) AS first_at, max(CASE WHEN outcome = 'met' THEN 1 ELSE 0 END) AS met
			FROM bookings WHERE site = $1 AND made_at >= $2 AND made_at < $4 AND lead_id || '' <> '' GROUP BY lead_id || '') firsts
		CROSS JOIN leads l WHERE l.site = $1 AND l.id = firsts.lead_id AND l.created_at >= $2 AND l.created_at < $3`,
		site, stamp{f.From}, stamp{f.To}, stamp{f.To.Add(bookedWithin)})
	n.Booked, err = collect(rows, err, func(r *sql.Rows) (b BookedLead, err error) {
		var submitted, booked stamp
		err = r.Scan(&b.Service, &b.Source, &submitted, &booked, &b.Met)
		b.SubmittedAt, b.BookedAt = submitted.Time, booked.Time
		return b, err
	})
	if err != nil {
		return fmt.Errorf("bookings: %w", err)
	}
	return nil
}

// begins is the condition that a booking replaced none: a text within a document has a
// backslash before its quotes, so that this is no text of anybody's.
const begins = `b.site = $1 AND b.made_at >= $2 AND b.made_at < $3 AND b.lead_id || '' <> '' AND b.doc NOT LIKE '%"predecessor":"%'` // by no index of its own

// readCalls reads the calls that were booked: of bookings that followed one another, the
// first.
func readCalls(ctx context.Context, q querier, site string, f NumbersFilter, n *Numbers) error {
	followers, err := readFollowers(ctx, q, site, f)
	if err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, `
		SELECT l.service, b.uid, b.made_at FROM bookings b CROSS JOIN leads l
		WHERE `+begins+` AND l.site = $1 AND l.id = b.lead_id`, site, stamp{f.From}, stamp{f.To})
	_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
		var c BookedCall
		var uid string
		var at stamp
		if err = r.Scan(&c.Service, &uid, &at); err == nil && !followers[uid] {
			c.At = at.Time
			n.Calls = append(n.Calls, c)
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("bookings: %w", err)
	}
	return nil
}

// readFollowers reads which bookings follow another one of their lead by what calendars
// call them alone, since what was heard of them does not name their predecessor.
func readFollowers(ctx context.Context, q querier, site string, f NumbersFilter) (map[string]bool, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT DISTINCT b.uid FROM bookings b CROSS JOIN observations o CROSS JOIN observations other CROSS JOIN bookings e
		WHERE `+begins+` AND b.seat = '' AND b.doc LIKE '%"sequence":%'
		AND o.site = $1 AND o.uid = b.uid AND o.ical_uid <> ''
		AND other.site = $1 AND other.ical_uid = o.ical_uid AND other.ical_uid <> '' AND other.uid <> b.uid
		AND e.site = $1 AND e.uid = other.uid AND e.lead_id = b.lead_id AND (coalesce(e.made_at, e.made_at), e.uid) < (b.made_at, b.uid)`, // SQLite keeps this order
		site, stamp{f.From}, stamp{f.To})
	followers := map[string]bool{}
	_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
		var uid string
		err = r.Scan(&uid)
		followers[uid] = true
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("bookings: %w", err)
	}
	return followers, nil
}

// countBooked counts, of who sent a form within the days, who booked and who met.
func (n *Numbers) countBooked() {
	for _, b := range n.Booked {
		row := n.row(b.Service, b.Source)
		row.N[StepBooked]++
		if b.Met {
			row.N[StepMet]++
		}
	}
}

func readOpened(ctx context.Context, q querier, site string, f NumbersFilter, n *Numbers) error {
	rows, err := q.QueryContext(ctx, `
		SELECT reason, count(*), sum(CASE WHEN settled_at IS NULL THEN 1 ELSE 0 END) FROM failures
		WHERE site = $1 AND last_at >= $2 AND received_at >= $2 AND received_at < $3 GROUP BY reason ORDER BY reason`, site, stamp{f.From}, stamp{f.To})
	n.Failures, err = collect(rows, err, func(r *sql.Rows) (o ReasonOpened, err error) { return o, r.Scan(&o.Reason, &o.Opened, &o.Open) })
	if err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	return nil
}
