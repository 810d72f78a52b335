package api

import (
	"errors"
	"net/http"

	"handoff"
	"handoff/internal/store"
)

// Errors of requests that no lower floor knows.
var (
	errNoRoute        = errors.New("no such address")
	errMethod         = errors.New("a method that the address has not")
	errNoKey          = errors.New("no key")
	errBadKey         = errors.New("a key that is none")
	errTooManyRefused = errors.New("too many keys that are none")
	errScope          = errors.New("the key lacks a scope")
	errTooMany        = errors.New("too many requests")
	errParameter      = errors.New("a parameter is wrong")
	errBody           = errors.New("the body is wrong")
	errContent        = errors.New("the body is wrong in what it says")
	errMediaType      = errors.New("the body is no JSON")
	errTooLarge       = errors.New("the body is too large")
	errReused         = errors.New("another request has this Idempotency-Key")
)

// A Problem is an error as it is answered, by RFC 9457. Its JSON is stable.
type Problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []fault `json:"errors,omitempty"`
}

// A fault is one thing that is wrong with a request.
type fault struct {
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"`
	Header    string `json:"header,omitempty"`
	Pointer   string `json:"pointer,omitempty"` // into the body: "#" and a JSON pointer
}

// An invalid is the error of a request with faults.
type invalid struct {
	error
	faults []fault
}

func (e invalid) Unwrap() error { return e.error }

// A kind of problem: an error, and what is answered to it. Names never change.
type kind struct {
	err           error
	status        int
	name          string
	title, detail string
}

// problemBase is what all types of problems begin with.
const problemBase = Base + "/problems/"

// kinds is the one table from errors to problems. The first that fits counts; what is not
// in it is internal: logged, and never shown.
var kinds = []kind{
	{errNoRoute, 404, "not-found", "Not found", "There is no such address. The document at " + Base + "/openapi.json has all there are."},
	{errMethod, 405, "method-not-allowed", "Method not allowed", "The address has other methods only; see the header Allow."},
	{errNoKey, 401, "unauthorized", "Unauthorized", "Send a key of the API as: Authorization: Bearer hk_…"},
	{errBadKey, 401, "unauthorized", "Unauthorized", "The key is not one of this install, has expired, or was revoked. An owner can make another with: handoff keys create"},
	{errTooManyRefused, 429, "too-many-requests", "Too many requests", "Too many requests without a working key came from your network. Wait five minutes, then send a key that works."},
	{errTooMany, 429, "too-many-requests", "Too many requests", "The key asks more than 100 times in a second. Wait, then ask again."},
	{errScope, 403, "insufficient-scope", "The key may not do that", "The key lacks the scope that the operation needs; the header WWW-Authenticate names it. Make a key that has it."},
	{errParameter, 400, "invalid-parameter", "A parameter is wrong", "Correct what errors names, and ask again."},
	{errBody, 400, "invalid-body", "The body is not understood", "The body must be one JSON object with the members that the document names, and no others."},
	{errContent, 422, "invalid", "Not possible so", "Correct what errors names, and send it again. Nothing was changed."},
	{errMediaType, 415, "unsupported-media-type", "The body is no JSON", "Send the body as: Content-Type: application/json"},
	{errTooLarge, 413, "too-large", "The body is too large", "A body has 64 KiB at most."},
	{errReused, 422, "idempotency-key-reused", "The Idempotency-Key is taken", "Another request was sent under this Idempotency-Key within the last day. Nothing was changed. Give each write a name of its own."},
	{store.ErrUnderWay, 409, "under-way", "The same write is under way", "Another request with this Idempotency-Key is being done at this moment. Send it again to get its answer."},
	{handoff.ErrNotFound, 404, "not-found", "Not found", "It is not there, was erased, or is of a site that the key does not see."},
	{handoff.ErrForbidden, 403, "forbidden", "Not allowed", "The key may not do that. Nothing was changed."},
	{handoff.ErrConflict, 409, "conflict", "It has changed meanwhile", "What the request says of how things stand is not so. Nothing was changed. Read it again, and decide anew."},
	{handoff.ErrInvalid, 422, "invalid", "Not possible so", "The request has the right form, but cannot be done. Nothing was changed."},
	{handoff.ErrUnavailable, 503, "unavailable", "Not at this moment", "The store does not answer. Nothing was changed as far as is known; a write may be sent again under its Idempotency-Key."},
}

// internalKind is for everything else.
var internalKind = kind{nil, 500, "internal", "Something went wrong", "That is a fault of Handoff, not yours; its log says more. A write may be sent again under its Idempotency-Key."}

// fail answers with the problem of an error. It shows nothing of the error itself but
// what handoff.Refuse was given to say.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	k := internalKind
	for _, known := range kinds {
		if errors.Is(err, known.err) {
			k = known
			break
		}
	}
	h := w.Header()
	if k.status == http.StatusServiceUnavailable || errors.Is(err, errTooManyRefused) {
		h.Set("Retry-After", "60")
	}
	if k.status == http.StatusConflict && errors.Is(err, store.ErrUnderWay) {
		h.Set("Retry-After", "1")
	}
	if k.status >= 500 && r.Context().Err() == nil { // a client that is gone is no fault
		a.Log.Error("api: a request failed", "route", r.Pattern, "err", err)
	}
	p := Problem{Type: problemBase + k.name, Title: k.title, Status: k.status, Detail: k.detail}
	if words := handoff.WordsOf(err); words != "" {
		p.Detail = words
	}
	var what invalid
	if errors.As(err, &what) {
		p.Errors = what.faults
	}
	_ = send(w, "application/problem+json", k.status, p) // it can be encoded
}
