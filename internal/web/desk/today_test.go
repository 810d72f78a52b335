package desk

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// What had the desk's first address before is found where it is now.
func TestOldAddressesOfTheLeads(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	for old, now := range map[string]string{
		"/desk/?stage=won":                "/desk/leads?stage=won",
		"/desk/?site=northside&stage=won": "/desk/leads?site=northside&stage=won",
		"/desk/?q=ada%20l":                "/desk/leads?q=ada+l",
		"/desk/?before=2026-01-01T00%3A00%3A00.000000Z_lead_01jdb7z5q4x3s8m2k9v6t1n0rc": "/desk/leads?before=2026-01-01T00%3A00%3A00.000000Z_lead_01jdb7z5q4x3s8m2k9v6t1n0rc",
	} {
		if p := v.get(old); p.status != 303 || p.header.Get("Location") != now {
			t.Errorf("%s answered %d, %s", old, p.status, p.header.Get("Location"))
		}
	}
}

// Nothing waits is said only with what was looked at, and of how far Cal.com's list is
// known it is said as it is.
func TestNothingWaits(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	page := v.page("/desk/")
	contains(t, page, "Nothing is waiting, as far as is known.", "leads of the last 30 days that sent a form 24 hours ago or longer",
		"Brightwater:</b> Cal.com’s list of bookings is not read", "Northside:</b> Cal.com’s list of bookings is not read", "No call is ahead", "Nothing moved yesterday or today")
	swept := b.desk.sites["brightwater"]
	swept.Swept = true
	now := b.clock.now()
	for want, r := range map[string]store.Reading{
		"was not read yet":          {},
		"could not be read so far":  {Attempts: 2},
		"fails at the moment":       {EndedAt: now, AsOf: now, Attempts: 2},
		"longer ago than it should": {EndedAt: now.Add(-21 * time.Minute), AsOf: now},
		"is known as of today":      {EndedAt: now.Add(-6 * time.Minute), AsOf: now, Attempts: 1},
	} {
		got := b.desk.reading(swept, r, false)
		if !strings.Contains(got.Text, want) || got.Care != (want != "is known as of today") || got.Site != "" {
			t.Errorf("%+v: %+v, want %q", r, got, want)
		}
	}
	if sure := (todayPage{Readings: []reading{{}, {}}}); !sure.Sure() || !sure.Nothing() {
		t.Error("all is known, and nothing waits")
	}
}

// What needs a person is on one page, each once, with what can be done about it.
func TestTodayShowsWhatNeedsAPerson(t *testing.T) {
	b := newBench(t)
	named := func(name string) func(*handoff.Submission) {
		return func(s *handoff.Submission) {
			s.Name, s.Email, s.Phone = name, strings.ToLower(name)+"@example.com", "+44 20 7946 0000"
		}
	}
	late := b.submit(named("Late"))
	elsewhere := b.submit(func(s *handoff.Submission) { named("Elsewhere")(s); s.Site, s.Service = "northside", "roof" })
	b.clock.pass(25 * time.Hour)
	twice := b.submit(named("Twice"))
	o := b.booked("uid1", 26*time.Hour)
	o.Location = "https://meet.example.com/abc"
	b.hear("BOOKING_CREATED", twice, o)
	b.hear("BOOKING_CREATED", twice, b.booked("uid2", 50*time.Hour))
	stray := b.booked("stray", 3*time.Hour)
	stray.Attendees[0].Name = "Stray Visitor"
	b.hear("BOOKING_CREATED", handoff.Submission{}, stray)
	b.unverified(`{"a":1}`)
	v := b.signedIn()
	page := v.page("/desk/")
	contains(t, page,
		`<a href="/desk/failures?reason=no_reference">`, "Stray Visitor", "has 1 that proved nothing",
		`<li id="`+string(late.Lead)+`" data-lead="Late"`, `href="tel:&#43;442079460000"`, "Mark as contacted", "More than one call ahead", "cancel the other at Cal.com", "with Priya Raman",
		"Next calls", "for the visitor", "tied to no lead", `href="/desk/failures?uid=stray"`, `href="https://meet.example.com/abc"`,
		`<b>3</b> <span class="badge new">New leads</span>`, `<b>1</b> <span class="badge good">Booked</span>`)
	lacks(t, page, "Nothing is waiting", string(elsewhere.Lead)+`" data-lead`)
	if n := strings.Count(page, `data-lead="Late"`); n != 1 {
		t.Errorf("Late is there %d times", n)
	}

	form := url.Values{"site": {"brightwater"}, "from": {"new"}, "to": {"contacted"}, "back": {"today"}}
	if p := v.post("/desk/leads/"+string(late.Lead)+"/stage", form); p.status != 303 || p.header.Get("Location") != "/desk/" {
		t.Errorf("marked: %d, %s", p.status, p.header.Get("Location"))
	}
	lacks(t, v.page("/desk/"), `data-lead="Late"`)
}

