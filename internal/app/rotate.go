package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/content"
	"handoff/internal/web"
)

const (
	// formerFor is how long a former secret is accepted: what Cal.com signed before is
	// under way for minutes, and a webhook that could not be changed has to be by hand.
	formerFor = 24 * time.Hour
	// maxFormer is how many former secrets are kept.
	maxFormer = 5
	// pings are how often a new secret is tried.
	pings = 5
	// takeUp is what the server has to take up a new secret.
	takeUp = lookEvery + time.Second/2
)

// Rotate gives the site another webhook secret. The server accepts it beside the one
// before first, which is tried, and then Cal.com signs with it. If the server does not
// take it up, nothing is changed. It can be interrupted anywhere: Up finishes it.
func (n *Connection) Rotate(ctx context.Context) error {
	if n.secretPath == "" {
		return fmt.Errorf("the webhook secret of %s is no file that could be written; change it by hand (docs/operate.md, Another webhook secret): %w", n.site.ID, handoff.ErrInvalid)
	}
	if n.sharedWith != "" {
		return fmt.Errorf("sites %s and %s have one secret file; give each its own first, and run handoff calcom connect: %w", n.site.ID, n.sharedWith, handoff.ErrInvalid)
	}
	if n.ping(ctx); !n.reached {
		return nil // it was said
	}
	all, err := n.api.EventTypes(ctx) // a key that is no good is found before anything is changed
	if err != nil {
		return err
	}
	if !n.change {
		n.say(StepNote, "secret", "there would be another, and the one of now would be accepted for a day")
		return nil
	}
	undo, err := n.replaceSecret()
	if err != nil {
		return err
	}
	pause(ctx, takeUp)
	if err := n.accepted(ctx); err != nil {
		n.say(StepTodo, "secret", "the server at %s did not take up another (%s), so all is as it was. Run this beside that server, as the user it runs as; where several do not share the file, see docs/operate.md, Another webhook secret", n.address(), reason(err))
		return undo()
	}
	n.say(StepDone, "secret", "there is another, and the server accepts it; the one before is accepted until %s", n.now().Add(formerFor).UTC().Format(time.RFC3339))
	return errors.Join(os.Remove(n.formerPath()), n.Up(ctx), n.others(ctx, all))
}

// accepted tries the secret several times: behind one address there can be several
// servers.
func (n *Connection) accepted(ctx context.Context) error {
	for range pings {
		if err := calcom.Ping(ctx, nil, n.address(), n.secret, n.now()); err != nil {
			return err
		}
	}
	return nil
}

// others gives the secret to webhooks of event types that no service has any more: what
// was booked there before can still be moved or cancelled.
func (n *Connection) others(ctx context.Context, all []calcom.EventType) error {
	for i := range all {
		e := &all[i]
		ours := func(s *content.Service) bool { return int64(s.EventType) == e.ID }
		if slices.ContainsFunc(n.content.Services, ours) {
			continue
		}
		there, err := n.find(ctx, e)
		if there == nil && err == nil {
			continue
		}
		if err == nil {
			err = n.api.PutWebhook(ctx, e, calcom.Webhook{ID: there.ID, URL: there.URL, Active: there.Active, Triggers: there.Triggers, Secret: n.secret})
		}
		if err != nil {
			n.say(StepTodo, scopeName(e), "whether it has a webhook to %s with the secret of before, look yourself: %s", n.address(), reason(err))
			continue
		}
		n.say(StepDone, scopeName(e), "its webhook to %s, though no service has it", n.address())
	}
	return ctx.Err()
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// formerPath is where the former file is while it can be put back: the file itself, with
// its owner, whoever runs this.
func (n *Connection) formerPath() string { return n.secretPath + ".former" }

// replaceSecret writes a new secret, with the former ones behind it.
func (n *Connection) replaceSecret() (undo func() error, err error) {
	path, err := filepath.EvalSymlinks(n.secretPath)
	if err != nil {
		return nil, fmt.Errorf("reading a secret: %w", err)
	}
	n.secretPath = path
	file := &secretFile{path: path, name: path}
	if err := file.read(); err != nil {
		return nil, err
	}
	now := n.now()
	secrets := []web.Secret{{Value: randomText(32)}}
	for i, s := range file.secrets {
		if i == 0 {
			s.Until = now.Add(formerFor)
		}
		if s.Until.After(now) {
			secrets = append(secrets, s)
		}
	}
	if len(secrets) > 1+maxFormer {
		return nil, fmt.Errorf("%d former secrets are accepted still; finish with handoff calcom connect, and come back tomorrow: %w", len(secrets)-1, handoff.ErrInvalid)
	}
	text := formatSecrets(secrets)
	if again, err := parseSecrets(text); err != nil || len(again) != len(secrets) {
		return nil, fmt.Errorf("the secret in %s cannot stand beside another: it has blanks. Change it by hand (docs/operate.md, Another webhook secret): %w", path, handoff.ErrInvalid)
	}
	if err := os.Remove(n.formerPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing a former secret: %w", err)
	}
	if err := os.Link(path, n.formerPath()); err != nil {
		return nil, fmt.Errorf("keeping the former secret: %w", err)
	}
	if err := replaceFile(path, []byte(text)); err != nil {
		return nil, errors.Join(err, os.Remove(n.formerPath()))
	}
	n.secret = secrets[0].Value
	return func() error {
		if err := os.Rename(n.formerPath(), path); err != nil {
			return fmt.Errorf("putting the former secret back: %w", err)
		}
		return nil
	}, nil
}
