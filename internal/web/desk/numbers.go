package desk

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"handoff"
	"handoff/internal/store"
)

const (
	numbersAge   = time.Minute // for so long numbers are not read again: they are of many rows
	maxTallied   = 64          // different ones that are remembered
	sourcesShown = 15
)

// tallied are numbers that were read a moment ago. They are read one after the other, so
// that who asks for many keeps nobody else waiting for the store.
type tallied struct {
	mu   sync.Mutex
	read map[string]talliedAt
}

type talliedAt struct {
	at time.Time
	n  store.Numbers
}

// countNumbers reads numbers of a site, unless that was done a moment ago.
func (d *Desk) countNumbers(ctx context.Context, site string, f store.NumbersFilter) (talliedAt, error) {
	d.tallied.mu.Lock()
	defer d.tallied.mu.Unlock()
	key, now := site+" "+f.FromDay+" "+f.ToDay, d.Now()
	if c, ok := d.tallied.read[key]; ok && now.Sub(c.at) < numbersAge && !now.Before(c.at) {
		return c, nil
	}
	n, err := d.Store.Numbers(ctx, site, f)
	if err != nil {
		return talliedAt{}, err
	}
	if d.tallied.read == nil || len(d.tallied.read) >= maxTallied {
		d.tallied.read = map[string]talliedAt{}
	}
	c := talliedAt{now, n}
	d.tallied.read[key] = c
	return c, nil
}

type numbersPage struct {
	frame
	Sites    []choice // to choose from; empty with one site
	Ranges   []choice
	Site     Site
	From, To string // days; To is included
	Services []option
	Zones    string // of times and days, in a sentence
	AsOf     moment
	Since    string // from when on visits are counted, if that is within the days; empty: it is not
	Steps    []stepRow
	Funnel   bars
	ByBoth   []numbersTable // by service, and by source
	Days     chart
	DayRows  []countRow // the newest first
	Waits    chart
	WaitRows []countRow
	Causes   []causeRow
	ByCause  bars
}

// A stepRow is one step of the way to a call.
type stepRow struct {
	Name string
	N    int
	Of   string // "20% of submitted"; empty: that says nothing
}

// A numbersTable is how many took each step, by something.
type numbersTable struct {
	ID, Title, By string
	Rows          []numbersRow
}

type numbersRow struct {
	Name string
	N    [store.Steps]int
	Rate string // of who sent a form, how many booked
}

// Steps are its numbers with their names, for pages.
func (r numbersRow) Steps() []stepRow {
	var out []stepRow
	for i, n := range r.N {
		out = append(out, stepRow{Name: stepNames[i], N: n})
	}
	return out
}

type countRow struct {
	Name string
	N    int
}

type causeRow struct {
	Title, Address string
	Opened, Open   int
}

var stepNames = [store.Steps]string{"Visited", "Started", "Submitted", "Saw the calendar", "Booked", "Met"}

// StepNames are for the heads of tables.
func (numbersPage) StepNames() []string { return stepNames[:] }

// numbers shows what became of a site's visitors.
//
//	200  of the first site that is seen and the last 30 days, if nothing else is asked for
//	400  no such days
//	404  no such site, or none at all
func (d *Desk) numbers(w http.ResponseWriter, r *http.Request) error {
	q, see := r.URL.Query(), d.as(r)
	seen := see.seen()
	id := q.Get("site")
	if id == "" && len(seen) > 0 {
		id = seen[0].ID
	}
	s, err := see.site(handoff.RoleViewer, id)
	if err != nil {
		return err
	}
	asked, err := d.readNumbersQuery(s, q)
	if err != nil {
		return err
	}
	c, err := d.countNumbers(r.Context(), s.ID, asked.filter(s))
	if err != nil {
		return err
	}
	f, err := d.frame(r.Context(), r, "numbers", "Numbers")
	if err != nil {
		return err
	}
	page := numbersPage{
		frame: f, Site: s, Zones: s.zones(), AsOf: soon(c.at, d.Now(), s.zone),
		From: asked.from.Format(time.DateOnly), To: asked.to.Format(time.DateOnly), Services: serviceOptions(s, asked.service),
	}
	if len(seen) > 1 {
		for _, other := range seen {
			at := asked
			page.Sites = append(page.Sites, choice{badge{other.Name, ""}, "", at.address(other.ID), other.ID == s.ID})
		}
	}
	for _, days := range []int{7, 30, 90} {
		at := numbersQuery{days: days, service: asked.service}
		page.Ranges = append(page.Ranges, choice{badge{fmt.Sprintf("Last %d days", days), ""}, "", at.address(s.ID), asked.days == days})
	}
	if since := c.n.CountedSince; since == "" || since > page.From {
		page.Since = "nowhere yet"
		if at, err := handoff.ParseDay(s.TimeZone, since); err == nil {
			page.Since = "from " + at.Format("2 January 2006") + " on"
		}
	}
	page.fill(s, asked, c.n)
	return d.render(w, http.StatusOK, "numbers", page)
}

