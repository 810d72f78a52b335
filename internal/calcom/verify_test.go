package calcom_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/calcom"
)

const created = `{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T09:30:00.538Z","payload":{"uid":"8mWdT2kQe4RfYpX1sLhC9v","title":"Größe: 3/4 \"Haus\" <b>","status":"ACCEPTED"}}`

// Why a delivery proves nothing. Only the two rows without a reason are accepted.
func TestVerify(t *testing.T) {
	trust := trust
	trust.Secrets = []string{secret, "whsec_previous", ""}
	trust.Retired = []string{"", "whsec_retired"}
	trust.OtherSecrets = map[string][]string{"greenhill": {"", "whsec_greenhill"}, "oakwood": {"whsec_oakwood"}}

	sign := func(secret, body string) string { return signature(secret, []byte(body)) }
	right := sign(secret, created)
	escaped := strings.NewReplacer("/", `\/`, "ß", `\u00df`, "<", `\u003c`).Replace(created)
	half := strings.Replace(created, "Haus", `\ud800`, 1)
	pretty := strings.NewReplacer(",", ",\n  ", ":{", ": {").Replace(created)

	for name, tt := range map[string]struct {
		body, signature string
		want            handoff.Reason
		detail          string
	}{
		"right":                        {created, right, "", ""},
		"right, with the previous one": {created, sign("whsec_previous", created), "", ""},

		"none":                            {created, "", handoff.SignatureMissing, ""},
		"no secret at Cal.com":            {created, "no-secret-provided", handoff.NoSecretProvided, ""},
		"signed with an empty secret":     {created, sign("", created), handoff.SignatureWrong, ""},
		"signed with Cal.com's words":     {created, sign("no-secret-provided", created), handoff.SignatureWrong, ""},
		"signed with a guess":             {created, sign("guess", created), handoff.SignatureWrong, ""},
		"signed with a retired secret":    {created, sign("whsec_retired", created), handoff.SignatureRetired, ""},
		"signed with another site's":      {created, sign("whsec_greenhill", created), handoff.SignatureOtherSite, "signed with the secret of greenhill"},
		"of another body":                 {strings.Replace(created, "9v", "9w", 1), right, handoff.SignatureWrong, ""},
		"upper case":                      {created, strings.ToUpper(right), handoff.SignatureWrong, ""},
		"with a prefix":                   {created, "sha256=" + right, handoff.SignatureWrong, ""},
		"cut":                             {created, right[:63], handoff.SignatureWrong, ""},
		"one character more":              {created, right + "0", handoff.SignatureWrong, ""},
		"padded":                          {created, " " + right, handoff.SignatureWrong, ""},
		"twice":                           {created, right + "," + right, handoff.SignatureWrong, ""},
		"white space added on the way":    {pretty, right, handoff.BodyReencoded, ""},
		"escapes added on the way":        {escaped, right, handoff.BodyReencoded, ""},
		"a line's end added on the way":   {created + "\r\n", right, handoff.BodyReencoded, ""},
		"the same, half a character":      {strings.Replace(half, ",", ", ", 1), sign(secret, half), handoff.BodyReencoded, ""},
		"the same, a template's text":     {"uid=u1\n", sign(secret, "uid=u1"), handoff.BodyReencoded, ""},
		"re-encoded, and changed":         {strings.Replace(pretty, "ACCEPTED", "accepted", 1), right, handoff.SignatureWrong, ""},
		"re-encoded, retired secret":      {created + "\n", sign("whsec_retired", created), handoff.SignatureWrong, ""},
		"an empty body":                   {"", right, handoff.SignatureWrong, ""},
		"too large to be worth diagnosis": {created + strings.Repeat(" ", 64<<10), right, handoff.SignatureWrong, ""},
	} {
		d := calcom.Delivery{Body: []byte(tt.body), Signature: tt.signature, ContentType: "application/json"}
		var by []string
		trust.Signed = func(secret string) { by = append(by, secret) }
		e, err := calcom.Open(trust, d)
		if signer := map[string]string{"right": secret, "right, with the previous one": "whsec_previous"}[name]; tt.want == "" != (len(by) == 1) || signer != strings.Join(by, "") {
			t.Errorf("%s: signed by %q, want %q", name, by, signer)
		}
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := refused(t, e, err, handoff.ErrUnverified); got.Reason != tt.want || got.Detail != tt.detail {
			t.Errorf("%s: refused for %q (%q), want %q (%q)", name, got.Reason, got.Detail, tt.want, tt.detail)
		}
	}
}

// A site without a secret believes nothing, least of all what is signed with none.
func TestWithoutSecretsNothingVerifies(t *testing.T) {
	for _, secrets := range [][]string{nil, {}, {""}, {"", ""}} {
		for _, sig := range []string{"", "no-secret-provided", signature("", []byte(created)), signature(secret, []byte(created))} {
			trust := calcom.Trust{Site: site, Secrets: secrets, Retired: secrets, OtherSecrets: map[string][]string{"a": secrets}, Keys: keys}
			e, err := calcom.Open(trust, calcom.Delivery{Body: []byte(created), Signature: sig, ContentType: "application/json"})
			if got := refused(t, e, err, handoff.ErrUnverified).Reason; got == handoff.SignatureRetired || got == handoff.SignatureOtherSite || got == handoff.BodyReencoded {
				t.Errorf("secrets %q, signature %q: %q", secrets, sig, got)
			}
		}
	}
}

