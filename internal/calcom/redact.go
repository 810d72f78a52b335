package calcom

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// secretNames are the fields whose values let their reader do something: accept
// or reject the booking (oneTimePassword, with the uid that is also in the body),
// join the call, fetch a recording, ring a visitor.
var secretNames = map[string]bool{
	"oneTimePassword": true, "password": true, "secret": true,
	"downloadLink": true, "downloadLinks": true, "recordingLink": true,
	"connectAndJoinUrl": true, "joinUrl": true, "videoCallUrl": true, "meetingUrl": true, "hangoutLink": true,
	"phoneNumber": true, "smsReminderNumber": true, "attendeePhoneNumber": true,
}

const redacted = `"[redacted]"`

// links finds addresses in a body that is not JSON, where no field name tells
// what is secret.
var links = regexp.MustCompile(`https?://[^\s"'<>]+`)

// Redact returns a body as it may be stored and shown: secret values replaced,
// every other byte as it came. It is for after verification: the signature and
// the digest are of the original.
func Redact(body []byte) []byte {
	dec := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	var out []byte
	kept := 0 // how much of body is in out
	for {
		kind, n := dec.StackIndex(dec.StackDepth())
		isName := kind == '{' && n%2 == 0
		tok, err := dec.ReadToken()
		if err != nil {
			break
		}
		if !isName || tok.Kind() != '"' {
			continue
		}
		name := tok.String()
		at := string(dec.StackPointer())
		inVideo := strings.HasSuffix(at, "/videoCallData/"+name)
		isLocation := name == "location" || strings.Contains(at, "/location/")
		if !secretNames[name] && !(inVideo && name == "url") && !isLocation {
			continue
		}
		if isLocation && dec.PeekKind() != '"' {
			continue // a question named "location" holds an object
		}
		value, err := dec.ReadValue()
		if err != nil {
			break
		}
		if len(value) <= 2 || value.Kind() == 'n' || (isLocation && !bytes.HasPrefix(value, []byte(`"http`))) {
			continue
		}
		end := int(dec.InputOffset())
		out = append(append(out, body[kept:end-len(value)]...), redacted...)
		kept = end
	}
	if !jsontext.Value(body).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) {
		return links.ReplaceAllLiteral(body, []byte("[redacted]"))
	}
	return append(out, body[kept:]...)
}
