package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

// A bench is an API over a real store with two sites.
type bench struct {
	t   *testing.T
	db  *store.DB
	url string // of the API
	log *bytes.Buffer
	n   int // makes things different from one another

	mu        sync.Mutex
	more      time.Duration // that the clock was moved on
	exchanges []exchange
}

// An exchange is a request and its answer, as testdata/contract reads them.
type exchange struct {
	Method, URL  string
	Header       http.Header
	Body         string
	Status       int
	AnswerHeader http.Header
	Answer       string
	Good         bool
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, log: &bytes.Buffer{}}
	var err error
	b.db, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "api.db"), store.Options{Now: b.now})
	b.must(err)
	t.Cleanup(func() { b.db.Close() })
	london, err := time.LoadLocation("Europe/London")
	b.must(err)
	a, err := api.New(api.Config{
		Store: b.db, Now: b.now, Log: slog.New(slog.NewTextHandler(b.log, nil)),
		Source: func(r *http.Request) string { return r.Header.Get("X-Test-Source") },
		Sites: []api.Site{
			{ID: "acme", Name: "Acme", Asks: true, Reader: b.readAgain, URL: "https://acme.example", TimeZone: london, Swept: true, Rules: handoff.Rules{Pipeline: handoff.DefaultPipeline(), EventTypes: []int64{7}}},
			{ID: "north", Name: "North", URL: "https://north.example", Rules: handoff.Rules{Pipeline: northern()}},
		},
	})
	b.must(err)
	b.must(b.db.PutUser(t.Context(), store.User{Email: olga.Name, PasswordHash: "x", Role: olga.Role}))
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	b.url = server.URL + api.Base
	return b
}

// northern has a stage that no other site has.
func northern() handoff.Pipeline {
	p := handoff.DefaultPipeline()
	p.Stages = append(slices.Clone(p.Stages), "ringing")
	return p
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC).Add(b.more)
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.more += d
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

var olga = handoff.Actor{Name: "olga@example.com", Role: handoff.RoleOwner}

// A client asks with a key.
type client struct {
	*bench
	token string
	key   store.Key
}

// client makes a key with scopes, of a site or of all ("").
func (b *bench) client(site string, scopes ...handoff.Scope) *client {
	b.t.Helper()
	b.n++
	k := handoff.APIKey{Name: fmt.Sprint("client ", b.n), Scopes: scopes, ExpiresAt: b.now().Add(30 * 24 * time.Hour)}
	if site != "" {
		k.Sites = []string{site}
	}
	made, token, err := b.db.CreateKey(b.t.Context(), olga, k)
	b.must(err)
	return &client{b, token, made}
}

// An answer is what the API answered.
type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// ask sends a request with headers, name after value.
func (c *client) ask(method, path, body string, headers ...string) answer {
	c.t.Helper()
	address := c.url + path
	if strings.HasPrefix(path, api.Base) { // as a link has it
		address = strings.TrimSuffix(c.url, api.Base) + path
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, address, strings.NewReader(body))
	c.must(err)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	res, err := http.DefaultClient.Do(r)
	c.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	c.must(err)
	c.exchanges = append(c.exchanges, exchange{method, address, r.Header, body, res.StatusCode, res.Header, string(text), res.StatusCode < 400})
	return answer{c.t, method + " " + path, res.StatusCode, res.Header, string(text)}
}

func (c *client) get(path string) answer { c.t.Helper(); return c.ask("GET", path, "") }

// post sends a write with a name of its own.
func (c *client) post(path, body string) answer {
	c.t.Helper()
	c.n++
	return c.ask("POST", path, body, "Idempotency-Key", fmt.Sprint("write-", c.n))
}

// is wants a status.
func (a answer) is(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("%s: %d, want %d: %s", a.what, a.status, status, a.body)
	}
	return a
}

