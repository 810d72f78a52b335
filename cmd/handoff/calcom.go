package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"handoff/internal/app"
)

type calcomCmd struct {
	Connect    connectCmd    `cmd:"" help:"Set up Cal.com's side of a site, and read it back. It can be run again at any time."`
	Rotate     rotateCmd     `cmd:"" help:"Give a site another webhook secret, at the server and at Cal.com, without losing a webhook."`
	Disconnect disconnectCmd `cmd:"" help:"Remove a site's webhooks from Cal.com."`
}

// siteFlags are of what is done about each site, or one.
type siteFlags struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON."`
	Site string `help:"Only this site."`
}

type checkCmd struct{ siteFlags }

func (c checkCmd) Run(e *environment) error {
	return c.each(e, func(conf *app.Config, site string, report func(app.Step)) error {
		return conf.Check(e.ctx, site, e.now, report)
	})
}

// connectionFlags are of what can change things at Cal.com.
type connectionFlags struct {
	siteFlags
	DryRun bool `name:"dry-run" help:"Only look; change nothing at Cal.com."`
}

type connectCmd struct {
	connectionFlags
	NewKey bool `name:"new-key" help:"Ask for another key of Cal.com's API, in place of the one that is kept."`
}

func (c connectCmd) Run(e *environment) error {
	return c.each(e, c.connected(e, c.NewKey, (*app.Connection).Up))
}

type rotateCmd struct{ connectionFlags }

func (c rotateCmd) Run(e *environment) error {
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	if c.Site == "" && len(conf.Sites) > 1 { // of all of them nobody means to, in one go
		return usage("say which site gets another secret: --site ID")
	}
	return c.each(e, c.connected(e, false, (*app.Connection).Rotate))
}

type disconnectCmd struct{ connectionFlags }

func (c disconnectCmd) Run(e *environment) error {
	return c.each(e, c.connected(e, false, (*app.Connection).Down))
}

// each does something about each site, prints every step at once,
// and fails if something is left for a person. What one site cannot do keeps no other
// from it.
func (c siteFlags) each(e *environment, do func(conf *app.Config, site string, report func(app.Step)) error) error {
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	if err := conf.CheckFilter(c.Site, ""); err != nil {
		return usageError{err}
	}
	steps, left := []app.Step{}, 0
	report := func(s app.Step) {
		if s.State == app.StepTodo {
			left++
		}
		if steps = append(steps, s); !c.JSON {
			fmt.Fprintf(e.out, "%-4s  %s: %s: %s\n", s.State, s.Site, oneLine(s.What), oneLine(s.Detail))
		}
	}
	var failed []error
	for i := range conf.Sites {
		site := conf.Sites[i].ID
		if c.Site != "" && site != c.Site {
			continue
		}
		if err := do(conf, site, report); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", site, err))
		}
	}
	if c.JSON {
		failed = append(failed, app.WriteJSON(e.out, steps))
	}
	if left > 0 {
		words := "1 of these is left for you: the one marked todo"
		if left > 1 {
			words = fmt.Sprintf("%d of these are left for you: those marked todo", left)
		}
		failed = append(failed, errors.New(words))
	}
	return errors.Join(failed...)
}

// connected does it with a site's connection, once there is a key.
func (c connectionFlags) connected(e *environment, newKey bool, do func(*app.Connection, context.Context) error) func(*app.Config, string, func(app.Step)) error {
	return func(conf *app.Config, site string, report func(app.Step)) error {
		if newKey || conf.LacksKey(site) {
			if err := askForKey(e, conf, site, len(conf.Sites) == 1 || c.Site != ""); err != nil {
				return err
			}
		}
		n, err := conf.Connect(site, !c.DryRun, e.now, report)
		if err != nil {
			return err
		}
		return do(n, e.ctx)
	}
}

// keyVariable is where a key is looked for before somebody is asked for it.
const keyVariable = "CALCOM_API_KEY"

// askForKey gets a key of Cal.com's API, and keeps it in the file that the configuration
// names once Cal.com has accepted it. One from the environment is for one site: two can
// be of two accounts, and Cal.com accepts the key of either.
func askForKey(e *environment, conf *app.Config, site string, alone bool) error {
	key := ""
	if alone {
		key = strings.TrimSpace(os.Getenv(keyVariable))
	}
	if key == "" {
		var err error
		if key, err = readSecret(e, "Key of Cal.com's API for "+site+" (Settings, Developer, API keys): ", "give the key on standard input, or as "+keyVariable+", for one --site at a time"); err != nil {
			return err
		}
	}
	return conf.KeepKey(e.ctx, site, key)
}
