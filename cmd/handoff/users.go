package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/store"
)

// usersCmd manages operators for whoever can run commands beside the store: as an owner
// at the desk, and also where no owner can sign in any more.
type usersCmd struct {
	Add      usersAddCmd      `cmd:"" help:"Add an operator, or set another name and password."`
	List     usersListCmd     `cmd:"" help:"List the operators."`
	Role     usersRoleCmd     `cmd:"" help:"Give an operator another role."`
	Sites    usersSitesCmd    `cmd:"" help:"Say which sites an operator sees."`
	Invite   usersInviteCmd   `cmd:"" help:"Make an invitation and print its link."`
	Reset    usersResetCmd    `cmd:"" help:"Let an operator in again: print a link to a new password, or set one."`
	Sessions usersSessionsCmd `cmd:"" help:"List an operator's sessions, or end them."`
	Passkeys usersPasskeysCmd `cmd:"" help:"List an operator's passkeys, or remove them."`
	Remove   usersRemoveCmd   `cmd:"" help:"Remove an operator's account."`
}

// userFlag names an operator.
type userFlag struct {
	configFlag
	Email string `arg:"" help:"The operator's e-mail address."`
}

// open reads the configuration, opens the store and finds out whom it is about.
func (f userFlag) open(e *environment) (*app.Config, *store.DB, string, error) {
	c, db, err := f.both(e)
	return c, db, app.NormalizeEmail(f.Email), err
}

func noUser(err error, email string) error { return notFound(err, "operator "+email) }

// checkSites refuses a site that the configuration does not have.
func checkSites(c *app.Config, sites []string) error {
	for _, s := range sites {
		if err := c.CheckFilter(s, ""); err != nil {
			return usageError{err}
		}
	}
	return nil
}

type usersAddCmd struct {
	configFlag
	Email string   `arg:"" help:"E-mail address to sign in with."`
	Name  string   `help:"Name to show. Default: the one they have, or the address."`
	Role  string   `help:"What a new operator may do: owner, operator or viewer. Default: owner." placeholder:"ROLE"`
	Site  []string `help:"The only site a new operator sees; can be given more than once. Default: all." placeholder:"ID"`
}

// Run reads the password from standard input, so that it is in no shell history
// and in no list of processes.
func (c usersAddCmd) Run(e *environment) error {
	a, err := mail.ParseAddress(c.Email)
	if err != nil || a.Address != c.Email {
		return usage("%q is no e-mail address", c.Email)
	}
	role := cmp.Or(handoff.Role(c.Role), handoff.RoleOwner)
	if err := handoff.CheckGrant(role, c.Site); err != nil {
		return usageError{err}
	}
	conf, db, email, err := userFlag{c.configFlag, c.Email}.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := checkSites(conf, c.Site); err != nil {
		return err
	}
	_, err = db.User(e.ctx, email)
	there := err == nil
	if err != nil && !errors.Is(err, handoff.ErrNotFound) {
		return err
	}
	if there && (c.Role != "" || c.Site != nil) { // an account's access is another act
		return usage("there is an operator %s; for what they may do: handoff users role %s ROLE, and for the sites that they see: handoff users sites %s SITE", email, email, email)
	}
	password, err := readSecret(e, "Password (at least 12 characters): ", "give the password on standard input")
	if err != nil {
		return err
	}
	if err := app.AddUser(e.ctx, db, store.User{Email: email, Name: c.Name, Role: role, Sites: c.Site}, password); err != nil {
		return err
	}
	if there {
		fmt.Fprintf(e.out, "%s was there already, and can sign in at /desk/ with the new password. All sessions of before are ended.\n", email)
		return nil
	}
	fmt.Fprintf(e.out, "%s can sign in at /desk/.\n", c.Email)
	return nil
}

type usersListCmd struct {
	configFlag
	JSON bool `name:"json" help:"Print JSON."`
}

func (c usersListCmd) Run(e *environment) error {
	db, err := c.store(e)
	if err != nil {
		return err
	}
	defer db.Close()
	users, err := db.Users(e.ctx)
	if err != nil {
		return err
	}
	type view struct {
		Email     string       `json:"email"`
		Name      string       `json:"name"`
		Role      handoff.Role `json:"role"`
		Sites     []string     `json:"sites"` // null: all
		Zone      string       `json:"zone"`  // empty: times are in that of each site
		CreatedAt time.Time    `json:"created_at"`
		SeenAt    *time.Time   `json:"seen_at"` // null: never
	}
	return printList(e.out, c.JSON, users, "EMAIL\tNAME\tROLE\tSITES\tSINCE\tSEEN", func(u store.User) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", u.Email, oneLine(u.Name), u.Role, siteNames(u.Sites), when(u.CreatedAt), when(u.SeenAt))
	}, func(u store.User) view {
		return view{u.Email, u.Name, u.Role, u.Sites, u.Zone, u.CreatedAt, known(u.SeenAt)}
	})
}

