// Package app reads the configuration and wires the parts: the only package that
// knows all the others.
package app

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"handoff"
	"handoff/internal/csp"
	"handoff/internal/web/desk"
)

// A Config is handoff.yaml. Paths in it are relative to its folder. The file that
// Init writes explains every option.
type Config struct {
	// Listen is the address that requests come to, such as "127.0.0.1:8080".
	Listen string `yaml:"listen"`
	// Store is "sqlite:" and a path. Empty: sqlite:handoff.db.
	Store string `yaml:"store"`
	// Migrate says when the store's schema is brought to this version: "start", by
	// whatever command opens it, or "command", by "handoff migrate" only, and
	// everything else refuses a store that is older. Empty: start.
	Migrate string `yaml:"migrate"`
	// ReferenceKeys sign references, newest first; each at least 32 bytes.
	ReferenceKeys []Secret `yaml:"reference_keys"`
	// TrustedProxies are addresses or networks whose X-Forwarded-For and
	// X-Forwarded-Host are believed. Empty: none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Mail is the mail server. Empty: no mail is sent.
	Mail  MailConfig   `yaml:"mail"`
	Sites []SiteConfig `yaml:"sites"`

	dir  string
	file string
}

// A SiteConfig is one website.
type SiteConfig struct {
	ID       string          `yaml:"id"`      // slug; part of the webhook's address, never changed
	URL      string          `yaml:"url"`     // where visitors find it, without a trailing slash
	Hosts    []string        `yaml:"hosts"`   // further host names; the URL's own always counts
	Content  string          `yaml:"content"` // folder
	Calcom   CalcomConfig    `yaml:"calcom"`
	Pipeline *PipelineConfig `yaml:"pipeline"` // nil: handoff.DefaultPipeline
	Ignore   []IgnoreConfig  `yaml:"ignore"`   // bookings that need nobody
	// Reminders to who sent a form and did not book.
	Reminders RemindersConfig `yaml:"reminders"`
	Notify    []NotifyConfig  `yaml:"notify"` // who is told of what happens
	Desk      DeskConfig      `yaml:"desk"`
}

// A DeskConfig is what the desk shows of a site.
type DeskConfig struct {
	// UnbookedAfter is how long after the form a lead without a booking needs a person.
	// 0: a day.
	UnbookedAfter Wait `yaml:"unbooked_after"`
}

// Bounds of UnbookedAfter: sooner, people are still choosing a time; the desk looks back
// no further than desk.UnbookedWithin.
const (
	minUnbooked     = time.Hour
	defaultUnbooked = 24 * time.Hour
)

// unbooked is how long after the form a lead without a booking needs a person.
func (d DeskConfig) unbooked() time.Duration {
	return cmp.Or(time.Duration(d.UnbookedAfter), defaultUnbooked)
}

func (d DeskConfig) check() error {
	if after := d.unbooked(); after < minUnbooked || after >= desk.UnbookedWithin {
		return fmt.Errorf("unbooked_after: %s; write 1h or more, and less than 30d", spanWords(after))
	}
	return nil
}

// A CalcomConfig is a site's Cal.com account.
type CalcomConfig struct {
	// Origins are the origins of its booking pages, the main one first: final
	// ones, not those that redirect.
	Origins []string `yaml:"origins"`
	// WebhookSecret is what Cal.com signs with.
	WebhookSecret Secret `yaml:"webhook_secret"`
	// PreviousSecret is accepted beside it until a time, after a rotation.
	PreviousSecret *PreviousSecret `yaml:"previous_webhook_secret"`
	// API is asked about bookings of which a webhook is missing. Empty: never.
	API APIConfig `yaml:"api"`
	// RetiredSecrets are not accepted; a delivery signed with one is named so.
	RetiredSecrets []Secret `yaml:"retired_webhook_secrets"`
}

// An APIConfig is Cal.com's API v2.
type APIConfig struct {
	URL string `yaml:"url"` // such as https://api.cal.com/v2
	// Key lists what changed; one booking is public by its uid. A file that is not
	// there yet is no key: "handoff calcom connect" writes it.
	Key Secret `yaml:"key"`
}

// A PreviousSecret is a secret that is still accepted for a while.
type PreviousSecret struct {
	Secret Secret    `yaml:"secret"`
	Until  time.Time `yaml:"until"`
}

// A PipelineConfig is handoff.Pipeline as it is written down.
type PipelineConfig struct {
	Stages []handoff.Stage                     `yaml:"stages"`
	On     map[handoff.Situation]handoff.Stage `yaml:"on"`
	Final  []handoff.Stage                     `yaml:"final"`
	Reopen bool                                `yaml:"reopen"`
}

