package store

import (
	"context"
	"fmt"
)

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
