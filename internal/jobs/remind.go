package jobs

import (
	"cmp"
	"context"
	"errors"
	"sync"
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
	// Serves tells whether a service is still sold: of another one nobody is reminded.
	Serves func(service string) bool
	// Hourly is how many letters are sent within an hour, at most. 0: 500.
	Hourly int
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
		r.forgiveMail(ctx, id)
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

// remind sends one site's, until there are no more or the mail server does not take them.
func (r *Runner) remind(ctx context.Context, id string, site Site) (sent int, err error) {
	lost, err := r.Store.LoseReminders(ctx, id)
	if err != nil {
		return 0, err
	}
	if lost > 0 {
		r.Log.Warn("a process ended while it sent reminders; whether they were sent nobody knows, and they are not sent again", "site", id, "reminders", lost)
	}
	now := r.Store.Now()
	if r.resting.until(id, now) {
		return 0, nil
	}
	for number := len(site.Reminders.After); number >= 1; number-- {
		wait := site.Reminders.After[number-1]
		last := store.Remindable{CreatedAt: now.Add(-wait - handoff.RemindWithin)}
		for {
			leads, err := r.Store.Remindable(ctx, id, site.Pipeline.On[handoff.Submitted], number, last, now.Add(-wait))
			if err != nil || len(leads) == 0 {
				if err != nil {
					return sent, err
				}
				break
			}
			for _, lead := range leads {
				last = lead
				if ctx.Err() != nil {
					return sent, nil
				}
				took, err := r.remindOne(ctx, id, site, lead.ID)
				if errors.Is(err, errStop) {
					return sent, nil
				}
				if err != nil { // this one's: others do not wait for it
					r.Log.Warn("reminding a lead failed; it is tried again", "site", id, "lead", lead.ID, "err", err)
				}
				if took {
					sent++
				}
			}
		}
	}
	return sent, nil
}

// errStop says that no further reminder of the site can be sent now.
var errStop = errors.New("not now")

// stale reports that Cal.com's list, where it is read at all, was not read lately: a
// booking can be there of which nobody has told.
func (r *Runner) stale(ctx context.Context, id string, site Site) (bool, error) {
	if !site.sweeps() {
		return false, nil
	}
	_, ended, err := r.Store.LastSweep(ctx, id)
	age := r.Store.Now().Sub(ended)
	return age > freshness || age < -time.Minute, err
}

// remindOne sends one lead's reminder, if it is due and nobody else does.
func (r *Runner) remindOne(ctx context.Context, id string, site Site, lead handoff.LeadID) (took bool, err error) {
	if r.resting.until(id+"/"+string(lead), r.Store.Now()) {
		return false, nil
	}
	due := func(w handoff.Waiting) int {
		if !site.Reminders.Serves(w.Lead.Service) {
			return 0
		}
		return site.Reminders.Number(w, site.Pipeline, r.Store.Now())
	}
	may, err := r.Store.MayRemind(ctx, id, lead, due, site.Reminders.Zone)
	if err != nil || !may {
		// It is asleep, say: to look again in a moment would be to look all night.
		r.resting.rest(id+"/"+string(lead), r.Store.Now().Add(shortRest))
		return false, err
	}
	if stale, err := r.stale(ctx, id, site); stale || err != nil {
		return false, errors.Join(err, errStop)
	}
	if n, err := r.Store.Reminded(ctx, id, r.Store.Now().Add(-time.Hour)); err != nil || n >= cmp.Or(site.Reminders.Hourly, maxHourly) {
		if err == nil {
			r.resting.rest(id, r.Store.Now().Add(firstPause))
			r.Log.Warn("so many reminders were sent within an hour that the others wait", "site", id, "reminders", n)
		}
		return false, errors.Join(err, errStop)
	}
	one, ok, err := r.Store.ClaimReminder(ctx, id, lead, due, site.Reminders.Zone)
	if err != nil || !ok {
		return false, err
	}
	return r.sendReminder(context.WithoutCancel(ctx), id, site, one)
}

// sendReminder sends what was claimed, and ends it, whatever happens to us meanwhile.
func (r *Runner) sendReminder(ctx context.Context, id string, site Site, one store.Reminder) (took bool, err error) {
	letter, err := site.Reminders.Write(one)
	if err == nil {
		err = site.Reminders.Mailer.Send(ctx, letter)
	}
	state, next := handoff.ReminderSent, time.Time{}
	switch {
	case err == nil:
		r.ill.ended(id)
		return true, errors.Join(r.Store.EndReminder(ctx, one, state, next), r.Store.SiteWell(ctx, id, store.MailSubject, "the mail server takes letters"))
	case errors.Is(err, notify.ErrRefused):
		state = handoff.ReminderRefused
	case errors.Is(err, notify.ErrUnknown):
		state = handoff.ReminderUnknown
	default:
		state, next = handoff.ReminderRetry, r.Store.Now().Add(min(firstPause<<min(one.Attempts-1, 10), longestPause))
	}
	r.Log.Warn("a reminder was not sent", "site", id, "lead", one.ID, "state", state, "err", err)
	return false, errors.Join(r.Store.EndReminder(ctx, one, state, next), r.mailFailed(ctx, id, err))
}

// mailFailed judges the mail server by a letter that it did not take. Somebody is told
// of the second time in a row that it lets nobody send, and of any third: the first can
// be a moment's, and some letters are to nobody.
func (r *Runner) mailFailed(ctx context.Context, id string, cause error) error {
	if errors.Is(cause, notify.ErrUnknown) {
		return nil
	}
	ofServer := errors.Is(cause, notify.ErrServer)
	var told error
	switch n := r.ill.failed(id); {
	case ofServer && n >= 2:
		told = r.Store.SiteFails(ctx, id, store.MailSubject, handoff.MailFailing, notify.ErrServer.Error())
	case n >= 3:
		told = r.Store.SiteFails(ctx, id, store.MailSubject, handoff.MailFailing, "it took none of the last letters")
	}
	if ofServer { // it is not about this letter: the next would fare alike
		r.resting.rest(id, r.Store.Now().Add(firstPause))
		return errors.Join(told, errStop)
	}
	return told
}

// forgiveMail settles what is open about the mail server where no letter failed within a
// day: there may be none left that could show that it is well.
func (r *Runner) forgiveMail(ctx context.Context, id string) {
	now := r.Store.Now()
	if r.resting.until(id+"/mail", now) {
		return
	}
	r.resting.rest(id+"/mail", now.Add(shortRest))
	failed, err := r.Store.RemindersFailed(ctx, id, now.Add(-handoff.RemindWithin))
	if err == nil && !failed {
		err = r.Store.SiteWell(ctx, id, store.MailSubject, "no letter failed within a day")
	}
	if err != nil && ctx.Err() == nil {
		r.Log.Warn("looking at the letters that failed failed; it is tried again", "site", id, "err", err)
	}
}

const (
	shortRest = 5 * time.Minute
	maxHourly = 500 // reminders of one site
	maxRests  = 50_000
)

// rests remember what has not to be looked at before a time. The zero value remembers
// nothing, and forgetting does no harm.
type rests struct {
	mu sync.Mutex
	of map[string]time.Time
}

func (r *rests) rest(what string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil || len(r.of) >= maxRests {
		r.of = map[string]time.Time{}
	}
	r.of[what] = until
}

// until reports that something rests still. A clock that was set back wakes it.
func (r *rests) until(what string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, resting := r.of[what]
	return resting && now.Before(until) && until.Sub(now) <= longestPause
}
