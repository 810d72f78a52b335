package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// get fetches a page of the first site.
func (in *install) get(path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "http://brightwater.test"+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	in.web.ServeHTTP(w, r)
	return w
}

func (in *install) post(path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://brightwater.test"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	in.web.ServeHTTP(w, r)
	return w
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// form fetches a service's form and fills it in as a person would.
func (in *install) form(path string, header ...string) url.Values {
	in.t.Helper()
	w := in.get(path, header...)
	if w.Code != http.StatusOK {
		in.t.Fatalf("GET %s: %d", path, w.Code)
	}
	f := url.Values{"name": {"Dana Whitfield"}, "email": {"dana@example.com"}, "message": {"Boiler"}, "phone": {"020 7946 0812"}, "consent": {"yes"}}
	for _, m := range hidden.FindAllStringSubmatch(w.Body.String(), -1) {
		f.Set(m[1], m[2])
	}
	if f.Get("form") == "" {
		in.t.Fatalf("no form token in %s", w.Body)
	}
	for _, m := range regexp.MustCompile(`<input[^>]*type="(?:radio|checkbox)"[^>]*name="q_[^>]*>|<input[^>]*name="q_[^>]*type="(?:radio|checkbox)"[^>]*>`).FindAllString(w.Body.String(), -1) {
		f.Set(attr(m, "name"), attr(m, "value"))
	}
	for _, m := range regexp.MustCompile(`(?s)<select[^>]*name="([^"]+)".*?</select>`).FindAllStringSubmatch(w.Body.String(), -1) {
		for _, o := range regexp.MustCompile(`<option value="([^"]+)"`).FindAllStringSubmatch(m[0], -1) {
			f.Set(m[1], o[1])
		}
	}
	return f
}

func attr(tag, name string) string {
	m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
	if m == nil {
		return ""
	}
	return m[1]
}

func (in *install) leads() int {
	in.t.Helper()
	list, err := in.db.Leads(in.t.Context(), store.LeadFilter{Limit: 1000})
	if err != nil {
		in.t.Fatal(err)
	}
	return len(list)
}

const start = "/start/boiler-replacement"

// A form that a person fills in opens one lead, with its context; sent twice it
// is still one, and leads to the same booking page.
func TestFormOpensOneLead(t *testing.T) {
	in := newInstall(t)
	f := in.form(start+"?utm_source=news&utm_campaign=x&secret=1", "Referer", "https://search.example/q?name=dana")
	in.now = in.now.Add(5 * time.Second)
	first, second := in.post(start, f), in.post(start, f)
	if first.Code != http.StatusSeeOther || second.Header().Get("Location") != first.Header().Get("Location") {
		t.Fatalf("first %d %s, second %d %s", first.Code, first.Header().Get("Location"), second.Code, second.Header().Get("Location"))
	}
	if n := in.leads(); n != 1 {
		t.Errorf("%d leads, want 1", n)
	}
	book := first.Header().Get("Location")
	if strings.Contains(book, "dana") || strings.Contains(book, "Dana") || !strings.HasPrefix(book, "/book/sub_") {
		t.Errorf("booking page %s", book)
	}
	list, err := in.db.Leads(t.Context(), store.LeadFilter{})
	if err != nil {
		t.Fatal(err)
	}
	s := in.read(list[0].ID).Submissions[0]
	want := handoff.Context{Landing: start, Referrer: "https://search.example/q", Campaign: map[string]string{"utm_source": "news", "utm_campaign": "x"}}
	if s.Context.Landing != want.Landing || s.Context.Referrer != want.Referrer || len(s.Context.Campaign) != 2 || s.Context.Campaign["utm_source"] != "news" {
		t.Errorf("context %+v, want %+v", s.Context, want)
	}
	if w := in.get(book); w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "frame-src https://cal.test") {
		t.Errorf("booking page: %d %v", w.Code, w.Header())
	}
}

