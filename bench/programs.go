package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A program is one of those that are measured.
type program struct {
	name   string
	engine engine
	file   string // name of SQLite's file in the store's folder
	health string // page that answers 200
	nodejs bool   // cannot be measured without Node.js

	// command is the program on a store, listening on an address.
	command func(b *bench, st *store, addr string) (*exec.Cmd, error)
	// create fills a new store with old leads, which are booked, and with the
	// leads that the webhooks name.
	create func(b *bench, st *store, old int, hooks webhooks) error

	// later says that leads move after the answer, not before it.
	later bool
	// key is what names a lead in the program's table "leads": its "id" or its
	// "reference"; empty: it has none.
	key string
	// changes is SQL for a text that differs when a webhook changed something.
	changes string
}

// The names of the programs, as in the table and in -programs.
const (
	handoffSQLite   = "handoff-sqlite"
	handoffPostgres = "handoff-postgres"
	bareSQLite      = "bare-sqlite"
	barePostgres    = "bare-postgres"
	pocketbaseFull  = "pocketbase-full"
	pocketbase      = "pocketbase"
	nextjs          = "nextjs-postgres"
)

// programs are all that are measured, in the order of the table.
var programs []*program

func init() { // a literal would be a cycle: Handoff's store is made by Handoff
	programs = []*program{
		{
			name: handoffSQLite, engine: sqlite, file: "handoff.db", health: "/healthz", command: handoffCommand, create: createHandoff,
			later: true, key: "id", changes: handoffChanges,
		},
		{name: bareSQLite, engine: sqlite, file: "bare.db", health: "/healthz", command: bareCommand, create: createNothing},
		{
			name: pocketbaseFull, engine: sqlite, file: "data.db", health: "/api/health", command: pocketbaseCommand("full"), create: createPocketbase,
			key: "reference", changes: peerChanges,
		},
		{
			name: pocketbase, engine: sqlite, file: "data.db", health: "/api/health", command: pocketbaseCommand("shipped"), create: createPocketbase,
			key: "reference", changes: peerChanges,
		},
		{
			name: handoffPostgres, engine: postgres, health: "/healthz", command: handoffCommand, create: createHandoff,
			later: true, key: "id", changes: handoffChanges,
		},
		{name: barePostgres, engine: postgres, health: "/healthz", command: bareCommand, create: createNothing},
		{
			name: nextjs, engine: postgres, health: "/healthz", nodejs: true, command: nextCommand, create: createNext,
			key: "reference", changes: peerChanges,
		},
	}
}

// bareOf is the bare limit of a program's engine.
func bareOf(p *program) string {
	if p.engine == postgres {
		return barePostgres
	}
	return bareSQLite
}

const (
	peerChanges    = `SELECT (SELECT count(*) FROM events) || ' ' || (SELECT count(*) FROM leads WHERE stage = 'booked')`
	handoffChanges = `SELECT (SELECT count(*) FROM observations) || ' ' || (SELECT count(*) FROM leads WHERE stage = 'booked') || ' ' ||
		(SELECT count(*) FROM history) || ' ' || (SELECT count(*) FROM bookings)`
)

// lookupKey is what names the lead of the i-th webhook in the program's table.
func (p *program) lookupKey(hooks webhooks, i int) string {
	if p.key == "id" {
		return string(hooks.leads[i])
	}
	return hooks.references[i]
}

// booked counts the leads of the webhooks that show their booking.
func (p *program) booked(ctx context.Context, db *sql.DB, hooks webhooks) (n int, err error) {
	query, args := `SELECT count(*) FROM leads WHERE stage = 'booked' AND `+p.key+` >= $1 AND `+p.key+` <= $2`,
		[]any{p.lookupKey(hooks, 0), p.lookupKey(hooks, len(hooks.requests)-1)}
	if p.later {
		query += ` AND site = '` + site + `'`
	}
	return n, db.QueryRowContext(ctx, query, args...).Scan(&n)
}

