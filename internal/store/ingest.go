package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"handoff"
)

// A verified is a delivery whose signature matched, on its way to the disk.
type verified struct {
	handoff.Delivery
	packed []byte         // the body
	event  *handoff.Event // nil: we could not read it, and reason says why
	fact   *fact          // the event's; nil: it tells nothing of a booking
	reason handoff.Reason
	detail string

	first time.Time // when it came first
	known bool      // the same bytes came before
	isNew bool      // its event is
}

// A fact is an observation as it is kept.
type fact struct {
	*handoff.Observation
	doc      string
	delivery string // the digest of the one that told it first; empty: none did
}

// newFact writes the document of an observation, without what has a column.
func newFact(o *handoff.Observation) (*fact, error) {
	rest := *o
	rest.ID, rest.Site, rest.Source, rest.UID, rest.Seat, rest.Predecessor, rest.ICalUID = "", "", "", "", "", "", ""
	doc, err := json.Marshal(rest)
	if err != nil {
		return nil, fmt.Errorf("observation: %w", err)
	}
	return &fact{Observation: o, doc: string(doc)}, nil
}

// factColumns are what scanFact reads, of observations as o.
const factColumns = `o.site, o.id, o.source, o.uid, o.seat, o.predecessor, o.ical_uid, o.doc`

// scanFact reads an observation, and more columns behind it.
func scanFact(r *sql.Rows, more ...any) (o handoff.Observation, err error) {
	var id, site, uid, seat, predecessor, ical, doc string
	var source handoff.Source
	if err := r.Scan(append([]any{&site, &id, &source, &uid, &seat, &predecessor, &ical, &doc}, more...)...); err != nil {
		return o, err
	}
	err = decodeDoc(doc, &o)
	o.ID, o.Site, o.Source, o.UID, o.Seat, o.Predecessor, o.ICalUID = id, site, source, uid, seat, predecessor, ical
	return o, err
}

// KeepEvent stores a verified delivery, the event it tells, its observation and
// the work that follows, in one transaction. It is the one door for events. It
// reports whether the event is new: the same bytes again are counted on their
// first row, an event ID that the site has seen is another delivery of that
// event, and neither makes work.
//
// It shares its transaction with others that come at the same time. If the error
// is ErrUnavailable it may have been stored or not; asking again is harmless.
func (db *DB) KeepEvent(ctx context.Context, d handoff.Delivery, e handoff.Event) (isNew bool, err error) {
	v := &verified{Delivery: d, packed: compress(d.Body), event: &e}
	if e.Observation != nil {
		if v.fact, err = newFact(e.Observation); err != nil {
			return false, err
		}
	}
	if err := db.deliveries.enter(ctx, v); err != nil {
		return false, err
	}
	return v.isNew, nil
}

// KeepNotUnderstood stores a delivery that Cal.com signed and we could not read.
func (db *DB) KeepNotUnderstood(ctx context.Context, d handoff.Delivery, reason handoff.Reason, detail string) error {
	return db.deliveries.enter(ctx, &verified{Delivery: d, packed: compress(d.Body), reason: reason, detail: detail})
}

