package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/term"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

// cli is the command line.
type cli struct {
	Log string `help:"Least level to log: debug, info, warn or error." default:"info" enum:"debug,info,warn,error"`

	Demo      demoCmd      `cmd:"" help:"Run the whole product with a stand-in for Cal.com."`
	Serve     serveCmd     `cmd:"" help:"Serve the sites of a configuration."`
	Init      initCmd      `cmd:"" help:"Write an install to start from: configuration, content, secrets."`
	Leads     leadsCmd     `cmd:"" help:"Show leads, and work them."`
	Bookings  bookingsCmd  `cmd:"" help:"Show bookings."`
	Failures  failuresCmd  `cmd:"" help:"Show the failure queue."`
	Check     checkCmd     `cmd:"" help:"Look whether the sites work for their visitors. Nothing is changed."`
	Calcom    calcomCmd    `cmd:"" help:"Set up Cal.com's side, or take it down."`
	Sweep     sweepCmd     `cmd:"" help:"Ask Cal.com now for every booking that changed."`
	Statement statementCmd `cmd:"" help:"Account for every booking at Cal.com, day by day."`
	Users     usersCmd     `cmd:"" help:"Manage operators, and let one in again who is locked out."`
	Keys      keysCmd      `cmd:"" help:"Manage keys of the API."`
	Audit     auditCmd     `cmd:"" help:"Show what people did."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the store's schema to this version."`
	Store     storeCmd     `cmd:"" help:"Copy the store."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// configFlag names the configuration.
type configFlag struct {
	Config string `short:"c" help:"Configuration file." default:"handoff.yaml" env:"HANDOFF_CONFIG" type:"path"`
}

// both reads the configuration and opens its store.
func (f configFlag) both(e *environment) (*app.Config, *store.DB, error) {
	c, err := app.Load(f.Config)
	if err != nil {
		return nil, nil, err
	}
	db, err := app.OpenStore(e.ctx, c, e.log, e.now)
	return c, db, err
}

// store opens the store that the configuration names.
func (f configFlag) store(e *environment) (*store.DB, error) {
	return f.storeOf(e, "", "")
}

// storeOf opens the store, unless a filter names a site or a stage that the
// configuration does not have: an empty list would be no answer to a typing error.
func (f configFlag) storeOf(e *environment, site string, stage handoff.Stage) (*store.DB, error) {
	c, err := app.Load(f.Config)
	if err != nil {
		return nil, err
	}
	if err := c.CheckFilter(site, stage); err != nil {
		return nil, usageError{err}
	}
	return app.OpenStore(e.ctx, c, e.log, e.now)
}

// app wires the whole program, unless a filter names a site that the configuration does
// not have.
func (f configFlag) app(e *environment, site string) (*app.App, error) {
	c, err := app.Load(f.Config)
	if err != nil {
		return nil, err
	}
	if err := c.CheckFilter(site, ""); err != nil {
		return nil, usageError{err}
	}
	return app.New(e.ctx, c, e.log, e.now)
}

// lead opens the store, and reads a lead of it. The caller closes the store, unless there
// is an error.
func (f configFlag) lead(e *environment, id string) (*store.DB, store.LeadDetail, error) {
	db, err := f.store(e)
	if err != nil {
		return nil, store.LeadDetail{}, err
	}
	d, err := db.Lead(e.ctx, nil, handoff.LeadID(id))
	if err != nil {
		db.Close()
		return nil, d, notFound(err, "lead "+id)
	}
	return db, d, nil
}

// failure opens the store, and reads a failure of it; as lead does.
func (f configFlag) failure(e *environment, id string) (*store.DB, store.FailureDetail, error) {
	db, err := f.store(e)
	if err != nil {
		return nil, store.FailureDetail{}, err
	}
	d, err := db.Failure(e.ctx, nil, handoff.FailureID(id))
	if err != nil {
		db.Close()
		return nil, d, notFound(err, "failure "+id)
	}
	return db, d, nil
}

type demoCmd struct {
	Data      string `help:"Folder of the install; kept. Otherwise a new one, removed at the end." type:"path"`
	Listen    string `help:"Address of the site. Default: 127.0.0.1:8080, or any port if that is taken." placeholder:"ADDR"`
	Guests    bool   `help:"Begin with some leads, one of which waits for a person." default:"true" negatable:""`
	CalListen string `help:"Address of the stand-in. Default: 127.0.0.1:8090, or any port if that is taken." placeholder:"ADDR"`
}

func (c demoCmd) Run(e *environment) error {
	return app.Demo{Guests: c.Guests, Dir: c.Data, Listen: c.Listen, CalListen: c.CalListen, Out: e.out, Log: e.log}.Run(e.ctx)
}

type serveCmd struct{ configFlag }

func (c serveCmd) Run(e *environment) error {
	a, err := c.app(e, "")
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Serve(e.ctx, func(at net.Addr) { fmt.Fprintf(e.out, "Listening on http://%s\n", at) })
}

type initCmd struct {
	Dir string `arg:"" help:"Folder to write into." type:"path"`
}

func (c initCmd) Run(e *environment) error {
	if err := app.Init(c.Dir); err != nil {
		return err
	}
	fmt.Fprintf(e.out, `Wrote an install into %[1]s:

  handoff.yaml             every option, with a sentence about it
  content/                 a demonstration business's pages: make them yours
  secrets/reference.key    signs references; keep it, and keep it secret
  secrets/calcom-webhook   the webhook's secret, which Cal.com signs with

Next:
  1. Edit handoff.yaml: your site's id, url and Cal.com origin.
  2. Edit content/services/*.md: your services, each with its Cal.com event type.
  3. handoff users add you@example.com -c %[1]s/handoff.yaml
  4. handoff serve -c %[1]s/handoff.yaml
  5. handoff calcom connect -c %[1]s/handoff.yaml
     sets up Cal.com's side with a key of its API, while the server runs; then start
     the server again.
`, c.Dir)
	return nil
}

type leadsCmd struct {
	List  leadsListCmd  `cmd:"" help:"List leads, the newest first."`
	Show  leadsShowCmd  `cmd:"" help:"Show one lead."`
	Facts leadsFactsCmd `cmd:"" help:"Show what was heard about a lead, or what was received that told one of it."`
	Stage leadsStageCmd `cmd:"" help:"Move a lead to a stage, or take that back."`
	Note  leadsNoteCmd  `cmd:"" help:"Write a note about a lead, or delete one."`

	CallsWanted leadsCallsWantedCmd `cmd:"" help:"Say that a lead wants all its calls ahead, or take that back."`
}

type leadsListCmd struct {
	configFlag
	JSON bool `name:"json" help:"Print JSON."`
	leadFilter
}

func (c leadsListCmd) Run(e *environment) error {
	filter, err := c.filter()
	if err != nil {
		return err
	}
	db, err := c.storeOf(e, c.Site, handoff.Stage(c.Stage))
	if err != nil {
		return err
	}
	defer db.Close()
	leads, err := db.Leads(e.ctx, filter)
	if err != nil {
		return err
	}
	leads = limited(e, leads, c.Limit)
	if !c.JSON {
		return table(e.out, "LEAD\tSITE\tSERVICE\tSTAGE\tNAME\tNEXT CALL\tCREATED", len(leads), func(i int) string {
			l := leads[i]
			return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", l.ID, l.Site, l.Service, l.Stage, oneLine(l.Name), nextCall(l.Bookings), when(l.CreatedAt))
		})
	}
	views := []api.LeadView{}
	for _, l := range leads {
		d, err := db.LeadOfSite(e.ctx, l.Site, l.ID)
		if err != nil {
			return err
		}
		v, err := viewLead(e, db, d)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	return app.WriteJSON(e.out, views)
}

// nextCall is the start of the first booking that may take place.
func nextCall(bookings []handoff.Booking) string {
	for _, b := range bookings {
		if b.Live() && !b.Start.IsZero() {
			return when(b.Start)
		}
	}
	return "-"
}

type leadsShowCmd struct {
	configFlag
	JSON bool   `name:"json" help:"Print JSON."`
	ID   string `arg:"" help:"The lead's ID."`
}

func (c leadsShowCmd) Run(e *environment) error {
	db, d, err := c.lead(e, c.ID)
	if err != nil {
		return err
	}
	defer db.Close()
	v, err := viewLead(e, db, d)
	if err != nil {
		return err
	}
	if c.JSON {
		return app.WriteJSON(e.out, v)
	}
	fmt.Fprintf(e.out, "%s  %s  %s\n%s <%s> %s\n", d.ID, d.Service, d.Stage, oneLine(d.Name), oneLine(d.Email), oneLine(d.Phone))
	fmt.Fprintln(e.out, "\nBookings:")
	for _, b := range d.Bookings {
		fmt.Fprintf(e.out, "  %s  %s  %s\n", b.BookingKey, b.Status, when(b.Start))
	}
	if w := d.Wanted; w != nil {
		fmt.Fprintf(e.out, "  wanted: %s  (%s, %s)\n", callNames(w.Calls), when(w.At), oneLine(w.By))
	}
	fmt.Fprintln(e.out, "\nNotes:")
	for _, n := range d.Notes {
		fmt.Fprintf(e.out, "  %s  %s  %s: %s\n", when(n.At), n.ID, oneLine(n.Author), oneLine(n.Text))
	}
	fmt.Fprintln(e.out, "\nHistory:")
	for _, h := range d.History {
		fmt.Fprintf(e.out, "  %s  %s → %s  %s (%s)\n", when(h.At), dash(string(h.From)), h.To, h.Note, h.Cause)
	}
	if len(v.Related) > 0 {
		fmt.Fprintln(e.out, "\nPerhaps the same person:")
	}
	for _, r := range v.Related {
		fmt.Fprintf(e.out, "  %s: %s\n", r.Lead, strings.Join(r.Reasons, ", "))
	}
	return nil
}

// readSecret asks at a terminal without showing what is typed, and otherwise reads one
// line. missing says what to do where there is none.
func readSecret(e *environment, prompt, missing string) (string, error) {
	if f, ok := e.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(e.err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(e.err)
		return string(b), err
	}
	line, err := bufio.NewReader(io.LimitReader(e.in, 4096)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usageError{errors.New(missing)}
	}
	return line, nil
}

type versionCmd struct{}

// version is set at release: go build -ldflags "-X main.version=1.2.3".
var version = "development"

func (versionCmd) Run(e *environment) error {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	fmt.Fprintf(e.out, "handoff %s%s %s\n", version, revision, runtime.Version())
	return nil
}

// checkLimit refuses a --limit that no list has.
func checkLimit(n int) error {
	if n < 1 || n > maxLimit {
		return usage("--limit is 1 to %d", maxLimit)
	}
	return nil
}

const maxLimit = 10000

// limited cuts a list, which was read with one more than its limit, and says beside it if
// it does not end there: who sees no end believes that there is no more.
func limited[T any](e *environment, list []T, limit int) []T {
	if len(list) <= limit {
		return list
	}
	fmt.Fprintf(e.err, "There are more than the %d shown; --limit takes up to %d.\n", limit, maxLimit)
	return list[:limit]
}

// readDay reads the day that a flag names, in UTC; zero for none.
func readDay(flag, day string) (time.Time, error) {
	if day == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return t, usage("%s: %q is no day such as 2026-11-01", flag, day)
	}
	return t, nil
}

// printList prints things as a table, or each by its view as JSON.
func printList[T, V any](out io.Writer, asJSON bool, of []T, head string, row func(T) string, view func(T) V) error {
	if !asJSON {
		return table(out, head, len(of), func(i int) string { return row(of[i]) })
	}
	views := make([]V, len(of))
	for i, one := range of {
		views[i] = view(one)
	}
	return app.WriteJSON(out, views)
}

func table(w io.Writer, head string, n int, row func(i int) string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, head)
	for i := range n {
		fmt.Fprintln(tw, row(i))
	}
	return tw.Flush()
}

// times says how often.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// oneLine makes a stranger's text safe for a terminal: one line, no controls, and
// nothing that turns the direction of what follows.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
}
