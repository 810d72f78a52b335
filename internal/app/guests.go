package app

import (
	"context"
	"fmt"
	"time"

	"handoff"
	"handoff/internal/calcom/calsim"
	"handoff/internal/store"
)

// guests are who was at the demonstration's site before it opened, so that its desk has
// something to show: one booked, one waits for the host, one did not book, and one booked
// at Cal.com directly, which proves nothing and waits for a person.
var guests = []struct {
	name, email, phone, service, source, message string
	books, carries                               bool
}{
	{"Dana Whitfield", "dana.whitfield@visitor.example", "+44 20 7946 0101", "boiler-replacement", "google", "It is from 1998 and makes a noise in the morning.", true, true},
	{"Omar Haddad", "omar.haddad@visitor.example", "+44 20 7946 0102", "bathroom-refit", "newsletter", "A walk-in shower, if there is room for one.", true, true},
	{"Mia Lindqvist", "mia.lindqvist@visitor.example", "", "leak-detection", "", "The meter runs at night.", false, false},
	{"Tom Price", "tom.price@visitor.example", "+44 20 7946 0104", "boiler-replacement", "", "", true, false},
}

// invite lets the guests send their forms and book, through the same doors as everybody,
// unless somebody was here before.
func (d Demo) invite(ctx context.Context, a *App, sim *calsim.Sim) error {
	before, err := a.db.Leads(ctx, store.LeadFilter{Limit: 1})
	if err != nil || len(before) > 0 {
		return err
	}
	site := a.sites[0]
	hour := time.Now().UTC().Truncate(24 * time.Hour).Add(10 * time.Hour)
	for i, g := range guests {
		service := site.Content.Service(g.service)
		if service == nil {
			continue // the content was changed
		}
		from := handoff.Context{Landing: "/services/" + g.service}
		if g.source != "" {
			from.Campaign = map[string]string{"utm_source": g.source}
		}
		s, err := a.db.CreateLead(ctx, handoff.Submission{
			Site: site.ID, Service: g.service, Form: fmt.Sprint("guest-", i), Name: g.name, Email: g.email, Phone: g.phone, Message: g.message, Context: from,
		}, site.Pipeline)
		if err != nil {
			return err
		}
		if !g.books {
			continue
		}
		b := calsim.BookRequest{EventType: service.EventType, Start: hour.AddDate(0, 0, 2+i), Name: g.name, Email: g.email, Phone: g.phone, TimeZone: "Europe/London"}
		if g.carries {
			b.Metadata = map[string]string{"submissionId": site.Trust.Keys.Sign(site.ID, s.ID)}
			b.Answers = b.Metadata
		}
		if _, err := sim.Book(b); err != nil {
			return fmt.Errorf("a guest's booking: %w", err)
		}
	}
	return nil
}
