package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"handoff"
	"handoff/internal/jobs"
	"handoff/internal/notify"
	"handoff/internal/web"
)

// A NotifyConfig is somebody to be told of what happens: by mail, in Slack, or by a
// webhook of their own; one of them.
type NotifyConfig struct {
	Mail    string          `yaml:"mail"`    // an address
	Slack   Secret          `yaml:"slack"`   // of an incoming webhook, which is a secret
	Webhook Secret          `yaml:"webhook"` // an address, which can be a secret
	Secret  Secret          `yaml:"secret"`  // that signs what goes to the webhook; empty: unsigned
	About   []handoff.Topic `yaml:"about"`   // empty: everything
}

// check reports the first fault that needs no secret to see.
func (n *NotifyConfig) check() error {
	ways := 0
	for _, there := range []bool{n.Mail != "", n.Slack != (Secret{}), n.Webhook != (Secret{})} {
		if there {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("name one of mail, slack and webhook")
	}
	if n.Mail != "" {
		if a, err := mail.ParseAddress(n.Mail); err != nil || a.Address != n.Mail {
			return fmt.Errorf("mail: %q is no e-mail address", n.Mail)
		}
	}
	if n.Secret != (Secret{}) && n.Webhook == (Secret{}) {
		return errors.New("secret: it signs what goes to a webhook, and there is none")
	}
	for _, t := range n.About {
		if !slices.Contains(handoff.Topics, t) {
			return fmt.Errorf("about: there is no %q; there are: %v", t, handoff.Topics)
		}
	}
	return nil
}

// way is how they are told.
func (n *NotifyConfig) way() string {
	switch {
	case n.Mail != "":
		return "mail"
	case n.Slack != (Secret{}):
		return "Slack"
	}
	return "webhook"
}

// telling wires who is told of a site; nil if nobody is.
func (c *Config) telling(sc *SiteConfig, site *web.Site, server *notify.Server) (*jobs.Telling, error) {
	if len(sc.Notify) == 0 {
		return nil, nil
	}
	t := &jobs.Telling{Name: site.Content.Name, Desk: site.Content.URL + "/desk", Zone: site.Content.Location(), Services: map[string]string{}}
	for _, v := range site.Content.Services {
		t.Services[v.Slug] = v.Title
	}
	for i := range sc.Notify {
		channel, err := c.channel(&sc.Notify[i], site, server)
		if err != nil {
			return nil, fmt.Errorf("notify[%d]: %w", i, err)
		}
		channel.Name = fmt.Sprintf("notify[%d]: %s", i, sc.Notify[i].way())
		if slices.ContainsFunc(t.Channels, func(other jobs.Channel) bool { return other.ID == channel.ID }) {
			return nil, fmt.Errorf("notify[%d]: it is there twice; name what it is about in one", i)
		}
		t.Channels = append(t.Channels, channel)
	}
	return t, nil
}

// channel wires one.
func (c *Config) channel(n *NotifyConfig, site *web.Site, server *notify.Server) (jobs.Channel, error) {
	out := jobs.Channel{About: n.About}
	if len(out.About) == 0 {
		out.About = handoff.Topics
	}
	switch {
	case n.Mail != "":
		if server == nil {
			return out, errors.New("mail: there is no mail server; name one as mail.host")
		}
		out.ID = channelID("mail", n.Mail)
		out.Send = func(ctx context.Context, news handoff.News) error {
			return server.Send(ctx, notify.Mail{
				FromName: site.Content.Name, From: site.Content.Email, To: n.Mail, Subject: news.Subject(),
				Text: news.Text(func(s string) string { return s }), ID: randomText(12) + "@" + hostOf(site.Content.URL),
			})
		}
	case n.Slack != (Secret{}):
		address, err := c.address(n.Slack)
		if err != nil {
			return out, fmt.Errorf("slack: %w", err)
		}
		out.ID = channelID("slack", address)
		out.Send = func(ctx context.Context, news handoff.News) error { return notify.Slack(ctx, address, news) }
	default:
		address, err := c.address(n.Webhook)
		if err != nil {
			return out, fmt.Errorf("webhook: %w", err)
		}
		secret := ""
		if n.Secret != (Secret{}) {
			if secret, err = n.Secret.value(c.dir); err != nil {
				return out, fmt.Errorf("secret: %w", err)
			}
		}
		out.ID = channelID("webhook", address)
		out.Send = func(ctx context.Context, news handoff.News) error { return notify.Hook(ctx, address, secret, news) }
	}
	return out, nil
}

// address reads an address that is a secret. Its errors do not show it.
func (c *Config) address(s Secret) (string, error) {
	v, err := s.value(c.dir)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("what is there is no address such as https://hooks.example.com/…")
	}
	return v, nil
}

// channelID names where something goes without showing it.
func channelID(way, to string) string {
	sum := sha256.Sum256([]byte(way + "\n" + strings.TrimSpace(to)))
	return way + "_" + hex.EncodeToString(sum[:8])
}
