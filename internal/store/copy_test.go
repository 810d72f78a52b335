package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// onEachPairing runs a test with a store of every engine that is full, and an
// address for its copy on every engine.
func onEachPairing(t *testing.T, test func(t *testing.T, from *harness, to string)) {
	onEachEngine(t, func(t *testing.T, from *harness) {
		from.full()
		for engine, at := range fresh {
			t.Run("to "+engine, func(t *testing.T) { test(t, from, at(t)) })
		}
	})
}

// full fills every table through the real methods, each column with several kinds
// of value. Keys are such that a locale would order them otherwise.
func (h *harness) full() {
	h.t.Helper()
	ctx := h.t.Context()
	for i, name := range []string{"Zoë", "anna", "Émile 🚿", "ärger\nzwei", "O'Neill \"x\" \\ $1"} {
		s := h.submit(fmt.Sprint("form", i), name)
		uid := []string{"Z", "a", "É", "ä", "_"}[i] + "uid"
		h.keep(h.event(fmt.Sprint("e", i), uid, handoff.Accepted, s.ID), fmt.Sprint("d", i))
	}
	first := h.submit("form0", "Zoë Corrected")
	h.work()

	moved := h.event("moved", "succ", handoff.Accepted, "")
	moved.Observation.Predecessor, moved.Observation.At = "Zuid", h.now().Add(time.Hour)
	moved.Observation.ICalUID = "ical@example.com"
	h.keep(moved, "moved")
	h.keep(h.event("none", "tied-to-none", handoff.Accepted, ""), "none") // waits for a person
	h.keep(h.event("tied-later", "tied-later", handoff.Cancelled, ""), "tied-later")
	h.keep(handoff.Event{ID: "ping", Site: site, Trigger: "PING", Ignored: "sign of life", CreatedAt: h.now()}, "ping")
	h.work()
	h.pass(1234567 * time.Microsecond)
	h.keep(h.event("tied", "tied-later", handoff.Accepted, first.ID), "tied") // settles its failure
	twice := h.submit("twice", "Twice")
	for _, uid := range []string{"É", "a/é"} {
		h.keep(h.event("twice"+uid, uid, handoff.Accepted, twice.ID), "twice"+uid)
	}
	h.work()
	h.must2(h.WantCalls(ctx, handoff.CommandLine, site, twice.Lead, []handoff.BookingKey{{UID: "a/é"}, {UID: "É"}}))
	h.must(h.KeepUnverified(ctx, h.delivery("forged"), handoff.SignatureWrong, "of unknown origin"))
	for n := range 2 {
		d := h.delivery(fmt.Sprint("dismissed", n))
		d.Sealed = []byte{0, 1, 255}
		h.must(h.KeepUnverified(ctx, d, handoff.NoSecretProvided, ""))
		r, err := h.Dismiss(ctx, handoff.CommandLine, site, []handoff.FailureID{h.failureOf(d.Digest).ID}, "ours")
		if err != nil {
			h.t.Fatal(err)
		}
		if n == 1 {
			h.must(h.Undo(ctx, handoff.CommandLine, site, r.ID))
		}
	}
	h.must(h.KeepUnverified(ctx, h.delivery("proved-later"), handoff.SignatureWrong, ""))
	h.keep(h.event("proved", "proved", handoff.Requested, ""), "proved-later")
	h.must(h.KeepNotUnderstood(ctx, h.delivery("odd"), handoff.UnknownShape, "no payload"))

	// Work in every state: due, leased, given back with an error, asking.
	h.keep(h.event("unworked", "unworked", handoff.Accepted, ""), "unworked")
	h.ask("asked")
	h.pass(store.AskAfter)
	h.must(h.Defer(ctx, h.claim(store.KindAsk)[0], errors.New("not now"), 0))
	h.claim(store.KindAsk)
	h.ask("asked later")
	h.must(h.StartSweep(ctx, "another", site))
	h.page(store.Swept{Size: 100, Last: h.now().Add(-time.Minute), More: true, Observations: []handoff.Observation{h.made("elsewhere", 8, h.now(), "")}})
	h.must(h.StopReminders(ctx, site, first.ID))
	h.must(h.StartTelling(ctx, site, "mail_1", "slack_2"))
	waiting := h.submit("waiting", "Waiting")
	if _, ok, err := h.ClaimReminder(ctx, site, waiting.Lead, func(handoff.Waiting) int { return 2 }, time.UTC); !ok || err != nil {
		h.t.Fatal(ok, err)
	}
	for _, email := range []string{"Zoe@example.com", "anna@example.com", "émile@example.com"} {
		h.must(h.PutUser(ctx, store.User{Email: email, Name: "", PasswordHash: "$argon2id$" + email}))
		h.must(h.SetZone(ctx, handoff.CommandLine, email, "Pacific/Chatham"))
	}
	h.must(h.LearnShape(ctx, h.BodiesSeen()[0], handoff.Shape{"": "object", "uid": "text", "team": "null"}, never))
	h.Tally(store.Tally{Site: site, Kind: store.TallyVisit, At: "2026-11-23", Service: "s", Source: "é"})
	h.Sign(site, "secret/0123abcd", h.now())
	h.must(h.KeepTallies(ctx))
	operator := handoff.Actor{Name: "anna@example.com", Role: handoff.RoleOperator}
	for _, to := range []handoff.Stage{"contacted", "lost"} {
		_, err := h.SetStage(ctx, operator, site, waiting.Lead, h.lead(waiting.Lead).Stage, to, handoff.DefaultPipeline())
		h.must(err)
	}
	_, err := h.AddNote(ctx, operator, site, waiting.Lead, "Écrire\nnext week")
	h.must(err)
	h.must(h.PutView(ctx, handoff.Actor{Name: "anna@example.com"}, store.View{Name: "Mine", Query: "stage=lost"}))
	h.must(h.Note(ctx, handoff.CommandLine, handoff.Act{Action: "store.fill", Detail: "all of it"}))
	h.fullKeys()
	h.signsIn("Zoe@example.com", "Firefox on Windows")
	h.signsIn("émile@example.com", "")
	if _, err := h.Invite(ctx, handoff.CommandLine, "ärger@example.com", handoff.RoleViewer, []string{"a", "É"}); err != nil {
		h.t.Fatal(err)
	}
	handle, err := h.Handle(ctx, "anna@example.com")
	h.must(err)
	h.must(h.AddPasskey(ctx, handoff.CommandLine, store.Passkey{ID: "Key_1", Email: "anna@example.com", Handle: handle, Host: "a.example", Name: "Phone 📱", Doc: `{"x":1}`, Count: 1<<32 - 1}))
	_, err = h.BeginCeremony(ctx, store.Ceremony{Session: "s", Doc: "{}"})
	h.must(err)
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// beside is a harness on the copy, with the same clock.
func (h *harness) beside(t *testing.T, url string) *harness {
	t.Helper()
	c := &harness{t: t, at: h.now(), url: url}
	c.open()
	t.Cleanup(func() { c.Close() })
	return c
}

// A copy has everything, whatever the engines, and work goes on in it as it would
// have in the source.
func TestCopy(t *testing.T) {
	onEachPairing(t, func(t *testing.T, from *harness, to string) {
		found, err := store.Copy(t.Context(), from.url, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Rows == 0 || !f.Same || len(f.Digest) != 64 {
				t.Errorf("%+v", f)
			}
		}
		c := from.beside(t, to)
		got, want := strings.Split(c.everything(), "\n"), strings.Split(from.everything(), "\n")
		for i := range max(len(got), len(want)) {
			if i >= min(len(got), len(want)) || got[i] != want[i] {
				t.Fatalf("line %d of %d: the copy has %q, its source %q", i, len(want), got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
			}
		}

		// A later fact reconciles right in the copy, and what was due is done.
		c.pass(time.Hour)
		lead := c.leadNamed("anna")
		e := c.event("later", lead.Bookings[0].UID, handoff.Cancelled, "")
		c.keep(e, "later")
		if n := c.work(); n < 3 {
			t.Errorf("%d pieces of work, want what was due and what came", n)
		}
		if d := c.lead(lead.ID); d.Stage != "rebook" || len(d.History) != 3 || len(d.Bookings) != 1 {
			t.Errorf("after a later fact: %+v", d)
		}
		if d := from.lead(lead.ID); d.Stage != "booked" {
			t.Errorf("the source moved: %s", d.Stage)
		}
		if isNew := c.keep(c.event("e1", lead.Bookings[0].UID, handoff.Accepted, ""), "d1"); isNew {
			t.Error("the copy does not know an event of its source")
		}

		// A second copy into it is refused and changes nothing.
		before := c.everything()
		if _, err := store.Copy(t.Context(), from.url, to, nil); !errors.Is(err, handoff.ErrInvalid) || !strings.Contains(err.Error(), "has rows in leads already") {
			t.Errorf("a second copy: %v", err)
		}
		if c.everything() != before {
			t.Error("a refused copy changed something")
		}
	})
}

func (h *harness) leadNamed(name string) store.LeadDetail {
	h.t.Helper()
	leads, err := h.Leads(h.t.Context(), store.LeadFilter{Limit: 100})
	h.must(err)
	i := slices.IndexFunc(leads, func(l store.LeadSummary) bool { return l.Name == name })
	return h.lead(leads[i].ID)
}

// everything is what the reading methods tell of a store.
func (h *harness) everything() string {
	h.t.Helper()
	ctx, out := h.t.Context(), map[string]any{}
	leads, err := h.Leads(ctx, store.LeadFilter{Limit: 100})
	h.must(err)
	for _, l := range leads {
		out[string(l.ID)] = h.lead(l.ID)
	}
	failures, err := h.Failures(ctx, store.FailureFilter{Settled: true, Limit: 100})
	h.must(err)
	for _, f := range failures {
		d, err := h.Failure(ctx, nil, f.ID)
		h.must(err)
		out[string(f.ID)] = d
	}
	users, err := h.Users(ctx)
	h.must(err)
	slices.SortFunc(users, func(a, b store.User) int { return strings.Compare(a.Email, b.Email) })
	out["users"] = users
	for _, u := range users {
		if out["sessions of "+u.Email], err = h.Sessions(ctx, u.Email); err != nil {
			h.t.Fatal(err)
		}
		if out["passkeys of "+u.Email], err = h.Passkeys(ctx, u.Email); err != nil {
			h.t.Fatal(err)
		}
	}
	out["invitations"], err = h.Invitations(ctx)
	h.must(err)
	text, err := json.MarshalIndent(out, "", " ")
	h.must(err)
	return string(text)
}

// The list of tables is the schema: all tables, their keys, and those that others
// refer to first. A new table that is not in the list fails here.
func TestTables(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		keys, refers, err := db.Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		delete(keys, "goose_db_version") // each store has its own
		order, want := store.Tables()
		if !reflect.DeepEqual(keys, want) {
			t.Errorf("the schema has %v, and the list in tables.go %v", keys, want)
		}
		if len(refers) == 0 {
			t.Error("no table refers to another")
		}
		for name, others := range refers {
			for _, other := range others {
				if slices.Index(order, other) >= slices.Index(order, name) {
					t.Errorf("%s refers to %s, which comes later", name, other)
				}
			}
		}
		db.full()
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			if n := db.Setting(t.Context(), "SELECT CAST(count(*) AS TEXT) FROM "+name); n == "0" {
				t.Errorf("%s is empty in the full store: the copy's tests do not try it", name)
			}
		}
	})
}

