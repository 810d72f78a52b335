package main

import (
	"fmt"
	"strings"
	"time"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make a key of the API. Its token is shown once."`
	List   keysListCmd   `cmd:"" help:"List the keys, the newest first."`
	Revoke keysRevokeCmd `cmd:"" help:"End a key at once, for good."`
}

type keysCreateCmd struct {
	configFlag
	JSON  bool            `name:"json" help:"Print JSON."`
	Name  string          `arg:"" help:"What the key is for, as the audit log shall have it. No two keys have one name."`
	Scope []handoff.Scope `help:"What it may do, such as leads:read; several with commas, and one at least. There are leads:read, leads:write, failures:read, failures:write, sites:read and audit:read."`
	Site  []string        `help:"The only sites that it sees; several with commas. Default: all."`
	Days  int             `help:"It expires after so many days, 730 at most." default:"365"`
}

func (c keysCreateCmd) Run(e *environment) error {
	if len(c.Scope) == 0 {
		return usage("say with --scope what the key may do: %s; several with commas", strings.Join(handoff.ScopeNames(handoff.Scopes), ", "))
	}
	conf, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	if err := checkSites(conf, c.Site); err != nil {
		return err
	}
	key := handoff.APIKey{Name: c.Name, Scopes: c.Scope, Sites: c.Site, ExpiresAt: e.now().Add(time.Duration(c.Days) * 24 * time.Hour)}
	if err := key.Check(e.now()); err != nil {
		return usageError{err}
	}
	db, err := app.OpenStore(e.ctx, conf, e.log, e.now)
	if err != nil {
		return err
	}
	defer db.Close()
	made, token, err := db.CreateKey(e.ctx, handoff.CommandLine, key)
	if err != nil {
		return err
	}
	if c.JSON {
		return app.WriteJSON(e.out, api.ViewKey(made, token))
	}
	fmt.Fprintf(e.out, "%s\n\nThis is the token of %s, shown this once. It works until %s; send it as\n  Authorization: Bearer %s…\nRevoke it with: handoff keys revoke %s\n",
		token, oneLine(made.Name), when(made.ExpiresAt), token[:8], made.ID)
	return nil
}

type keysListCmd struct {
	configFlag
	JSON bool `name:"json" help:"Print JSON."`
}

func (c keysListCmd) Run(e *environment) error {
	db, err := c.store(e)
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := db.Keys(e.ctx, handoff.CommandLine)
	if err != nil {
		return err
	}
	return printList(e.out, c.JSON, keys, "KEY\tNAME\tSCOPES\tSITES\tEXPIRES\tLAST USED\tSTATE", func(k store.Key) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", k.ID, oneLine(k.Name), strings.Join(handoff.ScopeNames(k.Scopes), ","), siteNames(k.Sites), when(k.ExpiresAt), when(k.LastUsedAt), keyState(k, e.now()))
	}, func(k store.Key) api.KeyView { return api.ViewKey(k, "") })
}

// keyState says in a word whether a key works.
func keyState(k store.Key, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.Works(now):
		return "expired"
	}
	return "works"
}

type keysRevokeCmd struct {
	configFlag
	ID string `arg:"" help:"The key's ID, as handoff keys list shows it."`
}

func (c keysRevokeCmd) Run(e *environment) error {
	db, err := c.store(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.RevokeKey(e.ctx, handoff.CommandLine, c.ID); err != nil {
		return notFound(err, "key "+oneLine(c.ID)+"; a key is revoked by its ID, which this shows: handoff keys list")
	}
	fmt.Fprintf(e.out, "%s opens nothing any more.\n", oneLine(c.ID))
	return nil
}
