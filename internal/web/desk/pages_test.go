package desk

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// filled is a bench with something on every page, and the addresses of the pages.
func filled(t *testing.T) (*bench, map[string]string) {
	b := newBench(t)
	s := b.submit(nil)
	b.hear("BOOKING_CREATED", s, b.booked("uid1", 48*time.Hour))
	b.hear("BOOKING_CREATED", handoff.Submission{}, b.booked("stray", 24*time.Hour))
	b.unverified(`{"a":1}`)
	open, err := b.db.Failures(t.Context(), store.FailureFilter{})
	b.must(err)
	pages := map[string]string{
		"today": "/desk/", "sites": "/desk/sites", "site": "/desk/sites/brightwater", "numbers": "/desk/numbers", "numbers of a service": "/desk/numbers?site=northside&days=90&service=roof", "leads": "/desk/leads", "lead": "/desk/leads/" + string(s.Lead), "failures": "/desk/failures", "settled": "/desk/failures?settled=1",
		"filtered": "/desk/leads?site=northside&stage=won", "account": "/desk/account", "people": "/desk/people", "audit": "/desk/audit",
		"searched": "/desk/leads?q=dana&service=boiler", "board": "/desk/board", "keys": "/desk/keys", "api keys": "/desk/api-keys", "received": "/desk/leads/" + string(s.Lead) + "/received/evt_2",
	}
	b.must2(b.db.AddNote(t.Context(), handoff.CommandLine, "brightwater", s.Lead, "Dana called"))
	b.must2(b.db.SetStage(t.Context(), handoff.CommandLine, "brightwater", s.Lead, "booked", "won", handoff.DefaultPipeline()))
	b.must(b.db.PutView(t.Context(), handoff.Actor{Name: email}, store.View{Name: "Dana’s", Query: "q=dana"}))
	for i, f := range open {
		pages[fmt.Sprintf("failure %d", i)] = "/desk/failures/" + string(f.ID)
	}
	if len(open) != 2 {
		t.Fatalf("%d failures, want 2", len(open))
	}
	return b, pages
}

func TestEveryPageNeedsASession(t *testing.T) {
	b, pages := filled(t)
	v := b.visitor()
	pages["events"], pages["nothing"] = "/desk/events", "/desk/nothing"
	for name, path := range pages {
		p := v.get(path)
		if want := map[string]int{"events": 401}[name]; p.status != max(want, 303) {
			t.Errorf("%s answered %d", name, p.status)
		}
		lacks(t, p.body, "Dana", "uid1", "stray", "Wrong signature")
		if p := v.do("GET", path, nil, liveHeader, "1"); p.status != 401 {
			t.Errorf("%s, live, answered %d", name, p.status)
		}
	}
	if p := v.get("/desk/sign-in"); p.status != 200 {
		t.Errorf("the sign-in page answered %d", p.status)
	}
	if p := v.get("/desk"); p.header.Get("Location") != "/desk/" {
		t.Errorf("/desk leads to %q", p.header.Get("Location"))
	}
}

var (
	h1      = regexp.MustCompile(`<h1[ >]`)
	inlines = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?:[^>]*)>[^<]`)
	ids     = regexp.MustCompile(`\sid="([^"]*)"`)
	local   = regexp.MustCompile(`href="#([^"]*)"`)
	assets  = regexp.MustCompile(`(?:src|href)="(/desk/assets/[^"]*)"`)
	outside = regexp.MustCompile(`<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?//`)
)

