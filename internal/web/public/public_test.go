package public_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"handoff/internal/content"
	"handoff/internal/web/public"
)

// hostile closes whatever it is put into: text, attribute, script, comment.
const hostile = `"><script>alert('x')</script><img src=x onerror=alert(1)> </script><!-- {{.}} `

func demo(t testing.TB) *content.Site {
	t.Helper()
	s, err := content.Load(content.Demo())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// samples returns every page in every state that it has, with text from outside
// wherever a visitor or Cal.com can put some.
func samples(s *content.Site, text string) map[string]public.Page {
	boiler, bathroom, leak := s.Services[0], s.Services[1], s.Services[2]
	start := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	call := func(state public.State) public.Call {
		return public.Call{
			State: state, When: public.When(start, start.Add(30*time.Minute), s.Location()), Zone: public.Zone(start, s.Location()), Start: start, Where: text,
			RescheduleURL: "https://app.cal.com/reschedule/u1", CancelURL: "https://app.cal.com/booking/u1?cancel=true",
			ICS: "/booked/sub_1/call.ics", Google: public.GoogleCalendar(text, text, text, start, start), Outlook: public.OutlookCalendar(text, text, text, start, start),
		}
	}
	booked := func(v *content.Service, calls ...public.Call) public.Page {
		p := public.NewBooked(s, v, "sub_1", calls)
		p.FirstName, p.EventsURL, p.Version = text, "/booked/sub_1/events", "1"
		return p
	}
	book := func(v *content.Service) public.Page {
		p := public.NewBook(s, v, "sub_1")
		p.FirstName, p.Prefill = text, public.Prefill{Name: text, Email: text}
		p.FrameURL = "https://app.cal.com/" + v.Calendar + "/embed?embed=handoff&metadata[submissionId]=sub_1"
		p.LinkURL, p.Origins = "https://app.cal.com/"+v.Calendar+"?metadata[submissionId]=sub_1", []string{"https://app.cal.com"}
		p.StatusURL, p.EventsURL = "/book/sub_1/status", "/book/sub_1/events"
		return p
	}
	form := public.NewStart(s, leak, "token")
	form.Hidden = map[string]string{"landing": text}
	form.Values = url.Values{
		"name": {text}, "email": {text}, "phone": {text}, "message": {"</textarea>" + text}, "q_since": {text},
		"q_signs": {leak.Questions[0].Options[1], text},
	}
	form.Errors = []public.FieldError{{"", "The form was open for too long. Please send it again."}, {"email", "Enter an e-mail address, such as name@example.com. " + text}, {"consent", "Agree to be phoned."}}
	failed := public.NewError(s, 500)
	failed.ID = text

	pages := map[string]public.Page{
		"home": public.NewHome(s), "service": public.NewService(s, boiler), "service-2": public.NewService(s, bathroom), "service-3": public.NewService(s, leak),
		"about": public.NewText(s, s.Page("about")), "privacy": public.NewText(s, s.Page("privacy")),
		"posts": public.NewPosts(s), "post": public.NewPost(s, s.Posts[0]),
		"start": public.NewStart(s, boiler, "token"), "start-2": public.NewStart(s, bathroom, "token"), "start-errors": form,
		"book": book(bathroom), "book-click": book(leak),
		"booked": booked(boiler, call(public.StateBooked)), "booked-two": booked(boiler, call(public.StateBooked), call(public.StateRequested)),
		"booked-none": booked(boiler), "booked-requested": booked(bathroom, call(public.StateRequested)),
		"error-404": public.NewError(s, 404), "error-500": failed, "error-nosite": public.NewError(nil, 404),
	}
	for _, state := range []public.State{
		public.StateAwaitingPayment, public.StateCancelled, public.StateRejected, public.StateRescheduleRequested, public.StatePast,
	} {
		pages["booked-"+string(state)] = booked(boiler, call(state))
	}
	return pages
}

func render(t testing.TB, p public.Page) string {
	t.Helper()
	var b strings.Builder
	if err := public.Render(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	scripts  = regexp.MustCompile(`(?s)<script([^>]*)>(.*?)</script>`)
	handlers = regexp.MustCompile(`(?i)<[^>]*\s(style|on[a-z]+)\s*=`)
	ids      = regexp.MustCompile(`\sid="([^"]*)"`)
	refs     = regexp.MustCompile(`\s(?:for|aria-labelledby|aria-describedby)="([^"]*)"|href="#([^"]*)"`)
	values   = regexp.MustCompile(`="[^"]*"`)
)

func TestEveryPage(t *testing.T) {
	s := demo(t)
	for name, p := range samples(s, "Ada") {
		t.Run(name, func(t *testing.T) {
			html := render(t, p)
			if n := strings.Count(html, "<h1"); n != 1 {
				t.Errorf("%d first headings", n)
			}
			if m := handlers.FindString(values.ReplaceAllString(html, `=""`)); m != "" {
				t.Errorf("an attribute the policy blocks: %s", m)
			}
			if strings.Contains(html, "<style") || strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "<no value>") {
				t.Error("inline style, or a value that html/template refused")
			}
			for _, m := range scripts.FindAllStringSubmatch(html, -1) {
				data := strings.Contains(m[1], `type="application/ld+json"`)
				if data && !json.Valid([]byte(m[2])) {
					t.Errorf("structured data is not JSON: %s", m[2])
				}
				if !data && strings.TrimSpace(m[2]) != "" {
					t.Errorf("inline script: %s", m[2])
				}
			}
			have := map[string]bool{}
			for _, m := range ids.FindAllStringSubmatch(html, -1) {
				if have[m[1]] {
					t.Errorf("id %q is used twice", m[1])
				}
				have[m[1]] = true
			}
			for _, m := range refs.FindAllStringSubmatch(html, -1) {
				for id := range strings.FieldsSeq(m[1] + " " + m[2]) {
					if !have[id] {
						t.Errorf("refers to #%s, which is not there", id)
					}
				}
			}

			// A page with a reference in its address tells that address to nobody.
			private := strings.HasPrefix(name, "book") || strings.HasPrefix(name, "error")
			if got := strings.Contains(html, `content="noindex"`); got != private {
				t.Errorf("noindex: %v, want %v", got, private)
			}
			if got := strings.Contains(html, "canonical"); got == private {
				t.Errorf("canonical: %v, want %v", got, !private)
			}
			if !strings.Contains(html, "<title>") || strings.Contains(html, "<title> ") || !private && !strings.Contains(html, `<meta name="description" content="`) {
				t.Error("title or description is missing")
			}

			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = io.WriteString(w, html)
			_ = w.Close()
			total := b.Len()
			for _, asset := range []string{public.Tinted("public.css", s.Accent), public.Asset("booking.js"), public.Asset("booked.js")} {
				if strings.Contains(html, asset) {
					total += size(t, asset)
				}
			}
			if total > 10<<10 {
				t.Errorf("%d bytes with style and script, at most 10 kB", total)
			}
		})
	}
}

func TestHostileText(t *testing.T) {
	s := demo(t)
	var allowed int
	for name, p := range samples(s, "Ada") {
		html := render(t, p)
		evil := render(t, samples(s, hostile)[name])
		// Text from outside adds no element: the same tags come out either way.
		if a, b := strings.Count(html, "<"), strings.Count(evil, "<"); a != b {
			t.Errorf("%s: %d tags, with hostile text %d", name, a, b)
		}
		if m := handlers.FindString(values.ReplaceAllString(evil, `=""`)); m != "" {
			t.Errorf("%s: %s", name, m)
		}
		if strings.Contains(evil, "&lt;script&gt;") {
			allowed++
		}
	}
	if allowed < 8 {
		t.Errorf("only %d pages showed the text at all", allowed)
	}

	// The owner's own words are escaped too, in structured data as elsewhere.
	s.Name, s.Tagline, s.Services[0].FAQ[0].Question = hostile, hostile, hostile
	html := render(t, public.NewService(s, s.Services[0]))
	if strings.Contains(html, "<script>alert") || strings.Contains(html, "<img") {
		t.Error("a hostile name became an element")
	}
}

func TestBookCarriesNoNameInAddresses(t *testing.T) {
	s := demo(t)
	p := public.NewBook(s, s.Services[0], "sub_1.mac")
	p.Prefill = public.Prefill{Name: "Ada Lovelace", Email: "ada@lead.test"}
	p.FrameURL = "https://app.cal.com/a/b/embed?metadata[submissionId]=sub_1.mac&submissionId=sub_1.mac"
	p.LinkURL, p.Origins = "javascript:alert(1)", []string{"https://app.cal.com", "https://acme.cal.com"}
	html := render(t, p)
	for _, want := range []string{
		`data-frame-url="https://app.cal.com/a/b/embed?metadata[submissionId]=sub_1.mac&amp;submissionId=sub_1.mac"`,
		`data-origins="https://app.cal.com https://acme.cal.com"`,
		`data-prefill="{&#34;name&#34;:&#34;Ada Lovelace&#34;,&#34;email&#34;:&#34;ada@lead.test&#34;}"`,
		`data-state="none"`, `data-mode="auto"`, `data-accent="#0b5d6b"`, `<meta name="referrer" content="strict-origin">`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(html, "javascript:") {
		t.Error("a script address became a link")
	}
}

func TestStartShowsErrorsAndKeepsAnswers(t *testing.T) {
	html := render(t, samples(demo(t), "Ada")["start-errors"])
	for _, want := range []string{
		"<title>Error: ", `tabindex="-1" autofocus`, `role="alert"`, `<h2 id="summary-title">There is a problem</h2>`, "<li>The form was open",
		`<a href="#email">Enter an e-mail`, `aria-invalid="true" aria-describedby="email-hint email-error"`, `<a href="#consent">`,
		`value="The water meter moves with everything off" checked`, `name="q_since" value="Ada"`, `name="landing" value="Ada"`, `name="form" value="token"`,
		`<form method="post" action="/start/leak-detection" novalidate>`, `name="website" tabindex="-1" autocomplete="off"`, `autocomplete="tel"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestAssets(t *testing.T) {
	s := demo(t)
	css := public.Tinted("public.css", s.Accent)
	stale := regexp.MustCompile(`\.[0-9a-f]{10}\.`).ReplaceAllString(css, ".0123456789.")
	for _, tt := range []struct {
		method, path, coding string
		status               int
		kind, cache          string
	}{
		{"GET", css, "gzip, br", 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"GET", css, "", 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"HEAD", public.Asset("booking.js"), "gzip;q=0", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"GET", public.Tinted("icon.svg", s.Accent), "", 200, "image/svg+xml", "public, max-age=31536000, immutable"},
		{"GET", stale, "", 200, "text/css; charset=utf-8", "no-cache"},
		{"GET", "/assets/public-ffffff.0123456789.css", "", 404, "", ""},
		{"GET", "/assets/public-0B5D6B.0123456789.css", "", 404, "", ""},
		{"GET", "/assets/public-;}x{}.0123456789.css", "", 404, "", ""},
		{"GET", "/assets/booking-0b5d6b.0123456789.js", "", 404, "", ""},
		{"GET", "/assets/pages.0123456789.go", "", 404, "", ""},
		{"GET", "/assets/layout.0123456789.html", "", 404, "", ""},
		{"GET", "/assets/", "", 404, "", ""},
		{"POST", css, "", 405, "", ""},
	} {
		r := httptest.NewRequest(tt.method, tt.path, nil)
		r.Header.Set("Accept-Encoding", tt.coding)
		w := httptest.NewRecorder()
		public.Assets().ServeHTTP(w, r)
		if w.Code != tt.status || tt.status == 200 && (w.Header().Get("Content-Type") != tt.kind || w.Header().Get("Cache-Control") != tt.cache) {
			t.Errorf("%s %s: %d %v", tt.method, tt.path, w.Code, w.Header())
		}
		if zipped := w.Header().Get("Content-Encoding") == "gzip"; zipped != strings.HasPrefix(tt.coding, "gzip, ") {
			t.Errorf("%s with %q: gzip %v", tt.path, tt.coding, zipped)
		}
		if tag := w.Header().Get("ETag"); tt.status == 200 && tt.method == "GET" {
			r.Header.Set("If-None-Match", tag)
			again := httptest.NewRecorder()
			public.Assets().ServeHTTP(again, r)
			if again.Code != 304 {
				t.Errorf("%s again: %d", tt.path, again.Code)
			}
		}
	}
	w := httptest.NewRecorder()
	public.Assets().ServeHTTP(w, httptest.NewRequest("GET", css, nil))
	if !strings.HasPrefix(w.Body.String(), ":root{--brand:#0b5d6b;--brand-dark:#") {
		t.Errorf("the style sheet is not in the site's colour: %.60s", w.Body)
	}
}

// size returns what a browser downloads of an asset.
func size(t testing.TB, path string) int {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	public.Assets().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("%s: %d", path, w.Code)
	}
	return w.Body.Len()
}

func TestWhen(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 12, day, hour, minute, 0, 0, time.UTC) }
	for _, tt := range []struct {
		start, end time.Time
		zone, want string
	}{
		{at(1, 10, 0), at(1, 10, 30), "Europe/London", "Tue 1 Dec, 10:00–10:30, Europe/London (GMT)"},
		{time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC), time.Date(2026, 7, 1, 10, 30, 0, 0, time.UTC), "Europe/London", "Wed 1 Jul, 11:00–11:30, Europe/London (BST)"},
		{at(1, 10, 0), at(1, 10, 30), "Asia/Dubai", "Tue 1 Dec, 14:00–14:30, Asia/Dubai (UTC+04)"},
		{at(1, 23, 45), at(2, 0, 15), "UTC", "Tue 1 Dec, 23:45–Wed 2 Dec, 00:15, UTC"},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := public.When(tt.start, tt.end, zone) + ", " + public.Zone(tt.start, zone); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	const want = "https://calendar.google.com/calendar/render?action=TEMPLATE&dates=20261201T100000Z%2F20261201T103000Z&details=b&location=c&text=a%26x"
	if got := public.GoogleCalendar("a&x", "b", "c", at(1, 10, 0), at(1, 10, 30)); got != want {
		t.Errorf("got %s", got)
	}
	if got := public.OutlookCalendar("a + b", "", "", at(1, 10, 0), at(1, 10, 30)); !strings.Contains(got, "subject=a%20%2B%20b") || !strings.Contains(got, "startdt=2026-12-01T10%3A00%3A00Z") {
		t.Errorf("got %s", got)
	}
}

// Who has several calls reads of all that may not be needed; what is cancelled is none.
func TestOthers(t *testing.T) {
	booked, cancelled := public.Call{State: public.StateBooked}, public.Call{State: public.StateCancelled}
	for _, tt := range []struct {
		name  string
		calls []public.Call
		two   bool
		want  string
	}{
		{"one", []public.Call{booked, cancelled}, false, "the other"},
		{"two", []public.Call{booked, cancelled, booked}, true, "the other"},
		{"four", []public.Call{booked, booked, booked, booked}, true, "the others"},
	} {
		p := public.Booked{Calls: tt.calls}
		if p.Two() != tt.two || p.Others() != tt.want {
			t.Errorf("%s: %v, %q", tt.name, p.Two(), p.Others())
		}
	}
}
