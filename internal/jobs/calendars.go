package jobs

import (
	"context"
	"time"

	"handoff"
	"handoff/internal/store"
)

const (
	watchFirst = 2 * time.Minute // after the start
	watchEvery = 24 * time.Hour
	watchAgain = 30 * time.Minute // after a look that found something
)

// watchCalendars looks each day whether the sites' pages can still show their
// calendars, until ctx ends.
func (r *Runner) watchCalendars(ctx context.Context) {
	next := watchFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		if next = watchEvery; r.LookAtCalendars(ctx) {
			next = watchAgain
		}
	}
}

// LookAtCalendars looks once, and reports whether to look again soon: a calendar cannot
// be shown, or could not be looked at. Somebody is told of one that cannot be shown at
// the second look, since an answer of a moment is no news; what could not be looked at
// settles nothing.
func (r *Runner) LookAtCalendars(ctx context.Context) (again bool) {
	if r.hidden == nil {
		r.hidden = map[string]bool{}
	}
	for id, site := range r.Sites {
		if site.Calendars == nil {
			continue
		}
		why, away := site.Calendars(ctx)
		if ctx.Err() != nil {
			return false
		}
		again = again || why != "" || away != nil
		if why != "" || away == nil {
			r.Store.Sign(id, store.SignCalendars, r.Store.Now())
		}
		var err error
		switch {
		case why != "" && r.hidden[id]:
			err = r.Store.SiteFails(ctx, id, store.EmbedSubject, handoff.CalendarHidden, why)
		case why == "" && away != nil:
			continue
		case why == "":
			err = r.Store.SiteWell(ctx, id, store.EmbedSubject, "the calendars can be shown")
		}
		if err != nil {
			r.Log.Warn("telling of a calendar failed; it is told at the next look", "site", id, "err", err)
		}
		r.hidden[id] = why != ""
	}
	return again
}
