package store

import "context"

// Exec runs SQL, for tests that need a store in a state no method makes.
func (db *DB) Exec(ctx context.Context, query string) error {
	_, err := db.write.ExecContext(ctx, query)
	return err
}

// ExecReading runs SQL on the reading pool.
func (db *DB) ExecReading(ctx context.Context, query string) error {
	_, err := db.read.ExecContext(ctx, query)
	return err
}

// Setting reads a PRAGMA of the writing connection.
func (db *DB) Setting(ctx context.Context, name string) (value string) {
	if err := db.write.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value); err != nil {
		return err.Error()
	}
	return value
}
