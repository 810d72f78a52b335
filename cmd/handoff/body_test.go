package main

import (
	"strings"
	"testing"
)

// A body is printed so that a person can read it, and a terminal takes nothing in it for a
// command.
func TestBodiesAreReadable(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"JSON":                 {` {"triggerEvent":"PING","n":[1,2]}` + "\n", "{\n  \"triggerEvent\": \"PING\",\n  \"n\": [\n    1,\n    2\n  ]\n}"},
		"letters":              {`{"name":"Zoë 東京 👋"}`, "{\n  \"name\": \"Zoë 東京 👋\"\n}"},
		"escapes stay":         {`["\u001b[2J\n\"\\"]`, "[\n  \"\\u001b[2J\\n\\\"\\\\\"\n]"},
		"a raw DEL":            {"[\"a\x7fb\"]", "[\n  \"a\\u007fb\"\n]"},
		"a raw C1 control":     {"[\"\u009b2J\"]", "[\n  \"\\u009b2J\"\n]"},
		"text turned around":   {"[\"a\u202eb\u2066c\"]", "[\n  \"a\\u202eb\\u2066c\"\n]"},
		"a line separator":     {"[\"a\u2028b\"]", "[\n  \"a\\u2028b\"\n]"},
		"far out, unprintable": {"[\"\U000E0001\"]", "[\n  \"\\udb40\\udc01\"\n]"},
		"no UTF-8":             {"[\"\x9b2J\"]", "[\n  \"\ufffd2J\"\n]"},
		"a raw escape":         {"[\"\x1b[2J\"]", `"[\"\x1b[2J\"]"`}, // which is no JSON
		"carriage returns":     {"[1,\r\n2]\r\n", "[\n  1,\n  2\n]"},
		"no JSON":              {"reference=x&\x1b[2J", `"reference=x&\x1b[2J"`},
		"two of JSON":          {`{}{}`, `"{}{}"`},
		"nothing":              {"", `""`},
		"too deep":             {strings.Repeat("[", 33) + strings.Repeat("]", 33), `"` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `"`},
	} {
		if got := readable(c.body); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
