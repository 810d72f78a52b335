package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom/calsim"
	"handoff/internal/store"
)

var simulated = flag.Int("simulate.bookings", 250, "bookings that the simulation makes on each engine")

// Whatever Cal.com's webhooks do (a third is dropped, a fifth comes twice, a fifth
// after the sweep), while the secret is changed once and the server killed five times,
// every lead ends right and the statement sums up to the booking.
func TestEveryBookingIsAccountedFor(t *testing.T) {
	for _, engine := range faultEngines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t, engine, *simulated)
			s.play()
			s.settle()
			s.check()
		})
	}
}

// The event types of the simulated account.
const (
	simpleType  = 90210 // a booking is accepted at once
	confirmType = 90211 // a host accepts it
	otherType   = 5     // of no service of the site
)

// A simulation is an install beside an account at Cal.com that is told to misbehave.
type simulation struct {
	*trial
	sim     *calsim.Sim
	dice    *rand.Rand
	server  *replica
	starts  time.Time // of the last call that was booked
	n       int       // bookings to make
	made    int
	faulted map[string]int

	leads []simulatedLead
	want  map[handoff.Account]int
}

// A simulatedLead is somebody who sent a form, and where the lead has to end.
type simulatedLead struct {
	name, reference string
	stage           string
	live            int // bookings that may still take place
}

func newSimulation(t *testing.T, engine string, n int) *simulation {
	t.Helper()
	s := &simulation{
		trial: newTrial(t, engine), n: n, dice: rand.New(rand.NewPCG(20261125, uint64(n))), faulted: map[string]int{},
		starts: time.Now().Add(48 * time.Hour).Truncate(time.Hour), want: map[handoff.Account]int{},
	}
	s.sim = calsim.New(calsim.Config{APIKey: calKey, EventTypes: []calsim.EventType{
		{ID: simpleType, Slug: "simple"}, {ID: confirmType, Slug: "confirm", RequiresConfirmation: true}, {ID: otherType, Slug: "elsewhere"},
	}})
	t.Cleanup(s.sim.Close)
	api := httptest.NewServer(s.sim)
	t.Cleanup(api.Close)
	s.subscribe()
	if err := os.WriteFile(filepath.Join(s.dir, "secrets", "calcom-api-key"), []byte(calKey), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reconfigure(s.config(), func(config string) string {
		return strings.Replace(config, "webhook_secret: {file: secrets/main}}", `webhook_secret: {file: secrets/main}, api: {url: "`+api.URL+`/v2", key: {file: secrets/calcom-api-key}}}
    ignore: [{name: internal test, reason: our own trial calls, attendees: ["*@trial.example"]}]`, 1)
	})
	s.enquire(n) // a lead makes more than one booking on average
	s.server = s.serve()
	return s
}

// subscribe registers the site's webhook with its secret of the moment.
func (s *simulation) subscribe() {
	s.sim.SetWebhooks(calsim.Webhook{URL: s.site + "/webhooks/calcom/main", Secret: s.secrets["main"]})
}

// enquire makes the leads, straight into the store: this is no test of the form.
func (s *simulation) enquire(n int) {
	s.t.Helper()
	url := s.store
	if url == "" {
		url = "sqlite:" + filepath.Join(s.dir, "handoff.db")
	}
	db, err := store.Open(s.t.Context(), url, store.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	s.leads = make([]simulatedLead, n)
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := worker; i < n; i += 16 {
				name := fmt.Sprint("lead", i)
				kept, err := db.CreateLead(context.WithoutCancel(s.t.Context()), handoff.Submission{
					Site: "main", Service: "boiler-replacement", Form: name, Name: name, Email: name + "@example.com",
				}, handoff.DefaultPipeline())
				if err != nil {
					s.t.Error(err)
					return
				}
				reference, err := s.sign("main", kept.ID)
				if err != nil {
					s.t.Error(err)
				}
				s.leads[i] = simulatedLead{name: name, reference: reference, stage: "new"}
			}
		})
	}
	all.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// act does something at Cal.com whose webhook meets its fate.
func (s *simulation) act(do func() error) {
	s.t.Helper()
	fate := "in time"
	switch roll := s.dice.IntN(100); {
	case roll < 30:
		fate = "dropped"
		s.sim.SetFaults(calsim.Faults{Drop: true, Count: 1})
	case roll < 50:
		fate = "doubled"
		s.sim.SetFaults(calsim.Faults{Duplicate: 1, Count: 1})
	case roll < 70:
		fate = "after the sweep"
		s.sim.SetFaults(calsim.Faults{Hold: true, Count: 1})
	}
	s.faulted[fate]++
	if err := do(); err != nil {
		s.t.Fatal(err)
	}
	s.sim.SetFaults(calsim.Faults{})
}

