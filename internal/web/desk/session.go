package desk

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/httprate"

	"handoff"
	"handoff/internal/store"
)

// Lifetimes of a session: it ends when nobody used it for a working day, and
// after a week in any case. The cookie itself goes when the browser is closed.
const (
	sessionIdle  = 8 * time.Hour
	sessionLife  = 7 * 24 * time.Hour
	sessionTouch = time.Minute // between two writes of when it was last used
)

// What a session holds.
const (
	keyEmail = "email"
	keySeal  = "seal" // see seal
	keyUsed  = "used" // Unix seconds
)

// secure sets up sessions and the bounds on signing in.
func (d *Desk) secure() {
	d.decoy = newDecoy()
	d.hashing = make(chan struct{}, maxHashing)
	d.sources = httprate.NewRateLimiter(maxSignIns, signInWindow,
		httprate.WithResponseHeaders(httprate.ResponseHeaders{RetryAfter: "Retry-After"}))
	d.failed = httprate.NewLocalLimitCounter(slowWindow)

	m := scs.New()
	m.Store = d.Store.Sessions()
	m.IdleTimeout, m.Lifetime = sessionIdle, sessionLife
	m.Cookie.Name, m.Cookie.Secure = "handoff", false
	if d.Secure {
		m.Cookie.Name, m.Cookie.Secure = "__Host-handoff", true
	}
	m.Cookie.Path, m.Cookie.HttpOnly, m.Cookie.SameSite, m.Cookie.Persist = "/", true, http.SameSiteLaxMode, false
	d.sessions = m
}

// A handler answers a request, or returns the error that the error page is for.
type handler func(http.ResponseWriter, *http.Request) error

// session loads the session of a request, if it has one. Unlike scs's own
// middleware it writes none: that is for signIn, signOut and touch.
func (d *Desk) session(next handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		ctx, err := d.sessions.Load(r.Context(), d.token(r))
		if err != nil {
			d.fail(w, r, fmt.Errorf("session: %w: %w", handoff.ErrUnavailable, err))
			return
		}
		r = r.WithContext(ctx)
		if err := next(w, r); err != nil {
			d.fail(w, r, err)
		}
	})
}

func (d *Desk) token(r *http.Request) string {
	c, err := r.Cookie(d.sessions.Cookie.Name)
	if err != nil {
		return ""
	}
	return c.Value
}

// An operator is who is signed in.
type operator struct {
	store.User
	session string // token
}

type operatorKey struct{}

func operatorOf(r *http.Request) operator {
	o, _ := r.Context().Value(operatorKey{}).(operator)
	return o
}

// actorOf is who is signed in, as one who does something.
func actorOf(r *http.Request) handoff.Actor { return operatorOf(r).Actor() }

// operator finds who is signed in; false if nobody is. A session ends with its
// operator's account, and with the password that it was opened with.
func (d *Desk) operator(ctx context.Context) (operator, bool, error) {
	email := d.sessions.GetString(ctx, keyEmail)
	if email == "" {
		return operator{}, false, nil
	}
	u, err := d.Store.User(ctx, email)
	if errors.Is(err, handoff.ErrNotFound) {
		return operator{}, false, nil
	}
	if err != nil {
		return operator{}, false, err
	}
	same := subtle.ConstantTimeCompare([]byte(d.sessions.GetString(ctx, keySeal)), []byte(seal(u.PasswordHash))) == 1
	return operator{u, d.sessions.Token(ctx)}, same, nil
}

// liveHeader marks what desk.js fetches by itself: it gets no redirect, and does
// not count as use, or an open page would keep a session for ever.
const liveHeader = "X-Handoff-Live"

// signedIn lets operators of at least a role pass. Who is not signed in is asked to do
// so and come back.
func (d *Desk) signedIn(least handoff.Role, next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, ok, err := d.operator(r.Context())
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
		if !live {
			if err := d.touch(r.Context()); err != nil {
				return err
			}
		}
		r = r.WithContext(context.WithValue(r.Context(), operatorKey{}, o))
		if !o.Actor().May(least) {
			return fmt.Errorf("it takes the role %s: %w", least, handoff.ErrForbidden)
		}
		return next(w, r)
	}
}

// touch notes that a session is used, which puts off its idle end.
func (d *Desk) touch(ctx context.Context) error {
	now := d.Now().Unix()
	if now-d.sessions.GetInt64(ctx, keyUsed) < int64(sessionTouch/time.Second) {
		return nil
	}
	d.sessions.Put(ctx, keyUsed, now)
	if _, _, err := d.sessions.Commit(ctx); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// alive reports whether a session that a stream was opened with still is one.
func (d *Desk) alive(token string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ctx, err := d.sessions.Load(ctx, token)
	if err != nil {
		return true // the store does not answer; nothing is shown through the stream itself
	}
	_, ok, err := d.operator(ctx)
	return ok || err != nil
}
