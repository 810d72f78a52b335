package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"handoff/internal/app"
)

type calcomCmd struct {
	Connect    connectCmd    `cmd:"" help:"Set up Cal.com's side of a site, and read it back. It can be run again at any time."`
	Disconnect disconnectCmd `cmd:"" help:"Remove a site's webhooks from Cal.com."`
}

// connectionFlags are what both need.
type connectionFlags struct {
	configFlag
	JSON   bool   `name:"json" help:"Print JSON."`
	Site   string `help:"Only this site."`
	DryRun bool   `name:"dry-run" help:"Only look; change nothing at Cal.com."`
}

type connectCmd struct{ connectionFlags }

func (c connectCmd) Run(e *environment) error {
	return c.each(e, (*app.Connection).Up)
}

type disconnectCmd struct{ connectionFlags }

func (c disconnectCmd) Run(e *environment) error {
	return c.each(e, (*app.Connection).Down)
}

// each does something with the connection of each site, prints every step at once,
// and fails if something is left for a person.
func (c connectionFlags) each(e *environment, do func(*app.Connection, context.Context) error) error {
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	if err := conf.CheckFilter(c.Site, ""); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
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
	for i := range conf.Sites {
		site := conf.Sites[i].ID
		if c.Site != "" && site != c.Site {
			continue
		}
		if err := askForKey(e, conf, site); err != nil {
			return err
		}
		n, err := conf.Connect(site, !c.DryRun, e.now, report)
		if err != nil {
			return err
		}
		if err := do(n, e.ctx); err != nil {
			return fmt.Errorf("%s: %w", site, err)
		}
	}
	if c.JSON {
		if err := app.WriteJSON(e.out, steps); err != nil {
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of these %s left for you: those marked todo", left, map[bool]string{true: "is", false: "are"}[left == 1])
	}
	return nil
}

// keyVariable is where a key is looked for before somebody is asked for it.
const keyVariable = "CALCOM_API_KEY"

// askForKey gets a key of Cal.com's API where the configuration names a file that has
// none yet, and keeps it there once Cal.com has accepted it.
func askForKey(e *environment, conf *app.Config, site string) error {
	if !conf.LacksKey(site) {
		return nil
	}
	key := strings.TrimSpace(os.Getenv(keyVariable))
	if key == "" {
		var err error
		if key, err = readSecret(e, "Key of Cal.com's API (Settings, Developer, API keys): ", "give the key on standard input, or as "+keyVariable); err != nil {
			return err
		}
	}
	return conf.KeepKey(e.ctx, site, key)
}
