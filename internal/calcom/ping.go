package calcom

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"handoff"
)

// Ping sends to a webhook address of ours what Cal.com's own Ping test sends, signed
// with a secret, and tells what is in the way: the address, a proxy, or the secret.
// What is at the address counts it as a sign of life.
//
// Source: testTrigger.handler.ts (calcom.md §1.5 H).
func Ping(ctx context.Context, c *http.Client, address, secret string, now time.Time) error {
	at := now.UTC().Format("2006-01-02T15:04:05.000Z")
	body, err := json.Marshal(map[string]any{"triggerEvent": "PING", "createdAt": at, "payload": map[string]any{
		"type": "Test", "title": "Test trigger event", "description": "Handoff asks itself whether this address works", "startTime": at, "endTime": at,
	}})
	if err != nil {
		return fmt.Errorf("calcom: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calcom: %w", err)
	}
	req.Close = true // another ping can reach another replica
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, sign(secret, body))
	if c == nil {
		c = client
	}
	res, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("nothing answers there (%w); start the server and its TLS proxy: %w", nameless(err), handoff.ErrUnavailable)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10)) // half of one is not ours
	switch res.StatusCode {
	case http.StatusOK:
		var says struct {
			Result lax[string] `json:"result"`
		}
		if unmarshal(answer, &says) != nil || !strings.HasSuffix(says.Result.V, "stored") {
			return fmt.Errorf("something else than Handoff answers there: %w", handoff.ErrNotFound)
		}
		return nil
	case http.StatusUnauthorized:
		return fmt.Errorf("it answers that the signature is wrong: the server there has another secret, or something in between changes the body: %w", handoff.ErrUnverified)
	case http.StatusNotFound:
		return fmt.Errorf("it answers that there is no such address: another server is there, or the site's id differs: %w", handoff.ErrNotFound)
	}
	if to := res.Header.Get("Location"); to != "" {
		return fmt.Errorf("it answers %d and leads elsewhere, where Cal.com does not follow; write the final address as the site's url: %w", res.StatusCode, handoff.ErrInvalid)
	}
	return fmt.Errorf("it answers %d: %w", res.StatusCode, handoff.ErrUnavailable)
}

// Ready asks a server of ours whether it could keep a webhook now.
func Ready(ctx context.Context, address string) error {
	res, err := fetch(ctx, address)
	if err != nil {
		return err
	}
	return res.Body.Close()
}
