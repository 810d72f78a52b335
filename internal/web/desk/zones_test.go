package desk

import (
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

var shownTime = regexp.MustCompile(`<time datetime="([^"]*)">([^<]*)</time>`)

// moments are the times on a page, and which of them are not shown in a zone.
func moments(t *testing.T, page string, in *time.Location) (n int, wrong []string) {
	t.Helper()
	for _, m := range shownTime.FindAllStringSubmatch(page, -1) {
		at, err := time.Parse(time.RFC3339, m[1])
		if err != nil {
			t.Fatalf("%q is no time", m[1])
		}
		if !strings.Contains(html.UnescapeString(m[2]), at.In(in).Format("15:04")) {
			wrong = append(wrong, m[1]+": "+m[2])
		}
	}
	return n + len(shownTime.FindAllString(page, -1)), wrong
}

// Whoever chose a zone reads every time of every page in it, and the pages name it;
// nobody else does. What stays in the site's zone are days that others count by.
func TestTimesAreTheOperators(t *testing.T) {
	b, pages := filled(t)
	v, other := b.signedIn(), b.as(handoff.RoleOwner)
	if p := v.post("/desk/account/zone", url.Values{"zone": {"Asia/Tokyo"}}); p.status != 303 {
		t.Fatalf("chosen: %d", p.status)
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	b.must(err)
	seen := 0
	for name, path := range pages {
		page := v.page(path)
		contains(t, page, `<a href="/desk/account#zone">Times are Tokyo time</a>`)
		n, wrong := moments(t, page, tokyo)
		seen += n
		if len(wrong) > 0 {
			t.Errorf("%s: not in Tokyo's time: %q", name, wrong)
		}
		if name != "people" && name != "audit" { // these two are of what the other did too
			lacks(t, page, " GMT<", " BST<")
		}
	}
	if seen < 30 {
		t.Errorf("%d times were looked at", seen)
	}
	for _, name := range []string{"today", "leads", "lead", "board", "site", "numbers"} {
		contains(t, v.page(pages[name]), "Tokyo time")
	}
	for _, path := range []string{"/desk/sites/brightwater", "/desk/numbers"} {
		contains(t, v.page(path), "Times are Tokyo time, days London time.")
	}
	contains(t, v.page(pages["lead"]), "JST", "for the visitor")
	if !slices.ContainsFunc(slices.Collect(maps.Keys(pages)), func(name string) bool {
		return strings.HasPrefix(name, "failure ") && strings.Contains(v.page(pages[name]), "for the visitor")
	}) {
		t.Error("no failure says what time its call is for the visitor")
	}
	contains(t, other.page("/desk/audit"), "Times are of each site’s zone, or in UTC")
	contains(t, b.as(handoff.RoleViewer, "brightwater").page("/desk/failures"), ">Times are London time<")
	lead := other.page(pages["lead"])
	contains(t, lead, "London time")
	lacks(t, lead, "Tokyo", "JST")
	if _, wrong := moments(t, lead, london()); len(wrong) > 0 {
		t.Errorf("who chose none reads %q", wrong)
	}
	if see := (reader{b.desk, handoff.Actor{Role: handoff.RoleOwner}, tokyo}); see.zoneOf("brightwater") != tokyo || see.zoneOf("") != tokyo {
		t.Error("days of a list are not of the zone that its times are in")
	}
}

// A choice of zones that is none changes nothing, and the first one can be had back.
func TestZoneIsChosen(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	zone := func() string {
		u, err := b.db.User(t.Context(), email)
		b.must(err)
		return u.Zone
	}
	page := v.page("/desk/account")
	contains(t, page, `<option value="">That of each site</option>`, `<optgroup label="Europe">`, `<option value="America/New_York">New York</option>`,
		`<option value="America/Argentina/Salta">Salta (Argentina)</option>`)
	for _, name := range []string{"Mars/Olympus", "Local", "localtime", "posixrules", "right/Europe/London", "Factory", "../../etc/passwd", strings.Repeat("Europe/", 20)} {
		if p := v.post("/desk/account/zone", url.Values{"zone": {name}}); p.status != 400 || !strings.Contains(p.body, "There is no such time zone") {
			t.Errorf("%q: %d", name, p.status)
		}
	}
	if got := zone(); got != "" {
		t.Errorf("chosen: %q", got)
	}
	for _, name := range []string{"America/New_York", "Asia/Calcutta", "UTC", ""} { // the second is an older name
		if p := v.post("/desk/account/zone", url.Values{"zone": {name}}); p.status != 303 || zone() != name {
			t.Errorf("%q: %d, %q", name, p.status, zone())
		}
		if page := v.page("/desk/account?done=zone"); name != "" {
			contains(t, page, `<option value="`+name+`" selected>`, "Times are shown so")
		}
	}
	acts, err := b.db.Audit(t.Context(), store.AuditFilter{Action: "user.zone"})
	b.must(err)
	if len(acts) != 4 || acts[0].Subject != email || acts[0].Detail != "that of each site" {
		t.Errorf("acts %+v", acts)
	}
}

// Every zone of the list is known to the program, once, and in order of the world.
func TestZonesOfTheList(t *testing.T) {
	names := strings.Fields(zoneNames)
	if len(names) < 400 || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("%d zones", len(names))
	}
	for _, name := range names {
		if zoneNamed(name) == nil {
			t.Errorf("%s is not known", name)
		}
	}
}

// In a zone whose clocks go forward at midnight, numbers and statements of that day end,
// and a list of it is neither longer nor shorter.
func TestDaysWithoutMidnight(t *testing.T) {
	b := newBench(t)
	santiago, err := time.LoadLocation("America/Santiago")
	b.must(err)
	b.clock.pass(time.Date(2026, 9, 20, 12, 0, 0, 0, time.UTC).Sub(b.clock.now()))
	s := b.desk.sites["brightwater"]
	s.TimeZone, s.zone, s.Swept = santiago, santiago, true
	b.desk.sites["brightwater"], b.desk.Sites[0] = s, s
	v := b.signedIn()
	for _, path := range []string{"/desk/numbers?site=brightwater", "/desk/numbers?site=brightwater&from=2026-09-05&to=2026-09-07"} {
		contains(t, v.page(path), "Sat 5 Sep 2026", "Sun 6 Sep 2026", "Mon 7 Sep 2026")
	}
	contains(t, v.page("/desk/statements/brightwater/2026-09-06"), "Bookings made on Sunday 6 September 2026")
	f := reader{b.desk, handoff.Actor{Role: handoff.RoleOwner}, nil}.filter(query{site: "brightwater", from: "2026-09-06", to: "2026-09-06"})
	if f.From.Format(time.RFC3339) != "2026-09-06T01:00:00-03:00" || f.To.Format(time.RFC3339) != "2026-09-07T00:00:00-03:00" {
		t.Errorf("the list is from %s to %s", f.From, f.To)
	}
}
