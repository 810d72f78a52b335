package web

import (
	"net/http"
	"slices"

	"handoff"
	"handoff/internal/web/public"
)

// stop asks whether to stop reminders. It changes nothing: programs that look through
// mail open every link in it.
func (s *Server) stop(w http.ResponseWriter, r *http.Request, site *Site) error {
	id, err := s.Keys.OpenStop(site.ID, r.PathValue("reference"))
	if err != nil {
		return handoff.ErrNotFound
	}
	return s.showStop(w, r, site, id, false)
}

// stopped stops reminders to whoever sent a form: by the page's button, or by the one
// click of a mail program (RFC 8058), which may come from anywhere. Whoever has the
// letter may.
//
//	200  stopped, now or before
//	404  a reference that we did not sign for this, or an erased submission
func (s *Server) stopped(w http.ResponseWriter, r *http.Request, site *Site) error {
	id, err := s.Keys.OpenStop(site.ID, r.PathValue("reference"))
	if err != nil {
		return handoff.ErrNotFound
	}
	if err := s.Store.StopReminders(r.Context(), site.ID, id); err != nil {
		return err
	}
	return s.showStop(w, r, site, id, true)
}

func (s *Server) showStop(w http.ResponseWriter, r *http.Request, site *Site, id handoff.SubmissionID, stopped bool) error {
	private(w)
	lead, err := s.Store.LeadBySubmission(r.Context(), site.ID, id)
	if err != nil {
		return err
	}
	book := ""
	sold := func(sub handoff.Submission) bool { return sub.ID == id && site.Content.Service(sub.Service) != nil }
	if slices.ContainsFunc(lead.Submissions, sold) { // for what is sold no more reminders can be stopped all the same
		book = "/book/" + s.Keys.Sign(site.ID, id)
	}
	s.render(w, http.StatusOK, public.NewStop(site.Content, book, stopped))
	return nil
}
