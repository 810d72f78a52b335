// Package calcom speaks Cal.com: it opens signed webhooks and builds booking
// URLs. There is no exported decoder beside [Open], so nobody can read a webhook
// without verifying it.
//
// Facts are from Cal.com's public sources of three generations (December 2025,
// the community edition cal.diy 6.2, and the last public commits of the hosted
// product of April 2026), and from 104 deliveries recorded of a real Cal.com
// 6.0.2. What a comment states as Cal.com's behaviour was read or seen there.
package calcom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"handoff"
)

const (
	// SignatureHeader carries the lower-case hex HMAC-SHA256 of the raw body.
	// Without a configured secret Cal.com sends the words "no-secret-provided".
	//
	// Source: packages/features/webhooks/lib/sendPayload.ts
	SignatureHeader = "X-Cal-Signature-256"

	// VersionHeader names the version of the webhook's shape. Cal.com of 2025 and
	// older does not send it.
	VersionHeader = "X-Cal-Webhook-Version"

	// Version is the only webhook version there has been so far.
	//
	// Source: packages/features/webhooks/lib/interface/IWebhookRepository.ts
	Version = "2021-10-20"

	// MaxBody is the largest body we read, in bytes. The largest recorded had 4,957.
	MaxBody = 256 << 10

	// CarriedName is the metadata key, and the booking question's slug, under
	// which a reference travels.
	CarriedName = "submissionId"
)

// A Trust is what one site believes, and what it can recognise without believing it.
type Trust struct {
	Site    string
	Secrets []string // accepted webhook secrets, current first; an empty one never matches
	Keys    handoff.Keys

	// What follows only diagnoses; nothing that matches it is accepted.
	Retired      []string            // secrets of this site that are no longer accepted
	OtherSecrets map[string][]string // other sites' secrets, by site
	OtherSites   []string            // other sites, for references

	// Undiagnosed says only that a delivery does not verify, not why: to find that
	// out costs more than to verify, and many a forgery is not worth it.
	Undiagnosed bool

	// Signed is told which of Secrets signed a delivery, before it is read. Nil: nobody is.
	Signed func(secret string)
}

// A Delivery is one HTTP request to the webhook route, unverified.
type Delivery struct {
	Body        []byte
	Signature   string
	ContentType string
	Version     string
}

// NewDelivery takes what we read of a request. A header that is given twice is
// no header Cal.com sends, and counts as its values joined, which match nothing.
func NewDelivery(h http.Header, body []byte) Delivery {
	return Delivery{
		Body:        body,
		Signature:   strings.Join(h.Values(SignatureHeader), ","),
		ContentType: h.Get("Content-Type"),
		Version:     h.Get(VersionHeader),
	}
}

// Digest names the bytes of a delivery to a site: the first net against doing
// anything twice.
func (d Delivery) Digest(site string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s\n", len(site), site)
	h.Write(d.Body)
	return hex.EncodeToString(h.Sum(nil))
}

// A Refusal is why a delivery is not an event. It unwraps to
// handoff.ErrUnverified, or to handoff.ErrInvalid if Cal.com did sign the body.
type Refusal struct {
	Reason  handoff.Reason
	Detail  string // in plain words; of the body's content at most its trigger
	Trigger string // where known, of a verified body
	kind    error
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return "calcom: " + string(r.Reason)
	}
	return "calcom: " + string(r.Reason) + ": " + r.Detail
}

// Unwrap returns the kind of refusal.
func (r *Refusal) Unwrap() error { return r.kind }

// Open verifies a delivery against what a site trusts and returns the event it
// tells. On an error, which is always a *Refusal, there is no event.
//
// A body is verified before anything in it is read. The reference it carries is
// judged here too, once.
func Open(t Trust, d Delivery) (handoff.Event, error) {
	signed := signer(d, t.Secrets)
	if signed < 0 {
		reason, detail := diagnose(t, d)
		return handoff.Event{}, &Refusal{Reason: reason, Detail: detail, kind: handoff.ErrUnverified}
	}
	if t.Signed != nil {
		t.Signed(t.Secrets[signed])
	}
	return decode(t, d)
}
