package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

var keeper = handoff.CommandLine

// key makes a key of the API that lives for a day.
func (h *harness) key(name string, sites ...string) (store.Key, string) {
	h.t.Helper()
	k, token, err := h.CreateKey(h.t.Context(), keeper, handoff.APIKey{
		Name: name, Scopes: []handoff.Scope{handoff.LeadsRead, handoff.FailuresWrite}, Sites: sites, ExpiresAt: h.now().Add(24 * time.Hour),
	})
	h.must(err)
	return k, token
}

// fullKeys fills the tables of the API.
func (h *harness) fullKeys() {
	h.t.Helper()
	ctx := h.t.Context()
	k, _ := h.key("Zoë's", site, "another")
	old, _ := h.key("anna")
	h.must(h.RevokeKey(ctx, keeper, old.ID))
	h.must(h.TouchKey(ctx, k))
	var given store.Answer
	h.must(h.Note(h.write(k, "w-1", "POST", &given), k.Actor(), handoff.Act{Action: "test.write", Subject: "x"}))
}

// write is the context of a write that a client named.
func (h *harness) write(k store.Key, name, request string, given *store.Answer) context.Context {
	return store.WithWrite(h.t.Context(), store.Write{KeyID: k.ID, Name: name, Digest: store.DigestOf(request, "/", nil)}, func(a *handoff.Act) store.Answer {
		if a == nil {
			return store.Answer{Status: 204}
		}
		return store.Answer{Status: 201, Body: a.ID}
	}, given)
}

// A token opens what its key may until the key expires or is revoked; nothing else
// opens anything, and the store does not hold it.
func TestKeys(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		k, token := h.key("reports", site)
		other, otherToken := h.key("other")
		got, err := h.KeyOf(ctx, token)
		h.must(err)
		a := got.Actor()
		if got.ID != k.ID || a.Name != "key reports" || a.Role != handoff.RoleOperator || !slices.Equal(a.Sites, []string{site}) || !slices.Equal(got.Scopes, k.Scopes) {
			t.Errorf("%+v as %+v", got, a)
		}
		if !strings.HasPrefix(token, "hk_") || len(token) != 94 || strings.ContainsFunc(token, func(r rune) bool { return r != '_' && (r < '0' || r > '9' && r < 'a' || r > 'z') }) {
			t.Errorf("token %q", token)
		}
		secret := token[len(token)-64:]
		if n := h.Setting(ctx, `SELECT CAST(count(*) AS TEXT) FROM api_keys WHERE secret_hash = '`+secret+`' OR id LIKE '%`+secret+`%' OR name LIKE '%`+secret+`%'`); n != "0" {
			t.Error("the store holds the secret: ", n)
		}
		last := strings.TrimSuffix(token, token[len(token)-1:]) + "0"
		if last == token {
			last = token[:len(token)-1] + "1"
		}
		for name, wrong := range map[string]string{
			"empty": "", "another's secret": token[:30] + otherToken[30:], "one character": last, "cut": token[:len(token)-1], "longer": token + "0",
			"upper case": strings.ToUpper(token), "unknown": "hk_" + strings.Repeat("0", 26) + "_" + secret, "no separator": strings.Replace(token, "_"+secret, "x"+secret, 1),
			"no text": "hk_" + strings.Repeat("\xff", 26) + "_" + secret, "a character of none": "hk_" + strings.Repeat("\x00", 26) + "_" + secret,
		} {
			if _, err := h.KeyOf(ctx, wrong); !errors.Is(err, handoff.ErrUnverified) {
				t.Errorf("%s: %v", name, err)
			}
		}
		h.must(h.RevokeKey(ctx, keeper, other.ID))
		h.must(h.RevokeKey(ctx, keeper, other.ID)) // no second act
		if _, err := h.KeyOf(ctx, otherToken); !errors.Is(err, handoff.ErrUnverified) {
			t.Errorf("revoked: %v", err)
		}
		h.pass(24*time.Hour - time.Second)
		_, err = h.KeyOf(ctx, token)
		h.must(err)
		h.pass(time.Second)
		if _, err := h.KeyOf(ctx, token); !errors.Is(err, handoff.ErrUnverified) {
			t.Errorf("expired: %v", err)
		}
		acts, err := h.Audit(ctx, store.AuditFilter{Subject: other.ID})
		h.must(err)
		if len(acts) != 2 || acts[0].Action != "key.revoke" || acts[1].Action != "key.create" || acts[0].Actor != keeper.Name || !strings.Contains(acts[1].Detail, ": leads:read, failures:write for ") || strings.Contains(acts[1].Detail, secret) {
			t.Errorf("audit log: %+v", acts)
		}
	})
}