// An IgnoreConfig is handoff.IgnoreRule as it is written down.
type IgnoreConfig struct {
	Name            string   `yaml:"name"`
	Reason          string   `yaml:"reason"`
	EventTypes      []int64  `yaml:"event_types"`
	OtherEventTypes bool     `yaml:"other_event_types"`
	Hosts           []string `yaml:"hosts"`
	Attendees       []string `yaml:"attendees"`
}

// A Secret says where a secret is: in the environment, or in a file. It is never
// in the configuration itself, and never printed.
type Secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// value reads the secret; the error names the place, not the content.
func (s Secret) value(dir string) (string, error) {
	switch {
	case s.Env != "" && s.File != "":
		return "", errors.New("a secret has env or file, not both")
	case s.Env != "":
		v := strings.TrimSpace(os.Getenv(s.Env))
		if v == "" {
			return "", fmt.Errorf("the environment variable %s is not set", s.Env)
		}
		return v, nil
	case s.File != "":
		b, err := os.ReadFile(abs(dir, s.File))
		if err != nil {
			return "", fmt.Errorf("reading a secret: %w", err)
		}
		v := strings.TrimSpace(string(b))
		if v == "" {
			return "", fmt.Errorf("the secret file %s is empty", s.File)
		}
		return v, nil
	}
	return "", errors.New("it has neither env nor file")
}

// path is the file that the secret is in; empty if it is in none.
func (s Secret) path(dir string) string {
	if s.File == "" || s.Env != "" {
		return ""
	}
	return abs(dir, s.File)
}

// isMissing reports that the secret is in a file that is not there, or empty: nobody
// has put it there yet.
func (s Secret) isMissing(dir string) bool {
	path := s.path(dir)
	if path == "" {
		return false
	}
	b, err := os.ReadFile(path)
	return errors.Is(err, os.ErrNotExist) || (err == nil && len(bytes.TrimSpace(b)) == 0)
}

func abs(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Load reads and checks a configuration file. Its errors name the line, or the
// option and what to do.
func Load(path string) (*Config, error) {
	if path == "" {
		return nil, fmt.Errorf("no configuration file is named: give it with -c, or as HANDOFF_CONFIG, which must not be empty: %w", handoff.ErrInvalid)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s; write one with: handoff init DIR: %w", path, handoff.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := &Config{Listen: "127.0.0.1:8080", Store: "sqlite:handoff.db", Migrate: migrateAtStart}
	if err := yaml.UnmarshalWithOptions(b, c, yaml.Strict()); err != nil {
		// Its line is named, not shown: somebody may have written a secret there.
		return nil, fmt.Errorf("%s: %s: %w", path, yaml.FormatError(err, false, false), handoff.ErrInvalid)
	}
	if c.file, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c.dir = filepath.Dir(c.file)
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, err, handoff.ErrInvalid)
	}
	return c, nil
}

// What the option migrate can say.
const (
	migrateAtStart   = "start"
	migrateByCommand = "command"
)

var siteID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// check reports the first fault that needs no secret and no content to see.
func (c *Config) check() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: %q is no address such as 127.0.0.1:8080", c.Listen)
	}
	if c.Migrate != migrateAtStart && c.Migrate != migrateByCommand {
		return fmt.Errorf("migrate: %q; write start or command", c.Migrate)
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	if len(c.ReferenceKeys) == 0 {
		return errors.New("reference_keys: name at least one; handoff init makes one")
	}
	if len(c.Sites) == 0 {
		return errors.New("sites: there is none")
	}
	for i := range c.Sites {
		if err := c.Sites[i].check(); err != nil {
			return fmt.Errorf("sites[%d]: %w", i, err)
		}
		if slices.ContainsFunc(c.Sites[:i], func(s SiteConfig) bool { return s.ID == c.Sites[i].ID }) {
			return fmt.Errorf("sites[%d]: the id %s is there twice", i, c.Sites[i].ID)
		}
	}
	return nil
}