// A numbersQuery is what numbers are asked for.
type numbersQuery struct {
	days     int       // the last so many; 0: from and to
	from, to time.Time // days in the site's zone; to is included
	service  string    // empty: all
}

// address is where these numbers of a site are found.
func (q numbersQuery) address(site string) string {
	v := url.Values{"site": {site}}
	if q.days > 0 {
		v.Set("days", strconv.Itoa(q.days))
	} else {
		v.Set("from", q.from.Format(time.DateOnly))
		v.Set("to", q.to.Format(time.DateOnly))
	}
	if q.service != "" {
		v.Set("service", q.service)
	}
	return "/desk/numbers?" + v.Encode()
}

// readNumbersQuery reads what an address asks for. The error is ErrInvalid.
func (d *Desk) readNumbersQuery(s Site, v url.Values) (q numbersQuery, err error) {
	q.service = clip(v.Get("service"), 100)
	today := handoff.DayOf(s.TimeZone, d.Now(), 0)
	if v.Get("from") == "" && v.Get("to") == "" {
		q.days = 30
		if v.Has("days") {
			if q.days, err = strconv.Atoi(v.Get("days")); err != nil || q.days < 1 || q.days > 365 {
				return q, fmt.Errorf("days: %w", handoff.ErrInvalid)
			}
		}
		q.from, q.to = handoff.DayOf(s.TimeZone, today, 1-q.days), today
		return q, nil
	}
	q.from, q.to = handoff.DayOf(s.TimeZone, today, -29), today
	for name, into := range map[string]*time.Time{"from": &q.from, "to": &q.to} {
		if day := v.Get(name); day != "" {
			if *into, err = handoff.ParseDay(s.TimeZone, day); err != nil {
				return q, fmt.Errorf("%s: %w", name, handoff.ErrInvalid)
			}
		}
	}
	if q.from.After(q.to) || q.to.Sub(q.from) > 365*24*time.Hour || q.from.Year() < 2000 {
		return q, handoff.Refuse(handoff.ErrInvalid, "Choose a first day that is not after the last one, and at most a year before it.")
	}
	return q, nil
}

func (q numbersQuery) filter(s Site) store.NumbersFilter {
	end := handoff.DayOf(s.TimeZone, q.to, 1)
	return store.NumbersFilter{From: q.from, To: end, FromDay: q.from.Format(time.DateOnly), ToDay: end.Format(time.DateOnly)}
}

func serviceOptions(s Site, chosen string) []option {
	out := []option{{"", "All services", chosen == ""}}
	for _, slug := range sortedKeys(s.Services) {
		out = append(out, option{slug, s.service(slug), slug == chosen})
	}
	if _, known := s.Services[chosen]; !known && chosen != "" {
		out = append(out, option{chosen, chosen, true})
	}
	return out
}

// fill derives what is shown from what was read.
func (p *numbersPage) fill(s Site, q numbersQuery, n store.Numbers) {
	total, byService, bySource := numbersRow{}, map[string]*numbersRow{}, map[string]*numbersRow{}
	add := func(to map[string]*numbersRow, name string, r store.FunnelRow) {
		if to[name] == nil {
			to[name] = &numbersRow{Name: name}
		}
		for i, count := range r.N {
			to[name].N[i] += count
		}
	}
	for _, r := range n.Funnel {
		if r.Service != "" {
			add(byService, s.service(r.Service), r)
		}
		// A visit of the whole site is counted once where it begins, and once more at each
		// service's page.
		whole := r
		switch {
		case q.service != "" && r.Service != q.service:
			continue
		case q.service == "" && r.Service != "":
			whole.N[store.StepVisited] = 0
		}
		for i, count := range whole.N {
			total.N[i] += count
		}
		add(bySource, cmp.Or(r.Source, "unknown"), whole)
	}
	numbers := total.N[:]
	for i, count := range numbers {
		row := stepRow{Name: stepNames[i], N: count}
		before := store.Step(i - 1)
		if store.Step(i) == store.StepBooked { // of who sent a form: the calendar can be opened on another day
			before = store.StepSubmitted
		}
		if store.Step(i) != store.StepVisited {
			row.Of = percent(count, numbers[before])
		}
		if row.Of != "" {
			row.Of += " of " + strings.ToLower(stepNames[before])
		}
		p.Steps = append(p.Steps, row)
	}
	p.Funnel = newBars("funnel", "From visit to call: "+q.words(), numbers)
	p.ByBoth = []numbersTable{
		{"by-service", "By service", "Service", ranked(byService, len(byService))},
		{"by-source", "By source", "Source", ranked(bySource, sourcesShown)},
	}
	p.fillDays(s, q, n.Calls)
	p.fillWaits(q, n.Booked)
	p.fillFailures(n.Failures)
}

