package main

import (
	"cmp"
	"fmt"

	"handoff/internal/app"
	"handoff/internal/web/api"
)

type statementCmd struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON, with every booking."`
	List bool   `help:"Also print each booking, and where it has gone."`
	Site string `help:"Only of this site."`
	Day  string `help:"The day, such as 2026-11-25, in the site's own time. Default: today." placeholder:"DAY"`
	Days int    `help:"So many days, of which that one is the last." default:"1"`
}

// Run accounts for the bookings at Cal.com, site by site and day by day.
func (c statementCmd) Run(e *environment) error {
	if c.Days < 1 || c.Days > 100 {
		return usage("--days is 1 to 100")
	}
	if _, err := readDay("--day", c.Day); err != nil {
		return err
	}
	a, err := c.app(e, c.Site)
	if err != nil {
		return err
	}
	defer a.Close()
	out := []api.StatementView{}
	for _, site := range a.SiteIDs() {
		if c.Site != "" && site != c.Site {
			continue
		}
		views, err := a.Statements(e.ctx, site, e.now(), c.Day, c.Days)
		if err != nil {
			return err
		}
		out = append(out, views...)
	}
	if c.JSON {
		return app.WriteJSON(e.out, out)
	}
	for _, v := range out {
		if err := c.print(e, v); err != nil {
			return err
		}
	}
	return nil
}

func (c statementCmd) print(e *environment, v api.StatementView) error {
	fmt.Fprintf(e.out, "%s %s: %s\n", v.Site, v.Day, v.Says)
	for _, note := range v.Notes {
		fmt.Fprintf(e.out, "  %s\n", note)
	}
	if !c.List || len(v.List)+len(v.Unlisted) == 0 {
		return nil
	}
	return table(e.out, "  BOOKING\tMADE\tACCOUNT\tWEBHOOK\tLEAD, FAILURE OR RULE", len(v.List)+len(v.Unlisted), func(i int) string {
		if i >= len(v.List) {
			u := v.Unlisted[i-len(v.List)]
			return fmt.Sprintf("  %s\t%s\tnot listed\t-\t%s", u.UID, when(u.Made), dash(string(u.Lead)))
		}
		l := v.List[i]
		return fmt.Sprintf("  %s\t%s\t%s\t%s\t%s", dash(l.UID), when(l.Made), l.Account, l.Webhook, cmp.Or(string(l.Failure), string(l.Lead), oneLine(l.Rule), "-"))
	})
}
