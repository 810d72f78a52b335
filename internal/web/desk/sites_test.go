package desk

import (
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A site's page says how it does with each connection, and an alarm stands with the one
// that it is about.
func TestSitePageTellsHowItDoes(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	contains(t, v.page("/desk/sites"), "Brightwater", "Northside", "none yet", `href="/desk/sites/northside"`)
	contains(t, v.page("/desk/sites/brightwater"), "No delivery was verified so far", "Silence raises no alarm", "No mail server is configured", "Not looked at yet", "Nothing was counted", "there is no notify in the configuration")

	b.hear("BOOKING_CREATED", handoff.Submission{}, b.booked("uid1", 26*time.Hour))
	b.unverified(`{"a":1}`)
	b.db.Sign("brightwater", store.SignCalendars, b.clock.now())
	b.must(b.db.KeepTallies(t.Context()))
	b.must(b.db.SiteFails(t.Context(), "brightwater", store.EmbedSubject, handoff.CalendarHidden, "boiler: it leads elsewhere"))
	page := v.page("/desk/sites/brightwater")
	contains(t, page, "The last delivery that was verified came today", "The last that proved nothing, of those that wait, came today", "Looked at last today",
		"boiler: it leads elsewhere", `<rect class="a"`, `<rect class="b"`, "most: 2", `<td role="cell" data-label="Verified" class="count-of">1</td><td role="cell" data-label="Proved nothing" class="count-of some">1</td>`)
	calendars := page[strings.Index(page, "Calendars in the site"):]
	if at := strings.Index(calendars, "A calendar cannot be shown"); at < 0 || at > strings.Index(calendars, "Mail server") {
		t.Error("the alarm does not stand with the calendars")
	}
	told := b.desk.sites["brightwater"]
	told.Tells = []string{"notify[0]: Slack", "notify[1]: mail"}
	b.desk.sites["brightwater"] = told
	b.must(b.db.SiteFails(t.Context(), "brightwater", store.TellingSubject+"slack_1", handoff.TellingFailing, "notify[0]: Slack: it answers 404"))
	page = v.page("/desk/sites/brightwater")
	people := page[strings.Index(page, "Messages to your people"):]
	contains(t, people[:strings.Index(people, "</section>")], "notify[0]: Slack; notify[1]: mail.", "Alarm", "it answers 404")
	contains(t, v.page("/desk/"), "Messages to your people are refused")
	lacks(t, v.page("/desk/sites/northside"), "leads elsewhere", "Looked at last")
	contains(t, v.page("/desk/sites"), "Alarm")
}

// Which secrets are accepted, and when each was used last, is for owners; a secret is
// shown by no more than its fingerprint.
func TestSecretsAndSettingsAreForOwners(t *testing.T) {
	b := newBench(t)
	b.db.Sign("brightwater", "secret/4e5f6a7b", b.clock.now())
	b.must(b.db.KeepTallies(t.Context()))
	page := b.signedIn().page("/desk/sites/brightwater")
	contains(t, page, "<p>At once: <code>handoff check</code></p>", "<code>0a1b2c3d</code>", "Current", "Former, still accepted", "Former, only recognised", "not yet", "/etc/handoff.yaml", "Further hosts", "Headers to paste", "frame-src https://app.cal.com")
	former := page[strings.Index(page, "4e5f6a7b"):]
	contains(t, former[:strings.Index(former, "</tr>")], "today")
	for _, role := range []handoff.Role{handoff.RoleOperator, handoff.RoleViewer} {
		page := b.as(role, "brightwater").page("/desk/sites/brightwater")
		contains(t, page, "Health", "Headers to paste")
		lacks(t, page, "0a1b2c3d", "/etc/handoff.yaml", "Further hosts", "Webhook secrets")
	}
	for _, path := range []string{"/desk/sites/northside", "/desk/sites/none"} {
		if p := b.as(handoff.RoleViewer, "brightwater").get(path); p.status != 404 {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	lacks(t, b.as(handoff.RoleViewer, "brightwater").page("/desk/sites"), "Northside", "northside")
}

// Hours are of the store, days of the site: what came around midnight counts once.
func TestDeliveriesByHourAndDay(t *testing.T) {
	b := newBench(t)
	zone, err := time.LoadLocation("America/New_York")
	b.must(err)
	s := Site{ID: "x", TimeZone: zone, zone: zone}
	now := time.Date(2026, 11, 2, 3, 30, 0, 0, time.UTC) // 22:30 of 1 November, the day of 25 hours
	hours := map[string]store.Deliveries{}
	for t := now.Truncate(time.Hour); t.After(now.AddDate(0, 0, -40)); t = t.Add(-time.Hour) {
		hours[store.Hour(t)] = store.Deliveries{Verified: 1, Refused: 2}
	}
	byHour, byDay := b.desk.byHour(s, hours, now), b.desk.byDay(s, hours, now)
	if len(byHour.Rows) != 48 || byHour.Rows[0] != (deliveryRow{"today 22:00", 1, 2}) || len(byHour.Bars) != 48 {
		t.Errorf("%d hours, %+v", len(byHour.Rows), byHour.Rows[0])
	}
	if len(byDay.Rows) != 30 || byDay.Rows[0].Verified != 24 || byDay.Rows[1].Verified != 24 || byDay.Rows[0].When != "today" { // of 25, one is to come
		t.Errorf("%d days, %+v", len(byDay.Rows), byDay.Rows[:3])
	}
}

// Bars are as high as what they stand for, one that stands for anything can be seen, and
// none leaves the drawing.
func TestChart(t *testing.T) {
	c := newChart("x", "A title", []barValue{{"a", 0, 0}, {"b", 1, 0}, {"c", 500, 500}, {"d", 250, 1}})
	want := []drawn{{0, 10, 100, 0, 100, 0}, {12, 10, 98, 2, 96, 0}, {24, 10, 50, 50, 0, 50}, {36, 10, 75, 25, 73, 2}}
	for i, d := range c.Bars {
		if i != 1 && d != want[i] || i == 1 && (d.FootHigh != 2 || d.FootY != 98) {
			t.Errorf("%d: %+v, want %+v", i, d, want[i])
		}
		if d.TopY < 0 || d.FootY+d.FootHigh > chartHeight {
			t.Errorf("%d leaves the drawing: %+v", i, d)
		}
	}
	if c.Box() != "0 0 46 100" || c.Most != "1000" || c.From != "a" || c.To != "d" || c.Empty {
		t.Errorf("%+v", c)
	}
	for _, none := range []chart{newChart("x", "", nil), newChart("x", "", []barValue{{"a", 0, 0}})} {
		if !none.Empty {
			t.Errorf("%+v", none)
		}
	}
}
