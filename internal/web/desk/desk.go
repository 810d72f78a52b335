// Package desk is the operator's desk: who asked for a call, where each lead
// stands and why, and what waits in the failure queue. Its pages are rendered
// here and work without JavaScript; desk.js only keeps them fresh.
//
// Everything below /desk/ needs a session but the sign-in page and the assets.
// All routes are in [Desk.routes], each with the least role that it takes; what is of a
// site that an operator does not see is not there for them (access.go). What the pages say about a lead is derived
// when they are rendered (notes.go, timeline.go): the desk decides nothing.
package desk

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/httprate"

	"handoff"
	"handoff/internal/csp"
	"handoff/internal/store"
)

// A Site is what the desk says of one site.
type Site struct {
	ID       string
	Name     string            // as operators know it
	TimeZone *time.Location    // of its days and, to who chose no other, of its times; nil: UTC
	Pipeline handoff.Pipeline  // gives the stages their order
	Services map[string]string // slug → title
	// EventTypes tells which service each of Cal.com's event types is for
	// (number → slug). Nil: no booking is noted as one of another service.
	EventTypes map[int64]string
	// BookingLink is where the visitor who sent a submission books. Nil: no link is shown.
	BookingLink func(handoff.SubmissionID) string
	// Read opens deliveries that were kept sealed. Nil: none is read again.
	Read    store.Reader
	Asks    bool                 // Cal.com can be asked about one booking
	Swept   bool                 // Cal.com's list of bookings is read
	Ignore  []handoff.IgnoreRule // by which bookings need nobody
	Letters []Letter             // to who did not book
	Reminds bool                 // they are sent
	Quiet   string               // hours in which none are, in words; empty: at any
	// UnbookedAfter is how long after the form a lead that did not book needs a person. 0:
	// no such lead is shown.
	UnbookedAfter time.Duration
	Reminding     *handoff.Reminding // when those are reminded; nil: never

	URL      string          // where visitors find it
	Origins  []string        // of Cal.com's booking pages, the main one first
	Secrets  func() []Secret // webhook secrets of the moment, the current one first; nil: not known
	Mails    bool            // there is a mail server
	Tells    []string        // where people are told, as the configuration has it
	File     string          // the configuration, for whoever looks for a setting
	Settings []SettingGroup

	zone *time.Location // of the times that are shown to who reads; in Config it is TimeZone
}

// A Secret is a webhook secret as it may be shown.
type Secret struct {
	Sign  string    // as the store has it, with a fingerprint that tells it from others
	Until time.Time // when it is accepted no more; zero: it is the current one
}

// A SettingGroup is settings that belong together, as they are in use.
type SettingGroup struct {
	Title    string
	Settings []Setting
}

// A Setting is one of them. Of a secret it says where it is kept, never what it is.
type Setting struct {
	Name   string
	Values []string // none: it is not set
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
	// proxy stands before us, without naming it: sessions keep it. Nil: the peer's address,
	// of IPv6 the /64, which is not kept.
	Source func(*http.Request) string
	// Mail sends a letter to somebody who is invited. Nil: no mail is sent.
	Mail func(ctx context.Context, to, subject, text string) error
	// Key makes browsers known (known.go), on all servers of an install and also after a
	// restart. Nil: one is drawn.
	Key []byte
	// Origins are those on which operators open the desk, such as
	// https://www.example.com: the hosts for which passkeys are made.
	Origins []string
	// Host is the host, with a port, that a request was sent to, where a proxy stands before
	// us. Nil: as the request says.
	Host func(*http.Request) string
}

