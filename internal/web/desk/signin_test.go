package desk

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

func form(email, password, next string) url.Values {
	return url.Values{"email": {email}, "password": {password}, "next": {next}}
}

// Whatever is wrong with what somebody typed, the answer is the same.
func TestSignInTellsNothing(t *testing.T) {
	b := newBench(t)
	b.must(b.db.PutUser(t.Context(), store.User{Email: "broken@x.example", PasswordHash: "$argon2id$nonsense"}))
	var said string
	for _, tt := range []struct {
		name, email, password string
		status                int
	}{
		{"good", email, password, 303},
		{"address in capitals, with spaces", " Priya@Brightwater.Example ", password, 303},
		{"wrong password", email, "correct horse batterz", 422},
		{"unknown operator", "nobody@brightwater.example", password, 422},
		{"no password", email, "", 422},
		{"nothing at all", "", "", 422},
		{"password too long", email, strings.Repeat("x", 10_000), 422},
		{"a hash that cannot be read", "broken@x.example", password, 422},
	} {
		v := b.visitor()
		p := v.post("/desk/sign-in", form(tt.email, tt.password, ""))
		if p.status != tt.status || (v.token() != "") != (tt.status == 303) {
			t.Errorf("%s: answered %d, token %q", tt.name, p.status, v.token())
		}
		if tt.status != 422 {
			continue
		}
		_, alert, _ := strings.Cut(p.body, `role="alert"`)
		alert, _, _ = strings.Cut(alert, "</div>")
		if said != "" && alert != said || alert == "" {
			t.Errorf("%s: said %q, others %q", tt.name, alert, said)
		}
		said = alert
		lacks(t, p.body, "batterz")
	}
	if v := b.visitor(); v.post("/desk/sign-in", url.Values{"email": {strings.Repeat("x", 20_000)}}).status != 400 {
		t.Error("a form of any size is read")
	}
}

// An unknown operator costs the same work as a known one: the same number of
// hashes of the same cost.
func TestUnknownOperatorCostsTheSameWork(t *testing.T) {
	b := newBench(t)
	if VerifyPassword(b.desk.decoy, "") || VerifyPassword("", "") || VerifyPassword(hashed(), "") {
		t.Error("an empty password is right")
	}
	var compared []parsedHash
	b.desk.compare = func(hash, password string) bool {
		h, err := parseHash(hash)
		b.must(err)
		compared = append(compared, h)
		return VerifyPassword(hash, password)
	}
	for _, f := range []url.Values{form(email, "wrong", ""), form("nobody@x.example", "wrong", ""), form(email, strings.Repeat("x", 5000), "")} {
		b.visitor().post("/desk/sign-in", f)
	}
	if len(compared) != 3 {
		t.Errorf("%d passwords were hashed, want 3", len(compared))
	}
	for _, h := range compared {
		if h.memory != hashMemory || h.time != hashTime || h.threads != hashThreads || len(h.key) != hashLen {
			t.Errorf("compared with %+v", h)
		}
	}
	// Without a free place all wait.
	for range maxHashing {
		b.desk.hashing <- struct{}{}
	}
	for _, hash := range []string{hashed(), "", "nonsense"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.desk.verify(ctx, false, hash, password); !errors.Is(err, errBusy) {
			t.Errorf("%.20q: %v", hash, err)
		}
	}
}

