package store_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

var (
	owner  = handoff.Actor{Name: "owner@example.com", Role: handoff.RoleOwner}
	viewer = handoff.Actor{Name: "viewer@example.com", Role: handoff.RoleViewer, Sites: []string{"a"}}
)

// signsIn opens a session with the password that PutUser was given.
func (h *harness) signsIn(email, agent string) (token string) {
	h.t.Helper()
	u, err := h.User(h.t.Context(), email)
	h.must(err)
	token, err = h.OpenSession(h.t.Context(), store.SignIn{Email: email, With: "a password", Agent: agent, Source: "s1", PasswordHash: u.PasswordHash}, "")
	h.must(err)
	return token
}

func (h *harness) people() {
	h.t.Helper()
	h.must(h.PutUser(h.t.Context(), store.User{Email: owner.Name, Name: "O", PasswordHash: "o"}))
	h.must(h.PutUser(h.t.Context(), store.User{Email: viewer.Name, Name: "V", PasswordHash: "v", Role: viewer.Role, Sites: viewer.Sites}))
}

// open reports whether a token opens the desk.
func (h *harness) opens(token string) bool {
	h.t.Helper()
	_, _, err := h.Session(h.t.Context(), token)
	if err != nil && !errors.Is(err, handoff.ErrNotFound) {
		h.t.Fatal(err)
	}
	return err == nil
}

// acts are the audit log from the first on, as "action of subject by actor: detail".
func (h *harness) acts() (out []string) {
	h.t.Helper()
	all, err := h.Audit(h.t.Context(), store.AuditFilter{Limit: 1000})
	h.must(err)
	for _, a := range slices.Backward(all) {
		out = append(out, strings.TrimSuffix(a.Action+" of "+a.Subject+" by "+a.Actor+": "+a.Detail, ": "))
	}
	return out
}

