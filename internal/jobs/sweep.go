package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// SweepEvery is how long after one sweep of a site the next begins.
const SweepEvery = 5 * time.Minute

// A Sweep is what one sweep of a site's bookings came to. Its JSON is stable.
type Sweep struct {
	Changed int `json:"changed"` // bookings at Cal.com that changed since the last one, with an overlap
	Missed  int `json:"missed"`  // of these the site's own of which nobody had told
	Unread  int `json:"unread"`  // that could not be read

	uids map[string]bool // of those that changed: two pages can have one booking
}

// add counts a page.
func (s *Sweep) add(p calcom.Page, missed int) {
	if s.uids == nil {
		s.uids = map[string]bool{}
	}
	for _, o := range p.Observations {
		s.uids[o.UID] = true
	}
	s.Changed, s.Missed, s.Unread = len(s.uids), s.Missed+missed, s.Unread+len(p.Unread)
}

// sweeps reports whether a site's bookings are swept. To list them takes a key.
func (s Site) sweeps() bool { return s.API != nil && s.API.Key != "" }

// sweep does one page of a site's sweep, if that is due. Without a key it leaves it to
// a process that has one.
func (r *Runner) sweep(ctx context.Context, id string, site Site) (done int, err error) {
	if !site.sweeps() {
		return 0, nil
	}
	claimed, err := r.Store.Claim(ctx, id, store.KindSweep, 1)
	if err != nil {
		return 0, err
	}
	for _, w := range claimed {
		var page Sweep
		if _, failed := r.page(ctx, w, site, &page); failed != nil {
			if w.Attempts >= patience && (w.Attempts > lastPage || !errors.Is(failed, calcom.ErrUnreadable)) {
				failed = errors.Join(failed, r.Store.SiteFails(ctx, id, store.SweepSubject, handoff.SweepFailing, plainly(failed)))
			}
			return 0, errors.Join(failed, r.Store.Defer(ctx, w, failed, calcom.Wait(failed)))
		}
		r.tell(id, page)
	}
	return len(claimed), nil
}

// patience is how many attempts in a row may fail before somebody is told: about a
// minute's.
const patience = 6

// lastPage is the attempt whose page has one booking: until then an odd one can be the
// cause.
var lastPage = bits.Len(uint(calcom.PageSize))

// plainly is what an error of Cal.com's API says to a person.
func plainly(err error) string {
	var refused *calcom.Refused
	if errors.As(err, &refused) {
		return refused.Error()
	}
	return "Cal.com's API does not answer as it should"
}

// page asks for one page, keeps it, and counts it into what the sweep came to. more
// tells whether there may be another.
func (r *Runner) page(ctx context.Context, w store.Work, site Site, sum *Sweep) (more bool, err error) {
	at, err := r.Store.PlaceOf(ctx, w.Site)
	if err != nil {
		return false, err
	}
	take := max(1, calcom.PageSize>>(w.Attempts-1))
	p, err := ask(ctx, site, at, take)
	if err != nil {
		return false, err
	}
	more = p.Size >= take
	missed, err := r.Store.KeepSwept(ctx, w, at, store.Swept{Observations: p.Observations, Unread: p.Unread, Size: p.Size, Last: p.Last, More: more}, site.EventTypes, SweepEvery)
	if err != nil {
		return false, err
	}
	sum.add(p, missed)
	if !more {
		if err := r.Store.CheckWebhook(ctx, w.Site); err != nil {
			r.Log.Warn("looking how the webhook does failed; the next sweep looks again", "site", w.Site, "err", err)
		}
	}
	return more, nil
}