// Every page has one heading of the first level, nothing that its policy would
// block, no ID twice and no link into itself that leads nowhere.
func TestEveryPageIsWellMade(t *testing.T) {
	b, pages := filled(t)
	v := b.signedIn()
	pages["error"] = "/desk/nothing"
	bodies := map[string]got{"sign-in": b.visitor().get("/desk/sign-in")}
	for name, path := range pages {
		bodies[name] = v.get(path)
	}
	for name, p := range bodies {
		if n := len(h1.FindAllString(p.body, -1)); n != 1 {
			t.Errorf("%s has %d h1", name, n)
		}
		if strings.Contains(p.body, "/desk/sign-out") && !strings.Contains(p.body, "Keys of the API</a>") {
			t.Errorf("%s leads not to the keys", name)
		}
		if found := inlines.FindString(p.body); found != "" {
			t.Errorf("%s has %q inline", name, found)
		}
		if found := outside.FindString(p.body); found != "" {
			t.Errorf("%s loads %q", name, found)
		}
		seen := map[string]bool{}
		for _, id := range ids.FindAllStringSubmatch(p.body, -1) {
			if seen[id[1]] {
				t.Errorf("%s has the ID %q twice", name, id[1])
			}
			seen[id[1]] = true
		}
		for _, to := range local.FindAllStringSubmatch(p.body, -1) {
			if !seen[to[1]] {
				t.Errorf("%s links to #%s, which is not there", name, to[1])
			}
		}
		for _, a := range assets.FindAllStringSubmatch(p.body, -1) {
			if got := b.visitor().get(a[1]); got.status != 200 || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %s answered %d", name, a[1], got.status)
			}
		}
		h := p.header
		if h.Get("Content-Security-Policy") != "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types handoff-desk" {
			t.Errorf("%s: policy %q", name, h.Get("Content-Security-Policy"))
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: headers %v", name, h)
		}
	}
}

func TestErrorsSayWhatToDoAndNothingInternal(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	for path, status := range map[string]int{
		"/desk/leads/lead_01jdb7z5q4x3s8m2k9v6t1n0rc":      404,
		"/desk/leads/nonsense":                             404,
		"/desk/failures/' OR 1=1 --":                       404,
		"/desk/leads?site=unknown":                         404,
		"/desk/leads?before=nonsense":                      400,
		"/desk/leads?before=2026-01-01T00:00:00.000000Z_x": 400,
		"/desk/assets/desk.css":                            404,
		"/desk/assets/../desk.go":                          307, // by the mux, to its clean form
	} {
		p := v.get(strings.ReplaceAll(path, " ", "%20"))
		if p.status != status {
			t.Errorf("%s answered %d, want %d", path, p.status, status)
		}
		if status != 307 {
			contains(t, p.body, "<h1>", "To the leads")
		}
		lacks(t, p.body, "invalid", "sql", "store:", "lead_01")
	}
	b.must(b.db.Close())
	p := v.get("/desk/")
	if p.status != http.StatusServiceUnavailable || p.header.Get("Retry-After") == "" {
		t.Errorf("without a store: %d", p.status)
	}
	lacks(t, p.body, "sql", "closed", "unavailable")
}