func (h *harness) refuses(kind, err error, what string) {
	h.t.Helper()
	if !errors.Is(err, kind) {
		h.t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// A session is found by its token, tells whose it is, and ends when it is left, not
// used, or old; using it later does not bring it back.
func TestSessions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		token := h.signsIn(viewer.Name, "Firefox on Linux")
		s, u, err := h.Session(ctx, token)
		h.must(err)
		if s.Email != viewer.Name || s.Agent != "Firefox on Linux" || s.Source != "s1" || !s.CreatedAt.Equal(h.now()) || !s.UsedAt.Equal(h.now()) ||
			u.Actor().Name != viewer.Name || !slices.Equal(u.Sites, viewer.Sites) || !u.SeenAt.Equal(h.now()) || s.ID == token {
			t.Errorf("%+v of %+v", s, u)
		}
		if h.opens("other") || h.opens(s.ID) || h.opens("") {
			t.Error("opened with something else than its token")
		}
		h.pass(store.SessionIdle - time.Second)
		h.must(h.UseSession(ctx, s))
		h.pass(time.Minute)
		if u, err := h.User(ctx, viewer.Name); !h.opens(token) || err != nil || !u.SeenAt.Equal(h.now().Add(-time.Minute)) {
			t.Errorf("used, and it ended, or nobody saw it: %v %v", u.SeenAt, err)
		}
		h.pass(store.SessionIdle)
		if h.opens(token) {
			t.Error("not used, and it goes on")
		}
		h.must(h.PutUser(ctx, store.User{Email: "c@example.com", PasswordHash: "c"}))
		old := h.signsIn("c@example.com", "")
		oldest, _, err := h.Session(ctx, old)
		h.must(err)
		for range store.SessionLife/store.SessionIdle*2 + 1 {
			if h.opens(old) {
				h.must(h.UseSession(ctx, oldest))
			}
			h.pass(store.SessionIdle / 2)
		}
		if h.opens(old) {
			t.Error("it goes on for ever")
		}
		left := h.signsIn(viewer.Name, "")
		gone, _, err := h.Session(ctx, left)
		h.must(err)
		other := h.signsIn(viewer.Name, "")
		h.must(h.LeaveSession(ctx, left))
		h.must(h.LeaveSession(ctx, "nobody's"))
		h.must(h.UseSession(ctx, gone)) // it was loaded before it ended
		if h.opens(left) || !h.opens(other) {
			t.Error("the wrong session was left")
		}
		if list, err := h.Sessions(ctx, viewer.Name); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// A session opens only with what counts at that moment.
func TestSessionOpensWithWhatCountsNow(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		h.must(h.AddPasskey(ctx, viewer, store.Passkey{ID: "k", Email: viewer.Name, Doc: "{}", Count: 5}))
		h.must(h.AddPasskey(ctx, viewer, store.Passkey{ID: "zero", Email: viewer.Name, Doc: "{}"}))
		key := func(id string, count uint32) *store.Passkey {
			return &store.Passkey{ID: id, Email: viewer.Name, Doc: "{}", Count: count}
		}
		for _, c := range []struct {
			name string
			in   store.SignIn
			ok   bool
		}{
			{"the password", store.SignIn{Email: viewer.Name, PasswordHash: "v"}, true},
			{"the old password", store.SignIn{Email: viewer.Name, PasswordHash: "old"}, false},
			{"nothing", store.SignIn{Email: viewer.Name}, false},
			{"nobody", store.SignIn{Email: "gone@example.com", PasswordHash: "v"}, false},
			{"a passkey", store.SignIn{Email: viewer.Name, Passkey: key("k", 6)}, true},
			{"the same count again", store.SignIn{Email: viewer.Name, Passkey: key("k", 6)}, false},
			{"a smaller one", store.SignIn{Email: viewer.Name, Passkey: key("k", 5)}, false},
			{"none any more", store.SignIn{Email: viewer.Name, Passkey: key("k", 0)}, false},
			{"one that never counts", store.SignIn{Email: viewer.Name, Passkey: key("zero", 0)}, true},
			{"and again", store.SignIn{Email: viewer.Name, Passkey: key("zero", 0)}, true},
			{"another's passkey", store.SignIn{Email: owner.Name, Passkey: &store.Passkey{ID: "k", Email: owner.Name, Doc: "{}", Count: 9}}, false},
			{"a passkey that was removed", store.SignIn{Email: viewer.Name, Passkey: key("gone", 9)}, false},
		} {
			token, err := h.OpenSession(ctx, c.in, "")
			if (err == nil) != c.ok || h.opens(token) != c.ok || !c.ok && !errors.Is(err, handoff.ErrForbidden) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		first := h.signsIn(viewer.Name, "")
		second, err := h.OpenSession(ctx, store.SignIn{Email: viewer.Name, PasswordHash: "v"}, first)
		h.must(err)
		if h.opens(first) || !h.opens(second) {
			t.Error("the session that was replaced goes on")
		}
	})
}

// Sessions are ended one by one or all but one; of others only by an owner.
func TestSessionsAreEnded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		id := func(token string) string {
			s, _, err := h.Session(ctx, token)
			h.must(err)
			return s.ID
		}
		a, b, c := h.signsIn(viewer.Name, ""), h.signsIn(viewer.Name, ""), h.signsIn(viewer.Name, "")
		o := h.signsIn(owner.Name, "")
		h.refuses(handoff.ErrForbidden, h.EndSession(ctx, viewer, owner.Name, id(o)), "another's")
		h.refuses(handoff.ErrNotFound, h.EndSession(ctx, viewer, viewer.Name, id(o)), "another's as one's own")
		_, err := h.EndSessions(ctx, viewer, owner.Name, "")
		h.refuses(handoff.ErrForbidden, err, "all of another")
		h.must(h.EndSession(ctx, viewer, viewer.Name, id(a)))
		h.refuses(handoff.ErrNotFound, h.EndSession(ctx, viewer, viewer.Name, "none"), "none")
		if h.opens(a) || !h.opens(b) || !h.opens(o) {
			t.Error("the wrong one ended")
		}
		if n, err := h.EndSessions(ctx, viewer, viewer.Name, id(b)); n != 1 || err != nil || h.opens(c) || !h.opens(b) {
			t.Errorf("%d ended, %v", n, err)
		}
		if n, err := h.EndSessions(ctx, owner, viewer.Name, ""); n != 1 || err != nil || h.opens(b) || !h.opens(o) {
			t.Errorf("%d ended, %v", n, err)
		}
		_, err = h.EndSessions(ctx, owner, "nobody@example.com", "")
		h.refuses(handoff.ErrNotFound, err, "of nobody")
	})
}

