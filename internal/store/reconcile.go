package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff"
)

// Reconcile does at most n pieces of a site's work of KindReconcile that are due:
// it reads everything that is known of the bookings linked with their uids, runs
// the pure rules over it, and writes bookings, leads, history and failures as the
// rules say. It returns how much it did; zero also where another process is at
// this site's work.
//
// It is one transaction, which holds the work while it does it, so that a crash
// gives it back, and doing it again changes nothing. If it fails, each piece has
// a transaction of its own, and what fails then is put off, so that one booking
// cannot keep others waiting; the error is of the last that failed.
func (db *DB) Reconcile(ctx context.Context, site string, rules handoff.Rules, n int) (done int, err error) {
	if few := db.engine.crowded; few > 0 && db.deliveries.holds(crowd) {
		n = min(n, few)
	}
	claimed, err := db.reconcile(ctx, site, rules, n, "")
	if err == nil {
		return len(claimed), nil
	}
	if len(claimed) == 0 {
		return 0, err
	}
	var failed error
	for _, w := range claimed {
		again, err := db.reconcile(ctx, site, rules, 1, w.Key)
		if err == nil {
			done += len(again)
			continue
		}
		failed = fmt.Errorf("a booking: %w", err) // its uid is for nobody who reads logs: it lets its reader cancel the call
		if err := db.Defer(ctx, w, failed, 0); err != nil {
			return done, errors.Join(failed, err)
		}
	}
	return done, failed
}

// reconcile is one transaction of Reconcile. It returns the work it did; or, when
// it failed, the work that it began with.
func (db *DB) reconcile(ctx context.Context, site string, rules handoff.Rules, n int, only string) (claimed []Work, err error) {
	var topics []string
	var all []Work
	err = db.derive(ctx, func(tx *txn) error {
		// One at a time for each site: two bookings of one chain can be due at once,
		// and who read first must not write last.
		claimed, all = nil, nil
		mine, err := db.tryTurn(ctx, tx, "reconcile/"+site)
		if err != nil || !mine {
			return err
		}
		if claimed, err = db.next(ctx, tx, site, KindReconcile, n, only); err != nil || len(claimed) == 0 {
			return err
		}
		r := &reconciliation{db: db, tx: tx, site: site, rules: rules, now: db.now(), claimed: claimed}
		for _, step := range []func(context.Context) error{
			r.load, r.claimLinked, r.derive, r.writeBookings, r.askAbout, r.writeFailures, r.progress, r.markDone,
		} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		topics, all = r.topics(), r.claimed
		return nil
	})
	if err != nil || len(all) == 0 {
		return claimed, err
	}
	db.wrote(len(all))
	db.tellAll(append(topics, TopicLeads)...)
	return all, nil
}

// A reconciliation is the state of one transaction of Reconcile.
type reconciliation struct {
	db      *DB
	tx      *txn
	site    string
	rules   handoff.Rules
	now     time.Time
	claimed []Work // which it holds

	known   []loaded // everything about the bookings, by ID
	uids    []string // all uids that it speaks of, sorted
	before  map[handoff.BookingKey]stored
	after   map[handoff.BookingKey]handoff.Booking
	ties    map[handoff.BookingKey]handoff.Tie
	ignored map[handoff.BookingKey]string // the rule by which one is

	dismissed map[handoff.BookingKey]dismissal
}

// A loaded observation says whether it is new: not reconciled before.
type loaded struct {
	handoff.Observation
	fresh bool
}

