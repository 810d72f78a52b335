package handoff

import (
	"errors"
	"fmt"
)

// The few errors that mean something to a caller. Everything else is internal.
var (
	// ErrNotFound: no such site, service, lead, reference or failure. (HTTP 404)
	ErrNotFound = errors.New("not found")

	// ErrInvalid: what came in is not of the form it must have. (HTTP 400 or 422)
	ErrInvalid = errors.New("invalid")

	// ErrUnverified: a delivery's signature is missing or wrong. (HTTP 401)
	ErrUnverified = errors.New("unverified")

	// ErrForbidden: who asks may not do that. (HTTP 403)
	ErrForbidden = errors.New("forbidden")

	// ErrConflict: somebody else did it, or something else, before. (HTTP 409)
	ErrConflict = errors.New("conflict")

	// ErrUnavailable: the store could not keep it now; trying again may help. (HTTP 503)
	ErrUnavailable = errors.New("unavailable")
)

// refused is an error with words for the person who asked.
type refused struct {
	words string
	kind  error
}

// Refuse makes an error of a kind, such as ErrConflict, that says to the person who asked
// what is in the way and what to do. See WordsOf.
func Refuse(kind error, format string, args ...any) error {
	return refused{fmt.Sprintf(format, args...), kind}
}

// Error is the words; of what kind the error is, they say themselves.
func (r refused) Error() string { return r.words }

// Unwrap returns the kind.
func (r refused) Unwrap() error { return r.kind }

// WordsOf returns what Refuse was given to say; empty if err is no such error.
func WordsOf(err error) string {
	var r refused
	if errors.As(err, &r) {
		return r.words
	}
	return ""
}