// Another password ends what was opened with the old one.
func TestPasswordEndsSessions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		o := h.signsIn(owner.Name, "")
		mine, other := h.signsIn(viewer.Name, ""), h.signsIn(viewer.Name, "")
		s, _, err := h.Session(ctx, mine)
		h.must(err)
		reset, err := h.Reset(ctx, handoff.CommandLine, viewer.Name)
		h.must(err)
		h.must(h.SetPassword(ctx, viewer, viewer.Name, "v2", s.ID))
		if !h.opens(mine) || h.opens(other) || !h.opens(o) {
			t.Error("the wrong sessions ended")
		}
		if _, err := h.ResetLink(ctx, reset); !errors.Is(err, handoff.ErrNotFound) {
			t.Error("a link to a new password goes on: ", err)
		}
		h.must(h.PutUser(ctx, store.User{Email: viewer.Name, PasswordHash: "v3", Role: handoff.RoleOwner}))
		u, err := h.User(ctx, viewer.Name)
		h.must(err)
		if h.opens(mine) || !h.opens(o) || u.Name != "V" || u.Role != viewer.Role || !slices.Equal(u.Sites, viewer.Sites) {
			t.Errorf("the command line's password: %+v", u)
		}
		h.refuses(handoff.ErrNotFound, h.SetPassword(ctx, owner, "nobody@example.com", "x", ""), "of nobody")
	})
}

// Roles and sites are changed by owners only, count at once, and leave an owner.
func TestAccess(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		h.refuses(handoff.ErrForbidden, h.SetAccess(ctx, viewer, viewer.Name, handoff.RoleOwner, nil), "of oneself")
		h.refuses(handoff.ErrForbidden, h.SetAccess(ctx, handoff.Actor{Name: "x", Role: handoff.RoleOwner, Sites: []string{"a"}}, viewer.Name, handoff.RoleOwner, nil), "by an owner of one site")
		h.refuses(handoff.ErrForbidden, h.RemoveUser(ctx, viewer, owner.Name), "removal")
		h.refuses(handoff.ErrInvalid, h.SetAccess(ctx, owner, viewer.Name, handoff.RoleViewer, []string{}), "no sites")
		h.refuses(handoff.ErrNotFound, h.SetAccess(ctx, owner, "nobody@example.com", handoff.RoleViewer, nil), "nobody")
		for _, err := range []error{h.SetAccess(ctx, owner, owner.Name, handoff.RoleOperator, nil), h.RemoveUser(ctx, owner, owner.Name), h.RemoveUser(ctx, handoff.CommandLine, owner.Name)} {
			if h.refuses(handoff.ErrConflict, err, "the last owner"); !strings.Contains(handoff.WordsOf(err), "only owner") {
				t.Errorf("%v", err)
			}
		}
		token := h.signsIn(viewer.Name, "")
		h.must(h.AddPasskey(ctx, viewer, store.Passkey{ID: "k", Email: viewer.Name, Doc: "{}"}))
		h.must(h.SetAccess(ctx, owner, viewer.Name, handoff.RoleOperator, []string{"a", "b"}))
		h.must(h.SetAccess(ctx, owner, viewer.Name, handoff.RoleOperator, []string{"a", "b"})) // no act
		if _, u, err := h.Session(ctx, token); err != nil || u.Role != handoff.RoleOperator || !slices.Equal(u.Sites, []string{"a", "b"}) {
			t.Errorf("%+v, %v", u, err)
		}
		h.must(h.SetAccess(ctx, owner, viewer.Name, handoff.RoleOwner, nil))
		h.must(h.PutView(ctx, viewer, store.View{Name: "mine"}))
		h.must(h.RemoveUser(ctx, owner, viewer.Name))
		if views, err := h.Views(ctx, viewer.Name); err != nil || len(views) != 0 {
			t.Errorf("views are left: %v, %v", views, err)
		}
		if h.opens(token) {
			t.Error("the session of who was removed goes on")
		}
		if _, err := h.Passkey(ctx, "k"); !errors.Is(err, handoff.ErrNotFound) {
			t.Error("a passkey is left: ", err)
		}
	})
}

