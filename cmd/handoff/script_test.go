package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"handoff/internal/calcom/calsim"
)

// TestMain lets this test binary be the program too: scripts and tests run it as
// processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"handoff": func() {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, clock()))
	}})
}

// Each script is one promise, tested from outside on the real binary by four
// personas; testdata/script/README explains their words.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, params("testdata/script", "selfhosted-2025"))
}

var generations = []string{"selfhosted-2025", "caldiy", "cloud-2026"}

// What the three generations of Cal.com tell differently ends in the same leads.
func TestGenerations(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, generation := range generations {
		all.Go(func() {
			t.Run(generation, func(t *testing.T) { runScripts(t, params("testdata/generation", generation)) })
		})
	}
	all.Wait()
}

// places are for the scripts that run at once. A script mostly waits, for a person
// to fill in a form and for a process, so they are more than processors.
var places = make(chan struct{}, 8)

// runScripts runs the scripts of a folder, and returns when all have ended.
func runScripts(t *testing.T, p testscript.Params) {
	p.Deadline, _ = t.Deadline()
	var all sync.WaitGroup
	testscript.RunT(scripts{t, &all}, p)
	all.Wait()
}

// scripts is a testscript.T whose scripts wait for one of our places instead of
// one of "go test -parallel".
type scripts struct {
	*testing.T
	all *sync.WaitGroup
}

func (s scripts) Parallel()     {}
func (s scripts) Verbose() bool { return testing.Verbose() }
func (s scripts) Run(name string, f func(testscript.T)) {
	s.all.Go(func() {
		places <- struct{}{}
		defer func() { <-places }()
		s.T.Run(name, func(t *testing.T) { f(scripts{t, nil}) })
	})
}

func params(dir, generation string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			w := &world{
				work: env.WorkDir, generation: generation, visitors: map[string]*visitor{},
				install: install{dir: filepath.Join(env.WorkDir, "d")},
				t:       env.T().(testing.TB),
			}
			w.siteAddress, w.calAddress = freeAddress(), freeAddress()
			w.site = "http://" + w.siteAddress
			env.Values[worldKey{}] = w
			env.Setenv("SITE", w.siteAddress)
			env.Setenv("CAL", w.calAddress)
			env.Setenv("generation", generation)
			env.Defer(w.close)
			return nil
		},
		Condition: func(name string) (bool, error) {
			if !slices.Contains(generations, name) {
				return false, fmt.Errorf("there is no generation %q", name)
			}
			return name == generation, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"demo":     command(demo),
			"serve":    command(serve),
			"server":   command(server),
			"lead":     question(lead),
			"leads":    question(leads),
			"failures": question(failures),
			"failure":  question(oneFailure),
			"json":     command(jsonIs),
			"edit":     command(edit),
			"age":      command(age),
			"schema":   command(schema),
			"id":       question(id),
			"examples": command(examples),
			"token":    question(token),

			"exit-code":     command(exitCode),
			"private":       question(private),
			"keeps-secrets": question(keepsSecrets),
			"reference":     question(reference),
			"visitor":       command(visitorDoes),
			"cal":           command(calDoes),
			"operator":      question(operatorDoes),
			"attacker":      command(attackerDoes),
		},
	}
}

// A world is what a script's personas share.
type world struct {
	install
	t                       testing.TB
	work, generation        string
	siteAddress, calAddress string
	server                  *process
	visitors                map[string]*visitor
	desk                    *browser
	logged                  int       // deliveries that "cal log" has told of
	slot                    time.Time // the last start that "cal" chose
	taken                   *captured // what the attacker recorded
	known                   state
	account                 *calsim.Sim // which "cal opens" started
	closeCal                func()
}

// A state is what the commands list once nothing is left to do; nil where nobody
// has asked since somebody acted.
type state struct {
	leads     []leadJSON
	open, all []failureJSON
}

type worldKey struct{}

// A call is one line of a script.
type call struct {
	*world
	ts   *testscript.TestScript
	args []string
	not  bool // the line begins with "!"
}

// command makes a command of a function. With "!" in front it must fail.
func command(f func(*call) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, not bool, args []string) {
		ts.Value(worldKey{}).(*world).known = state{}
		question(f)(ts, not, args)
	}
}

