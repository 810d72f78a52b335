package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"handoff"
	"handoff/internal/calcom"
)

// webhookDeadline bounds how long Cal.com waits for our disk: a self-hosted one
// keeps the visitor's Confirm button waiting that long.
const webhookDeadline = 10 * time.Second

// receiveWebhook takes one delivery from Cal.com.
//
//	200  stored: new, a repetition, or matched to nothing yet; leads move later
//	401  signature missing or wrong; kept in the failure queue, nothing changed
//	404  no such site
//	413  body over calcom.MaxBody
//	415  signed, but not sent as JSON; kept in the failure queue
//	422  signed, but not understood; kept in the failure queue
//	503  could not be stored: Cal.com's hosted service sends it again
//
// Never 410, at which Cal.com switches the webhook off, and never a 3xx, which it
// does not follow. The answer waits for nothing but the disk.
func (s *Server) receiveWebhook(w http.ResponseWriter, r *http.Request) {
	site := s.byID[r.PathValue("site")]
	if site == nil {
		answer(w, http.StatusNotFound, "no such site", "Check the end of the webhook's address in Cal.com.")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, calcom.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, "body too large", "Cal.com's own bodies are far smaller.")
		return
	case err != nil:
		answer(w, http.StatusBadRequest, "body incomplete", "Send it again.")
		return
	}
	// From here on the delivery is ours to keep: a sender that hangs up must not
	// undo the write.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), webhookDeadline)
	defer cancel()
	d := calcom.NewDelivery(r.Header, body)
	kept := handoff.Delivery{
		Site: site.ID, Digest: d.Digest(site.ID), Signature: clip(d.Signature, 200), ContentType: clip(d.ContentType, 100),
		Body: calcom.Redact(body), Source: s.Source(r), ReceivedAt: s.Now().UTC(),
	}
	event, err := calcom.Open(site.trust(kept.ReceivedAt), d)
	var refusal *calcom.Refusal
	if errors.As(err, &refusal) {
		s.refuse(ctx, w, kept, refusal)
		return
	}
	kept.Trigger = event.Trigger
	isNew, err := s.Store.KeepEvent(ctx, kept, event)
	if err != nil {
		s.notKept(w, site.ID, err)
		return
	}
	if isNew {
		answer(w, http.StatusOK, "stored", "")
		return
	}
	answer(w, http.StatusOK, "already stored", "")
}

// refuse keeps a delivery that is not an event, and says so. The answer names no
// more than a stranger may know; the failure queue says the rest.
func (s *Server) refuse(ctx context.Context, w http.ResponseWriter, d handoff.Delivery, refusal *calcom.Refusal) {
	d.Trigger = refusal.Trigger
	if errors.Is(refusal, handoff.ErrUnverified) {
		select {
		case s.unverified <- struct{}{}:
			defer func() { <-s.unverified }()
		case <-ctx.Done():
			s.notKept(w, d.Site, ctx.Err())
			return
		}
		if err := s.Store.KeepUnverified(ctx, d, refusal.Reason, refusal.Detail); err != nil {
			s.notKept(w, d.Site, err)
			return
		}
		answer(w, http.StatusUnauthorized, "signature missing or wrong", "Enter this site's webhook secret in the webhook's settings in Cal.com.")
		return
	}
	if err := s.Store.KeepNotUnderstood(ctx, d, refusal.Reason, refusal.Detail); err != nil {
		s.notKept(w, d.Site, err)
		return
	}
	status := http.StatusUnprocessableEntity
	if media, _, _ := mime.ParseMediaType(d.ContentType); media != "application/json" {
		status = http.StatusUnsupportedMediaType
	}
	answer(w, status, "not understood", "Remove the custom payload template from the webhook in Cal.com. The body waits in the failure queue.")
}

func (s *Server) notKept(w http.ResponseWriter, site string, err error) {
	s.Log.Error("a delivery could not be stored", "site", site, "err", err)
	w.Header().Set("Retry-After", "10")
	answer(w, http.StatusServiceUnavailable, "could not be stored", "Send it again.")
}

// answer writes the small JSON that Cal.com's test button shows to a person.
func answer(w http.ResponseWriter, status int, result, do string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct { // the client may be gone
		Result string `json:"result"`
		Do     string `json:"do,omitempty"`
	}{result, do})
}

// clip cuts a header for storing.
func clip(s string, n int) string { return s[:min(len(s), n)] }