// load reads all observations that are linked with the claimed work: of the same
// bookings, of their predecessors and successors, and of the same iCalUID. Match
// decides which links count; more than needed does no harm.
func (r *reconciliation) load(ctx context.Context) error {
	found := map[string]loaded{}
	uids, icals := seen{}, seen{}
	for _, w := range r.claimed {
		uids.add(w.Key)
	}
	for {
		newUIDs, newICals := uids.take(), icals.take()
		if len(newUIDs)+len(newICals) == 0 {
			break
		}
		note := func(rows *sql.Rows) error {
			var fresh bool
			o, err := scanFact(rows, &fresh)
			if err != nil {
				return err
			}
			l := loaded{o, fresh}
			found[l.ID] = l
			uids.add(l.UID, l.Predecessor)
			icals.add(l.ICalUID)
			if uid, ok := strings.CutSuffix(l.ICalUID, icalSuffix); ok {
				uids.add(uid)
			}
			return nil
		}
		for where, values := range map[string][]string{
			"uid IN?":                               newUIDs,
			"predecessor <> '' AND predecessor IN?": newUIDs,
			"ical_uid <> '' AND ical_uid <> uid || '" + icalSuffix + "' AND ical_uid IN?": newICals,
		} {
			if err := many(ctx, r.tx, `SELECT `+factColumns+`, o.reconciled_at IS NULL FROM observations o WHERE o.site = $1 AND `+where, []any{r.site}, singles(values), note); err != nil {
				return fmt.Errorf("observations: %w", err)
			}
		}
	}
	r.uids = uids.all()
	r.known = make([]loaded, 0, len(found))
	for _, id := range slices.Sorted(maps.Keys(found)) {
		r.known = append(r.known, found[id])
	}
	return nil
}

// icalSuffix makes of a uid the iCalUID that Cal.com gives a booking of its own:
// the index has only those that are not made so.
const icalSuffix = "@Cal.com"

// seen are names, and whether they were looked up (true) or wait for it.
type seen map[string]bool

func (s seen) add(names ...string) {
	for _, name := range names {
		if _, known := s[name]; !known && name != "" {
			s[name] = false
		}
	}
}

// take returns the names that wait.
func (s seen) take() []string {
	var out []string
	for name, done := range s {
		if !done {
			out = append(out, name)
			s[name] = true
		}
	}
	slices.Sort(out)
	return out
}

func (s seen) all() []string { return slices.Sorted(maps.Keys(s)) }

// claimLinked holds the work of the linked bookings too: a visitor who moves a
// call a thousand times makes a thousand rows, and each would read and write all
// thousand bookings. What was loaded is loaded again, so that it has all that the
// rows stand for. What another holds, who is about to add a fact, stays due.
func (r *reconciliation) claimLinked(ctx context.Context) error {
	mine := map[string]bool{}
	for _, w := range r.claimed {
		mine[w.Key] = true
	}
	others := slices.DeleteFunc(slices.Clone(r.uids), func(uid string) bool { return mine[uid] })
	before := len(r.claimed)
	err := many(ctx, r.tx, `SELECT key, version FROM due WHERE site = $1 AND kind = $2 AND key IN?`+r.db.engine.skip,
		[]any{r.site, KindReconcile}, singles(others), func(rows *sql.Rows) error {
			w := Work{Site: r.site, Kind: KindReconcile}
			err := rows.Scan(&w.Key, &w.version)
			r.claimed = append(r.claimed, w)
			return err
		})
	if err != nil {
		return fmt.Errorf("due work: %w", err)
	}
	if len(r.claimed) == before {
		return nil
	}
	return r.load(ctx)
}

// derive runs the rules over what was loaded, and reads what they said before.
func (r *reconciliation) derive(ctx context.Context) error {
	observations := make([]handoff.Observation, len(r.known))
	for i, l := range r.known {
		observations[i] = l.Observation
	}
	leads, err := r.leadsNamed(ctx)
	if err != nil {
		return err
	}
	r.after = handoff.Fold(observations)
	r.ties = handoff.Match(observations, leads)
	r.ignored = map[handoff.BookingKey]string{}
	for key, b := range r.after {
		if rule := r.rules.Ignored(&b, r.ties[key]); rule != "" {
			r.ignored[key] = rule
		}
	}
	if err := r.readDismissed(ctx, leads); err != nil {
		return err
	}
	r.before = map[handoff.BookingKey]stored{}
	err = many(ctx, r.tx, `SELECT uid, seat, lead_id, tied_by, ignored, dismissed, doc FROM bookings WHERE site = $1 AND uid IN?`,
		[]any{r.site}, singles(r.uids), func(rows *sql.Rows) error {
			var key handoff.BookingKey
			var s stored
			err := rows.Scan(&key.UID, &key.Seat, opt(&s.lead), &s.by, &s.ignored, &s.dismissed, &s.doc)
			r.before[key] = s
			return err
		})
	if err != nil {
		return fmt.Errorf("bookings: %w", err)
	}
	return nil
}

