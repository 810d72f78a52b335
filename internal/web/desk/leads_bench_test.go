package desk

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/pgtest"
	"handoff/internal/store"
)

// benchLeads is the environment variable with how many leads the larger store has.
const benchLeads = "HANDOFF_LEADS"

// BenchmarkLeads says how much longer each page takes with many leads, and a tenth as
// many failures, than with a thousand of each: ms/page of the larger store, and the ratio.
func BenchmarkLeads(b *testing.B) {
	many := 100_000
	if n, err := strconv.Atoi(os.Getenv(benchLeads)); err == nil {
		many = n
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) { compareLeads(b, manyLeads(b, engine, 1000), manyLeads(b, engine, many)) })
	}
}

// compareLeads asks two desks for the same pages.
func compareLeads(b *testing.B, small, large *crowd) {
	for _, page := range []struct{ name, path string }{
		{"today", "/desk/"},
		{"list", "/desk/leads"},
		{"list of a site", "/desk/leads?site=brightwater"},
		{"stage", "/desk/leads?site=brightwater&stage=booked"},
		{"source", "/desk/leads?source=source7"},
		{"rare stage and service", "/desk/leads?stage=lost&service=roof"},
		{"last page", "/desk/leads?site=brightwater&to=2026-01-02"},
		{"search, a name", "/desk/leads?q=family77+bea"},
		{"search, an address", "/desk/leads?q=ada.family0.0@"},
		{"search, a phone", "/desk/leads?q=020+1000+0500"},
		{"search, of everybody", "/desk/leads?q=example"},
		{"search, of nobody", "/desk/leads?q=zzz"},
		{"search, two that many have", "/desk/leads?q=ada+example7"},
		{"board", "/desk/board"},
		{"one lead", small.one},
		{"failures by cause", "/desk/failures"},
		{"failures of a cause", "/desk/failures?reason=unknown_shape"},
		{"failures, also settled", "/desk/failures?settled=1"},
		{"one failure", small.failure},
	} {
		b.Run(strings.ReplaceAll(page.name, " ", "_"), func(b *testing.B) {
			var before, after []time.Duration
			for b.Loop() {
				before = append(before, small.takes(b, page.path))
				switch page.path {
				case small.one:
					after = append(after, large.takes(b, large.one))
				case small.failure:
					after = append(after, large.takes(b, large.failure))
				default:
					after = append(after, large.takes(b, page.path))
				}
			}
			slices.Sort(before)
			slices.Sort(after)
			one, other := before[len(before)/2], after[len(after)/2]
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(other.Microseconds())/1000, "ms/page")
			b.ReportMetric(float64(other)/float64(one), "ratio")
		})
	}
}

// A crowd is a desk over many leads.
type crowd struct {
	desk    *Desk
	cookie  string
	one     string // the path of a lead in the middle
	failure string // and of a failure
}

func manyLeads(b *testing.B, engine string, n int) *crowd {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	var mu sync.Mutex
	at, loaded := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), false
	address := filepath.Join(b.TempDir(), "many.db")
	if engine == "postgres" {
		server, err := pgtest.Start("fsync=off")
		must(err)
		b.Cleanup(server.Close)
		address = server.URL
	}
	db, err := store.Open(b.Context(), address, store.Options{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if at = at.Add(20 * time.Second); loaded { // of each form; a million take most of a year
			at = time.Now()
		}
		return at
	}})
	must(err)
	b.Cleanup(func() { db.Close() })
	must(db.PutUser(b.Context(), store.User{Email: email, PasswordHash: hashed()}))
	c := &crowd{}
	c.desk, err = New(Config{Store: db, Sites: []Site{
		{ID: "brightwater", Name: "Brightwater", Pipeline: handoff.DefaultPipeline(), Services: map[string]string{"boiler": "Boiler", "roof": "Roof"}},
		{ID: "northside", Name: "Northside", Pipeline: handoff.DefaultPipeline()},
	}})
	must(err)
	b.Cleanup(c.desk.Close)
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range numbers {
				s, pipeline := oneOfMany(i)
				s, err := db.CreateLead(b.Context(), s, pipeline)
				if err != nil {
					b.Error(err)
				}
				if i == n/2 {
					c.one = leadAddress(s.Lead)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	mu.Lock()
	loaded = true
	mu.Unlock()
	c.manyFailures(b, db, max(1000, n/10))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/desk/sign-in", strings.NewReader(url.Values{"email": {email}, "password": {password}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c.desk.ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		c.cookie += cookie.Name + "=" + cookie.Value + "; "
	}
	return c
}