// What no database keeps as text, PostgreSQL refuses with an error that is no answer and
// fills a log.
func TestWhatIsNoTextIsNotAsked(t *testing.T) {
	v := newBench(t).signedIn()
	for _, path := range []string{
		"/desk/failures/%ff", "/desk/failures/fail_%00", "/desk/failures/%ff/body.json", "/desk/statements/brightwater%00/2026-11-28",
		"/desk/failures?uid=%ff", "/desk/failures?site=%00", "/desk/audit?actor=%ff", "/desk/?q=%ff",
	} {
		if p := v.get(path); p.status != 400 {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	for path, form := range map[string]url.Values{
		"/desk/failures/dismissed":       {"site": {"brightwater"}, "id": {"fail_\xff"}},
		"/desk/failures/x/resolutions":   {"remedy": {"dismiss"}, "note": {"\x00"}},
		"/desk/resolutions/res_%ff/undo": {"site": {"brightwater"}},
		"/desk/resolutions/res_x/undo":   {"site": {"\x00"}},
		"/desk/views/delete":             {"view": {"\xff"}},
		"/desk/people/remove":            {"email": {"a\x00"}, "sure": {"1"}},
		"/desk/account/sessions/end":     {"id": {"\xff"}},
	} {
		if p := v.post(path, form); p.status != 400 {
			t.Errorf("%s: %d", path, p.status)
		}
	}
}

// What visitors and strangers write is shown as they wrote it, and does nothing.
func TestHostileTextIsEscaped(t *testing.T) {
	b := newBench(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}`
	s := b.submit(func(s *handoff.Submission) {
		s.Name, s.Phone, s.Message = evil, `+44" onclick="alert(3)`, evil
		s.Answers = []handoff.Answer{{ID: "q", Label: evil, Value: evil}}
		s.Consent = handoff.Consent{Wording: evil, Given: true}
		s.Context = handoff.Context{Landing: evil, Referrer: "javascript:alert(4)", Campaign: map[string]string{"utm_source": evil, evil: evil}}
	})
	o := b.booked(evil, 24*time.Hour)
	o.Location, o.Reason, o.Host.Name, o.Title = "javascript:alert(5)", evil, evil, evil
	o.Attendees = []handoff.Person{{Name: evil, Email: evil, TimeZone: "../../etc/passwd"}}
	b.hear("BOOKING_CREATED", s, o)
	reference := string(s.ID) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 18))
	b.unverified(`{"x":"</pre><script>alert(6)</script>","r":"` + reference + `","bidi":"` + "\u202e" + `"}`)
	b.unverified("not JSON <script>alert(7)</script> \x00 \xff")
	v := b.signedIn()
	list, lead := v.page("/desk/leads"), v.page("/desk/leads/"+string(s.Lead))
	open, err := b.db.Failures(t.Context(), store.FailureFilter{})
	b.must(err)
	all := list + lead
	for _, f := range open {
		all += v.page("/desk/failures/" + string(f.ID))
	}
	lacks(t, all, "<script>", "<img src=x", `" onclick`, `href="javascript:`, reference, "\u202e", "\x00")
	contains(t, list, "&lt;script&gt;alert(1)")
	contains(t, all, "javascript:alert(5)", "alert(6)", "alert(7)", `\u202e`, string(s.ID)+".[signature hidden]")
}

func TestLeadsAreListedFilteredAndPaged(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	contains(t, v.page("/desk/leads"), "No leads yet")
	for i := range pageSize + 5 {
		b.submit(func(s *handoff.Submission) { s.Name = fmt.Sprintf("Visitor %03d", i) })
	}
	roof := b.submit(func(s *handoff.Submission) {
		s.Site, s.Service, s.Name = "northside", "roof", "Nora North"
		s.Context.Campaign = map[string]string{"utm_source": "spring-mail"}
	})
	booked := b.submit(func(s *handoff.Submission) { s.Name, s.Context.Referrer = "Bo Booked", "https://www.duckduckgo.com/" })
	b.hear("BOOKING_CREATED", booked, b.booked("uid1", 26*time.Hour))

	first := v.page("/desk/leads")
	contains(t, first, "Bo Booked", "Nora North", "Visitor 054", "Roof survey", "spring-mail", ">duckduckgo.com<", "tomorrow", "Northside", "Older →",
		`<b>57</b> <span>All`, `<b>56</b> <span>New`, `<b>1</b> <span>Booked`, `<b>0</b> <span>Won`)
	lacks(t, first, "Visitor 006", "Newest")
	if strings.Index(first, "Bo Booked") > strings.Index(first, "Nora North") {
		t.Error("the newest lead is not first")
	}

	older := regexp.MustCompile(`href="([^"]*)" rel="next"`).FindStringSubmatch(first)
	second := v.page(strings.ReplaceAll(older[1], "&amp;", "&"))
	contains(t, second, "Visitor 006", "Visitor 000", "Newest")
	lacks(t, second, "Visitor 007", "Older →")
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`data-lead="([^"]*)"`).FindAllStringSubmatch(first+second, -1) {
		if seen[m[1]] {
			t.Errorf("%s is on both pages", m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) != pageSize+7 {
		t.Errorf("%d leads on both pages", len(seen))
	}

	only := v.page("/desk/leads?stage=booked")
	contains(t, only, "Bo Booked", `<b>57</b> <span>All`)
	lacks(t, only, "Visitor", "Nora")
	only = v.page("/desk/leads?site=northside")
	contains(t, only, string(roof.Lead), `<b>1</b> <span>New`, "/desk/leads?site=northside&amp;stage=won")
	lacks(t, only, "Visitor", "Bo Booked")
	contains(t, v.page("/desk/leads?site=northside&stage=won"), "No lead stands at “Won”", `href="/desk/leads?site=northside"`)
}

// A lead's page tells its bookings as one chain, and each change with its cause.
func TestLeadShowsItsStory(t *testing.T) {
	b := newBench(t)
	s := b.submit(func(s *handoff.Submission) {
		s.Message = "Boiler is\n20 years old"
		s.Answers = []handoff.Answer{{ID: "rooms", Label: "How many rooms?", Value: "Three"}}
		s.Consent = handoff.Consent{Wording: "You may call me.", Given: true, At: b.clock.now()}
	})
	one := b.booked("uidOne", 48*time.Hour)
	one.Location = "integrations:daily"
	b.hear("BOOKING_CREATED", s, one)
	two := b.booked("uidTwo", 72*time.Hour)
	two.Predecessor, two.Reason = "uidOne", "I am away"
	two.Location = "https://meet.example/abc"
	b.hear("BOOKING_RESCHEDULED", handoff.Submission{}, two)

	page := b.signedIn().page("/desk/leads/" + string(s.Lead))
	contains(t, page, "How many rooms?", "Three", "Boiler is\n20 years old", "You may call me.", "Given",
		"uidOne", "uidTwo", "Moved", "Confirmed", "Cal Video", `href="https://meet.example/abc" rel="noopener noreferrer"`,
		"for the visitor", "New York time", "I am away", "Call moved to another time", "Cal.com says", "Form sent")
	lacks(t, page, "calls ahead", "another address", "asked about")
	chain, _, _ := strings.Cut(page[strings.Index(page, `<ol class="chain">`):], "</ol>")
	if strings.Count(page, `<ol class="chain">`) != 1 || strings.Index(chain, "uidOne") > strings.Index(chain, ">uidTwo</code></dd>") {
		t.Error("the two bookings are not one chain, the first one first")
	}
	cause := regexp.MustCompile(`because: <a href="#(fact-[0-9a-f]+)">Call booked</a>`).FindStringSubmatch(page)
	if cause == nil || !strings.Contains(page, `<li id="`+cause[1]+`" class="fact">`) {
		t.Error("the change of stage does not lead to its cause")
	}
	if order := []int{strings.Index(page, "because: <a href=\"#fact"), strings.Index(page, `<li id="`+cause[1]), strings.Index(page, "because: <a href=\"#sent"), strings.Index(page, "<p>Form sent")}; !slices.IsSorted(order) {
		t.Errorf("the timeline is not the newest first: %v", order)
	}
}

// Notes say what a person should look at, and nothing if there is nothing.
func TestNotes(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	site := Site{TimeZone: time.UTC, zone: time.UTC, Pipeline: handoff.DefaultPipeline(), Services: map[string]string{"leak": "Leak detection"}, EventTypes: map[int64]string{10: "boiler", 11: "leak"}}
	call := func(uid string, in time.Duration, change func(*handoff.Booking)) handoff.Booking {
		b := handoff.Booking{BookingKey: handoff.BookingKey{UID: uid}, Status: handoff.Accepted, Start: now.Add(in), End: now.Add(in + time.Hour), EventType: 10, Attendee: handoff.Person{Email: "Dana@example.com"}}
		if change != nil {
			change(&b)
		}
		return b
	}
	for _, tt := range []struct {
		name     string
		bookings []handoff.Booking
		manual   *handoff.Manual
		want     []string
	}{
		{"none", nil, nil, nil},
		{"one call", []handoff.Booking{call("a", time.Hour, nil)}, nil, nil},
		{"two calls ahead", []handoff.Booking{call("a", time.Hour, nil), call("b", 9*time.Hour, nil)}, nil, []string{"There are two calls ahead. If only one is wanted, cancel the other at Cal.com."}},
		{"four calls ahead", []handoff.Booking{call("a", time.Hour, nil), call("b", 9*time.Hour, nil), call("c", 10*time.Hour, nil), call("d", 11*time.Hour, nil)}, nil, []string{"There are 4 calls ahead. If only one is wanted, cancel the others at Cal.com."}},
		{"one past, one ahead", []handoff.Booking{call("a", -9*time.Hour, nil), call("b", 9*time.Hour, nil)}, nil, nil},
		{"one cancelled, one ahead", []handoff.Booking{call("a", time.Hour, func(b *handoff.Booking) { b.Status = handoff.Cancelled }), call("b", 9*time.Hour, nil)}, nil, nil},
		{"another address", []handoff.Booking{call("a", time.Hour, func(b *handoff.Booking) { b.Attendee.Email = "sam@example.com" })}, nil, []string{"another address than the form’s: sam@example.com"}},
		{"another service", []handoff.Booking{call("a", time.Hour, func(b *handoff.Booking) { b.EventType = 11 })}, nil, []string{"Booked as “Leak detection”, but asked about “boiler”."}},
		{"no service", []handoff.Booking{call("a", time.Hour, func(b *handoff.Booking) { b.EventType = 99 })}, nil, []string{"event type 99"}},
		{"visitor absent", []handoff.Booking{call("a", -9*time.Hour, func(b *handoff.Booking) { b.NoShow = true })}, nil, []string{"The visitor did not come"}},
		{"host absent", []handoff.Booking{call("a", -9*time.Hour, func(b *handoff.Booking) { b.HostAbsent = true })}, nil, []string{"The host did not come"}},
		{"forked", []handoff.Booking{call("a", time.Hour, func(b *handoff.Booking) {
			b.Status, b.Successors = handoff.Rescheduled, []handoff.BookingKey{{UID: "b"}, {UID: "c"}}
		})}, nil, []string{"moved twice"}},
		{"a person's stage", nil, &handoff.Manual{Stage: "won", Ruled: "new"}, []string{"A person set the stage “Won”. By its bookings it would be “New”."}},
	} {
		l := store.LeadDetail{Lead: handoff.Lead{Email: "dana@example.com", Service: "boiler", Manual: tt.manual}, Bookings: tt.bookings}
		if tt.manual != nil {
			l.Stage = tt.manual.Stage
		}
		got := notes(site, l, now)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v", tt.name, got)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(got[i].Text, want) {
				t.Errorf("%s: %q, want %q", tt.name, got[i].Text, want)
			}
		}
	}
}

