package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"handoff/internal/web"
)

// A secretFile is a webhook secret that can be turned while the server runs. Its first
// line is the secret; each further one names a former secret that is still accepted:
//
//	previous SECRET until 2026-11-26T18:00:00Z
type secretFile struct {
	path string
	name string // as the configuration has it
	now  func() time.Time

	mu      sync.Mutex
	looked  time.Time
	seen    os.FileInfo
	secrets []web.Secret
}

// lookEvery is how often the file is looked at, at most.
const lookEvery = time.Second

// read reads the file.
func (f *secretFile) read() error {
	seen, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("reading a secret: %w", err)
	}
	b, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("reading a secret: %w", err)
	}
	secrets, err := parseSecrets(string(b))
	if err != nil {
		return fmt.Errorf("the secret file %s %w", f.name, err)
	}
	f.seen, f.secrets = seen, secrets
	return nil
}

// current is what the file says now. What cannot be read changes nothing: the secrets
// of before still tell a real webhook from a forged one.
func (f *secretFile) current() []web.Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if age := now.Sub(f.looked); age >= 0 && age < lookEvery {
		return f.secrets
	}
	f.looked = now
	seen, err := os.Stat(f.path)
	if err == nil && (!os.SameFile(seen, f.seen) || !seen.ModTime().Equal(f.seen.ModTime()) || seen.Size() != f.seen.Size()) {
		_ = f.read() // said above
	}
	return f.secrets
}

// parseSecrets reads the lines of a secret file. Its errors show no secret.
func parseSecrets(text string) ([]web.Secret, error) {
	first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	secret := strings.TrimSpace(first)
	if secret == "" {
		return nil, errors.New("is empty")
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("has %d characters; at least %d are needed", len(secret), minSecret)
	}
	out := []web.Secret{{Value: secret}}
	for i, line := range strings.Split(rest, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		fault := fmt.Errorf("has a line %d that is not like: previous SECRET until 2026-11-26T18:00:00Z", i+2)
		if len(words) != 4 || words[0] != "previous" || words[2] != "until" {
			return nil, fault
		}
		until, err := time.Parse(time.RFC3339, words[3])
		if err != nil {
			return nil, fault
		}
		out = append(out, web.Secret{Value: words[1], Until: until})
	}
	return out, nil
}

// formatSecrets is what parseSecrets reads.
func formatSecrets(secrets []web.Secret) string {
	var b strings.Builder
	for i, s := range secrets {
		if i == 0 {
			fmt.Fprintln(&b, s.Value)
			continue
		}
		fmt.Fprintf(&b, "previous %s until %s\n", s.Value, s.Until.UTC().Format(time.RFC3339))
	}
	return b.String()
}

// webhookSecrets reads a site's webhook secret, and says what is accepted as time goes on.
func (c *Config) webhookSecrets(s *CalcomConfig) (func() []web.Secret, error) {
	var previous []web.Secret
	if p := s.PreviousSecret; p != nil {
		secret, err := p.Secret.value(c.dir)
		if err != nil {
			return nil, fmt.Errorf("calcom.previous_webhook_secret: %w", err)
		}
		previous = []web.Secret{{Value: secret, Until: p.Until}}
	}
	path := s.WebhookSecret.path(c.dir)
	if path == "" {
		secret, err := s.WebhookSecret.value(c.dir)
		if err != nil {
			return nil, err
		}
		fixed, err := parseSecrets(secret)
		if err != nil {
			return nil, fmt.Errorf("it %w", err)
		}
		fixed = append(fixed, previous...)
		return func() []web.Secret { return fixed }, nil
	}
	file := &secretFile{path: path, name: s.WebhookSecret.File, now: time.Now}
	if err := file.read(); err != nil {
		return nil, err
	}
	return func() []web.Secret { return slices.Concat(file.current(), previous) }, nil
}

// replaceFile puts a file with a secret in another's place, readable by its owner only.
// Whoever reads it meanwhile reads the one or the other, also after a crash.
func replaceFile(path string, b []byte) error {
	failed := func(err error) error { return fmt.Errorf("writing %s: %w", path, err) }
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return failed(err)
	}
	defer os.Remove(f.Name()) // once it is renamed there is nothing to remove
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return failed(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return failed(err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil { // where a folder can be synced at all
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}

// sharing finds another site whose webhook secret is in the same file; empty if there
// is none.
func (c *Config) sharing(s *SiteConfig) string {
	real := func(s *SiteConfig) string {
		path, err := filepath.EvalSymlinks(s.Calcom.WebhookSecret.path(c.dir))
		if err != nil {
			return ""
		}
		return path
	}
	mine := real(s)
	for i := range c.Sites {
		other := &c.Sites[i]
		if other.ID != s.ID && mine != "" && real(other) == mine {
			return other.ID
		}
	}
	return ""
}
