package jobs

import (
	"context"
	"errors"
	"time"

	"handoff"
	"handoff/internal/notify"
	"handoff/internal/store"
)

// A Mailer hands messages to a mail server; *notify.Server is one.
type Mailer interface {
	Send(context.Context, notify.Mail) error
}

// Reminders say how a site asks those again who did not book.
type Reminders struct {
	handoff.Reminding
	Zone   *time.Location // of visitors whose own is not known
	Mailer Mailer
	// Write makes the letter of one.
	Write func(store.Reminder) (notify.Mail, error)
}

const (
	remindEvery = 5 * time.Second
	// freshness is how old the last reading of Cal.com's list may be: nobody is asked to
	// book who has, also where the webhook that says so is lost.
	freshness = 15 * time.Minute
	// Waits after a mail server that does not take a letter.
	firstPause   = 5 * time.Minute
	longestPause = 2 * time.Hour
)

// remindAll sends what is due, now and then, until ctx ends.
func (r *Runner) remindAll(ctx context.Context) {
	tick := time.NewTicker(remindEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.Remind(ctx)
	}
}

// Remind sends the reminders that are due, and returns how many the mail server took.
func (r *Runner) Remind(ctx context.Context) (sent int) {
	for id, site := range r.Sites {
		if site.Reminders == nil || len(site.Reminders.After) == 0 {
			continue
		}
		n, err := r.remind(ctx, id, site)
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("reminding failed; it is tried again", "site", id, "err", err)
		}
		sent += n
	}
	return sent
}

// remind sends one site's.
func (r *Runner) remind(ctx context.Context, id string, site Site) (sent int, err error) {
	lost, err := r.Store.LoseReminders(ctx, id)
	if err != nil {
		return 0, err
	}
	if lost > 0 {
		r.Log.Warn("a process ended while it sent reminders; whether they were sent nobody knows, and they are not sent again", "site", id, "reminders", lost)
	}
	if stale, err := r.stale(ctx, id, site); stale || err != nil {
		return 0, err
	}
	now := r.Store.Now()
	for number := len(site.Reminders.After); number >= 1; number-- {
		after := site.Reminders.After[number-1]
		leads, err := r.Store.Remindable(ctx, id, site.Pipeline.On[handoff.Submitted], number, now.Add(-after-handoff.RemindWithin), now.Add(-after))
		if err != nil {
			return sent, err
		}
		for _, lead := range leads {
			if ctx.Err() != nil {
				return sent, nil
			}
			took, err := r.remindOne(ctx, id, site, lead)
			if err != nil {
				return sent, err
			}
			if took {
				sent++
			}
		}
	}
	return sent, nil
}

// stale reports that Cal.com's list, where it is read at all, was not read lately: a
// booking can be there of which nobody has told.
func (r *Runner) stale(ctx context.Context, id string, site Site) (bool, error) {
	if !site.sweeps() {
		return false, nil
	}
	_, ended, err := r.Store.LastSweep(ctx, id)
	return r.Store.Now().Sub(ended) > freshness, err
}

// remindOne sends one lead's reminder, if it is due and nobody else does.
func (r *Runner) remindOne(ctx context.Context, id string, site Site, lead handoff.LeadID) (took bool, err error) {
	due := func(w handoff.Waiting) int { return site.Reminders.Number(w, site.Pipeline, r.Store.Now()) }
	one, ok, err := r.Store.ClaimReminder(ctx, id, lead, due, site.Reminders.Zone)
	if err != nil || !ok {
		return false, err
	}
	// What is claimed is ended, whatever happens to us meanwhile.
	ctx = context.WithoutCancel(ctx)
	letter, err := site.Reminders.Write(one)
	if err == nil {
		err = site.Reminders.Mailer.Send(ctx, letter)
	}
	state, next := handoff.ReminderSent, time.Time{}
	switch {
	case err == nil:
	case errors.Is(err, notify.ErrRefused):
		state = handoff.ReminderRefused
	case errors.Is(err, notify.ErrUnknown):
		state = handoff.ReminderUnknown
	default:
		state, next = handoff.ReminderRetry, r.Store.Now().Add(min(firstPause<<min(one.Attempts-1, 10), longestPause))
	}
	if err != nil {
		r.Log.Warn("a reminder was not sent", "site", id, "lead", one.ID, "state", state, "err", err)
	}
	return err == nil, r.Store.EndReminder(ctx, one, state, next)
}
