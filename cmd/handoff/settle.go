package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

// settleFlags are what all commands have that settle failures.
type settleFlags struct {
	configFlag
	JSON bool `name:"json" help:"Print the entry as it is then, as JSON."`
}

// entryArg names one entry.
type entryArg struct {
	ID string `arg:"" help:"The entry's ID."`
}

// causeFlags name all that waits with a reason, instead of entries by their IDs.
type causeFlags struct {
	Reason handoff.Reason `help:"All that wait with this reason, instead of entries by their IDs." placeholder:"REASON"`
	Site   string         `help:"With --reason: only those of this site."`
}

// check refuses what names neither a reason nor entries, or both, a reason that there is
// not, or a site.
func (f causeFlags) check(c *app.Config, entries bool) error {
	switch {
	case entries == (f.Reason != ""):
		return usage("name an entry by its ID, or say --reason")
	case f.Reason == "" && f.Site != "":
		return usage("--site goes with --reason: an entry's ID says whose it is")
	case f.Reason != "" && f.Reason.Text().Reason == "":
		return noReason(f.Reason)
	}
	if err := c.CheckFilter(f.Site, ""); err != nil {
		return usageError{err}
	}
	return nil
}

// sites are those whose entries are meant.
func (f causeFlags) sites(c *app.Config) []string {
	if f.Site != "" {
		return []string{f.Site}
	}
	return c.SiteIDs()
}

// entryOrCause names one entry, or all that wait with a reason.
type entryOrCause struct {
	ID string `arg:"" optional:"" help:"The entry's ID."`
	causeFlags
}

// noReason is the error of a reason that there is not.
func noReason(r handoff.Reason) error {
	return usage("there is no reason %q; docs/failures.md has those that there are", r)
}

// do finds an entry, does something about it, and says what came of it.
func (f settleFlags) do(e *environment, db *store.DB, name string, act func(store.FailureDetail) (says string, err error)) error {
	id := handoff.FailureID(name)
	d, err := db.Failure(e.ctx, nil, id)
	if err != nil {
		return notFound(err, "failure "+name)
	}
	says, err := act(d)
	if err != nil {
		return err
	}
	if !f.JSON {
		fmt.Fprintf(e.out, "%s  %s: %s\n", d.ID, d.Reason, says)
		return nil
	}
	if d, err = db.Failure(e.ctx, nil, id); err != nil {
		return err
	}
	suggested, err := db.Suggestions(e.ctx, d.FailureView)
	if err != nil {
		return err
	}
	return app.WriteJSON(e.out, api.ViewFailure(d, suggested))
}

// open does the same with the store of the configuration.
func (f settleFlags) open(e *environment, name string, act func(*store.DB, store.FailureDetail) (says string, err error)) error {
	db, err := f.store(e)
	if err != nil {
		return err
	}
	defer db.Close()
	return f.do(e, db, name, func(d store.FailureDetail) (string, error) { return act(db, d) })
}

type failuresDismissCmd struct {
	settleFlags
	IDs []string `arg:"" optional:"" name:"id" help:"The entries' IDs."`
	causeFlags
	Note string `help:"Why; kept with it."`
}

func (c failuresDismissCmd) Run(e *environment) error {
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	if err := c.check(conf, len(c.IDs) > 0); err != nil {
		return err
	}
	if len(c.IDs) == 1 {
		return c.open(e, c.IDs[0], func(db *store.DB, d store.FailureDetail) (string, error) {
			_, err := db.Dismiss(e.ctx, handoff.CommandLine, d.Site, []handoff.FailureID{d.ID}, c.Note)
			return "dismissed", err
		})
	}
	db, err := app.OpenStore(e.ctx, conf, e.log, e.now)
	if err != nil {
		return err
	}
	defer db.Close()
	var done []store.Resolution
	if c.Reason == "" {
		done, err = dismissChosen(e, db, c.IDs, c.Note)
	} else {
		done, err = dismissAll(e, db, c.sites(conf), c.Reason, c.Note)
	}
	return errors.Join(c.say(e, done), err) // what was done stays done
}

