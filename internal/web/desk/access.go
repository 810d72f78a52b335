package desk

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

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
// is not there: no row, no count, no page.
type reader struct {
	*Desk
	actor handoff.Actor
	zone  *time.Location // in which they read times; nil: in that of each site
}

// as reads for who is signed in.
func (d *Desk) as(r *http.Request) reader {
	o := operatorOf(r)
	return reader{d, o.Actor(), o.zone}
}

// shown is a site with its times as the actor reads them.
func (q reader) shown(s Site) Site {
	if q.zone != nil {
		s.zone = q.zone
	}
	return s
}

// siteOf is [Desk.siteOf] for the actor.
func (q reader) siteOf(id string) Site { return q.shown(q.Desk.siteOf(id)) }

// seen lists the sites of the configuration that the actor sees.
func (q reader) seen() []Site {
	var out []Site
	for _, s := range q.Sites {
		if q.actor.Sees(s.ID) {
			out = append(out, q.shown(s))
		}
	}
	return out
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
	return q.shown(s), q.actor.Need(least, id)
}

// read are the sites that a query for a site, or for all (""), reads; nil: every one.
func (q reader) read(site string) []string {
	if site != "" {
		return q.actor.SeenOf([]string{site})
	}
	return q.actor.Sites
}

// oneLead reads a lead. The error is ErrNotFound also for one of a site that is not seen.
func (q reader) oneLead(ctx context.Context, id handoff.LeadID) (store.LeadDetail, error) {
	return q.Store.Lead(ctx, q.actor.Sites, id)
}

// oneFailure reads the failure that a request names. The error is ErrNotFound also for
// one of a site that is not seen.
func (q reader) oneFailure(r *http.Request) (store.FailureDetail, error) {
	return q.Store.Failure(r.Context(), q.actor.Sites, handoff.FailureID(clip(r.PathValue("id"), 60)))
}
