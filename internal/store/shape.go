package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"handoff"
)

// A BodySeen is a delivery that was kept, and whose body can be looked at.
type BodySeen struct {
	Site    string
	Trigger string
	digest  string
}

// bodiesSeen are the newest deliveries of each trigger that this process kept, until
// somebody looks. The zero value has none.
type bodiesSeen struct {
	mu     sync.Mutex
	newest map[[2]string]BodySeen
}

// note notes what was kept. It costs as much as there are sites and triggers, however
// much comes.
func (s *bodiesSeen) note(batch []*verified) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil {
		s.newest = map[[2]string]BodySeen{}
	}
	for _, v := range batch {
		if v.isNew && v.event != nil {
			s.newest[[2]string{v.Site, v.Trigger}] = BodySeen{v.Site, v.Trigger, v.Digest}
		}
	}
}

// BodiesSeen returns the newest delivery of each site and trigger that this process
// kept since it was asked last, and were a new event's. It is for who looks now and
// then at what Cal.com sends.
func (db *DB) BodiesSeen() []BodySeen {
	db.seen.mu.Lock()
	defer db.seen.mu.Unlock()
	out := make([]BodySeen, 0, len(db.seen.newest))
	for _, b := range db.seen.newest {
		out = append(out, b)
	}
	clear(db.seen.newest)
	return out
}

// Body reads a delivery's body as it is stored: redacted.
func (db *DB) Body(ctx context.Context, b BodySeen) ([]byte, error) {
	var packed []byte
	err := db.read.QueryRowContext(ctx, `SELECT body FROM deliveries WHERE site = $1 AND digest = $2 AND verified`, b.Site, b.digest).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("delivery: %w", handoff.ErrNotFound)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return decompress(packed)
}

// LearnShape compares the shape of a delivery's body with those before it, remembers
// it, and opens a failure of the site if it has changed (see handoff.Learn). While one
// is open, what changes further is added to it.
func (db *DB) LearnShape(ctx context.Context, b BodySeen, shape handoff.Shape, usual func(path, kind string) bool) error {
	known, err := readShape(ctx, db.read, b)
	if err != nil {
		return unavailable(err)
	}
	if learned, _ := handoff.Learn(known, shape, usual); len(learned) == 0 {
		return nil
	}
	changed := false
	err = db.tx(ctx, func(tx *txn) error {
		if err := db.turn(ctx, tx, "shape/"+b.Site); err != nil {
			return err
		}
		known, err := readShape(ctx, tx, b)
		if err != nil {
			return err
		}
		learned, changes := handoff.Learn(known, shape, usual)
		if changed = len(changes) > 0; changed {
			if err := db.shapeFailure(ctx, tx, b, changes); err != nil {
				return err
			}
		}
		return writeShape(ctx, tx, b, learned)
	})
	if err == nil && changed {
		db.tellAll(TopicLeads)
	}
	return err
}

func readShape(ctx context.Context, q querier, b BodySeen) (map[string]handoff.Field, error) {
	rows, err := q.QueryContext(ctx, `SELECT path, kinds, objects, sometimes FROM shapes WHERE site = $1 AND trigger_name = $2`, b.Site, b.Trigger)
	known := map[string]handoff.Field{}
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var f handoff.Field
		var kinds string
		err := r.Scan(&f.Path, &kinds, &f.Objects, &f.Sometimes)
		f.Kinds = strings.Fields(kinds)
		known[f.Path] = f
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("shapes: %w", err)
	}
	return known, nil
}

func writeShape(ctx context.Context, tx *txn, b BodySeen, learned []handoff.Field) error {
	var rows [][]any
	for _, f := range learned {
		rows = append(rows, []any{b.Site, b.Trigger, f.Path, strings.Join(f.Kinds, " "), f.Objects, f.Sometimes})
	}
	err := many(ctx, tx, `
		INSERT INTO shapes (site, trigger_name, path, kinds, objects, sometimes) VALUES?
		ON CONFLICT (site, trigger_name, path) DO UPDATE SET kinds = excluded.kinds, objects = excluded.objects, sometimes = excluded.sometimes`, nil, rows, nil)
	if err != nil {
		return fmt.Errorf("shapes: %w", err)
	}
	return nil
}

// maxChanges is how much is written about what changed, in bytes.
const maxChanges = 2000

// shapeFailure opens the failure about a trigger's bodies, with the body that showed
// it, or adds to the open one.
func (db *DB) shapeFailure(ctx context.Context, tx *txn, b BodySeen, changes []string) error {
	subject, detail := "shape/"+b.Trigger, fmt.Sprintf("%s: %s.", b.Trigger, strings.Join(changes, "; "))
	var before string
	err := tx.QueryRowContext(ctx, `SELECT detail FROM failures WHERE site = $1 AND subject = $2 AND reason = $3 AND settled_at IS NULL`, b.Site, subject, handoff.BodyChanged).Scan(&before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("failure: %w", err)
	}
	if before != "" {
		detail = before + " Then: " + strings.Join(changes, "; ") + "."
	}
	if len(detail) > maxChanges {
		detail = strings.ToValidUTF8(detail[:maxChanges], "") + " … and more."
	}
	if err := db.openFailure(ctx, tx, failure{Failure: handoff.Failure{
		Site: b.Site, Kind: handoff.FailedSite, Reason: handoff.BodyChanged, Detail: detail, ReceivedAt: db.now(), Deliveries: 1,
	}, subject: subject, digest: b.digest, verified: true}); err != nil || before == "" {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE failures SET detail = $1 WHERE site = $2 AND subject = $3 AND reason = $4 AND settled_at IS NULL`, detail, b.Site, subject, handoff.BodyChanged); err != nil {
		return fmt.Errorf("failure: %w", err)
	}
	return nil
}
