package main

import (
	"fmt"
	"io"
	"strings"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

// leadFilter are the flags that choose leads.
type leadFilter struct {
	Site    string `help:"Only of this site."`
	Stage   string `help:"Only in this stage."`
	Service string `help:"Only for this service."`
	Source  string `help:"Only from this source, such as google or direct."`
	From    string `help:"Submitted on this day or later, such as 2026-11-01, in UTC." placeholder:"DAY"`
	To      string `help:"Submitted on this day or before." placeholder:"DAY"`
	Search  string `help:"Words of the name, e-mail address or phone, or their beginnings."`
	Limit   int    `help:"How many at most." default:"100"`
}

// filter reads the flags. The error is a usageError.
func (f leadFilter) filter() (store.LeadFilter, error) {
	out := store.LeadFilter{Stage: handoff.Stage(f.Stage), Service: f.Service, Source: f.Source, Search: f.Search, Limit: f.Limit + 1}
	if err := checkLimit(f.Limit); err != nil {
		return out, err
	}
	if f.Site != "" {
		out.Sites = []string{f.Site}
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

// viewLead makes the view of a lead, with those that are related.
func viewLead(e *environment, db *store.DB, d store.LeadDetail) (api.LeadView, error) {
	related, err := db.Related(e.ctx, d.Lead)
	if err != nil {
		return api.LeadView{}, err
	}
	return api.ViewLead(d, related), nil
}

type leadsFactsCmd struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON."`
	ID   string `arg:"" help:"The lead's ID."`
	Fact string `arg:"" optional:"" help:"The ID of a fact: what was received that told it is printed too. The cause of a change in the lead's history is one."`
}

func (c leadsFactsCmd) Run(e *environment) error {
	db, d, err := c.lead(e, c.ID)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Fact != "" {
		return c.one(e, db, d)
	}
	return printList(e.out, c.JSON, d.Facts, factHead, factRow, api.ViewFact)
}

const factHead = "RECEIVED\tSOURCE\tEVENT\tSTATUS\tSTART\tBOOKING\tFACT"

func factRow(f store.Fact) string {
	event := f.Trigger
	if f.Source == handoff.FromOperator {
		event = "by " + dash(f.By)
	}
	booking := handoff.BookingKey{UID: f.UID, Seat: f.Seat}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", when(f.ReceivedAt), f.Source, dash(oneLine(event)), dash(string(f.Status)), when(f.Start), oneLine(booking.String()), oneLine(f.ID))
}

// one prints one fact, with what was received.
func (c leadsFactsCmd) one(e *environment, db *store.DB, d store.LeadDetail) error {
	_, f, received, err := db.FactReceived(e.ctx, []string{d.Site}, d.ID, c.Fact)
	if err != nil {
		return notFound(err, "fact "+c.Fact+" about that lead")
	}
	v := api.ViewFactDetail(f, received)
	if c.JSON {
		return app.WriteJSON(e.out, v)
	}
	if err := printList(e.out, false, []store.Fact{f}, factHead, factRow, api.ViewFact); err != nil {
		return err
	}
	if why := f.WhyNoBody(); why != "" {
		fmt.Fprintf(e.out, "\n%s\n", why)
	}
	printReceived(e.out, v.Received)
	return nil
}

type leadsNoteCmd struct {
	configFlag
	JSON   bool   `name:"json" help:"Print JSON."`
	Delete string `help:"Delete this note instead of writing one." placeholder:"NOTE"`
	ID     string `arg:"" help:"The lead's ID."`
	Text   string `arg:"" optional:"" help:"The note. Without it, standard input is read."`
}

func (c leadsNoteCmd) Run(e *environment) error {
	db, d, err := c.lead(e, c.ID)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Delete != "" {
		if err := db.DeleteNote(e.ctx, handoff.CommandLine, d.Site, d.ID, c.Delete); err != nil {
			return notFound(err, "note "+c.Delete+" on that lead")
		}
		if c.JSON {
			return app.WriteJSON(e.out, map[string]string{"deleted": c.Delete})
		}
		fmt.Fprintf(e.out, "Deleted %s.\n", c.Delete)
		return nil
	}
	if c.Text == "" {
		all, err := io.ReadAll(io.LimitReader(e.in, 8*handoff.MaxNote))
		if err != nil {
			return fmt.Errorf("reading standard input: %w", err)
		}
		c.Text = string(all)
	}
	n, err := db.AddNote(e.ctx, handoff.CommandLine, d.Site, d.ID, c.Text)
	if err != nil {
		return err
	}
	if c.JSON {
		return app.WriteJSON(e.out, n)
	}
	fmt.Fprintf(e.out, "Wrote %s.\n", n.ID)
	return nil
}

type leadsCallsWantedCmd struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON."`
	Undo bool   `help:"Take that back."`
	ID   string `arg:"" help:"The lead's ID."`
}

func (c leadsCallsWantedCmd) Run(e *environment) error {
	db, d, err := c.lead(e, c.ID)
	if err != nil {
		return err
	}
	defer db.Close()
	var said handoff.CallsWanted
	if c.Undo {
		said, err = db.UndoCallsWanted(e.ctx, handoff.CommandLine, d.Site, d.ID)
	} else {
		var ahead []handoff.BookingKey
		for _, b := range handoff.CallsAhead(d.Bookings, e.now()) {
			ahead = append(ahead, b.BookingKey)
		}
		said, err = db.WantCalls(e.ctx, handoff.CommandLine, d.Site, d.ID, ahead)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return app.WriteJSON(e.out, said)
	}
	if c.Undo {
		fmt.Fprintf(e.out, "%s  taken back: that these are wanted: %s\n", d.ID, callNames(said.Calls))
		return nil
	}
	fmt.Fprintf(e.out, "%s  wanted: %s\n", d.ID, callNames(said.Calls))
	return nil
}

// callNames names calls in a line.
func callNames(calls []handoff.BookingKey) string {
	var names []string
	for _, k := range calls {
		names = append(names, oneLine(k.String()))
	}
	return strings.Join(names, ", ")
}

type leadsStageCmd struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON."`
	From string `help:"Only if the lead stands there." placeholder:"STAGE"`
	Undo bool   `help:"Take back the stage that was set by hand last."`
	ID   string `arg:"" help:"The lead's ID."`
	To   string `arg:"" optional:"" help:"The stage to move it to."`
}

func (c leadsStageCmd) Run(e *environment) error {
	if (c.To == "") != c.Undo {
		return usage("name a stage, or give --undo")
	}
	conf, db, err := c.both(e)
	if err != nil {
		return err
	}
	defer db.Close()
	d, err := db.Lead(e.ctx, nil, handoff.LeadID(c.ID))
	if err != nil {
		return notFound(err, "lead "+c.ID)
	}
	if err := conf.CheckFilter(d.Site, handoff.Stage(c.To)); err != nil {
		return usageError{err}
	}
	from := d.Stage
	if c.From != "" {
		from = handoff.Stage(c.From)
	}
	var change handoff.Change
	if c.Undo {
		change, err = db.UndoStage(e.ctx, handoff.CommandLine, d.Site, d.ID, d.History[len(d.History)-1].Cause, conf.Pipeline(d.Site))
	} else {
		change, err = db.SetStage(e.ctx, handoff.CommandLine, d.Site, d.ID, from, handoff.Stage(c.To), conf.Pipeline(d.Site))
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return app.WriteJSON(e.out, api.ViewChange(change))
	}
	fmt.Fprintf(e.out, "%s  %s → %s\n", d.ID, change.From, change.To)
	return nil
}