// book makes a booking, and counts where it has to go.
func (s *simulation) book(eventType int, email, reference string, account handoff.Account) string {
	s.t.Helper()
	s.starts = s.starts.Add(time.Hour)
	carried := map[string]string{}
	if reference != "" {
		carried["submissionId"] = reference
	}
	uid := ""
	s.act(func() error {
		b, err := s.sim.Book(calsim.BookRequest{
			EventType: eventType, Start: s.starts, Name: "Somebody", Email: email, TimeZone: "Europe/London", Metadata: carried, Answers: carried,
		})
		uid = b.UID
		return err
	})
	s.count(account)
	return uid
}

func (s *simulation) count(account handoff.Account) {
	s.made++
	s.want[account]++
}

// play lets things happen until all bookings are made.
func (s *simulation) play() {
	s.t.Helper()
	const kills = 5
	for next, lead := 1, 0; s.made < s.n; lead++ {
		s.happen(&s.leads[lead])
		for ; s.made*(kills+1) >= next*s.n && next <= kills; next++ {
			s.disturb(next)
		}
	}
}

// happen is what one person does, and a host.
func (s *simulation) happen(l *simulatedLead) {
	s.t.Helper()
	email := l.name + "@example.com"
	switch roll := s.dice.IntN(100); {
	case roll < 30:
		s.book(simpleType, email, l.reference, handoff.AccountTied)
		l.stage, l.live = "booked", 1
	case roll < 42:
		uid := s.book(simpleType, email, l.reference, handoff.AccountTied)
		s.act(func() error { return s.sim.Cancel(uid, "no time", "") })
		l.stage = "rebook"
	case roll < 56:
		uid := s.book(simpleType, email, l.reference, handoff.AccountTied)
		s.starts = s.starts.Add(time.Hour)
		s.act(func() error {
			_, err := s.sim.Reschedule(uid, s.starts, calsim.CarryPage, "")
			return err
		})
		s.count(handoff.AccountTied)
		l.stage, l.live = "booked", 1
	case roll < 70:
		uid := s.book(confirmType, email, l.reference, handoff.AccountTied)
		l.stage, l.live = "requested", 1
		if s.dice.IntN(2) == 0 {
			s.act(func() error { return s.sim.Accept(uid) })
			l.stage = "booked"
		} else if s.dice.IntN(2) == 0 {
			s.act(func() error { return s.sim.Reject(uid, "not our area") })
			l.stage, l.live = "rebook", 0
		}
	case roll < 78:
		s.book(simpleType, "stranger@example.com", "", handoff.AccountQueued)
	case roll < 82:
		s.book(simpleType, email, forged(l.reference), handoff.AccountQueued)
	case roll < 88:
		s.book(simpleType, "us@trial.example", "", handoff.AccountIgnored)
	case roll < 94:
		s.elsewhere()
	}
}

// forged changes the signature of a reference.
func forged(reference string) string {
	signature := reference[len(reference)-3:]
	if signature == "AAA" {
		return strings.TrimSuffix(reference, signature) + "BBB"
	}
	return strings.TrimSuffix(reference, signature) + "AAA"
}

// elsewhere books a calendar that is not on the site. The account's webhook tells of
// it all the same, and it then waits; unless that is lost, when nothing of it is kept.
func (s *simulation) elsewhere() {
	s.t.Helper()
	before := s.faulted["dropped"]
	s.book(otherType, "friend@example.com", "", handoff.AccountQueued)
	if s.faulted["dropped"] > before {
		s.want[handoff.AccountQueued]--
		s.want[handoff.AccountOtherType]++
	}
}

