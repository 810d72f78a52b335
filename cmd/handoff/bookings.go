package main

import (
	"fmt"
	"slices"
	"strings"

	"handoff"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

type bookingsCmd struct {
	List bookingsListCmd `cmd:"" help:"List the bookings that are known, by the start of the call; those without one at the end."`
}

// bookingFilter are the flags that choose bookings.
type bookingFilter struct {
	Site   string         `help:"Only of this site."`
	Status handoff.Status `help:"Only those that stand so, such as accepted or cancelled."`
	Tied   string         `help:"Only those that belong to a lead (yes), or to none (no)." enum:",yes,no" default:"" placeholder:"yes|no"`
	From   string         `help:"Calls that begin on this day or later, such as 2026-11-01, in UTC." placeholder:"DAY"`
	To     string         `help:"Calls that begin on this day or before." placeholder:"DAY"`
	Limit  int            `help:"How many at most." default:"100"`
}

// filter reads the flags. The error is a usageError.
func (f bookingFilter) filter() (store.BookingFilter, error) {
	out := store.BookingFilter{Limit: f.Limit + 1}
	if err := checkLimit(f.Limit); err != nil {
		return out, err
	}
	if f.Site != "" {
		out.Sites = []string{f.Site}
	}
	if f.Status != "" {
		if !slices.Contains(handoff.Statuses, f.Status) {
			return out, usage("there is no status %q; there are: %s", f.Status, statusNames())
		}
		out.Status = &f.Status
	}
	if f.Tied != "" {
		tied := f.Tied == "yes"
		out.Tied = &tied
	}
	var err error
	if out.From, err = readDay("--from", f.From); err != nil {
		return out, err
	}
	if out.To, err = readDay("--to", f.To); err == nil && !out.To.IsZero() {
		out.To = out.To.AddDate(0, 0, 1) // the whole of that day
	}
	return out, err
}

// statusNames names those that bookings have.
func statusNames() string {
	var out []string
	for _, s := range handoff.Statuses[1:] { // the first is that nothing was heard
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

type bookingsListCmd struct {
	configFlag
	JSON bool `name:"json" help:"Print JSON."`
	bookingFilter
}

func (c bookingsListCmd) Run(e *environment) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	db, err := c.storeOf(e, c.Site, "")
	if err != nil {
		return err
	}
	defer db.Close()
	found, err := db.Bookings(e.ctx, filter)
	if err != nil {
		return err
	}
	return printList(e.out, c.JSON, limited(e, found, c.Limit), "START\tSTATUS\tSITE\tLEAD\tBOOKING", func(b store.KeptBooking) string {
		lead := dash(string(b.Lead))
		if b.Lead == "" && b.Ignored != "" {
			lead = "needs nobody: " + oneLine(b.Ignored)
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", when(b.Start), dash(string(b.Status)), b.Site, lead, oneLine(b.BookingKey.String()))
	}, api.ViewSiteBooking)
}
