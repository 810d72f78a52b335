package handoff

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// parse reads a shape from a text such as "object, uid text, team object".
func parse(s string) Shape {
	out := Shape{"": "object"}
	for _, field := range strings.Split(s, ", ") {
		path, kind, _ := strings.Cut(field, " ")
		out[path] = kind
	}
	return out
}

// What is told of a body after others, whatever kept what was learned.
func TestLearn(t *testing.T) {
	const plain = "uid text, place null, people list, people[] object, people[].email text"
	for _, c := range []struct {
		name   string
		before []string // each learned from LearnedAfter times
		body   string
		want   []string
	}{
		{"nothing is new", []string{plain}, plain, nil},
		{"a field is new", []string{plain}, plain + ", team text", []string{"team is new (text)"}},
		{"a field is gone", []string{plain}, strings.Replace(plain, "uid text, ", "", 1), []string{"uid is gone"}},
		{"a field that Cal.com leaves out now and then", []string{plain + ", seldom text"}, plain, nil},
		{"a field has another kind", []string{plain}, strings.Replace(plain, "uid text", "uid number", 1), []string{"uid was text and is number"}},
		{"an element has lost a field", []string{plain}, strings.Replace(plain, ", people[].email text", "", 1), []string{"people[].email is gone"}},
		{"an element has a new field", []string{plain}, plain + ", people[].zone text", []string{"people[].zone is new (text)"}},
		{"an empty list says nothing of its elements", []string{plain}, "uid text, place null, people list", nil},
		{"null is no kind", []string{plain}, strings.Replace(plain, "uid text", "uid null", 1), nil},
		{"a null gets a kind", []string{plain}, strings.Replace(plain, "place null", "place text", 1), nil},
		{"a null becomes an object, whose fields are learned first", []string{plain}, strings.Replace(plain, "place null", "place object, place.city text", 1), nil},
		{"a field that is there now and then may be gone", []string{plain, "uid text, people list"}, "uid text, people list", nil},
		{"a field that Cal.com sends now and then", []string{plain}, plain + ", usual text", nil},
		{"and has another kind than it is known with", []string{plain}, plain + ", usual object", []string{"usual is new (object)"}},
		{"an object that is gone is told once, without its fields", []string{plain + ", team object, team.id number"}, plain, []string{"team is gone"}},
		{"all of it", []string{plain}, "place text, people text, seat text", []string{"people was list and is text", "seat is new (text)", "uid is gone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			known := map[string]Field{}
			learn := func(body string) []string {
				learned, changes := Learn(known, parse(body), func(path, kind string) bool {
					return path == "usual" && kind == "text" || path == "seldom" && kind == ""
				})
				for _, f := range learned {
					known[f.Path] = f
				}
				return changes
			}
			for i, body := range c.before {
				for n := range LearnedAfter {
					if got := learn(body); i == 0 && len(got) > 0 {
						t.Fatalf("told while it was learned, the %d. time: %v", n+1, got)
					}
				}
			}
			if got := learn(c.body); !slices.Equal(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
			if got := learn(c.body); len(got) > 0 {
				t.Errorf("told again: %q", got)
			}
		})
	}
}

// Nothing is told before enough was seen, and nothing is kept once all is known.
func TestLearningEnds(t *testing.T) {
	known := map[string]Field{}
	no := func(string, string) bool { return false }
	for n := range 3 * LearnedAfter {
		body := parse("uid text")
		if n < LearnedAfter {
			body[fmt.Sprint("odd", n)] = "text"
		}
		learned, changes := Learn(known, body, no)
		for _, f := range learned {
			known[f.Path] = f
		}
		if len(changes) > 0 {
			t.Errorf("body %d: %v", n, changes)
		}
		if n > LearnedAfter && len(learned) > 0 {
			t.Errorf("body %d: kept %+v", n, learned)
		}
	}
}

// However many names a sender makes up, what is known of a trigger has an end, and what
// was known before it is watched as before.
func TestKnownFieldsAreBounded(t *testing.T) {
	known, told := map[string]Field{}, 0
	learn := func(body Shape) []string {
		learned, changes := Learn(known, body, func(string, string) bool { return false })
		for _, f := range learned {
			known[f.Path] = f
		}
		return changes
	}
	for range LearnedAfter {
		learn(Shape{"": "object", "uid": "text"})
	}
	for i := range 100 {
		body := Shape{"": "object", "uid": "text"}
		for j := range 100 {
			body[fmt.Sprintf("f%d_%d", i, j)] = "text"
		}
		told += len(learn(body))
	}
	if len(known) > MaxFields || told > 2*MaxFields {
		t.Errorf("%d fields are known, and %d changes were told", len(known), told)
	}
	if got := learn(Shape{"": "object", "uid": "number"}); !slices.Contains(got, "uid was text and is number") {
		t.Errorf("what changed is not told any more: %v", got)
	}
}
