package main

import (
	"fmt"
	"strings"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/calcom"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

// failuresCmd shows the failure queue, and settles what waits in it (settle.go).
type failuresCmd struct {
	List failuresListCmd `cmd:"" help:"List what waits for a person: what Cal.com signed, then the rest, the newest first."`
	Show failuresShowCmd `cmd:"" help:"Show one entry, with what was received."`

	Dismiss failuresDismissCmd `cmd:"" help:"Say that entries, or all with a reason, need nobody."`
	Attach  failuresAttachCmd  `cmd:"" help:"Say which lead the booking of an entry belongs to."`
	Ask     failuresAskCmd     `cmd:"" help:"Have Cal.com asked about the booking of an entry, or of all with a reason."`
	Verify  failuresVerifyCmd  `cmd:"" help:"Read the delivery of an entry, or of all with a reason, again, with today's secrets."`
	Undo    failuresUndoCmd    `cmd:"" help:"Take back what was done about an entry, or about several."`

	// Fixture is for reports: nothing in it is anybody's.
	Fixture failuresFixtureCmd `cmd:"" help:"Print the newest body of an entry with placeholders for all that is personal, to report it or to test with."`
}

type failuresListCmd struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON."`
	Site string `help:"Only of this site."`
	All  bool   `help:"Also the settled ones."`

	Reason handoff.Reason `help:"Only with this reason." placeholder:"REASON"`
	UID    string         `name:"uid" help:"Only about the booking with this uid."`

	Limit int `help:"How many at most." default:"100"`
}

// sites are those that are listed; nil: all.
func (c failuresListCmd) sites() []string {
	if c.Site == "" {
		return nil
	}
	return []string{c.Site}
}

func (c failuresListCmd) Run(e *environment) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	if c.Reason != "" && c.Reason.Text().Reason == "" {
		return noReason(c.Reason)
	}
	db, err := c.storeOf(e, c.Site, "")
	if err != nil {
		return err
	}
	defer db.Close()
	list, err := db.Failures(e.ctx, store.FailureFilter{Sites: c.sites(), Reason: c.Reason, UID: c.UID, Settled: c.All, Limit: c.Limit + 1})
	if err != nil {
		return err
	}
	list = limited(e, list, c.Limit)
	if c.JSON {
		return app.WriteJSON(e.out, append([]store.FailureView{}, list...))
	}
	return table(e.out, "FAILURE\tSITE\tKIND\tREASON\tDELIVERIES\tLAST\tSETTLED", len(list), func(i int) string {
		f := list[i]
		settled := "-"
		if f.SettledAt != nil {
			settled = when(*f.SettledAt)
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s", f.ID, f.Site, f.Kind, f.Reason, f.Deliveries, when(f.LastAt), settled)
	})
}

type failuresShowCmd struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON."`
	ID   string `arg:"" help:"The entry's ID."`
}

func (c failuresShowCmd) Run(e *environment) error {
	db, f, err := c.failure(e, c.ID)
	if err != nil {
		return err
	}
	defer db.Close()
	suggested, err := db.Suggestions(e.ctx, f.FailureView)
	if err != nil {
		return err
	}
	v := api.ViewFailure(f, suggested)
	if c.JSON {
		return app.WriteJSON(e.out, v)
	}
	t := f.Text()
	fmt.Fprintf(e.out, "%s  %s  %s\n\nWhat happened: %s\n%s\nWhat to do:    %s\n\nReceived %s, first %s, last %s.\n",
		f.ID, f.Kind, t.Title, t.What, oneLine(f.Detail), t.Do, times(f.Deliveries), when(f.ReceivedAt), when(f.LastAt))
	if f.UID != "" {
		fmt.Fprintf(e.out, "Booking %s of %s.\n", oneLine(f.Key().String()), dash(oneLine(f.Attendee)))
	}
	if f.Asked != nil {
		fmt.Fprintf(e.out, "Cal.com was asked about it %s. %s\n", when(f.Asked.At), f.Asked.Text)
	}
	if f.SettledAt != nil {
		fmt.Fprintf(e.out, "Settled %s: %s.\n", when(*f.SettledAt), oneLine(f.SettledBy))
	}
	if f.Resolution != nil {
		fmt.Fprintf(e.out, "To take that back: handoff failures undo %s.\n", f.ID)
	}
	if len(v.Remedies) > 0 {
		fmt.Fprintf(e.out, "It can be settled by handoff failures %s.\n", alternatives(v.Remedies))
	}
	for _, s := range v.Suggestions {
		fmt.Fprintf(e.out, "  It may belong to %s: %s.\n", s.Lead, strings.Join(s.Reasons, ", "))
	}
	printReceived(e.out, v.Received)
	return nil
}

type failuresFixtureCmd struct {
	configFlag
	ID string `arg:"" help:"The entry's ID."`
}

func (c failuresFixtureCmd) Run(e *environment) error {
	db, f, err := c.failure(e, c.ID)
	if err != nil {
		return err
	}
	defer db.Close()
	if len(f.Received) == 0 {
		return fmt.Errorf("no body is kept for %s: %w", c.ID, handoff.ErrNotFound)
	}
	out, err := calcom.Fixture([]byte(f.Received[len(f.Received)-1].Body))
	if err != nil {
		return err
	}
	_, err = e.out.Write(out)
	return err
}

// alternatives joins what can be done: "attach, ask or dismiss".
func alternatives(remedies []handoff.Remedy) string {
	last := len(remedies) - 1
	var before []string
	for _, r := range remedies[:last] {
		before = append(before, string(r))
	}
	if last == 0 {
		return string(remedies[0])
	}
	return strings.Join(before, ", ") + " or " + string(remedies[last])
}
