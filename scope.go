package handoff

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Scope is one thing that a key of the API may do. The names are stored.
type Scope string

const (
	LeadsRead     Scope = "leads:read"     // leads, with their bookings and history
	LeadsWrite    Scope = "leads:write"    // move leads, write notes
	FailuresRead  Scope = "failures:read"  // the failure queue, with what was received
	FailuresWrite Scope = "failures:write" // settle failures
	SitesRead     Scope = "sites:read"     // sites, how they do, and their statements
	AuditRead     Scope = "audit:read"     // what people and keys did
)

// Scopes lists them.
var Scopes = []Scope{LeadsRead, LeadsWrite, FailuresRead, FailuresWrite, SitesRead, AuditRead}

// ScopeNames are scopes as plain text.
func ScopeNames(scopes []Scope) []string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return names
}

// RoleOf is the role in which a key with these scopes acts: an operator's if it may
// write anything, and a viewer's otherwise. No key manages people or keys.
func RoleOf(scopes []Scope) Role {
	if slices.Contains(scopes, LeadsWrite) || slices.Contains(scopes, FailuresWrite) {
		return RoleOperator
	}
	return RoleViewer
}

// Limits of a key of the API.
const (
	MaxKeyName = 60                       // characters
	MaxKeyLife = 2 * 366 * 24 * time.Hour // about two years
)

// An APIKey is what is asked for when a key of the API is made.
type APIKey struct {
	Name      string // unique, as the audit log has it
	Scopes    []Scope
	Sites     []string  // the only ones that it sees; nil: all
	ExpiresAt time.Time // required
}

// Check returns ErrInvalid, with words, for a key that cannot be made at a time.
func (k APIKey) Check(now time.Time) error {
	switch {
	case strings.TrimSpace(k.Name) != k.Name || k.Name == "":
		return Refuse(ErrInvalid, "Give the key a name, such as what it is for, without spaces around it.")
	case tooLong(k.Name, MaxKeyName) || !printable(k.Name, false):
		return Refuse(ErrInvalid, "Give the key a name of %d characters or fewer, in one line.", MaxKeyName)
	case len(k.Scopes) == 0:
		return Refuse(ErrInvalid, "Choose at least one thing that the key may do.")
	case k.Sites != nil && len(k.Sites) == 0:
		return Refuse(ErrInvalid, "Choose at least one site, or all sites.")
	case !k.ExpiresAt.After(now):
		return Refuse(ErrInvalid, "Choose a time to come at which the key expires.")
	case k.ExpiresAt.Sub(now) > MaxKeyLife:
		return Refuse(ErrInvalid, "Choose an earlier end: a key lives for two years at most.")
	}
	for i, s := range k.Scopes {
		if !slices.Contains(Scopes, s) || slices.Contains(k.Scopes[:i], s) {
			return Refuse(ErrInvalid, "Choose different scopes of these: %s.", strings.Join(ScopeNames(Scopes), ", "))
		}
	}
	for i, s := range k.Sites {
		if s == "" || strings.ContainsFunc(s, unicode.IsSpace) || slices.Contains(k.Sites[:i], s) {
			return Refuse(ErrInvalid, "The sites are not a list of different site IDs.")
		}
	}
	return nil
}
