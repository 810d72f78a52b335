package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"handoff"
	"handoff/internal/calcom"
)

// Check looks whether a site works for its visitors, and changes nothing: its server,
// its webhook's address, its calendars, and, with a key, Cal.com's side.
func (c *Config) Check(ctx context.Context, site string, now func() time.Time, report func(Step)) error {
	s := c.siteConfig(site)
	if s == nil {
		return fmt.Errorf("there is no site %q: %w", site, handoff.ErrNotFound)
	}
	n, err := c.connection(s, false, now, report)
	if err != nil {
		return err
	}
	n.health(ctx)
	n.protocol(ctx)
	n.ping(ctx)
	n.frames(ctx)
	if s.Calcom.API.URL == "" || s.Calcom.API.Key == (Secret{}) || c.LacksKey(site) {
		n.say(StepNote, "key", "there is none of Cal.com's API, so event types and webhooks are not looked at, and a lost webhook is not missed; see: handoff calcom connect")
		return ctx.Err()
	}
	if n, err = c.Connect(site, false, now, report); err != nil {
		return err
	}
	return n.account(ctx)
}

// frames tells whether the site can show each service's booking page in its frame.
func (n *Connection) frames(ctx context.Context) {
	for _, v := range n.content.Services {
		page := n.site.Calcom.Origins[0] + "/" + v.Calendar
		fault, err := calcom.Framed(ctx, n.site.Calcom.Origins, v.Calendar, originOf(n.site.URL))
		switch {
		case errors.Is(err, calcom.ErrBarred):
			n.say(StepNote, v.Slug+", calendar", "%s cannot be looked at: %s", page, reason(err))
		case err != nil:
			n.say(StepTodo, v.Slug+", calendar", "%s: %s", page, reason(err))
		case fault != "":
			n.say(StepTodo, v.Slug+", calendar", "%s: %s", page, fault)
		default:
			n.say(StepOK, v.Slug+", calendar", "%s can be shown in the site's page", page)
		}
	}
}

// protocol tells whether Cal.com's pages still speak what our booking page does.
func (n *Connection) protocol(ctx context.Context) {
	const what = "calendar's protocol"
	missing, err := calcom.Speaks(ctx, n.site.Calcom.Origins[0])
	switch {
	case err != nil:
		n.say(StepNote, what, "cannot be looked at: Cal.com's embed script: %s", reason(err))
	case len(missing) > 0:
		n.say(StepTodo, what, "%s", spokenNoMore(missing))
	default:
		n.say(StepOK, what, "is what the booking page speaks")
	}
}

func spokenNoMore(missing []string) string {
	return "Cal.com's embed script does not know " + strings.Join(missing, ", ") + " any more. Look at a booking page; if the calendar stays hidden there, visitors get a link to Cal.com's own page instead. A newer Handoff may know the new ones"
}

// originOf is the scheme and host of an address.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// health asks the site's server whether it could keep a webhook now.
func (n *Connection) health(ctx context.Context) {
	const what = "server"
	if err := calcom.Ready(ctx, n.site.URL+"/readyz"); err != nil {
		n.say(StepTodo, what, "%s/readyz: %s", n.site.URL, reason(err))
		return
	}
	n.say(StepOK, what, "%s is ready", n.site.URL)
}

// ping sends ourselves what Cal.com would.
func (n *Connection) ping(ctx context.Context) {
	if err := calcom.Ping(ctx, nil, n.address(), n.secret, n.now()); err != nil {
		n.reached = false
		n.say(StepTodo, "webhook address", "%s: %v", n.address(), err)
		return
	}
	n.reached = true
	n.say(StepOK, "webhook address", "a signed ping to %s was stored", n.address())
}