// That a wrong password was one of an operator is written down behind the answer: who
// waits for it could tell by the time whose addresses are operators'.
func TestARefusalDoesNotWaitForTheDisk(t *testing.T) {
	b := newBench(t)
	disk := make(chan struct{})
	b.desk.note = func(ctx context.Context, by handoff.Actor, acts ...handoff.Act) error {
		<-disk
		return b.db.Note(ctx, by, acts...)
	}
	answered := make(chan int)
	go func() { answered <- b.visitor().post("/desk/sign-in", form(email, "wrong password", "")).status }()
	select {
	case status := <-answered:
		if status != 422 {
			t.Errorf("answered %d", status)
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits for the disk")
	}
	close(disk)
	if acts := b.acts(); !strings.HasPrefix(acts[len(acts)-1], "session.refused") {
		t.Errorf("not written down: %q", acts)
	}
}

func TestPasswords(t *testing.T) {
	for _, tt := range []struct {
		password string
		ok       bool
	}{
		{"elevenchars", false},
		{"twelve chars", true},
		{"zwölfzeichen", true}, // counted in characters
		{strings.Repeat("x", MaxPassword), true},
		{strings.Repeat("x", MaxPassword+1), false},
	} {
		h, err := HashPassword(tt.password)
		if (err == nil) != tt.ok || !tt.ok && !errors.Is(err, handoff.ErrInvalid) {
			t.Errorf("%q: %v", tt.password, err)
		}
		if tt.ok && (!VerifyPassword(h, tt.password) || VerifyPassword(h, tt.password+"x") || VerifyPassword(h[:len(h)-3], tt.password)) {
			t.Errorf("%q: its hash does not verify as it should", tt.password)
		}
	}
	a, _ := HashPassword(password)
	if a == hashed() || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", a)
	}
	for _, hash := range []string{
		"$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$c29tZWtleXNvbWVrZXlzb21l",
		"$argon2id$v=19$m=19456,t=9999,p=1$c29tZXNhbHQ$c29tZWtleXNvbWVrZXlzb21l",
		"$argon2id$v=19$m=19456,t=2,p=1 x$c29tZXNhbHQ$c29tZWtleXNvbWVrZXlzb21l",
		"$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$c29tZWtleXNvbWVrZXlzb21l",
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$", "", "plain",
	} {
		if _, err := parseHash(hash); err == nil {
			t.Errorf("%q was read", hash)
		}
	}
}

// A source may try so often, then it has to wait; another one need not.
func TestTooManySignInsFromOneSource(t *testing.T) {
	b := newBench(t)
	b.desk.pause = func(context.Context, time.Duration) {}
	b.desk.Source = func(r *http.Request) string { return r.Header.Get("X-Test-Source") }
	v := b.visitor()
	for i := range maxSignIns {
		if p := v.do("POST", "/desk/sign-in", form(email, "wrong", ""), "X-Test-Source", "a"); p.status != 422 {
			t.Fatalf("attempt %d answered %d", i+1, p.status)
		}
	}
	p := v.do("POST", "/desk/sign-in", form(email, password, ""), "X-Test-Source", "a")
	if p.status != 429 || p.header.Get("Retry-After") == "" || v.token() != "" {
		t.Errorf("after %d attempts: %d, Retry-After %q", maxSignIns, p.status, p.header.Get("Retry-After"))
	}
	contains(t, p.body, "too many attempts")
	if p := v.do("POST", "/desk/sign-in", form(email, password, ""), "X-Test-Source", "b"); p.status != 303 {
		t.Errorf("the operator, elsewhere, is locked out: %d", p.status)
	}
}

// Who signs in is no attempt more of their source, however many do behind one address; nor
// does it take back what was wrong there, or let more try at once.
func TestManySignInFromOneSource(t *testing.T) {
	b := newBench(t)
	b.desk.pause = func(context.Context, time.Duration) {}
	b.desk.Source = func(*http.Request) string { return "the office" }
	for i := range maxSignIns + 5 {
		if p := b.visitor().post("/desk/sign-in", form(email, password, "")); p.status != 303 {
			t.Fatalf("the %dth who signs in: %d", i+1, p.status)
		}
	}
	wrong := func() int { return b.visitor().post("/desk/sign-in", form(email, "wrong", "")).status }
	for i := range maxSignIns - 1 {
		if got := wrong(); got != 422 {
			t.Fatalf("wrong attempt %d: %d", i+1, got)
		}
	}
	for range 3 {
		if p := b.visitor().post("/desk/sign-in", form(email, password, "")); p.status != 303 {
			t.Errorf("who signs in beside them: %d", p.status)
		}
	}
	if first, second := wrong(), wrong(); first != 422 || second != 429 {
		t.Errorf("the last two wrong attempts: %d, %d", first, second)
	}
	if p := b.visitor().post("/desk/sign-in", form(email, password, "")); p.status != 429 {
		t.Errorf("the right password after them: %d", p.status)
	}
}

