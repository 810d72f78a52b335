package handoff

import "errors"

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