// Who sees one site sees nothing of another one, and who only reads is offered nothing to do.
func TestTodayIsOfSitesThatAreSeen(t *testing.T) {
	b := newBench(t)
	mine := b.submit(func(s *handoff.Submission) { s.Name = "Mine" })
	theirs := b.submit(func(s *handoff.Submission) {
		s.Site, s.Service, s.Name, s.Email = "northside", "roof", "Theirs", "theirs@example.com"
	})
	b.clock.pass(25 * time.Hour)
	b.hear("BOOKING_CREATED", theirs, b.booked("uid1", 26*time.Hour))
	page := b.as(handoff.RoleViewer, "brightwater").page("/desk/")
	contains(t, page, string(mine.Lead), "Mine")
	lacks(t, page, "Theirs", string(theirs.Lead), "Northside", "northside", "Mark as", "Booking link")
}

var seenCall = regexp.MustCompile(`name="(uid|seat)" value="([^"]*)"`)

// seenOn is the form of a page that says that a lead wants all its calls, as a browser
// would send it; empty if there is none.
func seenOn(page string, lead handoff.LeadID) url.Values {
	_, form, found := strings.Cut(page, `action="/desk/leads/`+string(lead)+`/calls-wanted">`)
	if !found {
		return nil
	}
	form, _, _ = strings.Cut(form, "</form>")
	v := url.Values{"site": {"brightwater"}}
	for _, m := range seenCall.FindAllStringSubmatch(form, -1) {
		v.Add(m[1], m[2])
	}
	if strings.Contains(form, `name="back" value="today"`) {
		v.Set("back", "today")
	}
	return v
}

// That a lead wants both its calls is said on the first page or on its own, names who said
// it there, and is taken back there. A page that is older than another call hides nothing.
func TestBothCallsAreWanted(t *testing.T) {
	b := newBench(t)
	twice := b.submit(func(s *handoff.Submission) { s.Name = "Twice <i>" })
	b.hear("BOOKING_CREATED", twice, b.booked("uid1", 26*time.Hour))
	b.hear("BOOKING_CREATED", twice, b.booked("uid2", 50*time.Hour))
	v, path := b.signedIn(), "/desk/leads/"+string(twice.Lead)
	today := v.page("/desk/")
	contains(t, today, `<button>Both are wanted<span class="vh">: Twice &lt;i&gt;</span></button>`, "More than one call ahead")
	old := seenOn(today, twice.Lead)
	if len(old["uid"]) != 2 || len(old["seat"]) != 2 {
		t.Fatalf("the form has %v", old)
	}

	// Another call comes, and then somebody sends the page of before.
	b.hear("BOOKING_CREATED", twice, b.booked("uid3", 74*time.Hour))
	p := v.post(path+"/calls-wanted", old)
	if p.status != 409 {
		t.Errorf("from a page that is older than a call: %d", p.status)
	}
	contains(t, p.body, "Somebody was before you", `href="`+path+`">To the lead<`)
	today = v.page("/desk/")
	contains(t, today, "All three are wanted", "uid3")
	if p := v.post(path+"/calls-wanted", seenOn(today, twice.Lead)); p.status != 303 || p.header.Get("Location") != "/desk/" {
		t.Errorf("answered %d, to %q", p.status, p.header.Get("Location"))
	}
	today = v.page("/desk/")
	lacks(t, today, "More than one call ahead</h3>")
	contains(t, today, "Nothing is waiting", "unless somebody said that all are wanted")
	if n := strings.Count(today, `<p class="when">`); n != 3 {
		t.Errorf("of three calls %d are ahead", n)
	}
	if d := b.read(twice.Lead); d.Stage != "booked" || d.Manual != nil {
		t.Errorf("lead %+v", d.Lead)
	}

	page := v.page(path)
	contains(t, page, "All three calls ahead are wanted, said <bdi>"+email+"</bdi>", `action="`+path+`/calls-wanted/undo"`)
	lacks(t, page, "are three calls ahead", `/calls-wanted">`)
	viewer := b.as(handoff.RoleViewer).page(path)
	contains(t, viewer, "All three calls ahead are wanted")
	lacks(t, viewer, "calls-wanted")

	for i, want := range []int{303, 409} {
		if p := v.post(path+"/calls-wanted/undo", url.Values{"site": {"brightwater"}}); p.status != want {
			t.Errorf("taken back, %d: %d", i, p.status)
		}
	}
	contains(t, v.page("/desk/"), "More than one call ahead</h3>", "cancel the others at Cal.com")
	lacks(t, b.as(handoff.RoleViewer).page("/desk/"), "are wanted", "say so")

	// The lead's own page leads back to itself.
	page = v.page(path)
	contains(t, page, "There are three calls ahead")
	if p := v.post(path+"/calls-wanted", seenOn(page, twice.Lead)); p.status != 303 || p.header.Get("Location") != path {
		t.Errorf("answered %d, to %q", p.status, p.header.Get("Location"))
	}

	odd := url.Values{"site": {"brightwater"}, "uid": {"uid1", "uid2", "uid3"}, "seat": {""}}
	if p := v.post(path+"/calls-wanted", odd); p.status != 400 {
		t.Errorf("a form that is none of ours: %d", p.status)
	}
	one := b.submit(nil)
	b.hear("BOOKING_CREATED", one, b.booked("only", 26*time.Hour))
	if p := v.post("/desk/leads/"+string(one.Lead)+"/calls-wanted", url.Values{"site": {"brightwater"}, "uid": {"only"}, "seat": {""}}); p.status != 400 {
		t.Errorf("of one call: %d", p.status)
	}
}