// problem wants a problem of a type that says something.
func (a answer) problem(status int, name string, says ...string) answer {
	a.t.Helper()
	a.is(status)
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Status != status || p.Type != "/api/v1/problems/"+name || p.Title == "" || p.Detail == "" {
		a.t.Errorf("%s: want the problem %s, got %s", a.what, name, a.body)
	}
	if t := a.header.Get("Content-Type"); t != "application/problem+json" {
		a.t.Errorf("%s: %s", a.what, t)
	}
	for _, s := range says {
		if !strings.Contains(a.body, s) {
			a.t.Errorf("%s: it does not say %q: %s", a.what, s, a.body)
		}
	}
	return a
}

// read reads the body.
func read[T any](a answer) (v T) {
	a.t.Helper()
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		a.t.Fatalf("%s: %v: %s", a.what, err, a.body)
	}
	return v
}

// submit sends a form on a site.
func (b *bench) submit(site, name string) handoff.Submission {
	b.t.Helper()
	b.n++
	b.pass(time.Second)
	s, err := b.db.CreateLead(b.t.Context(), handoff.Submission{
		Site: site, Service: "boiler", Form: fmt.Sprint("form", b.n), Name: name, Email: strings.ToLower(name) + "@example.com", Phone: "+44 20 7946 0000", Message: "Hello",
		Answers: []handoff.Answer{{ID: "when", Label: "When?", Value: "Soon"}},
		Consent: handoff.Consent{Wording: "You may write to me.", Given: true, At: b.now()},
		Context: handoff.Context{Landing: "/", Referrer: "https://www.duckduckgo.com/", Campaign: map[string]string{"utm_source": "spring"}, TimeZone: "Europe/London"},
	}, handoff.DefaultPipeline())
	b.must(err)
	return s
}

// readAgain reads what was sealed, unless it says that it is forged.
func (b *bench) readAgain(d handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
	if strings.Contains(string(d.Sealed), "forged") {
		return d, handoff.Event{}, &calcom.Refusal{Reason: handoff.SignatureWrong}
	}
	d.Trigger, d.Body, d.Sealed = "PING", []byte("{}"), nil
	return d, handoff.Event{ID: "again", Site: d.Site, Trigger: "PING", Ignored: "sign of life", CreatedAt: b.now()}, nil
}

// unverified keeps a delivery that proved nothing.
func (b *bench) unverified(digest, sealed string) {
	b.t.Helper()
	d := b.delivery("acme", digest, "{}")
	d.Sealed = []byte(sealed)
	b.must(b.db.KeepUnverified(b.t.Context(), d, handoff.SignatureWrong, ""))
}

// hear keeps a verified event of a booking and does what is due.
func (b *bench) hear(site, uid string, status handoff.Status, s handoff.Submission) {
	b.t.Helper()
	b.n++
	b.pass(time.Second)
	id := fmt.Sprint("e", b.n)
	o := &handoff.Observation{
		ID: id, Site: site, Source: handoff.FromEvent, Trigger: "BOOKING_CREATED", UID: uid, At: b.now(), Made: b.now(), Digest: id, Status: status,
		Start: b.now().Add(48 * time.Hour), End: b.now().Add(49 * time.Hour), EventType: 7,
		Attendees: []handoff.Person{{Name: "Eve Stray", Email: "eve@example.com"}},
	}
	if s.ID != "" {
		o.Carried = []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: s.ID}}
	}
	_, err := b.db.KeepEvent(b.t.Context(), b.delivery(site, id, `{"uid":"`+uid+`"}`), handoff.Event{ID: id, Site: site, Trigger: o.Trigger, CreatedAt: o.At, Observation: o})
	b.must(err)
	b.work(site)
}

func (b *bench) delivery(site, digest, body string) handoff.Delivery {
	return handoff.Delivery{Site: site, Digest: digest, Signature: "sig-" + digest, Trigger: "BOOKING_CREATED", ContentType: "application/json", Body: []byte(body), Source: "s1", ReceivedAt: b.now()}
}

