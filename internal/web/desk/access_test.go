package desk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// as signs in an operator of a role, who sees some sites; none: all.
func (b *bench) as(role handoff.Role, sites ...string) *visitor {
	b.t.Helper()
	address := string(role) + strings.Join(sites, "-") + "@brightwater.example"
	b.must(b.db.PutUser(b.t.Context(), store.User{Email: address, Name: "The " + string(role), PasswordHash: hashed(), Role: role, Sites: sites}))
	token, err := b.db.OpenSession(b.t.Context(), store.SignIn{Email: address, PasswordHash: hashed()}, "")
	b.must(err)
	u, err := url.Parse(b.url)
	b.must(err)
	v := b.visitor()
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: sessionCookie, Value: token, Path: "/"}})
	return v
}

// ask asks for an address and does not wait for the end of the answer.
func (v *visitor) ask(method, path string) int {
	v.t.Helper()
	ctx, cancel := context.WithCancel(v.t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, v.url+path, nil)
	v.must(err)
	res, err := v.client.Do(r)
	v.must(err)
	defer res.Body.Close()
	return res.StatusCode
}

// at fills in what stands in braces in a route's pattern.
func at(t *testing.T, pattern string, values map[string]string) (method, path string) {
	t.Helper()
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "GET", "/desk/nothing"
	}
	path = strings.TrimSuffix(path, "{$}")
	for {
		before, rest, ok := strings.Cut(path, "{")
		if !ok {
			return method, path
		}
		_, after, _ := strings.Cut(rest, "}")
		name, where := rest[:len(rest)-len(after)-1], before+rest[:len(rest)-len(after)-1]
		value, known := values[where]
		if !known {
			if value, known = values[name]; !known {
				t.Fatalf("%s: this test knows no value for {%s}", pattern, name)
			}
		}
		path = before + value + after
	}
}

// Every route states the least role that it takes, and holds it: who has less gets
// nothing, who has it or more is not refused, and who is not signed in is asked to.
func TestEveryRouteHoldsItsRole(t *testing.T) {
	b := newBench(t)
	b.desk.pause = func(context.Context, time.Duration) {}
	n := 0
	b.desk.Source = func(*http.Request) string { n++; return strconv.Itoa(n) } // each from elsewhere
	values := map[string]string{"id": "x", "token": "x", "fact": "x", "note": "x", "resolution": "x", "site": "brightwater", "day": "2026-11-01"}
	for _, role := range append([]handoff.Role{""}, handoff.Roles...) {
		for _, route := range b.desk.routes() {
			if route.least != anybody && !slices.Contains(handoff.Roles, route.least) {
				t.Errorf("%s states the role %q", route.pattern, route.least)
			}
			method, path := at(t, route.pattern, values)
			v := b.visitor()
			if role != "" {
				v = b.as(role)
			}
			status := v.ask(method, path)
			switch {
			case route.least == anybody:
				if status == http.StatusForbidden || status == http.StatusUnauthorized {
					t.Errorf("%q, %s: %d, and anybody may", role, route.pattern, status)
				}
			case role == "":
				if status != http.StatusSeeOther && status != http.StatusUnauthorized {
					t.Errorf("not signed in, %s: %d", route.pattern, status)
				}
			case (handoff.Actor{Role: role}).May(route.least):
				if status == http.StatusForbidden || status == http.StatusUnauthorized || status >= 500 {
					t.Errorf("%s, %s: %d", role, route.pattern, status)
				}
			case status != http.StatusForbidden:
				t.Errorf("%s, %s: %d, and it takes %s", role, route.pattern, status, route.least)
			}
		}
	}
	// An operator whose role nobody knows may do nothing.
	if status := b.as("janitor").ask("GET", "/desk/"); status != http.StatusForbidden {
		t.Errorf("a role that there is not: %d", status)
	}
	if _, err := b.desk.mux([]route{{"GET /desk/forgotten", "", b.desk.leads}}); err == nil {
		t.Error("a route that states no role is served")
	}
}

