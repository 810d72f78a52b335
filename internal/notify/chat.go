package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handoff"
)

// client follows nobody elsewhere and gives up before a lease of work ends.
var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Slack tells news to a channel of Slack, or of anything that takes its incoming
// webhooks. The address is a secret: whoever has it can write there.
func Slack(ctx context.Context, address string, n handoff.News) error {
	text := "*" + slackText(n.Subject()) + "*\n" + n.Text(slackText)
	body, err := json.Marshal(map[string]any{"text": text, "unfurl_links": false})
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	return post(ctx, address, body, "")
}

// slackText is a text that calls nobody and links nowhere.
//
// Source: Slack's documentation, “Formatting text for app surfaces”, escaping text.
func slackText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// SignatureHeader carries the HMAC-SHA256 of a hook's body in lower-case hex.
const SignatureHeader = "X-Handoff-Signature-256"

// A hookBody is what Hook sends. Its JSON is stable. It has IDs, and no names: whoever
// takes it asks the API for more.
type hookBody struct {
	Site         string          `json:"site"`
	Subject      string          `json:"subject"`
	Booked       []hookBooked    `json:"booked"`
	Failures     []hookFailure   `json:"failures"`
	Alarms       []hookFailure   `json:"alarms"`
	MoreBooked   int             `json:"more_booked"`
	MoreFailures int             `json:"more_failures"`
	MoreAlarms   int             `json:"more_alarms"`
	Digest       *handoff.Digest `json:"digest"`
}

type hookBooked struct {
	Lead  handoff.LeadID `json:"lead"`
	Start *time.Time     `json:"start"`
	URL   string         `json:"url"`
}

type hookFailure struct {
	ID     handoff.FailureID `json:"id"`
	Reason handoff.Reason    `json:"reason"`
	URL    string            `json:"url"`
}

// Hook posts news as JSON to an address, signed with a secret unless that is empty.
func Hook(ctx context.Context, address, secret string, n handoff.News) error {
	out := hookBody{
		Site: n.Site, Subject: n.Subject(), Booked: []hookBooked{}, Failures: []hookFailure{}, Alarms: []hookFailure{},
		MoreBooked: n.MoreBooked, MoreFailures: n.MoreFailures, MoreAlarms: n.MoreAlarms, Digest: n.Digest,
	}
	for _, b := range n.Booked {
		one := hookBooked{Lead: b.Lead, URL: n.Desk + "/leads/" + string(b.Lead)}
		if !b.Start.IsZero() {
			one.Start = &b.Start
		}
		out.Booked = append(out.Booked, one)
	}
	list := func(failures []handoff.Failure) []hookFailure {
		all := []hookFailure{}
		for _, f := range failures {
			all = append(all, hookFailure{f.ID, f.Reason, n.Desk + "/failures/" + string(f.ID)})
		}
		return all
	}
	out.Failures, out.Alarms = list(n.Failures), list(n.Alarms)
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	signature := ""
	if secret != "" {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(body)
		signature = hex.EncodeToString(h.Sum(nil))
	}
	return post(ctx, address, body, signature)
}

// An answer is the status of one that is no yes.
type answer int

func (a answer) Error() string { return fmt.Sprintf("chat: it answers %d", int(a)) }

// Why says in a few words why a message was not taken, without where it was to go.
func Why(err error) string {
	var a answer
	switch {
	case errors.As(err, &a):
		return fmt.Sprintf("it answers %d", int(a))
	case errors.Is(err, ErrServer):
		return ErrServer.Error()
	case errors.Is(err, ErrRefused):
		return ErrRefused.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "it does not answer in time"
	}
	return "it cannot be reached, or does not take it now"
}

// post sends JSON. Its errors do not name the address, which can be a secret.
func post(ctx context.Context, address string, body []byte, signature string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("chat: its address is none")
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set(SignatureHeader, signature)
	}
	res, err := client.Do(req)
	if err != nil {
		if where := new(url.Error); errors.As(err, &where) {
			err = where.Err
		}
		return fmt.Errorf("chat: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return answer(res.StatusCode)
	}
	return nil
}
