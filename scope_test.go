package handoff_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"handoff"
)

// A key is made only with a name, scopes that there are, sites or all, and an end
// within two years.
func TestAPIKeyCheck(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	good := handoff.APIKey{Name: "reports", Scopes: []handoff.Scope{handoff.LeadsRead}, ExpiresAt: now.AddDate(2, 0, 0)}
	for name, c := range map[string]struct {
		change func(*handoff.APIKey)
		says   string
	}{
		"right":              {func(*handoff.APIKey) {}, ""},
		"of one site":        {func(k *handoff.APIKey) { k.Sites = []string{"acme"} }, ""},
		"without a name":     {func(k *handoff.APIKey) { k.Name = "" }, "a name, such as"},
		"spaces":             {func(k *handoff.APIKey) { k.Name = " x" }, "a name, such as"},
		"long":               {func(k *handoff.APIKey) { k.Name = strings.Repeat("x", 61) }, "60 characters"},
		"two lines":          {func(k *handoff.APIKey) { k.Name = "a\nb" }, "in one line"},
		"not different ones": {func(k *handoff.APIKey) { k.Scopes = nil }, "at least one thing"},
		"unknown scope":      {func(k *handoff.APIKey) { k.Scopes = []handoff.Scope{"leads:erase"} }, "different scopes of these: leads:read, "},
		"a scope twice":      {func(k *handoff.APIKey) { k.Scopes = append(k.Scopes, handoff.LeadsRead) }, "different scopes of these: leads:read, "},
		"no site":            {func(k *handoff.APIKey) { k.Sites = []string{} }, "at least one site"},
		"two sites in one":   {func(k *handoff.APIKey) { k.Sites = []string{"a b"} }, "site IDs"},
		"a site twice":       {func(k *handoff.APIKey) { k.Sites = []string{"a", "a"} }, "site IDs"},
		"without an end":     {func(k *handoff.APIKey) { k.ExpiresAt = time.Time{} }, "expires"},
		"expired":            {func(k *handoff.APIKey) { k.ExpiresAt = now }, "expires"},
		"more than 2 years":  {func(k *handoff.APIKey) { k.ExpiresAt = now.AddDate(2, 0, 3) }, "two years"},
	} {
		k := good
		c.change(&k)
		err := k.Check(now)
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, handoff.ErrInvalid) || !strings.Contains(handoff.WordsOf(err), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// A key that only reads is a viewer, and none is an owner.
func TestRoleOfScopes(t *testing.T) {
	for _, c := range []struct {
		scopes []handoff.Scope
		want   handoff.Role
	}{
		{nil, handoff.RoleViewer},
		{[]handoff.Scope{handoff.LeadsRead, handoff.FailuresRead, handoff.SitesRead, handoff.AuditRead}, handoff.RoleViewer},
		{[]handoff.Scope{handoff.LeadsWrite}, handoff.RoleOperator},
		{[]handoff.Scope{handoff.LeadsRead, handoff.FailuresWrite}, handoff.RoleOperator},
		{handoff.Scopes, handoff.RoleOperator},
	} {
		if got := handoff.RoleOf(c.scopes); got != c.want {
			t.Errorf("%v: %s, want %s", c.scopes, got, c.want)
		}
	}
}