// Only owners manage keys, and of no site that they do not see.
func TestWhoManagesKeys(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		half := handoff.Actor{Name: "half", Role: handoff.RoleOwner, Sites: []string{"a", "b"}}
		h.must(h.PutUser(ctx, store.User{Email: half.Name, PasswordHash: "h", Role: half.Role, Sites: half.Sites}))
		all, _ := h.key("of all")
		mine, _ := h.key("of a", "a")
		_, _ = h.key("of a and c", "a", "c")
		ask := handoff.APIKey{Name: "new", Scopes: []handoff.Scope{handoff.LeadsRead}, ExpiresAt: h.now().Add(time.Hour)}
		for _, c := range []struct {
			by    handoff.Actor
			sites []string
			want  error
		}{
			{handoff.Actor{Name: "o", Role: handoff.RoleOperator}, nil, handoff.ErrForbidden},
			{handoff.Actor{}, nil, handoff.ErrForbidden},
			{half, nil, handoff.ErrForbidden},
			{half, []string{"a", "c"}, handoff.ErrForbidden},
			{half, []string{}, handoff.ErrInvalid},
			{half, []string{"a", "b"}, nil},
			{keeper, nil, handoff.ErrConflict}, // the name is taken by now
		} {
			ask.Sites = c.sites
			if _, _, err := h.CreateKey(ctx, c.by, ask); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%+v makes a key of %v: %v", c.by, c.sites, err)
			}
		}
		names := func(by handoff.Actor) (out []string) {
			keys, err := h.Keys(ctx, by)
			h.must(err)
			for _, k := range keys {
				out = append(out, k.Name)
			}
			return out
		}
		if got := names(half); !slices.Equal(got, []string{"new", "of a"}) {
			t.Errorf("half sees %v", got)
		}
		if got := names(keeper); len(got) != 4 {
			t.Errorf("the owner sees %v", got)
		}
		if _, err := h.Keys(ctx, handoff.Actor{Role: handoff.RoleOperator}); !errors.Is(err, handoff.ErrForbidden) {
			t.Error(err)
		}
		if err := h.RevokeKey(ctx, half, all.ID); !errors.Is(err, handoff.ErrNotFound) {
			t.Errorf("half revokes a key of all: %v", err)
		}
		if err := h.RevokeKey(ctx, handoff.Actor{Role: handoff.RoleOperator}, mine.ID); !errors.Is(err, handoff.ErrForbidden) {
			t.Error(err)
		}
		if err := h.RevokeKey(ctx, keeper, "key_nonsense"); !errors.Is(err, handoff.ErrNotFound) {
			t.Error(err)
		}
		h.must(h.RevokeKey(ctx, half, mine.ID))
	})
}

// A key's last use is written once a minute.
func TestKeyLastUsed(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		_, token := h.key("reports")
		used := func() time.Time {
			k, err := h.KeyOf(ctx, token)
			h.must(err)
			h.must(h.TouchKey(ctx, k))
			k, err = h.KeyOf(ctx, token)
			h.must(err)
			return k.LastUsedAt
		}
		first := h.now()
		for _, c := range []struct {
			after time.Duration
			want  time.Time
		}{{0, first}, {59 * time.Second, first}, {time.Second, first.Add(time.Minute)}} {
			h.pass(c.after)
			if got := used(); !got.Equal(c.want) {
				t.Errorf("used %v, want %v", got, c.want)
			}
		}
	})
}

