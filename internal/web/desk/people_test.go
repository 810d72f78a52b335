package desk

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

const userAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// fromAgent signs in with a browser that says what it is.
func (b *bench) fromAgent(agent string) *visitor {
	b.t.Helper()
	v := b.visitor()
	if p := v.do("POST", "/desk/sign-in", form(email, password, ""), "User-Agent", agent); p.status != 303 {
		b.t.Fatalf("sign-in answered %d", p.status)
	}
	return v
}

func (b *bench) acts() (out []string) {
	b.t.Helper()
	b.desk.notes.Wait()
	all, err := b.db.Audit(b.t.Context(), store.AuditFilter{})
	b.must(err)
	for _, a := range slices.Backward(all) {
		out = append(out, a.Action+" "+a.Subject+" "+a.Actor+" "+a.Detail)
	}
	return out
}

// A person sees where they are signed in, and ends one session or all others; the page
// says nothing of addresses and tokens.
func TestOwnSessions(t *testing.T) {
	b := newBench(t)
	b.desk.Source, b.desk.hides = func(*http.Request) string { return "digest-of-an-address" }, true
	v, phone, old := b.fromAgent(userAgent), b.fromAgent("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605 Version/18.0 Mobile/15E148 Safari/604.1"), b.fromAgent("curl/8")
	page := v.page("/desk/account")
	contains(t, page, "Firefox on Linux", "Safari on iPhone", "A browser on an unknown system", "this one", "End all others", "Owner of all sites")
	lacks(t, page, "digest-of-an-address", "127.0.0.1", v.token(), phone.token(), "AppleWebKit")
	s, _, err := b.db.Session(t.Context(), phone.token())
	b.must(err)
	if s.Source != "digest-of-an-address" {
		t.Errorf("source %q", s.Source)
	}
	other := b.as(handoff.RoleViewer)
	if p := other.post("/desk/account/sessions/end", url.Values{"id": {s.ID}}); p.status != 404 {
		t.Errorf("another's session: %d", p.status)
	}
	phone.page("/desk/")
	if p := v.post("/desk/account/sessions/end", url.Values{"id": {s.ID}}); p.status != 303 {
		t.Fatalf("ending a session: %d", p.status)
	}
	if p := phone.get("/desk/"); p.status != 303 {
		t.Errorf("the session that was ended: %d", p.status)
	}
	old.page("/desk/")
	contains(t, v.page(v.post("/desk/account/sessions/end-others", nil).header.Get("Location")), "Your other sessions are ended")
	if p := old.get("/desk/"); p.status != 303 {
		t.Errorf("another session: %d", p.status)
	}
	other.page("/desk/")
	v.page("/desk/")
	lacks(t, v.page("/desk/account"), "End all others")
	// Where addresses would be shown, none are kept.
	b.desk.hides = false
	s, _, err = b.db.Session(t.Context(), b.fromAgent("").token())
	b.must(err)
	if s.Source != "" {
		t.Errorf("an address is kept: %q", s.Source)
	}
}

// Another password takes the present one, and ends all other sessions.
func TestOwnPassword(t *testing.T) {
	b := newBench(t)
	b.desk.pause = func(context.Context, time.Duration) {}
	v, other := b.signedIn(), b.signedIn()
	change := func(current, next string) got {
		return v.post("/desk/account/password", url.Values{"current": {current}, "password": {next}})
	}
	for _, c := range []struct{ current, next, says string }{
		{"wrong password", "another password", "Your present password is not right."},
		{"", "another password", "Your present password is not right."},
		{password, "short", "at least 12 characters"},
		{password, strings.Repeat("x", 201), "at most 200 bytes"},
	} {
		p := change(c.current, c.next)
		if p.status != 422 {
			t.Errorf("%q to %q: %d", c.current, c.next, p.status)
		}
		contains(t, p.body, c.says)
	}
	other.page("/desk/")
	if p := change(password, "another password"); p.status != 303 {
		t.Fatalf("%d", p.status)
	}
	v.page("/desk/")
	if p := other.get("/desk/"); p.status != 303 {
		t.Errorf("another session goes on: %d", p.status)
	}
	if p := b.visitor().post("/desk/sign-in", form(email, password, "")); p.status != 422 {
		t.Errorf("the old password: %d", p.status)
	}
	if p := b.visitor().post("/desk/sign-in", form(email, "another password", "")); p.status != 303 {
		t.Errorf("the new password: %d", p.status)
	}
}

