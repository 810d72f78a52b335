// Package web answers requests: the public pages, the booking step, Cal.com's
// webhook, and, through packages desk and api, operators and programs.
//
// A handler reads its input, makes one store call, and writes the answer; it
// decides nothing about leads. All routes are in [Server.routes], all headers in
// headers.go, and the one table from errors to answers in errors.go.
package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/go-chi/httprate"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/content"
	"handoff/internal/csp"
	"handoff/internal/store"
	"handoff/internal/web/public"
)

// A Site is one website as requests meet it.
type Site struct {
	ID      string   // slug, as in the webhook's address
	Hosts   []string // host names without port; empty: any, for an install with one site
	Content *content.Site
	Trust   calcom.Trust
	handoff.Rules
	CalOrigins []string // Cal.com's origins; the first is where booking pages are

	// Secrets are accepted beside those of Trust. They can change while the server
	// runs. Nil: there are none.
	Secrets func() []Secret

	API *calcom.API // Cal.com's API; nil: it is never asked

	policy      string // of the booking page
	permissions string
}

// A Secret is a webhook secret. After a time it is only recognised, and no longer
// accepted.
type Secret struct {
	Value string
	Until time.Time // zero: for good
}

// Config wires a server. All fields are needed but Desk, API, TrustedProxies and Now.
type Config struct {
	Store *store.DB
	Sites []*Site
	Keys  handoff.Keys
	Desk  http.Handler // serves /desk/; nil: there is none
	API   http.Handler // serves /api/v1/; nil: there is none
	// Secure says that visitors come over https, through a proxy or by ourselves.
	Secure bool
	// TrustedProxies are the only peers whose X-Forwarded-For and
	// X-Forwarded-Host are believed.
	TrustedProxies []netip.Prefix
	Log            *slog.Logger
	Now            func() time.Time
}

// A Server answers requests.
type Server struct {
	Config
	byHost map[string]*Site
	byID   map[string]*Site
	any    *Site // the site for every host; nil where hosts decide
	// formKey signs intake forms; sourceKey hides senders' addresses.
	formKey, sourceKey []byte
	streams            streams
	calendars          shownTo
	large              slots                 // for large webhook bodies
	waiting            slots                 // for verified deliveries on their way to the disk
	forgers            slots                 // for unverified ones
	forgeryLimit       *httprate.RateLimiter // of sources
	siteForgeryLimit   *httprate.RateLimiter // of sites
	formLimit          *httprate.RateLimiter // of sources
	hintLimit          *httprate.RateLimiter // of references
	hintSourceLimit    *httprate.RateLimiter // of sources
	handler            http.Handler
}

// maxForms is how many forms one source may send in a minute: an office behind
// one address, not a machine.
const maxForms = 30

// maxHints is how many bookings a page with one reference may claim in an hour.
const maxHints = 10

// maxSourceHints is how many one source may claim in an hour. Each is a question to
// Cal.com, which answers 120 a minute; a source can send forms for many references.
const maxSourceHints = 100

// New checks the configuration and builds the server. An error names the site.
func New(c Config) (*Server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Keys) == 0 || len(c.Keys[0]) < handoff.MinKeyLen {
		return nil, errors.New("web: there is no reference key of at least 32 bytes")
	}
	s := &Server{
		Config: c, byHost: map[string]*Site{}, byID: map[string]*Site{},
		formKey: derive(c.Keys[0], "form"), sourceKey: derive(c.Keys[0], "source"),
		large: make(slots, maxLarge), waiting: make(slots, maxWaiting), forgers: make(slots, maxForgers),
		forgeryLimit: silent(maxForgery), siteForgeryLimit: silent(maxSiteFlow),
		formLimit:       httprate.NewRateLimiter(maxForms, time.Minute),
		hintLimit:       httprate.NewRateLimiter(maxHints, time.Hour),
		hintSourceLimit: httprate.NewRateLimiter(maxSourceHints, time.Hour),
	}
	for _, site := range c.Sites {
		if err := s.add(site); err != nil {
			return nil, fmt.Errorf("site %s: %w", site.ID, err)
		}
	}
	s.handler = s.chain(s.routes())
	return s, nil
}

// silent is a limit for a minute that writes nothing about itself into answers.
func silent(limit int) *httprate.RateLimiter {
	return httprate.NewRateLimiter(limit, time.Minute, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))
}

