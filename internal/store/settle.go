package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff"
)

// A Resolution is what a person did about failures, all at once. Its JSON is stable.
type Resolution struct {
	ID       handoff.ResolutionID `json:"id"`
	Site     string               `json:"site"`
	Remedy   handoff.Remedy       `json:"remedy"`
	Lead     handoff.LeadID       `json:"lead,omitempty"` // of Attach
	Note     string               `json:"note,omitempty"` // why, in somebody's words
	By       string               `json:"by"`
	At       time.Time            `json:"at"`
	Failures int                  `json:"failures"` // how many it settled
	UndoneAt *time.Time           `json:"undone_at"`
	UndoneBy string               `json:"undone_by,omitempty"`

	decision string
	all      bool // it was about a cause, not about one failure
}

// MaxAtOnce is how many failures are dismissed together, or asked about.
const MaxAtOnce = 1000

// Dismiss settles failures of a site because somebody says that they need nobody. The
// same about the same booking does not come back; another reason does. All are settled
// or none: the error is ErrNotFound if one is none of the site's, ErrConflict if one is
// settled, ErrInvalid if one cannot be dismissed or the note is too long.
func (db *DB) Dismiss(ctx context.Context, by handoff.Actor, site string, ids []handoff.FailureID, note string) (r Resolution, err error) {
	if len(ids) == 0 || len(ids) > MaxAtOnce {
		return r, handoff.Refuse(handoff.ErrInvalid, "Choose 1 to %d entries to dismiss.", MaxAtOnce)
	}
	err = db.resolve(ctx, by, &r, site, handoff.Dismiss, note, func(tx *txn) ([]settling, error) {
		return db.hold(ctx, tx, site, ids)
	}, func(*txn, []settling) error { return nil })
	return r, err
}

// DismissAll settles the open failures of a site and reason that came last before a
// time, which is when somebody saw them: what came later they did not see. It settles at
// most MaxAtOnce; Resolution.Failures says how many, and none is ErrNotFound.
func (db *DB) DismissAll(ctx context.Context, by handoff.Actor, site string, reason handoff.Reason, seen time.Time, note string) (r Resolution, err error) {
	r.all = true
	err = db.resolve(ctx, by, &r, site, handoff.Dismiss, note, func(tx *txn) ([]settling, error) {
		rows, err := tx.QueryContext(ctx, `
			SELECT id FROM failures WHERE site = $1 AND reason = $2 AND settled_at IS NULL AND last_at <= $3
			ORDER BY last_at DESC, id DESC LIMIT $4`, site, reason, stamp{seen}, MaxAtOnce)
		ids, err := collect(rows, err, func(r *sql.Rows) (id handoff.FailureID, err error) { return id, r.Scan(&id) })
		if err != nil {
			return nil, fmt.Errorf("failures: %w", err)
		}
		if len(ids) == 0 {
			return nil, fmt.Errorf("no failure of %s waits: %w", reason, handoff.ErrNotFound)
		}
		of, err := db.hold(ctx, tx, site, ids)
		// Until they were held one could come again, or be settled by a fact.
		of = slices.DeleteFunc(of, func(h settling) bool { return h.last.After(seen) || !h.since.IsZero() })
		if err == nil && len(of) == 0 {
			err = fmt.Errorf("no failure of %s waits any more: %w", reason, handoff.ErrNotFound)
		}
		return of, err
	}, func(*txn, []settling) error { return nil })
	return r, err
}

// Attach settles a failure by saying which lead its booking, and all of that booking's
// chain, belongs to. Errors are those of Dismiss, and ErrNoLead.
func (db *DB) Attach(ctx context.Context, by handoff.Actor, site string, id handoff.FailureID, lead handoff.LeadID, note string) (r Resolution, err error) {
	r.Lead = lead
	err = db.resolve(ctx, by, &r, site, handoff.Attach, note, func(tx *txn) ([]settling, error) {
		return db.hold(ctx, tx, site, []handoff.FailureID{id})
	}, func(tx *txn, of []settling) error {
		known, err := exists(ctx, tx, `SELECT 1 FROM leads WHERE site = $1 AND id = $2`, site, lead)
		if err != nil {
			return err
		}
		if !known {
			return fmt.Errorf("lead %s: %w", lead, ErrNoLead)
		}
		r.decision = newID("dec")
		return db.decide(ctx, tx, handoff.Observation{ID: r.decision, Site: site, UID: of[0].key.UID, Seat: of[0].key.Seat, Lead: lead, By: by.Name})
	})
	return r, err
}

// ErrNoLead is the error of what is about a lead that the site does not have.
var ErrNoLead = fmt.Errorf("the site has no such lead: %w", handoff.ErrNotFound)

