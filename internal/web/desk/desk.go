// Package desk is the operator's desk: who asked for a call, where each lead
// stands and why, and what waits in the failure queue. Its pages are rendered
// here and work without JavaScript; desk.js only keeps them fresh.
//
// Everything below /desk/ needs a session but the sign-in page and the assets.
// All routes are in [Desk.routes]. What the pages say about a lead is derived
// when they are rendered (notes.go, timeline.go): the desk decides nothing.
package desk

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/httprate"

	"handoff"
	"handoff/internal/csp"
	"handoff/internal/store"
)

// A Site is what the desk says of one site.
type Site struct {
	ID       string
	Name     string            // as operators know it
	TimeZone *time.Location    // in which its calls are shown; nil: UTC
	Pipeline handoff.Pipeline  // gives the stages their order
	Services map[string]string // slug → title
	// EventTypes tells which service each of Cal.com's event types is for
	// (number → slug). Nil: no booking is noted as one of another service.
	EventTypes map[int64]string
	// BookingLink is where the visitor who sent a submission books. Nil: no link is shown.
	BookingLink func(handoff.SubmissionID) string
	Swept       bool                 // Cal.com's list of bookings is read
	Ignore      []handoff.IgnoreRule // by which bookings need nobody
	Letters     []Letter             // to who did not book
	Reminds     bool                 // they are sent
	Quiet       string               // hours in which none are, in words; empty: at any
}

// Config of a desk. Store is needed, the rest has a use as zero.
type Config struct {
	Store *store.DB
	Sites []Site
	// Secure says that operators come over https. Then the session's cookie is
	// bound to this host and to https; without, it is for loopback only.
	Secure bool
	Log    *slog.Logger     // nil discards
	Now    func() time.Time // for what is shown; nil is time.Now
	// Source names the sender of a request for the limit on sign-ins, where a
	// proxy stands before us. Nil: the peer's address, of IPv6 the /64.
	Source func(*http.Request) string
}

// A Desk serves /desk/. Its methods may be used concurrently.
type Desk struct {
	Config
	sites    map[string]Site
	sessions *scs.SessionManager
	streams  streams
	pulse    pulse
	hashing  chan struct{} // one place for each password that may be hashed now
	decoy    string        // hash of no operator's password: the work for unknown ones
	sources  *httprate.RateLimiter
	failed   httprate.LimitCounter                   // wrong passwords of each account
	pause    func(context.Context, time.Duration)    // of a slow account
	compare  func(hash, password string) (same bool) // VerifyPassword, counted in tests
	handler  http.Handler
}

// New checks the configuration and builds the desk.
func New(c Config) (*Desk, error) {
	if c.Store == nil {
		return nil, fmt.Errorf("desk: there is no store: %w", handoff.ErrInvalid)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Source == nil {
		c.Source = peer
	}
	d := &Desk{Config: c, sites: make(map[string]Site, len(c.Sites)), pause: pause, compare: VerifyPassword}
	for i, s := range c.Sites {
		if _, twice := d.sites[s.ID]; twice || s.ID == "" {
			return nil, fmt.Errorf("desk: site %q has no ID of its own: %w", s.ID, handoff.ErrInvalid)
		}
		if s.TimeZone == nil {
			s.TimeZone = time.UTC
		}
		d.Sites[i], d.sites[s.ID] = s, s
	}
	d.secure()
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.fail(w, r, errCrossOrigin) }))
	d.handler = headers(protection.Handler(d.routes()))
	return d, nil
}

// ServeHTTP answers one request below /desk.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Close ends the open streams, so that a server can shut down.
func (d *Desk) Close() { d.streams.close() }

// routes is every address there is.
func (d *Desk) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+assetsPath, d.asset)
	mux.Handle("GET /desk/sign-in", d.session(d.signInPage))
	mux.Handle("POST /desk/sign-in", d.session(d.signIn))
	mux.Handle("POST /desk/sign-out", d.session(d.signOut))
	mux.Handle("GET /desk/events", d.session(d.signedIn(d.events)))
	mux.Handle("GET /desk/{$}", d.session(d.signedIn(d.leads)))
	mux.Handle("GET /desk/leads.csv", d.session(d.signedIn(d.export)))
	mux.Handle("GET /desk/board", d.session(d.signedIn(d.board)))
	mux.Handle("POST /desk/views", d.session(d.signedIn(d.saveView)))
	mux.Handle("POST /desk/views/delete", d.session(d.signedIn(d.deleteView)))
	mux.Handle("GET /desk/leads/{id}", d.session(d.signedIn(d.lead)))
	mux.Handle("GET /desk/leads/{id}/received/{fact}", d.session(d.signedIn(d.received)))
	mux.Handle("POST /desk/leads/{id}/stage", d.session(d.signedIn(d.setStage)))
	mux.Handle("POST /desk/leads/{id}/stage/undo", d.session(d.signedIn(d.undoStage)))
	mux.Handle("POST /desk/leads/{id}/notes", d.session(d.signedIn(d.addNote)))
	mux.Handle("POST /desk/leads/{id}/notes/{note}/delete", d.session(d.signedIn(d.deleteNote)))
	mux.Handle("GET /desk/keys", d.session(d.signedIn(d.keys)))
	mux.Handle("GET /desk/failures", d.session(d.signedIn(d.failures)))
	mux.Handle("GET /desk/failures/{id}", d.session(d.signedIn(d.failure)))
	mux.Handle("GET /desk/statements", d.session(d.signedIn(d.statements)))
	mux.Handle("GET /desk/statements/{site}/{day}", d.session(d.signedIn(d.statement)))
	mux.Handle("POST /desk/statements/{site}/sweep", d.session(d.signedIn(d.sweepNow)))
	mux.Handle("GET /desk/reminders", d.session(d.signedIn(d.reminders)))
	mux.Handle("GET /desk", http.RedirectHandler("/desk/", http.StatusMovedPermanently))
	mux.Handle("/", d.session(d.signedIn(func(http.ResponseWriter, *http.Request) error { return handoff.ErrNotFound })))
	return mux
}

var policy = csp.Desk().String()

// headers sets what every answer of the desk has; assets set their own caching.
// With Referrer-Policy same-origin no address of a lead leaves the desk.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// siteOf finds a site; of one that the configuration no longer names, its leads
// are still shown.
func (d *Desk) siteOf(id string) Site {
	if s, ok := d.sites[id]; ok {
		return s
	}
	return Site{ID: id, Name: id, TimeZone: time.UTC, Pipeline: handoff.DefaultPipeline()}
}

// service is the title of a service of a site, or its slug.
func (s Site) service(slug string) string {
	if title := s.Services[slug]; title != "" {
		return title
	}
	return slug
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return httprate.CanonicalizeIP(host)
}

// pulse is the store's pulse, read for all streams at most once in pulseAge.
type pulse struct {
	mu   sync.Mutex
	at   time.Time
	last string
}

const pulseAge = 2 * time.Second

func (d *Desk) currentPulse(ctx context.Context) (string, error) {
	d.pulse.mu.Lock()
	defer d.pulse.mu.Unlock()
	if time.Since(d.pulse.at) < pulseAge {
		return d.pulse.last, nil
	}
	p, err := d.Store.Pulse(ctx)
	if err == nil {
		d.pulse.at, d.pulse.last = time.Now(), p
	}
	return p, err
}
