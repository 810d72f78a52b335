package desk

import (
	"net/http"
	"net/url"

	"handoff"
	"handoff/internal/store"
)

// cardsShown is how many leads a column of the board shows.
const cardsShown = 20

type boardPage struct {
	frame
	Sites   []choice // to choose from; empty with one site
	Site    Site
	Zone    string
	List    string // address of the site's list
	Columns []column
	Work    bool // who asks may move leads
}

// A column is a stage with its newest leads.
type column struct {
	badge
	Stage handoff.Stage
	Count string
	Cards []leadRow
	More  string // address of all of them; empty if all are shown
}

func boardAddress(site string) string {
	if site == "" {
		return "/desk/board"
	}
	return "/desk/board?site=" + url.QueryEscape(site)
}

// board shows the leads of one site by stage.
//
//	200  of the first site that is seen, if none is named
//	404  no such site, or none at all
func (d *Desk) board(w http.ResponseWriter, r *http.Request) error {
	q, err := d.readQuery(r)
	if err != nil {
		return err
	}
	see := d.as(r)
	seen := see.seen()
	if q.site == "" && len(seen) > 0 {
		q.site = seen[0].ID
	}
	if q.site == "" {
		return handoff.ErrNotFound
	}
	ctx, site := r.Context(), see.siteOf(q.site)
	counts, err := d.Store.Count(ctx, []string{q.site})
	if err != nil {
		return err
	}
	f, err := d.frame(ctx, r, "board", "Board")
	if err != nil {
		return err
	}
	page := boardPage{
		frame: f, Site: site, Zone: zoneWords(site.zone), List: query{site: q.site}.address(),
		Work: see.actor.May(handoff.RoleOperator),
	}
	if len(seen) > 1 {
		for _, s := range seen {
			page.Sites = append(page.Sites, choice{badge{s.Name, ""}, "", boardAddress(s.ID), s.ID == q.site})
		}
	}
	for _, stage := range site.Pipeline.Stages {
		leads, err := d.Store.Leads(ctx, store.LeadFilter{Sites: []string{q.site}, Stage: stage, Limit: cardsShown + 1})
		if err != nil {
			return err
		}
		c := column{badge: site.stage(stage), Stage: stage, Count: countWords(counts.Stages[stage])}
		if len(leads) > cardsShown {
			leads, c.More = leads[:cardsShown], query{site: q.site, stage: stage}.address()
		}
		for _, l := range leads {
			c.Cards = append(c.Cards, see.row(l, false))
		}
		page.Columns = append(page.Columns, c)
	}
	return d.render(w, http.StatusOK, "board", page)
}
