package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/calcom/calsim"
	"handoff/internal/store"
)

// A house is Handoff beside something that plays Cal.com, as a browser meets them.
type house struct {
	site, cal string // origins; of different sites, as in production
	db        *store.DB
	config    *app.Config
	keys      handoff.Keys
	siteID    string
	dir       string // of the install
	operator  string // e-mail
	password  string
}

// startDemo runs what "handoff demo" runs, in this process.
func startDemo(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	said := &ready{done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		// Another address of loopback is another site, so the calendar's frame is
		// as foreign to the page as app.cal.com's.
		d := app.Demo{Dir: dir, Listen: "127.0.0.1:0", CalListen: "127.0.0.2:0", Out: said, Log: quiet(t)}
		ended <- d.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the demo: %v", err)
		}
	})
	select {
	case <-said.done:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the demo did not start: %v", err)
	case <-time.After(patience):
		t.Fatal("the demo did not start in time")
	}
	h := open(t, dir)
	m := regexp.MustCompile(`sign in as (\S+) with (\S+)`).FindStringSubmatch(said.String())
	if m == nil {
		t.Fatalf("the demo named no operator:\n%s", said)
	}
	h.operator, h.password = m[1], m[2]
	return h
}

// ready is written to when the demo is open.
type ready struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	once sync.Once
	done chan struct{}
}

func (r *ready) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.once.Do(func() { close(r.done) })
	return r.buf.Write(p)
}

func (r *ready) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// startWith runs an install of its own whose calendar is at another origin.
func startWith(t *testing.T, cal string) *house {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	if err := app.Init(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "handoff.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	written := strings.NewReplacer("listen: 127.0.0.1:8080", "listen: "+listen,
		"https://www.example.com", "http://"+listen, "- https://app.cal.com\n", "- "+cal+"\n",
		"api: {url: https://api.cal.com/v2, key: {file: secrets/calcom-api-key}}", "").Replace(string(b)) // tests ask nobody outside
	if err := os.WriteFile(file, []byte(written), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := app.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	a, err := app.New(ctx, c, quiet(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	listens, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- a.Serve(ctx, func(net.Addr) { close(listens) }) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, a.Close()); err != nil {
			t.Errorf("the server: %v", err)
		}
	})
	select {
	case <-listens:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the server did not start: %v", err)
	}
	return open(t, dir)
}

// quiet logs what an operator should look at.
func quiet(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// open reads an install as its own programs do.
func open(t *testing.T, dir string) *house {
	t.Helper()
	c, err := app.Load(filepath.Join(dir, "handoff.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "secrets", "reference.key"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{
		site: "http://" + c.Listen, cal: c.Sites[0].Calcom.Origins[0], siteID: c.Sites[0].ID, dir: dir,
		keys: handoff.Keys{handoff.Key(bytes.TrimSpace(key))},
	}
	h.config = c
	if h.db, err = app.OpenStore(t.Context(), c, slog.New(slog.NewTextHandler(io.Discard, nil)), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	return h
}

// lead opens a lead as the form does, and returns its reference. from is where the
// visitor came from, if that is known.
func (h *house) lead(t testing.TB, service, name string, from ...string) string {
	t.Helper()
	visit := handoff.Context{Landing: "/services/" + service}
	if len(from) > 0 {
		visit.Campaign = map[string]string{"utm_source": from[0]}
	}
	sub, err := h.db.CreateLead(t.Context(), handoff.Submission{
		Site: h.siteID, Service: service, Form: fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()),
		Name: name, Email: emailOf(name), Phone: "+44 20 7946 0001", Message: "It is the one in the kitchen.", Context: visit,
	}, handoff.DefaultPipeline())
	if err != nil {
		t.Fatal(err)
	}
	return h.keys.Sign(h.siteID, sub.ID)
}

// stopReference is what stops reminders to a reference's lead.
func (h *house) stopReference(t testing.TB, reference string) string {
	t.Helper()
	id, err := h.keys.Open(h.siteID, reference)
	if err != nil {
		t.Fatal(err)
	}
	return h.keys.SignStop(h.siteID, id)
}

func emailOf(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@visitor.example"
}

// detail is what the store knows of a reference's lead.
func (h *house) detail(t testing.TB, reference string) store.LeadDetail {
	t.Helper()
	id, err := h.keys.Open(h.siteID, reference)
	if err != nil {
		t.Fatal(err)
	}
	d, err := h.db.LeadBySubmission(t.Context(), h.siteID, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// control plays a host, a visitor or a bad network at the stand-in.
func (h *house) control(t testing.TB, what string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(h.cal+"/control/"+what, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s %v", what, answer.Status, said, err)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(said, out); err != nil {
		t.Fatal(err)
	}
}

// book books at the stand-in, as a lead's person does in another browser.
func (h *house) book(t testing.TB, eventType int, reference string) calsim.Booking {
	t.Helper()
	name := "Somebody Else"
	if reference != "" {
		name = h.detail(t, reference).Submissions[0].Name
	}
	carried := map[string]string{"submissionId": reference}
	var b calsim.Booking
	h.control(t, "book", calsim.BookRequest{
		EventType: eventType, Start: nextTime(), Name: name, Email: emailOf(name), TimeZone: "Europe/London",
		Metadata: carried, Answers: carried,
	}, &b)
	return b
}

// act does something to a booking at the stand-in.
func (h *house) act(t testing.TB, action, uid string) {
	t.Helper()
	h.control(t, "action", map[string]string{"action": action, "uid": uid, "reason": "The boiler has recovered"}, nil)
}

// The event types of the demonstration's services.
const (
	surveyCall  = 90210 // boiler-replacement: calendar at once
	designVisit = 90211 // bathroom-refit: has to be confirmed
	leakCall    = 90212 // leak-detection: calendar after a click
)

// nextTime is a time for a call, another one at each call.
func nextTime() time.Time {
	n := int(times.Add(1))
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 3+n/4).Add(time.Duration(9+2*(n%4)) * time.Hour)
}

var times atomic.Int64

// TestBrowser opens the pages in a real Chromium. Every tab fails its test on a
// CSP violation, an error on the console or an exception that was not caused on
// purpose.
func TestBrowser(t *testing.T) {
	browser := newBrowser(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, context.Context)
	}{
		{"pages are for everybody", pagesAreForEverybody}, // takes longest, so begins first
		{"a person books on a desktop", func(t *testing.T, c context.Context) { booksThroughThePage(t, c, desktop) }},
		{"a person books on a phone", func(t *testing.T, c context.Context) { booksThroughThePage(t, c, phone) }},
		{"nothing of Cal.com before the choice", nothingBeforeTheChoice},
		{"a booking without JavaScript", booksWithoutJavaScript},
		{"a silent calendar gives way to a link", silentCalendar},
		{"forged messages change nothing", forgedMessages},
		{"the frame is believed nothing", frameIsBelievedNothing},
		{"the desk moves by itself", deskMovesByItself},
		{"the board is worked", boardIsWorked},
		{"keys do what they say", keysDoWhatTheySay},
		{"the booked page moves by itself", bookedPageMovesByItself},
		{"failures are settled", failuresAreSettled},
		{"failures are settled by keyboard", failuresAreSettledByKeyboard},
		{"the browser offers its zone", browserOffersItsZone},
		{"passkeys sign in", signsInWithPasskeys},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, browser)
		})
	}
}
