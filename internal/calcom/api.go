package calcom

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"handoff"
)

// Versions select the shape of a resource. Without the header Cal.com silently
// answers in another one.
//
// Source: API v2, bookings controller 2024-08-13, event types controllers 2024-06-14 and
// 2026-06-12, which has the booking fields.
const (
	bookingsVersion   = "2024-08-13"
	eventTypesVersion = "2024-06-14"
	fieldsVersion     = "2026-06-12"
)

// An API asks a Cal.com account. The zero value asks nobody.
type API struct {
	Base   string       // such as https://api.cal.com/v2, without a trailing slash
	Key    string       // bearer key; empty: only what is public
	Client *http.Client // nil: one that follows no redirects and gives up after ten seconds
	// Attempts is how often a question that changes nothing is asked where asking
	// again may help. 0 and 1: once, since whoever asks has a clock of their own.
	Attempts int
}

// maxAnswer is the largest answer we read, in bytes.
const maxAnswer = 4 << 20

// client gives up before a lease of work ends, and follows nobody elsewhere.
var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// An Answer is what the API says of one booking: an observation for each seat, or
// for each occurrence of a series.
type Answer struct {
	Observations []handoff.Observation
	// Successors are the uids that replaced these bookings, of which Cal.com told
	// nothing else here.
	Successors []string
}

// Booking asks for one booking by its uid. The error is handoff.ErrNotFound if
// there is none, and handoff.ErrUnavailable if asking again may help.
func (a API) Booking(ctx context.Context, t Trust, uid string) (Answer, error) {
	body, err := a.get(ctx, bookingsVersion, "/bookings/"+url.PathEscape(uid))
	if err != nil {
		return Answer{}, err
	}
	return readAnswer(t, body)
}

// PageSize is how many bookings a question about changes asks for at most. Cal.com
// allows 250.
const PageSize = 100

// ErrUnreadable marks an answer that cannot be had or read, though Cal.com is there:
// one odd booking in a list can be the cause. It comes with handoff.ErrUnavailable.
var ErrUnreadable = errors.New("the answer cannot be read")

// A Page is a part of the bookings that changed, those first that changed first.
type Page struct {
	Answer
	Size   int              // bookings in it; fewer than were asked for: there are no more
	Last   time.Time        // when the last of them changed; zero: none says so
	Unread []handoff.Unread // what we could not read: of it nothing is observed
}

// Changed asks for the bookings that changed at a time or later, those behind the
// first so many, and at most take of them. It needs a key. The answer can hold
// bookings of event types that are not the site's, and those at which the key's owner
// is a guest. The error is handoff.ErrUnavailable if asking again may help.
//
// A booking whose updatedAt is not set is never in it. What the answer says of
// further pages counts all bookings of the account, so Size is what tells.
//
// Source: get.handler.ts; seen on a real Cal.com 6.0.2.
func (a API) Changed(ctx context.Context, t Trust, since time.Time, skip, take int) (Page, error) {
	q := url.Values{
		"afterUpdatedAt": {since.UTC().Format("2006-01-02T15:04:05.000Z")}, "sortUpdatedAt": {"asc"},
		"take": {strconv.Itoa(take)}, "skip": {strconv.Itoa(skip)},
	}
	body, err := a.get(ctx, bookingsVersion, "/bookings?"+q.Encode())
	if err != nil {
		return Page{}, err
	}
	return readPage(t, body)
}