func (s *Server) add(site *Site) error {
	if len(site.Trust.Secrets) == 0 && site.Secrets == nil {
		return errors.New("it has no webhook secret")
	}
	policy, err := csp.Booking(site.CalOrigins...)
	if err != nil {
		return err
	}
	if site.permissions, err = csp.PermissionsPolicy(site.CalOrigins...); err != nil {
		return err
	}
	site.policy = policy.String()
	if s.byID[site.ID] != nil {
		return errors.New("it is there twice")
	}
	s.byID[site.ID] = site
	if len(site.Hosts) == 0 {
		if len(s.Sites) > 1 {
			return errors.New("it names no hosts, which only a single site may")
		}
		s.any = site
	}
	for _, host := range site.Hosts {
		if s.byHost[host] != nil {
			return fmt.Errorf("host %s is also of site %s", host, s.byHost[host].ID)
		}
		s.byHost[host] = site
	}
	return nil
}

// trust is what the site believes at a time.
func (site *Site) trust(now time.Time) calcom.Trust {
	t := site.Trust
	if site.Secrets == nil {
		return t
	}
	t.Secrets, t.Retired = slices.Clone(t.Secrets), slices.Clone(t.Retired)
	for _, secret := range site.Secrets() {
		if secret.Until.IsZero() || now.Before(secret.Until) {
			t.Secrets = append(t.Secrets, secret.Value)
		} else {
			t.Retired = append(t.Retired, secret.Value)
		}
	}
	return t
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes is every address there is.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	// For visitors.
	mux.HandleFunc("GET /{$}", s.page(s.home))
	mux.HandleFunc("GET /services/{service}", s.page(s.service))
	mux.HandleFunc("GET /start/{service}", s.page(s.startForm))
	mux.HandleFunc("POST /start/{service}", s.page(s.submit))
	mux.HandleFunc("GET /book/{reference}", s.page(s.book))
	mux.HandleFunc("GET /book/{reference}/status", s.page(s.status))
	mux.HandleFunc("GET /book/{reference}/events", s.page(s.events))
	mux.HandleFunc("POST /book/{reference}/heard", s.page(s.heard))
	mux.HandleFunc("GET /booked/{reference}", s.page(s.booked))
	mux.HandleFunc("GET /booked/{reference}/calendar.ics", s.page(s.calendarFile))
	mux.HandleFunc("GET /stop/{reference}", s.page(s.stop))
	mux.HandleFunc("POST /stop/{reference}", s.page(s.stopped))
	mux.HandleFunc("GET /posts", s.page(s.posts))
	mux.HandleFunc("GET /posts/{post}", s.page(s.post))
	mux.HandleFunc("GET /{page}", s.page(s.textPage))
	mux.HandleFunc("GET /robots.txt", s.page(s.robots))
	mux.HandleFunc("GET /sitemap.xml", s.page(s.sitemap))
	mux.Handle("GET "+public.AssetsPath, public.Assets())
	mux.HandleFunc("/", s.page(s.notFound))
	// For Cal.com.
	mux.HandleFunc("POST /webhooks/calcom/{site}", s.receiveWebhook)
	// For operators.
	if s.Desk != nil {
		mux.Handle("/desk/", s.Desk)
		mux.Handle("GET /desk", http.RedirectHandler("/desk/", http.StatusMovedPermanently))
	}
	// For machines.
	if s.API != nil {
		mux.Handle(apiPath, s.API)
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	return mux
}

// apiPath is below which the API is; package api has the same.
const apiPath = "/api/v1/"

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }

// readyz says that a webhook could be kept now.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.Store.Ping(r.Context()); err != nil {
		s.Log.Error("not ready", "err", err)
		plain(w, http.StatusServiceUnavailable, "the store cannot be written\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client may be gone
}

// derive makes a key for one purpose from the reference key.
func derive(k handoff.Key, purpose string) []byte {
	h := hmac.New(sha256.New, k)
	h.Write([]byte("handoff/" + purpose))
	return h.Sum(nil)
}

// Host is the host, with a port if it has one, that a request was sent to, also where a
// trusted proxy stands before us.
func (s *Server) Host(r *http.Request) string {
	if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" && s.trusted(peer(r)) {
		return forwarded
	}
	return r.Host
}

// Source tells senders apart without naming one: a keyed digest of the address,
// of IPv6 of the /64 that a customer is given.
func (s *Server) Source(r *http.Request) string {
	addr := s.clientAddr(r)
	if addr.Is6() && !addr.Is4In6() {
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	h := hmac.New(sha256.New, s.sourceKey)
	h.Write([]byte(addr.Unmap().String()))
	return hex.EncodeToString(h.Sum(nil)[:8])
}
