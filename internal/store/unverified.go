package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff"
)

// Bounds on what nobody vouches for. Beyond them an unverified delivery is only
// counted, on the one entry of reason UnverifiedFlood.
const (
	maxUnverifiedPerSite   = 1000
	maxUnverifiedPerSource = 200
	maxUnverifiedBody      = 16 << 10 // bytes kept of one
)

// An unverified is a delivery that proved nothing, on its way to the disk.
type unverified struct {
	handoff.Delivery
	packed []byte
	reason handoff.Reason
	detail string
}

// waiting names a place in the failure queue: one open entry for each subject and
// reason of a site.
type waiting struct {
	site, subject string
	reason        handoff.Reason
}

func (u *unverified) place() waiting { return waiting{u.Site, "delivery/" + u.Digest, u.reason} }

// KeepUnverified stores a delivery that proved nothing, as an entry of the
// failure queue. Equal bodies are one entry. It is bounded per site and per
// source, so that a flood of forgeries neither fills the disk nor pushes
// anything out; it has a line and a transaction of its own, so that no real
// delivery stands behind it. A right signature of another body tells that this
// one was altered.
func (db *DB) KeepUnverified(ctx context.Context, d handoff.Delivery, reason handoff.Reason, detail string) error {
	if len(d.Body) > maxUnverifiedBody {
		d.Body, d.Sealed = d.Body[:maxUnverifiedBody], nil
	}
	return db.forgeries.enter(ctx, &unverified{Delivery: d, packed: compress(d.Body), reason: reason, detail: detail})
}

// CountUnverified counts a delivery that proved nothing and is not looked at: its
// sender sent too many.
func (db *DB) CountUnverified(ctx context.Context, d handoff.Delivery) error {
	return db.forgeries.enter(ctx, &unverified{Delivery: d, reason: handoff.UnverifiedFlood})
}

// keepUnverified stores deliveries in one transaction. Each process takes its
// turn, so that the bounds hold for all of them together.
func (db *DB) keepUnverified(ctx context.Context, batch []*unverified) error {
	began, fresh := time.Now(), false
	defer func() { db.giveWayToAll(began) }()
	err := db.tx(ctx, func(tx *txn) error {
		began = time.Now() // from here on it has the writer
		if err := db.turn(ctx, tx, "unverified"); err != nil {
			return err
		}
		if err := db.findAltered(ctx, tx, batch); err != nil {
			return err
		}
		kept, flood, err := db.admit(ctx, tx, batch)
		if err != nil {
			return err
		}
		fresh = len(kept) > 0
		return db.failUnverified(ctx, tx, kept, flood)
	})
	if err != nil {
		return err
	}
	db.wrote(len(batch))
	for _, u := range batch {
		db.tallies.countHour(u.Site, TallyRefused, u.ReceivedAt, 1)
	}
	if fresh { // a flood must not wake every desk each time
		db.tellAll(TopicLeads)
	}
	return nil
}

// signatureKey is how many characters of a signature find it.
const signatureKey = 12

// findAltered finds the deliveries whose signature is right for another body.
func (db *DB) findAltered(ctx context.Context, tx *txn, batch []*unverified) error {
	starts := map[string][]string{} // of each site
	for _, u := range batch {
		if u.reason == handoff.SignatureWrong {
			start := u.Signature[:min(len(u.Signature), signatureKey)]
			starts[u.Site] = append(starts[u.Site], strings.ToValidUTF8(start, "")) // no text that a database refuses
		}
	}
	right := map[siteKey]bool{}
	for site, list := range starts {
		err := many(ctx, tx, `SELECT signature FROM deliveries WHERE verified AND site = $1 AND substr(signature, 1, 12) IN?`, []any{site}, singles(list), func(r *sql.Rows) error {
			key := siteKey{site: site}
			err := r.Scan(&key.key)
			right[key] = true
			return err
		})
		if err != nil {
			return fmt.Errorf("delivery: %w", err)
		}
	}
	for _, u := range batch {
		if u.reason == handoff.SignatureWrong && right[siteKey{u.Site, u.Signature}] {
			u.reason = handoff.BodyAltered
		}
	}
	return nil
}