// A dismissal is that somebody said that a booking needs nobody: the reason for which it
// would wait otherwise, and by what it was said, of several the newest.
type dismissal struct {
	reason handoff.Reason
	by     handoff.ResolutionID
}

// readDismissed finds what people said needs nobody, of what would wait now. Of a booking
// that belongs to no lead it is said for those that it replaced, or that replaced it, as
// well; but not for one that carries the reference of a lead, which nobody has seen.
func (r *reconciliation) readDismissed(ctx context.Context, leads map[handoff.SubmissionID]handoff.LeadID) error {
	r.dismissed = map[handoff.BookingKey]dismissal{}
	chains := map[handoff.BookingKey]dismissal{}
	err := many(ctx, r.tx, `SELECT uid, seat, reason, resolution FROM failures WHERE site = $1 AND remedy = 'dismiss' AND uid <> '' AND uid IN?`,
		[]any{r.site}, singles(r.uids), func(rows *sql.Rows) error {
			var key handoff.BookingKey
			var d dismissal
			err := rows.Scan(&key.UID, &key.Seat, &d.reason, &d.by)
			if tie := r.ties[key]; d.reason != "" && tie.Reason == d.reason {
				r.dismissed[key] = d
				if tie.Lead == "" && d.by > chains[tie.Chain].by {
					chains[tie.Chain] = d
				}
			}
			return err
		})
	if err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	named := r.carryingLeads(leads)
	for key, tie := range r.ties {
		if d, said := chains[tie.Chain]; said && !named[key] { // whose bookings all wait for the same reason
			r.dismissed[key] = d
		}
	}
	return nil
}

// carryingLeads are the bookings that carry a valid reference of a lead that there is. One
// that belongs to none all the same follows others, whose reference came first.
func (r *reconciliation) carryingLeads(leads map[handoff.SubmissionID]handoff.LeadID) map[handoff.BookingKey]bool {
	out := map[handoff.BookingKey]bool{}
	for i := range r.known {
		for _, c := range r.known[i].Carried {
			if c.Verdict == handoff.Valid && leads[c.Submission] != "" {
				out[handoff.BookingKey{UID: r.known[i].UID, Seat: r.known[i].Seat}] = true
			}
		}
	}
	return out
}

