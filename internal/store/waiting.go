package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"handoff"
)

// writeFailures makes the open failures about bookings agree with what was derived: ties
// that wait for a person are open, and all others of these uids are settled, also those of
// bookings that a rule ignores, and what a person dismissed, of the booking or of one of its
// chain, does not come back. A failure of this kind is derived like everything else, so a
// fact that comes later settles it.
func (r *reconciliation) writeFailures(ctx context.Context) error {
	open, err := r.readOpen(ctx)
	if err != nil {
		return err
	}
	chains := map[handoff.BookingKey][]waiting{}
	var stay [][]any // what is open and stays so
	for key, tie := range r.ties {
		if !r.waits(key) {
			continue
		}
		w := r.waiting(key)
		if tie.Lead == "" {
			chains[tie.Chain] = append(chains[tie.Chain], w)
		}
		if open[w] {
			delete(open, w)
			stay = append(stay, []any{w.subject})
			continue
		}
		if err := r.db.openFailure(ctx, r.tx, failure{Failure: handoff.Failure{
			Site: r.site, Kind: handoff.FailedEvent, Reason: tie.Reason, Booking: key, Lead: tie.Lead, ReceivedAt: r.now, Deliveries: 1,
		}, subject: w.subject, verified: true}); err != nil {
			return err
		}
	}
	if err := cameAgain(ctx, r.tx, r.site, stay); err != nil {
		return err
	}
	for _, chain := range chains {
		if err := cameTogether(ctx, r.tx, chain); err != nil {
			return err
		}
	}
	return r.settle(ctx, open)
}