// admit finds who has a place in the queue or gets one of those that are free;
// for the others it counts, for each site.
func (db *DB) admit(ctx context.Context, tx *txn, batch []*unverified) (kept []*unverified, flood map[string][]*unverified, err error) {
	sites, subjects := map[string]bool{}, map[siteKey]bool{}
	for _, u := range batch {
		sites[u.Site] = true
		subjects[siteKey{u.Site, u.place().subject}] = true
	}
	open, err := openPlaces(ctx, tx, slices.Collect(maps.Keys(subjects)))
	if err != nil {
		return nil, nil, err
	}
	taken, err := takenPlaces(ctx, tx, slices.Collect(maps.Keys(sites)))
	if err != nil {
		return nil, nil, err
	}
	flood = map[string][]*unverified{}
	for _, u := range batch {
		ofSite, ofSource := siteKey{u.Site, ""}, siteKey{u.Site, "source/" + u.Source}
		switch place := u.place(); {
		case u.reason == handoff.UnverifiedFlood:
			flood[u.Site] = append(flood[u.Site], u)
			continue
		case open[place]:
		case taken[ofSite] >= maxUnverifiedPerSite || taken[ofSource] >= maxUnverifiedPerSource:
			flood[u.Site] = append(flood[u.Site], u)
			continue
		default:
			open[place] = true
			taken[ofSite]++
			taken[ofSource]++
		}
		kept = append(kept, u)
	}
	return kept, flood, nil
}

// openPlaces are the open unverified entries about subjects.
func openPlaces(ctx context.Context, tx *txn, subjects []siteKey) (map[waiting]bool, error) {
	out := map[waiting]bool{}
	rows := make([][]any, len(subjects))
	for i, s := range subjects {
		rows[i] = []any{s.site, s.key}
	}
	err := many(ctx, tx, `SELECT site, subject, reason FROM failures WHERE settled_at IS NULL AND (site, subject) IN?`, nil, rows, func(r *sql.Rows) error {
		var w waiting
		err := r.Scan(&w.site, &w.subject, &w.reason)
		out[w] = true
		return err
	})
	return out, err
}

// takenPlaces counts the open unverified entries of sites (key "") and of each of
// their sources (key "source/…").
func takenPlaces(ctx context.Context, tx *txn, sites []string) (map[siteKey]int, error) {
	out := map[siteKey]int{}
	err := many(ctx, tx, `
		SELECT site, source, count(*) FROM failures
		WHERE settled_at IS NULL AND NOT verified AND site IN? GROUP BY site, source`, nil, singles(sites), func(r *sql.Rows) error {
		var site, source string
		var n int
		err := r.Scan(&site, &source, &n)
		out[siteKey{site, ""}] += n
		out[siteKey{site, "source/" + source}] += n
		return err
	})
	return out, err
}

// failUnverified writes the deliveries and entries of those kept, and counts the
// others on one entry of their site.
func (db *DB) failUnverified(ctx context.Context, tx *txn, kept []*unverified, flood map[string][]*unverified) error {
	rows := make([]delivery, len(kept))
	for i, u := range kept {
		rows[i] = delivery{Delivery: u.Delivery, packed: u.packed}
	}
	if _, err := countDeliveries(ctx, tx, rows); err != nil {
		return err
	}
	entries := map[waiting]*failure{}
	for _, u := range kept {
		f := entries[u.place()]
		if f == nil {
			f = &failure{Failure: handoff.Failure{
				Site: u.Site, Kind: handoff.FailedDelivery, Reason: u.reason, Detail: u.detail,
			}, subject: u.place().subject, digest: u.Digest, source: u.Source}
			entries[u.place()] = f
		}
		f.ReceivedAt = u.ReceivedAt
		f.Deliveries++
	}
	for site, of := range flood {
		entries[waiting{site: site}] = &failure{Failure: handoff.Failure{
			Site: site, Kind: handoff.FailedDelivery, Reason: handoff.UnverifiedFlood, ReceivedAt: of[len(of)-1].ReceivedAt, Deliveries: len(of),
		}, subject: "flood"}
	}
	for _, f := range entries {
		if err := db.openFailure(ctx, tx, *f); err != nil {
			return fmt.Errorf("unverified: %w", err)
		}
	}
	return nil
}
