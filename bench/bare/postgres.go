package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// pgCommitters are two, so that one gathers while the other waits for the disk.
const pgCommitters = 2

// openPostgres opens a connection for each committer. A commit waits for the
// server's disk, whatever the server's own setting is.
func openPostgres(ctx context.Context, url string) (*keeper, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = pgCommitters
	config.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS bodies (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body BYTEA NOT NULL)`); err != nil {
		return nil, err
	}
	k := &keeper{end: func() error { pool.Close(); return nil }}
	k.start(pgCommitters, func(group [][]byte) error {
		// One statement is one transaction and one journey to the server.
		_, err := pool.Exec(context.Background(), `INSERT INTO bodies (body) SELECT unnest($1::bytea[])`, group)
		return err
	})
	return k, nil
}