// question makes a command that only asks. Between two acts nothing changes, so
// what was listed for one question answers the next.
func question(f func(*call) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, not bool, args []string) {
		err := f(&call{ts.Value(worldKey{}).(*world), ts, args, not})
		switch {
		case not && err == nil:
			ts.Fatalf("it worked, and should not have")
		case !not && err != nil:
			ts.Fatalf("%v", err)
		case err != nil:
			ts.Logf("as it should be: %v", err)
		}
	}
}

// next takes the first argument off.
func (c *call) next() string {
	if len(c.args) == 0 {
		c.ts.Fatalf("an argument is missing")
	}
	first := c.args[0]
	c.args = c.args[1:]
	return first
}

// options reads the arguments name=value; one that is given twice has both.
func (c *call) options(known ...string) map[string][]string {
	out := map[string][]string{}
	for _, a := range c.args {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			value = "true"
		}
		if base, _, _ := strings.Cut(name, "."); !slices.Contains(known, name) && !slices.Contains(known, base+".") {
			c.ts.Fatalf("there is no option %q; known are %q", name, known)
		}
		out[name] = append(out[name], value)
	}
	return out
}

// one is the value of an option that is given once at most.
func one(options map[string][]string, name, otherwise string) string {
	if v := options[name]; len(v) > 0 {
		return v[0]
	}
	return otherwise
}

func (w *world) close() {
	if w.closeCal != nil {
		defer w.closeCal()
	}
	if w.server == nil {
		return
	}
	select {
	case <-w.server.ended:
	default:
		if err := w.server.stop(); err != nil {
			w.t.Error(err)
		}
	}
	if err := w.server.complaints(); err != nil {
		w.t.Error(err)
	}
	if w.t.Failed() {
		w.t.Logf("the server's log:\n%s", w.server.log())
	}
}

// demo starts "handoff demo" in $WORK/d and waits until it is open. Nobody was there
// before, unless it is called with --guests.
func demo(c *call) error {
	var env []string
	if v := c.ts.Getenv("CAL_WEBHOOK_SECRET"); v != "" {
		env = append(env, "CAL_WEBHOOK_SECRET="+v)
	}
	p, err := launch(c.work, "demo", env, append([]string{"demo", "--data", c.dir, "--listen", c.siteAddress, "--cal-listen", c.calAddress, "--no-guests"}, c.args...)...)
	if err != nil {
		return err
	}
	c.cal = "http://" + c.calAddress
	if err := c.started(p, c.site+"/readyz", c.cal+"/control/bookings"); err != nil {
		return err
	}
	return c.control("generation", map[string]any{"generation": c.generation}, nil)
}

// serve starts "handoff serve" on a configuration, $WORK/d/handoff.yaml unless
// another is named.
func serve(c *call) error {
	config := c.config()
	if len(c.args) > 0 {
		config = c.ts.MkAbs(c.next())
		c.dir = filepath.Dir(config)
	}
	p, err := launch(c.work, "serve", nil, "serve", "-c", config)
	if err != nil {
		return err
	}
	return c.started(p, c.site+"/readyz")
}

// started waits until a server answers, and looks once more at the one before it.
func (c *call) started(p *process, urls ...string) error {
	if c.server != nil {
		if err := c.server.complaints(); err != nil {
			return err
		}
	}
	c.server = p
	return p.ready(urls...)
}

// server ends the server: "server stops" as Ctrl-C does, "server dies" with kill -9.
func server(c *call) error {
	switch what := c.next(); what {
	case "stops":
		return c.server.stop()
	case "dies":
		c.server.kill()
	default:
		c.ts.Fatalf("a server does not %s", what)
	}
	return nil
}

// lead says of one lead, found by the visitor's name, how it is once nothing is
// left to do:
//
//	lead dana stage booked
//	lead dana history new booked                  the stages, no more and no fewer
//	lead dana moves 'new: the form was sent' …    the stages with their reasons
//	lead dana bookings $uid=accepted …            all of them
//	lead dana submissions 2
func lead(c *call) error {
	l, err := c.lead(c.next())
	if err != nil {
		return err
	}
	var got []string
	switch what := c.next(); what {
	case "stage":
		got = []string{l.Stage}
	case "history":
		for _, h := range l.History {
			got = append(got, h.To)
		}
	case "moves":
		got = l.moves()
	case "bookings":
		got = l.bookings()
		slices.Sort(c.args)
	case "submissions":
		got = []string{fmt.Sprint(len(l.Submissions))}
	default:
		c.ts.Fatalf("a lead has no %s", what)
	}
	return same(got, c.args)
}