// A settling is a failure that this transaction settles.
type settling struct {
	id     handoff.FailureID
	reason handoff.Reason
	kind   handoff.FailureKind
	key    handoff.BookingKey
	digest string // of its delivery; empty: it is about none
	signed bool
	last   stamp  // when it came last
	since  stamp  // settled; zero while it is open
	by     string // what settled it
}

// refuses returns why it cannot be settled by a remedy, if it cannot.
func (h settling) refuses(remedy handoff.Remedy) error {
	if !h.since.IsZero() {
		return fmt.Errorf("failure %s was settled before: %s: %w", h.id, h.by, handoff.ErrConflict)
	}
	if !slices.Contains(handoff.Remedies(h.kind, h.reason, h.key), remedy) {
		return fmt.Errorf("failure %s: %q is no remedy for %s: %w", h.id, remedy, h.reason, handoff.ErrInvalid)
	}
	return nil
}

// hold reads failures of a site, in the order of their IDs, and keeps others from
// changing them until the transaction ends.
func (db *DB) hold(ctx context.Context, tx *txn, site string, ids []handoff.FailureID) ([]settling, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var out []settling
	err := many(ctx, tx, `SELECT id, reason, kind, uid, seat, digest, verified, last_at, settled_at, settled_by FROM failures WHERE site = $1 AND id IN? ORDER BY id`+db.engine.lock,
		[]any{site}, singles(ids), func(r *sql.Rows) error {
			var h settling
			err := r.Scan(&h.id, &h.reason, &h.kind, &h.key.UID, &h.key.Seat, &h.digest, &h.signed, &h.last, &h.since, &h.by)
			out = append(out, h)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("failures: %w", err)
	}
	if len(out) < len(ids) {
		return nil, fmt.Errorf("a failure of site %s: %w", site, handoff.ErrNotFound)
	}
	return out, nil
}

// resolve is the one way in which people settle failures: it holds them, asks whether
// the remedy is one of theirs, does what else belongs to it, and writes the resolution,
// its act and the work that follows, in one transaction.
func (db *DB) resolve(ctx context.Context, by handoff.Actor, r *Resolution, site string, remedy handoff.Remedy, note string, hold func(*txn) ([]settling, error), also func(*txn, []settling) error) error {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return err
	}
	note = strings.TrimSpace(note)
	if err := handoff.CheckRemark(note); err != nil {
		return err
	}
	lead, all := r.Lead, r.all
	err := db.tx(ctx, func(tx *txn) error {
		*r = Resolution{ID: handoff.ResolutionID(newID("res")), Site: site, Remedy: remedy, Lead: lead, Note: note, By: by.Name, At: db.now().UTC(), all: all}
		if err := db.turn(ctx, tx, "reconcile/"+site); err != nil { // it writes failures and what is due in the other order
			return err
		}
		of, err := hold(tx)
		if err != nil {
			return err
		}
		for _, h := range of {
			if err := h.refuses(remedy); err != nil {
				return err
			}
		}
		if err := also(tx, of); err != nil {
			return err
		}
		r.Failures = len(of)
		return db.writeResolution(ctx, tx, by, *r, of)
	})
	if err == nil {
		db.tellAll(TopicLeads)
		db.feed.tell(TopicDue)
	}
	return err
}

func (db *DB) writeResolution(ctx context.Context, tx *txn, by handoff.Actor, r Resolution, of []settling) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO resolutions (site, id, remedy, lead_id, decision, note, actor, at, undone_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')`,
		r.Site, r.ID, r.Remedy, r.Lead, r.decision, r.Note, r.By, stamp{r.At}); err != nil {
		return fmt.Errorf("resolution: %w", err)
	}
	var ids, rows [][]any
	for _, h := range of {
		ids, rows = append(ids, []any{h.id}), append(rows, []any{h.id, r.ID})
	}
	if err := many(ctx, tx, `INSERT INTO resolved (failure, resolution) VALUES?`, nil, rows, nil); err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	if err := many(ctx, tx, `UPDATE failures SET settled_at = $2, settled_by = $3, resolution = $4, remedy = $5 WHERE site = $1 AND id IN?`,
		[]any{r.Site, stamp{r.At}, r.words(), r.ID, r.Remedy}, ids, nil); err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	act := handoff.Act{Action: "failure." + string(r.Remedy), Site: r.Site, Subject: string(of[0].id), Detail: fmt.Sprintf("resolution %s", r.ID)}
	if r.Lead != "" {
		act.Detail += ", lead " + string(r.Lead)
	}
	if len(of) > 1 || r.all {
		act.Subject, act.Detail = string(r.ID), reasonsOf(of)
	}
	if err := db.audit(ctx, tx, by, act); err != nil {
		return err
	}
	return db.enqueue(ctx, tx, reconcilings(r.Site, of)...)
}

