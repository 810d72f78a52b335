package calsim

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Faults say what goes wrong with deliveries from now on. The zero value is a
// Cal.com that works as its generation does. Several can be on together; among
// the signing faults the first of Unsigned, NoSecret, Forge, OldSecret counts.
type Faults struct {
	// Count is for how many deliveries the faults last, counted per event and
	// webhook; after them everything is off again. 0 means until changed.
	Count int `json:"count,omitempty"`

	Duplicate int           `json:"duplicate,omitempty"` // send each delivery this many extra times
	Drop      bool          `json:"drop,omitempty"`      // never send
	Hold      bool          `json:"hold,omitempty"`      // keep until Release
	Delay     time.Duration `json:"delay,omitempty"`     // send this much later, in the background; nanoseconds in JSON

	Unsigned  bool `json:"unsigned,omitempty"`  // no signature header (MEETING_* before mid-2024)
	NoSecret  bool `json:"noSecret,omitempty"`  // the header says no-secret-provided
	Forge     bool `json:"forge,omitempty"`     // sign with a random secret
	OldSecret bool `json:"oldSecret,omitempty"` // sign with Config.OldSecret, as queued jobs do after a change

	Alter    bool `json:"alter,omitempty"`    // change the body after signing
	Reencode bool `json:"reencode,omitempty"` // the same JSON with other white space, after signing, as a bad proxy does

	// Before signing, so that the signature is right:
	StripMetadata   bool `json:"stripMetadata,omitempty"`   // no metadata, and no answer to the reference's question
	ChangeReference bool `json:"changeReference,omitempty"` // other last characters in the carried reference
}

// names lists the faults that are on, for the delivery log.
func (f Faults) names() []string {
	var out []string
	for _, x := range []struct {
		on   bool
		name string
	}{
		{f.Duplicate > 0, "duplicate"},
		{f.Drop, "drop"},
		{f.Hold, "hold"},
		{f.Delay > 0, "delay"},
		{f.Unsigned, "unsigned"},
		{f.NoSecret, "no secret"},
		{f.Forge, "forged"},
		{f.OldSecret, "old secret"},
		{f.Alter, "altered"},
		{f.Reencode, "re-encoded"},
		{f.StripMetadata, "stripped"},
		{f.ChangeReference, "changed reference"},
	} {
		if x.on {
			out = append(out, x.name)
		}
	}
	return out
}

// SetFaults replaces all faults. Deliveries that are held stay held until
// Release.
func (s *Sim) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Faults are those that the next delivery will meet.
func (s *Sim) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// takeFaults are the faults of one delivery. It needs mu.
func (s *Sim) takeFaults() Faults {
	f := s.faults
	if s.faults.Count > 0 {
		s.faults.Count--
		if s.faults.Count == 0 {
			s.faults = Faults{}
		}
	}
	return f
}

// The headers and their values on the wire (calcom.md §1.2, §1.3, §1.4).
const (
	signatureHeader = "X-Cal-Signature-256"
	versionHeader   = "X-Cal-Webhook-Version"
	webhookVersion  = "2021-10-20"
	noSecretWords   = "no-secret-provided"
)

// seal makes the bytes and the signature header of one delivery. The header is
// "" for none.
func (f Faults) seal(o object, key, secret, oldSecret string) (body []byte, signature string, err error) {
	if f.StripMetadata {
		o = strip(o, key)
	}
	if f.ChangeReference {
		o = changeReference(o, key)
	}
	body, err = encode(o)
	if err != nil {
		return nil, "", err
	}
	signature = f.signature(body, secret, oldSecret)
	if f.Alter {
		body = alter(body)
	}
	if f.Reencode {
		var buf bytes.Buffer
		if err := json.Indent(&buf, body, "", "  "); err != nil {
			return nil, "", err
		}
		body = buf.Bytes()
	}
	return body, signature, nil
}

func (f Faults) signature(body []byte, secret, oldSecret string) string {
	switch {
	case f.Unsigned:
		return ""
	case f.NoSecret:
		return noSecretWords
	case f.Forge:
		return sign(rand.Text(), body)
	case f.OldSecret:
		return sign(cmp.Or(oldSecret, "an old secret that was never set"), body)
	case secret == "":
		return noSecretWords
	}
	return sign(secret, body)
}

// sign is Cal.com's createWebhookSignature: lower-case hex, no prefix.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// strip is o without metadata and without the answer called key, at any depth.
func strip(o object, key string) object {
	out := object{}
	for _, m := range o {
		if m.key == "metadata" || m.key == key {
			continue
		}
		if inner, ok := m.value.(object); ok {
			m.value = strip(inner, key)
		}
		out = append(out, m)
	}
	return out
}

// changeReference is o with another reference wherever one is carried.
func changeReference(o object, key string) object {
	out := object{}
	for _, m := range o {
		switch v := m.value.(type) {
		case object:
			m.value = changeReference(v, key)
			if m.key == key {
				m.value = changeReference(v, "value")
			}
		case string:
			if m.key == key {
				m.value = otherEnd(v)
			}
		}
		out = append(out, m)
	}
	return out
}

// otherEnd is ref with its last four characters replaced by others.
func otherEnd(ref string) string {
	from := max(0, len(ref)-4)
	return ref[:from] + strings.Map(func(r rune) rune {
		if r == 'a' {
			return 'b'
		}
		return 'a'
	}, ref[from:])
}

// alter changes a word of the body and leaves it valid JSON.
func alter(body []byte) []byte {
	if out := bytes.Replace(body, []byte(`"title":"`), []byte(`"title":"Altered: `), 1); len(out) != len(body) {
		return out
	}
	return append(bytes.TrimSuffix(body, []byte("}")), []byte(`,"altered":true}`)...)
}
