package calcom_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
	"handoff/internal/calcom"
)

// Signed, a body becomes an event or an error, never both, and an event is
// complete. Unsigned, it never becomes an event.
func FuzzOpen(f *testing.F) {
	for _, e := range examples(f) {
		d := e.real()
		f.Add(d.Body, d.ContentType, d.Version, d.Signature)
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType, version, forged string) {
		d := calcom.Delivery{Body: body, ContentType: contentType, Version: version, Signature: signature(secret, body)}
		if e, err := calcom.Open(trust, d); err != nil {
			refused(t, e, err, handoff.ErrInvalid)
		} else {
			checkEvent(t, e)
			if again, err := calcom.Open(trust, d); err != nil || asJSON(t, again) != asJSON(t, e) {
				t.Errorf("twice the same body: %+v and %+v, %v", e, again, err)
			}
		}
		if d.Signature != forged {
			d.Signature = forged
			e, err := calcom.Open(trust, d)
			refused(t, e, err, handoff.ErrUnverified)
		}
	})
}

// JSON stays JSON, of which whole values are replaced at most; a second time
// changes nothing; and what stands under a secret's name is gone.
func FuzzRedact(f *testing.F) {
	for _, e := range examples(f) {
		f.Add(e.body)
	}
	f.Add([]byte(`{"triggerEvent":"x","createdAt":"x","payload":{"location":["https://x"],"one\u0054imePassword":[{"a":1}]}}`))
	f.Add([]byte("password: x\nhttps://x.example/y +447700900123 " + otp))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		got := calcom.Redact(body)
		if !bytes.Equal(body, before) {
			t.Fatal("Redact wrote into the body")
		}
		if again := calcom.Redact(got); !bytes.Equal(got, again) {
			t.Fatalf("%q\nthen %q", got, again)
		}
		if json.Valid(body) && !json.Valid(got) {
			t.Fatalf("no JSON any more: %q", got)
		}
		checkNoSecret(t, got)
	})
}

// checkNoSecret looks into JSON on its own: no value under a name that is one of
// ours, in whatever case, may be a text or a number.
func checkNoSecret(t *testing.T, body []byte) {
	t.Helper()
	dec := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		kind, n := dec.StackIndex(dec.StackDepth())
		tok, err := dec.ReadToken()
		if err != nil {
			return
		}
		if kind != '{' || n%2 != 0 || tok.Kind() != '"' {
			continue
		}
		name := strings.ToLower(tok.String())
		for _, secret := range []string{"onetimepassword", "password", "downloadlink", "connectandjoinurl", "phonenumber", "videocallurl", "client_secret"} {
			if !strings.Contains(name, secret) {
				continue
			}
			value, err := dec.ReadValue()
			if err != nil {
				return
			}
			bare := strings.Trim(string(value), "{}[] \t\r\n")
			if bare != "" && bare != `""` && bare != `"`+placed+`"` && value.Kind() != 'n' && value.Kind() != 't' && value.Kind() != 'f' {
				t.Fatalf("%s is still %s", name, value)
			}
			break
		}
	}
}

// Only what Sign made for the site verifies: not one character of a reference may
// be another.
func FuzzReference(f *testing.F) {
	right := keys.Sign(site, dana)
	for _, ref := range []string{right, keys.Sign("other-site", dana), keys[1:].Sign(site, omar), string(dana), right + "A", right + "\n", right[:len(right)-1], strings.ToUpper(right), "."} {
		f.Add(site, ref)
	}
	f.Add("brightwater\n", right)
	f.Fuzz(func(t *testing.T, site, ref string) {
		id, err := keys.Open(site, ref)
		if err != nil {
			if id != "" || !errors.Is(err, handoff.ErrInvalid) {
				t.Fatalf("%q beside %v", id, err)
			}
			return
		}
		for i := range keys {
			if keys[i:].Sign(site, id) == ref {
				return
			}
		}
		t.Fatalf("%q is a reference to %s that nobody signed", ref, id)
	})
}