// readOpen reads the open failures about these uids.
func (r *reconciliation) readOpen(ctx context.Context) (map[waiting]bool, error) {
	open := map[waiting]bool{}
	err := many(ctx, r.tx, `
		SELECT site, subject, reason FROM failures WHERE site = $1 AND settled_at IS NULL AND uid <> '' AND uid IN?`,
		[]any{r.site}, singles(r.uids), func(rows *sql.Rows) error {
			var w waiting
			err := rows.Scan(&w.site, &w.subject, &w.reason)
			open[w] = true
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("failures: %w", err)
	}
	return open, nil
}

// waits reports whether a booking needs a person.
func (r *reconciliation) waits(key handoff.BookingKey) bool {
	return r.ties[key].Reason != "" && r.ignored[key] == "" && r.dismissed[key].reason == ""
}

// waiting is the booking's place in the queue.
func (r *reconciliation) waiting(key handoff.BookingKey) waiting {
	return waiting{r.site, "booking/" + key.String(), r.ties[key].Reason}
}

// A settler is what settles an open failure of a booking.
type settler struct {
	words      string
	resolution handoff.ResolutionID // takes it back
	decision   string               // of the resolution that does, where that is to be found yet
}

// settler is a later fact, if it is not a rule, or what a person did about another booking of
// the chain.
func (r *reconciliation) settler(key handoff.BookingKey) settler {
	tie := r.ties[key]
	switch {
	case r.ignored[key] != "":
		return settler{words: "the rule “" + r.ignored[key] + "” says that it needs nobody"}
	case tie.Reason == "" && tie.By == handoff.ByOperator:
		return settler{words: "tied to a lead with another booking of its chain", decision: tie.From}
	case tie.Reason != "" && r.dismissed[key].reason != "":
		return settler{words: "dismissed with another booking of its chain", resolution: r.dismissed[key].by}
	}
	return settler{words: "a later fact settled it"}
}

// settle settles open failures, each by what does so to its booking.
func (r *reconciliation) settle(ctx context.Context, open map[waiting]bool) error {
	keys := map[string]handoff.BookingKey{} // by subject
	for key := range r.ties {
		keys[r.waiting(key).subject] = key
	}
	var of map[string]handoff.ResolutionID // by decision
	for w := range open {
		by := r.settler(keys[w.subject])
		if by.decision != "" && of == nil {
			var err error
			if of, err = r.deciding(ctx); err != nil {
				return err
			}
		}
		if by.decision != "" {
			by.resolution = of[by.decision]
		}
		if err := r.settleWith(ctx, w, by); err != nil {
			return err
		}
	}
	return nil
}

// deciding finds the resolutions of decisions about bookings, by those: by way of what they
// settled, since a site can have many resolutions.
func (r *reconciliation) deciding(ctx context.Context) (map[string]handoff.ResolutionID, error) {
	of := map[string]handoff.ResolutionID{}
	err := many(ctx, r.tx, `
		SELECT r.decision, r.id FROM failures f CROSS JOIN resolutions r
		WHERE f.site = $1 AND f.uid <> '' AND f.resolution <> '' AND r.site = $1 AND r.id = f.resolution AND r.decision <> '' AND f.uid IN?`, // SQLite keeps this order
		[]any{r.site}, singles(r.uids), func(rows *sql.Rows) error {
			var decision string
			var id handoff.ResolutionID
			err := rows.Scan(&decision, &id)
			of[decision] = id
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("resolutions: %w", err)
	}
	return of, nil
}

// settleWith settles an open failure, which the resolution of its settler takes back too.
func (r *reconciliation) settleWith(ctx context.Context, w waiting, by settler) error {
	if by.resolution != "" {
		if _, err := r.tx.ExecContext(ctx, `
			INSERT INTO resolved (failure, resolution)
			SELECT id, $4 FROM failures WHERE site = $1 AND subject = $2 AND reason = $3 AND settled_at IS NULL
			ON CONFLICT DO NOTHING`, w.site, w.subject, w.reason, by.resolution); err != nil {
			return fmt.Errorf("failures: %w", err)
		}
	}
	if _, err := r.tx.ExecContext(ctx, `
		UPDATE failures SET settled_at = $4, settled_by = $5, resolution = $6
		WHERE site = $1 AND subject = $2 AND reason = $3 AND settled_at IS NULL`,
		w.site, w.subject, w.reason, stamp{r.now}, by.words, by.resolution); err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	return nil
}

// cameAgain notes when Cal.com told last of bookings whose failures are open: who saw one
// before has not seen all of it.
func cameAgain(ctx context.Context, tx *txn, site string, subjects [][]any) error {
	last := `(SELECT max(d.last_at) FROM deliveries d WHERE d.site = failures.site AND d.verified AND d.digest IN (` +
		deliveriesOf("failures.site", "failures.uid", "failures.seat") + `))`
	if err := many(ctx, tx, `UPDATE failures SET last_at = `+last+` WHERE site = $1 AND settled_at IS NULL AND last_at < `+last+` AND subject IN?`, []any{site}, subjects, nil); err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	return nil
}

// cameTogether notes that the open failures of a chain without a lead, all of one site and
// reason, came when the last of them did: who dismisses one dismisses all.
func cameTogether(ctx context.Context, tx *txn, chain []waiting) error {
	if len(chain) < 2 {
		return nil
	}
	var subjects []string
	for _, w := range chain {
		subjects = append(subjects, w.subject)
	}
	slices.Sort(subjects)
	args := []any{chain[0].site, chain[0].reason}
	var last stamp
	err := many(ctx, tx, `SELECT last_at FROM failures WHERE site = $1 AND reason = $2 AND settled_at IS NULL AND subject IN?`, args, singles(subjects), func(r *sql.Rows) error {
		var at stamp
		if err := r.Scan(&at); err != nil || !at.After(last.Time) {
			return err
		}
		last = at
		return nil
	})
	if err == nil {
		err = many(ctx, tx, `UPDATE failures SET last_at = $3 WHERE site = $1 AND reason = $2 AND settled_at IS NULL AND last_at < $3 AND subject IN?`, append(args, last), singles(subjects), nil)
	}
	if err != nil {
		return fmt.Errorf("failures: %w", err)
	}
	return nil
}