// say says what was dismissed.
func (c failuresDismissCmd) say(e *environment, done []store.Resolution) error {
	if c.JSON {
		return app.WriteJSON(e.out, append([]store.Resolution{}, done...))
	}
	of := ""
	if c.Reason != "" {
		of = " of " + string(c.Reason)
	}
	for _, r := range done {
		fmt.Fprintf(e.out, "%s  %s: %d%s dismissed; to take them back: handoff failures undo %s\n", r.ID, r.Site, r.Failures, of, r.ID)
	}
	if len(done) == 0 && c.Reason != "" {
		fmt.Fprintf(e.out, "Nothing waits with %s.\n", c.Reason)
	}
	return nil
}

// dismissChosen dismisses entries by their IDs: those of each site together, all or none.
func dismissChosen(e *environment, db *store.DB, names []string, note string) (done []store.Resolution, err error) {
	of := map[string][]handoff.FailureID{}
	for _, name := range names {
		d, err := db.Failure(e.ctx, nil, handoff.FailureID(name))
		if err != nil {
			return done, notFound(err, "failure "+name)
		}
		of[d.Site] = append(of[d.Site], d.ID)
	}
	for _, site := range slices.Sorted(maps.Keys(of)) {
		r, err := db.Dismiss(e.ctx, handoff.CommandLine, site, of[site], note)
		if err != nil {
			return done, err
		}
		done = append(done, r)
	}
	return done, nil
}

// dismissAll dismisses what waits at sites for a reason, as many at a time as are done at
// once. What comes meanwhile stays.
func dismissAll(e *environment, db *store.DB, sites []string, reason handoff.Reason, note string) (done []store.Resolution, err error) {
	now := db.Now()
	for _, site := range sites {
		for {
			r, err := db.DismissAll(e.ctx, handoff.CommandLine, site, reason, now, note)
			if errors.Is(err, handoff.ErrNotFound) {
				break
			}
			if err != nil {
				return done, err
			}
			done = append(done, r)
		}
	}
	return done, nil
}

type failuresAttachCmd struct {
	settleFlags
	entryArg
	Lead string `arg:"" help:"The lead's ID."`
	Note string `help:"Why; kept with it."`
}

func (c failuresAttachCmd) Run(e *environment) error {
	lead, err := handoff.ParseLeadID(c.Lead)
	if err != nil {
		return usageError{err}
	}
	return c.open(e, c.ID, func(db *store.DB, d store.FailureDetail) (string, error) {
		_, err := db.Attach(e.ctx, handoff.CommandLine, d.Site, d.ID, lead, c.Note)
		return "its booking belongs to " + c.Lead, notFound(err, "lead "+c.Lead+" on that site")
	})
}

type failuresAskCmd struct {
	settleFlags
	entryOrCause
}

func (c failuresAskCmd) Run(e *environment) error {
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	if err := c.check(conf, c.ID != ""); err != nil {
		return err
	}
	db, err := app.OpenStore(e.ctx, conf, e.log, e.now)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.ID != "" {
		return c.do(e, db, c.ID, func(d store.FailureDetail) (string, error) {
			if !conf.Asks(d.Site) {
				return "", asksNobody([]string{d.Site})
			}
			return "the server asks Cal.com about its booking; an answer that ties it to a lead settles it", db.AskAbout(e.ctx, handoff.CommandLine, d.Site, d.ID)
		})
	}
	type view struct {
		Site     string `json:"site"`
		Bookings int    `json:"bookings"` // about which Cal.com is asked
	}
	var done []view
	for _, site := range c.sites(conf) {
		if !conf.Asks(site) {
			continue
		}
		n, err := db.AskAll(e.ctx, handoff.CommandLine, site, c.Reason)
		if err != nil && !errors.Is(err, handoff.ErrNotFound) {
			return err
		}
		done = append(done, view{site, n})
	}
	if len(done) == 0 {
		return asksNobody(c.sites(conf))
	}
	return printList(e.out, c.JSON, done, "SITE\tBOOKINGS ASKED ABOUT", func(v view) string {
		return fmt.Sprintf("%s\t%d", v.Site, v.Bookings)
	}, func(v view) view { return v })
}

