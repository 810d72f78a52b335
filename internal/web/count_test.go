package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/internal/store"
)

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

// opens opens a page as a browser does, with other headers than it has by itself.
func (in *install) opens(path string, headers ...string) int {
	in.t.Helper()
	r := httptest.NewRequest("GET", "http://brightwater.test"+path, nil)
	for name, value := range map[string]string{"User-Agent": browser, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"} {
		r.Header.Set(name, value)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	w := httptest.NewRecorder()
	in.web.ServeHTTP(w, r)
	return w.Code
}

// counted is what was counted since it was asked last, a word each.
func (in *install) counted() string {
	in.t.Helper()
	if err := in.db.KeepTallies(in.t.Context()); err != nil {
		in.t.Fatal(err)
	}
	day := in.now.Format(time.DateOnly)
	n, err := in.db.Numbers(in.t.Context(), "brightwater", store.NumbersFilter{From: in.now.Add(-time.Hour), To: in.now, FromDay: day, ToDay: day + "~"})
	if err != nil {
		in.t.Fatal(err)
	}
	var out []string
	for _, r := range n.Funnel {
		if v, s, c := r.N[store.StepVisited], r.N[store.StepStarted], r.N[store.StepCalendar]; v+s+c > 0 {
			out = append(out, fmt.Sprintf("%s/%s:%d,%d,%d", r.Service, r.Source, v, s, c))
		}
	}
	slices.Sort(out)
	in.now = in.now.AddDate(0, 0, 1) // counts anew
	return strings.Join(out, " ")
}

// A visit is counted where it begins, by where it came from; programs, prefetches, parts
// of pages, and pages that are not there are not.
func TestVisitsAreCounted(t *testing.T) {
	in := newInstall(t)
	in.opens("/?utm_source=Spring+Mail")
	in.opens("/services/boiler-replacement", "Sec-Fetch-Site", "same-origin", "Referer", "http://brightwater.test/")
	in.opens("/services/boiler-replacement", "Referer", "https://www.google.com/search?q=a+b")
	in.opens("/start/boiler-replacement", "Sec-Fetch-Site", "same-origin", "Referer", "http://brightwater.test/")
	in.opens("/about", "Sec-Fetch-Site", "none")
	want := "/direct:1,0,0 /google.com:1,0,0 /spring mail:1,0,0 boiler-replacement/direct:1,1,0 boiler-replacement/google.com:1,0,0"
	if got := in.counted(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, headers := range [][]string{
		{"User-Agent", ""},
		{"User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
		{"User-Agent", "curl/8.5.0"},
		{"User-Agent", strings.Replace(browser, "Chrome", "HeadlessChrome", 1)},
		{"Sec-Purpose", "prefetch;prerender"},
		{"Purpose", "prefetch"},
		{"Sec-Fetch-Mode", "cors"},
		{"Sec-Fetch-Dest", "iframe"},
	} {
		for _, path := range []string{"/", "/services/boiler-replacement", "/start/boiler-replacement"} {
			in.opens(path, headers...)
		}
	}
	in.opens("/no-such-page")
	in.opens("/robots.txt")
	in.opens("/start/no-such-service")
	if got := in.counted(); got != "" {
		t.Errorf("counted %s", got)
	}
	old := []string{"Sec-Fetch-Site", "", "Sec-Fetch-Mode", "", "Sec-Fetch-Dest", ""}
	in.opens("/", append(old, "Referer", "https://duckduckgo.com/")...)
	in.opens("/about", append(old, "Referer", "http://brightwater.test/")...)
	if got, want := in.counted(), "/duckduckgo.com:1,0,0"; got != want {
		t.Errorf("an old browser: %s, want %s", got, want)
	}
}

// The calendar is counted once a day for who sent a form, by where they came from, and
// not once they have booked. No cookie is set for counting.
func TestShownCalendarsAreCounted(t *testing.T) {
	in := newInstall(t)
	_, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	_, other := in.lead("brightwater", "f2", "Omar", "omar@example.com")
	for range 3 {
		in.opens("/book/" + ref)
	}
	in.opens("/book/"+other, "User-Agent", "LinkScanner/1.0")
	in.opens("/book/" + other + "x")
	if got, want := in.counted(), "boiler-replacement/direct:0,0,1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	in.opens("/book/" + ref)
	in.opens("/book/" + other)
	if got, want := in.counted(), "boiler-replacement/direct:0,0,2"; got != want {
		t.Errorf("the day after: %s, want %s", got, want)
	}
	body := fixtures(t, ref, other)[0].body
	if got := in.deliver("brightwater", body, sign(secret, body)); got != http.StatusOK {
		t.Fatal(got)
	}
	in.work()
	if got := in.opens("/book/" + ref); got != http.StatusSeeOther {
		t.Errorf("who has booked: %d", got)
	}
	if got := in.counted(); got != "" {
		t.Errorf("who has booked: %s", got)
	}
	r, w := httptest.NewRequest("GET", "http://brightwater.test/", nil), httptest.NewRecorder()
	r.Header.Set("User-Agent", browser)
	in.web.ServeHTTP(w, r)
	if got := w.Result().Cookies(); len(got) != 0 {
		t.Errorf("cookies: %v", got)
	}
}
