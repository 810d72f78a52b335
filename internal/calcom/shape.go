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

// usualFields are the fields, each with a kind, of the bodies that this version was
// tested with. A test writes it anew from them.
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

// Usual reports that Cal.com is known to send a field of a kind, in some bodies.
func Usual(path, kind string) bool { return usual[path+" "+kind] }