// Comparing finds one value that differs, in any table and of any kind, and one
// row too many or too few; it names the table, and the target stays empty.
func TestCopyDiffers(t *testing.T) {
	onEachPairing(t, func(t *testing.T, from *harness, to string) {
		for table, query := range map[string]string{
			"leads":        `UPDATE leads SET name = 'Émile  🚿' WHERE name = 'Émile 🚿'`,
			"submissions":  `UPDATE submissions SET doc = replace(doc, '{', '{ ') WHERE form = 'form1'`,
			"deliveries":   `UPDATE deliveries SET verified = NOT verified WHERE digest = 'forged'`,
			"observations": `UPDATE observations SET reconciled_at = received_at WHERE id = 'unworked'`,
			"bookings":     `UPDATE bookings SET lead_id = NULL WHERE uid = 'tied-later'`,
			"history":      `UPDATE history SET note = note || ' ' WHERE to_stage = 'booked'`,
			"failures":     `UPDATE failures SET settled_by = '' WHERE settled_at IS NOT NULL`,
			"due":          `UPDATE due SET version = version + 1 WHERE key = 'asked'`,
			"sweeps":       `UPDATE sweeps SET skip = skip + 1 WHERE site = 'another'`,
			"users":        `INSERT INTO users (email, name, password_hash, created_at) VALUES ('z', '', '', '2026-01-01T00:00:00.000000Z')`,
			"sessions":     `UPDATE sessions SET expires_at = '2026-11-23T10:00:01.234568Z'`,
			"links":        `UPDATE links SET role = 'owner'`,
			"passkeys":     `UPDATE passkeys SET count = count - 1`,
			"ceremonies":   `DELETE FROM ceremonies`,
		} {
			found, err := store.CopyMeddled(t.Context(), from.url, to, query)
			if err == nil || !strings.Contains(err.Error(), "differs from its source in "+table+" (") {
				t.Errorf("%s: %v", table, err)
			}
			for _, f := range found {
				if f.Same == (f.Table == table) {
					t.Errorf("%s was changed: %+v", table, f)
				}
			}
		}
		if _, err := store.Copy(t.Context(), from.url, to, nil); err != nil {
			t.Errorf("the target is not empty after copies that differed: %v", err)
		}
	})
}