// keepVerified stores deliveries in one transaction. The order of the tables, and
// of the rows in each, is the same in every process, so that none waits for
// another that waits for it.
func (db *DB) keepVerified(ctx context.Context, batch []*verified) error {
	err := db.tx(ctx, func(tx *txn) error {
		for _, step := range []func(context.Context, *txn, []*verified) error{db.countVerified, db.settleProved, db.keepFacts, db.failVerified} {
			if err := step(ctx, tx, batch); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		db.wrote(len(batch))
		db.seen.note(batch)
		for _, v := range batch {
			db.tallies.countHour(v.Site, TallyDelivery, v.ReceivedAt, 1)
		}
		db.tellKept(batch)
	}
	return err
}

// tellKept wakes who waits for what was kept.
func (db *DB) tellKept(batch []*verified) {
	if slices.ContainsFunc(batch, func(v *verified) bool { return v.isNew && v.fact != nil }) {
		db.feed.tell(TopicDue)
	}
	if slices.ContainsFunc(batch, func(v *verified) bool { return v.failure() != "" }) {
		db.tellAll(TopicLeads)
	}
}

// countVerified stores deliveries, or counts them on the rows they have.
func (db *DB) countVerified(ctx context.Context, tx *txn, batch []*verified) error {
	var rows []delivery
	for _, v := range batch {
		d := delivery{Delivery: v.Delivery, packed: v.packed, verified: true}
		if v.event != nil {
			d.ignored = v.event.Ignored
		}
		rows = append(rows, d)
	}
	counted, err := countDeliveries(ctx, tx, rows)
	if err != nil {
		return err
	}
	here := map[siteKey]int{}
	for _, v := range batch {
		key := siteKey{v.Site, v.Digest}
		here[key]++
		v.first, v.known = counted[key].first, here[key] > 1
	}
	for _, v := range batch {
		if key := (siteKey{v.Site, v.Digest}); counted[key].count > here[key] {
			v.known = true
		}
	}
	return nil
}

// A siteKey names a row of a site.
type siteKey struct{ site, key string }

func compareSiteKeys(a, b siteKey) int {
	return cmp.Or(cmp.Compare(a.site, b.site), cmp.Compare(a.key, b.key))
}

// A delivery is a row to be counted.
type delivery struct {
	handoff.Delivery
	packed   []byte
	ignored  string // the rule by which its event says nothing of a booking
	verified bool
}

// A counted is what the store has of a delivery.
type counted struct {
	first time.Time
	count int
}

// countDeliveries stores deliveries, all verified or none, or counts them on the
// rows they have; it returns when each first came and how often it has.
func countDeliveries(ctx context.Context, tx *txn, deliveries []delivery) (map[siteKey]counted, error) {
	unique := map[siteKey]*delivery{}
	times := map[siteKey]int{}
	last := map[siteKey]time.Time{}
	for i := range deliveries {
		d := &deliveries[i]
		key := siteKey{d.Site, d.Digest}
		if unique[key] == nil {
			unique[key] = d
		}
		times[key]++
		last[key] = d.ReceivedAt
	}
	var rows [][]any
	for _, key := range slices.SortedFunc(maps.Keys(unique), compareSiteKeys) {
		d := unique[key]
		rows = append(rows, []any{
			d.Site, d.Digest, d.verified, d.Signature, d.ignored, d.Trigger, d.ContentType, d.Source, d.packed, d.Sealed, times[key],
			stamp{d.ReceivedAt},
			stamp{last[key]},
		})
	}
	out := map[siteKey]counted{}
	err := many(ctx, tx, `
		INSERT INTO deliveries (site, digest, verified, signature, ignored, trigger_name, content_type, source, body, sealed, count, received_at, last_at) VALUES?
		ON CONFLICT (site, digest, verified) DO UPDATE SET count = deliveries.count + excluded.count, last_at = excluded.last_at
		RETURNING site, digest, received_at, count`, nil, rows, func(r *sql.Rows) error {
		var key siteKey
		var c counted
		var at stamp
		err := r.Scan(&key.site, &key.key, &at, &c.count)
		c.first = at.Time
		out[key] = c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	return out, nil
}

// settleProved settles the failures of bytes that waited unverified, because the
// secret was wrong then, and now came with a right signature.
func (db *DB) settleProved(ctx context.Context, tx *txn, batch []*verified) error {
	subjects := map[siteKey]bool{}
	for _, v := range batch {
		if !v.known {
			subjects[siteKey{v.Site, v.subject()}] = true
		}
	}
	var rows [][]any
	for _, key := range slices.SortedFunc(maps.Keys(subjects), compareSiteKeys) {
		rows = append(rows, []any{key.site, key.key})
	}
	return proved(ctx, tx, rows, db.now())
}

// proved settles the failures of subjects of sites that proved nothing until now.
func proved(ctx context.Context, tx *txn, subjects [][]any, at time.Time) error {
	return many(ctx, tx, `
		UPDATE failures SET settled_at = $1, settled_by = $2
		WHERE settled_at IS NULL AND NOT verified AND (site, subject) IN?`,
		[]any{stamp{at}, "the same body came with a right signature"}, subjects, nil)
}

// subject is what a failure about a delivery is about.
func (v *verified) subject() string { return "delivery/" + v.Digest }

// keepFacts stores the observations of the events that are new, and the work that
// follows. An event that tells nothing of a booking is no more than its delivery.
func (db *DB) keepFacts(ctx context.Context, tx *txn, batch []*verified) error {
	facts, of := make([]*fact, 0, len(batch)), map[siteKey]*verified{}
	for _, v := range batch {
		v.isNew = !v.known && v.fact == nil
		if v.fact == nil {
			continue
		}
		if key := (siteKey{v.Site, v.fact.ID}); of[key] == nil {
			of[key] = v
			v.fact.delivery = v.Digest
			facts = append(facts, v.fact)
		}
	}
	if err := db.observe(ctx, tx, facts, func(f *fact) { of[siteKey{f.Site, f.ID}].isNew = true }); err != nil {
		return err
	}
	return toldAgain(ctx, tx, batch)
}

// toldAgain notes which deliveries told an event that another one had told, in
// other bytes. It is seldom: the first is named by the observation.
func toldAgain(ctx context.Context, tx *txn, batch []*verified) error {
	for _, v := range batch {
		if v.fact == nil || v.isNew || v.known {
			continue
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE deliveries SET event_id = $3 WHERE site = $1 AND digest = $2 AND verified AND event_id IS NULL`,
			v.Site, v.Digest, v.fact.ID); err != nil {
			return fmt.Errorf("delivery: %w", err)
		}
	}
	return nil
}

// observe keeps observations that are new, and the work of reconciling their
// bookings. It is the one door for facts: from events, from the API, and from
// operators.
func (db *DB) observe(ctx context.Context, tx *txn, facts []*fact, isNew func(*fact)) error {
	slices.SortFunc(facts, func(a, b *fact) int { return compareSiteKeys(siteKey{a.Site, a.ID}, siteKey{b.Site, b.ID}) })
	now := stamp{db.now()}
	rows, byKey := make([][]any, len(facts)), map[siteKey]*fact{}
	for i, f := range facts {
		rows[i] = []any{f.Site, f.UID, f.ID, f.Source, f.delivery, f.Seat, f.Predecessor, f.ICalUID, f.doc, now}
		byKey[siteKey{f.Site, f.ID}] = f
	}
	var work []dueRow
	err := many(ctx, tx, `
		INSERT INTO observations (site, uid, id, source, delivery, seat, predecessor, ical_uid, doc, received_at) VALUES?
		ON CONFLICT (site, uid, id) DO NOTHING RETURNING site, id`, nil, rows, func(r *sql.Rows) error {
		var key siteKey
		err := r.Scan(&key.site, &key.key)
		if err != nil {
			return err
		}
		f := byKey[key]
		work = append(work, dueRow{f.Site, KindReconcile, f.UID, atOnce})
		isNew(f)
		return nil
	})
	if err != nil {
		return fmt.Errorf("observation: %w", err)
	}
	return db.enqueue(ctx, tx, work...)
}

// failure is why a verified delivery waits for a person; empty if it does not. If
// the same bytes were read more than a day ago, somebody replays them.
func (v *verified) failure() handoff.Reason {
	if v.known && v.ReceivedAt.Sub(v.first) > handoff.ReplayAfter {
		return handoff.Replayed
	}
	return v.reason
}

// failVerified opens the failures of verified deliveries.
func (db *DB) failVerified(ctx context.Context, tx *txn, batch []*verified) error {
	for _, v := range batch {
		reason := v.failure()
		if reason == "" {
			continue
		}
		f := failure{Failure: handoff.Failure{
			Site: v.Site, Kind: handoff.FailedEvent, Reason: reason, ReceivedAt: v.ReceivedAt, Deliveries: 1,
		}, subject: v.subject(), digest: v.Digest, verified: true, source: v.Source}
		if reason == v.reason {
			f.Detail = v.detail
		}
		if err := db.openFailure(ctx, tx, f); err != nil {
			return err
		}
	}
	return nil
}

// Ask makes it due to ask Cal.com about a booking, because somebody says that it
// exists.
func (db *DB) Ask(ctx context.Context, site, uid string) error {
	return db.tx(ctx, func(tx *txn) error { return db.ask(ctx, tx, site, uid) })
}

func (db *DB) ask(ctx context.Context, tx *txn, site string, uids ...string) error {
	var work []dueRow
	for _, uid := range uids {
		work = append(work, dueRow{site, KindAsk, uid, db.now().Add(AskAfter)})
	}
	return db.enqueue(ctx, tx, work...)
}

// NothingToAsk reports whether a booking of this uid is tied to a lead, and nothing about the uid
// waits: another seat of it may, or the reference of another lead.
func (db *DB) NothingToAsk(ctx context.Context, site, uid string) (bool, error) {
	return exists(ctx, db.read, `SELECT 1 FROM bookings WHERE site = $1 AND uid = $2 AND lead_id IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM failures WHERE site = $1 AND uid <> '' AND uid = $2 AND settled_at IS NULL)`, site, uid)
}

// KeepAnswer stores what Cal.com's API said of a booking, and ends the work of
// asking. It is the door for facts that no webhook brought.
//
// Who says that a booking exists may be anybody, and Cal.com answers about every
// account's bookings. So an answer counts only if its event type is one of the
// site's own, or a signed event of this site named the booking before.
func (db *DB) KeepAnswer(ctx context.Context, w Work, observations []handoff.Observation, successors []string, eventTypes []int64) error {
	err := db.tx(ctx, func(tx *txn) error {
		facts, err := ownFacts(ctx, tx, w.Site, observations, eventTypes)
		if err != nil {
			return err
		}
		if err := db.observe(ctx, tx, facts, func(*fact) {}); err != nil {
			return err
		}
		if len(facts) > 0 {
			if err := db.ask(ctx, tx, w.Site, successors...); err != nil {
				return err
			}
		}
		if err := db.noteReply(ctx, tx, w, handoff.ReplyHeard); err != nil {
			return err
		}
		return db.finish(ctx, tx, w)
	})
	if err == nil {
		db.feed.tell(TopicDue)
		db.tellAll(TopicLeads)
	}
	return err
}

// ownFacts are the observations that concern a site: of its own event types, or of
// bookings that a signed event of the site named before.
func ownFacts(ctx context.Context, tx *txn, site string, observations []handoff.Observation, eventTypes []int64) ([]*fact, error) {
	var facts []*fact
	named := map[string]bool{} // by an event; each uid is looked up once, whatever seats it has
	for i := range observations {
		o := &observations[i]
		if !slices.Contains(eventTypes, o.EventType) {
			if _, known := named[o.UID]; !known {
				ours, err := exists(ctx, tx, `SELECT 1 FROM observations WHERE site = $1 AND uid = $2 AND source = $3`, site, o.UID, handoff.FromEvent)
				if err != nil {
					return nil, err
				}
				named[o.UID] = ours
			}
			if !named[o.UID] {
				continue
			}
		}
		f, err := newFact(o)
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	return facts, nil
}

func exists(ctx context.Context, q querier, query string, args ...any) (bool, error) {
	var one int
	err := q.QueryRowContext(ctx, query+" LIMIT 1", args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