// manyFailures lets so many failures wait, a fifth of them about bookings, and a tenth
// as many be settled.
func (c *crowd) manyFailures(b *testing.B, db *store.DB, n int) {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	reasons := []handoff.Reason{handoff.NotJSON, handoff.UnknownShape, handoff.UnknownTrigger, handoff.UnknownVersion}
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range numbers {
				id := fmt.Sprintf("%d", i)
				d := handoff.Delivery{Site: "brightwater", Digest: "failure" + id, ContentType: "application/json", Body: []byte(`{"number":` + id + `}`), ReceivedAt: time.Now()}
				var err error
				if i%5 == 0 {
					o := &handoff.Observation{ID: "evt" + id, Site: d.Site, Source: handoff.FromEvent, UID: "uid" + id, At: time.Now(), Status: handoff.Accepted, Digest: id, Attendees: []handoff.Person{{Name: "Ada " + id, Email: "ada" + id + "@example.com"}}}
					_, err = db.KeepEvent(b.Context(), d, handoff.Event{ID: o.ID, Site: o.Site, CreatedAt: o.At, Observation: o})
				} else {
					err = db.KeepNotUnderstood(b.Context(), d, reasons[i%4], "")
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	for {
		done, err := db.Reconcile(b.Context(), "brightwater", handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 500)
		must(err)
		if done == 0 {
			break
		}
	}
	for settled := 0; settled < n/10; {
		r, err := db.DismissAll(b.Context(), handoff.CommandLine, "brightwater", handoff.NotJSON, time.Now().AddDate(100, 0, 0), "")
		must(err)
		settled += r.Failures
	}
	list, err := db.Failures(b.Context(), store.FailureFilter{Reason: handoff.NoReference, Limit: 50})
	must(err)
	c.failure = failureAddress(list[len(list)-1].ID)
}

// oneOfMany is a submission, and a pipeline that opens its lead at some stage: most are
// new, some booked, and few lost.
func oneOfMany(i int) (handoff.Submission, handoff.Pipeline) {
	first, family := []string{"Ada", "Bea", "Chidi", "Dana", "Émile"}[i%5], fmt.Sprint("Family", i/5%2003)
	s := handoff.Submission{
		Site: "brightwater", Service: "boiler", Form: fmt.Sprint("form", i), Name: first + " " + family,
		Email: fmt.Sprintf("%s.%s.%d@example%d.com", first, family, i, i%100), Phone: fmt.Sprintf("+44 20 %08d", 10_000_000+i), Message: "Please call me.",
		Context: handoff.Context{Campaign: map[string]string{"utm_source": fmt.Sprint("source", i%20)}},
	}
	if i%10 == 0 {
		s.Site = "northside"
	}
	stage := handoff.Stage("new")
	switch {
	case i%7 == 0:
		stage = "booked"
	case i%499 == 0:
		stage = "lost"
	case i%211 == 0:
		s.Service = "roof"
	}
	p := handoff.DefaultPipeline()
	p.On[handoff.Submitted] = stage
	return s, p
}

// takes asks for a page, and says how long it took.
func (c *crowd) takes(b *testing.B, path string) time.Duration {
	b.Helper()
	r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
	r.Header.Set("Cookie", c.cookie)
	start := time.Now()
	c.desk.ServeHTTP(w, r)
	took := time.Since(start)
	if w.Code != 200 {
		b.Fatalf("%s answered %d", path, w.Code)
	}
	return took
}