// What a machine, a stranger or a mistake sends opens no lead, and says why.
func TestFormRefused(t *testing.T) {
	rows := []struct {
		name   string
		change func(url.Values)
		after  time.Duration
		status int
		says   string
	}{
		{"too fast", func(url.Values) {}, time.Second, 422, "very quick"},
		{"honeypot", func(f url.Values) { f.Set("website", "http://spam") }, time.Minute, 422, "cannot see"},
		{"open for days", func(url.Values) {}, 25 * time.Hour, 422, "more than a day"},
		{"from the future", func(url.Values) {}, -time.Minute, 422, "very quick"},
		{"no token", func(f url.Values) { f.Del("form") }, time.Minute, 422, "could not be checked"},
		{"altered token", func(f url.Values) { f.Set("form", "x"+f.Get("form")[1:]) }, time.Minute, 422, "could not be checked"},
		{"no name", func(f url.Values) { f.Set("name", "  ") }, time.Minute, 422, "Enter your name"},
		{"no address", func(f url.Values) { f.Set("email", "dana") }, time.Minute, 422, "correct format"},
		{"header in address", func(f url.Values) { f.Set("email", "a@example.com\nBcc: x@example.com") }, time.Minute, 422, "correct format"},
		{"long message", func(f url.Values) { f.Set("message", strings.Repeat("é", 5001)) }, time.Minute, 422, "5000 characters"},
		{"huge", func(f url.Values) { f.Set("message", strings.Repeat("x", 70000)) }, time.Minute, 413, ""},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			in := newInstall(t)
			f := in.form(start)
			r.change(f)
			in.now = in.now.Add(r.after)
			w := in.post(start, f)
			if w.Code != r.status || !strings.Contains(w.Body.String(), r.says) {
				t.Errorf("status %d, want %d with %q: %s", w.Code, r.status, r.says, w.Body)
			}
			if n := in.leads(); n != 0 {
				t.Errorf("%d leads, want 0", n)
			}
		})
	}
}

// Where a service needs consent, no form is taken without it, and its wording is kept.
func TestConsent(t *testing.T) {
	in := newInstall(t)
	const path = "/start/leak-detection"
	f := in.form(path)
	f.Del("consent")
	in.now = in.now.Add(time.Minute)
	if w := in.post(path, f); w.Code != 422 || !strings.Contains(w.Body.String(), "Tick the box") || in.leads() != 0 {
		t.Errorf("without consent: %d, %d leads", w.Code, in.leads())
	}
	f.Set("consent", "yes")
	if w := in.post(path, f); w.Code != http.StatusSeeOther {
		t.Fatalf("with consent: %d %s", w.Code, w.Body)
	}
	list, err := in.db.Leads(t.Context(), store.LeadFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if c := in.read(list[0].ID).Submissions[0].Consent; !c.Given || !strings.Contains(c.Wording, "phones me") || c.At.IsZero() {
		t.Errorf("consent %+v", c)
	}
}

// Nothing a person typed is lost by a mistake, and nothing of it is run.
func TestFormShownAgain(t *testing.T) {
	in := newInstall(t)
	f := in.form(start)
	f.Set("message", `</textarea><script>alert(1)</script>`)
	f.Set("name", `"><img src=x>`)
	f.Set("email", "")
	in.now = in.now.Add(time.Minute)
	w := in.post(start, f)
	body := w.Body.String()
	if w.Code != 422 || strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") || !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Errorf("status %d: %s", w.Code, body)
	}
	again := in.form(start)
	for _, m := range hidden.FindAllStringSubmatch(body, -1) {
		again.Set(m[1], m[2])
	}
	if w := in.post(start, again); w.Code != http.StatusSeeOther {
		t.Errorf("mended: %d %s", w.Code, w.Body)
	}
}

// Another site cannot make a visitor's browser send our form; one source cannot
// send without end.
func TestFormGuards(t *testing.T) {
	in := newInstall(t)
	f := in.form(start)
	in.now = in.now.Add(time.Minute)
	for _, header := range [][]string{{"Origin", "https://evil.test"}, {"Sec-Fetch-Site", "cross-site"}} {
		if w := in.post(start, f, header...); w.Code != http.StatusForbidden {
			t.Errorf("%v: %d, want 403", header, w.Code)
		}
	}
	if in.leads() != 0 {
		t.Error("a cross-site form opened a lead")
	}
	limited := false
	for range 40 {
		limited = limited || in.post(start, f).Code == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("40 forms in a minute from one source were all taken")
	}
	// X-Forwarded-For is nobody's word without a trusted proxy.
	if w := in.post(start, f, "X-Forwarded-For", "203.0.113.9"); w.Code != http.StatusTooManyRequests {
		t.Errorf("a forged X-Forwarded-For got round the limit: %d", w.Code)
	}
}

// Only a reference that we signed for this site opens a booking page.
func TestReferences(t *testing.T) {
	in := newInstall(t)
	_, ours := in.lead("brightwater", "f1", "Dana Whitfield", "dana@example.com")
	_, theirs := in.lead("other", "f1", "Olga", "olga@example.com")
	nobody := in.keys.Sign("brightwater", handoff.SubmissionID(handoff.FormatID("sub", [16]byte{1})))
	for reference, want := range map[string]int{
		ours: 200, theirs: 404, nobody: 404, ours[:len(ours)-1] + "A": 404, ours[:30]: 404, strings.ToUpper(ours): 404, "x": 404,
	} {
		for _, page := range []string{"/book/" + reference, "/book/" + reference + "/status", "/booked/" + reference} {
			w := in.get(page)
			if w.Code != want {
				t.Errorf("%s: %d, want %d", page, w.Code, want)
			}
			if strings.Contains(w.Body.String(), "Olga") {
				t.Errorf("%s shows another site's visitor", page)
			}
		}
	}
}

