package calcom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"handoff"
)

// apiVersion selects the shape of a booking. Without the header Cal.com silently
// answers in another one.
//
// Source: API v2, bookings controller 2024-08-13.
const apiVersion = "2024-08-13"

// An API asks a Cal.com account. The zero value asks nobody.
type API struct {
	Base   string       // such as https://api.cal.com/v2, without a trailing slash
	Key    string       // bearer key; empty: only what is public
	Client *http.Client // nil: one that follows no redirects and gives up after ten seconds
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
	body, err := a.get(ctx, "/bookings/"+url.PathEscape(uid))
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
	Size   int       // bookings in it; fewer than were asked for: there are no more
	Last   time.Time // when the last of them changed; zero: none says so
	Unread int       // bookings that we could not read: of them nothing is observed
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
	body, err := a.get(ctx, "/bookings?"+q.Encode())
	if err != nil {
		return Page{}, err
	}
	return readPage(t, body)
}

// get asks for what is at a path, and returns the answer's body.
func (a API) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("calcom: %w", err)
	}
	req.Header.Set("cal-api-version", apiVersion)
	req.Header.Set("Accept", "application/json")
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	c := a.Client
	if c == nil {
		c = client
	}
	res, err := c.Do(req)
	if err != nil {
		// Its own words name the address, and with it the uid, which lets its reader
		// cancel the booking; this error is logged.
		if where := new(url.Error); errors.As(err, &where) {
			err = where.Err
		}
		return nil, fmt.Errorf("calcom: asking the API: %w: %w", handoff.ErrUnavailable, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("calcom: the API's answer: %w: %w", handoff.ErrUnavailable, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("calcom: the API's answer is too large: %w: %w", handoff.ErrUnavailable, ErrUnreadable)
	case res.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("calcom: the API knows nothing of the kind at this address (404): %w", handoff.ErrNotFound)
	case res.StatusCode >= http.StatusInternalServerError:
		return nil, fmt.Errorf("calcom: the API answers %d: %w: %w", res.StatusCode, handoff.ErrUnavailable, ErrUnreadable)
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("calcom: the API refuses our key (%d): %w", res.StatusCode, handoff.ErrUnavailable)
	case res.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("calcom: the API was asked too often: %w", handoff.ErrUnavailable)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("calcom: the API answers %d: %w", res.StatusCode, handoff.ErrUnavailable)
	}
	return body, nil
}
