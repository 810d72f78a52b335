package handoff

import (
	"fmt"
	"slices"
	"strings"
	"time"
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

// Check returns ErrInvalid with what is wrong with a key that is to be made now.
func (k APIKey) Check(now time.Time) error {
	switch {
	case strings.TrimSpace(k.Name) != k.Name || k.Name == "":
		return fmt.Errorf("a key needs a name, without spaces around it: %w", ErrInvalid)
	case tooLong(k.Name, MaxKeyName) || !printable(k.Name, false):
		return fmt.Errorf("a key's name has %d characters at most, and no line breaks: %w", MaxKeyName, ErrInvalid)
	case len(k.Scopes) == 0:
		return fmt.Errorf("a key needs at least one scope: %w", ErrInvalid)
	case k.Sites != nil && len(k.Sites) == 0:
		return fmt.Errorf("a key needs at least one site: %w", ErrInvalid)
	case !k.ExpiresAt.After(now):
		return fmt.Errorf("a key has to expire, at a time to come: %w", ErrInvalid)
	case k.ExpiresAt.Sub(now) > MaxKeyLife:
		return fmt.Errorf("a key lives for two years at most: %w", ErrInvalid)
	}
	for i, s := range k.Scopes {
		if !slices.Contains(Scopes, s) {
			return fmt.Errorf("there is no scope %q: %w", clip(string(s), 40), ErrInvalid)
		}
		if slices.Contains(k.Scopes[:i], s) {
			return fmt.Errorf("the scope %s is there twice: %w", s, ErrInvalid)
		}
	}
	for _, s := range k.Sites {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' }) {
			return fmt.Errorf("%q is no site: %w", clip(s, 40), ErrInvalid)
		}
	}
	return nil
}
