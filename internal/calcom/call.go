package calcom

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"handoff"
)

// A Refused is an answer of Cal.com's API that is not what was asked for. Its text
// names neither the key nor what was asked about. errors.Is tells the rest:
// handoff.ErrNotFound, handoff.ErrInvalid (asking again cannot help), or
// handoff.ErrUnavailable.
type Refused struct {
	Status int           // HTTP
	Code   string        // Cal.com's name of the error, such as "UnauthorizedException"; may be empty
	Says   string        // its message; may be empty
	Wait   time.Duration // until it may be asked again, where it says so
}

// Error says what happened, and what can be done about it.
func (r *Refused) Error() string {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("the API refuses our key (%d)", r.Status)
	case http.StatusNotFound:
		return "the API knows nothing of the kind at this address (404)"
	case http.StatusTooManyRequests:
		if r.Wait > 0 {
			return fmt.Sprintf("the API was asked too often; it answers again in %s", r.Wait.Round(time.Second))
		}
		return "the API was asked too often"
	}
	if r.Says != "" {
		return fmt.Sprintf("the API answers %d: %s", r.Status, r.Says)
	}
	return fmt.Sprintf("the API answers %d", r.Status)
}

// Is tells what kind of refusal it is.
func (r *Refused) Is(target error) bool {
	switch target {
	case handoff.ErrNotFound:
		return r.Status == http.StatusNotFound
	case handoff.ErrInvalid:
		return r.Status == http.StatusBadRequest || r.Status == http.StatusConflict || r.Status == http.StatusUnprocessableEntity
	case handoff.ErrUnavailable:
		return !r.Is(handoff.ErrNotFound) && !r.Is(handoff.ErrInvalid)
	case ErrUnreadable: // the others of these come from what stands before Cal.com
		return r.Status == http.StatusInternalServerError
	}
	return false
}

// Waits of one that asks again.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = time.Minute
)

// get asks for what is at a path, and returns the answer's body.
func (a API) get(ctx context.Context, version, path string) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		body, err := a.call(ctx, http.MethodGet, version, path, nil)
		if attempt >= a.Attempts || !errors.Is(err, handoff.ErrUnavailable) || refusedWith(err, http.StatusUnauthorized, http.StatusForbidden) {
			return body, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(pauseAfter(err, attempt)):
		}
	}
}

// pauseAfter is how long to wait before asking again: as long as Cal.com says, or
// twice as long each time, but a minute or so at most; and never as long as the others
// who were refused at the same moment.
func pauseAfter(err error, attempt int) time.Duration {
	wait := min(cmp.Or(Wait(err), firstWait<<min(attempt-1, 10)), longestWait)
	return wait + rand.N(wait/2)
}

// refusedWith reports that Cal.com answered with one of these.
func refusedWith(err error, statuses ...int) bool {
	var r *Refused
	return errors.As(err, &r) && slices.Contains(statuses, r.Status)
}

// Wait is how long Cal.com asked to be left alone in an error; zero if it did not.
func Wait(err error) time.Duration {
	var r *Refused
	if errors.As(err, &r) {
		return r.Wait
	}
	return 0
}

// call makes one request, whose body is JSON unless it is nil, and returns the
// answer's.
func (a API) call(ctx context.Context, method, version, path string, body any) ([]byte, error) {
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("calcom: %w", err)
		}
		send = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.Base+path, send)
	if err != nil {
		return nil, fmt.Errorf("calcom: %w", err)
	}
	req.Header.Set("cal-api-version", version)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	c := a.Client
	if c == nil {
		c = client
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("calcom: asking the API: %w: %w", handoff.ErrUnavailable, nameless(err))
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("calcom: the API's answer: %w: %w", handoff.ErrUnavailable, err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("calcom: the API's answer is too large: %w: %w", handoff.ErrUnavailable, ErrUnreadable)
	case res.StatusCode != http.StatusOK && res.StatusCode != http.StatusCreated:
		return nil, a.refused(res, answer, version == bookingsVersion)
	}
	return answer, nil
}

// nameless is an error of net/http without the address that its words name: with it comes
// a uid, which lets its reader cancel the booking, and the error is logged.
func nameless(err error) error {
	if where := new(url.Error); errors.As(err, &where) {
		return where.Err
	}
	return err
}

// refused reads an answer that is not what was asked for.
//
// Source: http-exception.filter.ts; throttler-guard.ts for the header, which is in
// seconds (calcom.md §4, §9.5).
//
// What it says in its own words is left out where bookings are asked for: it can name
// one, and this error is logged.
func (a API) refused(res *http.Response, body []byte, silent bool) error {
	r := &Refused{Status: res.StatusCode}
	var answer struct {
		Error lax[struct {
			Code    lax[string] `json:"code"`
			Message lax[string] `json:"message"`
		}] `json:"error"`
	}
	if !silent && !deep(body) && unmarshal(body, &answer) == nil {
		r.Code, r.Says = clip(answer.Error.V.Code.V, 100), clip(answer.Error.V.Message.V, 200)
	}
	if a.Key != "" {
		r.Says = strings.ReplaceAll(r.Says, a.Key, "[key]")
	}
	if seconds, err := strconv.Atoi(res.Header.Get("X-RateLimit-Reset-Default")); err == nil && seconds > 0 && res.StatusCode == http.StatusTooManyRequests {
		r.Wait = time.Duration(min(seconds, 3600)) * time.Second
	}
	return fmt.Errorf("calcom: %w", r)
}
