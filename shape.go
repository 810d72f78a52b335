package handoff

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Shape says which fields a webhook's body has and of what kind each is, and nothing
// of what is in them: paths such as "payload.attendees[].email" → "text". The body
// itself has the empty path. The kinds are "text", "number", "truth", "null", "list" and
// "object".
type Shape map[string]string

// A Field is what is known of one field of a trigger's bodies.
type Field struct {
	Path      string
	Kinds     []string // those that it had, sorted; "null" is none
	Objects   int      // how often it was an object, as far as LearnedAfter
	Sometimes bool     // it was missing once where its parent was not
}

// LearnedAfter is how many bodies of a site's trigger are learned from in silence; and,
// of a part that only some bodies have, how many of those. Cal.com's bodies differ by
// what a site's event types ask and use, so a field that is new before says nothing.
const LearnedAfter = 20

// MaxFields is how many fields are known of a site's trigger at most. Cal.com's own
// bodies have a tenth of that: who makes up names without end is not remembered.
const MaxFields = 2000

// Learn compares a body with what is known of its trigger's bodies. It returns the
// fields that are to be kept anew, sorted by path, and what changed, in words; nothing
// changes while it is still learned. usual tells of paths and kinds that Cal.com is
// known to send now and then, and, with an empty kind, of paths that it is known to leave
// out; these are no news.
//
// What changed once is known from then on, so that it is told once.
func Learn(known map[string]Field, body Shape, usual func(path, kind string) bool) (learned []Field, changes []string) {
	told := func(path string) bool { return known[parentOf(path)].Objects >= LearnedAfter }
	free := MaxFields - len(known)
	for _, path := range slices.Sorted(maps.Keys(body)) {
		kind := body[path]
		f, ok := known[path]
		if !ok {
			if free--; free < 0 {
				continue
			}
		}
		before := f
		f.Path, f.Kinds = path, slices.Clone(f.Kinds)
		switch {
		case !ok:
			f.Sometimes = known[parentOf(path)].Objects > 0
			if path != "" && told(path) && !usual(path, kind) {
				changes = append(changes, fmt.Sprintf("%s is new (%s)", path, kind))
			}
		case len(f.Kinds) > 0 && kind != "null" && !slices.Contains(f.Kinds, kind) && told(path) && !usual(path, kind):
			changes = append(changes, fmt.Sprintf("%s was %s and is %s", path, strings.Join(f.Kinds, " or "), kind))
		}
		if kind != "null" && !slices.Contains(f.Kinds, kind) {
			f.Kinds = append(f.Kinds, kind)
			slices.Sort(f.Kinds)
		}
		if kind == "object" {
			f.Objects = min(f.Objects+1, LearnedAfter)
		}
		if !ok || f.Objects != before.Objects || len(f.Kinds) != len(before.Kinds) {
			learned = append(learned, f)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(known)) {
		f := known[path]
		if _, here := body[path]; here || f.Sometimes || path == "" || body[parentOf(path)] != "object" {
			continue
		}
		f.Sometimes = true
		learned = append(learned, f)
		if told(path) && !usual(path, "") {
			changes = append(changes, path+" is gone")
		}
	}
	slices.SortFunc(learned, func(a, b Field) int { return strings.Compare(a.Path, b.Path) })
	return learned, changes
}

// parentOf is the path of what a field is in. An element of a list has none that could
// be without it: a list can be empty.
func parentOf(path string) string {
	if strings.HasSuffix(path, "[]") {
		return path[:len(path)-2]
	}
	return path[:max(strings.LastIndexByte(path, '.'), 0)]
}
