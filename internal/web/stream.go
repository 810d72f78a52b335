package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"handoff/internal/store"
)

const (
	streamLook  = 3 * time.Second  // between two looks, if nothing wakes us
	streamBeat  = 20 * time.Second // between two signs of life, for proxies
	streamLife  = 10 * time.Minute // then the browser connects again
	streamWrite = 10 * time.Second // for one write to a slow reader
)

// Bounds on the open event streams, each of which holds a connection and looks at
// the store: a visitor with many tabs, an office behind one address, all of them.
// Whoever gets none asks now and then instead.
const (
	maxStreamsOfLead   = 10
	maxStreamsOfSource = 200
	maxStreams         = 2000
)

// streams counts the open event streams, in all and of each lead and source.
type streams struct {
	mu   sync.Mutex
	all  int
	open map[string]int
}

// enter takes a place for a stream.
func (s *streams) enter(lead, source string) (leave func(), err error) {
	lead, source = "lead/"+lead, "source/"+source
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.open[lead] >= maxStreamsOfLead || s.open[source] >= maxStreamsOfSource:
		return nil, errTooMany
	case s.all >= maxStreams:
		return nil, errBusy
	}
	if s.open == nil {
		s.open = map[string]int{}
	}
	s.all++
	s.open[lead]++
	s.open[source]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		for _, key := range []string{lead, source} {
			if s.open[key]--; s.open[key] == 0 {
				delete(s.open, key)
			}
		}
	}, nil
}

// events streams the word to a visitor's page, as server-sent events named
// "status", at once and whenever it changes.
func (s *Server) events(w http.ResponseWriter, r *http.Request, site *Site) error {
	private(w)
	v, err := s.visitor(r, site)
	if err != nil {
		return err
	}
	leave, err := s.streams.enter(string(v.lead.ID), s.Source(r))
	if err != nil {
		return err
	}
	defer leave()
	woken, stop := s.Store.Feed().Listen(store.TopicLead(site.ID, string(v.lead.ID)))
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")

	send := sender(w)
	look, beat, end := time.NewTicker(streamLook), time.NewTicker(streamBeat), time.NewTimer(streamLife)
	defer look.Stop()
	defer beat.Stop()
	defer end.Stop()
	var last word
	for {
		if now := s.word(v); now != last {
			b, err := json.Marshal(now)
			if err != nil || send("event: status\ndata: "+string(b)+"\n\n") != nil {
				return nil
			}
			last = now
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-end.C:
			return nil
		case <-beat.C:
			if send(": still here\n\n") != nil {
				return nil
			}
		case <-woken:
		case <-look.C:
		}
		if v, err = s.visitor(r, site); err != nil {
			return nil // erased, or the store is away; the browser asks again
		}
	}
}

// sender writes and flushes, each time with a deadline of its own.
func sender(w http.ResponseWriter) func(string) error {
	c := http.NewResponseController(w)
	return func(text string) error {
		if err := c.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return fmt.Errorf("stream: %w", err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return fmt.Errorf("stream: %w", err)
		}
		return c.Flush()
	}
}