// An invitation of who is no owner any more is no way back in.
func TestInvitationsOfWhoIsNoOwner(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		bad := handoff.Actor{Name: "bad@example.com", Role: handoff.RoleOwner}
		for name, leave := range map[string]func() error{
			"removed": func() error { return h.RemoveUser(ctx, owner, bad.Name) },
			"demoted": func() error { return h.SetAccess(ctx, owner, bad.Name, handoff.RoleViewer, nil) },
		} {
			h.must(h.PutUser(ctx, store.User{Email: bad.Name, PasswordHash: "b"}))
			h.must(h.SetAccess(ctx, owner, bad.Name, handoff.RoleOwner, nil))
			theirs, err := h.Invite(ctx, bad, "friend@example.com", handoff.RoleOwner, nil)
			h.must(err)
			others, err := h.Invite(ctx, owner, "nora@example.com", handoff.RoleViewer, nil)
			h.must(err)
			h.must(h.SetAccess(ctx, owner, viewer.Name, handoff.RoleOperator, nil)) // somebody else's
			h.must(h.SetAccess(ctx, owner, viewer.Name, handoff.RoleViewer, nil))
			if _, err := h.Invitation(ctx, theirs); err != nil {
				t.Errorf("%s: before: %v", name, err)
			}
			h.must(leave())
			_, err = h.Invitation(ctx, theirs)
			h.refuses(handoff.ErrNotFound, err, name)
			if _, err := h.Invitation(ctx, others); err != nil {
				t.Errorf("%s: of another owner: %v", name, err)
			}
			if deeds := h.acts(); !strings.HasSuffix(deeds[len(deeds)-1], "; links that they made taken back: 1") {
				t.Errorf("%s: %s", name, deeds[len(deeds)-1])
			}
		}
	})
}

// Keys of the API outlive who made them, who saw their tokens: the audit log says that
// there are such.
func TestKeysOfWhoIsNoOwner(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		gone := handoff.Actor{Name: "gone@example.com", Role: handoff.RoleOwner}
		h.must(h.PutUser(ctx, store.User{Email: gone.Name, PasswordHash: "b"}))
		for i, life := range []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour} {
			_, _, err := h.CreateKey(ctx, gone, handoff.APIKey{Name: string(rune('a' + i)), Scopes: []handoff.Scope{handoff.LeadsRead}, ExpiresAt: h.now().Add(life)})
			h.must(err)
		}
		keys, err := h.Keys(ctx, owner)
		h.must(err)
		h.must(h.RevokeKey(ctx, owner, keys[0].ID))
		h.pass(time.Hour) // another has expired
		for _, leave := range []func() error{
			func() error { return h.SetAccess(ctx, owner, gone.Name, handoff.RoleViewer, nil) },
			func() error { return h.RemoveUser(ctx, owner, gone.Name) },
		} {
			h.must(leave())
			if deeds := h.acts(); !strings.HasSuffix(deeds[len(deeds)-1], "; keys of the API that they made and that still work: 1") {
				t.Error(deeds[len(deeds)-1])
			}
		}
	})
}

