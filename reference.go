package handoff

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
)

// A Key signs references. It is at least 32 random bytes.
type Key []byte

// MinKeyLen is the least length of a Key, in bytes: the length of SHA-256's output.
const MinKeyLen = 32

// Keys are an install's reference keys, newest first. The first one signs; all
// of them verify, so that a key can be replaced while references signed with the
// previous one are still in visitors' mailboxes.
type Keys []Key

// macLen is how many bytes of the HMAC a reference carries: 136 bits, so that
// with the key's ID (8 bits) it makes 24 characters without padding.
const macLen = 17

// id names a key in a reference without telling anything of it. Two keys can
// have one ID; then both are tried.
func (k Key) id() byte { return hmacSum(k, "handoff/key-id")[0] }

// mac binds a submission to a site. The site is length-prefixed, so that no two
// pairs of site and submission give the same text.
func (k Key) mac(site string, id SubmissionID) []byte {
	return hmacSum(k, fmt.Sprintf("handoff/reference/1\n%d:%s\n%s", len(site), site, id))[:macLen]
}

func hmacSum(k Key, text string) []byte {
	h := hmac.New(sha256.New, k)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Sign makes the reference that carries id through Cal.com: the ID, a dot, and
// 24 characters of base64url that hold the key's ID and the signature. It is 55
// characters, well inside what Cal.com takes as a metadata value (500) and safe
// in a URL. It panics without a key, or with one that is too short to sign.
//
// Source of the limit: Cal.com API v2, validate-metadata.ts.
func (ks Keys) Sign(site string, id SubmissionID) string {
	k := ks[0]
	if len(k) < MinKeyLen {
		panic("handoff: a reference key must be at least 32 bytes") // Open would refuse what it signs
	}
	return string(id) + "." + base64.RawURLEncoding.EncodeToString(append([]byte{k.id()}, k.mac(site, id)...))
}

// Open verifies a reference for a site and returns the submission it names. The
// error is ErrInvalid, whatever is wrong with it.
func (ks Keys) Open(site, reference string) (SubmissionID, error) {
	name, sig, _ := strings.Cut(reference, ".")
	id, err := ParseSubmissionID(name)
	if err != nil {
		return "", fmt.Errorf("reference: %w", err)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sig)
	if err != nil || len(raw) != 1+macLen || strings.ContainsAny(sig, "\r\n") {
		return "", fmt.Errorf("reference: signature is not of our form: %w", ErrInvalid)
	}
	for _, k := range ks {
		// Anybody can sign with a key that is empty, so a short one never verifies.
		if len(k) >= MinKeyLen && k.id() == raw[0] && hmac.Equal(k.mac(site, id), raw[1:]) {
			return id, nil
		}
	}
	return "", fmt.Errorf("reference: not signed by us for this site: %w", ErrInvalid)
}

// SignStop makes the reference that stops reminders, and does nothing else. A lead's own
// reference does not stop them: whoever sent the form holds that one, and it need not be
// the person whose address is in it.
func (ks Keys) SignStop(site string, id SubmissionID) string { return ks.Sign(site+stopPurpose, id) }

// OpenStop verifies a reference of SignStop. The error is ErrInvalid, whatever is wrong.
func (ks Keys) OpenStop(site, reference string) (SubmissionID, error) {
	return ks.Open(site+stopPurpose, reference)
}

// stopPurpose is in no site's ID.
const stopPurpose = "/stop"

// A Carrier is a place in Cal.com where a reference travels.
type Carrier string

// The two carriers. Cal.com drops metadata in several flows (calcom.md §9.2),
// so a reference is always given both ways.
const (
	InMetadata Carrier = "metadata" // booking metadata "submissionId"
	InAnswer   Carrier = "answer"   // hidden booking question "submissionId"
)

// A Verdict says what a carried reference proved to be.
type Verdict string

const (
	Valid     Verdict = "valid"      // signed by us for this site
	Forged    Verdict = "forged"     // not signed by us, or altered
	OtherSite Verdict = "other_site" // signed by us for another site of this install
)

// Carried is a reference as it came back from Cal.com, with our verdict. It is
// judged once, when it arrives, so that a key retired later changes no history.
type Carried struct {
	From       Carrier      `json:"from"`
	Verdict    Verdict      `json:"verdict"`
	Submission SubmissionID `json:"submission,omitempty"` // empty unless Valid
}

// Judge verifies a reference that came back, and tells one of another site of
// this install (others) from a forged one.
func (ks Keys) Judge(site string, others []string, from Carrier, reference string) Carried {
	if id, err := ks.Open(site, reference); err == nil {
		return Carried{From: from, Verdict: Valid, Submission: id}
	}
	for _, other := range others {
		if _, err := ks.Open(other, reference); err == nil {
			return Carried{From: from, Verdict: OtherSite}
		}
	}
	return Carried{From: from, Verdict: Forged}
}

// signed finds references, which let their bearer see a booking.
var signed = regexp.MustCompile(`(sub_[0-9a-z]{26})\.[A-Za-z0-9_-]+`)

// HideSignatures makes a received text fit for others than its sender: the references
// in it lose their signature.
func HideSignatures(text string) string {
	return signed.ReplaceAllString(text, "$1.[signature hidden]")
}
