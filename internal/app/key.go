package app

import (
	"context"
	"fmt"
	"strings"

	"handoff"
	"handoff/internal/calcom"
)

// LacksKey reports that a site's configuration names a file for the key of Cal.com's
// API, and that no key is in it yet.
func (c *Config) LacksKey(site string) bool {
	s := c.siteConfig(site)
	return s != nil && s.Calcom.API.URL != "" && s.Calcom.API.Key.isMissing(c.dir)
}

// Asks reports that a site can ask Cal.com's API about one booking.
func (c *Config) Asks(site string) bool {
	s := c.siteConfig(site)
	return s != nil && s.Calcom.API.URL != ""
}

// KeepKey writes a key of Cal.com's API into the file that the configuration names,
// readable by its owner only, once Cal.com has accepted it. It replaces one that is there.
func (c *Config) KeepKey(ctx context.Context, site, key string) error {
	s := c.siteConfig(site)
	if s == nil || s.Calcom.API.URL == "" || s.Calcom.API.Key.path(c.dir) == "" {
		return fmt.Errorf("calcom.api of %s names no url, or no file for its key: %w", site, handoff.ErrInvalid)
	}
	api := calcom.API{Base: strings.TrimRight(s.Calcom.API.URL, "/"), Key: key, Attempts: 4}
	if _, err := api.EventTypes(ctx); err != nil {
		return fmt.Errorf("this key was not kept: %w", err)
	}
	return replaceFile(s.Calcom.API.Key.path(c.dir), []byte(key+"\n"))
}