// The diagnosis does not depend on a map's order, and stops at 50 sites.
func TestOtherSitesAreDiagnosedInOrder(t *testing.T) {
	trust := calcom.Trust{Site: site, OtherSecrets: map[string][]string{}}
	for i := range 60 {
		trust.OtherSecrets[fmt.Sprintf("site-%02d", i)] = []string{fmt.Sprint("secret ", i)}
	}
	for i, want := range map[int]handoff.Reason{0: handoff.SignatureOtherSite, 49: handoff.SignatureOtherSite, 50: handoff.SignatureWrong, 59: handoff.SignatureWrong} {
		d := calcom.Delivery{Body: []byte(created), Signature: signature(fmt.Sprint("secret ", i), []byte(created))}
		e, err := calcom.Open(trust, d)
		if got := refused(t, e, err, handoff.ErrUnverified); got.Reason != want {
			t.Errorf("site %d: %q, want %q", i, got.Reason, want)
		}
	}
}

// Whatever a body says, without the right signature nothing of it comes through.
func TestNothingIsReadBeforeVerification(t *testing.T) {
	texts := []string{"", "null", "{", created, `{"triggerEvent":"PING"}`, strings.Repeat("[", 20_000), `{"triggerEvent":"<script>","triggerEvent":"x"}`}
	for _, e := range examples(t) {
		texts = append(texts, string(e.body))
	}
	for _, text := range texts {
		for _, d := range []calcom.Delivery{
			{Body: []byte(text), Signature: signature("wrong", []byte(text)), ContentType: "application/json"},
			{Body: []byte(text), Signature: signature("wrong", []byte(text)), ContentType: "text/html", Version: "1999-01-01"},
		} {
			before := bytes.Clone(d.Body)
			e, err := calcom.Open(trust, d)
			if got := refused(t, e, err, handoff.ErrUnverified); got.Reason != handoff.SignatureWrong || got.Detail != "" || got.Trigger != "" {
				t.Errorf("%.60s: %+v", text, got)
			}
			if !bytes.Equal(before, d.Body) {
				t.Errorf("%.60s: Open wrote into the body", text)
			}
		}
	}
}

func TestNewDelivery(t *testing.T) {
	right := signature(secret, []byte(created))
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for pair := range slices.Chunk(pairs, 2) {
			h.Add(pair[0], pair[1])
		}
		return h
	}
	for name, tt := range map[string]struct {
		header http.Header
		want   handoff.Reason // "" is accepted
	}{
		"Cal.com's":                {header("Content-Type", "application/json", "X-Cal-Signature-256", right), ""},
		"with the version":         {header("Content-Type", "application/json", "x-cal-signature-256", right, "X-Cal-Webhook-Version", "2021-10-20"), ""},
		"none":                     {header(), handoff.SignatureMissing},
		"given twice":              {header("Content-Type", "application/json", "X-Cal-Signature-256", right, "X-Cal-Signature-256", right), handoff.SignatureWrong},
		"given twice, first wrong": {header("Content-Type", "application/json", "X-Cal-Signature-256", "0", "X-Cal-Signature-256", right), handoff.SignatureWrong},
		"given twice, first empty": {header("Content-Type", "application/json", "X-Cal-Signature-256", "", "X-Cal-Signature-256", right), handoff.SignatureWrong},
		"another version":          {header("Content-Type", "application/json", "X-Cal-Signature-256", right, "X-Cal-Webhook-Version", "2027-01-01"), handoff.UnknownVersion},
		"under a similar name":     {header("Content-Type", "application/json", "X-Cal-Signature", right), handoff.SignatureMissing},
	} {
		e, err := calcom.Open(trust, calcom.NewDelivery(tt.header, []byte(created)))
		var refusal *calcom.Refusal
		if errors.As(err, &refusal); (err == nil) != (tt.want == "") || refusal != nil && refusal.Reason != tt.want {
			t.Errorf("%s: %v, %v; want %q", name, e.ID, err, tt.want)
		}
	}
}

// A delivery's digest is of the site and the bytes, and of nothing else.
func TestDigest(t *testing.T) {
	digest := func(site, body, sig string) string {
		return calcom.Delivery{Body: []byte(body), Signature: sig}.Digest(site)
	}
	if digest("a", "x", "1") != digest("a", "x", "2") {
		t.Error("the signature changes the digest")
	}
	seen := map[string]bool{}
	for _, got := range []string{digest("a", "x", ""), digest("b", "x", ""), digest("a", "x ", ""), digest("", "a\nx", ""), digest("a\nx", "", ""), digest("a", "", "")} {
		if seen[got] || len(got) != 64 {
			t.Errorf("digest %s is not of one delivery alone", got)
		}
		seen[got] = true
	}
}

// refused checks that a delivery gave no event, and returns why.
func refused(t testing.TB, e handoff.Event, err, kind error) *calcom.Refusal {
	t.Helper()
	var refusal *calcom.Refusal
	if !errors.As(err, &refusal) || e != (handoff.Event{}) {
		t.Fatalf("event %+v, error %v", e, err)
	}
	other := handoff.ErrInvalid
	if kind == handoff.ErrInvalid {
		other = handoff.ErrUnverified
	}
	if !errors.Is(err, kind) || errors.Is(err, other) {
		t.Errorf("%v is not (only) %v", err, kind)
	}
	text := refusal.Reason.Text()
	if wantKind := map[error]handoff.FailureKind{handoff.ErrUnverified: handoff.FailedDelivery, handoff.ErrInvalid: handoff.FailedEvent}[kind]; text.Kind != wantKind {
		t.Errorf("reason %q is documented as %q", refusal.Reason, text.Kind)
	}
	return refusal
}