// What an owner asked for in the moment in which they were removed or demoted is
// refused: who asks often enough would always be in time with one request.
func TestWhoWasAnOwnerWhenTheyAsked(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		bad := handoff.Actor{Name: "bad@example.com", Role: handoff.RoleOwner} // as the request has it
		for name, leave := range map[string]func() error{
			"removed": func() error { return h.RemoveUser(ctx, owner, bad.Name) },
			"demoted": func() error { return h.SetAccess(ctx, owner, bad.Name, handoff.RoleViewer, nil) },
		} {
			h.must(h.PutUser(ctx, store.User{Email: bad.Name, PasswordHash: "b"}))
			h.must(h.SetAccess(ctx, owner, bad.Name, handoff.RoleOwner, nil))
			made, _ := h.key(name)
			h.must(leave())
			before := h.acts()
			_, err := h.Invite(ctx, bad, "friend@example.com", handoff.RoleOwner, nil)
			h.refuses(handoff.ErrForbidden, err, name+" invites")
			_, err = h.Reset(ctx, bad, owner.Name)
			h.refuses(handoff.ErrForbidden, err, name+" makes a link")
			h.refuses(handoff.ErrForbidden, h.SetAccess(ctx, bad, viewer.Name, handoff.RoleOwner, nil), name+" makes an owner")
			h.refuses(handoff.ErrForbidden, h.RemoveUser(ctx, bad, viewer.Name), name+" removes")
			_, err = h.RemovePasskeys(ctx, bad, viewer.Name)
			h.refuses(handoff.ErrForbidden, err, name+" takes passkeys")
			_, err = h.EndSessions(ctx, bad, viewer.Name, "")
			h.refuses(handoff.ErrForbidden, err, name+" ends sessions")
			h.refuses(handoff.ErrForbidden, h.RevokeInvitation(ctx, bad, "nobody@example.com"), name+" revokes an invitation")
			_, _, err = h.CreateKey(ctx, bad, handoff.APIKey{Name: "back", Scopes: []handoff.Scope{handoff.LeadsRead}, ExpiresAt: h.now().Add(time.Hour)})
			h.refuses(handoff.ErrForbidden, err, name+" makes a key")
			h.refuses(handoff.ErrForbidden, h.RevokeKey(ctx, bad, made.ID), name+" revokes a key")
			if after := h.acts(); len(after) != len(before) {
				t.Errorf("%s: %v", name, after[len(before):])
			}
		}
	})
}

// Two owners who remove one another at once leave one.
func TestOwnersRemoveOneAnother(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		for range 5 {
			names := []string{"a@example.com", "b@example.com"}
			for _, name := range names {
				h.must(h.PutUser(ctx, store.User{Email: name, PasswordHash: name}))
			}
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for i := range names {
				wg.Go(func() {
					errs[i] = h.RemoveUser(ctx, handoff.Actor{Name: names[1-i], Role: handoff.RoleOwner}, names[i])
				})
			}
			wg.Wait()
			if left, err := h.Users(ctx); err != nil || len(left) != 1 {
				t.Fatalf("%d owners are left: %v, %v", len(left), errs, err)
			}
		}
	})
}

