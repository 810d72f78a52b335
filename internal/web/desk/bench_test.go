package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

const (
	email    = "priya@brightwater.example"
	password = "correct horse battery"
)

var hashed = sync.OnceValue(func() string {
	h, err := HashPassword(password)
	if err != nil {
		panic(err)
	}
	return h
})

// A bench is a desk over a real store, with one operator and two sites.
type bench struct {
	t     *testing.T
	db    *store.DB
	desk  *Desk
	url   string
	clock *testClock // the store's
	n     int        // makes things different from one another
}

// A testClock is the real one, moved on by hand.
type testClock struct {
	mu   sync.Mutex
	more time.Duration
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.more)
}

func (c *testClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more += d
}

func london() *time.Location {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	return zone
}

// afternoon is three o'clock of today, when every clock of a bench begins: what pages say of
// days must not depend on when somebody tests.
func afternoon() time.Time {
	return time.Now().UTC().Truncate(24 * time.Hour).Add(15 * time.Hour)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, clock: &testClock{more: time.Until(afternoon())}}
	var err error
	b.db, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "desk.db"), store.Options{Now: b.clock.now})
	b.must(err)
	t.Cleanup(func() { b.db.Close() })
	b.must(b.db.PutUser(t.Context(), store.User{Email: email, Name: "Priya Raman", PasswordHash: hashed()}))
	b.desk, err = New(Config{
		Store: b.db, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: b.clock.now,
		Sites: []Site{
			{
				ID: "brightwater", Name: "Brightwater", TimeZone: london(), Pipeline: handoff.DefaultPipeline(),
				Services:   map[string]string{"boiler": "Boiler replacement", "leak": "Leak detection"},
				EventTypes: map[int64]string{10: "boiler", 11: "leak"}, UnbookedAfter: 24 * time.Hour,
				URL: "https://brightwater.example", Origins: []string{"https://app.cal.com"}, File: "/etc/handoff.yaml",
				Settings: []SettingGroup{{"Website", []Setting{{"Address", []string{"https://brightwater.example"}}, {"Further hosts", nil}}}},
				Secrets: func() []Secret {
					return []Secret{{Sign: "secret/0a1b2c3d"}, {Sign: "secret/4e5f6a7b", Until: b.clock.now().Add(time.Hour)}, {Sign: "secret/8c9d0e1f", Until: b.clock.now().Add(-time.Hour)}}
				},
			},
			{ID: "northside", Name: "Northside", Pipeline: handoff.DefaultPipeline(), Services: map[string]string{"roof": "Roof survey"}},
		},
	})
	b.must(err)
	server := httptest.NewServer(b.desk)
	t.Cleanup(server.Close)
	t.Cleanup(b.desk.Close)
	b.url = server.URL
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// A visitor is a browser: it keeps cookies and does not follow redirects.
type visitor struct {
	*bench
	client *http.Client
}

func (b *bench) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	b.must(err)
	return &visitor{b, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// signedIn is a visitor who is.
func (b *bench) signedIn() *visitor {
	b.t.Helper()
	v := b.visitor()
	if got := v.post("/desk/sign-in", url.Values{"email": {email}, "password": {password}}); got.status != http.StatusSeeOther {
		b.t.Fatalf("sign-in answered %d", got.status)
	}
	return v
}

type got struct {
	status int
	header http.Header
	body   string
}

func (v *visitor) do(method, path string, form url.Values, headers ...string) got {
	v.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, body)
	v.must(err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := v.client.Do(r)
	v.must(err)
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	v.must(err)
	return got{res.StatusCode, res.Header, string(all)}
}

func (v *visitor) get(path string) got { v.t.Helper(); return v.do("GET", path, nil) }
func (v *visitor) post(path string, form url.Values) got {
	v.t.Helper()
	return v.do("POST", path, form)
}

// page is a page that must be there.
func (v *visitor) page(path string) string {
	v.t.Helper()
	p := v.get(path)
	if p.status != http.StatusOK {
		v.t.Fatalf("%s answered %d", path, p.status)
	}
	return p.body
}

func (v *visitor) token() string {
	u, _ := url.Parse(v.url)
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == "handoff" {
			return c.Value
		}
	}
	return ""
}

// submit keeps a submission, and returns it with its lead.
func (b *bench) submit(change func(*handoff.Submission)) handoff.Submission {
	b.t.Helper()
	b.n++
	s := handoff.Submission{
		Site: "brightwater", Service: "boiler", Form: fmt.Sprintf("form-%d", b.n),
		Name: "Dana Whitfield", Email: "dana@example.com",
	}
	if change != nil {
		change(&s)
	}
	s, err := b.db.CreateLead(b.t.Context(), s, handoff.DefaultPipeline())
	b.must(err)
	return s
}

// hear keeps an event about a booking of a submission, and reconciles it.
func (b *bench) hear(trigger string, s handoff.Submission, o handoff.Observation) {
	b.t.Helper()
	b.n++
	o.ID, o.Site, o.Source, o.Trigger = fmt.Sprintf("evt_%d", b.n), "brightwater", handoff.FromEvent, trigger
	o.Digest = o.ID
	if o.At.IsZero() {
		o.At = b.clock.now()
	}
	if s.ID != "" {
		o.Site = s.Site
		o.Carried = []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: s.ID}}
	}
	d := handoff.Delivery{
		Site: o.Site, Digest: fmt.Sprintf("digest-%d", b.n), ContentType: "application/json", Trigger: trigger,
		Body: fmt.Appendf(nil, `{"triggerEvent":%q,"payload":{"uid":%q}}`, trigger, o.UID), ReceivedAt: b.clock.now(),
	}
	_, err := b.db.KeepEvent(b.t.Context(), d, handoff.Event{ID: o.ID, Site: o.Site, Trigger: trigger, CreatedAt: o.At, Observation: &o})
	b.must(err)
	b.reconcile()
}

func (b *bench) reconcile() {
	b.t.Helper()
	for _, site := range []string{"brightwater", "northside"} {
		_, err := b.db.Reconcile(b.t.Context(), site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 100)
		b.must(err)
	}
}

// booked is an observation of a call that begins in some hours.
func (b *bench) booked(uid string, in time.Duration) handoff.Observation {
	start := b.clock.now().Add(in).Truncate(time.Minute)
	return handoff.Observation{
		UID: uid, Status: handoff.Accepted, Start: start, End: start.Add(30 * time.Minute), EventType: 10,
		Host:      handoff.Person{Name: "Priya Raman", Email: email},
		Attendees: []handoff.Person{{Name: "Dana Whitfield", Email: "dana@example.com", TimeZone: "America/New_York"}},
	}
}

// unverified keeps a delivery that proved nothing.
func (b *bench) unverified(body string) {
	b.t.Helper()
	b.n++
	b.must(b.db.KeepUnverified(b.t.Context(), handoff.Delivery{
		Site: "brightwater", Digest: fmt.Sprintf("digest-%d", b.n), Signature: "00", ContentType: "application/json",
		Body: []byte(body), Source: "abc", ReceivedAt: b.clock.now(),
	}, handoff.SignatureWrong, ""))
}

func contains(t *testing.T, page string, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not say %q:\n%s", s, page)
		}
	}
}

func lacks(t *testing.T, page string, never ...string) {
	t.Helper()
	for _, s := range never {
		if strings.Contains(page, s) {
			t.Errorf("the page says %q:\n%s", s, page)
		}
	}
}

// within runs f with a context that ends after d.
func within(t *testing.T, d time.Duration, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := f(ctx); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Fatalf("nothing within %s", d)
		}
		t.Fatal(err)
	}
}
