package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"handoff"
	"handoff/internal/notify"
	"handoff/internal/web"
)

// deskKey is the desk's own, derived from the reference key, so that all servers of an
// install have the same.
func deskKey(k handoff.Key) []byte {
	h := hmac.New(sha256.New, k)
	h.Write([]byte("handoff/desk"))
	return h.Sum(nil)
}

// A deskMail sends a letter of the desk to somebody; nil where no mail is sent.
type deskMail func(ctx context.Context, to, subject, text string) error

// deskMail is from the address of the first site.
func (c *Config) deskMail(sites []*web.Site) (deskMail, error) {
	server, err := c.mailServer()
	if server == nil || err != nil {
		return nil, err
	}
	from := sites[0].Content
	return func(ctx context.Context, to, subject, text string) error {
		return server.Send(ctx, notify.Mail{
			FromName: from.Name, From: from.Email, To: to, Subject: subject, Text: text, ID: randomText(12) + "@" + hostOf(from.URL),
		})
	}, nil
}
