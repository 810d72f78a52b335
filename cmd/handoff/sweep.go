package main

import (
	"cmp"
	"errors"
	"fmt"

	"handoff/internal/app"
	"handoff/internal/jobs"
)

type sweepCmd struct {
	siteFlags
	Since string `help:"Go back to this day, such as 2026-11-01, and not only to the last sweep." placeholder:"DAY"`
}

// A sweepView is what the sweep of a site came to, as it is printed.
type sweepView struct {
	Site string `json:"site"`
	jobs.Sweep
}

// Run sweeps one site after the other. What one could not do keeps no other from it.
func (c sweepCmd) Run(e *environment) error {
	if _, err := readDay("--since", c.Since); err != nil {
		return err
	}
	a, err := c.app(e, c.Site)
	if err != nil {
		return err
	}
	defer a.Close()
	sites := a.Swept()
	if c.Site != "" {
		sites = []string{c.Site}
	}
	if len(sites) == 0 {
		return errors.New("no site is swept: there is no key of Cal.com's API (calcom.api.key). Run: handoff calcom connect")
	}
	out, failed := []sweepView{}, []error{}
	for _, site := range sites {
		s, err := a.Sweep(e.ctx, site, c.Since)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", site, err))
			continue
		}
		out = append(out, sweepView{site, s})
		if !c.JSON {
			fmt.Fprintf(e.out, "%s: %s changed at Cal.com since %s; Handoff had not heard of %d.\n", site, bookings(s.Changed), cmp.Or(c.Since, "the last sweep"), s.Missed)
		}
		if s.Unread > 0 && !c.JSON {
			fmt.Fprintf(e.out, "%s: %s could not be read. Look at them in Cal.com, and tell us of it.\n", site, bookings(s.Unread))
		}
	}
	if c.JSON {
		failed = append(failed, app.WriteJSON(e.out, out))
	}
	return errors.Join(failed...)
}

func bookings(n int) string {
	if n == 1 {
		return "1 booking"
	}
	return fmt.Sprintf("%d bookings", n)
}