// What anybody can send is kept apart, and cannot push out what Cal.com signed.
func TestFailuresAreKeptApart(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	contains(t, v.page("/desk/failures"), "Nothing waits.")
	contains(t, v.page("/desk/failures?settled=1"), "None was ever noted.")
	b.hear("BOOKING_CREATED", handoff.Submission{}, b.booked("stray", 24*time.Hour))
	for i := range 150 {
		b.unverified(fmt.Sprint(i))
	}
	page := v.page("/desk/failures")
	signed, unverified, ok := strings.Cut(page, `<section class="group unverified"`)
	if !ok || strings.Count(signed, "Booked without a reference") != 1 || strings.Count(signed, ">Dana Whitfield<") != 1 || strings.Contains(unverified, "Booked without a reference") || strings.Contains(signed, "Wrong signature") {
		t.Error("the two kinds are not apart")
	}
	contains(t, v.page("/desk/"), `data-count="151"`)

	open, err := b.db.Failures(t.Context(), store.FailureFilter{Kind: handoff.FailedEvent})
	b.must(err)
	path := "/desk/failures/" + string(open[0].ID)
	contains(t, v.page(path), "Booked without a reference", "Decide which lead it belongs to", "no_reference", "stray", "&#34;triggerEvent&#34;: &#34;BOOKING_CREATED&#34;", "once")

	// A later fact settles it: it leaves the list of open ones, and is still there.
	s := b.submit(nil)
	o := b.booked("stray", 24*time.Hour)
	o.Source, o.Status = handoff.FromEvent, handoff.Accepted
	b.hear("BOOKING_PAID", s, o)
	lacks(t, v.page("/desk/failures"), "Booked without a reference")
	contains(t, v.page("/desk/failures?settled=1&reason=no_reference"), "Booked without a reference", "Only open ones")
	contains(t, v.page(path), "Settled", "a later fact settled it")
}

