package web

import (
	"errors"
	"net/http"

	"handoff"
	"handoff/internal/content"
	"handoff/internal/web/public"
)

// Errors of requests that no lower floor knows.
var (
	errCrossOrigin = errors.New("a write from another site")
	errTooLarge    = errors.New("larger than any form")
	errTooMany     = errors.New("too many requests")
	errBusy        = errors.New("too many open streams")
	errInternal    = errors.New("internal error")
)

// statuses is the one table from errors to answers. What is not in it is
// internal: logged, and answered with 500. The words for each status are
// public.NewError's.
var statuses = []struct {
	err    error
	status int
}{
	{handoff.ErrNotFound, http.StatusNotFound},
	{handoff.ErrInvalid, http.StatusBadRequest},
	{errCrossOrigin, http.StatusForbidden},
	{errTooLarge, http.StatusRequestEntityTooLarge},
	{errTooMany, http.StatusTooManyRequests},
	{errBusy, http.StatusServiceUnavailable},
	{handoff.ErrUnavailable, http.StatusServiceUnavailable},
}

// fail answers with the page for an error. It never shows the error itself.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	for _, t := range statuses {
		if errors.Is(err, t.err) {
			status = t.status
			break
		}
	}
	if status >= 500 {
		s.Log.Error("a request failed", "route", r.Pattern, "err", err)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "60")
	}
	var site *content.Site
	if of := s.siteOf(r); of != nil {
		site = of.Content
	}
	s.render(w, status, public.NewError(site, status))
}
