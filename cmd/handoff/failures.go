package main

import (
	"fmt"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/store"
)

// settleFlags are what all commands have that settle a failure.
type settleFlags struct {
	configFlag
	JSON bool   `name:"json" help:"Print the entry as it is then, as JSON."`
	ID   string `arg:"" help:"The entry's ID."`
}

// do finds the entry, does something about it, and says what came of it.
func (f settleFlags) do(e *environment, db *store.DB, act func(store.FailureDetail) error, says string) error {
	id := handoff.FailureID(f.ID)
	d, err := db.Failure(e.ctx, nil, id)
	if err != nil {
		return notFound(err, "failure "+f.ID)
	}
	if err := act(d); err != nil {
		return err
	}
	if !f.JSON {
		fmt.Fprintf(e.out, "%s  %s: %s\n", d.ID, d.Reason, says)
		return nil
	}
	if d, err = db.Failure(e.ctx, nil, id); err != nil {
		return err
	}
	return app.WriteJSON(e.out, d)
}

// open does the same with the store of the configuration.
func (f settleFlags) open(e *environment, act func(*store.DB, store.FailureDetail) error, says string) error {
	db, err := f.store(e)
	if err != nil {
		return err
	}
	defer db.Close()
	return f.do(e, db, func(d store.FailureDetail) error { return act(db, d) }, says)
}

type failuresDismissCmd struct {
	settleFlags
	Note string `help:"Why; kept with it."`
}

func (c failuresDismissCmd) Run(e *environment) error {
	return c.open(e, func(db *store.DB, d store.FailureDetail) error {
		_, err := db.Dismiss(e.ctx, handoff.CommandLine, d.Site, []handoff.FailureID{d.ID}, c.Note)
		return err
	}, "dismissed")
}

type failuresAttachCmd struct {
	settleFlags
	Lead string `arg:"" help:"The lead's ID."`
	Note string `help:"Why; kept with it."`
}

func (c failuresAttachCmd) Run(e *environment) error {
	lead, err := handoff.ParseLeadID(c.Lead)
	if err != nil {
		return usageError{err}
	}
	return c.open(e, func(db *store.DB, d store.FailureDetail) error {
		_, err := db.Attach(e.ctx, handoff.CommandLine, d.Site, d.ID, lead, c.Note)
		return notFound(err, "lead "+c.Lead+" on that site")
	}, "its booking belongs to "+c.Lead)
}

type failuresAskCmd struct{ settleFlags }

func (c failuresAskCmd) Run(e *environment) error {
	return c.open(e, func(db *store.DB, d store.FailureDetail) error {
		return db.AskAbout(e.ctx, handoff.CommandLine, d.Site, d.ID)
	}, "the server asks Cal.com about its booking; the answer settles it")
}

type failuresVerifyCmd struct{ settleFlags }

func (c failuresVerifyCmd) Run(e *environment) error {
	a, err := c.app(e, "")
	if err != nil {
		return err
	}
	defer a.Close()
	return c.do(e, a.Store(), func(d store.FailureDetail) error {
		return notFound(a.ReadAgain(e.ctx, handoff.CommandLine, d.Site, d.ID), "body of that entry any more, as it came")
	}, "its delivery was read again, and is kept")
}

type failuresUndoCmd struct{ settleFlags }

func (c failuresUndoCmd) Run(e *environment) error {
	return c.open(e, func(db *store.DB, d store.FailureDetail) error {
		if d.Resolution == nil {
			return fmt.Errorf("no person settled failure %s: %w", d.ID, handoff.ErrConflict)
		}
		return db.Undo(e.ctx, handoff.CommandLine, d.Site, d.Resolution.ID)
	}, "what was done about it is taken back")
}
