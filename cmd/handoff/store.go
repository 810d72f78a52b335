package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

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

type storeCmd struct {
	Copy storeCopyCmd `cmd:"" help:"Copy a store into a new or an empty one, of either engine, and compare the two."`
}

type storeCopyCmd struct {
	Config string `short:"c" help:"Configuration file whose store is copied." default:"handoff.yaml" env:"HANDOFF_CONFIG" type:"path"`
	From   string `help:"Store to copy: sqlite:PATH or postgres://… Default: the configuration's." placeholder:"URL"`
	To     string `help:"Store to copy into, sqlite:PATH or postgres://…: none yet, or an empty one." required:"" placeholder:"URL"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is shown below the usage of the command.
func (storeCopyCmd) Help() string {
	return `The copy is of one moment: what a running server stores after the command began is not in it. ` +
		`To move to another store, stop the server first. A copy that is broken off, or differs from its source, leaves the target empty.`
}

func (c storeCopyCmd) Run(e *environment) error {
	if c.From != "" && !namesStore(c.From) {
		return noStore("--from")
	}
	if !namesStore(c.To) {
		return noStore("--to")
	}
	from := c.From
	if from == "" {
		conf, err := app.Load(c.Config)
		if err != nil {
			return err
		}
		from = conf.StoreURL()
	}
	found, err := store.Copy(e.ctx, from, c.To, func(line string) { fmt.Fprintln(e.err, line) })
	if len(found) > 0 {
		if err := c.print(e, found); err != nil {
			return err
		}
	}
	return err
}

// namesStore reports whether an address names an engine. Any other text would be a file of
// that name, which nobody meant who mistyped the address of a server.
func namesStore(url string) bool {
	return slices.ContainsFunc([]string{"sqlite:", "postgres://", "postgresql://"}, func(engine string) bool {
		return strings.HasPrefix(url, engine) && url != engine
	})
}

// noStore does not say what was given: a password may be in it.
func noStore(flag string) error {
	return usage("%s is no store: give sqlite:PATH or postgres://…", flag)
}

// print shows what comparing found. A difference is also the command's error.
func (c storeCopyCmd) print(e *environment, found []store.TableCopy) error {
	if c.JSON {
		return app.WriteJSON(e.out, found)
	}
	return table(e.out, "TABLE\tROWS\tDIGEST\tCOPY", len(found), func(i int) string {
		same := "ok"
		if !found[i].Same {
			same = "DIFFERS"
		}
		return fmt.Sprintf("%s\t%d\t%s\t%s", found[i].Table, found[i].Rows, found[i].Digest[:12], same)
	})
}