// Attempts count from when they come: of many at once, no more are looked at.
func TestManySignInsAtOnce(t *testing.T) {
	b := newBench(t)
	b.desk.Source = func(*http.Request) string { return "one" }
	meanwhile := 0
	var others atomic.Bool
	b.desk.pause = func(context.Context, time.Duration) { // between its count and its password
		if others.Swap(true) {
			return
		}
		for range maxSignIns {
			meanwhile = b.visitor().post("/desk/sign-in", form(email, "wrong", "")).status
		}
	}
	if p := b.visitor().post("/desk/sign-in", form(email, password, "")); p.status != 303 || meanwhile != 429 {
		t.Errorf("it answered %d, and the last one meanwhile %d", p.status, meanwhile)
	}
}

// Wrong passwords make an account slow, within bounds, and no other account.
func TestAnAccountBecomesSlowAndIsNeverLocked(t *testing.T) {
	b := newBench(t)
	var waits []time.Duration
	b.desk.pause = func(_ context.Context, d time.Duration) { waits = append(waits, d) }
	n := 0
	b.desk.Source = func(*http.Request) string { n++; return string(rune('a' + n)) } // each from elsewhere
	v := b.visitor()
	for range slowAfter + 20 {
		v.post("/desk/sign-in", form(email, "wrong", ""))
	}
	if waits[0] != 0 || waits[slowAfter-1] != 0 || waits[slowAfter] != slowStep || waits[len(waits)-1] != slowest {
		t.Errorf("waits %v", waits)
	}
	if p := v.post("/desk/sign-in", form(email, password, "")); p.status != 303 {
		t.Errorf("the right password answered %d", p.status)
	}
	if got := b.desk.slowness("other@brightwater.example"); got != 0 {
		t.Errorf("another account waits %s", got)
	}
}

