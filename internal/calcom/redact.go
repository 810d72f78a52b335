package calcom

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// secretNames are the fields whose values let their reader do something: accept
// or reject the booking (oneTimePassword, with the uid that is also in the body),
// book by a private link, join the call, fetch a recording, charge a card (of the
// payment provider's data in flat bodies), ring a visitor. They stand for every
// name that contains one, in whatever case: "meetingPassword", "client_secret".
var secretNames = []string{
	"password", "passcode", "access code", "secret", "token", "api key",
	"hashed link", "download link", "recording link",
	"join url", "video call url", "meeting url", "meeting id", "hangout link", "entry points", "conference id",
	"phone number", "sms reminder number",
}

const redacted = "[redacted]"

// maxSearched is how much is searched of what has no fields to go by, in bytes.
// Cal.com's own bodies have fewer than 5,000; to search 256 KiB takes a fifth of
// a second.
const maxSearched = 16 << 10

// Redact returns a body as it may be stored and shown, without its secrets. It is
// for after verification: the signature and the digest are of the original.
//
// Of JSON, secret values are replaced and every other byte stays as it came. A
// body that is no JSON, such as a custom text template's, has no fields to go by:
// there whatever looks like a secret goes, rather too much than too little.
//
// One thing no rule can see: a secret that a custom template puts into a text of
// its own making, under a name of its own and in no form that we know.
func Redact(body []byte) []byte {
	if out, ok := redactJSON(body); ok {
		return out
	}
	text := body
	for {
		if len(text) > maxSearched {
			// A UUID or a telephone number that is cut in two would not be known.
			text = bytes.TrimRight(text[:maxSearched/2-len(redacted)], "0123456789abcdefABCDEF-+(). ")
			text = append(bytes.Clone(text), redacted...)
		}
		if text = redactText(text); len(text) <= maxSearched { // it can have doubled
			break
		}
	}
	if out, ok := redactJSON(text); ok { // what broke the JSON was in a secret
		return out
	}
	return text
}

// RedactEvent is Redact for a body that Open read: that it is of Cal.com's own
// form is known, and need not be looked for.
func RedactEvent(body []byte) []byte {
	if out, ok := redactValues(body, asItIs); ok {
		return out
	}
	return Redact(body)
}

// A place says which values are secret by where they are.
type place int

const (
	anywhere   place = iota
	inVideo          // below videoCallData: all but its type leads into the call
	inLocation       // below a location: a link is the call's
)

// A redactor copies a body value by value.
type redactor struct {
	dec    *jsontext.Decoder
	body   []byte
	out    []byte
	kept   int                 // how much of body is in out
	places []place             // of what is open at dec, outermost first; the first is the body itself
	clean  func([]byte) []byte // what to show of a text that has no secret's name
}

// redactJSON redacts a body that is one JSON value; ok tells whether it is. Where
// it is not of Cal.com's own form, names tell little, so texts are searched too.
func redactJSON(body []byte) (out []byte, ok bool) {
	all := func([]byte) []byte { return []byte(redacted) }
	switch {
	case deep(body):
		return nil, false
	case calcomForm(body):
		return redactValues(body, asItIs)
	case len(body) > maxSearched:
		return redactValues(body, all)
	}
	if out, ok = redactValues(body, redactText); len(out) > maxSearched {
		return redactValues(out, all)
	}
	return out, ok
}

// asItIs shows a text that has no secret's name.
func asItIs(text []byte) []byte { return text }

func redactValues(body []byte, clean func([]byte) []byte) (out []byte, ok bool) {
	r := redactor{
		dec:    jsontext.NewDecoder(bytes.NewBuffer(body), anyText, anyNames), // of a buffer it makes no copy
		body:   body,
		places: []place{anywhere},
		clean:  clean,
	}
	var name []byte
	for {
		switch kind, n := r.dec.StackIndex(r.dec.StackDepth()); {
		case kind == 0 && n == 1: // the one value is read
			rest := bytes.TrimLeft(body[r.dec.InputOffset():], " \t\r\n")
			return append(r.out, body[r.kept:]...), len(rest) == 0
		case kind == '{' && n%2 == 0 && r.dec.PeekKind() == '"':
			raw, err := r.dec.ReadValue()
			if err != nil {
				return nil, false
			}
			name = append(name[:0], unquote(raw)...) // raw is gone with the next read
			continue
		}
		if err := r.value(name); err != nil {
			return nil, false
		}
		name = name[:0] // the elements of an array have none
	}
}

