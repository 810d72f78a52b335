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

// Setting asks a writing connection for a setting.
func (db *DB) Setting(ctx context.Context, query string) (value string) {
	if err := db.write.QueryRowContext(ctx, query).Scan(&value); err != nil {
		return err.Error()
	}
	return value
}

// HoldTurn takes a turn, or, where writers take turns anyway, the writer, until
// the returned function is called.
func (db *DB) HoldTurn(ctx context.Context, name string) (release func()) {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		panic(err)
	}
	if err := db.turn(ctx, db.txn(tx), name); err != nil {
		panic(err)
	}
	return func() { _ = tx.Rollback() }
}

// MigrateTo makes a store of an older version.
func MigrateTo(ctx context.Context, url string, version int64) error {
	db := &DB{engine: engineOf(url)}
	var err error
	if db.write, db.read, err = db.engine.open(url); err != nil {
		return err
	}
	defer db.write.Close()
	p, err := db.migrations()
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}