// reasonsOf say how many failures have which reason, the most frequent first.
func reasonsOf(of []settling) string {
	count := map[handoff.Reason]int{}
	for _, h := range of {
		count[h.reason]++
	}
	reasons := slices.SortedFunc(maps.Keys(count), func(a, b handoff.Reason) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	var out []string
	for _, reason := range reasons {
		out = append(out, fmt.Sprintf("%d of %s", count[reason], reason))
	}
	return strings.Join(out, ", ")
}

// reconcilings are the work that follows for the bookings of failures.
func reconcilings(site string, of []settling) (due []dueRow) {
	for _, h := range of {
		if h.key.UID != "" {
			due = append(due, dueRow{site, KindReconcile, h.key.UID, atOnce})
		}
	}
	return due
}

// words say what settled a failure.
func (r Resolution) words() string {
	what := "dismissed by " + r.By
	if r.Remedy == handoff.Attach {
		what = "tied to a lead by " + r.By
	}
	if r.Note != "" {
		what += ": " + r.Note
	}
	return what
}

// decide writes an operator's decision about a booking.
func (db *DB) decide(ctx context.Context, tx *txn, o handoff.Observation) error {
	o.Source, o.At, o.Digest = handoff.FromOperator, db.now().UTC(), o.ID
	f, err := newFact(&o)
	if err != nil {
		return err
	}
	return db.observe(ctx, tx, []*fact{f}, func(*fact) {})
}

// Undo takes a resolution back: its failures wait again, unless the same came again
// meanwhile and waits already, and a decision counts no more. The error is ErrNotFound
// if the site has no such resolution, ErrConflict if it was undone before.
func (db *DB) Undo(ctx context.Context, by handoff.Actor, site string, id handoff.ResolutionID) error {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return err
	}
	err := db.tx(ctx, func(tx *txn) error {
		if err := db.turn(ctx, tx, "reconcile/"+site); err != nil {
			return err
		}
		r, err := readResolution(ctx, tx, site, string(id), db.engine.lock)
		if err != nil {
			return err
		}
		if r.UndoneAt != nil {
			return fmt.Errorf("resolution %s was undone by %s: %w", id, r.UndoneBy, handoff.ErrConflict)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE resolutions SET undone_at = $3, undone_by = $4 WHERE site = $1 AND id = $2`, site, id, stamp{db.now()}, by.Name); err != nil {
			return fmt.Errorf("resolution: %w", err)
		}
		of, err := db.reopen(ctx, tx, site, id)
		if err != nil {
			return err
		}
		if r.decision != "" {
			if err := db.decide(ctx, tx, handoff.Observation{ID: newID("dec"), Site: site, UID: of[0].key.UID, Seat: of[0].key.Seat, Withdraws: r.decision, By: by.Name}); err != nil {
				return err
			}
		}
		act := handoff.Act{Action: "failure.undo", Site: site, Subject: string(id), Detail: fmt.Sprintf("%s of %s", r.Remedy, r.By)}
		if len(of) == 1 { // so that it stands with that failure
			act.Subject, act.Detail = string(of[0].id), fmt.Sprintf("resolution %s, %s", id, act.Detail)
		}
		if err := db.audit(ctx, tx, by, act); err != nil {
			return err
		}
		return db.enqueue(ctx, tx, reconcilings(site, of)...)
	})
	if err == nil {
		db.tellAll(TopicLeads)
		db.feed.tell(TopicDue)
	}
	return err
}

// reopen lets the failures of a resolution wait again, and returns them, those that somebody
// chose before those that were settled with their chain. Of the same about one booking, of
// which an earlier one was settled with its chain, the last waits.
func (db *DB) reopen(ctx context.Context, tx *txn, site string, id handoff.ResolutionID) (of []settling, err error) {
	const its = `site = $1 AND resolution = $2 AND resolution <> ''` // the last part finds the index
	rows, err := tx.QueryContext(ctx, `SELECT id, uid, seat FROM failures WHERE `+its+` ORDER BY remedy DESC, id`, site, id)
	of, err = collect(rows, err, func(r *sql.Rows) (h settling, err error) { return h, r.Scan(&h.id, &h.key.UID, &h.key.Seat) })
	if err != nil {
		return nil, fmt.Errorf("failures: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE failures SET settled_at = NULL, settled_by = '', resolution = '', remedy = '' WHERE `+its+`
			AND id IN (SELECT max(id) FROM failures WHERE `+its+` GROUP BY subject, reason)
			AND NOT EXISTS (SELECT 1 FROM failures again WHERE again.site = failures.site AND again.subject = failures.subject
				AND again.reason = failures.reason AND again.settled_at IS NULL)`, site, id); err != nil {
		return nil, fmt.Errorf("failures: %w", err)
	}
	// Of the rest nothing is left that could be taken back once more.
	_, err = tx.ExecContext(ctx, `UPDATE failures SET remedy = '', resolution = '', settled_by = 'taken back; the same came again and waits' WHERE `+its, site, id)
	return of, err
}

// Resolution reads what a person did about failures of a site. The error is ErrNotFound
// if there is none.
func (db *DB) Resolution(ctx context.Context, site string, id handoff.ResolutionID) (Resolution, error) {
	r, err := readResolution(ctx, db.read, site, string(id), "")
	if err != nil {
		if errors.Is(err, handoff.ErrNotFound) {
			return Resolution{}, err
		}
		return Resolution{}, unavailable(err)
	}
	return *r, nil
}

func readResolution(ctx context.Context, q querier, site, id, lock string) (*Resolution, error) {
	r := Resolution{Site: site}
	var at, undone stamp
	err := q.QueryRowContext(ctx, `
		SELECT id, remedy, lead_id, decision, note, actor, at, undone_at, undone_by,
			(SELECT count(*) FROM resolved WHERE resolution = $2)
		FROM resolutions WHERE site = $1 AND id = $2`+lock, site, id).Scan(
		&r.ID, &r.Remedy, &r.Lead, &r.decision, &r.Note, &r.By, &at, &undone, &r.UndoneBy, &r.Failures)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("resolution %s: %w", id, handoff.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("resolution: %w", err)
	}
	if r.At = at.Time; !undone.IsZero() {
		r.UndoneAt = &undone.Time
	}
	return &r, nil
}

// AskAbout makes it due at once to ask Cal.com about the booking of a failure. The
// failure waits until the answer settles it. Errors are those of Dismiss.
func (db *DB) AskAbout(ctx context.Context, by handoff.Actor, site string, id handoff.FailureID) error {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return err
	}
	return db.tx(ctx, func(tx *txn) error {
		h, err := db.holdFor(ctx, tx, site, id, handoff.AskCal)
		if err != nil {
			return err
		}
		if err := db.audit(ctx, tx, by, handoff.Act{Action: "failure.ask", Site: site, Subject: string(id)}); err != nil {
			return err
		}
		return db.enqueue(ctx, tx, dueRow{site, KindAsk, h.key.UID, atOnce})
	})
}

// AskAll does AskAbout for the bookings of the newest open failures of a site and reason,
// at most MaxAtOnce, and returns how many bookings that are; none is ErrNotFound. The
// error is ErrInvalid for a reason of which Cal.com is not asked.
func (db *DB) AskAll(ctx context.Context, by handoff.Actor, site string, reason handoff.Reason) (bookings int, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return 0, err
	}
	kind := reason.Text().Kind // others are about no booking
	if kind != handoff.FailedEvent || !slices.Contains(handoff.Remedies(kind, reason, handoff.BookingKey{UID: "any"}), handoff.AskCal) {
		return 0, fmt.Errorf("nobody asks Cal.com about %q: %w", reason, handoff.ErrInvalid)
	}
	err = db.tx(ctx, func(tx *txn) error {
		rows, err := tx.QueryContext(ctx, `
			SELECT uid FROM failures WHERE site = $1 AND reason = $2 AND settled_at IS NULL AND uid <> ''
			ORDER BY last_at DESC, id DESC LIMIT $3`, site, reason, MaxAtOnce)
		uids, err := collect(rows, err, func(r *sql.Rows) (uid string, err error) { return uid, r.Scan(&uid) })
		if err != nil {
			return fmt.Errorf("failures: %w", err)
		}
		slices.Sort(uids)
		uids = slices.Compact(uids) // one that has seats can wait for several
		if bookings = len(uids); bookings == 0 {
			return fmt.Errorf("no failure of %s waits: %w", reason, handoff.ErrNotFound)
		}
		if err := db.audit(ctx, tx, by, handoff.Act{Action: "failure.ask", Site: site, Detail: fmt.Sprintf("%d bookings of %s", bookings, reason)}); err != nil {
			return err
		}
		due := make([]dueRow, bookings)
		for i, uid := range uids {
			due[i] = dueRow{site, KindAsk, uid, atOnce}
		}
		return db.enqueue(ctx, tx, due...)
	})
	return bookings, err
}

// holdFor holds one open failure, if a remedy is one of its.
func (db *DB) holdFor(ctx context.Context, tx *txn, site string, id handoff.FailureID, remedy handoff.Remedy) (settling, error) {
	of, err := db.hold(ctx, tx, site, []handoff.FailureID{id})
	if err != nil {
		return settling{}, err
	}
	return of[0], of[0].refuses(remedy)
}