// asksNobody is the error of sites that have no API of Cal.com.
func asksNobody(sites []string) error {
	which := "no site has an"
	if len(sites) == 1 {
		which = "site " + sites[0] + " has no"
	}
	return fmt.Errorf("%s API of Cal.com that could be asked: name it under calcom in the configuration: %w", which, handoff.ErrInvalid)
}

type failuresVerifyCmd struct {
	settleFlags
	entryOrCause
}

func (c failuresVerifyCmd) Run(e *environment) error {
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	if err := c.check(conf, c.ID != ""); err != nil {
		return err
	}
	a, err := app.New(e.ctx, conf, e.log, e.now)
	if err != nil {
		return err
	}
	defer a.Close()
	if c.ID != "" {
		return c.do(e, a.Store(), c.ID, func(d store.FailureDetail) (string, error) {
			says := "its delivery was read again, and is kept"
			waits, err := a.ReadAgain(e.ctx, handoff.CommandLine, d.Site, d.ID)
			if waits != "" {
				says = fmt.Sprintf("Cal.com did sign it, and it cannot be read all the same: it waits for %s now", waits)
			}
			return says, notFound(err, "body of that entry any more, as it came")
		})
	}
	type view struct {
		Site string `json:"site"`
		Read int    `json:"read"` // and have taken their effect
		Left int    `json:"left"` // that wait
	}
	var done []view
	for _, site := range c.sites(conf) {
		read, left, err := a.ReadAllAgain(e.ctx, handoff.CommandLine, site, c.Reason)
		if err != nil {
			return err
		}
		done = append(done, view{site, read, left})
	}
	return printList(e.out, c.JSON, done, "SITE\tREAD\tWAIT", func(v view) string {
		return fmt.Sprintf("%s\t%d\t%d", v.Site, v.Read, v.Left)
	}, func(v view) view { return v })
}

type failuresUndoCmd struct {
	settleFlags
	ID string `arg:"" help:"The ID of an entry, or of what was done about several (res_…)."`
}

func (c failuresUndoCmd) Run(e *environment) error {
	conf, db, err := c.both(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if id, err := handoff.ParseResolutionID(c.ID); err == nil {
		return c.undoMany(e, db, conf.SiteIDs(), id)
	}
	return c.do(e, db, c.ID, func(d store.FailureDetail) (string, error) {
		if d.Resolution == nil {
			return "", fmt.Errorf("no person settled failure %s: %w", d.ID, handoff.ErrConflict)
		}
		return "what was done about it is taken back", db.Undo(e.ctx, handoff.CommandLine, d.Site, d.Resolution.ID)
	})
}

// undoMany takes back what was done about several entries of one of the sites.
func (c failuresUndoCmd) undoMany(e *environment, db *store.DB, sites []string, id handoff.ResolutionID) error {
	for _, site := range sites {
		r, err := db.Resolution(e.ctx, site, id)
		if errors.Is(err, handoff.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := db.Undo(e.ctx, handoff.CommandLine, site, id); err != nil {
			return err
		}
		if !c.JSON {
			fmt.Fprintf(e.out, "%s  %s: taken back; it had settled %d\n", id, site, r.Failures)
			return nil
		}
		if r, err = db.Resolution(e.ctx, site, id); err != nil {
			return err
		}
		return app.WriteJSON(e.out, r)
	}
	return notFound(handoff.ErrNotFound, "resolution "+string(id))
}
