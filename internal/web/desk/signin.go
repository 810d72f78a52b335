package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// Bounds on signing in. A source may be wrong so often; an account, from wherever it
// is tried, only becomes slow, since refusing it would let anybody lock its
// operator out. A browser that is known (known.go) is bounded by itself alone.
const (
	maxSignIns   = 20
	maxAsks      = 60 // sign-ins with a passkey, which nobody can guess
	maxAsking    = 4  // of those at once: each is a write, and nobody else may wait long for the disk
	signInWindow = 5 * time.Minute
	slowAfter    = 5 // wrong passwords of one account
	slowWindow   = 15 * time.Minute
	slowStep     = 250 * time.Millisecond // more for each further one
	slowest      = 3 * time.Second
)

const maxSignInForm = 16 << 10 // bytes

// noteTime is how long it may take to write down that somebody was refused.
const noteTime = 10 * time.Second

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
	_, ok, err := d.operator(r.Context(), d.token(r))
	if err != nil {
		return err
	}
	if ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	page := signInPage{frame: frame{Title: "Sign in"}, Next: next}
	_, page.Keys = d.party(r)
	if r.URL.Query().Has("out") {
		page.Notice = "You are signed out."
	}
	return d.render(w, http.StatusOK, "sign-in", page)
}

// signIn checks an address and a password.
//
//	303  signed in, with a new session; on to the page that was asked for
//	422  address or password wrong, with one message for both
//	429  too many attempts from this source that were wrong, or are under way
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
	_, page.Keys = d.party(r)
	email := NormalizeEmail(page.Email)
	known := d.known(r, email)
	source, since := cmp.Or(known, d.Source(r)), time.Now()
	if d.sources.OnLimit(w, r, source) {
		d.Log.Warn("desk: too many sign-ins from one source")
		page.Problem = "There were too many attempts to sign in from your network. Wait five minutes, then try again."
		return d.render(w, http.StatusTooManyRequests, "sign-in", page)
	}
	d.pause(r.Context(), d.slowness(cmp.Or(known, email)))
	u, ok, err := d.check(r.Context(), known != "", email, r.PostForm.Get("password"))
	if err != nil {
		return err
	}
	if ok {
		err := d.openSession(w, r, store.SignIn{Email: email, With: "a password", PasswordHash: u.PasswordHash})
		if err == nil {
			d.giveBack(source, since)
			http.Redirect(w, r, page.Next, http.StatusSeeOther)
		}
		if !errors.Is(err, handoff.ErrForbidden) { // else the password was changed in this moment
			return err
		}
	}
	if err := d.refused(r.Context(), cmp.Or(known, email), u.Email); err != nil {
		return err
	}
	page.Problem = "The e-mail address or the password is not right."
	return d.render(w, http.StatusUnprocessableEntity, "sign-in", page)
}

// giveBack takes an attempt that was right off what its source has tried: many may sign in
// behind one address. It was counted before anybody knew, so that attempts at once are
// bounded too. Where its window is over it stays: it counts for less there, and then not.
func (d *Desk) giveBack(source string, since time.Time) {
	window := time.Now().UTC().Truncate(signInWindow)
	if since.Before(window) {
		return
	}
	if err := d.sources.Counter().IncrementBy(source, window, -1); err != nil {
		d.Log.Error("desk: a sign-in still counts as an attempt", "err", err)
	}
}

// refused counts a wrong password, of an account or of a browser that is known. Of an
// operator (empty: it was nobody's) the log keeps the first, the tenth, the hundredth of a
// quarter of an hour: strangers cannot fill it.
func (d *Desk) refused(ctx context.Context, name, operator string) error {
	d.Log.Info("desk: a sign-in was refused")
	window := time.Now().UTC().Truncate(slowWindow)
	if err := d.failed.Increment(name, window); err != nil {
		return err
	}
	n, _, err := d.failed.Get(name, window, window.Add(-slowWindow))
	if err != nil || operator == "" || !powerOfTen(n) {
		return err
	}
	what := "a wrong password"
	if n > 1 {
		what = strconv.Itoa(n) + " wrong passwords within a quarter of an hour"
	}
	d.notes.Go(func() { // behind the answer, whose time would tell that the address is an operator's
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
		defer cancel()
		if err := d.note(ctx, stranger, handoff.Act{Action: "session.refused", Subject: operator, Detail: what}); err != nil {
			d.Log.Error("desk: a wrong password was not written down", "err", err)
		}
	})
	return nil
}

// stranger is who is not signed in, as the audit log has it.
var stranger = handoff.Actor{Name: "not signed in"}

func powerOfTen(n int) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// check verifies a password, with the same work for an unknown operator.
func (d *Desk) check(ctx context.Context, known bool, email, password string) (store.User, bool, error) {
	u, err := d.Store.User(ctx, email)
	if err != nil && !errors.Is(err, handoff.ErrNotFound) {
		return u, false, err
	}
	ok, err := d.verify(ctx, known, u.PasswordHash, password)
	return u, ok, err
}

// openSession gives the visitor a session of a new name, so that nobody who knew
// the old one is signed in with them.
func (d *Desk) openSession(w http.ResponseWriter, r *http.Request, in store.SignIn) error {
	in.Agent = agent(r)
	if d.hides {
		in.Source = d.Source(r)
	}
	old := d.token(r)
	d.streams.end(old)
	token, err := d.Store.OpenSession(r.Context(), in, old)
	if err != nil {
		return err
	}
	d.setCookie(w, sessionCookie, token, http.SameSiteLaxMode)
	d.know(w, in.Email)
	return nil
}

// signOut ends the session and its streams.
func (d *Desk) signOut(w http.ResponseWriter, r *http.Request) error {
	token := d.token(r)
	d.streams.end(token)
	if err := d.Store.LeaveSession(r.Context(), token); err != nil {
		return err
	}
	d.setCookie(w, sessionCookie, "", http.SameSiteLaxMode)
	http.Redirect(w, r, "/desk/sign-in?out", http.StatusSeeOther)
	return nil
}

// slowness is how long an attempt on an account, or of a browser that is known, has to wait: nothing at first,
// then longer with each wrong password of the last quarter of an hour.
func (d *Desk) slowness(name string) time.Duration {
	window := time.Now().UTC().Truncate(slowWindow)
	now, before, err := d.failed.Get(name, window, window.Add(-slowWindow))
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
