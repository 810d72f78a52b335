package calcom

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
)

// noSecret is what Cal.com sends in place of a signature for a webhook without a
// secret. It is never compared with anything.
const noSecret = "no-secret-provided"

// sign is Cal.com's signature of a body: HMAC-SHA256 over the exact bytes, in
// lower-case hex, nothing else covered.
func sign(secret string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// verified reports whether one of the secrets signed the body.
func verified(d Delivery, secrets []string) bool { return signer(d, secrets) >= 0 }

// signer is the number of the first secret that signed the body; -1: none did.
func signer(d Delivery, secrets []string) int {
	if len(d.Signature) != hex.EncodedLen(sha256.Size) {
		return -1
	}
	return slices.IndexFunc(secrets, func(secret string) bool {
		return secret != "" && hmac.Equal([]byte(sign(secret, d.Body)), []byte(d.Signature))
	})
}

// Limits of diagnosis: what is beyond is simply "wrong", so that a flood of
// large forgeries costs little.
const (
	maxDiagnosed  = 64 << 10 // bytes
	maxOtherSites = 50
)

// diagnose says why a delivery did not verify, as far as can be told for sure.
func diagnose(t Trust, d Delivery) (handoff.Reason, string) {
	switch {
	case d.Signature == "":
		return handoff.SignatureMissing, ""
	case d.Signature == noSecret:
		return handoff.NoSecretProvided, ""
	case t.Undiagnosed || len(d.Body) > maxDiagnosed:
		return handoff.SignatureWrong, ""
	case verified(d, t.Retired):
		return handoff.SignatureRetired, ""
	}
	others := slices.Sorted(maps.Keys(t.OtherSecrets))
	for _, site := range others[:min(len(others), maxOtherSites)] {
		if verified(d, t.OtherSecrets[site]) {
			return handoff.SignatureOtherSite, "signed with the secret of " + site
		}
	}
	for _, body := range asSent(d.Body) {
		if verified(Delivery{Body: body, Signature: d.Signature}, t.Secrets) {
			return handoff.BodyReencoded, ""
		}
	}
	return handoff.SignatureWrong, ""
}

// asSent guesses what Cal.com sent where a proxy re-encoded it: Cal.com writes
// JSON.stringify's form, without white space and with the fewest escapes.
func asSent(body []byte) [][]byte {
	trimmed := bytes.TrimSpace(body)
	out := [][]byte{trimmed}
	compact := jsontext.Value(bytes.Clone(trimmed))
	if deep(trimmed) || compact.Compact(anyNames) != nil {
		return out
	}
	out = append(out, bytes.Clone(compact))
	if compact.Format(anyNames, jsontext.PreserveRawStrings(false)) == nil {
		out = append(out, compact)
	}
	return out
}