// An invitation lets one person in, once, within a week, as what the owner chose.
func TestInvitations(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		const email = "new@example.com"
		invite := func() string {
			token, err := h.Invite(ctx, owner, email, handoff.RoleOperator, []string{"a"})
			h.must(err)
			return token
		}
		gone := func(token, why string) {
			t.Helper()
			_, err := h.Invitation(ctx, token)
			h.refuses(handoff.ErrNotFound, err, why)
			_, err = h.AcceptInvitation(ctx, token, "New", "n", nil)
			h.refuses(handoff.ErrNotFound, err, why)
			if _, err := h.User(ctx, email); !errors.Is(err, handoff.ErrNotFound) {
				t.Errorf("%s: somebody is in: %v", why, err)
			}
		}
		_, err := h.Invite(ctx, viewer, email, handoff.RoleViewer, nil)
		h.refuses(handoff.ErrForbidden, err, "by a viewer")
		_, err = h.Invite(ctx, owner, "nonsense", handoff.RoleViewer, nil)
		h.refuses(handoff.ErrInvalid, err, "no address")
		_, err = h.Invite(ctx, owner, viewer.Name, handoff.RoleViewer, nil)
		h.refuses(handoff.ErrConflict, err, "who is here")
		gone("guessed", "guessed")
		first := invite()
		second := invite()
		gone(first, "replaced")
		if list, err := h.Invitations(ctx); err != nil || len(list) != 1 || list[0].Email != email || list[0].By != owner.Name {
			t.Errorf("%+v, %v", list, err)
		}
		h.refuses(handoff.ErrForbidden, h.RevokeInvitation(ctx, viewer, email), "revoked by a viewer")
		h.must(h.RevokeInvitation(ctx, owner, email))
		h.refuses(handoff.ErrNotFound, h.RevokeInvitation(ctx, owner, email), "revoked twice")
		gone(second, "revoked")
		third := invite()
		_, err = h.ResetLink(ctx, third)
		h.refuses(handoff.ErrNotFound, err, "as a link to a new password")
		h.pass(store.InvitationLife)
		gone(third, "too old")
		if list, err := h.Invitations(ctx); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
		fourth := invite()
		_, err = h.AcceptInvitation(ctx, fourth, "", "n", nil)
		h.refuses(handoff.ErrInvalid, err, "without a name")
		errs := make([]error, 4) // at once
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, errs[i] = h.AcceptInvitation(ctx, fourth, "New", "n", nil) })
		}
		wg.Wait()
		if n := len(slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err != nil })); n != 1 {
			t.Errorf("%d were let in: %v", n, errs)
		}
		u, err := h.User(ctx, email)
		h.must(err)
		if u.Name != "New" || u.Role != handoff.RoleOperator || !slices.Equal(u.Sites, []string{"a"}) {
			t.Errorf("%+v", u)
		}
		if list, err := h.Invitations(ctx); err != nil || len(list) != 0 {
			t.Errorf("it is used, and waits: %+v, %v", list, err)
		}
		h.must(h.RemoveUser(ctx, owner, email))
		gone(fourth, "used, and its operator removed")
		keyed, err := h.Invite(ctx, owner, "keyed@example.com", handoff.RoleViewer, nil)
		h.must(err)
		_, err = h.AcceptInvitation(ctx, keyed, "Keyed", "", &store.Passkey{ID: "k", Handle: "h", Name: "Phone", Doc: "{}"})
		h.must(err)
		if p, err := h.Passkey(ctx, "k"); err != nil || p.Email != "keyed@example.com" || p.Handle != "h" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// A link to a new password is good for an hour, once, and ends all sessions.
func TestResets(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		_, err := h.Reset(ctx, viewer, owner.Name)
		h.refuses(handoff.ErrForbidden, err, "by a viewer")
		_, err = h.Reset(ctx, owner, "nobody@example.com")
		h.refuses(handoff.ErrNotFound, err, "for nobody")
		old, err := h.Reset(ctx, owner, viewer.Name)
		h.must(err)
		h.pass(store.ResetLife)
		_, err = h.UseReset(ctx, old, "x")
		h.refuses(handoff.ErrNotFound, err, "too old")
		token, err := h.Reset(ctx, owner, viewer.Name)
		h.must(err)
		session := h.signsIn(viewer.Name, "")
		_, err = h.Invitation(ctx, token)
		h.refuses(handoff.ErrNotFound, err, "as an invitation")
		if l, err := h.ResetLink(ctx, token); err != nil || l.Email != viewer.Name || !h.opens(session) {
			t.Errorf("%+v, %v", l, err)
		}
		u, err := h.UseReset(ctx, token, "v2")
		h.must(err)
		if stored, err := h.User(ctx, viewer.Name); err != nil || stored.PasswordHash != "v2" || u.PasswordHash != "v2" || h.opens(session) {
			t.Errorf("%+v, %v", stored, err)
		}
		_, err = h.UseReset(ctx, token, "v3")
		h.refuses(handoff.ErrNotFound, err, "again")
	})
}

