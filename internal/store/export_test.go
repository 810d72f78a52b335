package store

import "context"

// Exec runs SQL, for tests that need a store in a state no method makes.
func (db *DB) Exec(ctx context.Context, query string) error {
	_, err := db.write.ExecContext(ctx, query)
	return err
}