func (b *bench) work(site string) {
	b.t.Helper()
	for {
		n, err := b.db.Reconcile(b.t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline(), EventTypes: []int64{7}}, 10)
		b.must(err)
		if n == 0 {
			return
		}
	}
}

// sweep keeps a page of Cal.com's list of a site's bookings, which is the last.
func (b *bench) sweep(site string, listed ...handoff.Observation) {
	b.t.Helper()
	ctx := b.t.Context()
	w, ok, err := b.db.ClaimSweep(ctx, site, time.Time{})
	b.must(err)
	at, err := b.db.PlaceOf(ctx, site)
	b.must(err)
	if !ok {
		b.t.Fatal("the sweep is somebody else's")
	}
	_, err = b.db.KeepSwept(ctx, w, at, store.Swept{Observations: listed, Size: len(listed), Last: b.now()}, []int64{7}, time.Minute)
	b.must(err)
	b.work(site)
}

// filled is a bench with something of everything: on acme a lead that is booked, one
// that is not, a booking that waits for a person, forgeries, and a list that was read;
// on north a lead.
func filled(t *testing.T) *bench {
	b := newBench(t)
	ctx := t.Context()
	b.must(b.db.StartSweep(ctx, "acme"))
	b.pass(time.Minute)
	dana := b.submit("acme", "Dana")
	b.submit("acme", "Omar")
	b.submit("north", "Nora")
	b.hear("acme", "booked", handoff.Accepted, dana)
	b.hear("acme", "stray", handoff.Accepted, handoff.Submission{})
	b.hear("north", "north-stray", handoff.Cancelled, handoff.Submission{})
	b.must(b.db.KeepUnverified(ctx, b.delivery("acme", "forged", `{"reference":"`+string(dana.ID)+`.c2lnbmF0dXJl"}`), handoff.SignatureWrong, "seen "+string(dana.ID)+".c2lnbmF0dXJl"))
	b.pass(10 * time.Minute)
	made := func(uid string, kind int64) handoff.Observation {
		return handoff.Observation{ID: "swept-" + uid, Site: "acme", Source: handoff.FromAPI, UID: uid, At: b.now(), Made: b.now(), Digest: uid, Status: handoff.Accepted, EventType: kind, Start: b.now().Add(time.Hour)}
	}
	b.sweep("acme", made("booked", 7), made("stray", 7), made("elsewhere", 8))
	b.must(b.db.SiteFails(ctx, "acme", store.SweepSubject, handoff.SweepFailing, "it answered 401"))
	return b
}

type (
	leads    = api.List[api.LeadSummaryView]
	failures = api.List[store.FailureView]
	acts     = api.List[handoff.Act]
)

func names(l leads) (out []string) {
	for _, one := range l.Items {
		out = append(out, one.Name)
	}
	return out
}

