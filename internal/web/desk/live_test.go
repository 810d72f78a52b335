package desk

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"handoff/internal/store"
)

// A listening is an open stream of events.
type listening struct {
	res    *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

func (v *visitor) listen() *listening {
	v.t.Helper()
	ctx, cancel := context.WithCancel(v.t.Context())
	v.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", v.url+eventsPath, nil)
	v.must(err)
	res, err := v.client.Do(r)
	v.must(err)
	v.t.Cleanup(func() { res.Body.Close() })
	return &listening{res, bufio.NewScanner(res.Body), cancel}
}

// next waits for an event and returns its name.
func (l *listening) next(ctx context.Context) (string, error) {
	stop := context.AfterFunc(ctx, l.cancel)
	defer stop()
	for l.lines.Scan() {
		if name, ok := strings.CutPrefix(l.lines.Text(), "event: "); ok {
			return name, nil
		}
	}
	return "", errors.Join(l.lines.Err(), ctx.Err(), io.EOF)
}

func (l *listening) expect(t *testing.T, want string, limit time.Duration) {
	t.Helper()
	within(t, limit, func(ctx context.Context) error {
		got, err := l.next(ctx)
		if err == nil && got != want {
			t.Errorf("event %q, want %q", got, want)
		}
		return err
	})
}

// A page hears of a change within a second, again and again.
func TestStreamTellsOfChangesWithinASecond(t *testing.T) {
	b := newBench(t)
	s := b.submit(nil)
	v := b.signedIn()
	l := v.listen()
	if got := l.res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("answered %d, %q", l.res.StatusCode, got)
	}
	b.hear("BOOKING_CREATED", s, b.booked("uid1", time.Hour))
	l.expect(t, "change", time.Second)
	contains(t, v.page("/desk/leads"), `data-stage="Booked"`)
	b.unverified("x")
	l.expect(t, "change", time.Second)
	b.submit(nil)
	l.expect(t, "change", time.Second)
}

// What another process writes is not on the feed; the look by the clock finds it.
func TestStreamLooksByTheClock(t *testing.T) {
	b := newBench(t)
	before, err := b.db.Pulse(t.Context())
	b.must(err)
	if again, _ := b.db.Pulse(t.Context()); again != before {
		t.Error("the pulse changes without a change")
	}
	b.submit(nil)
	lead, err := b.db.Pulse(t.Context())
	b.must(err)
	b.unverified("x")
	failed, err := b.db.Pulse(t.Context())
	b.must(err)
	if lead == before || failed == lead {
		t.Errorf("pulses %q, %q, %q", before, lead, failed)
	}
}

// A stream ends with its session, and says so, in order that the page asks for a
// new sign-in.
func TestStreamEndsWithItsSession(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	out := v.listen()
	other := b.signedIn()
	stays := other.listen()
	v.post("/desk/sign-out", nil)
	out.expect(t, "end", time.Second)
	b.submit(nil)
	stays.expect(t, "change", time.Second)
	if b.desk.alive(v.token()) || !b.desk.alive(other.token()) {
		t.Error("alive is wrong about a session")
	}
	b.clock.pass(store.SessionIdle + time.Hour) // seen by the look, which the next line waits for
	for {
		var name string
		within(t, 3*streamLook, func(ctx context.Context) (err error) { name, err = stays.next(ctx); return err })
		if name == "end" {
			return
		}
	}
}

func TestStreamsOfOneSessionAreBounded(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	var first *listening
	for i := range maxStreams {
		l := v.listen()
		if l.res.StatusCode != 200 {
			t.Fatalf("stream %d answered %d", i+1, l.res.StatusCode)
		}
		if first == nil {
			first = l
		}
	}
	if l := v.listen(); l.res.StatusCode != http.StatusNoContent {
		t.Errorf("one too many answered %d", l.res.StatusCode)
	}
	if l := b.signedIn().listen(); l.res.StatusCode != 200 {
		t.Errorf("another session answered %d", l.res.StatusCode)
	}
	b.desk.Close()
	first.expect(t, "end", time.Second)
}

// Changes that follow one another closely are two words: the first at once, and
// one for all the others when they are over.
func TestManyChangesAreFewWords(t *testing.T) {
	var said []string
	teller := newTeller(func(words string) error { said = append(said, words); return nil })
	for range 100 {
		if err := teller.change(); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 1 {
		t.Fatalf("%d words at once", len(said))
	}
	<-teller.gap.C
	if err := teller.late(); err != nil || len(said) != 2 {
		t.Fatalf("%d words after the gap, %v", len(said), err)
	}
}
