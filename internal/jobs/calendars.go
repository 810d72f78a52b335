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

// LookAtCalendars looks once, and reports whether there is a calendar that cannot be
// shown. Somebody is told when it is so a second time: an answer of a moment is no news.
func (r *Runner) LookAtCalendars(ctx context.Context) (hidden bool) {
	for id, site := range r.Sites {
		if site.Calendars == nil {
			continue
		}
		why := site.Calendars(ctx)
		if ctx.Err() != nil {
			return false
		}
		var err error
		switch {
		case why == "":
			err = r.Store.SiteWell(ctx, id, store.EmbedSubject, "the calendars can be shown")
		case r.hidden[id]:
			err = r.Store.SiteFails(ctx, id, store.EmbedSubject, handoff.CalendarHidden, why)
		}
		if err != nil {
			r.Log.Warn("telling of a calendar failed; it is told at the next look", "site", id, "err", err)
		}
		if r.hidden == nil {
			r.hidden = map[string]bool{}
		}
		r.hidden[id] = why != ""
		hidden = hidden || why != ""
	}
	return hidden
}
