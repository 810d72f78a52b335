package app

import (
	"context"
	"fmt"
	"time"

	"handoff"
	"handoff/internal/web/api"
)

// Statements accounts for a site's bookings day by day, in its own zone: of so many
// days, the last of which is named, or is the one of a moment. The first comes first.
func (a *App) Statements(ctx context.Context, site string, now time.Time, day string, days int) ([]api.StatementView, error) {
	for _, s := range a.sites {
		if s.ID != site {
			continue
		}
		zone := s.Content.Location()
		last := now.In(zone)
		if day != "" {
			var err error
			if last, err = handoff.ParseDay(zone, day); err != nil {
				return nil, fmt.Errorf("%q is no day such as 2026-11-25: %w", day, handoff.ErrInvalid)
			}
		}
		return api.Statements(ctx, a.db, apiSite(s), last, days)
	}
	return nil, fmt.Errorf("there is no site %q: %w", site, handoff.ErrNotFound)
}

// SiteIDs lists the sites, in the order of the configuration.
func (a *App) SiteIDs() []string {
	var out []string
	for _, s := range a.sites {
		out = append(out, s.ID)
	}
	return out
}
