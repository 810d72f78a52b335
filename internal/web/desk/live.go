package desk

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"handoff/internal/store"
)

const eventsPath = "/desk/events"

// Times of a stream, and how many one session may have: a browser opens six
// connections to a host, and one must stay free for pages.
const (
	streamLook  = 4 * time.Second        // between two looks by the clock
	streamBeat  = 15 * time.Second       // between two signs of life, for proxies
	streamGap   = 300 * time.Millisecond // between two words
	streamWrite = 10 * time.Second       // for one write to a slow reader
	maxStreams  = 5
)

// streams are the open event streams of each session.
type streams struct {
	mu   sync.Mutex
	open map[string]map[*stream]bool // by the session's token
}

type stream struct {
	ended chan struct{}
	once  sync.Once
}

func (s *stream) end() { s.once.Do(func() { close(s.ended) }) }

// enter takes a place of a session; nil if all are taken.
func (s *streams) enter(token string) (st *stream, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]map[*stream]bool{}
	}
	if len(s.open[token]) >= maxStreams {
		return nil, nil
	}
	if s.open[token] == nil {
		s.open[token] = map[*stream]bool{}
	}
	st = &stream{ended: make(chan struct{})}
	s.open[token][st] = true
	return st, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open[token], st)
		if len(s.open[token]) == 0 {
			delete(s.open, token)
		}
	}
}

// end ends all streams of a session.
func (s *streams) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st := range s.open[token] {
		st.end()
	}
}

func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.open {
		for st := range of {
			st.end()
		}
	}
}

// events tells an open page that something changed; it does not say what. The
// page then fetches itself, so that a stream shows nothing that its session may
// not see.
//
//	200  "event: change" after each change, comments as signs of life
//	204  the session has too many streams; the browser does not ask again
//	401  not signed in
func (d *Desk) events(w http.ResponseWriter, r *http.Request) error {
	token := operatorOf(r).token
	st, leave := d.streams.enter(token)
	if st == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	defer leave()
	told, stop := d.Store.Feed().Listen(store.TopicLeads)
	defer stop()
	seen, err := d.currentPulse(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx passes it on at once
	t := newTeller(speaker(w))
	defer t.gap.Stop()
	look, beat := time.NewTicker(streamLook), time.NewTicker(streamBeat)
	defer look.Stop()
	defer beat.Stop()
	for err = t.say("retry: 2000\n\n"); err == nil; {
		select {
		case <-r.Context().Done():
			return nil
		case <-st.ended:
			err = t.end()
		case <-beat.C:
			err = t.say(": still here\n\n")
		case <-told:
			err = t.change()
		case <-t.gap.C:
			err = t.late()
		case <-look.C:
			if !d.alive(token) {
				err = t.end()
			} else if now, failed := d.currentPulse(r.Context()); failed == nil && now != seen {
				seen, err = now, t.change()
			}
		}
	}
	return nil // the reader is gone, or was told that this is the end
}

// A teller says the words of a stream, and of changes that follow one another
// closely only the first and the last.
type teller struct {
	say  func(string) error
	last time.Time
	gap  *time.Timer // runs while a word is held back
	held bool
}

func newTeller(say func(string) error) *teller {
	t := &teller{say: say, gap: time.NewTimer(time.Hour)}
	t.gap.Stop()
	return t
}

// change says that something changed, now or when the gap is over.
func (t *teller) change() error {
	if t.held {
		return nil
	}
	if since := time.Since(t.last); since < streamGap {
		t.held = true
		t.gap.Reset(streamGap - since)
		return nil
	}
	t.last = time.Now()
	return t.say("event: change\ndata: \n\n")
}

// late says the word that was held back.
func (t *teller) late() error {
	t.held = false
	t.last = time.Time{}
	return t.change()
}

// errEnd ends a stream that its reader should not open again.
var errEnd = errors.New("the session has ended")

func (t *teller) end() error {
	if err := t.say("event: end\ndata: \n\n"); err != nil {
		return err
	}
	return errEnd
}

// speaker returns what writes to a stream at once. A reader that does not take
// its words in time is gone.
func speaker(w http.ResponseWriter) func(string) error {
	out := http.NewResponseController(w)
	return func(words string) error {
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite)) // a test's recorder has none
		if _, err := fmt.Fprint(w, words); err != nil {
			return err
		}
		return out.Flush()
	}
}
