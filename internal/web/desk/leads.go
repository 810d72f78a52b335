package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"handoff"
	"handoff/internal/store"
)

// pageSize is how many leads a page shows.
const pageSize = 50

type leadsPage struct {
	frame
	Sites    []choice // to filter by; empty with one site
	Stages   []choice
	Form     filterForm
	Views    []viewLink
	Query    string // what is shown, to keep as a view; empty: nothing to keep
	Board    string // address of the same site's board
	Export   string // address of the same list as a file
	Zone     string // in which times are shown; empty if it differs by row
	Many     bool   // leads of several sites are shown
	Leads    []leadRow
	Filtered bool   // not all leads are shown
	AtStage  string // the stage in words, if it is the only filter
	All      string // address without filters
	Newest   string // address of the first page; empty on it
	Older    string // address of the next page; empty on the last
}

// A filterForm is what the list can be narrowed by, beside site and stage.
type filterForm struct {
	Site, Stage      string
	Search, From, To string
	Services         []option
	Sources          []option
	Open             bool // something of it is used
}

// An option is one of a select.
type option struct {
	Value, Label string
	Current      bool
}

// A viewLink is a view that the operator saved.
type viewLink struct {
	Name, Address string
	Current       bool
}

// A choice is one value of a filter.
type choice struct {
	badge
	Count   string // empty: none
	Address string
	Current bool
}

// A leadRow is one lead in the list.
type leadRow struct {
	ID        handoff.LeadID
	Name      string
	Email     string
	Service   string
	Site      string
	Stage     badge
	Next      moment
	NextNote  string // what else is to be said of the next call
	Source    string
	Submitted moment
}

// query is what a list of leads is asked for.
type query struct {
	site            string
	stage           handoff.Stage
	service, source string
	search          string
	from, to        string    // days in the zone of the list, such as 2026-11-01; to is included
	at              time.Time // with lead: leads before this one
	lead            handoff.LeadID
}

// leads lists leads, the newest first.
//
//	200  also if there are none
//	400  the place to continue from, a day or what is looked for is not one of ours
//	404  no such site
func (d *Desk) leads(w http.ResponseWriter, r *http.Request) error {
	q, err := d.readQuery(r)
	if err != nil {
		return err
	}
	ctx, sites := r.Context(), d.as(r).read(q.site)
	filter := d.as(r).filter(q)
	filter.Limit = pageSize + 1
	leads, err := d.Store.Leads(ctx, filter)
	if err != nil {
		return err
	}
	counts, err := d.Store.Count(ctx, sites)
	if err != nil {
		return err
	}
	sources, err := d.Store.Sources(ctx, sites)
	if err != nil {
		return err
	}
	views, err := d.Store.Views(ctx, operatorOf(r).Email)
	if err != nil {
		return err
	}
	see := d.as(r)
	seen := see.seen()
	page := leadsPage{
		Sites: siteChoices(seen, q), Stages: d.stageChoices(seen, q, counts), Form: d.form(seen, q, sources), Views: viewLinks(views, q),
		Query: q.first().values().Encode(), Many: q.site == "" && len(seen) > 1, Zone: oneZone(seen, q.site),
		All: query{site: q.site}.address(), Filtered: len(q.values()) > 0, Export: "/desk/leads.csv?" + q.first().values().Encode(), Board: boardAddress(q.site),
	}
	if page.frame, err = d.frame(ctx, r, "leads", "Leads"); err != nil {
		return err
	}
	if len(leads) > pageSize {
		leads = leads[:pageSize]
		last := leads[pageSize-1]
		older := q
		older.at, older.lead = last.CreatedAt, last.ID
		page.Older = older.address()
	}
	if q.lead != "" {
		page.Newest = q.first().address()
	}
	if q.stage != "" && !page.Form.Open {
		page.AtStage = label(string(q.stage))
	}
	for _, l := range leads {
		page.Leads = append(page.Leads, see.row(l, oneZone(seen, "") == ""))
	}
	return d.render(w, http.StatusOK, "leads", page)
}