// Who knew a session's name before somebody signed in with it is not signed in.
func TestSignInRenewsTheSession(t *testing.T) {
	b := newBench(t)
	u, _ := url.Parse(b.url)
	v := b.visitor()
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: "handoff", Value: "planted", Path: "/"}})
	v.post("/desk/sign-in", form(email, password, ""))
	first := v.token()
	if first == "planted" || len(first) < 40 {
		t.Fatalf("token %q", first)
	}
	if p := v.post("/desk/sign-in", form(email, password, "")); p.status != 303 || v.token() == first {
		t.Fatalf("signed in again: %d, the same token %v", p.status, v.token() == first)
	}
	thief := b.visitor()
	for _, token := range []string{"planted", first} {
		thief.client.Jar.SetCookies(u, []*http.Cookie{{Name: "handoff", Value: token, Path: "/"}})
		if p := thief.get("/desk/"); p.status != 303 {
			t.Errorf("token %q opens the desk: %d", token, p.status)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct {
		secure bool
		want   []string
	}{
		{false, []string{"handoff=", "; Path=/", "; HttpOnly", "; SameSite=Lax"}},
		{true, []string{"__Host-handoff=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"}},
	} {
		d, err := New(Config{Store: b.db, Secure: tt.secure})
		b.must(err)
		r := httptest.NewRequest("POST", "/desk/sign-in", strings.NewReader(form(email, password, "").Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		cookie := w.Header().Get("Set-Cookie")
		for _, want := range tt.want {
			if !strings.Contains(cookie, want) {
				t.Errorf("secure %v: cookie %q lacks %q", tt.secure, cookie, want)
			}
		}
		if strings.Contains(cookie, "Domain") || strings.Contains(cookie, "Expires") {
			t.Errorf("cookie %q", cookie)
		}
	}
}

// A session ends when it is left, when it is not used, after its life, with its
// operator's password, and nothing else of it is left in the store.
func TestSessionsEnd(t *testing.T) {
	closed := func(v *visitor, why string) {
		t.Helper()
		if p := v.get("/desk/"); p.status != 303 || p.header.Get("Location") != "/desk/sign-in" {
			t.Errorf("%s: the desk answers %d", why, p.status)
		}
	}
	t.Run("signed out", func(t *testing.T) {
		b := newBench(t)
		v := b.signedIn()
		token := v.token()
		if p := v.get("/desk/sign-out"); p.status != 404 {
			t.Errorf("a link signs out: %d", p.status)
		}
		v.post("/desk/sign-out", nil)
		if v.token() != "" {
			t.Error("the cookie is left")
		}
		closed(v, "signed out")
		if _, _, err := b.db.Session(t.Context(), token); !errors.Is(err, handoff.ErrNotFound) {
			t.Error("the session is left in the store: ", err)
		}
	})
	t.Run("not used", func(t *testing.T) {
		b := newBench(t)
		v := b.signedIn()
		kept := func() time.Time {
			s, _, err := b.db.Session(t.Context(), v.token())
			b.must(err)
			return s.UsedAt
		}
		b.clock.pass(2 * sessionTouch)
		before := kept()
		// What the page fetches by itself is no use of it.
		if p := v.do("GET", "/desk/", nil, liveHeader, "1"); p.status != 200 || kept() != before {
			t.Errorf("live: %d, a use: %v", p.status, kept() != before)
		}
		if v.page("/desk/"); kept() == before {
			t.Error("a page that was asked for is no use")
		}
		b.clock.pass(store.SessionIdle)
		if p := v.do("GET", "/desk/", nil, liveHeader, "1"); p.status != 401 {
			t.Errorf("live, ended: %d", p.status)
		}
		closed(v, "idle")
	})
	t.Run("new password", func(t *testing.T) {
		b := newBench(t)
		v := b.signedIn()
		hash, err := HashPassword("another password")
		b.must(err)
		b.must(b.db.PutUser(t.Context(), store.User{Email: email, PasswordHash: hash}))
		closed(v, "new password")
	})
}

// A link to the sign-in page leads back into the desk, and nowhere else.
func TestNoOpenRedirect(t *testing.T) {
	b := newBench(t)
	for next, want := range map[string]string{
		"/desk/leads/lead_x?a=b":            "/desk/leads/lead_x?a=b",
		"/desk/failures?settled=1":          "/desk/failures?settled=1",
		"":                                  "/desk/",
		"https://evil.example/desk/":        "/desk/",
		"//evil.example/desk/":              "/desk/",
		"/\\evil.example/desk/":             "/desk/",
		"/desk/..//evil.example":            "/desk/",
		"/desk/../book/sub_1":               "/desk/",
		"/desk//evil.example":               "/desk/",
		"/desk/%2e%2e/%2e%2e/x":             "/desk/",
		"/desk/%5c..%5cevil.example":        "/desk/",
		"/deskevil":                         "/desk/",
		"javascript:alert(1)":               "/desk/",
		"/desk/\r\nSet-Cookie: a=b":         "/desk/",
		"/desk/#x":                          "/desk/",
		"/desk/sign-in?next=/desk/":         "/desk/",
		"/desk/sign-out":                    "/desk/",
		"/desk/events":                      "/desk/",
		"/desk/" + strings.Repeat("x", 600): "/desk/",
	} {
		if got := localPage(next); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
	}
	v := b.visitor()
	p := v.get("/desk/failures?settled=1")
	if to := p.header.Get("Location"); p.status != 303 || to != "/desk/sign-in?next=%2Fdesk%2Ffailures%3Fsettled%3D1" {
		t.Fatalf("%d to %q", p.status, to)
	}
	contains(t, v.page(p.header.Get("Location")), `name="next" value="/desk/failures?settled=1"`)
	if p := v.post("/desk/sign-in", form(email, password, "https://evil.example/")); p.header.Get("Location") != "/desk/" {
		t.Errorf("led to %q", p.header.Get("Location"))
	}
	if p := v.get("/desk/sign-in?next=//evil.example"); p.header.Get("Location") != "/desk/" {
		t.Errorf("signed in already: led to %q", p.header.Get("Location"))
	}
}

// Another website can neither sign anybody in nor out.
func TestCrossSiteWritesAreRefused(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	for _, path := range []string{"/desk/sign-in", "/desk/sign-out", "/desk/failures"} {
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
			if p := v.do("POST", path, form(email, password, ""), headers...); p.status != 403 {
				t.Errorf("POST %s with %v answered %d", path, headers, p.status)
			}
		}
	}
	v.page("/desk/") // still signed in
	if p := v.do("POST", "/desk/sign-out", nil, "Sec-Fetch-Site", "same-origin"); p.status != 303 {
		t.Errorf("our own form answered %d", p.status)
	}
}

// An address is what a database can keep, so that nobody's is an error.
func TestNormalizeEmail(t *testing.T) {
	for in, want := range map[string]string{
		" Dana@Example.com ": "dana@example.com",
		"a\x00@example.com":  "a\uFFFD@example.com",
		"\xff@example.com":   "\uFFFD@example.com",
	} {
		if got := NormalizeEmail(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A browser that somebody signed in with before is not held up by those who try their
// account, nor by others of the same network; nor does it help with another account.
func TestKnownBrowsersAreNotHeldUp(t *testing.T) {
	b := newBench(t)
	waited := time.Duration(0)
	b.desk.pause = func(_ context.Context, d time.Duration) { waited = d }
	b.desk.Source = func(*http.Request) string { return "the office" }
	v := b.signedIn()
	v.post("/desk/sign-out", nil)
	stranger := b.visitor()
	for range maxSignIns + 1 {
		stranger.post("/desk/sign-in", form(email, "wrong", ""))
	}
	if p := stranger.post("/desk/sign-in", form(email, password, "")); p.status != 429 {
		t.Errorf("the stranger: %d", p.status)
	}
	for range maxHashing {
		b.desk.hashing <- struct{}{} // all hash
	}
	if p := v.post("/desk/sign-in", form(email, password, "")); p.status != 303 || waited != 0 {
		t.Errorf("the operator's own browser: %d after %s", p.status, waited)
	}
	for range maxHashing {
		<-b.desk.hashing
	}
	// What makes it known is bounded too.
	v.post("/desk/sign-out", nil)
	last := 0
	for range maxSignIns + 1 {
		last = v.post("/desk/sign-in", form(email, "wrong", "")).status
	}
	if last != 429 || waited == 0 {
		t.Errorf("a known browser tries without end: %d after %s", last, waited)
	}
	// It is known for one account, by our own word.
	other := b.visitor()
	u, err := url.Parse(b.url)
	b.must(err)
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == knownCookie {
			r := httptest.NewRequest("POST", "/desk/sign-in", nil)
			r.AddCookie(c)
			if b.desk.known(r, email) == "" || b.desk.known(r, "other@brightwater.example") != "" {
				t.Error("known for the wrong account")
			}
			r = httptest.NewRequest("POST", "/desk/sign-in", nil)
			r.AddCookie(&http.Cookie{Name: knownCookie, Value: "A" + c.Value[1:]})
			if b.desk.known(r, email) != "" && c.Value[0] != 'A' {
				t.Error("a number that we did not give is known")
			}
			other.client.Jar.SetCookies(u, []*http.Cookie{c})
		}
	}
	if p := other.post("/desk/sign-in", form("other@brightwater.example", "wrong", "")); p.status != 429 {
		t.Errorf("another account: %d", p.status)
	}
}