type usersRoleCmd struct {
	userFlag
	Role string `arg:"" help:"owner, operator or viewer. An owner sees all sites." enum:"owner,operator,viewer"`
}

func (c usersRoleCmd) Run(e *environment) error {
	_, db, email, err := c.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	u, err := db.User(e.ctx, email)
	if err != nil {
		return noUser(err, email)
	}
	sites := u.Sites
	if handoff.Role(c.Role) == handoff.RoleOwner {
		sites = nil
	}
	return c.set(e, db, email, handoff.Role(c.Role), sites)
}

func (f userFlag) set(e *environment, db *store.DB, email string, role handoff.Role, sites []string) error {
	if err := db.SetAccess(e.ctx, handoff.CommandLine, email, role, sites); err != nil {
		return noUser(err, email)
	}
	fmt.Fprintf(e.out, "%s is %s of %s now.\n", email, role, siteNames(sites))
	return nil
}

// siteNames says which sites somebody sees; nil: all.
func siteNames(sites []string) string {
	if sites == nil {
		return "all sites"
	}
	return strings.Join(sites, ", ")
}

type usersSitesCmd struct {
	userFlag
	Site []string `arg:"" optional:"" help:"The only sites they see."`
	All  bool     `help:"They see all sites."`
}

func (c usersSitesCmd) Run(e *environment) error {
	if c.All == (len(c.Site) > 0) {
		return usage("name the sites, or say --all")
	}
	conf, db, email, err := c.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := checkSites(conf, c.Site); err != nil {
		return err
	}
	u, err := db.User(e.ctx, email)
	if err != nil {
		return noUser(err, email)
	}
	return c.set(e, db, email, u.Role, c.Site)
}

type usersInviteCmd struct {
	userFlag
	Role string   `help:"What they may do: owner, operator or viewer." default:"operator" enum:"owner,operator,viewer"`
	Site []string `help:"The only site they see; can be given more than once. Default: all." placeholder:"ID"`
}

func (c usersInviteCmd) Run(e *environment) error {
	conf, db, email, err := c.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := checkSites(conf, c.Site); err != nil {
		return err
	}
	token, err := db.Invite(e.ctx, handoff.CommandLine, email, handoff.Role(c.Role), c.Site)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.err, "%s is invited as %s of %s with this link, which is good for a week, once, and shown this once:\n", email, c.Role, siteNames(c.Site))
	fmt.Fprintln(e.out, deskLink(conf, "invitations", token))
	return nil
}

// deskLink is the address of a link at the first site.
func deskLink(c *app.Config, kind, token string) string {
	u, err := url.Parse(c.Sites[0].URL)
	if err != nil {
		return "/desk/" + kind + "/" + token
	}
	return u.Scheme + "://" + u.Host + "/desk/" + kind + "/" + token
}

type usersResetCmd struct {
	userFlag
	Password bool `help:"Set a password, read from standard input, instead of printing a link."`
}

func (c usersResetCmd) Run(e *environment) error {
	conf, db, email, err := c.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if !c.Password {
		token, err := db.Reset(e.ctx, handoff.CommandLine, email)
		if err != nil {
			return noUser(err, email)
		}
		fmt.Fprintf(e.err, "%s sets a new password with this link, which is good for an hour, once, and shown this once:\n", email)
		fmt.Fprintln(e.out, deskLink(conf, "resets", token))
		return nil
	}
	if _, err := db.User(e.ctx, email); err != nil {
		return noUser(err, email)
	}
	password, err := readSecret(e, "New password (at least 12 characters): ", "give the password on standard input")
	if err != nil {
		return err
	}
	if err := app.ResetPassword(e.ctx, db, email, password); err != nil {
		return noUser(err, email)
	}
	fmt.Fprintf(e.out, "%s can sign in with the new password. All sessions of before are ended.\n", email)
	return nil
}

type usersSessionsCmd struct {
	userFlag
	JSON bool `name:"json" help:"Print JSON."`
	End  bool `help:"End them."`
}

