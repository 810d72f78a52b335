package desk

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

var shownToken = regexp.MustCompile(`<textarea id="token"[^>]* readonly [^>]*>(hk_[0-9a-z_]+)</textarea>`)

// An owner makes keys, sees each token once, and revokes them; nobody else does.
func TestAPIKeys(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	contains(t, v.page("/desk/api-keys"), "There are none", "northside", "leads:read", "<h1>Keys of the API</h1>")
	contains(t, v.page("/desk/"), `href="/desk/api-keys"`)
	form := url.Values{"name": {"reports <b>"}, "scope": {"leads:read", "sites:read"}, "site": {"northside"}, "days": {"90"}}
	p := v.do("POST", "/desk/api-keys", form)
	token := shownToken.FindStringSubmatch(p.body)
	if p.status != 201 || token == nil || p.header.Get("Cache-Control") != "no-store" || strings.Contains(p.body, "data-live") {
		t.Fatalf("%d %v %s", p.status, p.header, p.body)
	}
	contains(t, p.body, `data-copy="token"`, `id="said"`, "/desk/assets/desk.") // which has what Copy does
	k, err := b.db.KeyOf(t.Context(), token[1])
	b.must(err)
	if k.Name != "reports <b>" || len(k.Scopes) != 2 || len(k.Sites) != 1 || k.Sites[0] != "northside" || k.CreatedBy != email || k.ExpiresAt.Sub(k.CreatedAt).Round(time.Hour) != 90*24*time.Hour {
		t.Errorf("key %+v", k)
	}
	page := v.page("/desk/api-keys")
	contains(t, page, "reports &lt;b&gt;", "leads:read, sites:read", "Northside", "Works", "never")
	lacks(t, page, token[1], "reports <b>")

	for _, c := range []struct {
		change func(url.Values)
		status int
		says   string
	}{
		{func(url.Values) {}, 422, "There is, or was, a key named"}, // sent again
		{func(f url.Values) { f.Set("name", " ") }, 422, "Give the key a name"},
		{func(f url.Values) { f.Set("name", strings.Repeat("x", 61)) }, 422, "60 characters or fewer"},
		{func(f url.Values) { f.Set("name", "b"); f.Del("scope") }, 422, "at least one thing"},
		{func(f url.Values) { f.Set("name", "b"); f.Set("days", "731") }, 400, "Not understood"},
		{func(f url.Values) { f.Set("name", "b"); f.Set("site", "elsewhere") }, 404, "Not here"},
	} {
		f := url.Values{}
		for name, values := range form {
			f[name] = values
		}
		c.change(f)
		if p := v.do("POST", "/desk/api-keys", f); p.status != c.status || !strings.Contains(p.body, c.says) || shownToken.MatchString(p.body) {
			t.Errorf("%v: %d", f, p.status)
		}
	}
	if p := v.do("POST", "/desk/api-keys/"+k.ID+"/revoke", url.Values{}); p.status != 303 || p.header.Get("Location") != "/desk/api-keys" {
		t.Errorf("revoked: %d", p.status)
	}
	if _, err := b.db.KeyOf(t.Context(), token[1]); err == nil {
		t.Error("it still works")
	}
	contains(t, v.page("/desk/api-keys"), "Revoked")
	if p := v.do("POST", "/desk/api-keys/key_none/revoke", url.Values{}); p.status != 404 {
		t.Errorf("none revoked: %d", p.status)
	}

	const other = "otto@brightwater.example"
	b.must(b.db.PutUser(t.Context(), store.User{Email: other, PasswordHash: hashed(), Role: handoff.RoleOperator}))
	o := b.signedInAs(other)
	for _, p := range []got{o.get("/desk/api-keys"), o.do("POST", "/desk/api-keys", form), o.do("POST", "/desk/api-keys/"+k.ID+"/revoke", url.Values{})} {
		if p.status != 403 {
			t.Errorf("an operator: %d", p.status)
		}
		lacks(t, p.body, "reports")
	}
	lacks(t, o.page("/desk/"), `href="/desk/api-keys"`)
}

// signedInAs is a visitor who is signed in under another address, with the same password.
func (b *bench) signedInAs(address string) *visitor {
	b.t.Helper()
	v := b.visitor()
	if got := v.post("/desk/sign-in", url.Values{"email": {address}, "password": {password}}); got.status != 303 {
		b.t.Fatalf("sign-in answered %d", got.status)
	}
	return v
}
