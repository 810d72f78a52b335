package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/httprate"

	"handoff"
	"handoff/internal/store"
)

// sessionTouch is how long it takes from one note of when a session was last used to the
// next.
const sessionTouch = time.Minute

// secure sets up the bounds on signing in.
func (d *Desk) secure() {
	d.decoy = newDecoy()
	d.hashing, d.hashingKnown = make(chan struct{}, maxHashing), make(chan struct{}, 1)
	d.asking = make(chan struct{}, maxAsking)
	d.sources = httprate.NewRateLimiter(maxSignIns, signInWindow,
		httprate.WithLimitCounter(httprate.NewLocalLimitCounter(signInWindow)), // its windows begin where giveBack finds them
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}))
	d.asks = httprate.NewRateLimiter(maxAsks, signInWindow,
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}))
	d.failed = httprate.NewLocalLimitCounter(slowWindow)
}

// Names of our cookies.
const (
	sessionCookie  = "handoff"
	ceremonyCookie = "handoff-passkey"
	knownCookie    = "handoff-known"
)

// cookieName is the name of a cookie in a browser: where operators come over https, one
// that binds it to this host.
func (d *Desk) cookieName(name string) string {
	if d.Secure {
		return "__Host-" + name
	}
	return name
}

// setCookie gives a browser a cookie until it is closed, or, empty, takes it away.
func (d *Desk) setCookie(w http.ResponseWriter, name, value string, same http.SameSite) {
	c := &http.Cookie{Name: d.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: d.Secure, SameSite: same}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// cookie is what the browser sent in one of our cookies; empty: nothing.
func (d *Desk) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(d.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// token is that of the session a request names; empty: none.
func (d *Desk) token(r *http.Request) string { return d.cookie(r, sessionCookie) }

// A handler answers a request, or returns the error that the error page is for.
type handler func(http.ResponseWriter, *http.Request) error

// session answers with a page also where a handler returns an error.
func (d *Desk) session(next handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		err := asksInText(r)
		if err == nil {
			err = next(w, r)
		}
		if err != nil {
			d.fail(w, r, err)
		}
	})
}

// asksInText returns ErrInvalid for an address that says what no database keeps as text.
func asksInText(r *http.Request) error {
	if !isText(r.URL.Path) {
		return fmt.Errorf("address: %w", handoff.ErrInvalid)
	}
	return allText(r.URL.Query())
}

func allText(v url.Values) error {
	for _, values := range v {
		if slices.ContainsFunc(values, func(s string) bool { return !isText(s) }) {
			return fmt.Errorf("it is no text: %w", handoff.ErrInvalid)
		}
	}
	return nil
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// An operator is who is signed in.
type operator struct {
	store.User
	session store.Session
	token   string
	zone    *time.Location // that they chose; nil: none
}

type operatorKey struct{}

func operatorOf(r *http.Request) operator {
	o, _ := r.Context().Value(operatorKey{}).(operator)
	return o
}

// actorOf is who is signed in, as one who does something.
func actorOf(r *http.Request) handoff.Actor { return operatorOf(r).Actor() }

// operator finds who is signed in with a token; false if nobody is.
func (d *Desk) operator(ctx context.Context, token string) (operator, bool, error) {
	if token == "" {
		return operator{}, false, nil
	}
	s, u, err := d.Store.Session(ctx, token)
	if errors.Is(err, handoff.ErrNotFound) {
		return operator{}, false, nil
	}
	return operator{u, s, token, zoneNamed(u.Zone)}, err == nil, err
}

// liveHeader marks what desk.js fetches by itself: it gets no redirect, and does
// not count as use, or an open page would keep a session for ever.
const liveHeader = "X-Handoff-Live"

// signedIn lets operators of at least a role pass. Who is not signed in is asked to do
// so and come back.
func (d *Desk) signedIn(least handoff.Role, next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, ok, err := d.operator(r.Context(), d.token(r))
		if err != nil {
			return err
		}
		live := r.Header.Get(liveHeader) != "" || r.URL.Path == eventsPath
		if !ok {
			if live || r.Method != http.MethodGet && r.Method != http.MethodHead {
				return errSignedOut
			}
			http.Redirect(w, r, signInAddress(r.URL), http.StatusSeeOther)
			return nil
		}
		if !live && d.Store.Now().Sub(o.session.UsedAt) >= sessionTouch {
			if err := d.Store.UseSession(r.Context(), o.session); err != nil {
				return err
			}
		}
		r = r.WithContext(context.WithValue(r.Context(), operatorKey{}, o))
		if !o.Actor().May(least) {
			return handoff.ErrForbidden
		}
		return next(w, r)
	}
}

// alive reports whether a session that a stream was opened with still is one.
func (d *Desk) alive(token string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, ok, err := d.operator(ctx, token)
	return ok || err != nil // the store does not answer; nothing is shown through the stream itself
}

// agents and systems are what a browser is called in a list of sessions, by what it
// says of itself; the first that fits.
var (
	agents = [][2]string{
		{"Edg", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"},
		{"FxiOS/", "Firefox"},
		{"HeadlessChrome/", "Chrome"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"CrOS", "ChromeOS"},
		{"Macintosh", "macOS"},
		{"Linux", "Linux"},
	}
)

// agent says in short what browser a request came from. Nothing else of what it says is
// kept: that would tell people apart.
func agent(r *http.Request) string {
	find := func(list [][2]string, unknown string) string {
		for _, entry := range list {
			if strings.Contains(r.UserAgent(), entry[0]) {
				return entry[1]
			}
		}
		return unknown
	}
	return find(agents, "A browser") + " on " + find(systems, "an unknown system")
}