// A Desk serves /desk/. Its methods may be used concurrently.
type Desk struct {
	Config
	sites   map[string]Site
	hides   bool // Source does not show addresses
	streams streams
	pulse   pulse
	tallied tallied
	hashing chan struct{} // one place for each password that may be hashed now
	// hashingKnown is a place beside those, for browsers that are known.
	hashingKnown chan struct{}
	asking       chan struct{} // one for each stranger whose passkey is asked for now
	decoy        string        // hash of no operator's password: the work for unknown ones
	sources      *httprate.RateLimiter
	asks         *httprate.RateLimiter
	failed       httprate.LimitCounter                                      // wrong passwords of each account
	pause        func(context.Context, time.Duration)                       // of a slow account
	compare      func(hash, password string) (same bool)                    // VerifyPassword, counted in tests
	note         func(context.Context, handoff.Actor, ...handoff.Act) error // Store.Note, slow in tests
	notes        sync.WaitGroup                                             // acts that are written behind an answer
	handler      http.Handler
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
	hides := c.Source != nil
	if !hides {
		c.Source = peer
	}
	if c.Key == nil {
		c.Key = make([]byte, sha256.Size)
		_, _ = rand.Read(c.Key) // it never fails
	}
	if c.Host == nil {
		c.Host = func(r *http.Request) string { return r.Host }
	}
	d := &Desk{Config: c, hides: hides, sites: make(map[string]Site, len(c.Sites)), pause: pause, compare: VerifyPassword, note: c.Store.Note}
	for i, s := range c.Sites {
		if _, twice := d.sites[s.ID]; twice || s.ID == "" {
			return nil, fmt.Errorf("desk: site %q has no ID of its own: %w", s.ID, handoff.ErrInvalid)
		}
		if s.TimeZone == nil {
			s.TimeZone = time.UTC
		}
		s.zone = s.TimeZone
		d.Sites[i], d.sites[s.ID] = s, s
	}
	d.secure()
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.fail(w, r, errCrossOrigin) }))
	mux, err := d.mux(d.routes())
	if err != nil {
		return nil, err
	}
	d.handler = headers(protection.Handler(mux))
	return d, nil
}

// ServeHTTP answers one request below /desk.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(w, r) }

// Close ends the open streams, so that a server can shut down.
func (d *Desk) Close() {
	d.streams.close()
	d.notes.Wait()
}

