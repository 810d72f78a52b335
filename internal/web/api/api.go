// Package api serves /api/v1: leads, bookings, failures, sites and the audit log, for
// programs that have a key. Its views are the JSON form of things, which commands
// print too.
//
// The document, openapi.yaml, is the table of routes: what it says of addresses,
// scopes and parameters is what [API] does. An operation of the document without a
// handler, or a handler without an operation, keeps the server from starting.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-chi/httprate"
	"golang.org/x/time/rate"

	"handoff"
	"handoff/internal/store"
)

// Base is where the API is.
const Base = "/api/v1"

// A Site is what the API says of one site.
type Site struct {
	ID       string
	Name     string
	URL      string         // where visitors find it
	TimeZone *time.Location // nil: UTC
	Swept    bool           // Cal.com's list of bookings is read
	Asks     bool           // Cal.com's API can be asked about a booking
	Reader   store.Reader   // opens deliveries that were kept sealed
	handoff.Rules
}

func (s Site) zone() *time.Location {
	if s.TimeZone == nil {
		return time.UTC
	}
	return s.TimeZone
}

// Config of an API. Store and Source are needed.
type Config struct {
	Store *store.DB
	Sites []Site
	// Source names the sender of a request, for the limit on keys that are none.
	Source func(*http.Request) string
	Log    *slog.Logger     // nil discards
	Now    func() time.Time // for days; nil is time.Now
}

// An API answers requests below Base. Its methods may be used concurrently.
type API struct {
	Config
	document []byte // as it is served
	refused  *httprate.RateLimiter
	mu       sync.Mutex
	limits   map[string]*rate.Limiter // by key
	mux      *http.ServeMux
}

// New builds the API from its document.
func New(c Config) (*API, error) {
	if c.Store == nil || c.Source == nil {
		return nil, fmt.Errorf("api: store and source are needed: %w", handoff.ErrInvalid)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &API{
		Config: c, mux: http.NewServeMux(), limits: map[string]*rate.Limiter{},
		refused: httprate.NewRateLimiter(maxRefused, refusedWindow, httprate.WithResponseHeaders(httprate.ResponseHeaders{})),
	}
	document, operations, err := readDocument()
	if err != nil {
		return nil, fmt.Errorf("api: its document: %w", err)
	}
	a.document = document
	return a, a.route(operations)
}

// A handler answers one operation.
type handler func(*API, *call) (answer, error)

// handlers answer the operations of the document, by their IDs.
var handlers = map[string]handler{
	"listLeads":            (*API).listLeads,
	"getLead":              (*API).getLead,
	"listFacts":            (*API).listFacts,
	"getFact":              (*API).getFact,
	"listFailures":         (*API).listFailures,
	"getFailure":           (*API).getFailure,
	"listSites":            (*API).listSites,
	"getSite":              (*API).getSite,
	"listBookings":         (*API).listBookings,
	"getBooking":           (*API).getBooking,
	"listStatements":       (*API).listStatements,
	"getStatement":         (*API).getStatement,
	"listAudit":            (*API).listAudit,
	"setStage":             (*API).setStage,
	"undoStage":            (*API).undoStage,
	"wantCalls":            (*API).wantCalls,
	"undoCallsWanted":      (*API).undoCallsWanted,
	"addNote":              (*API).addNote,
	"deleteNote":           (*API).deleteNote,
	"resolve":              (*API).resolve,
	"undoResolution":       (*API).undoResolution,
	"resolveMany":          (*API).resolveMany,
	"getResolution":        (*API).getResolution,
	"undoResolutionOfMany": (*API).undoResolutionOfMany,
}

// route registers the operations of the document.
func (a *API) route(operations []operation) error {
	methods := map[string][]string{} // of each path
	known := 0
	for _, o := range operations {
		h, ok := handlers[o.ID]
		if !ok {
			return fmt.Errorf("api: the operation %q has no handler", o.ID)
		}
		known++
		methods[o.path] = append(methods[o.path], o.method)
		a.mux.Handle(o.method+" "+Base+o.path, a.serve(o, h))
	}
	if known != len(handlers) {
		return fmt.Errorf("api: of %d handlers %d are in the document", len(handlers), known)
	}
	a.mux.HandleFunc("GET "+Base+"/openapi.json", a.serveDocument)
	methods["/openapi.json"] = []string{http.MethodGet}
	for path, allowed := range methods {
		slices.Sort(allowed)
		a.mux.HandleFunc(Base+path, func(w http.ResponseWriter, r *http.Request) {
			for _, m := range allowed {
				w.Header().Add("Allow", m)
			}
			a.fail(w, r, errMethod)
		})
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.fail(w, r, errNoRoute) })
	return nil
}