// bookedAmong are those of the keys whose leads show their booking.
func (p *program) bookedAmong(ctx context.Context, db *sql.DB, keys []string) ([]string, error) {
	// Key by key: an index of stages would lead SQLite through all that are booked.
	query := `WITH wanted (id) AS (VALUES ('` + strings.Join(keys, "'), ('") + `'))
		SELECT wanted.id FROM wanted CROSS JOIN leads l WHERE l.` + p.key + ` = wanted.id AND l.stage || '' = 'booked'`
	if p.later {
		query += ` AND l.site = '` + site + `'`
	}
	return strings1(ctx, db, query)
}

func bareCommand(b *bench, st *store, addr string) (*exec.Cmd, error) {
	target := "sqlite:" + st.url()
	if st.engine == postgres {
		target = st.url()
	}
	cmd := exec.Command(b.binary("bare"), "-store", target, "-listen", addr)
	cmd.Env = append(os.Environ(), "BARE_SECRET="+b.secret)
	return cmd, nil
}

func createNothing(*bench, *store, int, webhooks) error { return nil }

func pocketbaseCommand(durability string) func(*bench, *store, string) (*exec.Cmd, error) {
	return func(b *bench, st *store, addr string) (*exec.Cmd, error) {
		cmd := exec.Command(b.binary("pocketbase"), "serve", "--http="+addr, "--dir="+st.dir)
		cmd.Env = append(os.Environ(), "PEER_SECRET="+b.secret, "PEER_DURABILITY="+durability)
		return cmd, nil
	}
}

// createPocketbase has PocketBase make its collections, and writes the leads
// into them.
func createPocketbase(b *bench, st *store, old int, hooks webhooks) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	cmd, err := pocketbaseCommand("shipped")(b, st, addr)
	if err != nil {
		return err
	}
	p, err := launch(b.ctx, cmd, addr, "/api/health", filepath.Join(st.dir, "log"))
	if err != nil {
		return err
	}
	p.stop()
	return b.writePeerLeads(st, old, hooks, `INSERT INTO leads (id, reference, name, email, stage, booking, starts, created, updated)
		VALUES ($1, $2, 'Dana Whitfield', 'dana.whitfield@example.com', $3, '', '', '2026-11-01 09:00:00.000Z', '2026-11-01 09:00:00.000Z')`)
}

// nextCommand starts Next.js's production server itself, without npm around it.
func nextCommand(b *bench, st *store, addr string) (*exec.Cmd, error) {
	host, port, _ := strings.Cut(addr, ":")
	cmd := exec.Command("node", "node_modules/next/dist/bin/next", "start", "-H", host, "-p", port)
	cmd.Dir = b.nextDir()
	cmd.Env = append(os.Environ(), "PEER_SECRET="+b.secret, "DATABASE_URL="+st.url(), "NEXT_TELEMETRY_DISABLED=1", "NODE_ENV=production")
	return cmd, nil
}

func createNext(b *bench, st *store, old int, hooks webhooks) error {
	schema, err := os.ReadFile(filepath.Join(b.source, "bench/peers/nextjs/schema.sql"))
	if err != nil {
		return err
	}
	db, err := st.open()
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(b.ctx, string(schema)); err != nil {
		return err
	}
	return b.writePeerLeads(st, old, hooks, `INSERT INTO leads (reference, name, email, stage) SELECT $2, 'Dana Whitfield', 'dana.whitfield@example.com', $3 WHERE $1::text <> ''`)
}

// writePeerLeads writes the leads of a peer: insert takes an ID of 15 characters, a
// reference and a stage.
func (b *bench) writePeerLeads(st *store, old int, hooks webhooks, insert string) error {
	db, conn, err := bulk(b.ctx, st)
	if err != nil {
		return err
	}
	defer db.Close()
	defer conn.Close()
	if err := execAll(b.ctx, conn, "BEGIN"); err != nil {
		return err
	}
	stmt, err := conn.PrepareContext(b.ctx, insert)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i := range old + len(hooks.references) {
		reference, stage := fmt.Sprintf("old-%d", i), "booked"
		if i >= old {
			reference, stage = hooks.references[i-old], "new"
		}
		if _, err := stmt.ExecContext(b.ctx, randomText(15, "0123456789abcdefghijklmnopqrstuvwxyz"), reference, stage); err != nil {
			return err
		}
	}
	return execAll(b.ctx, conn, "COMMIT")
}