func same(got, want []string) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

// lead finds a visitor's lead, once nothing is left to do.
func (w *world) lead(visitor string) (leadJSON, error) {
	rows, err := w.settledLeads()
	if err != nil {
		return leadJSON{}, err
	}
	i := slices.IndexFunc(rows, func(l leadJSON) bool { return l.Email == emailOf(visitor) })
	if i < 0 {
		return leadJSON{}, fmt.Errorf("%s has no lead among %d", visitor, len(rows))
	}
	return rows[i], nil
}

func (w *world) settledLeads() (_ []leadJSON, err error) {
	if w.known.leads == nil {
		if err = w.quiet(); err == nil {
			w.known.leads, err = w.leads()
		}
	}
	return w.known.leads, err
}

// settledFailures lists the open failures, and all.
func (w *world) settledFailures() (open, all []failureJSON, err error) {
	if w.known.open == nil {
		if err = w.quiet(); err == nil {
			w.known.open, err = w.failures()
		}
		if err == nil {
			w.known.all, err = w.failures("--all")
		}
	}
	return w.known.open, w.known.all, err
}

// leads says how many leads there are: leads 3.
func leads(c *call) error {
	rows, err := c.settledLeads()
	if err != nil {
		return err
	}
	return same([]string{fmt.Sprint(len(rows))}, c.args)
}

// failures says what waits for a person, once nothing is left to do:
//
//	failures none
//	failures reference_forged no_reference     exactly these, in any order
//	failures settled no_reference              exactly these were settled
//	failures now no_reference                  exactly these are open at some moment before that
func failures(c *call) error {
	if len(c.args) > 0 && c.args[0] == "now" {
		return until(func() error {
			open, err := c.failures()
			if err != nil {
				return err
			}
			return same(reasons(open, func(failureJSON) bool { return true }), c.args[1:])
		})
	}
	open, all, err := c.settledFailures()
	if err != nil {
		return err
	}
	isOpen := func(f failureJSON) bool { return f.SettledAt == nil }
	if !slices.Equal(reasons(open, func(failureJSON) bool { return true }), reasons(all, isOpen)) {
		return fmt.Errorf("the list has %+v, and with --all the open ones are %+v", open, all)
	}
	want := slices.DeleteFunc(slices.Clone(c.args), func(s string) bool { return s == "none" || s == "settled" })
	slices.Sort(want)
	return same(reasons(all, func(f failureJSON) bool { return isOpen(f) != slices.Contains(c.args, "settled") }), want)
}

// oneFailure says of the one open entry of a reason how often it came:
// failure signature_wrong deliveries 3.
func oneFailure(c *call) error {
	f, err := c.failure(c.next())
	if err != nil {
		return err
	}
	if what := c.next(); what != "deliveries" {
		c.ts.Fatalf("a failure has no %s", what)
	}
	return same([]string{fmt.Sprint(f.Deliveries)}, c.args)
}

func (w *world) failure(reason string) (failureJSON, error) {
	open, _, err := w.settledFailures()
	if err != nil {
		return failureJSON{}, err
	}
	open = slices.DeleteFunc(slices.Clone(open), func(f failureJSON) bool { return f.Reason != reason })
	if len(open) != 1 {
		return failureJSON{}, fmt.Errorf("%d open entries are %s", len(open), reason)
	}
	if f := open[0]; f.ID == "" || f.Kind == "" || f.ReceivedAt.IsZero() || f.Deliveries < 1 {
		return f, fmt.Errorf("a field is missing: %+v", f)
	}
	return open[0], nil
}

// jsonIs checks what the last command printed: json list 0, or json object id site.
func jsonIs(c *call) error {
	text := c.ts.ReadFile("stdout")
	switch what := c.next(); what {
	case "list":
		var rows []json.RawMessage
		if err := json.Unmarshal([]byte(text), &rows); err != nil || rows == nil {
			return fmt.Errorf("not a list: %s (%w)", text, errors.Join(err))
		}
		return same([]string{fmt.Sprint(len(rows))}, c.args)
	case "object":
		var o map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return fmt.Errorf("not an object: %s: %w", text, err)
		}
		for _, name := range c.args {
			if v, ok := o[name]; !ok || string(v) == "null" {
				return fmt.Errorf("%s is missing in %s", name, text)
			}
		}
	default:
		c.ts.Fatalf("json is a list or an object, not %s", what)
	}
	return nil
}