// What is of a site that an operator does not see is not there for them: no page of it,
// no row, no name, no count.
func TestOtherSitesAreNotThere(t *testing.T) {
	b := newBench(t)
	b.desk.Sites[1].Swept = true
	b.desk.sites["northside"] = b.desk.Sites[1]
	mine := b.submit(nil)
	theirs := b.submit(func(s *handoff.Submission) {
		s.Site, s.Service, s.Name, s.Email = "northside", "roof", "Xanthippe Foreign", "xanthippe@foreign.example"
	})
	b.hear("BOOKING_CREATED", theirs, b.booked("uid-foreign", time.Hour))
	b.unverified("x") // one of ours waits
	for range 3 {
		b.n++
		b.must(b.db.KeepUnverified(t.Context(), handoff.Delivery{
			Site: "northside", Digest: "foreign" + strings.Repeat("x", b.n), ContentType: "text/foreign", Body: []byte(`{"says":"foreign body"}`), Source: "s", ReceivedAt: b.clock.now(),
		}, handoff.SignatureMissing, "foreign detail"))
	}
	foreign, err := b.db.Failures(t.Context(), store.FailureFilter{Sites: []string{"northside"}})
	b.must(err)
	if len(foreign) == 0 {
		t.Fatal("no failure of the other site")
	}
	detail, err := b.db.Lead(t.Context(), nil, theirs.Lead)
	b.must(err)
	values := map[string]string{
		"fact": detail.Facts[0].ID, "note": "x", "resolution": "x",
		"site": "northside", "day": b.clock.now().Format(time.DateOnly),
		"/desk/leads/id": string(theirs.Lead), "/desk/failures/id": string(foreign[0].ID),
		"id": "x", "token": "x",
	}
	all := b.signedIn()
	for _, role := range handoff.Roles {
		if role == handoff.RoleOwner {
			continue // sees all sites
		}
		v := b.as(role, "brightwater")
		for _, route := range b.desk.routes() {
			method, path := at(t, route.pattern, values)
			if path == eventsPath || !(handoff.Actor{Role: role}).May(route.least) {
				continue
			}
			p := v.do(method, path, nil)
			if strings.Contains(route.pattern, "{id}") || strings.Contains(route.pattern, "{site}") {
				if p.status != http.StatusNotFound {
					t.Errorf("%s, %s: %d", role, path, p.status)
				}
				if method == "GET" && path != "/desk/leads/x" {
					if known := all.get(path); known.status != http.StatusOK {
						t.Errorf("%s: %d for who sees all, so this proves nothing", path, known.status)
					}
				}
			}
			lacks(t, strings.ToLower(p.body), "foreign", "northside", "roof", string(theirs.Lead))
		}
		for _, path := range []string{"/desk/leads?site=northside", "/desk/leads?site=northside&stage=new"} {
			if p := v.get(path); p.status != http.StatusNotFound {
				t.Errorf("%s: %d", path, p.status)
			}
		}
		contains(t, v.page("/desk/leads"), string(mine.Lead), `data-count="1"`, `<b>1</b> <span>All</span>`)
		contains(t, v.page("/desk/failures"), "Wrong signature")
	}
	contains(t, all.page("/desk/leads"), string(theirs.Lead), `data-count="4"`, `<b>2</b> <span>All</span>`)
}

// Days of a list are days where its sites are: an operator of one site is not told of its
// zone and then asked in another, because the install has more sites.
func TestDaysAreThoseOfTheSitesThatAreSeen(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		seen []string // nil: both
		site string
		want string
	}{
		{[]string{"brightwater"}, "", "Europe/London"},
		{[]string{"northside"}, "", "UTC"},
		{nil, "", "UTC"}, // they have none in common
		{nil, "brightwater", "Europe/London"},
	} {
		see := reader{b.desk, handoff.Actor{Role: handoff.RoleViewer, Sites: c.seen}, nil}
		if got := see.zoneOf(c.site); got.String() != c.want {
			t.Errorf("who sees %v is asked for days of %q in %s, want %s", c.seen, c.site, got, c.want)
		}
	}
}

// Who sees two of three sites has one list of both, in order and page by page.
func TestSeveralSitesAreOneList(t *testing.T) {
	b := newBench(t)
	b.desk.Sites = append(b.desk.Sites, Site{ID: "third", Name: "Third", TimeZone: time.UTC, zone: time.UTC, Pipeline: handoff.DefaultPipeline()})
	b.desk.sites["third"] = b.desk.Sites[2]
	var want []string
	for i := range 3 * (pageSize/2 + 5) {
		site := []string{"brightwater", "northside", "third"}[i%3]
		s := b.submit(func(s *handoff.Submission) { s.Site = site })
		if site != "third" {
			want = append(want, string(s.Lead))
		}
		b.clock.pass(time.Second)
	}
	slices.Reverse(want)
	v := b.as(handoff.RoleViewer, "northside", "brightwater")
	var got []string
	for path, n := "/desk/leads", 0; path != "" && n < 5; n++ {
		page := v.page(path)
		lacks(t, page, "Third")
		for _, part := range strings.Split(page, `<tr role="row" id="`)[1:] {
			id, _, _ := strings.Cut(part, `"`)
			got = append(got, id)
		}
		_, older, _ := strings.Cut(page, `<a href="/desk/leads?before=`)
		older, _, _ = strings.Cut(older, `"`)
		if path = ""; older != "" {
			path = "/desk/leads?before=" + older
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d leads, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
}

// The stream says that something changed, and nothing else: not where, not what.
func TestStreamSaysNothingOfOtherSites(t *testing.T) {
	b := newBench(t)
	l := b.as(handoff.RoleViewer, "brightwater").listen()
	b.submit(func(s *handoff.Submission) { s.Site, s.Name = "northside", "Xanthippe" })
	within(t, time.Second, func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, l.cancel)
		defer stop()
		for l.lines.Scan() {
			switch line := l.lines.Text(); line {
			case "retry: 2000", "":
			case "event: change":
				if l.lines.Scan(); l.lines.Text() != "data: " {
					t.Errorf("said %q", l.lines.Text())
				}
				return nil
			default:
				t.Errorf("said %q", line)
			}
		}
		return l.lines.Err()
	})
}