// disturb kills the server and starts it again; the third time with another secret,
// beside which the one before is still accepted. Before the last two Cal.com is asked.
func (s *simulation) disturb(n int) {
	s.t.Helper()
	s.server.kill()
	if n == 3 {
		previous := s.secrets["main"]
		s.secrets["main"] = "whsec_of_the_site_main_that_is_new"
		for name, secret := range map[string]string{"main": s.secrets["main"], "main.previous": previous} {
			if err := os.WriteFile(filepath.Join(s.dir, "secrets", name), []byte(secret), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}
		s.reconfigure(s.config(), func(config string) string {
			return strings.Replace(config, "{file: secrets/main}, api", `{file: secrets/main},
      previous_webhook_secret: {secret: {file: secrets/main.previous}, until: 2100-01-01T00:00:00Z}, api`, 1)
		})
	}
	s.server = s.serve()
	if n == 3 {
		s.subscribe()
	}
	if n > 3 {
		s.sweep()
	}
}

// sweep asks Cal.com for everything that changed.
func (s *simulation) sweep() {
	s.t.Helper()
	if err := until(func() error {
		_, err := output(s.dir, "--log", "warn", "sweep", "-c", s.config())
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
}

// settle asks Cal.com, lets the webhooks come that are late, in any order, and asks
// once more.
func (s *simulation) settle() {
	s.t.Helper()
	s.sweep()
	late := s.sim.Release(calsim.Shuffled, 7)
	s.sweep()
	if err := until(s.quiet); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%d bookings; webhooks: %v; %d were late", s.made, s.faulted, late)
	if late == 0 || s.faulted["dropped"] == 0 || s.faulted["doubled"] == 0 {
		s.t.Error("nothing went wrong: this has shown nothing")
	}
}

// check compares every lead, and the statement, with what has to be.
func (s *simulation) check() {
	s.t.Helper()
	statement := s.statement()
	got := map[handoff.Account]int{
		handoff.AccountTied: statement.Tied, handoff.AccountQueued: statement.Queued, handoff.AccountOtherType: statement.OtherType,
		handoff.AccountIgnored: statement.Ignored, handoff.AccountOpen: statement.Open,
	}
	at := len(s.sim.Bookings())
	if own := at - statement.OtherType; statement.Bookings != own || statement.Accounted != own || at != s.made || statement.Unlisted != 0 {
		s.t.Errorf("statement %+v; at Cal.com are %d", statement, at)
	}
	for _, account := range []handoff.Account{handoff.AccountTied, handoff.AccountQueued, handoff.AccountOtherType, handoff.AccountIgnored, handoff.AccountOpen} {
		if got[account] != s.want[account] {
			s.t.Errorf("%s: %d bookings, want %d", account, got[account], s.want[account])
		}
	}
	leads, err := s.everyLead()
	if err != nil {
		s.t.Fatal(err)
	}
	wrong := 0
	for _, want := range s.leads {
		l := leads[want.name]
		live := 0
		for _, b := range l.Bookings {
			if handoff.Status(b.Status).Live() {
				live++
			}
		}
		if err := l.sound(); err != nil || l.Stage != want.stage || live != want.live {
			if wrong++; wrong < 10 {
				s.t.Errorf("%s (%s): %s with %d live bookings, want %s with %d (%v): %+v", want.name, want.reference, l.Stage, live, want.stage, want.live, err, l)
			}
		}
	}
	s.t.Logf("%s: %d of %d leads right; statement: %d of %d accounted for: %v", s.engine(), len(s.leads)-wrong, len(s.leads), statement.Accounted, statement.Bookings, got)
	if out, err := output(s.dir, "--log", "warn", "failures", "list", "--limit", "10000", "--json", "-c", s.config()); err != nil || strings.Contains(string(out), `"body_changed"`) {
		_, of, _ := strings.Cut(string(out), `"body_changed"`)
		s.t.Errorf("bodies that are Cal.com's are told of as changed (%v): %.400s", err, of)
	}
	s.alive()
	if err := s.server.stop(); err != nil {
		s.t.Error(err)
	}
}

// A statementSum is the sum of statements as they are printed.
type statementSum struct {
	Bookings, Accounted, Tied, Queued, Ignored, OtherType, Open, Unlisted int
}

// statement sums the statements of yesterday and today: midnight can be between.
func (s *simulation) statement() (sum statementSum) {
	s.t.Helper()
	out, err := output(s.dir, "--log", "warn", "statement", "--days", "2", "--json", "-c", s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	var days []struct {
		Bookings, Accounted, Tied, Queued, Open int
		OtherType                               int `json:"other_event_type"`
		Ignored                                 []struct{ Bookings int }
		Unlisted                                []any
	}
	if err := json.Unmarshal(out, &days); err != nil {
		s.t.Fatal(err)
	}
	for _, d := range days {
		sum.Bookings += d.Bookings
		sum.Accounted += d.Accounted
		sum.Tied += d.Tied
		sum.Queued += d.Queued
		sum.Open += d.Open
		sum.OtherType += d.OtherType
		sum.Unlisted += len(d.Unlisted)
		for _, r := range d.Ignored {
			sum.Ignored += r.Bookings
		}
	}
	return sum
}

// everyLead lists all leads by name.
func (s *simulation) everyLead() (map[string]leadJSON, error) {
	out, err := output(s.dir, "--log", "warn", "leads", "list", "--json", "--limit", "10000", "-c", s.config())
	if err != nil {
		return nil, err
	}
	var rows []leadJSON
	if err := json.Unmarshal(out, &rows); err != nil {
		return nil, err
	}
	byName := make(map[string]leadJSON, len(rows))
	for _, l := range rows {
		byName[l.Name] = l
	}
	return byName, nil
}
