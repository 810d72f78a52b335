package store_test

import (
	"database/sql"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/store"
)

// What a store of the first version holds is there after it was brought up to
// date: a lead, what was heard, and the work that is left to do.
func TestFirstVersionIsBroughtUpToDate(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.Close()
		db.renew()
		if err := store.MigrateTo(t.Context(), db.url, 1); err != nil {
			t.Fatal(err)
		}
		driver, source := "sqlite", db.path
		if db.path == "" {
			driver, source = "pgx", db.url
		}
		old, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		const at = "'2026-11-23T09:00:00.000000Z'"
		for _, row := range []string{
			`INTO leads (site, id, service, name, email, phone, stage, created_at, updated_at) VALUES ('acme', 'lead_1', 's', 'Dana', 'a@example.com', '', 'new', @now, @now)`,
			`INTO submissions (site, id, lead_id, service, form, digest, doc, submitted_at) VALUES ('acme', 'sub_1', 'lead_1', 's', 'f', 'd', '{"Name":"Dana"}', @now)`,
			`INTO history (site, lead_id, id, at, from_stage, to_stage, cause, note, uid, seat) VALUES ('acme', 'lead_1', 'chg_0', @now, '', 'new', 'sub_1', '', '', '')`,
			`INTO deliveries (site, digest, verified, signature, event_id, trigger_name, content_type, source, body, count, received_at, last_at) VALUES
				('acme', 'd1', true, 's', 'evt_1', 'BOOKING_CREATED', '', '', $1, 3, @now, @now), ('acme', 'd2', true, 's', 'evt_2', 'PING', '', '', $1, 1, @now, @now)`,
			`INTO events (site, id, trigger_name, uid, seat, ignored, created_at, received_at) VALUES
				('acme', 'evt_1', 'BOOKING_CREATED', 'u1', '', '', @now, @now), ('acme', 'evt_2', 'PING', '', '', 'ping', @now, @now)`,
			`INTO observations (site, id, uid, seat, predecessor, ical_uid, doc, received_at) VALUES
				('acme', 'evt_1', 'u1', '', '', '', '{"id":"evt_1","site":"acme","source":"event","uid":"u1","at":"2026-11-23T09:00:00Z","digest":"x","status":"accepted","carried":[{"from":"metadata","verdict":"valid","submission":"sub_1"}]}', @now),
				('acme', 'api_1', 'u1', '', '', '', '{"id":"api_1","site":"acme","source":"api","uid":"u1","at":"2026-11-23T09:00:00Z","digest":"x"}', @now)`,
			`INTO due (site, kind, key, version, due_at, attempts, last_error) VALUES ('acme', 'reconcile', 'u1', 1, @now, 0, '')`,
		} {
			var args []any
			if strings.Contains(row, "$1") {
				args = append(args, []byte{}) // the engines write an empty body differently
			}
			if _, err := old.ExecContext(t.Context(), "INSERT "+strings.ReplaceAll(row, "@now", at), args...); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
		}
		db.open()
		if db.work() != 1 {
			t.Error("the work that was left is lost")
		}
		d := db.lead("lead_1")
		if d.Stage != "booked" || len(d.Facts) != 2 || len(d.History) != 2 || d.History[1].Cause != "evt_1" {
			t.Errorf("lead %+v", d)
		}
		for _, f := range d.Facts {
			if want := map[string]handoff.Source{"evt_1": handoff.FromEvent, "api_1": handoff.FromAPI}[f.ID]; f.Source != want || f.UID != "u1" || f.Site != "acme" {
				t.Errorf("fact %+v", f)
			}
		}
		if got := db.Setting(t.Context(), `SELECT ignored FROM deliveries WHERE digest = 'd2'`); got != "ping" {
			t.Errorf("the ping is ignored by %q", got)
		}
		// The same event in other bytes is still the same event.
		if db.keep(db.event("evt_1", "u1", handoff.Accepted, "sub_1"), "d3") {
			t.Error("an event that was known is new")
		}
	})
}
