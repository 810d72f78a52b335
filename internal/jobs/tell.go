package jobs

import (
	"context"
	"errors"
	"slices"
	"time"

	"handoff"
	"handoff/internal/notify"
	"handoff/internal/store"
)

// A Channel is where people of a site are told.
type Channel struct {
	ID    string          // stable; it does not show where it goes
	Name  string          // as its configuration has it, such as "notify[0]: Slack"
	About []handoff.Topic // what they want to be told of
	Send  func(context.Context, handoff.News) error
}

// Telling is how people of a site are told.
type Telling struct {
	Name, Desk string // see handoff.News
	Zone       *time.Location
	Services   map[string]string // slug → title
	Channels   []Channel
}

// channels are those of a site; a nil Telling has none.
func (t *Telling) channels() []Channel {
	if t == nil {
		return nil
	}
	return t.Channels
}

// Names are those of the channels; a nil Telling has none.
func (t *Telling) Names() []string {
	var out []string
	for _, c := range t.channels() {
		out = append(out, c.Name)
	}
	return out
}

const (
	tellEvery  = 30 * time.Second // between two looks, while nothing happens
	tellGrace  = time.Minute      // what settles itself within it is nobody's news
	tellPause  = 5 * time.Minute  // between two messages on one channel
	digestHour = 8                // of the site's day, from which on yesterday's digest is sent
	tellTries  = 3                // after which somebody has to know that a channel takes nothing
	goneTries  = 10               // within a quarter of an hour, after which no server has a channel any more
)

var errNoChannel = errors.New("the configuration has no such channel")

// startTelling makes it due to tell every channel, and forgets those that are gone.
func (r *Runner) startTelling(ctx context.Context) {
	for id, site := range r.Sites {
		var channels []string
		for _, c := range site.Telling.channels() {
			channels = append(channels, c.ID)
		}
		r.insist(ctx, "starting to tell people", func() error { return r.Store.StartTelling(ctx, id, channels...) })
	}
}

// tellPeople tells one channel, if that is due.
func (r *Runner) tellPeople(ctx context.Context, id string, site Site) (done int, err error) {
	claimed, err := r.Store.Claim(ctx, id, store.KindTell, 1)
	if err != nil {
		return 0, err
	}
	channels := site.Telling.channels()
	for _, w := range claimed {
		i := slices.IndexFunc(channels, func(c Channel) bool { return c.ID == w.Key })
		if i < 0 && w.Attempts < goneTries { // another server may go by a newer configuration
			return 0, r.Store.Defer(ctx, w, errNoChannel, tellEvery)
		}
		if i < 0 {
			return 1, r.Store.StopTelling(ctx, w)
		}
		if failed := r.tellChannel(ctx, w, site, channels[i]); failed != nil {
			return 0, errors.Join(failed, r.Store.Defer(ctx, w, failed, tellEvery))
		}
	}
	return len(claimed), nil
}

// tellChannel sends what a channel has not been told, in one message.
func (r *Runner) tellChannel(ctx context.Context, w store.Work, site Site, c Channel) error {
	mark, err := r.Store.MarkOf(ctx, w.Site, w.Key)
	if err != nil {
		return err
	}
	now := r.Store.Now()
	until := now.Add(-tellGrace)
	if until.Before(mark.At) { // a clock was set back, or there was no time for news
		until = mark.At
	}
	news, err := r.Store.News(ctx, w.Site, site.Pipeline.On[handoff.CallBooked], mark.At, until)
	if err != nil {
		return err
	}
	t := site.Telling
	news.Name, news.Desk, news.Zone = t.Name, t.Desk, t.Zone
	for i, b := range news.Booked {
		if title := t.Services[b.Service]; title != "" {
			news.Booked[i].Service = title
		}
	}
	next := store.Mark{At: until, Digest: mark.Digest}
	if day := now.In(t.Zone).Format(time.DateOnly); slices.Contains(c.About, handoff.TellDigest) && mark.Digest != day && now.In(t.Zone).Hour() >= digestHour {
		if news.Digest, err = r.digest(ctx, w.Site, site, now); err != nil {
			return err
		}
		next.Digest = day
	}
	only(&news, c.About)
	if news.Empty() {
		return r.Store.Told(ctx, w, next, now.Add(tellEvery))
	}
	sending, cancel := context.WithTimeout(ctx, store.Lease-5*time.Second) // before another process takes it for left
	defer cancel()
	subject := store.TellingSubject + c.ID
	if err := c.Send(sending, news); err != nil {
		if w.Attempts < tellTries {
			return err
		}
		return errors.Join(err, r.Store.SiteFails(ctx, w.Site, subject, handoff.TellingFailing, c.Name+": "+notify.Why(err)))
	}
	ctx = context.WithoutCancel(ctx)
	return errors.Join(r.Store.Told(ctx, w, next, now.Add(tellPause)), r.Store.SiteWell(ctx, w.Site, subject, "a message was taken"))
}

// only leaves out what somebody does not want to be told of.
func only(n *handoff.News, about []handoff.Topic) {
	if !slices.Contains(about, handoff.TellBooking) {
		n.Booked, n.MoreBooked = nil, 0
	}
	if !slices.Contains(about, handoff.TellFailure) {
		n.Failures, n.MoreFailures = nil, 0
	}
	if !slices.Contains(about, handoff.TellAlarm) {
		n.Alarms, n.MoreAlarms = nil, 0
	}
}

// digest reads what yesterday came to.
func (r *Runner) digest(ctx context.Context, id string, site Site, now time.Time) (*handoff.Digest, error) {
	zone := site.Telling.Zone
	from, to := handoff.DayOf(zone, now, -1), handoff.DayOf(zone, now, 0)
	s, err := r.Store.Statement(ctx, id, from, to, site.Rules)
	if err != nil {
		return nil, err
	}
	open, err := r.Store.OpenFailures(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	return &handoff.Digest{Day: from, Statement: s.Sentence(), Notes: s.Notes(zone), Open: open}, nil
}