// After booking, the booking page shows the booking; a new time or a cancellation
// shows on it.
func TestBookedPage(t *testing.T) {
	in := newInstall(t)
	_, ref := in.lead("brightwater", "f1", "Dana Whitfield", "dana@example.com")
	all := fixtures(t, ref, ref)
	say := func(i int) {
		t.Helper()
		if got := in.deliver("brightwater", all[i].body, sign(secret, all[i].body)); got != 200 {
			t.Fatalf("%s: %d", all[i].name, got)
		}
		in.work()
	}
	wantState := func(state string) {
		t.Helper()
		if w := in.get("/book/" + ref + "/status"); !strings.Contains(w.Body.String(), `"state":"`+state+`"`) {
			t.Errorf("status %s, want %s", w.Body, state)
		}
	}
	wantState("none")
	say(2)
	wantState("requested")
	say(3)
	wantState("booked")
	w := in.get("/book/" + ref)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/booked/"+ref {
		t.Errorf("a second calendar: %d", w.Code)
	}
	page := in.get("/booked/" + ref).Body.String()
	for _, want := range []string{"Tue 1 Dec, 10:00–10:30", "America/New_York (EST)", "Your call is booked", "calendar.ics"} {
		if !strings.Contains(page, want) {
			t.Errorf("booked page lacks %q", want)
		}
	}
	if strings.Contains(page, "dana.whitfield@example.com") {
		t.Error("the booked page shows an address")
	}
	ics := in.get("/booked/" + ref + "/calendar.ics?uid=8mWdT2kQe4RfYpX1sLhC9v").Body.String()
	for _, want := range []string{"UID:8mWdT2kQe4RfYpX1sLhC9v@Cal.com", "DTSTART:20261201T150000Z", "SEQUENCE:0"} {
		if !strings.Contains(ics, want) {
			t.Errorf("calendar file lacks %q:\n%s", want, ics)
		}
	}
	if w := in.get("/booked/" + ref + "/calendar.ics?uid=somebody-elses"); w.Code != 404 {
		t.Errorf("another booking's file: %d", w.Code)
	}
	say(4)
	if page := in.get("/booked/" + ref).Body.String(); !strings.Contains(page, "Thu 3 Dec, 11:00–11:30") {
		t.Error("the booked page shows no new time")
	}
	say(6)
	wantState("cancelled")
	if w := in.get("/book/" + ref); w.Code != http.StatusOK {
		t.Errorf("after a cancellation a new time cannot be chosen: %d", w.Code)
	}
}

// Every answer of every page has the headers; private pages are kept nowhere.
func TestHeaders(t *testing.T) {
	in := newInstall(t)
	_, ref := in.lead("brightwater", "f1", "Dana Whitfield", "dana@example.com")
	for path, status := range map[string]int{
		"/": 200, "/services/boiler-replacement": 200, start: 200, "/privacy": 200, "/posts": 200,
		"/robots.txt": 200, "/sitemap.xml": 200, "/nothing": 404, "/services/nothing": 404, "/start/nothing": 404,
		"/book/" + ref: 200, "/booked/" + ref: 200, "/healthz": 200, "/readyz": 200,
	} {
		w := in.get(path)
		if w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
		h := w.Header()
		if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: headers %v", path, h)
		}
		private := strings.HasPrefix(path, "/book")
		if private && (h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("X-Robots-Tag"), "noindex")) {
			t.Errorf("%s can be kept or indexed: %v", path, h)
		}
		if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: policy %s", path, h.Get("Content-Security-Policy"))
		}
	}
	r := httptest.NewRequest("GET", "http://unknown.test/", nil)
	w := httptest.NewRecorder()
	in.web.ServeHTTP(w, r)
	if w.Code != 404 {
		t.Errorf("unknown host: %d", w.Code)
	}
}

// A campaign's name is kept without what a terminal obeys (U+009B begins a command).
func TestCampaignHasNoControls(t *testing.T) {
	in := newInstall(t)
	f := in.form("/start/boiler-replacement?utm_source=a%C2%9B31m%7F%1Bb")
	in.now = in.now.Add(10 * time.Second)
	if w := in.post("/start/boiler-replacement", f); w.Code != http.StatusSeeOther {
		t.Fatalf("%d", w.Code)
	}
	list, err := in.db.Leads(t.Context(), store.LeadFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := in.db.Lead(t.Context(), nil, list[0].ID); err != nil || d.Submissions[0].Context.Campaign["utm_source"] != "a31mb" {
		t.Errorf("kept %q, %v", d.Submissions[0].Context.Campaign, err)
	}
}
