package main

import (
	"context"
	"database/sql"
	"strings"

	_ "modernc.org/sqlite" // the driver that Handoff uses
)

// openSQLite opens a file with one writer, as durable as Handoff's own.
func openSQLite(ctx context.Context, path string) (*keeper, error) {
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT`); err != nil {
		return nil, err
	}
	insert, err := db.PrepareContext(ctx, `INSERT INTO bodies (body) VALUES ($1)`)
	if err != nil {
		return nil, err
	}
	k := &keeper{end: db.Close}
	k.start(1, func(group [][]byte) error { return writeSQLite(db, insert, group) })
	return k, nil
}

func writeSQLite(db *sql.DB, insert *sql.Stmt, group [][]byte) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing is left to undo after Commit
	here := tx.Stmt(insert)
	for _, body := range group {
		if _, err := here.Exec(body); err != nil {
			return err
		}
	}
	return tx.Commit()
}