// value reads one value, or the end of what is open.
func (r *redactor) value(name []byte) error {
	at := r.places[len(r.places)-1].below(name)
	secret := secretName(name)
	switch kind := r.dec.PeekKind(); {
	case kind == '}' || kind == ']':
		r.places = r.places[:len(r.places)-1]
		_, err := r.dec.ReadToken()
		return err
	case (kind == '{' || kind == '[') && !secret:
		r.places = append(r.places, at)
		_, err := r.dec.ReadToken()
		return err
	}
	value, err := r.dec.ReadValue()
	if err != nil {
		return err
	}
	if with := r.instead(value, secret || at == inVideo && string(name) != "type", at == inLocation); with != nil {
		end := int(r.dec.InputOffset())
		r.out = append(append(r.out, r.body[r.kept:end-len(value)]...), with...)
		r.kept = end
	}
	return nil
}

// below is the place of what has a name in p.
func (p place) below(name []byte) place {
	switch string(name) {
	case "videoCallData":
		return inVideo
	case "location", "locations":
		return inLocation
	}
	return p
}

// instead returns what to show instead of a value; nil shows it. Of a list or an
// object it is asked only where the name is a secret's.
func (r *redactor) instead(value jsontext.Value, secret, location bool) []byte {
	switch value.Kind() {
	case 'n', 't', 'f':
		return nil
	case '"':
		text := unquote(value)
		secret = secret || (bytes.IndexByte(text, '+') >= 0 && phone.Match(text)) || location && link.Match(text)
		if len(text) == 0 {
			return nil
		}
		if secret {
			break
		}
		if clean := r.clean(text); !bytes.Equal(clean, text) {
			quoted, _ := jsontext.AppendQuote(nil, bytes.ToValidUTF8(clean, []byte("\uFFFD")))
			return quoted
		}
	case '{', '[':
		secret = len(bytes.Trim(value, "{}[] \t\r\n")) > 0
	}
	if !secret {
		return nil
	}
	return []byte(`"` + redacted + `"`)
}

// unquote reads a JSON text; what is no UTF-8 in it is replaced. The result can be
// part of the argument.
func unquote(text jsontext.Value) []byte {
	if bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
		return text[1 : len(text)-1]
	}
	out, _ := jsontext.AppendUnquote(nil, text) // an error tells only of what was replaced
	return out
}

var (
	link  = regexp.MustCompile(`(?i)//|[a-z0-9-]\.[a-z]{2,}/`)
	phone = regexp.MustCompile(`^\s*(?:tel:)?\+[0-9][0-9 ().-]{5,25}\s*$`)
)

// secretName reports whether a name contains a secret one, or is too long to ask.
// It is asked of every name, and allocates nothing.
func secretName(name []byte) bool {
	if len(name) > maxID {
		return true
	}
	var plain [maxID]byte
	n := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == ' ' || c == '_' || c == '-':
			continue
		case 'A' <= c && c <= 'Z':
			plain[n] = c + 'a' - 'A'
		default:
			plain[n] = c
		}
		n++
	}
	for i, c := range plain[:n] {
		for _, secret := range plainNames[c] {
			if bytes.HasPrefix(plain[i:n], secret) {
				return true
			}
		}
	}
	return false
}

// calcomForm reports whether a body has the outside of Cal.com's own bodies.
func calcomForm(body []byte) bool {
	var env struct {
		TriggerEvent lax[string]   `json:"triggerEvent"`
		CreatedAt    lax[string]   `json:"createdAt"`
		Payload      lax[struct{}] `json:"payload"`
		UID          lax[string]   `json:"uid"` // of a flat body
	}
	return unmarshal(body, &env) == nil && env.TriggerEvent.Set && env.CreatedAt.Set && (env.Payload.Set || env.UID.Set)
}

var (
	words = strings.ReplaceAll(strings.Join(secretNames, "|"), " ", "[ _-]?")

	// plainNames are the names without white space, by their first byte.
	plainNames = func() (out [256][][]byte) {
		for _, name := range secretNames {
			name = strings.ReplaceAll(name, " ", "")
			out[name[0]] = append(out[name[0]], []byte(name))
		}
		return out
	}()

	// named finds a secret's name, a colon, an equals sign or a tag's end after it,
	// and all the rest: where the value ends cannot be told. An escaped letter can
	// hide a name; JSON.stringify never writes one.
	named = regexp.MustCompile(`(?is)(?:((?:` + words + `)(?:[\w"' -]|\\+["'])*(?:[:=>]|%3A|%3D|&#x3D;))|\\u00[2-7][0-9a-f]).*`)

	// loose finds what is secret in itself: links (also percent-encoded, or with
	// escaped slashes), UUIDs (oneTimePassword is one) and telephone numbers.
	loose = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*(?::|%3A)(?:\\?/|%2F){2}[^\s"'<>]+` +
		`|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` +
		`|\+[0-9][0-9 ().-]{5,}[0-9]`)
)

// redactText redacts what has no fields to go by. Names come first: a link can end
// in one whose value it does not hold.
func redactText(text []byte) []byte {
	return loose.ReplaceAllLiteral(named.ReplaceAll(text, []byte("${1}"+redacted)), []byte(redacted))
}