// A write and its answer are kept together: one that fails keeps no answer, one that
// is done is never done again under its name, and the answer is kept for a day.
func TestWritesAreDoneOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		k, _ := h.key("writer")
		act := handoff.Act{Action: "test.write", Subject: "x"}
		written := func() int {
			acts, err := h.Audit(ctx, store.AuditFilter{Subject: "x"})
			h.must(err)
			return len(acts)
		}
		find := func(name, request string) (store.Answer, bool, error) {
			return h.Answered(ctx, store.Write{KeyID: k.ID, Name: name, Digest: store.DigestOf(request, "/", nil)})
		}
		var given store.Answer
		if err := h.RevokeKey(h.write(k, "one", "POST", &given), keeper, "key_none"); !errors.Is(err, handoff.ErrNotFound) {
			t.Fatal(err)
		}
		if _, ok, err := find("one", "POST"); ok || err != nil || given != (store.Answer{}) {
			t.Errorf("a write that failed was answered: %v %v %+v", ok, err, given)
		}
		h.must(h.Note(h.write(k, "one", "POST", &given), k.Actor(), act))
		a, ok, err := find("one", "POST")
		if !ok || err != nil || a != given || a.Status != 201 || !strings.HasPrefix(a.Body, "act_") {
			t.Errorf("answer %+v %v %v, given %+v", a, ok, err, given)
		}
		if _, _, err := find("one", "PUT"); !errors.Is(err, handoff.ErrInvalid) {
			t.Errorf("another request under the same name: %v", err)
		}
		other, _ := h.key("other")
		if _, ok, err := h.Answered(ctx, store.Write{KeyID: other.ID, Name: "one", Digest: store.DigestOf("POST", "/", nil)}); ok || err != nil {
			t.Errorf("another key has the answer: %v %v", ok, err)
		}
		if err := h.Note(h.write(k, "one", "POST", &given), k.Actor(), act); !errors.Is(err, store.ErrUnderWay) || !errors.Is(err, handoff.ErrConflict) {
			t.Errorf("done twice: %v", err)
		}
		if n := written(); n != 1 {
			t.Errorf("%d acts, want 1", n)
		}

		// Of many at once one is done.
		var wg sync.WaitGroup
		errs := make(chan error, 16)
		for range cap(errs) {
			wg.Go(func() {
				var given store.Answer
				errs <- h.Note(h.write(k, "crowd", "POST", &given), k.Actor(), act)
			})
		}
		wg.Wait()
		done := 0
		for range cap(errs) {
			if err := <-errs; err == nil {
				done++
			} else if !errors.Is(err, store.ErrUnderWay) {
				t.Error(err)
			}
		}
		if done != 1 || written() != 2 {
			t.Errorf("%d were done, %d acts", done, written())
		}

		// Nothing to do is an answer too.
		h.must(h.RevokeKey(ctx, keeper, other.ID))
		h.must(h.RevokeKey(h.write(k, "nothing", "POST", &given), keeper, other.ID))
		if given.Status != 204 {
			t.Errorf("nothing to do was answered with %+v", given)
		}

		h.pass(23 * time.Hour)
		if _, ok, _ := find("one", "POST"); !ok {
			t.Error("forgotten within a day")
		}
		h.pass(time.Hour)
		if _, ok, _ := find("one", "POST"); ok {
			t.Error("known after a day")
		}
		h.must(h.Note(h.write(k, "one", "POST", &given), k.Actor(), act))
		if n := h.Setting(ctx, `SELECT CAST(count(*) AS TEXT) FROM idempotency`); n != "1" {
			t.Errorf("%s answers are kept", n)
		}
		h.pass(25 * time.Hour)
		k.LastUsedAt = time.Time{}
		h.must(h.TouchKey(ctx, k))
		if n := h.Setting(ctx, `SELECT CAST(count(*) AS TEXT) FROM idempotency`); n != "0" {
			t.Errorf("%s answers are kept", n)
		}
	})
}