func (s *SiteConfig) check() error {
	if !siteID.MatchString(s.ID) {
		return fmt.Errorf("id: %q; use small letters, digits and -, at most 40", s.ID)
	}
	u, err := url.Parse(s.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("url: %q; write scheme and host, such as https://www.example.com", s.URL)
	}
	s.URL = u.Scheme + "://" + u.Host
	if s.Content == "" {
		return errors.New("content: name the folder with the site's pages")
	}
	if len(s.Calcom.Origins) == 0 {
		return errors.New("calcom.origins: name the origin of the booking pages, such as https://app.cal.com")
	}
	for i, o := range s.Calcom.Origins {
		origin, err := csp.Origin(o)
		if err != nil {
			return fmt.Errorf("calcom.origins: %w", err)
		}
		s.Calcom.Origins[i] = origin
	}
	if s.Calcom.API.URL == "" && s.Calcom.API.Key != (Secret{}) {
		return errors.New("calcom.api.url: there is a key, and no address to use it at; write one like https://api.cal.com/v2")
	}
	if api := s.Calcom.API.URL; api != "" {
		if u, err := url.Parse(api); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return fmt.Errorf("calcom.api.url: %q; write it like https://api.cal.com/v2", api)
		}
	}
	if p := s.Calcom.PreviousSecret; p != nil && p.Until.IsZero() {
		return errors.New("calcom.previous_webhook_secret: say until when it is accepted")
	}
	if s.Pipeline != nil {
		if err := s.pipeline().Check(); err != nil {
			return fmt.Errorf("pipeline: %w", err)
		}
	}
	for i := range s.Notify {
		if err := s.Notify[i].check(); err != nil {
			return fmt.Errorf("notify[%d]: %w", i, err)
		}
	}
	if err := s.Reminders.check(); err != nil {
		return fmt.Errorf("reminders.%w", err)
	}
	if err := s.Desk.check(); err != nil {
		return fmt.Errorf("desk.%w", err)
	}
	return handoff.CheckIgnore(s.ignore())
}

// ignore are the rules by which a booking needs nobody.
func (s *SiteConfig) ignore() []handoff.IgnoreRule {
	var out []handoff.IgnoreRule
	for _, r := range s.Ignore {
		out = append(out, handoff.IgnoreRule(r))
	}
	return out
}

// SiteIDs lists the sites, in the order of the configuration.
func (c *Config) SiteIDs() []string {
	ids := make([]string, len(c.Sites))
	for i := range c.Sites {
		ids[i] = c.Sites[i].ID
	}
	return ids
}

// CheckFilter reports a site or a stage that no site of this configuration has.
// Empty ones are none. The message lists what there is.
func (c *Config) CheckFilter(site string, stage handoff.Stage) error {
	var stages []string
	sites := c.SiteIDs()
	for i := range c.Sites {
		if site == "" || site == c.Sites[i].ID {
			for _, s := range c.Sites[i].pipeline().Stages {
				stages = append(stages, string(s))
			}
		}
	}
	if site != "" && !slices.Contains(sites, site) {
		return fmt.Errorf("there is no site %q; there are: %s", site, strings.Join(sites, ", "))
	}
	if stage != "" && !slices.Contains(stages, string(stage)) {
		return fmt.Errorf("there is no stage %q; there are: %s", stage, strings.Join(stages, ", "))
	}
	return nil
}

// Pipeline is a site's; of one that the configuration does not name, the default.
func (c *Config) Pipeline(site string) handoff.Pipeline {
	for i := range c.Sites {
		if c.Sites[i].ID == site {
			return c.Sites[i].pipeline()
		}
	}
	return handoff.DefaultPipeline()
}

// hosts are the names under which the site is asked for.
func (s *SiteConfig) hosts() []string {
	var out []string
	for _, h := range s.Hosts {
		out = append(out, strings.ToLower(h))
	}
	if u, err := url.Parse(strings.ToLower(s.URL)); err == nil && !slices.Contains(out, u.Hostname()) {
		out = append(out, u.Hostname())
	}
	return out
}

// pipeline fills what is not written down from the default.
func (s *SiteConfig) pipeline() handoff.Pipeline {
	p := handoff.DefaultPipeline()
	c := s.Pipeline
	if c == nil {
		return p
	}
	if len(c.Stages) > 0 {
		p.Stages = c.Stages
	}
	for situation, stage := range c.On {
		p.On[situation] = stage
	}
	if c.Final != nil {
		p.Final = c.Final
	}
	p.Reopen = c.Reopen
	return p
}

func (c *Config) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range c.TrustedProxies {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			addr, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("trusted_proxies: %q is neither an address nor a network", s)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}

// keys reads the reference keys.
func (c *Config) keys() (handoff.Keys, error) {
	var keys handoff.Keys
	for i, s := range c.ReferenceKeys {
		v, err := s.value(c.dir)
		if err != nil {
			return nil, fmt.Errorf("reference_keys[%d]: %w", i, err)
		}
		if len(v) < handoff.MinKeyLen {
			return nil, fmt.Errorf("reference_keys[%d]: it is %d characters; at least %d are needed", i, len(v), handoff.MinKeyLen)
		}
		keys = append(keys, handoff.Key(v))
	}
	return keys, nil
}

// StoreURL is the store's address with its path made absolute.
func (c *Config) StoreURL() string {
	if strings.Contains(c.Store, "://") {
		return c.Store
	}
	return "sqlite:" + abs(c.dir, strings.TrimPrefix(c.Store, "sqlite:"))
}

func (c *Config) siteConfig(id string) *SiteConfig {
	for i := range c.Sites {
		if c.Sites[i].ID == id {
			return &c.Sites[i]
		}
	}
	return nil
}
