package web

import (
	"net/http"

	"handoff"
	"handoff/internal/web/public"
)

// stop asks whether to stop reminders. It changes nothing: programs that look through
// mail open every link in it.
func (s *Server) stop(w http.ResponseWriter, r *http.Request, site *Site) error {
	return s.showStop(w, r, site, false)
}

// stopped stops reminders to whoever sent a form: by the page's button, or by the one
// click of a mail program (RFC 8058). Whoever has the reference may.
//
//	200  stopped, now or before
//	404  a reference that we did not sign, or an erased submission
func (s *Server) stopped(w http.ResponseWriter, r *http.Request, site *Site) error {
	id, err := s.Keys.Open(site.ID, r.PathValue("reference"))
	if err != nil {
		return handoff.ErrNotFound
	}
	if err := s.Store.StopReminders(r.Context(), site.ID, id); err != nil {
		return err
	}
	return s.showStop(w, r, site, true)
}

func (s *Server) showStop(w http.ResponseWriter, r *http.Request, site *Site, stopped bool) error {
	private(w)
	v, err := s.visitor(r, site)
	if err != nil {
		return err
	}
	s.render(w, http.StatusOK, public.NewStop(site.Content, "/book/"+v.reference, stopped))
	return nil
}