// Everything that a key can write keeps its answer in the transaction that writes it:
// the act that the audit log has. Done once more under the same name, it is not done.
func TestEveryWriteKeepsItsAnswer(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		k, _ := h.key("writer")
		by := k.Actor()
		lead := h.submit("f", "Dana").Lead
		h.keep(h.event("e1", "u1", handoff.Accepted, ""), "d1")
		h.work()
		booking := h.waiting()[0].ID
		forged := h.delivery("d2")
		forged.Sealed = []byte("sealed")
		h.must(h.KeepUnverified(t.Context(), forged, handoff.SignatureWrong, ""))
		var delivery handoff.FailureID
		for _, f := range h.waiting() {
			if f.Reason == handoff.SignatureWrong {
				delivery = f.ID
			}
		}
		var note handoff.Note
		var resolution store.Resolution
		var change handoff.Change
		pipeline := handoff.DefaultPipeline()
		read := func(d handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
			d.Trigger, d.Body, d.Sealed = "PING", []byte("{}"), nil
			return d, handoff.Event{ID: "ping", Site: site, Trigger: "PING", Ignored: "sign of life", CreatedAt: h.now()}, nil
		}
		for _, w := range []struct {
			action string
			do     func(context.Context) error
		}{
			{"lead.stage", func(ctx context.Context) (err error) {
				c, err := h.SetStage(ctx, by, site, lead, h.lead(lead).Stage, "won", pipeline)
				if err == nil {
					change = c
				}
				return err
			}},
			{"lead.stage.undo", func(ctx context.Context) error {
				_, err := h.UndoStage(ctx, by, site, lead, change.Cause, pipeline)
				return err
			}},
			{"note.add", func(ctx context.Context) error {
				n, err := h.AddNote(ctx, by, site, lead, "text")
				if err == nil {
					note = n
				}
				return err
			}},
			{"note.delete", func(ctx context.Context) error { return h.DeleteNote(ctx, by, site, lead, note.ID) }},
			{"failure.ask", func(ctx context.Context) error { return h.AskAbout(ctx, by, site, booking) }},
			{"failure.attach", func(ctx context.Context) error {
				r, err := h.Attach(ctx, by, site, booking, lead, "")
				if err == nil {
					resolution = r
				}
				return err
			}},
			{"failure.undo", func(ctx context.Context) error { return h.Undo(ctx, by, site, resolution.ID) }},
			{"failure.verify", func(ctx context.Context) error { return second(h.ReadAgain(ctx, by, site, delivery, read)) }},
			{"failure.dismiss", func(ctx context.Context) error {
				_, err := h.Dismiss(ctx, by, site, []handoff.FailureID{booking}, "")
				return err
			}},
		} {
			var given store.Answer
			h.must(w.do(h.write(k, w.action, w.action, &given)))
			h.work()
			a, ok, err := h.Answered(t.Context(), store.Write{KeyID: k.ID, Name: w.action, Digest: store.DigestOf(w.action, "/", nil)})
			if !ok || err != nil || a != given || a.Status != 201 {
				t.Errorf("%s: kept %+v %v %v, given %+v", w.action, a, ok, err, given)
			}
			acts, err := h.Audit(t.Context(), store.AuditFilter{Action: w.action})
			h.must(err)
			if len(acts) != 1 || acts[0].ID != a.Body {
				t.Errorf("%s: the answer is %s, and the audit log has %+v", w.action, a.Body, acts)
			}
			if err := w.do(h.write(k, w.action, w.action, &given)); err == nil {
				t.Errorf("%s was done twice", w.action)
			}
			if acts, err = h.Audit(t.Context(), store.AuditFilter{Action: w.action}); err != nil || len(acts) != 1 {
				t.Errorf("%s twice: %+v %v", w.action, acts, err)
			}
		}
	})
}
