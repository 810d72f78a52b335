package desk

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// minis are the bars within the rows of a table.
var minis = regexp.MustCompile(`<svg class="mini".*?</svg>`)

// The page tells the steps, by service and by source, with the same numbers in pictures
// and tables; what is asked for is narrowed, and what cannot be asked is refused.
func TestNumbersPage(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	contains(t, v.page("/desk/numbers"), "counted nowhere yet", "Nothing was counted on these days", "None opened on these days")
	b.clock.pass(2 * time.Minute)
	for range 8 {
		b.db.Tally(store.Tally{Site: "brightwater", Kind: store.TallyVisit, At: b.clock.now().In(london()).Format(time.DateOnly), Source: "google"})
	}
	b.db.Tally(store.Tally{Site: "brightwater", Kind: store.TallyVisit, At: b.clock.now().In(london()).Format(time.DateOnly), Service: "boiler", Source: "google"})
	b.must(b.db.KeepTallies(t.Context()))
	google := func(s *handoff.Submission) { s.Context.Campaign = map[string]string{"utm_source": "google"} }
	booked := b.submit(google)
	for range 3 {
		b.submit(google)
	}
	b.submit(func(s *handoff.Submission) { s.Service = "leak" })
	b.submit(func(s *handoff.Submission) { s.Site, s.Service, s.Name = "northside", "roof", "Nora" })
	b.hear("BOOKING_CREATED", booked, b.booked("uid1", 26*time.Hour))
	b.hear("BOOKING_CREATED", booked, b.booked("uid2", 50*time.Hour)) // its second call
	b.hear("BOOKING_CREATED", handoff.Submission{}, b.booked("stray", 3*time.Hour))

	plain := func(path string) string { return minis.ReplaceAllString(v.page(path), "") }
	page := plain("/desk/numbers?site=brightwater")
	row := func(name string, cells ...string) string {
		out := `<th role="rowheader" scope="row">` + name + `</th>`
		for _, c := range cells {
			label, n, _ := strings.Cut(c, "=")
			out += `<td role="cell" data-label="` + label + `" class="count-of">` + n + `</td>`
		}
		return out
	}
	contains(t, page, row("Visited", "Number=8", "Share=–"), row("Submitted", "Number=5", "Share=–"), row("Booked", "Number=1", "Share=20% of submitted"), row("Met", "Number=0", "Share=0% of booked"),
		"Boiler replacement", "Leak detection", `<bdi>google</bdi>`, `<bdi>direct</bdi>`, row("within 5 minutes", "Leads=1"), row(b.clock.now().In(london()).Format("Mon 2 Jan 2006"), "Bookings=2"), "<h3>Bookings per day</h3>", `aria-current="true">Last 30 days`,
		`<a href="/desk/failures?reason=no_reference&amp;settled=1">`, `<svg class="bars" role="img"`, `counted from `)
	lacks(t, page, "Roof survey", "Nora")
	if n := strings.Count(page, "<rect"); n < 4 {
		t.Errorf("%d bars", n)
	}
	narrowed := plain("/desk/numbers?site=brightwater&service=leak&days=7")
	contains(t, narrowed, row("Visited", "Number=0", "Share=–"), row("Submitted", "Number=1", "Share=–"), row("Booked", "Number=0", "Share=0% of submitted"), `aria-current="true">Last 7 days`, "service=leak")
	lacks(t, narrowed, `<bdi>google</bdi>`)
	if p := v.page("/desk/numbers?site=brightwater&from=2026-01-01&to=2026-01-31"); strings.Count(p, "Jan 2026</th>") != 31 {
		t.Error("31 days are not 31")
	}
	for _, bad := range []string{"days=0", "days=366", "days=x", "from=x", "from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01", "from=0001-01-01&to=0001-01-02"} {
		if p := v.get("/desk/numbers?" + bad); p.status != 400 {
			t.Errorf("%s: %d", bad, p.status)
		}
	}
	only := b.as(handoff.RoleViewer, "northside")
	contains(t, only.page("/desk/numbers"), "Roof survey")
	for _, site := range []string{"brightwater", "none"} {
		if p := only.get("/desk/numbers?site=" + site); p.status != 404 {
			t.Errorf("%s: %d", site, p.status)
		}
	}
}

// Numbers are read once a minute at most, and those of one site are not another's.
func TestNumbersAreReadOnceAMinute(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	submitted := func(path string) int {
		page := minis.ReplaceAllString(v.page(path), "")
		_, rest, _ := strings.Cut(page, `scope="row">Submitted</th><td role="cell" data-label="Number" class="count-of">`)
		n, _, _ := strings.Cut(rest, "<")
		return int(n[0] - '0')
	}
	b.submit(nil)
	if n := submitted("/desk/numbers?site=brightwater"); n != 1 {
		t.Errorf("%d, want 1", n)
	}
	b.submit(nil)
	if n := submitted("/desk/numbers?site=brightwater"); n != 1 {
		t.Errorf("they were read again at once: %d", n)
	}
	if n := submitted("/desk/numbers?site=northside"); n != 0 {
		t.Errorf("another site has %d", n)
	}
	if n := submitted("/desk/numbers?site=brightwater&days=7"); n != 2 {
		t.Errorf("other days: %d", n)
	}
	b.clock.pass(time.Minute)
	if n := submitted("/desk/numbers?site=brightwater"); n != 2 {
		t.Errorf("after a minute: %d", n)
	}
}

// Rows are ordered by their forms, what is beyond the most is one row, and no form is
// lost; waits fall into one span each, and calls onto their day if they are of the service.
func TestNumbersAreOrdered(t *testing.T) {
	rows := map[string]*numbersRow{}
	for i := range 20 {
		r := &numbersRow{Name: string(rune('a' + i))}
		r.N[store.StepSubmitted], r.N[store.StepBooked] = i, i/2
		rows[r.Name] = r
	}
	got := ranked(rows, 15)
	sum := 0
	for _, r := range got {
		sum += r.N[store.StepSubmitted]
	}
	if len(got) != 16 || got[0].Name != "t" || got[0].Rate != "47%" || got[15].Name != "5 further" || sum != 190 {
		t.Errorf("%d rows, %d forms: %+v", len(got), sum, got)
	}
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	var p numbersPage
	var booked []store.BookedLead
	for _, wait := range []time.Duration{-time.Minute, 0, 5 * time.Minute, 59 * time.Minute, time.Hour, 23 * time.Hour, 25 * time.Hour, 80 * 24 * time.Hour} {
		booked = append(booked, store.BookedLead{SubmittedAt: day.Add(time.Hour), BookedAt: day.Add(time.Hour + wait)})
	}
	p.fillWaits(numbersQuery{from: day, to: day}, booked)
	var counts []int
	for _, r := range p.WaitRows {
		counts = append(counts, r.N)
	}
	if want := []int{2, 1, 1, 1, 1, 1, 0, 1}; !slices.Equal(counts, want) {
		t.Errorf("waits %v, want %v", counts, want)
	}
	p.fillDays(Site{TimeZone: time.UTC}, numbersQuery{from: day, to: day.AddDate(0, 0, 1), service: "boiler"}, []store.BookedCall{
		{Service: "boiler", At: day}, {Service: "boiler", At: day.Add(24*time.Hour - 1)}, {Service: "leak", At: day}, {Service: "boiler", At: day.AddDate(0, 0, 1)},
	})
	if len(p.DayRows) != 2 || p.DayRows[0].N != 1 || p.DayRows[1].N != 2 {
		t.Errorf("days, the newest first: %+v", p.DayRows)
	}
}