func (c usersSessionsCmd) Run(e *environment) error {
	_, db, email, err := c.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.End {
		n, err := db.EndSessions(e.ctx, handoff.CommandLine, email, "")
		if err != nil {
			return noUser(err, email)
		}
		fmt.Fprintf(e.out, "Ended: %d.\n", n)
		return nil
	}
	if _, err := db.User(e.ctx, email); err != nil {
		return noUser(err, email)
	}
	sessions, err := db.Sessions(e.ctx, email)
	if err != nil {
		return err
	}
	type view struct {
		Agent     string    `json:"agent"`
		CreatedAt time.Time `json:"created_at"`
		UsedAt    time.Time `json:"used_at"`
	}
	return printList(e.out, c.JSON, sessions, "BROWSER\tSIGNED IN\tLAST USED", func(s store.Session) string {
		return fmt.Sprintf("%s\t%s\t%s", oneLine(s.Agent), when(s.CreatedAt), when(s.UsedAt))
	}, func(s store.Session) view { return view{s.Agent, s.CreatedAt, s.UsedAt} })
}

type usersPasskeysCmd struct {
	userFlag
	JSON   bool `name:"json" help:"Print JSON."`
	Remove bool `help:"Remove them all."`
}

func (c usersPasskeysCmd) Run(e *environment) error {
	_, db, email, err := c.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Remove {
		n, err := db.RemovePasskeys(e.ctx, handoff.CommandLine, email)
		if err != nil {
			return noUser(err, email)
		}
		fmt.Fprintf(e.out, "Removed: %d.\n", n)
		return nil
	}
	if _, err := db.User(e.ctx, email); err != nil {
		return noUser(err, email)
	}
	keys, err := db.Passkeys(e.ctx, email)
	if err != nil {
		return err
	}
	type view struct {
		Name      string     `json:"name"`
		Host      string     `json:"host"`
		CreatedAt time.Time  `json:"created_at"`
		UsedAt    *time.Time `json:"used_at"` // null: never
	}
	return printList(e.out, c.JSON, keys, "NAME\tFOR\tADDED\tLAST USED", func(k store.Passkey) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s", oneLine(k.Name), k.Host, when(k.CreatedAt), when(k.UsedAt))
	}, func(k store.Passkey) view { return view{k.Name, k.Host, k.CreatedAt, known(k.UsedAt)} })
}

type usersRemoveCmd struct{ userFlag }

func (c usersRemoveCmd) Run(e *environment) error {
	_, db, email, err := c.open(e)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.RemoveUser(e.ctx, handoff.CommandLine, email); err != nil {
		return noUser(err, email)
	}
	fmt.Fprintf(e.out, "%s is removed. What they did stays in the audit log.\n", email)
	return nil
}

type auditCmd struct {
	configFlag
	JSON    bool   `name:"json" help:"Print JSON, an act a line."`
	Since   string `help:"From this day on, such as 2026-11-01, in UTC." placeholder:"DAY"`
	Actor   string `help:"Only what this one did."`
	Action  string `help:"Only acts of this name, such as user.access."`
	Subject string `help:"Only what was done to this."`
	Site    string `help:"Only what was done to this site." placeholder:"ID"`
}

// Run prints all acts, the newest first, without holding more than some of them.
func (c auditCmd) Run(e *environment) error {
	f := store.AuditFilter{Actor: c.Actor, Action: c.Action, Subject: c.Subject, Limit: 1000}
	if c.Action != "" && !slices.Contains(handoff.Actions, c.Action) {
		return usage("there is no action %q; there are: %s", c.Action, strings.Join(handoff.Actions, ", "))
	}
	var err error
	if f.Since, err = readDay("--since", c.Since); err != nil {
		return err
	}
	db, err := c.storeOf(e, c.Site, "")
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Site != "" {
		f.Sites = []string{c.Site}
	}
	for {
		acts, err := db.Audit(e.ctx, f)
		if err != nil {
			return err
		}
		for _, a := range acts {
			if err := c.print(e, a); err != nil {
				return err
			}
		}
		if len(acts) < f.Limit {
			return nil
		}
		f.Before = acts[len(acts)-1].ID
	}
}

func (c auditCmd) print(e *environment, a handoff.Act) error {
	if c.JSON {
		return json.NewEncoder(e.out).Encode(a)
	}
	words := slices.DeleteFunc([]string{when(a.At), a.Actor, a.Action, a.Site, a.Subject, a.Detail}, func(s string) bool { return s == "" })
	_, err := fmt.Fprintln(e.out, oneLine(strings.Join(words, "  ")))
	return err
}

// known is a time as JSON has it: null where there is none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
