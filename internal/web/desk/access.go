package desk

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"handoff"
	"handoff/internal/store"
)

// anybody stands in the table of routes for who need not be signed in.
const anybody handoff.Role = "anybody"

// A route is one address of the desk, and the least role that it takes.
type route struct {
	pattern string
	least   handoff.Role
	serve   handler
}

// mux serves the routes. A route that states no role is refused, so that none is open
// because somebody forgot.
func (d *Desk) mux(routes []route) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+assetsPath, d.asset)
	mux.Handle("GET /desk", http.RedirectHandler("/desk/", http.StatusMovedPermanently))
	for _, r := range routes {
		switch {
		case r.least == anybody:
			mux.Handle(r.pattern, d.session(r.serve))
		case slices.Contains(handoff.Roles, r.least):
			mux.Handle(r.pattern, d.session(d.signedIn(r.least, r.serve)))
		default:
			return nil, fmt.Errorf("desk: the route %s states no role: %w", r.pattern, handoff.ErrInvalid)
		}
	}
	return mux, nil
}

// A reader reads the store for one actor. What is of a site that the actor does not see
// is not there: no row, no count, no page. Handlers read leads, failures and statements
// through it and not from the store.
type reader struct {
	*Desk
	actor handoff.Actor
}

// as reads for who is signed in.
func (d *Desk) as(r *http.Request) reader { return reader{d, actorOf(r)} }

// seen lists the sites of the configuration that the actor sees.
func (q reader) seen() []Site {
	return slices.DeleteFunc(slices.Clone(q.Sites), func(s Site) bool { return !q.actor.Sees(s.ID) })
}

// many says whether what is shown can be of several sites.
func (q reader) many() bool { return len(q.seen()) > 1 }

// site finds a site of the configuration. The error is ErrNotFound also for one that the
// actor does not see, and ErrForbidden if it lacks the role.
func (q reader) site(least handoff.Role, id string) (Site, error) {
	s, ok := q.sites[id]
	if !ok {
		return Site{}, fmt.Errorf("site: %w", handoff.ErrNotFound)
	}
	return s, q.actor.Need(least, id)
}

// of is what a query for a site, or for all (""), is asked for: the sites that are read
// one by one, or nil for one query of everything.
func (q reader) of(site string) ([]string, error) {
	switch {
	case site != "":
		return []string{site}, q.actor.Need(handoff.RoleViewer, site)
	case q.actor.Sites == nil:
		return []string{""}, nil
	}
	return q.actor.SeenOf(q.actor.Sites), nil
}

// listLeads lists leads, the newest first.
func (q reader) listLeads(ctx context.Context, f store.LeadFilter) ([]store.LeadSummary, error) {
	sites, err := q.of(f.Site)
	if err != nil {
		return nil, err
	}
	return merged(sites, f.Limit, func(site string) ([]store.LeadSummary, error) {
		f.Site = site
		return q.Store.Leads(ctx, f)
	}, func(a, b store.LeadSummary) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
}

// listFailures lists failures in the store's order.
func (q reader) listFailures(ctx context.Context, f store.FailureFilter) ([]store.FailureView, error) {
	f.Sites = q.actor.Sites
	return q.Store.Failures(ctx, f)
}

// merged joins sorted lists of several sites into one that is as long at most.
func merged[T any](sites []string, limit int, list func(site string) ([]T, error), order func(a, b T) int) ([]T, error) {
	var out []T
	for _, site := range sites {
		part, err := list(site)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	if len(sites) > 1 {
		slices.SortStableFunc(out, order)
	}
	return out[:min(len(out), limit)], nil
}

// oneLead reads a lead. The error is ErrNotFound also for one of a site that is not seen.
func (q reader) oneLead(ctx context.Context, id handoff.LeadID) (store.LeadDetail, error) {
	l, err := q.Store.Lead(ctx, id)
	if err == nil {
		err = q.actor.Need(handoff.RoleViewer, l.Site)
	}
	if err != nil {
		return store.LeadDetail{}, err
	}
	return l, nil
}

// oneFailure reads a failure. The error is ErrNotFound also for one of a site that is
// not seen.
func (q reader) oneFailure(ctx context.Context, id handoff.FailureID) (store.FailureDetail, error) {
	return q.Store.Failure(ctx, q.actor.Sites, id)
}

// count counts the leads and failures of a site, or of all that are seen ("").
func (q reader) count(ctx context.Context, site string) (store.Counts, error) {
	sites, err := q.of(site)
	if err != nil {
		return store.Counts{}, err
	}
	all := store.Counts{Stages: map[handoff.Stage]int{}}
	for _, site := range sites {
		c, err := q.Store.Count(ctx, site)
		if err != nil {
			return store.Counts{}, err
		}
		for stage, n := range c.Stages {
			all.Stages[stage] += n
		}
		all.Failures += c.Failures
	}
	return all, nil
}
