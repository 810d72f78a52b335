package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// KeepBodies is how long the body of a delivery is kept that proved nothing, or that was
// sealed to be read again, once nobody waits for it.
const KeepBodies = 30 * 24 * time.Hour

// maxPurged is how many failures are looked at in one transaction: others write too.
const maxPurged = 200

// PurgeBodies forgets what was received for failures that were settled after a time, and
// longer than KeepBodies ago: the deliveries that proved nothing, and of the others the
// sealed bodies. The entries stay, with what was done about them. It does a piece of it, and
// returns up to when it has looked, which is where the next call goes on; more reports
// that there is more to look at.
//
// Without it each thousand entries that somebody dismisses would make room for another
// thousand bodies that anybody can send.
func (db *DB) PurgeBodies(ctx context.Context, after time.Time) (until time.Time, more bool, err error) {
	before := db.now().Add(-KeepBodies)
	if after.IsZero() {
		after = atOnce
	}
	settled := map[bool][][]any{} // by whether Cal.com signed them
	looked := 0
	// Of one moment all are read at once, so that none is left between two calls.
	rows, err := db.read.QueryContext(ctx, `
		SELECT settled_at, site, digest, verified FROM failures WHERE settled_at > $1 AND settled_at <= coalesce(
			(SELECT settled_at FROM failures WHERE settled_at > $1 AND settled_at < $2 ORDER BY settled_at LIMIT 1 OFFSET $3), $2)
		ORDER BY settled_at`, stamp{after}, stamp{before}, maxPurged-1)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var at stamp
		var site, digest string
		var signed bool
		err := r.Scan(&at, &site, &digest, &signed)
		if looked++; digest != "" {
			settled[signed] = append(settled[signed], []any{site, digest})
		}
		until = at.Time
		return struct{}{}, err
	})
	if err != nil {
		return after, false, unavailable(err)
	}
	if looked == 0 {
		return after, false, nil
	}
	err = db.tx(ctx, func(tx *txn) error {
		const which = `(site, digest) IN?
			AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.site = deliveries.site AND f.subject = 'delivery/' || deliveries.digest AND f.settled_at IS NULL)`
		if err := db.turn(ctx, tx, "unverified"); err != nil { // none of them comes again meanwhile
			return err
		}
		if err := many(ctx, tx, `DELETE FROM deliveries WHERE NOT verified AND `+which, nil, settled[false], nil); err != nil {
			return fmt.Errorf("deliveries: %w", err)
		}
		if err := many(ctx, tx, `UPDATE deliveries SET sealed = NULL WHERE verified AND sealed IS NOT NULL AND `+which, nil, settled[true], nil); err != nil {
			return fmt.Errorf("deliveries: %w", err)
		}
		return nil
	})
	if err != nil {
		return after, false, err
	}
	return until, looked >= maxPurged, nil
}
