package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// keepDeadline bounds how long somebody waits for our disk: a self-hosted Cal.com
// keeps the visitor's Confirm button waiting that long.
const keepDeadline = 10 * time.Second

// Bounds on what is in memory at once. Who finds no place is asked to come again;
// nothing is kept of it.
const (
	smallBody   = 16 << 10 // bytes; Cal.com's own have fewer than 5,000
	maxLarge    = 64       // bodies above that, from anybody
	maxWaiting  = 2048     // verified deliveries that wait for the disk
	maxForgers  = 1024     // unverified ones, in a line of their own
	maxForgery  = 100      // unverified ones of one source in a minute that are looked at
	maxSiteFlow = 1000     // and of one site
)

// slots bound how many do something at once.
type slots chan struct{}

// take takes a place, and reports whether there was one. It does not wait.
func (p slots) take() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p slots) leave() { <-p }

// receiveWebhook takes one delivery from Cal.com.
//
//	200  stored: new, a repetition, or matched to nothing yet; leads move later
//	401  signature missing or wrong; kept in the failure queue, nothing changed
//	404  no such site
//	413  body over calcom.MaxBody
//	415  signed, but not sent as JSON; kept in the failure queue
//	422  signed, but not understood; kept in the failure queue
//	503  could not be stored, or too many at once: Cal.com's hosted service sends it again
//
// Never 410, at which Cal.com switches the webhook off, and never a 3xx, which it
// does not follow. The answer waits for nothing but the disk.
func (s *Server) receiveWebhook(w http.ResponseWriter, r *http.Request) {
	site := s.byID[r.PathValue("site")]
	if site == nil {
		answer(w, http.StatusNotFound, "no such site", "Check the end of the webhook's address in Cal.com.")
		return
	}
	body, done, err := s.readBody(w, r)
	defer done()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errBusy):
		s.comeAgain(w)
		return
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, "body too large", "Cal.com's own bodies are far smaller.")
		return
	case err != nil:
		answer(w, http.StatusBadRequest, "body incomplete", "Send it again.")
		return
	}
	d := calcom.NewDelivery(r.Header, body)
	kept := handoff.Delivery{
		Site: site.ID, Digest: d.Digest(site.ID), Signature: header(d.Signature, 200), ContentType: header(d.ContentType, 100),
		Source: s.Source(r), ReceivedAt: s.Now().UTC(),
	}
	trust := site.trust(kept.ReceivedAt)
	trust.Undiagnosed = s.forging(kept)
	trust.Signed = func(secret string) { s.Store.Sign(site.ID, SecretSign(s.Keys[0], secret), kept.ReceivedAt) }
	event, err := calcom.Open(trust, d)
	// From here on the delivery is ours to keep: a sender that hangs up must not
	// undo the write.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepDeadline)
	defer cancel()
	var refusal *calcom.Refusal
	switch {
	case !errors.As(err, &refusal):
		s.accept(ctx, w, kept, body, event)
	case errors.Is(refusal, handoff.ErrUnverified):
		s.distrust(ctx, w, r, kept, d, refusal)
	default:
		s.refuse(ctx, w, kept, d, refusal)
	}
}

// SecretSign is the sign that a webhook secret gives: it names the secret to who has the
// reference key, and tells nobody what it is.
func SecretSign(k handoff.Key, secret string) string {
	h := hmac.New(sha256.New, derive(k, "secret"))
	h.Write([]byte(secret))
	return store.SignSecret + hex.EncodeToString(h.Sum(nil)[:4])
}

// readBody reads at most calcom.MaxBody. Small bodies, as Cal.com's are, need no
// place, so that nobody's large ones keep them out. done gives the place back.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 {
		b.Grow(int(min(n, smallBody)) + bytes.MinRead)
	}
	in := http.MaxBytesReader(w, r.Body, calcom.MaxBody)
	if n, err := b.ReadFrom(io.LimitReader(in, smallBody+1)); err != nil || n <= smallBody {
		return b.Bytes(), done, err
	}
	if !s.large.take() {
		return nil, done, errBusy
	}
	_, err = b.ReadFrom(in)
	return b.Bytes(), s.large.leave, err
}

// header is a header's value as it can be stored: cut, and what is no text in it
// replaced, which PostgreSQL refuses.
func header(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "\uFFFD") }

