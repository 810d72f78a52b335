package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff"
)

// Reconcile does one piece of work of KindReconcile: it reads everything that is
// known of the bookings linked with a uid, runs the pure rules over it, and
// writes bookings, leads, history and failures as the rules say. It is one
// transaction, and doing it again changes nothing.
func (db *DB) Reconcile(ctx context.Context, w Work, pipeline handoff.Pipeline) error {
	var topics []string
	err := db.tx(ctx, func(tx *sql.Tx) error {
		r := reconciliation{db: db, tx: tx, site: w.Site, pipeline: pipeline, now: db.now()}
		// One at a time for each site: two bookings of one chain can be due at once,
		// and who read first must not write last.
		if err := db.turn(ctx, tx, "reconcile/"+w.Site); err != nil {
			return err
		}
		if _, due, err := dueVersion(ctx, tx, w.Site, w.Kind, w.Key); err != nil || !due {
			return err // done meanwhile, with that of a linked booking
		}
		if err := r.load(ctx, w.Key); err != nil {
			return err
		}
		linked, err := r.dueToo(ctx, w)
		if err != nil {
			return err
		}
		if err := r.derive(ctx); err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(r.leads)) {
			if err := r.progress(ctx, id); err != nil {
				return err
			}
			topics = append(topics, TopicLead(w.Site, string(id)))
		}
		if err := r.markDone(ctx); err != nil {
			return err
		}
		for _, w := range append(linked, w) {
			if err := db.finish(ctx, tx, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		db.feed.tell(append(topics, TopicLeads)...)
	}
	return err
}

// A reconciliation is the state of one Reconcile.
type reconciliation struct {
	db       *DB
	tx       *sql.Tx
	site     string
	pipeline handoff.Pipeline
	now      time.Time

	observations []handoff.Observation
	fresh        map[string]bool // IDs of those not reconciled before
	uids         []string        // all uids that the observations speak of
	leads        map[handoff.LeadID]bool
}

// load reads all observations that are linked with uid: of the same booking, of
// its predecessors and successors, and of the same iCalUID. Match decides which
// links count; more than needed does no harm.
func (r *reconciliation) load(ctx context.Context, uid string) error {
	r.observations, r.fresh = nil, map[string]bool{}
	seen := map[string]bool{} // observation IDs
	uids, icals := map[string]bool{}, map[string]bool{}
	todoUIDs, todoICals := []string{uid}, []string{}
	for len(todoUIDs)+len(todoICals) > 0 {
		found, err := r.linked(ctx, todoUIDs, todoICals)
		if err != nil {
			return err
		}
		for _, u := range todoUIDs {
			uids[u] = true
		}
		for _, u := range todoICals {
			icals[u] = true
		}
		todoUIDs, todoICals = nil, nil
		for _, f := range found {
			if seen[f.ID] {
				continue
			}
			seen[f.ID] = true
			r.observations = append(r.observations, f.Observation)
			if f.fresh {
				r.fresh[f.ID] = true
			}
			for _, u := range []string{f.UID, f.Predecessor} {
				if u != "" && !uids[u] && !slices.Contains(todoUIDs, u) {
					todoUIDs = append(todoUIDs, u)
				}
			}
			if f.ICalUID != "" && !icals[f.ICalUID] && !slices.Contains(todoICals, f.ICalUID) {
				todoICals = append(todoICals, f.ICalUID)
			}
		}
	}
	r.uids = slices.Sorted(maps.Keys(uids))
	return nil
}

// dueToo finds the work of the linked bookings, which this reconciliation does
// too: a visitor who moves a call a thousand times makes a thousand rows, and each
// would read and write all thousand bookings. What was loaded is loaded again, so
// that it holds whatever the versions found stand for.
func (r *reconciliation) dueToo(ctx context.Context, w Work) ([]Work, error) {
	var out []Work
	for _, uid := range r.uids {
		if uid == w.Key {
			continue
		}
		version, ok, err := dueVersion(ctx, r.tx, w.Site, w.Kind, uid)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, Work{Site: w.Site, Kind: w.Kind, Key: uid, version: version})
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, r.load(ctx, w.Key)
}

type loaded struct {
	handoff.Observation
	fresh bool
}

func (r *reconciliation) linked(ctx context.Context, uids, icals []string) ([]loaded, error) {
	args := []any{r.site}
	in := func(values []string) string {
		marks := make([]string, len(values))
		for i, v := range values {
			args = append(args, v)
			marks[i] = fmt.Sprintf("$%d", len(args))
		}
		return "(" + strings.Join(marks, ", ") + ")"
	}
	var where []string
	if len(uids) > 0 {
		set := in(uids)
		where = append(where, "uid IN "+set, "(predecessor <> '' AND predecessor IN "+set+")")
	}
	if len(icals) > 0 {
		where = append(where, "(ical_uid <> '' AND ical_uid IN "+in(icals)+")")
	}
	rows, err := r.tx.QueryContext(ctx, `
		SELECT doc, reconciled_at IS NULL FROM observations WHERE site = $1 AND (`+strings.Join(where, " OR ")+`)`, args...)
	return collect(rows, err, func(rows *sql.Rows) (l loaded, err error) {
		var doc string
		if err := rows.Scan(&doc, &l.fresh); err != nil {
			return l, err
		}
		return l, decodeDoc(doc, &l.Observation)
	})
}

// derive runs the rules and writes the bookings and their failures.
func (r *reconciliation) derive(ctx context.Context) error {
	known, err := r.known(ctx)
	if err != nil {
		return err
	}
	bookings := handoff.Fold(r.observations)
	ties := handoff.Match(r.observations, known)
	r.leads = map[handoff.LeadID]bool{}
	before, err := r.storedBookings(ctx)
	if err != nil {
		return err
	}
	for key, lead := range before {
		if lead != "" {
			r.leads[lead] = true // also a lead that loses the booking
		}
		if _, ok := bookings[key]; !ok {
			if _, err := r.tx.ExecContext(ctx, `DELETE FROM bookings WHERE site = $1 AND uid = $2 AND seat = $3`, r.site, key.UID, key.Seat); err != nil {
				return err
			}
		}
	}
	for key, b := range bookings {
		if err := r.writeBooking(ctx, b, ties[key]); err != nil {
			return err
		}
		if lead := ties[key].Lead; lead != "" {
			r.leads[lead] = true
		}
	}
	if err := r.askAbout(ctx, ties); err != nil {
		return err
	}
	return r.db.bookingFailures(ctx, r.tx, r.site, r.uids, ties, r.now)
}

// askAbout makes it due to ask Cal.com about bookings that name no reference, once:
// in its database the reference survives flows that lose it in webhooks.
func (r *reconciliation) askAbout(ctx context.Context, ties map[handoff.BookingKey]handoff.Tie) error {
	asked := map[string]bool{}
	for _, o := range r.observations {
		asked[o.UID] = asked[o.UID] || o.Source == handoff.FromAPI
	}
	for key, tie := range ties {
		if tie.Reason != handoff.NoReference || asked[key.UID] {
			continue
		}
		asked[key.UID] = true
		if err := r.db.ask(ctx, r.tx, r.site, key.UID); err != nil {
			return err
		}
	}
	return nil
}

// known finds the leads of the submissions that the references name.
func (r *reconciliation) known(ctx context.Context) (map[handoff.SubmissionID]handoff.LeadID, error) {
	known := map[handoff.SubmissionID]handoff.LeadID{}
	for _, o := range r.observations {
		for _, c := range o.Carried {
			if c.Submission == "" || known[c.Submission] != "" {
				continue
			}
			lead, err := leadOf(ctx, r.tx, r.site, c.Submission)
			if err != nil {
				return nil, err
			}
			if lead != "" {
				known[c.Submission] = lead
			}
		}
	}
	return known, nil
}

// storedBookings are the rows there are of the uids, with their leads.
func (r *reconciliation) storedBookings(ctx context.Context) (map[handoff.BookingKey]handoff.LeadID, error) {
	out := map[handoff.BookingKey]handoff.LeadID{}
	for _, uid := range r.uids {
		rows, err := r.tx.QueryContext(ctx, `SELECT seat, lead_id FROM bookings WHERE site = $1 AND uid = $2`, r.site, uid)
		_, err = collect(rows, err, func(rows *sql.Rows) (struct{}, error) {
			key := handoff.BookingKey{UID: uid}
			var lead handoff.LeadID
			err := rows.Scan(&key.Seat, opt(&lead))
			out[key] = lead
			return struct{}{}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *reconciliation) writeBooking(ctx context.Context, b handoff.Booking, tie handoff.Tie) error {
	doc, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("booking: %w", err)
	}
	_, err = r.tx.ExecContext(ctx, `
		INSERT INTO bookings (site, uid, seat, lead_id, status, start_at, end_at, tied_by, doc, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (site, uid, seat) DO UPDATE SET lead_id = excluded.lead_id, status = excluded.status,
			start_at = excluded.start_at, end_at = excluded.end_at, tied_by = excluded.tied_by, doc = excluded.doc,
			updated_at = excluded.updated_at`,
		r.site, b.UID, b.Seat, opt(&tie.Lead), b.Status, stamp{b.Start}, stamp{b.End}, tie.By, string(doc), stamp{r.now})
	if err != nil {
		return fmt.Errorf("booking: %w", err)
	}
	return nil
}

// progress moves one lead to where its bookings say it stands.
func (r *reconciliation) progress(ctx context.Context, id handoff.LeadID) error {
	lead, err := scanLead(r.tx.QueryRowContext(ctx, `SELECT `+leadColumns+` FROM leads WHERE site = $1 AND id = $2`+r.db.engine.lock, r.site, id))
	if err != nil {
		return fmt.Errorf("lead %s: %w", id, err)
	}
	bookings, err := bookingsOf(ctx, r.tx, r.site, id)
	if err != nil {
		return err
	}
	standing := r.pipeline.Progress(lead.Manual, bookings)
	if _, err := r.tx.ExecContext(ctx, `UPDATE leads SET stage = $3, updated_at = $4 WHERE site = $1 AND id = $2`, r.site, id, standing.Stage, stamp{r.now}); err != nil {
		return fmt.Errorf("lead %s: %w", id, err)
	}
	if standing.Stage == lead.Stage {
		return nil
	}
	cause, note := r.cause(standing)
	return writeChange(ctx, r.tx, r.site, id, handoff.Change{
		At: r.now, From: lead.Stage, To: standing.Stage, Cause: cause, Note: note, Booking: standing.Booking,
	})
}

// cause names the observation that moved a lead: the one that settled where it
// stands if that is new, else the newest new one (a booking that took the last
// word from another). A new observation is so only once, so a cause never moves
// a lead to one stage twice.
func (r *reconciliation) cause(s handoff.Standing) (id, note string) {
	var newest *handoff.Observation
	for i := range r.observations {
		o := &r.observations[i]
		if !r.fresh[o.ID] {
			continue
		}
		if o.ID == s.By {
			return o.ID, plainWords(o)
		}
		if newest == nil || o.At.After(newest.At) || (o.At.Equal(newest.At) && o.ID > newest.ID) {
			newest = o
		}
	}
	if newest == nil {
		return newID("rules"), "the site's stage rules changed"
	}
	return newest.ID, plainWords(newest)
}

// plainWords says in plain words what an observation tells.
func plainWords(o *handoff.Observation) string {
	switch o.Source {
	case handoff.FromOperator:
		return "an operator's decision"
	case handoff.FromAPI:
		return "Cal.com's answer when asked"
	}
	return "Cal.com: " + strings.ToLower(strings.ReplaceAll(o.Trigger, "_", " "))
}

func (r *reconciliation) markDone(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(r.fresh)) {
		if _, err := r.tx.ExecContext(ctx, `UPDATE observations SET reconciled_at = $3 WHERE site = $1 AND id = $2`, r.site, id, stamp{r.now}); err != nil {
			return fmt.Errorf("observation: %w", err)
		}
	}
	return nil
}
