package calcom

import (
	_ "embed"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
)

// Limits of a shape. Cal.com's own bodies have about 100 fields, four deep.
const (
	maxFields = 500
	maxNested = 12
)

// ShapeOf tells which fields a body has. It is nil for a body that is no JSON object.
//
// Names that people choose (of questions, of metadata) are not in it, nor is anything
// below them: they are not Cal.com's, and differ from booking to booking.
func ShapeOf(body []byte) handoff.Shape {
	out := handoff.Shape{}
	dec := jsontext.NewDecoder(strings.NewReader(string(body)), anyText, anyNames)
	if deep(body) || dec.PeekKind() != '{' || outline(dec, out, "", 0) != nil {
		return nil
	}
	return out
}

// outline notes the value that comes next, which stands at a path.
func outline(dec *jsontext.Decoder, out handoff.Shape, path string, depth int) error {
	kind := kindWords[dec.PeekKind()]
	if len(out) < maxFields && (out[path] == "" || out[path] == "null") { // of a list's elements the first that is something
		out[path] = kind
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	if kind != "object" && kind != "list" || freeNames[name] || depth >= maxNested {
		return dec.SkipValue()
	}
	open, err := dec.ReadToken()
	if err != nil {
		return err
	}
	for inner := path + "[]"; dec.PeekKind() != '}' && dec.PeekKind() != ']'; {
		if open.Kind() == '{' {
			name, err := dec.ReadToken()
			if err != nil {
				return err
			}
			inner = strings.TrimPrefix(path+"."+plainName(name.String()), ".")
		}
		if err := outline(dec, out, inner, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}

var kindWords = map[jsontext.Kind]string{'"': "text", '0': "number", 't': "truth", 'f': "truth", 'n': "null", '[': "list", '{': "object"}

// freeNames are the fields whose own fields people name.
var freeNames = map[string]bool{"metadata": true, "responses": true, "userFieldsResponses": true, "customInputs": true, "bookingFieldsResponses": true, "data": true, "tracking": true}

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,59}$`)

// plainName is a field's name, unless it is not of the form that Cal.com's have.
func plainName(name string) string {
	if plain.MatchString(name) {
		return name
	}
	return "*"
}

// usualFields are what the bodies that this version was tested with have, a line each: a
// path and a kind; or a trigger, a path and "absent" where some of its bodies lack the
// field. Cal.com writes the bodies of one trigger in several ways (calcom.md §1.5). A test
// writes the list anew from them.
//
//go:embed fields.txt
var usualFields string

var usual = func() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(usualFields) {
		out[strings.TrimSpace(line)] = true
	}
	return out
}()

// Usual tells of a trigger's fields what Cal.com is known to do: that it sends one of a
// kind, in some bodies, or, with an empty kind, that it leaves it out of some.
func Usual(trigger string) func(path, kind string) bool {
	return func(path, kind string) bool {
		if kind == "" {
			return leftOut[path] || usual[trigger+" "+path+" absent"]
		}
		return usual[path+" "+kind]
	}
}

// leftOut are fields that depend on how the booking went, whatever the trigger: only a
// booking that replaced another one has the first five, and a cancellation is written in
// ways that lack the others (calcom.md §1.5).
var leftOut = nameSet("payload.rescheduleUid payload.rescheduleId payload.rescheduleStartTime payload.rescheduleEndTime payload.rescheduledBy " +
	"payload.eventTypeId payload.iCalSequence payload.status")
