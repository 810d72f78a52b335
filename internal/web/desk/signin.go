package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"handoff"
)

// Bounds on signing in. A source may try so often; an account, from wherever it
// is tried, only becomes slow, since refusing it would let anybody lock its
// operator out.
const (
	maxSignIns   = 20
	signInWindow = 5 * time.Minute
	slowAfter    = 5 // wrong passwords of one account
	slowWindow   = 15 * time.Minute
	slowStep     = 250 * time.Millisecond // more for each further one
	slowest      = 3 * time.Second
)

const maxSignInForm = 16 << 10 // bytes

type signInPage struct {
	frame
	Email   string
	Next    string
	Problem string
	Notice  string
}

// signInPage shows the form, or goes on if somebody is signed in.
func (d *Desk) signInPage(w http.ResponseWriter, r *http.Request) error {
	next := localPage(r.URL.Query().Get("next"))
	_, ok, err := d.operator(r.Context())
	if err != nil {
		return err
	}
	if ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	page := signInPage{frame: frame{Title: "Sign in"}, Next: next}
	if r.URL.Query().Has("out") {
		page.Notice = "You are signed out."
	}
	return d.render(w, http.StatusOK, "sign-in", page)
}

// signIn checks an address and a password.
//
//	303  signed in, with a new session; on to the page that was asked for
//	422  address or password wrong, with one message for both
//	429  too many attempts from this source
//	503  too many attempts at once
func (d *Desk) signIn(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignInForm)
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("sign-in form: %w: %w", handoff.ErrInvalid, err)
	}
	page := signInPage{
		frame: frame{Title: "Error: Sign in"},
		Email: clip(strings.TrimSpace(r.PostForm.Get("email")), handoff.MaxEmail),
		Next:  localPage(r.PostForm.Get("next")),
	}
	if d.sources.OnLimit(w, r, d.Source(r)) {
		d.Log.Warn("desk: too many sign-ins from one source")
		page.Problem = "There were too many attempts to sign in from your network. Wait five minutes, then try again."
		return d.render(w, http.StatusTooManyRequests, "sign-in", page)
	}
	email := NormalizeEmail(page.Email)
	d.pause(r.Context(), d.slowness(email))
	ok, err := d.check(r.Context(), email, r.PostForm.Get("password"))
	if err != nil {
		return err
	}
	if !ok {
		if err := d.failed.Increment(email, time.Now().UTC().Truncate(slowWindow)); err != nil {
			return err
		}
		d.Log.Info("desk: a sign-in was refused")
		page.Problem = "The e-mail address or the password is not right."
		return d.render(w, http.StatusUnprocessableEntity, "sign-in", page)
	}
	if err := d.openSession(w, r, email); err != nil {
		return err
	}
	http.Redirect(w, r, page.Next, http.StatusSeeOther)
	return nil
}

// check verifies a password, with the same work for an unknown operator.
func (d *Desk) check(ctx context.Context, email, password string) (bool, error) {
	u, err := d.Store.User(ctx, email)
	if err != nil && !errors.Is(err, handoff.ErrNotFound) {
		return false, err
	}
	return d.verify(ctx, u.PasswordHash, password)
}

// openSession gives the visitor a session of a new name, so that nobody who knew
// the old one is signed in with them.
func (d *Desk) openSession(w http.ResponseWriter, r *http.Request, email string) error {
	ctx := r.Context()
	u, err := d.Store.User(ctx, email)
	if err != nil {
		return err
	}
	d.streams.end(d.token(r))
	if err := d.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	d.sessions.Put(ctx, keyEmail, u.Email)
	d.sessions.Put(ctx, keySeal, seal(u.PasswordHash))
	d.sessions.Put(ctx, keyUsed, d.Now().Unix())
	token, expiry, err := d.sessions.Commit(ctx)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	d.sessions.WriteSessionCookie(ctx, w, token, expiry)
	return nil
}

// signOut ends the session and its streams.
func (d *Desk) signOut(w http.ResponseWriter, r *http.Request) error {
	d.streams.end(d.token(r))
	if err := d.sessions.Destroy(r.Context()); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	d.sessions.WriteSessionCookie(r.Context(), w, "", time.Time{})
	http.Redirect(w, r, "/desk/sign-in?out", http.StatusSeeOther)
	return nil
}

// slowness is how long an attempt on an account has to wait: nothing at first,
// then longer with each wrong password of the last quarter of an hour.
func (d *Desk) slowness(email string) time.Duration {
	window := time.Now().UTC().Truncate(slowWindow)
	now, before, err := d.failed.Get(email, window, window.Add(-slowWindow))
	if err != nil || now+before < slowAfter {
		return 0
	}
	return min(time.Duration(now+before-slowAfter+1)*slowStep, slowest)
}

func pause(ctx context.Context, wait time.Duration) {
	if wait == 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// signInAddress is where somebody signs in to come back to a page.
func signInAddress(asked *url.URL) string {
	next := localPage(asked.RequestURI())
	if next == "/desk/" {
		return "/desk/sign-in"
	}
	return "/desk/sign-in?" + url.Values{"next": {next}}.Encode()
}

// localPage returns an address if it is of a page of this desk, and the desk's
// first page otherwise: what is in a link must not lead anybody elsewhere.
func localPage(s string) string {
	const home = "/desk/"
	if !strings.HasPrefix(s, home) || len(s) > 500 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }) {
		return home
	}
	u, err := url.Parse(s)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Fragment != "" {
		return home
	}
	clean := path.Clean(u.Path)
	if strings.HasSuffix(u.Path, "/") {
		clean += "/"
	}
	for _, no := range []string{"/desk/sign-", eventsPath, assetsPath} {
		if strings.HasPrefix(u.Path, no) {
			return home
		}
	}
	if clean != u.Path || strings.Contains(u.Path, "\\") {
		return home
	}
	return u.RequestURI()
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