// Leads are listed, filtered and read page by page, each once, also while others come.
func TestLeads(t *testing.T) {
	b := filled(t)
	c := b.client("", handoff.LeadsRead)
	for path, want := range map[string][]string{
		"/leads":               {"Nora", "Omar", "Dana"},
		"/leads?site=acme":     {"Omar", "Dana"},
		"/leads?stage=booked":  {"Dana"},
		"/leads?stage=won":     {},
		"/leads?stage=ringing": {}, // of one site
		"/leads?search=oma":    {"Omar"},
		"/leads?source=spring&service=boiler&site=north":    {"Nora"},
		"/leads?service=leak":                               {},
		"/leads?from=2026-11-28T09:01:02Z&site=acme":        {"Omar"},
		"/leads?to=2026-11-28T09%3A01%3A02Z":                {"Dana"},
		"/leads?to=2026-11-28T10%3A01%3A02%2B01:00&limit=1": {"Dana"},
	} {
		if got := names(read[leads](c.get(path).is(200))); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	var got []string
	next := "/leads?limit=1&source=spring"
	for next != "" {
		a := c.get(next).is(200)
		page := read[leads](a)
		got = append(got, names(page)...)
		next = ""
		if page.Next != nil {
			next = *page.Next
			if link := a.header.Get("Link"); link != "<"+next+`>; rel="next"` || !strings.Contains(next, "source=spring") {
				t.Errorf("Link %q, next %q", link, next)
			}
		} else if a.header.Get("Link") != "" {
			t.Error("the last page has a Link")
		}
		b.submit("acme", "Later")
	}
	if !slices.Equal(got, []string{"Nora", "Omar", "Dana"}) {
		t.Errorf("page by page: %v", got)
	}
	list := read[leads](c.get("/leads?stage=booked").is(200))
	one := read[api.LeadView](c.get("/leads/" + string(list.Items[0].ID)).is(200))
	if one.Name != "Dana" || len(one.Submissions) != 1 || len(one.Bookings) != 1 || len(one.History) != 2 || one.Bookings[0].UID != "booked" || one.Source != "spring" {
		t.Errorf("lead %+v", one)
	}
	seats := read[api.BookingSeats](c.get("/sites/acme/bookings/booked").is(200))
	if len(seats.Seats) != 1 || seats.Seats[0].Lead != one.ID || seats.Seats[0].Status != handoff.Accepted {
		t.Errorf("booking %+v", seats)
	}
	if stray := read[api.BookingSeats](c.get("/sites/acme/bookings/stray").is(200)); stray.Seats[0].Lead != "" {
		t.Errorf("booking %+v", stray)
	}
	c.get("/sites/acme/bookings/none").problem(404, "not-found")
	c.get("/sites/north/bookings/booked").problem(404, "not-found")
}

// The failure queue is listed by what it is asked for, and no answer holds a signature
// of ours.
func TestFailures(t *testing.T) {
	b := filled(t)
	c := b.client("", handoff.FailuresRead)
	reasons := func(path string) (out []string) {
		for _, f := range read[failures](c.get(path).is(200)).Items {
			out = append(out, string(f.Reason))
		}
		return out
	}
	for path, want := range map[string][]string{
		"/failures":                      {"sweep_failing", "no_reference", "no_reference", "signature_wrong"},
		"/failures?site=north":           {"no_reference"},
		"/failures?kind=delivery":        {"signature_wrong"},
		"/failures?reason=no_reference":  {"no_reference", "no_reference"},
		"/failures?reason=not_json":      nil,
		"/failures?state=open&kind=site": {"sweep_failing"},
		"/failures?limit=2&site=acme":    {"sweep_failing", "no_reference"},
	} {
		if got := reasons(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	b.must(b.db.SiteWell(t.Context(), "acme", store.SweepSubject, "it was read"))
	if got := reasons("/failures?kind=site"); got != nil {
		t.Errorf("settled, and listed as open: %v", got)
	}
	if got := reasons("/failures?kind=site&state=all"); len(got) != 1 {
		t.Errorf("settled: %v", got)
	}
	seen := map[handoff.FailureID]bool{}
	for next := "/failures?limit=1"; next != ""; {
		page := read[failures](c.get(next).is(200))
		for _, f := range page.Items {
			if seen[f.ID] {
				t.Errorf("%s is there twice", f.ID)
			}
			seen[f.ID] = true
		}
		if next = ""; page.Next != nil {
			next = *page.Next
		}
	}
	if len(seen) != 3 {
		t.Errorf("page by page %d open ones", len(seen))
	}
	clear(seen)
	for next := "/failures?limit=1&state=all"; next != ""; {
		page := read[failures](c.get(next).is(200))
		for _, f := range page.Items {
			if seen[f.ID] {
				t.Errorf("%s is there twice", f.ID)
			}
			seen[f.ID] = true
			a := c.get("/failures/" + string(f.ID)).is(200)
			if d := read[api.FailureDetailView](a); d.ID != f.ID || (d.Kind != handoff.FailedSite) != (len(d.Received) > 0) {
				t.Errorf("failure %+v", d)
			}
			if strings.Contains(a.body, "c2lnbmF0dXJl") || f.Kind == handoff.FailedDelivery && strings.Count(a.body, "[signature hidden]") != 2 {
				t.Errorf("a signature is shown, or none was there: %s", a.body)
			}
		}
		next = ""
		if page.Next != nil {
			next = *page.Next
		}
	}
	if len(seen) != 4 {
		t.Errorf("page by page %d", len(seen))
	}
}

// A site says how it does, and what its bookings came to.
func TestSites(t *testing.T) {
	b := filled(t)
	c := b.client("", handoff.SitesRead)
	list := read[struct{ Items []api.SiteView }](c.get("/sites").is(200))
	if len(list.Items) != 2 || list.Items[0].ID != "acme" || list.Items[0].TimeZone != "Europe/London" || len(list.Items[0].Stages) < 5 {
		t.Errorf("sites %+v", list)
	}
	acme := read[api.HealthView](c.get("/sites/acme").is(200))
	counts := fmt.Sprint(acme.OpenFailures)
	if acme.Well || len(acme.Alarms) != 1 || acme.Alarms[0].Reason != handoff.SweepFailing || counts != "[{no_reference event 1 false} {signature_wrong delivery 1 false} {sweep_failing site 1 false}]" ||
		acme.Webhook.LastAt == nil || !acme.Sweep.On || acme.Sweep.Number != 1 || acme.Sweep.LastAt == nil || acme.Sweep.Since == nil {
		t.Errorf("acme %+v", acme)
	}
	north := read[api.HealthView](c.get("/sites/north").is(200))
	if !north.Well || len(north.Alarms) != 0 || north.Sweep.On || north.Sweep.LastAt != nil || north.Webhook.LastAt == nil {
		t.Errorf("north %+v", north)
	}
	days := read[struct{ Items []api.StatementSummary }](c.get("/sites/acme/statements?days=2").is(200)).Items
	if len(days) != 2 || days[1].Day != "2026-11-28" || days[1].Bookings != 2 || days[1].Tied != 1 || days[1].Queued != 1 || days[1].OtherType != 1 || days[0].Bookings != 0 {
		t.Errorf("statements %+v", days)
	}
	day := read[api.StatementView](c.get("/sites/acme/statements/2026-11-28").is(200))
	if len(day.List) != 3 || day.Says != days[1].Says || day.Zone != "Europe/London" {
		t.Errorf("statement %+v", day)
	}
	if n := len(read[struct{ Items []api.StatementSummary }](c.get("/sites/acme/statements?days=100").is(200)).Items); n != 100 {
		t.Errorf("%d days", n)
	}
	c.get("/sites/acme/statements/yesterday").problem(404, "not-found")
	c.get("/sites/acme/statements?days=101").problem(400, "invalid-parameter", `"parameter":"days"`, "from 1 to 100")
}

// A key does what its scopes say, on its sites, and nothing else is there for it.
func TestWhatAKeyMay(t *testing.T) {
	b := filled(t)
	all := b.client("", handoff.Scopes...)
	lead := string(read[leads](all.get("/leads?site=acme&limit=1")).Items[0].ID)
	failure := string(read[failures](all.get("/failures?site=acme&limit=1")).Items[0].ID)
	dana := string(read[leads](all.get("/leads?stage=booked")).Items[0].ID)
	fact := read[facts](all.get("/leads/" + dana + "/facts")).Items[0].ID
	reads := map[string]handoff.Scope{
		"/leads": handoff.LeadsRead, "/leads/" + lead: handoff.LeadsRead, "/sites/acme/bookings/booked": handoff.LeadsRead,
		"/bookings": handoff.LeadsRead, "/leads/" + dana + "/facts": handoff.LeadsRead, "/leads/" + dana + "/facts/" + fact: handoff.LeadsRead,
		"/failures": handoff.FailuresRead, "/failures/" + failure: handoff.FailuresRead,
		"/sites": handoff.SitesRead, "/sites/acme": handoff.SitesRead, "/sites/acme/statements": handoff.SitesRead, "/sites/acme/statements/2026-11-28": handoff.SitesRead,
		"/audit": handoff.AuditRead,
	}
	for _, scope := range handoff.Scopes {
		c, north := b.client("", scope), b.client("north", scope)
		for path, needs := range reads {
			if scope != needs {
				a := c.get(path).problem(403, "insufficient-scope")
				if h := a.header.Get("WWW-Authenticate"); !strings.Contains(h, `error="insufficient_scope", scope="`+string(needs)+`"`) {
					t.Errorf("WWW-Authenticate %q", h)
				}
				continue
			}
			c.get(path).is(200)
			a := north.get(path)
			if list := path == "/leads" || path == "/bookings" || path == "/failures" || path == "/sites" || path == "/audit"; !list {
				a.problem(404, "not-found")
			}
			if strings.Contains(a.body, "Dana") || strings.Contains(a.body, `"acme"`) || strings.Contains(a.body, "Acme") {
				t.Errorf("north's key sees %s", a.body)
			}
		}
		if scope != handoff.LeadsWrite {
			c.post("/leads/"+lead+"/notes", `{"text":"x"}`).problem(403, "insufficient-scope")
		}
	}
	if one := read[acts](all.get("/audit")); len(one.Items) == 0 || one.Items[0].Action != "key.create" {
		t.Errorf("audit log %+v", one)
	}
	for path, want := range map[string]int{
		"/audit?limit=200": 14, "/audit?action=key.create&actor=olga@example.com": 13, "/audit?action=key.revoke": 0, "/audit?actor=nobody": 0,
		"/audit?since=2026-11-28T00:00:00Z": 14, "/audit?since=2026-11-29T00:00:00Z": 0, "/audit?subject=" + all.key.ID: 1,
	} {
		if got := read[acts](all.get(path).is(200)); len(got.Items) != want {
			t.Errorf("%s: %d, want %d", path, len(got.Items), want)
		}
	}
	b.client("north", handoff.LeadsRead).get("/leads?site=acme").problem(404, "not-found")
	b.client("north", handoff.LeadsRead).get("/bookings?site=acme").problem(404, "not-found")
	b.client("north", handoff.LeadsWrite).post("/leads/"+lead+"/notes", `{"text":"x"}`).problem(404, "not-found")
	all.get("/leads?site=nowhere").problem(404, "not-found")
}

// Whoever has no key that works hears nothing, and from one source not often.
func TestWithoutAKey(t *testing.T) {
	b := filled(t)
	c := b.client("", handoff.LeadsRead)
	none := &client{bench: b}
	a := none.get("/leads").problem(401, "unauthorized")
	if h := a.header.Get("WWW-Authenticate"); h != `Bearer realm="Handoff API"` {
		t.Errorf("WWW-Authenticate %q", h)
	}
	none.ask("GET", "/leads", "", "Authorization", "Basic "+c.token).problem(401, "unauthorized")
	none.get("/leads?access_token="+c.token).problem(401, "unauthorized")
	wrong := &client{bench: b, token: c.token[:len(c.token)-1] + "x"}
	a = wrong.get("/leads").problem(401, "unauthorized")
	if h := a.header.Get("WWW-Authenticate"); h != `Bearer realm="Handoff API", error="invalid_token"` {
		t.Errorf("WWW-Authenticate %q", h)
	}
	refused := 0
	for range 70 {
		if a := wrong.ask("GET", "/leads", "", "X-Test-Source", "flood"); a.status == 429 {
			refused++
			if a.problem(429, "too-many-requests"); a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	}
	if refused != 10 {
		t.Errorf("%d of 70 were refused", refused)
	}
	wrong.ask("GET", "/leads", "", "X-Test-Source", "another").problem(401, "unauthorized")
	c.ask("GET", "/leads", "", "X-Test-Source", "flood").is(200) // a key that is one always passes

	b.must(b.db.RevokeKey(t.Context(), olga, c.key.ID))
	c.get("/leads").problem(401, "unauthorized")
	c = b.client("", handoff.LeadsRead)
	b.pass(31 * 24 * time.Hour)
	c.get("/leads").problem(401, "unauthorized")
}

// A key that asks too often waits, and others do not.
func TestTooOften(t *testing.T) {
	b := newBench(t)
	c, other := b.client("", handoff.SitesRead), b.client("", handoff.SitesRead)
	var wg sync.WaitGroup
	statuses := make(chan int, 600)
	for range 20 {
		wg.Go(func() {
			for range 30 {
				r, _ := http.NewRequestWithContext(t.Context(), "GET", b.url+"/sites", nil)
				r.Header.Set("Authorization", "Bearer "+c.token)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				if res.StatusCode == 429 && res.Header.Get("Retry-After") != "1" {
					t.Error("no Retry-After")
				}
				statuses <- res.StatusCode
			}
		})
	}
	wg.Wait()
	close(statuses)
	got := map[int]int{}
	for s := range statuses {
		got[s]++
	}
	if got[200] < 200 || got[429] == 0 || got[200]+got[429] != 600 {
		t.Errorf("answers %v", got)
	}
	other.get("/sites").is(200)
}

// What is asked for wrongly is said to be wrong, by name, and nothing internal is shown.
func TestProblems(t *testing.T) {
	b := filled(t)
	c := b.client("", handoff.Scopes...)
	lead := "/leads/" + string(read[leads](c.get("/leads?limit=1")).Items[0].ID)
	for path, says := range map[string]string{
		"/leads?sort=name":            `"parameter":"sort"`,
		"/leads?Site=acme":            `"parameter":"Site"`,
		"/leads?site=acme&site=north": "more than once",
		"/leads?site=":                `"parameter":"site"`,
		"/leads?limit=0":              "from 1 to 200",
		"/leads?limit=201":            "from 1 to 200",
		"/leads?limit=ten":            "from 1 to 200",
		"/leads?from=yesterday":       "RFC 3339",
		"/leads?search=%00":           "no text",
		"/leads?search=%ff":           "no text",
		"/leads?%zz":                  "form name=value",
		"/leads?search=a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v+w": "too much",
		"/leads?stage=" + strings.Repeat("x", 41):                     "40 characters",
		"/leads?cursor=nonsense":                                      `"parameter":"cursor"`,
		"/leads?cursor=!":                                             `"parameter":"cursor"`,
		"/failures?cursor=YQ":                                         `"parameter":"cursor"`,
		"/failures?cursor=eHx5fHo":                                    `"parameter":"cursor"`,
		"/audit?cursor=YQ":                                            `"parameter":"cursor"`,
		"/bookings?cursor=" + cursorOf("", "", "", "acme"):            `"parameter":"cursor"`,
		"/bookings?cursor=" + cursorOf("", "%00", "", "acme"):         `"parameter":"cursor"`,
		"/bookings?cursor=" + cursorOf("", "%ff", "", "acme"):         `"parameter":"cursor"`,
		"/bookings?cursor=" + cursorOf("", "%", "", "acme"):           `"parameter":"cursor"`,
		"/bookings?cursor=" + cursorOf("yesterday", "u", "", "acme"):  `"parameter":"cursor"`,
		"/bookings?status=done":                                       "it is one of: awaiting_payment, ",
		"/bookings?tied=true":                                         "yes, no",
		"/audit?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("act_"+strings.Repeat("\xff", 26))): `"parameter":"cursor"`,
		"/failures?state=closed": "open, all",
		"/failures?kind=other":   "delivery, event, site",
		"/sites?x=1":             "there are: none",
		"/leads?a=1&b=2":         `"parameter":"b"`,
		// A typing error never gives an empty list.
		"/leads?stage=nope":              `"parameter":"stage"`,
		"/leads?stage=Booked":            "it is one of: ",
		"/leads?stage=ringing&site=acme": `"parameter":"stage"`, // another site's
		"/failures?reason=none_such":     "signature_missing, ",
		"/failures?reason=":              `"parameter":"reason"`,
		"/audit?action=nope":             "lead.stage, ",
		"/audit?action=lead":             `"parameter":"action"`,
	} {
		c.get(path).problem(400, "invalid-parameter", says)
	}
	acme := b.client("acme", handoff.LeadsRead)
	if a := acme.get("/leads?stage=ringing").problem(400, "invalid-parameter", "it is one of: new, contacted, "); strings.Contains(a.body, "ringing") {
		t.Errorf("a stage of a site that the key does not see: %s", a.body)
	}
	for _, path := range []string{"", "/", "/nothing", "/leads/", "/leads/lead_1", "/leads/LEAD_01jdb7z5q4x3s8m2k9v6t1n0rc", "/leads/lead_01jdb7z5q4x3s8m2k9v6t1n0rc", "/failures/fail_01jdb7z5q4x3s8m2k9v6t1n0rc", "/sites/nowhere", "/problems/not-found"} {
		c.get(path).problem(404, "not-found")
	}
	if a := c.ask("PUT", "/leads", "{}").problem(405, "method-not-allowed"); a.header.Get("Allow") != "GET" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	c.ask("DELETE", lead, "").problem(405, "method-not-allowed")
	for body, says := range map[string]string{
		"":                        `"pointer":"#"`,
		"nonsense":                "no JSON object",
		`[]`:                      `"pointer":"#"`,
		`{"text":1}`:              `"pointer":"#/text"`,
		`{"text":"x","more":1}`:   `"pointer":"#/more","detail":"there is no such member`,
		`{"Text":"x"}`:            `"pointer":"#/Text"`,
		`{"text":"x","text":"y"}`: "#",
		`{"text":"x"} {}`:         "#",
	} {
		a := c.post(lead+"/notes", body).problem(400, "invalid-body")
		var p api.Problem
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || len(p.Errors) != 1 {
			t.Errorf("%s: %s", body, a.body)
			continue
		}
		if got := fmt.Sprintf(`"pointer":"%s","detail":"%s`, p.Errors[0].Pointer, p.Errors[0].Detail); !strings.Contains(got, says) {
			t.Errorf("%s: %s, want %s", body, got, says)
		}
	}
	for _, text := range []string{`""`, `" "`, `"` + strings.Repeat("x", 5001) + `"`, `"a\u0000"`} {
		c.post(lead+"/notes", `{"text":`+text+`}`).problem(422, "invalid", `#/text`)
	}
	c.post(lead+"/notes", `{"text":"`+strings.Repeat("x", 65<<10)+`"}`).problem(413, "too-large")
	c.ask("POST", lead+"/notes", `{"text":"x"}`, "Idempotency-Key", "t", "Content-Type", "text/plain").problem(415, "unsupported-media-type")
	c.ask("POST", lead+"/notes", `{"text":"x"}`).problem(400, "invalid-parameter", `"header":"Idempotency-Key"`, "required")
	c.ask("POST", lead+"/notes", `{"text":"x"}`, "Idempotency-Key", "a b").problem(400, "invalid-parameter", `"header":"Idempotency-Key"`)
	if notes := read[api.LeadView](c.get(lead)).Notes; len(notes) != 0 {
		t.Errorf("refused, and written: %+v", notes)
	}
	if text := b.log.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
	b.must(b.db.Close())
	a := c.get("/leads").problem(503, "unavailable")
	if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "sql") || strings.Contains(a.body, "closed") {
		t.Errorf("%v %s", a.header, a.body)
	}
}

// Every answer is for its client alone, and says what a browser may not do with it.
func TestHeaders(t *testing.T) {
	b := newBench(t)
	c := b.client("", handoff.SitesRead)
	for _, path := range []string{"/sites", "/nothing", "/leads", "/openapi.json"} {
		h := c.ask("GET", path, "", "Origin", "https://elsewhere.example").header
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", path, h)
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s", path, name)
			}
		}
	}
	(&client{bench: b}).get("/openapi.json").is(200) // the document is nobody's secret
}
