package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handoff/internal/content"
	"handoff/internal/web"
)

// Settings say what is in use, and of a secret where it is, never what it is.
func TestSettingsShowNoSecret(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "handoff.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hook-url", "https://hooks.example.com/the-secret-address")
	write("hook", "the-secret-that-signs")
	write("calcom-api-key", "the-secret-key")
	write("calcom-webhook", "the-secret-of-the-webhook")
	t.Setenv("HANDOFF_TEST_SLACK", "https://hooks.slack.example/the-secret-channel")
	more := `
    desk: {unbooked_after: 2d}
    notify:
      - {slack: {env: HANDOFF_TEST_SLACK}, about: [booking, alarm]}
      - {webhook: {file: secrets/hook-url}, secret: {file: secrets/hook}}
    ignore:
      - {name: internal test, reason: trial calls, attendees: ["*@example.com"]}
`
	if err := os.WriteFile(path, append(b, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.keys()
	if err != nil {
		t.Fatal(err)
	}
	sites, err := c.sites(keys)
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprintf("%+v %+v", c.settings(&c.Sites[0], sites[0]), shownSecrets(keys[0], append(sites[0].Secrets(), web.Secret{Value: "the-secret-before-it", Until: time.Now()})))
	if strings.Contains(said, "the-secret") || strings.Contains(said, string(keys[0])) {
		t.Errorf("a secret is shown: %s", said)
	}
	for _, want := range []string{
		"file secrets/calcom-webhook", "file secrets/calcom-api-key", "Slack, environment variable HANDOFF_TEST_SLACK; about booking alarm", "Webhook, signed, file secrets/hook-url; about everything",
		"“internal test”", "attendee *@example.com", "2 days after the form", "booked → booked", "won lost", "SQLite", c.Sites[0].URL + "/webhooks/calcom/" + c.Sites[0].ID,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q: %s", want, said)
		}
	}
	if c.file != path {
		t.Errorf("the file is %s", c.file)
	}
}

// Where reminders come from is said as they say it themselves, also where the site's own
// address is what was not written down.
func TestSettingsSayWhoReminds(t *testing.T) {
	site := &content.Site{Name: "Acme", Email: "hello@acme.example"}
	for given, want := range map[string]string{"": "Acme <hello@acme.example>", "desk@acme.example": "Acme <desk@acme.example>"} {
		said := fmt.Sprint(reminderSettings(&SiteConfig{Reminders: RemindersConfig{From: given}}, site))
		if !strings.Contains(said, "{From ["+want+"]") {
			t.Errorf("%q: nothing says %s: %s", given, want, said)
		}
	}
}

// How long the desk waits has bounds, and a default.
func TestUnbookedAfter(t *testing.T) {
	for wait, ok := range map[time.Duration]bool{0: true, time.Hour: true, 29 * 24 * time.Hour: true, 59 * time.Minute: false, 30 * 24 * time.Hour: false, -time.Hour: false} {
		d := DeskConfig{UnbookedAfter: Wait(wait)}
		if err := d.check(); (err == nil) != ok {
			t.Errorf("%s: %v", wait, err)
		}
	}
	if got := (DeskConfig{}).unbooked(); got != 24*time.Hour {
		t.Errorf("left out: %s", got)
	}
}