// leadsNamed finds the leads of the submissions that references name.
func (r *reconciliation) leadsNamed(ctx context.Context) (map[handoff.SubmissionID]handoff.LeadID, error) {
	named := seen{}
	for _, l := range r.known {
		for _, c := range l.Carried {
			named.add(string(c.Submission))
		}
	}
	out := map[handoff.SubmissionID]handoff.LeadID{}
	err := many(ctx, r.tx, `SELECT id, lead_id FROM submissions WHERE site = $1 AND id IN?`, []any{r.site}, singles(named.all()), func(rows *sql.Rows) error {
		var id handoff.SubmissionID
		var lead handoff.LeadID
		err := rows.Scan(&id, &lead)
		out[id] = lead
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("submissions: %w", err)
	}
	return out, nil
}

// A stored is what of a booking is in the store and can change.
type stored struct {
	lead    handoff.LeadID
	by      handoff.TieBy
	ignored string

	dismissed handoff.Reason
	doc       string
}

// writeBookings writes the bookings that are not as they were.
func (r *reconciliation) writeBookings(ctx context.Context) error {
	known, fresh := seen{}, seen{}
	for key := range r.before {
		known.add(key.UID)
	}
	for key := range r.after {
		if _, old := known[key.UID]; !old {
			fresh.add(key.UID)
		}
	}
	if err := named(ctx, r.tx, r.site, fresh.all()); err != nil {
		return err
	}
	var rows [][]any
	for _, key := range slices.SortedFunc(maps.Keys(r.after), compareBookings) {
		b, tie := r.after[key], r.ties[key]
		doc, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("booking: %w", err)
		}
		if r.before[key] == (stored{tie.Lead, tie.By, r.ignored[key], r.dismissed[key].reason, string(doc)}) {
			continue
		}
		rows = append(rows, []any{
			r.site, b.UID, b.Seat, opt(&tie.Lead), b.Status, stamp{b.Start}, stamp{b.End}, tie.By, r.ignored[key], r.dismissed[key].reason, stamp{b.MadeAt()}, b.Outcome(), string(doc), stamp{r.now},
		})
	}
	err := many(ctx, r.tx, `
		INSERT INTO bookings (site, uid, seat, lead_id, status, start_at, end_at, tied_by, ignored, dismissed, made_at, outcome, doc, updated_at) VALUES?
		ON CONFLICT (site, uid, seat) DO UPDATE SET lead_id = excluded.lead_id, status = excluded.status,
			start_at = excluded.start_at, end_at = excluded.end_at, tied_by = excluded.tied_by, ignored = excluded.ignored, dismissed = excluded.dismissed,
			made_at = excluded.made_at, outcome = excluded.outcome, doc = excluded.doc, updated_at = excluded.updated_at`, nil, rows, nil)
	if err != nil {
		return fmt.Errorf("bookings: %w", err)
	}
	for key := range r.before {
		if _, ok := r.after[key]; ok {
			continue
		}
		if _, err := r.tx.ExecContext(ctx, `DELETE FROM bookings WHERE site = $1 AND uid = $2 AND seat = $3`, r.site, key.UID, key.Seat); err != nil {
			return fmt.Errorf("bookings: %w", err)
		}
	}
	return nil
}

func compareBookings(a, b handoff.BookingKey) int { return strings.Compare(a.String(), b.String()) }

// askAbout makes it due to ask Cal.com about bookings that name no reference, once:
// in its database the reference survives flows that lose it in webhooks.
func (r *reconciliation) askAbout(ctx context.Context) error {
	asked := map[string]bool{}
	for _, l := range r.known {
		asked[l.UID] = asked[l.UID] || l.Source == handoff.FromAPI
	}
	var uids []string
	for key, tie := range r.ties {
		if tie.Reason == handoff.NoReference && !asked[key.UID] {
			asked[key.UID] = true
			uids = append(uids, key.UID)
		}
	}
	return r.db.ask(ctx, r.tx, r.site, uids...)
}

// markDone notes what is reconciled, and ends the work.
func (r *reconciliation) markDone(ctx context.Context) error {
	var fresh [][]any
	var keys []string
	for _, l := range r.known {
		if l.fresh {
			fresh = append(fresh, []any{l.UID, l.ID})
		}
	}
	for _, w := range r.claimed {
		keys = append(keys, w.Key)
	}
	if err := many(ctx, r.tx, `UPDATE observations SET reconciled_at = $2 WHERE site = $1 AND (uid, id) IN?`, []any{r.site, stamp{r.now}}, fresh, nil); err != nil {
		return fmt.Errorf("observations: %w", err)
	}
	if err := many(ctx, r.tx, `DELETE FROM due WHERE site = $1 AND kind = $2 AND key IN?`, []any{r.site, KindReconcile}, singles(keys), nil); err != nil {
		return fmt.Errorf("due work: %w", err)
	}
	return nil
}