// What may not be done is not offered.
func TestViewersAreOfferedNothingToDo(t *testing.T) {
	b := newBench(t)
	b.desk.Sites[0].Swept = true
	contains(t, b.as(handoff.RoleOperator).page("/desk/statements"), "Ask Cal.com now")
	lacks(t, b.as(handoff.RoleViewer).page("/desk/statements"), "Ask Cal.com now")
}

// Nothing is done to a site that an operator does not see, whichever site the form names.
func TestNothingIsDoneToOtherSites(t *testing.T) {
	b := newBench(t)
	b.desk.Sites[1].Swept = true
	b.desk.sites["northside"] = b.desk.Sites[1]
	ctx := t.Context()
	theirs := b.submit(func(s *handoff.Submission) { s.Site, s.Service = "northside", "roof" })
	mine := b.submit(nil)
	for i := range 2 {
		b.must(b.db.KeepUnverified(ctx, handoff.Delivery{
			Site: "northside", Digest: strconv.Itoa(i), ContentType: "application/json", Body: []byte(`{}`), Source: "s", ReceivedAt: b.clock.now(),
		}, []handoff.Reason{handoff.SignatureMissing, handoff.SignatureWrong}[i], ""))
	}
	open, err := b.db.Failures(ctx, store.FailureFilter{Sites: []string{"northside"}})
	b.must(err)
	resolution, err := b.db.Dismiss(ctx, handoff.CommandLine, "northside", []handoff.FailureID{open[0].ID}, "")
	b.must(err)
	note, err := b.db.AddNote(ctx, handoff.CommandLine, "northside", theirs.Lead, "a note")
	b.must(err)
	change, err := b.db.SetStage(ctx, handoff.CommandLine, "northside", theirs.Lead, "new", "contacted", handoff.DefaultPipeline())
	b.must(err)
	state := func() string {
		acts, err := b.db.Audit(ctx, store.AuditFilter{Sites: []string{"northside"}})
		b.must(err)
		lead, err := b.db.Lead(ctx, nil, theirs.Lead)
		b.must(err)
		waiting, err := b.db.Failures(ctx, store.FailureFilter{Sites: []string{"northside"}, Settled: true})
		b.must(err)
		all, err := json.MarshalIndent([]any{acts, lead, waiting}, "", " ")
		b.must(err)
		return string(all)
	}
	before := state()
	v := b.as(handoff.RoleOperator, "brightwater")
	tried := 0
	for _, route := range b.desk.routes() {
		method, path := at(t, route.pattern, map[string]string{
			"/desk/leads/id": string(theirs.Lead), "/desk/failures/id": string(open[1].ID), "resolution": string(resolution.ID), "note": note.ID,
			"site": "northside", "fact": "x", "day": "x", "token": "x", "id": "x",
		})
		if method != "POST" || route.least != handoff.RoleOperator {
			continue
		}
		for _, site := range []string{"northside", "brightwater", ""} {
			for _, remedy := range append([]handoff.Remedy{handoff.Attach, handoff.Dismiss, handoff.AskCal, handoff.Verify}, "") {
				tried++
				p := v.post(path, url.Values{
					"site": {site}, "remedy": {string(remedy)}, "from": {"contacted"}, "to": {"won"}, "cause": {change.Cause}, "text": {"mine now"}, "note": {"mine now"},
					"lead": {string(mine.Lead)}, "id": {string(open[1].ID)}, "reason": {string(open[1].Reason)}, "failure": {string(open[1].ID)},
				})
				if p.status < 400 {
					t.Errorf("%s of %q, %q: %d", route.pattern, site, remedy, p.status)
				}
				p = v.post(path, url.Values{"site": {site}, "all": {"yes"}, "reason": {string(open[1].Reason)}, "seen": {b.clock.now().Add(time.Hour).Format(time.RFC3339Nano)}})
				if p.status < 400 && site != "brightwater" {
					t.Errorf("%s, all of %q: %d", route.pattern, site, p.status)
				}
			}
		}
	}
	if after := state(); after != before || tried < 50 {
		t.Errorf("after %d tries:\n%s\nbefore:\n%s", tried, after, before)
	}
}