// ask asks for one page. Pages that cannot be had get smaller with each attempt, down
// to one booking. If that one cannot be read, and the next one can, it is passed over:
// nobody's odd booking keeps all that came after it from being heard of.
func ask(ctx context.Context, site Site, at store.Place, take int) (calcom.Page, error) {
	p, err := site.API.Changed(ctx, site.Trust, at.Since, at.Skip, take)
	if take > 1 || !errors.Is(err, calcom.ErrUnreadable) {
		return p, err
	}
	behind, away := site.API.Changed(ctx, site.Trust, at.Since, at.Skip+1, 1)
	if away != nil {
		return p, err
	}
	if again, err := site.API.Changed(ctx, site.Trust, at.Since, at.Skip, take); !errors.Is(err, calcom.ErrUnreadable) {
		return again, err // it was Cal.com that was away for a moment
	}
	odd := handoff.Unread{At: at.Since, Key: handoff.UnreadKey("the last")}
	if len(behind.Observations) > 0 {
		odd.Key = handoff.UnreadKey("before " + behind.Observations[0].UID)
	}
	return calcom.Page{Size: 1, Unread: []handoff.Unread{odd}}, nil
}

// tell logs what a person should know of a page.
func (r *Runner) tell(id string, s Sweep) {
	if s.Missed > 0 {
		r.Log.Info("asking Cal.com told of bookings before a webhook did", "site", id, "bookings", s.Missed)
	}
	if s.Unread > 0 {
		r.Log.Warn("Cal.com has bookings that could not be read", "site", id, "bookings", s.Unread)
	}
}

// ErrSweeping says that another process is at a site's sweep.
var ErrSweeping = errors.New("another process is at it, or was half a minute ago; what it finds moves the leads all the same, and it does it once more")

// Sweep sweeps a site's bookings now, to the end, and reconciles what it found. It
// begins with what changed since a time; zero: where the last sweep ended. The error is ErrSweeping if another process is at it, and handoff.ErrInvalid if the
// site is not swept.
func (r *Runner) Sweep(ctx context.Context, id string, since time.Time) (all Sweep, err error) {
	site, ok := r.Sites[id]
	if !ok || !site.sweeps() {
		return all, fmt.Errorf("the bookings of %s are not swept: set calcom.api.key: %w", id, handoff.ErrInvalid)
	}
	w, ok, err := r.Store.ClaimSweep(ctx, id, since)
	if err == nil && !ok {
		err = ErrSweeping
	}
	if err != nil {
		return all, err
	}
	before, _, err := r.Store.LastSweep(ctx, id)
	if err != nil {
		return all, err
	}
	for ok {
		more, err := r.page(ctx, w, site, &all)
		if err != nil {
			return all, errors.Join(err, r.Store.Defer(context.WithoutCancel(ctx), w, err, calcom.Wait(err)))
		}
		if !more {
			break
		}
		if w, ok, err = r.nextPage(ctx, id, before); err != nil {
			return all, err
		}
	}
	return all, r.reconcileAll(ctx, id, site)
}

// reconcileAll reconciles what is due of a site. It rests as long as it works: beside
// a server it shares the one writer of SQLite with whoever waits there.
func (r *Runner) reconcileAll(ctx context.Context, id string, site Site) error {
	for ctx.Err() == nil {
		began := time.Now()
		n, err := r.reconcile(ctx, id, site)
		if err != nil {
			r.Log.Warn("work failed; it is tried again", "kind", store.KindReconcile, "site", id, "err", err)
		}
		if n == 0 {
			return nil
		}
		time.Sleep(time.Since(began))
	}
	return ctx.Err()
}

// nextPage claims the next page of a sweep. A server can be sooner, so it waits; ok is
// false once the sweep has ended without us.
func (r *Runner) nextPage(ctx context.Context, id string, before int) (w store.Work, ok bool, err error) {
	for {
		claimed, err := r.Store.Claim(ctx, id, store.KindSweep, 1)
		if err != nil || len(claimed) > 0 {
			return append(claimed, w)[0], err == nil, err
		}
		now, _, err := r.Store.LastSweep(ctx, id)
		if err != nil || now > before {
			return w, false, err
		}
		select {
		case <-ctx.Done():
			return w, false, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
