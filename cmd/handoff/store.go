package main

import (
	"fmt"
	"io"

	"handoff/internal/app"
	"handoff/internal/store"
)

type migrateCmd struct {
	configFlag
	DryRun bool `help:"Say what would be done, and change nothing."`
}

func (c migrateCmd) Run(e *environment) error {
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	m, err := store.Migrate(e.ctx, conf.StoreURL(), c.DryRun)
	if err != nil {
		return err
	}
	printMigration(e.out, m, c.DryRun)
	return nil
}

func printMigration(w io.Writer, m store.Migration, dry bool) {
	switch {
	case len(m.Steps) == 0:
		fmt.Fprintf(w, "The store has schema %d, which is this version's. Nothing to do.\n", m.From)
	case dry:
		fmt.Fprintf(w, "Would migrate the store from schema %d to %d. Nothing was changed. The steps:\n", m.From, m.To)
	default:
		fmt.Fprintf(w, "Migrated the store from schema %d to %d. The steps:\n", m.From, m.To)
	}
	for _, step := range m.Steps {
		fmt.Fprintf(w, "  %s\n", step)
	}
}
