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

// The document names each reason and each act that there is: a filter by another one is
// refused.
func TestDocumentNamesWhatThereIs(t *testing.T) {
	var reasons []string
	for _, r := range handoff.ReasonTexts {
		reasons = append(reasons, string(r.Reason))
	}
	_, operations, err := readDocument()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		operation, parameter string
		want                 []string
	}{{"listFailures", "reason", reasons}, {"listAudit", "action", handoff.Actions}} {
		o := operations[slices.IndexFunc(operations, func(o operation) bool { return o.ID == r.operation })]
		p := o.Parameters[slices.IndexFunc(o.Parameters, func(p parameter) bool { return p.Name == r.parameter })]
		if got, want := slices.Sorted(slices.Values(p.Schema.Enum)), slices.Sorted(slices.Values(r.want)); !slices.Equal(got, want) {
			t.Errorf("%s: the document has %v, and there are %v", r.parameter, got, want)
		}
	}
}