// filter is a list as the store is asked it.
func (q reader) filter(of query) store.LeadFilter {
	f := store.LeadFilter{
		Sites: q.read(of.site), Stage: of.stage, Service: of.service, Source: of.source, Search: of.search, Before: of.lead, BeforeAt: of.at,
	}
	zone := q.zoneOf(of.site)
	if of.from != "" {
		f.From, _ = handoff.ParseDay(zone, of.from) // checked when it was read
	}
	if of.to != "" {
		last, _ := handoff.ParseDay(zone, of.to)
		f.To = handoff.DayOf(zone, last, 1)
	}
	return f
}

// zoneOf is in which zone a list's days are: that in which its times are shown, of several
// sites if they have one in common.
func (q reader) zoneOf(site string) *time.Location {
	if site == "" {
		return commonZone(q.seen())
	}
	return q.siteOf(site).zone
}

// form fills in what a list is narrowed by.
func (d *Desk) form(seen []Site, q query, sources []string) filterForm {
	f := filterForm{
		Site: q.site, Stage: string(q.stage), Search: q.search, From: q.from, To: q.to,
		Services: []option{{"", "Any service", q.service == ""}}, Sources: []option{{"", "Any source", q.source == ""}},
		Open: q.search+q.from+q.to+q.service+q.source != "",
	}
	titles := map[string]string{}
	for _, s := range seen {
		if q.site == "" || q.site == s.ID {
			for slug := range s.Services {
				titles[slug] = s.service(slug)
			}
		}
	}
	if q.service != "" && titles[q.service] == "" {
		titles[q.service] = q.service
	}
	for _, slug := range sortedKeys(titles) {
		f.Services = append(f.Services, option{slug, titles[slug], slug == q.service})
	}
	if q.source != "" && !slices.Contains(sources, q.source) {
		sources = append(sources, q.source)
	}
	for _, s := range sources {
		f.Sources = append(f.Sources, option{s, s, s == q.source})
	}
	return f
}

// row shows a lead in a list; zones says that times are of several.
func (q reader) row(l store.LeadSummary, zones bool) leadRow {
	site, now := q.siteOf(l.Site), q.Now()
	row := leadRow{
		ID: l.ID, Name: l.Name, Email: l.Email, Service: site.service(l.Service), Site: site.Name,
		Stage: site.stage(l.Stage), Source: l.Source, Submitted: soon(l.CreatedAt, now, site.zone),
	}
	if next := nextCall(l.Bookings, now); next != nil {
		row.Next = soon(next.Start, now, site.zone)
		if zones {
			row.Next.Text += next.Start.In(site.zone).Format(" MST")
		}
		switch {
		case next.Status == handoff.Requested:
			row.NextNote = "not confirmed"
		case next.Status == handoff.AwaitingPayment:
			row.NextNote = "not paid"
		case next.Start.Before(now):
			row.NextNote = "now"
		}
	}
	return row
}

// nextCall is the first booking that may still take place or is taking place; nil
// if there is none.
func nextCall(bookings []handoff.Booking, now time.Time) *handoff.Booking {
	var next *handoff.Booking
	for i := range bookings {
		b := &bookings[i]
		if b.Ahead(now) && (next == nil || b.Start.Before(next.Start)) {
			next = b
		}
	}
	return next
}

// oneZone names the zone of what is shown, if it is one: of a site, or of all that are
// given.
func oneZone(sites []Site, site string) string {
	zone := ""
	for _, s := range sites {
		if site != "" && s.ID != site {
			continue
		}
		if zone != "" && zone != zoneWords(s.zone) {
			return ""
		}
		zone = zoneWords(s.zone)
	}
	return zone
}

func siteChoices(sites []Site, q query) []choice {
	if len(sites) < 2 {
		return nil
	}
	at := func(site string) string {
		q := q.first()
		q.site = site
		return q.address()
	}
	out := []choice{{badge{"All sites", ""}, "", at(""), q.site == ""}}
	for _, s := range sites {
		out = append(out, choice{badge{s.Name, ""}, "", at(s.ID), q.site == s.ID})
	}
	return out
}

