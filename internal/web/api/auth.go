package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"handoff"
	"handoff/internal/store"
)

const (
	// A key may ask so often in a second, and that much at once.
	keyRate  = 100
	keyBurst = 200

	// A source may come so often with a key that is none. One that is one always passes:
	// a forgotten program with an old key must not keep out another beside it, and nobody
	// guesses 256 bits.
	maxRefused    = 60
	refusedWindow = 5 * time.Minute
)

// authorize finds the key of a request, and whether it may do what is asked for. What it
// says with WWW-Authenticate is that of RFC 6750.
func (a *API) authorize(w http.ResponseWriter, r *http.Request, o operation) (store.Key, error) {
	const challenge = `Bearer realm="Handoff API"`
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if len(r.Header.Values("Authorization")) != 1 || !strings.EqualFold(scheme, "Bearer") {
		w.Header().Set("WWW-Authenticate", challenge)
		return store.Key{}, a.refuse(r, errNoKey)
	}
	key, err := a.Store.KeyOf(r.Context(), strings.TrimSpace(token))
	if errors.Is(err, handoff.ErrUnverified) {
		w.Header().Set("WWW-Authenticate", challenge+`, error="invalid_token"`)
		return store.Key{}, a.refuse(r, errBadKey)
	}
	if err != nil {
		return store.Key{}, err
	}
	if !a.limit(key.ID).AllowN(time.Now(), 1) {
		w.Header().Set("Retry-After", "1")
		return store.Key{}, errTooMany
	}
	if err := a.Store.TouchKey(r.Context(), key); err != nil {
		a.Log.Warn("api: the last use of a key was not noted", "key", key.ID, "err", err)
	}
	if !slices.Contains(key.Scopes, o.scope) {
		w.Header().Set("WWW-Authenticate", challenge+fmt.Sprintf(`, error="insufficient_scope", scope="%s"`, o.scope))
		return store.Key{}, errScope
	}
	return key, nil
}

// refuse counts a request without a key that is one; too many from one source are told
// to come later.
func (a *API) refuse(r *http.Request, err error) error {
	if a.refused.OnLimit(discard{}, r, a.Source(r)) {
		return errTooManyRefused
	}
	return err
}

// limit is how often a key may still ask.
func (a *API) limit(key string) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.limits[key]
	if l == nil {
		l = rate.NewLimiter(keyRate, keyBurst)
		a.limits[key] = l
	}
	return l
}

// discard is for a limiter that would write into the answer.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