// ServeHTTP answers one request below Base.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	a.mux.ServeHTTP(w, r)
}

// serveDocument answers with the document, which nobody needs a key for.
func (a *API) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.document)))
	_, _ = w.Write(a.document) // the client may be gone
}

// A call is one request to an operation, as its handler sees it.
type call struct {
	context.Context
	actor handoff.Actor
	key   store.Key
	given map[string]string // parameters, checked; those that have a default are there
	query string            // the parameters but the cursor, for the address of the next page
	path  string
	body  []byte
}

// An answer is what a handler answers with.
type answer struct {
	status int // 0: 200
	body   any // nil: none
	next   string
}

// serve answers one operation.
func (a *API) serve(o operation, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := a.read(w, r, o)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if o.writes() {
			a.write(w, r, c, h)
			return
		}
		got, err := h(a, c)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if got.next != "" {
			w.Header().Set("Link", "<"+got.next+`>; rel="next"`)
		}
		if err := send(w, "application/json", max(got.status, http.StatusOK), got.body); err != nil {
			a.fail(w, r, err)
		}
	})
}

// read makes a call of a request: who asks, and for what.
func (a *API) read(w http.ResponseWriter, r *http.Request, o operation) (*call, error) {
	key, err := a.authorize(w, r, o)
	if err != nil {
		return nil, err
	}
	c := &call{Context: r.Context(), actor: key.Actor(), key: key, path: r.URL.EscapedPath()}
	if c.given, c.query, err = o.check(r); err != nil {
		return nil, err
	}
	if o.writes() {
		c.body, err = readBody(w, r, o.takesBody)
	}
	return c, err
}

// sites are the sites of a call: the one it names, or all that its key sees.
func (a *API) sites(c *call) ([]Site, error) {
	var seen []Site
	for _, s := range a.Sites {
		if c.actor.Sees(s.ID) && (c.given["site"] == "" || c.given["site"] == s.ID) {
			seen = append(seen, s)
		}
	}
	if c.given["site"] != "" && len(seen) == 0 {
		return nil, fmt.Errorf("site: %w", handoff.ErrNotFound)
	}
	return seen, nil
}

// siteIDs are the IDs of the sites of a call.
func (a *API) siteIDs(c *call) ([]string, error) {
	sites, err := a.sites(c)
	ids := make([]string, len(sites))
	for i, s := range sites {
		ids[i] = s.ID
	}
	return ids, err
}

// site is the site that a call names.
func (a *API) site(c *call) (Site, error) {
	sites, err := a.sites(c)
	if err != nil {
		return Site{}, err
	}
	return sites[0], nil
}

// number reads a parameter that is one: it was checked.
func (c *call) number(name string) int {
	n, _ := strconv.Atoi(c.given[name])
	return n
}

// time reads a parameter that is a time: it was checked. Zero if it was not given.
func (c *call) time(name string) time.Time {
	t, _ := time.Parse(time.RFC3339, c.given[name])
	return t
}

// send writes an answer, whole or not at all.
func send(w http.ResponseWriter, contentType string, status int, body any) error {
	var b bytes.Buffer
	if body != nil {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		w.Header().Set("Content-Type", contentType)
	}
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone
	return nil
}

// maxBody is the largest body of a write.
const maxBody = 64 << 10
