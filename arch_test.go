package handoff_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// floors is the whole dependency rule: a package may import packages of lower
// floors only. Packages of one floor do not know one another. A package is named
// by its path below the module, without "internal/".
var floors = [][]string{
	{"", "csp"}, // the words and the rules, and policies: standard library only
	{"calcom/calsim", "calcom", "store", "content", "notify", "pgtest"},
	{"web/public", "web/desk", "web/api"}, // the rooms of web, each of its own
	{"web", "jobs"},                       // what drives the rest: requests and the clock
	{"app"},                               // wires them
	// What starts: the product, and what measures it from outside. The least program
	// it is measured against knows nothing of ours.
	{"cmd/handoff", "bench", "bench/bare"},
}

// lowest is the floor that stands on nothing but the standard library.
const lowest = 0

func TestFloors(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	floorOf := map[string]int{}
	for i, floor := range floors {
		for _, name := range floor {
			floorOf[path(name)] = i
		}
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		seen[p.ImportPath] = true
		floor, ok := floorOf[p.ImportPath]
		if !ok {
			t.Errorf("%s stands on no floor; add it to floors", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if below, ours := floorOf[imported]; ours && below >= floor {
				t.Errorf("%s (floor %d) must not import %s (floor %d)", p.ImportPath, floor, imported, below)
			}
			if floor == lowest && strings.Contains(imported, ".") {
				t.Errorf("%s must import the standard library only, not %s", p.ImportPath, imported)
			}
		}
	}
	for name := range floorOf {
		if !seen[name] {
			t.Errorf("floors names %s, which does not exist", name)
		}
	}
}

func path(name string) string {
	switch {
	case name == "":
		return "handoff"
	case strings.HasPrefix(name, "cmd/"), name == "bench", strings.HasPrefix(name, "bench/"):
		return "handoff/" + name
	}
	return "handoff/internal/" + name
}