// The copy is of one moment, also while a server works on the source, and nobody
// gets a row into the target before the copy is done.
func TestCopyIsOfOneMoment(t *testing.T) {
	onEachPairing(t, func(t *testing.T, from *harness, to string) {
		migrate(t, to, false)
		c, before := from.beside(t, to), from.everything()
		found, err := store.CopyDuring(t.Context(), from.url, to, func() {
			late := from.submit("late"+to, "Late")
			from.keep(from.event("late"+to, "late", handoff.Accepted, late.ID), "late"+to)
			from.work()
			soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := c.PutUser(soon, store.User{Email: "late@example.com"}); err == nil {
				t.Error("an operator came into the target of a copy")
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 || c.everything() != before {
			t.Errorf("the copy is not as the source was when it began: %+v", found)
		}
	})
}

// Of two copies into one store one is done, and the other refused.
func TestCopyTwiceAtOnce(t *testing.T) {
	onEachPairing(t, func(t *testing.T, from *harness, to string) {
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := store.Copy(t.Context(), from.url, to, nil)
				errs <- err
			}()
		}
		one, two := <-errs, <-errs
		if one != nil {
			one, two = two, one
		}
		if one != nil || !errors.Is(two, handoff.ErrInvalid) || !strings.Contains(two.Error(), "already") {
			t.Errorf("one: %v; the other: %v", one, two)
		}
	})
}

// A copy that is broken off leaves a target that is empty.
func TestCopyBrokenOff(t *testing.T) {
	onEachPairing(t, func(t *testing.T, from *harness, to string) {
		if _, err := store.CopyMeddled(t.Context(), from.url, to, "nonsense"); err == nil {
			t.Error("nonsense worked")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := store.Copy(ctx, from.url, to, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		c := from.beside(t, to)
		if n, err := c.Count(t.Context(), nil); err != nil || len(n.Stages)+n.Failures != 0 {
			t.Errorf("%+v, %v", n, err)
		}
		c.Close()
		if _, err := store.Copy(t.Context(), from.url, to, nil); err != nil {
			t.Error(err)
		}
	})
}

// What is not fit for a copy is refused in words, and stays as it is.
func TestCopyRefuses(t *testing.T) {
	onEachPairing(t, func(t *testing.T, from *harness, to string) {
		ctx := t.Context()
		refused := func(from, to, words string) {
			t.Helper()
			if _, err := store.Copy(ctx, from, to, nil); !errors.Is(err, handoff.ErrInvalid) || !strings.Contains(err.Error(), words) {
				t.Errorf("from %s to %s: %v; want %q", from, to, err, words)
			}
		}
		refused(from.url, from.url, "has rows in leads already")
		none := filepath.Join(t.TempDir(), "none.db")
		refused(none, to, "there is no file")
		if _, err := os.Stat(none); err == nil {
			t.Error("a source was made")
		}
		refused(none, from.url, "to copy from")
		refused("mysql://x", to, "not supported")
		refused(from.url, "mysql://x", "not supported")

		migrate(t, to, false)
		at := migrate(t, to, true).To
		store.AddStep(t, "90000_later.sql", "CREATE TABLE later (id TEXT NOT NULL PRIMARY KEY);")
		older := fmt.Sprintf("has schema %d, and a copy needs 90000", at)
		refused(from.url, to, older)
		refused(to, from.url, older)
		newer := "sqlite:" + filepath.Join(t.TempDir(), "newer.db")
		migrate(t, newer, false)
		c, err := store.Open(ctx, newer, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exec(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`); err != nil {
			t.Fatal(err)
		}
		c.Close()
		refused(newer, to, "newer version")
		refused(from.url, to, older)
		if m := migrate(t, to, true); m.From != at {
			t.Errorf("a refused copy migrated its target: %+v", m)
		}
	})
}

// Text that PostgreSQL cannot keep is named with its place, and nothing is changed
// silently; SQLite takes it byte for byte.
func TestCopyOddText(t *testing.T) {
	onEachEngine(t, func(t *testing.T, from *harness) {
		if from.path == "" {
			return // PostgreSQL has none
		}
		from.full()
		for value, words := range map[string]string{"x'61ff62'": "not UTF-8", "x'610062'": "NUL character", "x'61eda080'": "not UTF-8"} {
			from.must(from.Exec(t.Context(), `UPDATE deliveries SET signature = CAST(`+value+` AS TEXT) WHERE digest = 'forged'`))
			to := newPostgres(t)
			_, err := store.Copy(t.Context(), from.url, to, nil)
			for _, word := range []string{words, "deliveries.signature", `site "acme"`, `digest "forged"`, "nothing was copied"} {
				if !errors.Is(err, handoff.ErrInvalid) || !strings.Contains(err.Error(), word) {
					t.Errorf("%s: %v; want %q", value, err, word)
				}
			}
			found, err := store.Copy(t.Context(), from.url, fresh["sqlite"](t), nil)
			if err != nil || len(found) == 0 {
				t.Errorf("%s to SQLite: %v", value, err)
			}
		}
		from.must(from.Exec(t.Context(), `UPDATE deliveries SET signature = '' WHERE digest = 'forged'`))
		if _, err := store.Copy(t.Context(), from.url, newPostgres(t), nil); err != nil {
			t.Errorf("changed in the source: %v", err)
		}
	})
}
