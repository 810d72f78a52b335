package handoff

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestWhoMayDoWhat(t *testing.T) {
	for _, c := range []struct {
		actor Actor
		least Role
		site  string
		want  error
	}{
		{Actor{Role: RoleOwner}, RoleOwner, "a", nil},
		{Actor{Role: RoleOwner}, RoleViewer, "a", nil},
		{Actor{Role: RoleOperator}, RoleOperator, "a", nil},
		{Actor{Role: RoleOperator}, RoleOwner, "a", ErrForbidden},
		{Actor{Role: RoleViewer}, RoleOperator, "a", ErrForbidden},
		{Actor{Role: RoleViewer}, RoleViewer, "a", nil},
		{Actor{Role: RoleOwner, Sites: []string{"a"}}, RoleOwner, "b", ErrNotFound},
		{Actor{Role: RoleViewer, Sites: []string{"a"}}, RoleOperator, "b", ErrNotFound},
		{Actor{Role: RoleOperator, Sites: []string{"a", "b"}}, RoleOperator, "b", nil},
		{Actor{Role: RoleOwner, Sites: []string{}}, RoleViewer, "a", ErrNotFound},
		{Actor{}, RoleViewer, "a", ErrNotFound},
		{Actor{Role: "admin"}, RoleViewer, "a", ErrNotFound},
		{Actor{Role: RoleOwner}, "admin", "a", ErrForbidden},
		{CommandLine, RoleOwner, "a", nil},
	} {
		if got := c.actor.Need(c.least, c.site); !errors.Is(got, c.want) || (c.want == nil) != (got == nil) {
			t.Errorf("%+v, %s at %s: %v, want %v", c.actor, c.least, c.site, got, c.want)
		}
	}
}

func TestSitesThatAreSeen(t *testing.T) {
	all := []string{"a", "b", "c"}
	got := Actor{Role: RoleViewer, Sites: []string{"c", "a", "gone"}}.SeenOf(all)
	if !slices.Equal(got, []string{"a", "c"}) || !slices.Equal(all, []string{"a", "b", "c"}) {
		t.Error(got, all)
	}
	if got := (Actor{}).SeenOf(all); len(got) != 0 {
		t.Error(got)
	}
}

func TestWhatCanBeGranted(t *testing.T) {
	for _, c := range []struct {
		role  Role
		sites []string
		ok    bool
	}{
		{RoleOwner, nil, true},
		{RoleOwner, []string{"a"}, false}, // could give itself the others
		{RoleOperator, nil, true},
		{RoleOperator, []string{"a", "b"}, true},
		{RoleViewer, []string{}, false}, // would be stored as all
		{RoleViewer, []string{""}, false},
		{RoleViewer, []string{"a b"}, false}, // would be stored as two
		{RoleViewer, []string{"a", "a"}, false},
		{"admin", nil, false},
		{"", nil, false},
	} {
		err := CheckGrant(c.role, c.sites)
		if (err == nil) != c.ok || !c.ok && (!errors.Is(err, ErrInvalid) || WordsOf(err) == "") {
			t.Errorf("%s of %q: %v", c.role, c.sites, err)
		}
	}
	for _, c := range []struct {
		name, email string
		ok          bool
	}{
		{"Ann", "ann@example.com", true},
		{"", "ann@example.com", false},
		{" ", "ann@example.com", false},
		{"A\nnn", "ann@example.com", false},
		{"Ann", "ann", false},
		{"Ann", "Ann <ann@example.com>", false},
	} {
		if err := CheckPerson(c.name, c.email); (err == nil) != c.ok {
			t.Errorf("%q, %q: %v", c.name, c.email, err)
		}
	}
}

// Every act that the program writes has a name of the list, and there are no others: who
// filters by another name is refused.
func TestActionsAreAll(t *testing.T) {
	written := regexp.MustCompile(`(?:Action: |\bact\w+ += |aboutCalls\([^"\n]*|\.act\()"([a-z.]+)"`)
	found := map[string]bool{}
	for _, r := range []Remedy{Attach, Dismiss, Verify, AskCal} {
		found["failure."+string(r)] = true
	}
	err := fs.WalkDir(os.DirFS("internal"), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile("internal/" + path)
		for _, m := range written.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
		return err
	})
	delete(found, "failure.") // and what follows are the remedies
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	if err != nil || !slices.Equal(names, Actions) {
		t.Errorf("written are %v, listed are %v (%v)", names, Actions, err)
	}
}
