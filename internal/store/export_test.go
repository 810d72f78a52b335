package store

import (
	"context"
	"database/sql"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// AddStep adds a migration of the future to both engines, until the test ends.
func AddStep(t *testing.T, name, sql string) {
	now, later := migrations, fstest.MapFS{}
	t.Cleanup(func() { migrations = now })
	err := fs.WalkDir(now, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(now, path)
		later[path] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		later["migrations/"+engine+"/"+name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
	}
	migrations = later
}

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
	p, err := db.migrator()
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}

// CopyMeddled is Copy with somebody who runs SQL in the target before it is compared.
func CopyMeddled(ctx context.Context, from, to, query string) ([]TableCopy, error) {
	return copyStore(ctx, from, to, func(string) {}, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query)
		return err
	})
}

// CopyDuring is Copy during which, before the stores are compared, something happens.
func CopyDuring(ctx context.Context, from, to string, something func()) ([]TableCopy, error) {
	return copyStore(ctx, from, to, func(string) {}, func(*sql.Tx) error {
		something()
		return nil
	})
}

// Schema reads a store's tables from its engine: the columns of their keys, and
// the tables they refer to.
func (db *DB) Schema(ctx context.Context) (keys, refers map[string][]string, err error) {
	keyed, refer := `
		SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.pk > 0 ORDER BY m.name, c.pk`, `
		SELECT m.name, f."table" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if db.engine.name == postgres.name {
		keyed, refer = `
			SELECT c.relname, a.attname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
			WHERE c.relnamespace = current_schema()::regnamespace ORDER BY c.relname, array_position(i.indkey, a.attnum)`, `
			SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
			WHERE contype = 'f' AND connamespace = current_schema()::regnamespace`
	}
	if keys, err = db.pairs(ctx, keyed); err != nil {
		return nil, nil, err
	}
	refers, err = db.pairs(ctx, refer)
	return keys, refers, err
}

func (db *DB) pairs(ctx context.Context, query string) (map[string][]string, error) {
	out := map[string][]string{}
	rows, err := db.read.QueryContext(ctx, query)
	_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
		var a, b string
		err = r.Scan(&a, &b)
		out[a] = append(out[a], b)
		return struct{}{}, err
	})
	return out, err
}

// Tables are the tables that a copy copies, in its order, with their keys.
func Tables() (order []string, keys map[string][]string) {
	keys = map[string][]string{}
	for _, t := range tables {
		order, keys[t.name] = append(order, t.name), t.key
	}
	return order, keys
}

// Tend does what the engine needs now and then.
func (db *DB) Tend(ctx context.Context) error {
	_, err := db.read.ExecContext(ctx, db.engine.tend)
	return err
}

// Raw opens a store as it is, and starts nothing.
func Raw(url string) (*DB, error) { return connect(url, Options{}) }

// Plan is how the engine reads a list of one site's leads, by the way that is picked.
func (db *DB) Plan(ctx context.Context, site string, f LeadFilter) (string, error) {
	terms, err := termsOf(f.Search)
	if err != nil {
		return "", err
	}
	way, err := db.way(ctx, site, f.equal(), terms)
	if err != nil {
		return "", err
	}
	query, args := db.listQuery(site, f, terms, way)
	return db.planOf(ctx, query, args)
}

// BookingsPlans are how the engine reads the parts of a list of one site's bookings.
func (db *DB) BookingsPlans(ctx context.Context, site string, f BookingFilter) (plans []string, err error) {
	for _, part := range f.parts() {
		query, args := bookingsQuery(site, f, part, f.Limit)
		plan, err := db.planOf(ctx, query, args)
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// planOf is how the engine runs a query.
func (db *DB) planOf(ctx context.Context, query string, args []any) (string, error) {
	explain := "EXPLAIN QUERY PLAN "
	if db.engine.name == postgres.name {
		explain = "EXPLAIN "
	}
	rows, err := db.read.QueryContext(ctx, explain+query, args...)
	lines, err := collect(rows, err, func(r *sql.Rows) (line string, err error) {
		if db.engine.name == postgres.name {
			return line, r.Scan(&line)
		}
		var id, parent, unused int
		return line, r.Scan(&id, &parent, &unused, &line)
	})
	return strings.Join(lines, "\n"), err
}

// PreparedPlans are how SQLite runs the statements that it has prepared so far and that
// mention a text, by the statements.
func (db *DB) PreparedPlans(ctx context.Context, mentions string) (map[string]string, error) {
	db.statements.mu.Lock()
	defer db.statements.mu.Unlock()
	plans := map[string]string{}
	for query := range db.statements.ready {
		if !strings.Contains(query, mentions) {
			continue
		}
		var args []any
		for strings.Contains(query, "$"+strconv.Itoa(len(args)+1)) {
			args = append(args, "")
		}
		plan, err := db.planOf(ctx, query, args)
		if err != nil {
			return nil, err
		}
		plans[query] = plan
	}
	return plans, nil
}

// LookAtFew lowers how many leads a list looks at one by one, until the test ends.
func LookAtFew(t *testing.T, n int) {
	was := few
	few = n
	t.Cleanup(func() { few = was })
}

// A Looker reads the store and notes how.
type Looker struct {
	db *DB
	*planner
}

// Today reads what DB.Today does.
func (l Looker) Today(ctx context.Context, site string, f TodayFilter) error {
	t := Today{Site: site}
	for _, step := range l.db.todaySteps() {
		if err := step(ctx, l, &t, f); err != nil {
			return err
		}
	}
	return nil
}

// planner asks for the plan of each statement, and then runs it.
type planner struct {
	tx      *sql.Tx
	explain string
	plans   []string
}

func (p *planner) note(ctx context.Context, query string, args []any) {
	rows, err := p.tx.QueryContext(ctx, p.explain+query, args...)
	lines, err := collect(rows, err, func(r *sql.Rows) (line string, err error) {
		if p.explain == "EXPLAIN " {
			return line, r.Scan(&line)
		}
		var id, parent, unused int
		return line, r.Scan(&id, &parent, &unused, &line)
	})
	if err != nil {
		lines = []string{err.Error()}
	}
	p.plans = append(p.plans, strings.Join(lines, "\n"))
}

func (p *planner) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.note(ctx, query, args)
	return p.tx.QueryContext(ctx, query, args...)
}

func (p *planner) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	p.note(ctx, query, args)
	return p.tx.QueryRowContext(ctx, query, args...)
}

// Plans tells how the engine reads what is looked at, where tables are too large to be
// read whole.
func (db *DB) Plans(ctx context.Context, look func(context.Context, Looker) error) ([]string, error) {
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	p := &planner{tx: tx, explain: "EXPLAIN QUERY PLAN "}
	if db.engine.name == postgres.name {
		p.explain = "EXPLAIN "
		if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
			return nil, err
		}
	}
	err = look(ctx, Looker{db, p})
	return p.plans, err
}

// Backfill is a statement of a migration, by how it begins.
func Backfill(t *testing.T, begins string) string {
	t.Helper()
	files, err := fs.Glob(migrations, "migrations/sqlite/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, found := strings.Cut(string(b), "\n"+begins); found {
			statement, _, _ := strings.Cut(rest, ";")
			return begins + statement
		}
	}
	t.Fatalf("no migration has %s", begins)
	return ""
}

// Numbers reads what DB.Numbers does.
func (l Looker) Numbers(ctx context.Context, site string, f NumbersFilter) error {
	var n Numbers
	for _, step := range numberSteps {
		if err := step(ctx, l, site, f, &n); err != nil {
			return err
		}
	}
	return nil
}