// stageChoices are the stages of the sites shown, in the order of their
// pipelines, then stages that leads still have but no pipeline names. Counts are of all
// leads of the sites, whatever else the list is narrowed by.
func (d *Desk) stageChoices(sites []Site, q query, counts store.Counts) []choice {
	var out []choice
	total := 0
	seen := map[handoff.Stage]bool{}
	at := func(stage handoff.Stage) string {
		q := q.first()
		q.stage = stage
		return q.address()
	}
	add := func(s Site, stage handoff.Stage) {
		if !seen[stage] {
			seen[stage] = true
			out = append(out, choice{s.stage(stage), countWords(counts.Stages[stage]), at(stage), q.stage == stage})
		}
	}
	for _, s := range sites {
		if q.site == "" || q.site == s.ID {
			for _, stage := range s.Pipeline.Stages {
				add(s, stage)
			}
		}
	}
	var others []handoff.Stage
	for stage, n := range counts.Stages {
		total += n
		if n > store.MaxCount {
			total += store.MaxCount // more than what it says
		}
		if !seen[stage] {
			others = append(others, stage)
		}
	}
	slices.Sort(others)
	for _, stage := range others {
		add(Site{}, stage)
	}
	return append([]choice{{badge{"All", ""}, countWords(total), at(""), q.stage == ""}}, out...)
}

// countWords shows a number of leads, which are counted up to a bound; empty: none.
func countWords(n int) string {
	if n == 0 {
		return ""
	}
	return counted(min(n, store.MaxCount), n > store.MaxCount)
}

const beforeLayout = "2006-01-02T15:04:05.000000Z"

// first is the same list from its beginning.
func (q query) first() query {
	q.at, q.lead = time.Time{}, ""
	return q
}

// values are the query as an address has it.
func (q query) values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		"site": q.site, "stage": string(q.stage), "service": q.service, "source": q.source, "q": q.search, "from": q.from, "to": q.to,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.lead != "" {
		v.Set("before", q.at.UTC().Format(beforeLayout)+"_"+string(q.lead))
	}
	return v
}

// address is where this list is found.
func (q query) address() string {
	if v := q.values(); len(v) > 0 {
		return "/desk/leads?" + v.Encode()
	}
	return "/desk/leads"
}

func (d *Desk) readQuery(r *http.Request) (query, error) {
	q, err := readQuery(r.URL.Query())
	if _, ok := d.sites[q.site]; err == nil && q.site != "" && (!ok || !actorOf(r).Sees(q.site)) {
		err = fmt.Errorf("site: %w", handoff.ErrNotFound)
	}
	return q, err
}

// readQuery reads what an address asks for. The error is ErrInvalid.
func readQuery(v url.Values) (q query, err error) {
	q = query{
		site: v.Get("site"), stage: handoff.Stage(v.Get("stage")), service: v.Get("service"), source: v.Get("source"),
		search: strings.TrimSpace(v.Get("q")), from: v.Get("from"), to: v.Get("to"),
	}
	for _, one := range []string{q.site, string(q.stage), q.service, q.source, q.search} {
		if len(one) > store.MaxSearch || !utf8.ValidString(one) || strings.ContainsRune(one, 0) {
			return q, fmt.Errorf("a filter: %w", handoff.ErrInvalid)
		}
	}
	for _, day := range []string{q.from, q.to} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return q, fmt.Errorf("%q is no day: %w", clip(day, 20), handoff.ErrInvalid)
		}
	}
	before := v.Get("before")
	if before == "" {
		return q, nil
	}
	at, lead, _ := strings.Cut(before, "_")
	if q.at, err = time.Parse(beforeLayout, at); err != nil {
		return q, fmt.Errorf("before: %w", handoff.ErrInvalid)
	}
	q.lead, err = handoff.ParseLeadID(lead)
	return q, err
}
