package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"handoff"
)

// What stands in the example body and is another in each webhook.
const (
	exampleReference = "sub_01jdb7z5q4x3s8m2k9v6t1n0rc.p3Vb1m9sYt7QkD0wEoHgZLx2"
	exampleUID       = "8mWdT2kQe4RfYpX1sLhC9v"
	exampleCreated   = "2026-11-23T09:30:00.538Z"
	exampleDay       = "2026-12-01"
)

// site is the site of every install here.
const site = "main"

// Webhooks are bookings of as many leads, ready to be sent, and the leads that
// they name. Every program gets the same.
type webhooks struct {
	leads       []handoff.LeadID
	submissions []handoff.SubmissionID
	references  []string
	requests    [][]byte
}

// slice takes a part.
func (w webhooks) slice(from, to int) webhooks {
	return webhooks{w.leads[from:to], w.submissions[from:to], w.references[from:to], w.requests[from:to]}
}

// A clerk writes webhooks after an example body, and signs them.
type clerk struct {
	parts  []string // of the body, cut where one differs from another
	secret string
	key    handoff.Key // signs references
}

func newClerk(example []byte, secret string, key handoff.Key, now time.Time) clerk {
	body := strings.ReplaceAll(string(example), exampleDay, now.AddDate(0, 0, 7).Format(time.DateOnly))
	return clerk{splitAt(body, exampleReference, exampleUID, exampleCreated), secret, key}
}

// booking is the request that says that a submission's call is booked.
func (c clerk) booking(id handoff.SubmissionID, at time.Time) (reference string, request []byte) {
	reference = handoff.Keys{c.key}.Sign(site, id)
	var b bytes.Buffer
	for _, p := range c.parts {
		switch p {
		case exampleReference:
			p = reference
		case exampleUID:
			p = uidOf(id)
		case exampleCreated:
			p = at.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		b.WriteString(p)
	}
	return reference, webhookRequest(b.Bytes(), sign(c.secret, b.Bytes()))
}

// webhooks makes bookings of n leads, each a millisecond after the one before.
func (c clerk) webhooks(n int, begin time.Time) webhooks {
	var w webhooks
	for i := range n {
		at := begin.Add(time.Duration(i) * time.Millisecond)
		id := handoff.SubmissionID(newID("sub", at))
		reference, request := c.booking(id, at)
		w.leads = append(w.leads, handoff.LeadID(newID("lead", at)))
		w.submissions = append(w.submissions, id)
		w.references = append(w.references, reference)
		w.requests = append(w.requests, request)
	}
	return w
}

// uidOf is the booking that a lead makes: 22 characters, as Cal.com's, with
// nothing of the time at their front.
func uidOf(id handoff.SubmissionID) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:11])
}

// splitAt cuts text at each occurrence of the words, and keeps them.
func splitAt(text string, words ...string) []string {
	parts := []string{text}
	for _, word := range words {
		var next []string
		for _, p := range parts {
			for i, rest := range strings.Split(p, word) {
				if i > 0 {
					next = append(next, word)
				}
				next = append(next, rest)
			}
		}
		parts = next
	}
	return parts
}

// webhookRequest is what Cal.com sends, byte by byte.
func webhookRequest(body []byte, signature string) []byte {
	head := fmt.Sprintf("POST /webhooks/calcom/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"X-Cal-Webhook-Version: 2021-10-20\r\nX-Cal-Signature-256: %s\r\nContent-Length: %d\r\n\r\n", site, signature, len(body))
	return append([]byte(head), body...)
}

// sign is Cal.com's signature of a body.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// newID makes an ID as Handoff does, of a version 7 UUID, for a given time.
func newID(prefix string, at time.Time) string {
	var u [16]byte
	_, _ = rand.Read(u[6:]) // never fails
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(u[:6], ms[2:])
	u[6], u[8] = u[6]&0x0f|0x70, u[8]&0x3f|0x80
	return handoff.FormatID(prefix, u)
}