// Anybody can send 16 KiB that indenting would make 134 MB.
func TestDeepBodyStaysSmall(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{
		strings.Repeat("[", 8000) + strings.Repeat("]", 8000),
		strings.Repeat(`["]",`, 2000) + "1" + strings.Repeat("]", 2000), // a bracket in a text closes nothing
		strings.Repeat(`["\\\"]",`, 2000) + "1" + strings.Repeat("]", 2000),
	} {
		if v := viewReceived(b.desk.Sites[0], store.ReceivedView{Body: body}); v.Pretty != "" || v.Raw != body {
			t.Errorf("%.20s… of %d bytes is shown as %d, indented as %d", body, len(body), len(v.Raw), len(v.Pretty))
		}
	}
	b.unverified(strings.Repeat("[", 40) + strings.Repeat("]", 40))
	open, err := b.db.Failures(t.Context(), store.FailureFilter{})
	b.must(err)
	contains(t, b.signedIn().page("/desk/failures/"+string(open[0].ID)), "nested too deep", "[[[[")
}

// Times are the site's, and say so where sites differ.
func TestTimesAreTheSites(t *testing.T) {
	at := time.Date(2026, 7, 1, 23, 30, 0, 0, time.UTC)
	zone := london()
	back := time.Date(2026, 10, 25, 0, 45, 0, 0, time.UTC) // the clocks go back a quarter of an hour later
	lagos := time.FixedZone("WAT", 3600)
	within := store.Call{Booking: handoff.Booking{Start: back, End: back.Add(30 * time.Minute), Attendee: handoff.Person{TimeZone: "Europe/London"}}}
	for _, tt := range []struct{ got, want string }{
		{span(at, at.Add(30*time.Minute), zone).Text, "Thu 2 Jul 2026, 00:30–01:00 BST"},
		{span(at.Add(-time.Hour), at.Add(time.Hour), time.UTC).Text, "Wed 1 Jul 2026, 22:30 – Thu 2 Jul, 00:30 UTC"},
		{span(at, time.Time{}, zone).Text, "Thu 2 Jul 2026, 00:30 BST"},
		{span(back, back.Add(30*time.Minute), zone).Text, "Sun 25 Oct 2026, 01:45 BST–01:15 GMT"},
		{span(time.Time{}, time.Time{}, zone).Text, ""},
		{"00:30" + until(at, at.Add(30*time.Minute), zone, false), "00:30–01:00"},
		{"00:30" + until(at, at.Add(30*time.Minute), zone, true), "00:30–01:00 BST"},
		{"00:30" + until(at, time.Time{}, zone, false), "00:30"},
		{"00:30" + until(at, time.Time{}, zone, true), "00:30 BST"},
		{"01:45" + until(back, back.Add(30*time.Minute), zone, false), "01:45 BST–01:15 GMT"},
		{"01:45" + until(back, back.Add(30*time.Minute), zone, true), "01:45 BST–01:15 GMT"},
		{(&todayPage{Zone: "London time"}).callRow(Site{zone: zone}, within, back).When.Text, "today 01:45 BST–01:15 GMT"},
		{visitorTime(&within.Booking, time.UTC), "01:45 BST–01:15 GMT London time"},
		{visitorTime(&within.Booking, lagos), "01:45 BST–01:15 GMT London time"}, // the same clock at its start only
		{visitorTime(&within.Booking, zone), ""},
		{day(at, at.Add(-time.Hour), zone), "tomorrow"}, // 23:30 there, and 00:30
		{day(at, at.Add(-time.Hour), time.UTC), "today"},
		{day(at, at.Add(24*time.Hour), zone), "yesterday"},
		{day(at, at.Add(-72*time.Hour), zone), "Thu 2 Jul"},
		{day(at.AddDate(-1, 0, 0), at, zone), "2 Jul 2025"},
		{zoneWords(zone), "London time"},
		{zoneWords(time.UTC), "UTC"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// A statement's page has a row for each booking and says where it has gone; the list
// of statements leads there, and asks Cal.com when somebody wants it.
func TestStatementPages(t *testing.T) {
	b := newBench(t)
	for i := range b.desk.Sites {
		s := b.desk.Sites[i]
		s.Swept = s.ID == "brightwater"
		s.Ignore = []handoff.IgnoreRule{{Name: "trial <b>", Reason: "our own calls", EventTypes: []int64{11}}}
		b.desk.Sites[i], b.desk.sites[s.ID] = s, s
	}
	v := b.signedIn()
	contains(t, v.page("/desk/statements"), "Brightwater", "list was not read yet", "Ask Cal.com now", "Northside", "calcom.api.key")

	// Somebody asks, and Cal.com answers.
	if got := v.post("/desk/statements/brightwater/sweep", url.Values{}); got.status != http.StatusSeeOther || got.header.Get("Location") != "/desk/statements?asked=brightwater" {
		t.Fatalf("%d %s", got.status, got.header.Get("Location"))
	}
	contains(t, v.page("/desk/statements?asked=brightwater"), "Cal.com is being asked.")
	lacks(t, v.page("/desk/statements?asked=elsewhere"), "Cal.com is being asked.")
	for path, want := range map[string]int{"/desk/statements/northside/sweep": 404, "/desk/statements/elsewhere/sweep": 404} {
		if got := v.post(path, url.Values{}); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
	claimed, err := b.db.Claim(t.Context(), "brightwater", store.KindSweep, 1)
	b.must(err)
	if len(claimed) != 1 {
		t.Fatal("nothing is due")
	}
	s := b.submit(nil)
	b.hear("BOOKING_CREATED", s, b.booked("uidTied", 48*time.Hour))
	listed := func(uid string, eventType int64, who string) handoff.Observation {
		o := b.booked(uid, 48*time.Hour)
		o.ID, o.Site, o.Source, o.At, o.Made, o.EventType = "api_"+uid, "brightwater", handoff.FromAPI, b.clock.now(), b.clock.now(), eventType
		o.Attendees[0].Email = who
		return o
	}
	at, err := b.db.PlaceOf(t.Context(), "brightwater")
	b.must(err)
	_, err = b.db.KeepSwept(t.Context(), claimed[0], at, store.Swept{Size: 4, Last: b.clock.now(), Observations: []handoff.Observation{
		listed("uidTied", 10, "dana@example.com"), listed("uidStray", 10, "x@example.com"), listed("uidTrial", 11, "x@example.com"), listed("uidElsewhere", 99, "secret@example.com"),
	}}, []int64{10, 11}, time.Hour)
	b.must(err)
	_, err = b.db.Reconcile(t.Context(), "brightwater", handoff.Rules{Pipeline: handoff.DefaultPipeline(), Ignore: b.desk.Sites[0].Ignore}, 100)
	b.must(err)

	list := v.page("/desk/statements")
	day := "/desk/statements/brightwater/" + b.clock.now().In(london()).Format(time.DateOnly)
	contains(t, list, `href="`+day+`"`, "Read in part", "handoff sweep --since DAY")
	lacks(t, list, "yesterday")
	page := v.page(day)
	contains(t, page, "3 of 3 bookings accounted for: 1 tied to leads, 1 in the failure queue, 1 ignored by rule “trial &lt;b&gt;”. Beside them 1 of event types that no service of the site has.",
		"uidTied", `href="/desk/leads/`+string(s.Lead)+`"`, "uidStray", `href="/desk/failures/fail_`, "uidTrial", "our own calls", "somebody else’s", "event type 99", "Boiler replacement",
		"No webhook told of 2 bookings", "list was read from")
	lacks(t, page, "uidElsewhere", "secret@example.com", "dana@example.com", "<b>”")
	for _, path := range []string{"/desk/statements/elsewhere/2026-11-23", "/desk/statements/brightwater/today", "/desk/statements/brightwater/2026-13-45"} {
		if got := v.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	contains(t, v.page("/desk/statements/northside/2026-11-23"), "Nothing is known", "was not read yet")
	if got := b.visitor().get(day); got.status == http.StatusOK {
		t.Error("a stranger reads statements")
	}
}