// Owners see everybody, change what they may do, end their sessions and remove them;
// it counts from the next request on. The last owner stays.
func TestPeople(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	victim := b.as(handoff.RoleOperator)
	const theirs = "operator@brightwater.example"
	page := v.page("/desk/people")
	contains(t, page, "Priya Raman", "The operator", theirs, "Operator of all sites", "Owner of all sites", "1 session", ">you<")
	victim.page("/desk/leads?site=northside")
	for _, c := range []struct {
		form   url.Values
		status int
	}{
		{url.Values{"role": {"operator"}, "of": {"some"}}, 400},
		{url.Values{"role": {"admin"}, "of": {"all"}}, 400},
		{url.Values{"role": {"viewer"}}, 400}, // neither all nor some: not all
		{url.Values{"role": {"viewer"}, "of": {"some"}, "site": {"brightwater"}}, 303},
	} {
		c.form.Set("email", theirs)
		if p := v.post("/desk/people/access", c.form); p.status != c.status {
			t.Errorf("%v: %d", c.form, p.status)
		}
	}
	if p := victim.get("/desk/leads?site=northside"); p.status != 404 {
		t.Errorf("a site that is not seen any more: %d", p.status)
	}
	contains(t, v.page("/desk/people?done=access"), "Viewer of Brightwater", "The change counts from now on.")
	for path, f := range map[string]url.Values{
		"/desk/people/access": {"email": {email}, "role": {"viewer"}, "of": {"all"}},
		"/desk/people/remove": {"email": {email}, "sure": {"yes"}},
	} {
		p := v.post(path, f)
		if p.status != 409 {
			t.Errorf("%s of the last owner: %d", path, p.status)
		}
		contains(t, p.body, "is the only owner")
	}
	if p := v.post("/desk/people/sign-out", url.Values{"email": {theirs}}); p.status != 303 || victim.get("/desk/").status != 303 {
		t.Errorf("signed out: %d", p.status)
	}
	again := b.signedIn()
	if p := v.post("/desk/people/sign-out", url.Values{"email": {email}}); p.status != 303 || again.get("/desk/").status != 303 || v.get("/desk/").status != 200 {
		t.Errorf("one's own others: %d", p.status)
	}
	if p := v.post("/desk/people/remove", url.Values{"email": {theirs}}); p.status != 400 {
		t.Errorf("removed without being sure: %d", p.status)
	}
	if p := v.post("/desk/people/remove", url.Values{"email": {theirs}, "sure": {"yes"}}); p.status != 303 {
		t.Errorf("removed: %d", p.status)
	}
	lacks(t, v.page("/desk/people"), theirs)
	if p := v.post("/desk/people/sign-out", url.Values{"email": {theirs}}); p.status != 404 {
		t.Errorf("who is gone: %d", p.status)
	}
}

var shownLink = regexp.MustCompile(`<textarea id="link" readonly[^>]*>([^<]*)</textarea><button type="button" data-copy="link"`)

// link is the path of the link on a page that shows one.
func (b *bench) link(page string) string {
	b.t.Helper()
	m := shownLink.FindStringSubmatch(page)
	if m == nil || !strings.HasPrefix(m[1], b.url) {
		b.t.Fatalf("no link on the page, or not to here: %v", m)
	}
	return strings.TrimPrefix(m[1], b.url)
}

