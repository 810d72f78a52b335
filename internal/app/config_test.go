package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"handoff"
)

// An install that Init writes starts as it is; it refuses to write over one.
func TestInitStarts(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	if err := Init(dir); !errors.Is(err, handoff.ErrInvalid) {
		t.Errorf("a second init: %v, want a refusal", err)
	}
	c, err := Load(filepath.Join(dir, "handoff.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	for name, mode := range map[string]os.FileMode{"secrets/reference.key": 0o600, "secrets/calcom-webhook": 0o600, "handoff.db": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %v", name, info, err, mode)
		}
	}
}

const good = `
listen: 127.0.0.1:0
reference_keys: [{file: key}]
sites:
  - id: a
    url: https://a.example
    content: content
    calcom: {origins: [https://app.cal.com], webhook_secret: {file: hook}}
`

// A configuration that cannot be right does not start, and the message names what
// to mend and no secret.
func TestConfigurationRefused(t *testing.T) {
	swap := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("the configuration has no %q", old)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	second := `
  - id: b
    url: https://a.example
    content: content
    calcom: {origins: [https://app.cal.com], webhook_secret: {file: hook}}
`
	for _, r := range []struct {
		name   string
		change func(string) string
		says   string
	}{
		{"unknown option", swap("listen:", "listne:"), "listne"},
		{"no yaml", func(string) string { return "a: [" }, "handoff.yaml"},
		{"listen", swap("127.0.0.1:0", "here"), "listen"},
		{"no key", swap("[{file: key}]", "[]"), "reference_keys"},
		{"key not there", swap("file: key", "file: nokey"), "reference_keys[0]"},
		{"short key", swap("file: key", "file: short"), "at least 32"},
		{"no site", func(s string) string { return s[:strings.Index(s, "sites:")] }, "sites"},
		{"bad id", swap("id: a", "id: A b"), "id"},
		{"bad url", swap("https://a.example", "a.example"), "url"},
		{"url with a path", swap("https://a.example", "https://a.example/x"), "url"},
		{"no origin", swap("origins: [https://app.cal.com], ", ""), "origins"},
		{"wildcard origin", swap("https://app.cal.com", "'https://*.cal.com'"), "origins"},
		{"no webhook secret", swap(", webhook_secret: {file: hook}", ""), "webhook_secret"},
		{"secret from an unset variable", swap("{file: hook}", "{env: HANDOFF_TEST_NOT_SET}"), "HANDOFF_TEST_NOT_SET"},
		{"secret in two places", swap("{file: hook}", "{file: hook, env: X}"), "not both"},
		{"short secret", swap("file: hook", "file: short"), "at least 16"},
		{"previous secret for ever", swap("webhook_secret:", "previous_webhook_secret: {secret: {file: hook}}, webhook_secret:"), "until"},
		{"content not there", swap("content: content", "content: nowhere"), "content"},
		{"two sites of one host", func(s string) string { return s + second }, "host a.example"},
		{"same id twice", func(s string) string {
			return s + strings.Replace(strings.Replace(second, "id: b", "id: a", 1), "a.example", "b.example", 1)
		}, "twice"},
		{"api", swap("calcom: {", "calcom: {api: {url: cal}, "), "calcom.api.url"},
		{"api key without url", swap("calcom: {", "calcom: {api: {key: {env: KEY}}, "), "calcom.api.url"},
		{"proxy", func(s string) string { return s + "trusted_proxies: [everyone]\n" }, "trusted_proxies"},
		{"pipeline", func(s string) string { return s + "    pipeline: {on: {booked: nowhere}}\n" }, "pipeline"},
	} {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := writeContent(filepath.Join(dir, "content")); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{
				"handoff.yaml": r.change(good), "key": "a reference key of 32 characters!", "hook": "whsec_0123456789abcdef", "short": "tooshort-secret",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c, err := Load(filepath.Join(dir, "handoff.yaml"))
			if err == nil {
				var a *App
				if a, err = New(t.Context(), c, slog.New(slog.DiscardHandler), nil); err == nil {
					a.Close()
				}
			}
			if err == nil || !strings.Contains(err.Error(), r.says) {
				t.Errorf("error %v, want one that says %q", err, r.says)
			} else if strings.Contains(err.Error(), "whsec_") || strings.Contains(err.Error(), "tooshort-secret") {
				t.Errorf("the message shows a secret: %v", err)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "handoff.yaml")); err == nil || !strings.Contains(err.Error(), "handoff init") {
		t.Errorf("no file: %v", err)
	}
}

// A pipeline of one's own replaces what it names and keeps the rest.
func TestPipelineOfASite(t *testing.T) {
	s := SiteConfig{Pipeline: &PipelineConfig{
		Stages: []handoff.Stage{"new", "requested", "booked", "met", "rebook", "no_show", "done"},
		On:     map[handoff.Situation]handoff.Stage{handoff.CallEnded: "done"}, Final: []handoff.Stage{"done"}, Reopen: true,
	}}
	p := s.pipeline()
	if err := p.Check(); err != nil || p.On[handoff.CallEnded] != "done" || p.On[handoff.CallBooked] != "booked" || !p.Reopen || len(p.Final) != 1 {
		t.Errorf("pipeline %+v, %v", p, err)
	}
	if handoff.DefaultPipeline().On[handoff.CallEnded] != "met" {
		t.Error("one site's pipeline changed the default")
	}
}

// A filter that can match nothing is a typing error, not an empty list.
func TestCheckFilter(t *testing.T) {
	c := &Config{Sites: []SiteConfig{{ID: "a"}, {ID: "b", Pipeline: &PipelineConfig{Stages: []handoff.Stage{"only"}}}}}
	for _, r := range []struct {
		site  string
		stage handoff.Stage
		says  string // empty: right
	}{
		{"", "", ""},
		{"a", "booked", ""},
		{"", "only", ""},
		{"c", "", "there are: a, b"},
		{"", "boked", "no stage"},
		{"a", "only", "no stage"},
	} {
		err := c.CheckFilter(r.site, r.stage)
		if (err == nil) != (r.says == "") || (err != nil && !strings.Contains(err.Error(), r.says)) {
			t.Errorf("%q %q: %v, want %q", r.site, r.stage, err, r.says)
		}
	}
}