// words say which days a query is of.
func (q numbersQuery) words() string {
	return q.from.Format("2 January 2006") + " to " + q.to.Format("2 January 2006")
}

// percent says how much of something it is; empty where that says nothing.
func percent(n, of int) string {
	if of == 0 || n > of {
		return ""
	}
	return strconv.Itoa((n*100+of/2)/of) + "%"
}

// ranked are rows, those with most forms first; what is beyond so many is one row.
func ranked(rows map[string]*numbersRow, most int) []numbersRow {
	var out []numbersRow
	for _, name := range sortedKeys(rows) {
		out = append(out, *rows[name])
	}
	slices.SortStableFunc(out, func(a, b numbersRow) int {
		return cmp.Or(b.N[store.StepSubmitted]-a.N[store.StepSubmitted], b.N[store.StepVisited]-a.N[store.StepVisited])
	})
	if len(out) > most {
		rest := numbersRow{Name: fmt.Sprintf("%d further", len(out)-most)}
		for _, r := range out[most:] {
			for i, n := range r.N {
				rest.N[i] += n
			}
		}
		out = append(out[:most], rest)
	}
	for i := range out {
		out[i].Rate = percent(out[i].N[store.StepBooked], out[i].N[store.StepSubmitted])
	}
	return out
}

// waits are how long after the form people booked, the shortest first.
var waits = []struct {
	within time.Duration
	name   string
}{
	{5 * time.Minute, "within 5 minutes"},
	{15 * time.Minute, "5 to 15 minutes"},
	{time.Hour, "15 minutes to 1 hour"},
	{4 * time.Hour, "1 to 4 hours"},
	{24 * time.Hour, "4 hours to 1 day"},
	{3 * 24 * time.Hour, "1 to 3 days"},
	{7 * 24 * time.Hour, "3 days to 1 week"},
	{1 << 62, "later"},
}

// fillDays draws on which days calls were booked.
func (p *numbersPage) fillDays(s Site, q numbersQuery, calls []store.BookedCall) {
	perDay := map[string]int{}
	for _, c := range calls {
		if q.service == "" || c.Service == q.service {
			perDay[c.At.In(s.TimeZone).Format(time.DateOnly)]++
		}
	}
	var days []barValue
	end := handoff.DayOf(s.TimeZone, q.to, 1)
	for day := q.from; day.Before(end); day = handoff.DayOf(s.TimeZone, day, 1) {
		row := countRow{day.Format("Mon 2 Jan 2006"), perDay[day.Format(time.DateOnly)]}
		days = append(days, barValue{Label: day.Format("2 Jan"), Foot: row.N})
		p.DayRows = append(p.DayRows, row)
	}
	slices.Reverse(p.DayRows)
	p.Days = newChart("days", "Bookings per day: "+q.words(), days)
}

// fillWaits draws how long it took leads to book.
func (p *numbersPage) fillWaits(q numbersQuery, booked []store.BookedLead) {
	perWait := make([]int, len(waits))
	for _, b := range booked {
		if q.service != "" && b.Service != q.service {
			continue
		}
		i := slices.IndexFunc(waits, func(w struct {
			within time.Duration
			name   string
		},
		) bool {
			return b.BookedAt.Sub(b.SubmittedAt) < w.within
		})
		perWait[i]++
	}
	var took []barValue
	for i, w := range waits {
		took = append(took, barValue{Label: w.name, Foot: perWait[i]})
		p.WaitRows = append(p.WaitRows, countRow{w.name, perWait[i]})
	}
	p.Waits = newChart("waits", "How long after the form leads booked: "+q.words(), took)
}

// fillFailures draws what came into the failure queue.
func (p *numbersPage) fillFailures(opened []store.ReasonOpened) {
	slices.SortStableFunc(opened, func(a, b store.ReasonOpened) int { return b.Opened - a.Opened })
	var numbers []int
	for _, o := range opened {
		p.Causes = append(p.Causes, causeRow{
			Title: cmp.Or(o.Reason.Text().Title, label(string(o.Reason))), Address: failureQuery{reason: o.Reason, settled: true}.address(), Opened: o.Opened, Open: o.Open,
		})
		numbers = append(numbers, o.Opened)
	}
	p.ByCause = newBars("failures", "Failures by cause", numbers)
}