// accept keeps an event.
func (s *Server) accept(ctx context.Context, w http.ResponseWriter, d handoff.Delivery, body []byte, event handoff.Event) {
	if !s.waiting.take() {
		s.comeAgain(w)
		return
	}
	defer s.waiting.leave()
	d.Trigger, d.Body = event.Trigger, calcom.RedactEvent(body)
	isNew, err := s.Store.KeepEvent(ctx, d, event)
	switch {
	case err != nil:
		s.notKept(w, d.Site, err)
	case isNew:
		answer(w, http.StatusOK, "stored", "")
	default:
		answer(w, http.StatusOK, "already stored", "")
	}
}

// refuse keeps what Cal.com signed and we could not read, and says so.
func (s *Server) refuse(ctx context.Context, w http.ResponseWriter, d handoff.Delivery, came calcom.Delivery, refusal *calcom.Refusal) {
	if !s.waiting.take() {
		s.comeAgain(w)
		return
	}
	defer s.waiting.leave()
	d.Trigger, d.Body, d.Sealed = refusal.Trigger, calcom.Redact(came.Body), s.seal(d.Site, came)
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

// distrust keeps what proved nothing, or, of who sends too much of it, only the
// number. The answer names no more than a stranger may know; the failure queue
// says the rest.
func (s *Server) distrust(ctx context.Context, w http.ResponseWriter, r *http.Request, d handoff.Delivery, came calcom.Delivery, refusal *calcom.Refusal) {
	if !s.forgers.take() {
		s.comeAgain(w)
		return
	}
	defer s.forgers.leave()
	var err error
	if s.forgeryLimit.OnLimit(w, r, forger(d)) || s.siteForgeryLimit.OnLimit(w, r, d.Site) {
		err = s.Store.CountUnverified(ctx, d)
	} else {
		d.Body, d.Sealed = calcom.Redact(came.Body), s.seal(d.Site, came)
		err = s.Store.KeepUnverified(ctx, d, refusal.Reason, refusal.Detail)
	}
	if err != nil {
		s.notKept(w, d.Site, err)
		return
	}
	answer(w, http.StatusUnauthorized, "signature missing or wrong", "Enter this site's webhook secret in the webhook's settings in Cal.com.")
}

// seal encrypts a body that could not be read, so that it can be read again once its
// reason is gone; what is shown of it has lost what its signature covers. One that is
// larger than any of Cal.com's is not kept whole. Its version stands before it, since that
// says how it is to be read.
func (s *Server) seal(site string, d calcom.Delivery) []byte {
	if len(d.Body) > smallBody {
		return nil
	}
	return s.Keys.Seal(site, append([]byte(header(d.Version, maxVersion)+"\n"), d.Body...))
}

// maxVersion is longer than any version of Cal.com's, in bytes.
const maxVersion = 100

// Reader opens deliveries of the site that were kept sealed, with the secrets of the
// moment, as if they came now.
func (s *Site) Reader(keys handoff.Keys, now func() time.Time) store.Reader {
	return func(d handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
		plain, err := keys.Unseal(s.ID, d.Sealed)
		version, body, whole := bytes.Cut(plain, []byte("\n"))
		if err == nil && !whole {
			err = handoff.ErrInvalid
		}
		if err != nil {
			return d, handoff.Event{}, fmt.Errorf("the body was sealed with another reference key: %w", err)
		}
		event, err := calcom.Open(s.trust(now()), calcom.Delivery{Body: body, Signature: d.Signature, ContentType: d.ContentType, Version: string(version)})
		var refusal *calcom.Refusal
		if errors.As(err, &refusal) && !errors.Is(err, handoff.ErrUnverified) {
			d.Trigger, d.Body = refusal.Trigger, calcom.Redact(body) // it stays sealed, to be read once it can be
			return d, handoff.Event{}, &store.Unread{Reason: refusal.Reason, Detail: refusal.Detail, Err: err}
		}
		if err != nil {
			return d, handoff.Event{}, err
		}
		d.Trigger, d.Body, d.Sealed = event.Trigger, calcom.RedactEvent(body), nil
		return d, event, nil
	}
}

// forging reports that a delivery, if it proves nothing, is only counted.
func (s *Server) forging(d handoff.Delivery) bool {
	ofSource, _, _ := s.forgeryLimit.Status(forger(d))
	ofSite, _, _ := s.siteForgeryLimit.Status(d.Site)
	return !ofSource || !ofSite
}

// forger is what unverified deliveries are counted by: a part of the source's
// digest, so that a million sources are no million counters.
func forger(d handoff.Delivery) string { return d.Source[:4] }

func (s *Server) notKept(w http.ResponseWriter, site string, err error) {
	s.Log.Error("a delivery could not be stored", "site", site, "err", err)
	s.comeAgain(w)
}

func (s *Server) comeAgain(w http.ResponseWriter) {
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
