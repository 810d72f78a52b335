package api

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"handoff"
)

// The page about the API has every type of problem that there is, and every scope.
func TestPageIsWhole(t *testing.T) {
	page, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := func(pattern string) (out []string) {
		for _, m := range regexp.MustCompile(`(?m)^\| `+"`"+pattern).FindAllStringSubmatch(string(page), -1) {
			out = append(out, fmt.Sprint(m[1:]))
		}
		slices.Sort(out)
		return out
	}
	var want, scopes []string
	for _, k := range append(slices.Clone(kinds), internalKind) {
		want = append(want, fmt.Sprint([]string{problemBase + k.name, fmt.Sprint(k.status)}))
	}
	for _, s := range handoff.Scopes {
		scopes = append(scopes, fmt.Sprint([]string{string(s)}))
	}
	slices.Sort(want)
	slices.Sort(scopes)
	if got := rows("(/api/v1/problems/[a-z-]+)` \\| ([0-9]+) "); !slices.Equal(got, slices.Compact(want)) {
		t.Errorf("the page has %v, and there are %v", got, slices.Compact(want))
	}
	if got := rows("([a-z]+:[a-z]+)` "); !slices.Equal(got, scopes) {
		t.Errorf("the page has %v, and there are %v", got, scopes)
	}
}
