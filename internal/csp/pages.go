package csp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Public returns the policy of every public page: our own files and nothing
// else, no inline script or style, no script that writes HTML.
//
// It needs no nonce, so pages can be cached. Tried in Chromium 156: JSON-LD is
// data and raises no violation.
func Public() Policy {
	return Policy{
		{"default-src", []string{none}},
		{"script-src", []string{"'self'"}},
		{"style-src", []string{"'self'"}},
		{"img-src", []string{"'self'"}},
		{"connect-src", []string{"'self'"}},
		{"base-uri", []string{none}},
		{"form-action", []string{"'self'"}},
		{"frame-ancestors", []string{none}},
		{"require-trusted-types-for", []string{"'script'"}},
		{"trusted-types", []string{none}},
	}
}

// Booking returns the policy of the page with the calendar: Public, and frames
// from the site's Cal.com origins. At least one origin is needed; each must
// satisfy [Origin].
func Booking(origins ...string) (Policy, error) {
	if len(origins) == 0 {
		return nil, fmt.Errorf("csp: no Cal.com origin, so the calendar could not load: %w", ErrInvalid)
	}
	list, err := checked(origins)
	if err != nil {
		return nil, err
	}
	return Public().With("frame-src", list...), nil
}

// Desk returns the policy of the operator's desk: Public, and one Trusted Types
// policy, named handoff-desk, for the library that swaps parts of the page.
func Desk() Policy {
	return Public().With("trusted-types", "handoff-desk")
}

// PermissionsPolicy returns the value of the Permissions-Policy header: nothing
// is permitted but payment, and that only to the site's Cal.com origins, for
// event types that are paid in the calendar. Without origins not even that.
func PermissionsPolicy(origins ...string) (string, error) {
	list, err := checked(origins)
	if err != nil {
		return "", err
	}
	for i, o := range list {
		list[i] = `"` + o + `"`
	}
	return "camera=(), microphone=(), geolocation=(), payment=(" + strings.Join(list, " ") + ")", nil
}

// checked returns the origins in normal form, each once, or all their errors.
func checked(origins []string) ([]string, error) {
	var list []string
	var errs []error
	for _, o := range origins {
		o, err := Origin(o)
		if err != nil {
			errs = append(errs, err)
		} else if !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	return list, errors.Join(errs...)
}