// Passkeys are their owner's, and nobody removes the last way to sign in.
func TestPasskeys(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		one, err := h.Handle(ctx, viewer.Name)
		h.must(err)
		again, err := h.Handle(ctx, viewer.Name)
		h.must(err)
		other, err := h.Handle(ctx, owner.Name)
		h.must(err)
		if one != again || one == other || len(one) < 40 {
			t.Errorf("handles %q, %q, %q", one, again, other)
		}
		key := store.Passkey{ID: "k", Email: viewer.Name, Host: "a.example", Name: "Phone", Doc: `{"a":1}`, Count: 7}
		h.must(h.AddPasskey(ctx, viewer, key))
		stolen := key
		stolen.Email = owner.Name
		h.refuses(handoff.ErrConflict, h.AddPasskey(ctx, owner, stolen), "the same for another")
		if got, err := h.Passkey(ctx, "k"); err != nil || got.Email != viewer.Name || got.Handle != one || got.Doc != key.Doc || got.Count != 7 || !got.UsedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		h.refuses(handoff.ErrForbidden, h.RemovePasskey(ctx, viewer, owner.Name, "k"), "another's")
		h.refuses(handoff.ErrNotFound, h.RemovePasskey(ctx, owner, owner.Name, "k"), "another's as one's own")
		h.must(h.RemovePasskey(ctx, viewer, viewer.Name, "k"))
		h.must(h.AddPasskey(ctx, viewer, key))
		h.must(h.SetPassword(ctx, viewer, viewer.Name, "", ""))
		h.refuses(handoff.ErrConflict, h.RemovePasskey(ctx, viewer, viewer.Name, "k"), "the last way")
		for i := range store.MaxPasskeys - 1 {
			key.ID = strings.Repeat("x", i+1)
			h.must(h.AddPasskey(ctx, viewer, key))
		}
		key.ID = "one more"
		h.refuses(handoff.ErrConflict, h.AddPasskey(ctx, viewer, key), "too many")
		h.must(h.RemovePasskey(ctx, viewer, viewer.Name, "k"))
		if list, err := h.Passkeys(ctx, viewer.Name); err != nil || len(list) != store.MaxPasskeys-1 {
			t.Errorf("%d, %v", len(list), err)
		}
		key.ID, key.Email = "of the owner", owner.Name
		h.must(h.AddPasskey(ctx, owner, key))
		_, err = h.RemovePasskeys(ctx, viewer, owner.Name)
		h.refuses(handoff.ErrForbidden, err, "all of another")
		_, err = h.RemovePasskeys(ctx, owner, "nobody@example.com")
		h.refuses(handoff.ErrNotFound, err, "of nobody")
		if n, err := h.RemovePasskeys(ctx, owner, viewer.Name); n != store.MaxPasskeys-1 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
		if _, err := h.Passkey(ctx, "of the owner"); err != nil {
			t.Error(err)
		}
	})
}

// What an authenticator was asked is answered once, in the session in which it was
// asked, within minutes.
func TestCeremonies(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		begin := func() string {
			token, err := h.BeginCeremony(ctx, store.Ceremony{Session: "s", Doc: "asked"})
			h.must(err)
			return token
		}
		fails := func(token, session, why string) {
			t.Helper()
			_, err := h.EndCeremony(ctx, token, session)
			h.refuses(handoff.ErrNotFound, err, why)
		}
		token := begin()
		fails("guessed", "s", "guessed")
		fails(token, "t", "in another session")
		fails(token, "", "without one")
		if c, err := h.EndCeremony(ctx, token, "s"); err != nil || c.Doc != "asked" {
			t.Errorf("%+v, %v", c, err)
		}
		fails(token, "s", "again")
		late := begin()
		h.pass(store.CeremonyLife)
		fails(late, "s", "too late")
		begin()
		if n := h.Setting(ctx, `SELECT CAST(count(*) AS TEXT) FROM ceremonies`); n != "1" {
			t.Errorf("%s are kept", n)
		}
	})
}

