package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// pageSize is how many leads a page shows.
const pageSize = 50

type leadsPage struct {
	frame
	Sites    []choice // to filter by; empty with one site
	Stages   []choice
	Zone     string // in which times are shown; empty if it differs by row
	Many     bool   // leads of several sites are shown
	Leads    []leadRow
	Filtered string // the stage shown, in words; empty: all
	All      string // address without filters
	Newest   string // address of the first page; empty on it
	Older    string // address of the next page; empty on the last
}

// A choice is one value of a filter.
type choice struct {
	badge
	Count   int
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
	site  string
	stage handoff.Stage
	at    time.Time // with lead: leads before this one
	lead  handoff.LeadID
}

// leads lists leads, the newest first.
//
//	200  also if there are none
//	400  the place to continue from is not one of ours
//	404  no such site
func (d *Desk) leads(w http.ResponseWriter, r *http.Request) error {
	q, err := d.readQuery(r.URL.Query())
	if err != nil {
		return err
	}
	ctx := r.Context()
	sites := actorOf(r).Sites
	if q.site != "" {
		sites = []string{q.site}
	}
	leads, err := d.Store.Leads(ctx, store.LeadFilter{Sites: sites, Stage: q.stage, Limit: pageSize + 1, Before: q.lead, BeforeAt: q.at})
	if err != nil {
		return err
	}
	counts, err := d.Store.Count(ctx, sites)
	if err != nil {
		return err
	}
	page := leadsPage{Sites: d.siteChoices(q), Stages: d.stageChoices(q, counts), Many: q.site == "" && len(d.Sites) > 1, All: query{site: q.site}.address()}
	if page.frame, err = d.frame(ctx, r, "leads", "Leads"); err != nil {
		return err
	}
	if len(leads) > pageSize {
		leads = leads[:pageSize]
		last := leads[pageSize-1]
		page.Older = query{q.site, q.stage, last.CreatedAt, last.ID}.address()
	}
	if q.lead != "" {
		page.Newest = query{site: q.site, stage: q.stage}.address()
	}
	if q.stage != "" {
		page.Filtered = label(string(q.stage))
	}
	for _, l := range leads {
		page.Leads = append(page.Leads, d.row(l))
	}
	page.Zone = d.oneZone(q.site)
	return d.render(w, http.StatusOK, "leads", page)
}

func (d *Desk) row(l store.LeadSummary) leadRow {
	site, now := d.siteOf(l.Site), d.Now()
	row := leadRow{
		ID: l.ID, Name: l.Name, Email: l.Email, Service: site.service(l.Service), Site: site.Name,
		Stage: site.stage(l.Stage), Source: l.Source, Submitted: soon(l.CreatedAt, now, site.TimeZone),
	}
	if next := nextCall(l.Bookings, now); next != nil {
		row.Next = soon(next.Start, now, site.TimeZone)
		if d.oneZone("") == "" {
			row.Next.Text += next.Start.In(site.TimeZone).Format(" MST")
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
		if ahead(b, now) && (next == nil || b.Start.Before(next.Start)) {
			next = b
		}
	}
	return next
}

// ahead reports that a call may still take place, or is taking place.
func ahead(b *handoff.Booking, now time.Time) bool {
	end := b.End
	if end.IsZero() {
		end = b.Start
	}
	return b.Live() && !b.Ended && end.After(now)
}

// oneZone names the zone of what is shown, if it is one: of a site, or of all.
func (d *Desk) oneZone(site string) string {
	if site != "" {
		return zoneWords(d.siteOf(site).TimeZone)
	}
	zone := ""
	for _, s := range d.Sites {
		if zone != "" && zone != zoneWords(s.TimeZone) {
			return ""
		}
		zone = zoneWords(s.TimeZone)
	}
	return zone
}

func (d *Desk) siteChoices(q query) []choice {
	if len(d.Sites) < 2 {
		return nil
	}
	out := []choice{{badge{"All sites", ""}, 0, query{stage: q.stage}.address(), q.site == ""}}
	for _, s := range d.Sites {
		out = append(out, choice{badge{s.Name, ""}, 0, query{site: s.ID, stage: q.stage}.address(), q.site == s.ID})
	}
	return out
}

// stageChoices are the stages of the sites shown, in the order of their
// pipelines, then stages that leads still have but no pipeline names.
func (d *Desk) stageChoices(q query, counts store.Counts) []choice {
	var out []choice
	total := 0
	seen := map[handoff.Stage]bool{}
	add := func(s Site, stage handoff.Stage) {
		if !seen[stage] {
			seen[stage] = true
			out = append(out, choice{s.stage(stage), counts.Stages[stage], query{site: q.site, stage: stage}.address(), q.stage == stage})
		}
	}
	for _, s := range d.Sites {
		if q.site == "" || q.site == s.ID {
			for _, stage := range s.Pipeline.Stages {
				add(s, stage)
			}
		}
	}
	var others []handoff.Stage
	for stage, n := range counts.Stages {
		total += n
		if !seen[stage] {
			others = append(others, stage)
		}
	}
	slices.Sort(others)
	for _, stage := range others {
		add(Site{}, stage)
	}
	return append([]choice{{badge{"All", ""}, total, query{site: q.site}.address(), q.stage == ""}}, out...)
}

const beforeLayout = "2006-01-02T15:04:05.000000Z"

// address is where this list is found.
func (q query) address() string {
	v := url.Values{}
	if q.site != "" {
		v.Set("site", q.site)
	}
	if q.stage != "" {
		v.Set("stage", string(q.stage))
	}
	if q.lead != "" {
		v.Set("before", q.at.UTC().Format(beforeLayout)+"_"+string(q.lead))
	}
	if len(v) == 0 {
		return "/desk/"
	}
	return "/desk/?" + v.Encode()
}

func (d *Desk) readQuery(v url.Values) (q query, err error) {
	q.site, q.stage = v.Get("site"), handoff.Stage(v.Get("stage"))
	if _, ok := d.sites[q.site]; q.site != "" && !ok {
		return q, fmt.Errorf("site: %w", handoff.ErrNotFound)
	}
	if len(q.stage) > 40 {
		return q, fmt.Errorf("stage: %w", handoff.ErrInvalid)
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
