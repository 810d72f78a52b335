package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"handoff"
)

// FirstTouch reads where the leads of a list came from: the context of each one's
// first submission. A lead without a submission is left out.
func (db *DB) FirstTouch(ctx context.Context, leads []LeadSummary) (map[handoff.LeadID]handoff.Context, error) {
	out := make(map[handoff.LeadID]handoff.Context, len(leads))
	for _, l := range leads {
		var doc string
		err := db.read.QueryRowContext(ctx, `
			SELECT doc FROM submissions WHERE site = $1 AND lead_id = $2 ORDER BY submitted_at, id LIMIT 1`, l.Site, l.ID).Scan(&doc)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, unavailable(err)
		}
		var s handoff.Submission
		if err := decodeDoc(doc, &s); err != nil {
			return nil, unavailable(err)
		}
		out[l.ID] = s.Context
	}
	return out, nil
}

// Pulse returns a text that differs once leads or failures have changed. It is
// the look by the clock of whoever listens to the feed, which does not hear of
// what another process wrote. The text means nothing else.
func (db *DB) Pulse(ctx context.Context) (string, error) {
	var moved, failed, settled stamp
	var act string
	err := db.read.QueryRowContext(ctx, `
		SELECT (SELECT max(updated_at) FROM leads), (SELECT max(last_at) FROM failures), (SELECT max(settled_at) FROM failures WHERE settled_at IS NOT NULL),
			(SELECT coalesce(max(id), '') FROM audit)`).Scan(&moved, &failed, &settled, &act)
	if err != nil {
		return "", unavailable(err)
	}
	return fmt.Sprintf("%d %d %d %s", moved.UnixMicro(), failed.UnixMicro(), settled.UnixMicro(), act), nil
}