// Each act upon people is in the audit log, with who did it.
func TestPeopleAreInTheAuditLog(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.people()
		token := h.signsIn(viewer.Name, "")
		h.must(h.LeaveSession(ctx, token))
		h.signsIn(viewer.Name, "")
		_, err := h.EndSessions(ctx, owner, viewer.Name, "")
		h.must(err)
		h.must(h.SetPassword(ctx, viewer, viewer.Name, "v2", ""))
		h.must(h.SetAccess(ctx, owner, viewer.Name, handoff.RoleOperator, []string{"a"}))
		h.must(h.AddPasskey(ctx, viewer, store.Passkey{ID: "k", Email: viewer.Name, Host: "a.example", Name: "Phone", Doc: "{}"}))
		h.must(h.RemovePasskey(ctx, viewer, viewer.Name, "k"))
		reset, err := h.Reset(ctx, handoff.CommandLine, viewer.Name)
		h.must(err)
		_, err = h.UseReset(ctx, reset, "v3")
		h.must(err)
		h.must(h.RemoveUser(ctx, owner, viewer.Name))
		_, err = h.Invite(ctx, owner, "new@example.com", handoff.RoleViewer, nil)
		h.must(err)
		h.must(h.RevokeInvitation(ctx, owner, "new@example.com"))
		invitation, err := h.Invite(ctx, owner, "new@example.com", handoff.RoleViewer, nil)
		h.must(err)
		_, err = h.AcceptInvitation(ctx, invitation, "New", "n", nil)
		h.must(err)
		want := []string{
			"user.add of owner@example.com by command line: owner of all sites",
			"user.add of viewer@example.com by command line: viewer of a",
			"session.open of viewer@example.com by viewer@example.com: with a password",
			"session.leave of viewer@example.com by viewer@example.com",
			"session.open of viewer@example.com by viewer@example.com: with a password",
			"session.end of viewer@example.com by owner@example.com: 1 session ended",
			"user.password of viewer@example.com by viewer@example.com: changed; 0 sessions ended",
			"user.access of viewer@example.com by owner@example.com: viewer of a → operator of a",
			"passkey.add of viewer@example.com by viewer@example.com: “Phone” for a.example",
			"passkey.remove of viewer@example.com by viewer@example.com: “Phone”",
			"reset.make of viewer@example.com by command line",
			"user.password of viewer@example.com by viewer@example.com: changed; 0 sessions ended",
			"user.remove of viewer@example.com by owner@example.com: operator of a",
			"invitation.make of new@example.com by owner@example.com: viewer of all sites",
			"invitation.revoke of new@example.com by owner@example.com",
			"invitation.make of new@example.com by owner@example.com: viewer of all sites",
			"user.add of new@example.com by new@example.com: viewer of all sites",
		}
		if got := h.acts(); !slices.Equal(got, want) {
			t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Strangers send cookies of their own making: they are looked up, and nobody who writes
// waits for them.
func TestMadeUpTokensWriteNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		release, held, done := make(chan struct{}), make(chan struct{}), make(chan error)
		var given store.Answer
		ctx := store.WithWrite(t.Context(), store.Write{}, func(*handoff.Act) store.Answer { // while a transaction has the writer
			close(held)
			<-release
			return store.Answer{}
		}, &given)
		go func() { done <- h.Note(ctx, owner, handoff.Act{Action: "test.slow"}) }()
		<-held
		stuck := time.AfterFunc(5*time.Second, func() {
			t.Error("they wait for the writer")
			close(release)
		})
		for _, token := range []string{"", "made up"} {
			_, err := h.EndCeremony(t.Context(), token, "")
			h.refuses(handoff.ErrNotFound, err, "a ceremony")
			if err := h.LeaveSession(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		if stuck.Stop() {
			close(release)
		}
		h.must(<-done)
	})
}
