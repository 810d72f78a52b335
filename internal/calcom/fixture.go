package calcom

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
)

// Fixture writes a body anew with placeholders for whatever could be somebody's, so
// that it can be given to others and be a test's: the same fields in the same order, of
// the same kinds, and the same value wherever the same stood. Times, zones and Cal.com's
// own words stay. The error is ErrInvalid if the body is no JSON object.
func Fixture(body []byte) ([]byte, error) {
	var out bytes.Buffer
	f := fixture{
		dec:  jsontext.NewDecoder(bytes.NewReader(body), anyText, anyNames),
		enc:  jsontext.NewEncoder(&out, anyText, anyNames, jsontext.Multiline(true), jsontext.WithIndent("  ")),
		seen: map[string]int{}, count: map[string]int{},
	}
	if deep(body) || f.dec.PeekKind() != '{' {
		return nil, fmt.Errorf("the body is no JSON object: %w", handoff.ErrInvalid)
	}
	if err := f.value("", false); err != nil {
		return nil, fmt.Errorf("the body is no JSON object: %w", handoff.ErrInvalid)
	}
	return out.Bytes(), nil
}

// A fixture is a body that is written anew.
type fixture struct {
	dec   *jsontext.Decoder
	enc   *jsontext.Encoder
	seen  map[string]int // the number of each value, by kind and value
	count map[string]int // of each kind
}

// value writes the value that comes next, which has a name; chosen says that people
// choose the names around it.
func (f *fixture) value(name string, chosen bool) error {
	token, err := f.dec.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case '"':
		return f.enc.WriteToken(jsontext.String(f.text(name, token.String(), chosen)))
	case '0':
		if keptNumbers[name] {
			return f.enc.WriteToken(token)
		}
		return f.enc.WriteToken(jsontext.Int(1000 + int64(f.number("number", token.String()))))
	case '{', '[':
		if err := f.enc.WriteToken(token); err != nil {
			return err
		}
		return f.inside(name, chosen || freeNames[name], token.Kind() == '{')
	}
	return f.enc.WriteToken(token)
}

// inside writes what is in an object or a list, and its end. The elements of a list
// have the list's name.
func (f *fixture) inside(name string, chosen, object bool) error {
	for f.dec.PeekKind() != '}' && f.dec.PeekKind() != ']' {
		if object {
			token, err := f.dec.ReadToken()
			if err != nil {
				return err
			}
			name = f.name(token.String(), chosen)
			if err := f.enc.WriteToken(jsontext.String(name)); err != nil {
				return err
			}
		}
		if err := f.value(name, chosen); err != nil {
			return err
		}
	}
	end, err := f.dec.ReadToken()
	if err != nil {
		return err
	}
	return f.enc.WriteToken(end)
}

// name keeps Cal.com's names, and replaces those that people choose.
func (f *fixture) name(name string, chosen bool) string {
	if name == CarriedName || standardQuestions[name] || !chosen && plain.MatchString(name) {
		return name
	}
	return fmt.Sprintf("name%d", f.number("name", name))
}

// text replaces a text unless it is Cal.com's own. A time that a visitor answered is
// theirs: it may be when they were born.
func (f *fixture) text(name, value string, chosen bool) string {
	if uid, own := strings.CutSuffix(value, "@Cal.com"); own && name == "iCalUID" { // it follows from the uid
		return f.text("uid", uid, chosen) + "@Cal.com"
	}
	for _, k := range textKinds {
		if k.is(name, value) {
			if k.as == "" && chosen && isTime(name, value) {
				continue
			}
			if k.as == "" {
				return value
			}
			return fmt.Sprintf(k.as, f.number(k.as, value))
		}
	}
	return fmt.Sprintf("text%d", f.number("text", value))
}

// number numbers the values of a kind by their first appearance.
func (f *fixture) number(kind, value string) int {
	key := kind + "\x00" + value
	if f.seen[key] == 0 {
		f.count[kind]++
		f.seen[key] = f.count[kind]
	}
	return f.seen[key]
}

// textKinds are the kinds of texts, the first that fits counts, and what to write of
// each; an empty form keeps the value.
var textKinds = []struct {
	is func(name, value string) bool
	as string
}{
	{func(_, v string) bool { return v == "" || v == redacted }, ""},
	{func(name, v string) bool { return keptTexts[name] && word.MatchString(v) }, ""},
	{isTime, ""},
	{func(_, v string) bool { return integration.MatchString(v) }, ""},
	{func(name, _ string) bool { return name == CarriedName }, "reference%d"},
	{func(_, v string) bool { return address.MatchString(v) }, "person%d@example.com"},
	{func(_, v string) bool { return uuid.MatchString(v) }, "00000000-0000-4000-8000-%012d"},
	{func(_, v string) bool { return strings.Contains(v, "://") }, "https://example.com/%d"},
}

func isTime(_, v string) bool { _, err := time.Parse(time.RFC3339, v); return err == nil }

var (
	// word is a word of Cal.com's: a trigger, a zone such as America/Port-au-Prince or
	// Etc/GMT+5, a language, a version. Browsers send zone and language, and they could hold anything.
	word        = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_/+-]{0,59}$|^20[0-9]{2}-[0-9]{2}-[0-9]{2}$`)
	integration = regexp.MustCompile(`^integrations:[a-z0-9_:]{1,40}$`)

	address = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	uuid    = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

	// keptTexts and keptNumbers are fields that say what happened and not to whom.
	keptTexts   = nameSet("triggerEvent status timeZone locale currency schedulingType version timeUnit eventTriggers")
	keptNumbers = nameSet("iCalSequence length price utcOffset count freq interval timeFormat success failures")

	// standardQuestions are those that every booking page of Cal.com has.
	standardQuestions = nameSet("name email guests notes location title rescheduleReason attendeePhoneNumber smsReminderNumber " +
		"label value isHidden optionValue firstName lastName videoCallUrl")
)

func nameSet(words string) map[string]bool {
	out := map[string]bool{}
	for _, word := range strings.Fields(words) {
		out[word] = true
	}
	return out
}