// An invitation's link is shown once, lets one person in as what was chosen, and leads
// nowhere then.
func TestInvitationByLink(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	invite := func(f url.Values) got { return v.post("/desk/people/invite", f) }
	grant := func(address string) url.Values {
		return url.Values{"email": {address}, "role": {"operator"}, "of": {"some"}, "site": {"northside"}}
	}
	for _, f := range []url.Values{grant("nonsense"), grant(email), {"email": {"a@example.com"}, "role": {"viewer"}, "of": {"some"}}} {
		p := invite(f)
		if p.status != 422 || !strings.Contains(p.body, `role="alert"`) || !strings.Contains(p.body, `value="`+f.Get("email")+`"`) {
			t.Errorf("%v: %d", f, p.status)
		}
		if list, err := b.db.Invitations(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("%v: %v, %v", f, list, err)
		}
	}
	p := invite(grant(" Nora@Brightwater.Example"))
	if p.status != 200 {
		t.Fatalf("invited: %d", p.status)
	}
	link := b.link(p.body)
	contains(t, p.body, "nora@brightwater.example", "shown this once")
	lacks(t, p.body, "data-live")
	list := v.page("/desk/people")
	contains(t, list, "Who is invited", "nora@brightwater.example", "Operator of Northside", email)
	lacks(t, list, link)

	guest := b.visitor()
	contains(t, guest.page(link), "You are invited", "nora@brightwater.example", "Operator of Northside")
	for _, f := range []url.Values{
		{"name": {""}, "password": {"long enough, this"}},
		{"name": {"Nora"}, "password": {"short"}},
		{"name": {strings.Repeat("x", 300)}, "password": {"long enough, this"}},
	} {
		if p := guest.post(link, f); p.status != 422 || guest.token() != "" {
			t.Errorf("%v: %d", f, p.status)
		}
	}
	if p := guest.post(link, url.Values{"name": {"Nora"}, "password": {"long enough, this"}, "email": {"evil@example.com"}, "role": {"owner"}}); p.status != 303 || p.header.Get("Location") != "/desk/" {
		t.Fatalf("taken up: %d", p.status)
	}
	contains(t, guest.page("/desk/account"), "nora@brightwater.example", "Operator of Northside")
	for _, p := range []got{b.visitor().get(link), b.visitor().post(link, url.Values{"name": {"Eve"}, "password": {"long enough, this"}})} {
		if p.status != 404 {
			t.Errorf("again: %d", p.status)
		}
		contains(t, p.body, "This link leads nowhere any more")
	}
	second := b.link(invite(grant("otto@brightwater.example")).body)
	if p := v.post("/desk/people/revoke", url.Values{"email": {"otto@brightwater.example"}}); p.status != 303 {
		t.Errorf("taken back: %d", p.status)
	}
	if p := b.visitor().get(second); p.status != 404 {
		t.Errorf("taken back: %d", p.status)
	}
	if p := b.visitor().get(strings.Replace(second, "invitations", "resets", 1)); p.status != 404 {
		t.Errorf("as another link: %d", p.status)
	}
}

// A link to a new password is made by an owner, sets it once and ends the sessions.
func TestNewPasswordByLink(t *testing.T) {
	b := newBench(t)
	v, lost := b.signedIn(), b.as(handoff.RoleViewer)
	const theirs = "viewer@brightwater.example"
	if p := v.post("/desk/people/reset", url.Values{"email": {"nobody@example.com"}}); p.status != 404 {
		t.Errorf("for nobody: %d", p.status)
	}
	link := b.link(v.post("/desk/people/reset", url.Values{"email": {theirs}}).body)
	guest := b.visitor()
	contains(t, guest.page(link), "A new password", theirs)
	lost.page("/desk/")
	if p := guest.post(link, url.Values{"password": {"short"}}); p.status != 422 {
		t.Errorf("too short: %d", p.status)
	}
	if p := guest.post(link, url.Values{"password": {"a password of mine"}}); p.status != 303 {
		t.Fatalf("set: %d", p.status)
	}
	guest.page("/desk/")
	if p := lost.get("/desk/"); p.status != 303 {
		t.Errorf("a session of before: %d", p.status)
	}
	if p := b.visitor().post(link, url.Values{"password": {"another of mine"}}); p.status != 404 {
		t.Errorf("again: %d", p.status)
	}
	if p := b.visitor().post("/desk/sign-in", form(theirs, "a password of mine", "")); p.status != 303 {
		t.Errorf("the new password: %d", p.status)
	}
}

// However many wrong passwords come, from wherever, and at once: the right one, from
// elsewhere, opens the desk, and the log does not fill.
func TestAFloodLocksNobodyOut(t *testing.T) {
	b := newBench(t)
	b.desk.Source = func(r *http.Request) string { return r.Header.Get("X-Test-Source") }
	b.desk.compare = func(hash, password string) bool { time.Sleep(time.Millisecond); return VerifyPassword(hash, password) }
	before := len(b.acts())
	ctx, stop := context.WithCancel(t.Context())
	finished := make(chan int)
	const flood = 64 // at once
	for i := range flood {
		go func() {
			n := 0
			defer func() { finished <- n }()
			for ctx.Err() == nil {
				body := strings.NewReader(form(email, "wrong password", "").Encode())
				r, err := http.NewRequestWithContext(ctx, "POST", b.url+"/desk/sign-in", body)
				if err != nil {
					return
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("X-Test-Source", strconv.Itoa(i)+"-"+strconv.Itoa(n/maxSignIns)) // a new one when the last is used up
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					return
				}
				res.Body.Close()
				n++
			}
		}()
	}
	for end := time.Now().Add(10 * time.Second); b.desk.slowness(email) < slowest; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the flood does not slow the account")
		}
	}
	start := time.Now()
	p := b.visitor().do("POST", "/desk/sign-in", form(email, password, ""), "X-Test-Source", "elsewhere")
	if took := time.Since(start); p.status != 303 || took > slowest+hashWait {
		t.Errorf("the right password: %d after %s", p.status, took)
	}
	stop()
	total := 0
	for range flood {
		total += <-finished
	}
	refused := 0
	for _, a := range b.acts()[before:] {
		if strings.HasPrefix(a, "session.refused "+email+" not signed in ") {
			refused++
		}
	}
	if refused == 0 || refused > 4 {
		t.Errorf("%d wrong passwords made %d rows in the log", total, refused)
	}
}