// routes is every address there is, beside the assets.
func (d *Desk) routes() []route {
	return []route{
		{"GET /desk/sign-in", anybody, d.signInPage},
		{"POST /desk/sign-in", anybody, d.signIn},
		{"POST /desk/sign-in/passkey/ask", anybody, d.askToSignIn},
		{"POST /desk/sign-in/passkey", anybody, d.signInWithPasskey},
		{"POST /desk/sign-out", anybody, d.signOut},
		{"GET /desk/events", handoff.RoleViewer, d.events},
		{"GET /desk/{$}", handoff.RoleViewer, d.today},
		{"GET /desk/leads", handoff.RoleViewer, d.leads},
		{"GET /desk/leads.csv", handoff.RoleViewer, d.export},
		{"GET /desk/board", handoff.RoleViewer, d.board},
		{"POST /desk/views", handoff.RoleViewer, d.saveView},
		{"POST /desk/views/delete", handoff.RoleViewer, d.deleteView},
		{"GET /desk/leads/{id}", handoff.RoleViewer, d.lead},
		{"GET /desk/leads/{id}/received/{fact}", handoff.RoleViewer, d.received},
		{"POST /desk/leads/{id}/stage", handoff.RoleOperator, d.setStage},
		{"POST /desk/leads/{id}/stage/undo", handoff.RoleOperator, d.undoStage},
		{"POST /desk/leads/{id}/calls-wanted", handoff.RoleOperator, d.wantCalls},
		{"POST /desk/leads/{id}/calls-wanted/undo", handoff.RoleOperator, d.undoCallsWanted},
		{"POST /desk/leads/{id}/notes", handoff.RoleOperator, d.addNote},
		{"POST /desk/leads/{id}/notes/{note}/delete", handoff.RoleOperator, d.deleteNote},
		{"GET /desk/keys", handoff.RoleViewer, d.keys},
		{"GET /desk/failures", handoff.RoleViewer, d.failures},
		{"POST /desk/failures/dismissed", handoff.RoleOperator, d.dismissMany},
		{"POST /desk/failures/read-again", handoff.RoleOperator, d.readManyAgain},
		{"POST /desk/failures/asked", handoff.RoleOperator, d.askAboutMany},
		{"GET /desk/failures/{id}", handoff.RoleViewer, d.failure},
		{"GET /desk/failures/{id}/body.json", handoff.RoleViewer, d.fixture},
		{"POST /desk/failures/{id}/resolutions", handoff.RoleOperator, d.settle},
		{"POST /desk/resolutions/{resolution}/undo", handoff.RoleOperator, d.undoSettling},
		{"GET /desk/statements", handoff.RoleViewer, d.statements},
		{"GET /desk/statements/{site}/{day}", handoff.RoleViewer, d.statement},
		{"POST /desk/statements/{site}/sweep", handoff.RoleOperator, d.sweepNow},
		{"GET /desk/numbers", handoff.RoleViewer, d.numbers},
		{"GET /desk/sites", handoff.RoleViewer, d.siteList},
		{"GET /desk/sites/{site}", handoff.RoleViewer, d.sitePage},
		{"GET /desk/reminders", handoff.RoleViewer, d.reminders},
		{"GET /desk/api-keys", handoff.RoleOwner, d.apiKeys},
		{"POST /desk/api-keys", handoff.RoleOwner, d.createAPIKey},
		{"POST /desk/api-keys/{id}/revoke", handoff.RoleOwner, d.revokeAPIKey},
		{"GET /desk/account", handoff.RoleViewer, d.account},
		{"POST /desk/account/password", handoff.RoleViewer, d.changePassword},
		{"POST /desk/account/zone", handoff.RoleViewer, d.chooseZone},
		{"POST /desk/account/sessions/end", handoff.RoleViewer, d.endSession},
		{"POST /desk/account/sessions/end-others", handoff.RoleViewer, d.endOtherSessions},
		{"POST /desk/account/passkeys/ask", handoff.RoleViewer, d.askToAdd},
		{"POST /desk/account/passkeys", handoff.RoleViewer, d.addPasskey},
		{"POST /desk/account/passkeys/remove", handoff.RoleViewer, d.removePasskey},
		{"GET /desk/people", handoff.RoleOwner, d.people},
		{"POST /desk/people/access", handoff.RoleOwner, d.setAccess},
		{"POST /desk/people/sign-out", handoff.RoleOwner, d.signOutPerson},
		{"POST /desk/people/passkeys/remove", handoff.RoleOwner, d.removePasskeys},
		{"POST /desk/people/remove", handoff.RoleOwner, d.removePerson},
		{"POST /desk/people/reset", handoff.RoleOwner, d.resetPerson},
		{"POST /desk/people/invite", handoff.RoleOwner, d.invite},
		{"POST /desk/people/revoke", handoff.RoleOwner, d.revoke},
		{"GET /desk/audit", handoff.RoleOperator, d.audit},
		{"GET /desk/audit/export.csv", handoff.RoleOperator, d.auditCSV},
		{"GET /desk/audit/export.jsonl", handoff.RoleOperator, d.auditLines},
		{"GET /desk/invitations/{token}", anybody, d.invitation},
		{"POST /desk/invitations/{token}", anybody, d.accept},
		{"POST /desk/invitations/{token}/passkey/ask", anybody, d.askInvited},
		{"POST /desk/invitations/{token}/passkey", anybody, d.acceptWithPasskey},
		{"GET /desk/resets/{token}", anybody, d.resetPage},
		{"POST /desk/resets/{token}", anybody, d.reset},
		{"/", handoff.RoleViewer, func(http.ResponseWriter, *http.Request) error { return handoff.ErrNotFound }},
	}
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
	return Site{ID: id, Name: id, TimeZone: time.UTC, zone: time.UTC, Pipeline: handoff.DefaultPipeline()}
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
