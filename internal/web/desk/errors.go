package desk

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"handoff"
)

// Errors of requests that no lower floor knows.
var (
	errCrossOrigin = errors.New("a write from another site")
	errSignedOut   = errors.New("not signed in")
	errBusy        = errors.New("busy")
)

// errLink is ErrNotFound for a link that lets somebody in.
var errLink = fmt.Errorf("link: %w", handoff.ErrNotFound)

// An answer is the page for an error: what happened, and what to do.
type answer struct {
	err    error
	status int
	title  string
	what   string
	do     string
}

// answers is the one table from errors to pages. What is not in it is internal:
// logged, and never shown.
var answers = []answer{
	{
		errLink, http.StatusNotFound, "This link leads nowhere any more",
		"It was used, replaced or taken back, or it is too old. An invitation is good for a week, a link to a new password for an hour, each once.",
		"If you have an account already, sign in. Otherwise ask who sent it for another one.",
	},
	{
		handoff.ErrNotFound, http.StatusNotFound, "Not here",
		"There is no such page, lead or failure. It may have been erased, or the address may be incomplete.",
		"Go back to the leads and look for it there.",
	},
	{
		handoff.ErrInvalid, http.StatusBadRequest, "Not understood",
		"The address or the form is not one that this desk makes.",
		"Go back to the leads and start again from there.",
	},
	{
		handoff.ErrForbidden, http.StatusForbidden, "Not yours to do",
		"Your role does not let you do that. Nothing was changed.",
		"Ask an owner of this install to do it, or to give you another role.",
	},
	{
		handoff.ErrConflict, http.StatusConflict, "Somebody was before you",
		"What you saw has changed since this page was made. Nothing was changed by you.",
		"Look at it as it is now, and decide again.",
	},
	{
		errCrossOrigin, http.StatusForbidden, "Refused",
		"Your browser says that another website sent this form. Nothing was changed.",
		"Open the desk and do it from there. If you did, your proxy changes the Host or Origin header.",
	},
	{
		errSignedOut, http.StatusUnauthorized, "Signed out",
		"Your session has ended. Nothing was changed.",
		"Sign in again.",
	},
	{
		errBusy, http.StatusServiceUnavailable, "Busy",
		"Too many people are signing in at this moment.",
		"Wait a minute, then try again.",
	},
	{
		handoff.ErrUnavailable, http.StatusServiceUnavailable, "The store does not answer",
		"Handoff could not read or write its store. What you see elsewhere is not lost.",
		"Wait a minute, then reload the page. If it stays so, look at the server's log and its disk.",
	},
}

var internalAnswer = answer{
	nil, http.StatusInternalServerError, "Something went wrong",
	"This page could not be made. That is a fault of Handoff, not yours. Nothing was changed.",
	"Reload the page. If it stays so, the server's log says more.",
}

type errorPage struct {
	frame
	What, Do string
	SignIn   bool
	Back     string // address of the page to go on from
	To       string // its name, after "To"
}

// notDone is the title where an error has words of its own.
const notDone = "Not done"

// backFrom is the page on which what was posted stands, to decide again: an address
// and its name.
func backFrom(path string) (address, name string) {
	for _, page := range []struct{ below, address, name string }{
		{"/desk/failures", "/desk/failures", "the failures"},
		{"/desk/resolutions", "/desk/failures", "the failures"},
		{"/desk/people", "/desk/people", "the people"},
		{"/desk/account", "/desk/account", "your account"},
		{"/desk/api-keys", "/desk/api-keys", "the keys"},
	} {
		if path == page.below || strings.HasPrefix(path, page.below+"/") {
			return page.address, page.name
		}
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(path, "/desk/leads/"), "/")
	if lead, err := handoff.ParseLeadID(id); err == nil {
		return "/desk/leads/" + string(lead), "the lead"
	}
	return "/desk/leads", "the leads"
}

// fail answers with the page for an error. It never shows the error itself.
func (d *Desk) fail(w http.ResponseWriter, r *http.Request, err error) {
	a := internalAnswer
	for _, known := range answers {
		if errors.Is(err, known.err) {
			a = known
			break
		}
	}
	switch {
	case r.Context().Err() != nil: // the client is gone
	case a.status >= 500:
		d.Log.Error("desk: a request failed", "route", r.Pattern, "err", err)
	}
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "60")
	}
	if words := handoff.WordsOf(err); words != "" {
		a.title, a.what, a.do = notDone, words, "Nothing was changed."
	}
	page := errorPage{frame: frame{Title: a.title}, What: a.what, Do: a.do, SignIn: a.status == http.StatusUnauthorized, Back: "/desk/leads", To: "the leads"}
	if a.status == http.StatusConflict || a.title == notDone {
		page.Back, page.To = backFrom(r.URL.Path)
	}
	if err := d.render(w, a.status, "error", page); err != nil {
		d.Log.Error("desk: the error page", "err", err)
	}
}