// The log keeps a few of an account's refusals, and none of an address that is nobody's.
func TestRefusalsInTheLogAreFew(t *testing.T) {
	b := newBench(t)
	b.desk.pause = func(context.Context, time.Duration) {}
	b.desk.compare = func(string, string) bool { return false }
	n := 0
	b.desk.Source = func(*http.Request) string { n++; return strconv.Itoa(n) }
	v := b.visitor()
	for range 101 {
		v.post("/desk/sign-in", form(email, "wrong password", ""))
		v.post("/desk/sign-in", form("nobody@example.com", "wrong password", ""))
	}
	var got []string
	for _, a := range b.acts() {
		if strings.HasPrefix(a, "session.refused") {
			got = append(got, a)
		}
	}
	of := "session.refused " + email + " not signed in "
	if want := []string{of + "a wrong password", of + "10 wrong passwords within a quarter of an hour", of + "100 wrong passwords within a quarter of an hour"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A password that was changed while it was checked opens nothing.
func TestSignInWhileThePasswordChanges(t *testing.T) {
	b := newBench(t)
	b.desk.compare = func(hash, said string) bool {
		other, err := HashPassword("another password")
		b.must(err)
		b.must(b.db.SetPassword(context.Background(), handoff.CommandLine, email, other, ""))
		return VerifyPassword(hash, said)
	}
	v := b.visitor()
	if p := v.post("/desk/sign-in", form(email, password, "")); p.status != 422 || v.token() != "" {
		t.Errorf("%d, %q", p.status, v.token())
	}
}

// A session that ends while a page is made does not come back with it.
func TestSessionDoesNotComeBack(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	b.clock.pass(2 * sessionTouch)
	s, _, err := b.db.Session(t.Context(), v.token())
	b.must(err)
	_, err = b.db.EndSessions(t.Context(), handoff.CommandLine, email, "")
	b.must(err)
	b.must(b.db.UseSession(t.Context(), s)) // as a page does that read it before
	if _, _, err := b.db.Session(t.Context(), v.token()); !errors.Is(err, handoff.ErrNotFound) {
		t.Errorf("it is back: %v", err)
	}
}

// Where mail is sent, an invitation's link goes by mail too if its owner wants that, and
// the page says when it did not.
func TestInvitationByMail(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	invite := func(mail string) string {
		return v.post("/desk/people/invite", url.Values{"email": {"nora@brightwater.example"}, "role": {"viewer"}, "of": {"some"}, "site": {"northside"}, "mail": {mail}}).body
	}
	lacks(t, v.page("/desk/people"), "by mail too")
	lacks(t, invite("yes"), "by mail")
	type letter struct{ to, subject, text string }
	var sent []letter
	var fails error
	b.desk.Mail = func(_ context.Context, to, subject, text string) error {
		sent = append(sent, letter{to, subject, text})
		return fails
	}
	contains(t, v.page("/desk/people"), "Send the link by mail too")
	lacks(t, invite(""), "by mail")
	if len(sent) != 0 {
		t.Errorf("sent without being asked: %v", sent)
	}
	page := invite("yes")
	contains(t, page, "sent to them by mail")
	if len(sent) != 1 || sent[0].to != "nora@brightwater.example" || sent[0].subject != "You are invited to the desk of Northside" ||
		!strings.Contains(sent[0].text, b.url+b.link(page)) || !strings.Contains(sent[0].text, "Priya Raman (priya@brightwater.example) invites you") {
		t.Errorf("%v", sent)
	}
	fails = errors.New("the mail server is away")
	page = invite("yes")
	contains(t, page, "could not be sent", b.link(page))
	lacks(t, page, "mail server is away")
}