// edit replaces what matches in a file, which must be there: edit FILE REGEXP NEW.
func edit(c *call) error {
	path, pattern, to := c.ts.MkAbs(c.next()), regexp.MustCompile("(?m)"+c.next()), c.next()
	text := c.ts.ReadFile(path)
	if !pattern.MatchString(text) {
		return fmt.Errorf("nothing in %s matches %s", path, pattern)
	}
	return os.WriteFile(path, []byte(pattern.ReplaceAllString(text, to)), 0o600)
}

// age makes what was delivered so far older, as if that time had passed: age 25h.
func age(c *call) error {
	d, err := time.ParseDuration(c.next())
	if err != nil {
		return err
	}
	db, err := c.looker()
	if err != nil {
		return err
	}
	defer db.Close()
	before := time.Now().Add(-d).UTC().Format("2006-01-02T15:04:05.000000Z")
	_, err = db.Exec(`UPDATE deliveries SET received_at = $1`, before)
	return err
}

// schema makes the store one that another version of Handoff wrote: schema 99999.
func schema(c *call) error {
	db, err := c.looker()
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)`, c.next())
	return err
}

// id finds the ID of a visitor's lead, or of the one open entry of a reason, and
// puts it into $id: id lead dana, id failure signature_wrong; or that of the resolution or
// the fact that the last command printed: id resolution, id fact.
func id(c *call) error {
	switch what := c.next(); what {
	case "lead":
		l, err := c.lead(c.next())
		c.ts.Setenv("id", l.ID)
		return err
	case "failure":
		f, err := c.failure(c.next())
		c.ts.Setenv("id", f.ID)
		return err
	case "resolution", "fact":
		forms := map[string]string{"resolution": `res_[0-9a-z]{26}`, "fact": `(evt|api|dec)_[0-9a-z]{26,}`}
		printed := regexp.MustCompile(forms[what]).FindString(c.ts.ReadFile("stdout"))
		if printed == "" {
			return fmt.Errorf("no %s was printed", what)
		}
		c.ts.Setenv("id", printed)
		return nil
	default:
		c.ts.Fatalf("a %s has no ID", what)
	}
	return nil
}

// exitCode runs the program and wants its exit code; what it says on standard
// error is read with stderr: exit-code 2 leads list --nonsense.
func exitCode(c *call) error {
	want := c.next()
	err := c.ts.Exec("handoff", c.args...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return same([]string{"0"}, []string{want})
	case errors.As(err, &exit):
		return same([]string{strconv.Itoa(exit.ExitCode())}, []string{want})
	}
	return err
}

// private checks that nobody but its owner reads a file.
func private(c *call) error {
	info, err := os.Stat(c.ts.MkAbs(c.next()))
	if err == nil && info.Mode().Perm() != 0o600 {
		err = fmt.Errorf("its mode is %s", info.Mode())
	}
	return err
}

// keepsSecrets checks that none of the install's secrets is in a file.
func keepsSecrets(c *call) error {
	text := c.ts.ReadFile(c.next())
	names, err := filepath.Glob(filepath.Join(c.dir, "secrets", "*"))
	if err != nil || len(names) == 0 {
		return fmt.Errorf("there are no secrets: %w", err)
	}
	for _, name := range names {
		secret, err := c.secret(filepath.Base(name))
		if err != nil {
			return err
		}
		if strings.Contains(text, secret) {
			return fmt.Errorf("the secret %s is in it", filepath.Base(name))
		}
	}
	return nil
}

// reference makes references that nobody was given, from those of visitors:
//
//	reference mixed dana omar   Dana's submission under Omar's signature
//	reference bare dana         Dana's submission without a signature
//	reference unknown           signed by us, of a submission that is not here
func reference(c *call) error {
	what := c.next()
	switch what {
	case "mixed":
		id, _, _ := strings.Cut(c.visitors[c.next()].reference, ".")
		_, mac, _ := strings.Cut(c.visitors[c.next()].reference, ".")
		c.ts.Setenv(what, id+"."+mac)
	case "bare":
		id, _, _ := strings.Cut(c.visitors[c.next()].reference, ".")
		c.ts.Setenv(what, id)
	case "unknown":
		signed, err := c.sign("brightwater", "sub_01jdb7z5q4x3s8m2k9v6t1n0rc")
		c.ts.Setenv(what, signed)
		return err
	default:
		c.ts.Fatalf("there is no reference called %s", what)
	}
	return nil
}
