package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/content"
	"handoff/internal/notify"
	"handoff/internal/store"
)

// Anybody can send a form with somebody else's address: only a name is written to them.
func TestFirstName(t *testing.T) {
	for name, want := range map[string]string{
		"Dana Whitfield": "Dana", "Zoë": "Zoë", " Jean-Luc Picard": "Jean-Luc", "O'Brien": "O'Brien", "李 小龍": "李",
		"": "there", "evil.example/win now": "there", "https://evil.example": "there", "Win$1000": "there", strings.Repeat("a", 31): "there", "a@b.c": "there", "<b>x</b>": "there",
	} {
		if got := FirstName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// A letter has what it needs, and nothing else of what the form said.
func TestReminderLetter(t *testing.T) {
	site, err := content.Load(content.Demo())
	if err != nil {
		t.Fatal(err)
	}
	site.URL = "https://b.example"
	keys := handoff.Keys{handoff.Key("a reference key of 32 bytes, test")}
	one := store.Reminder{Lead: handoff.Lead{Site: "b", ID: "lead_1", Name: "Dana <script>", Email: "dana@example.com", Service: "boiler-replacement", Phone: "+44 1"}, Number: 2, Submission: "sub_01j00000000000000000000000"}
	m, err := letter(site, keys, "hello@b.example", one)
	if err != nil {
		t.Fatal(err)
	}
	reference, stop := keys.Sign("b", one.Submission), keys.SignStop("b", one.Submission)
	for _, want := range []string{"Hello Dana,", "https://b.example/book/" + reference, "https://b.example/stop/" + stop, "Brightwater Plumbing"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the text lacks %q:\n%s", want, m.Text)
		}
		if !strings.Contains(m.HTML, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, m.HTML)
		}
	}
	if m.To != "dana@example.com" || m.From != "hello@b.example" || m.FromName != "Brightwater Plumbing" || m.ID != "lead_1.2@b.example" || m.Stop != "https://b.example/stop/"+stop {
		t.Errorf("%+v", m)
	}
	if strings.Contains(m.Text+m.HTML+m.Subject, "script") || strings.Contains(m.Text+m.HTML, "+44") {
		t.Error("it says more of the form than the first name")
	}
	one.Service = "sold-no-more"
	if m, err := letter(site, keys, "hello@b.example", one); !errors.Is(err, notify.ErrRefused) {
		t.Errorf("of a service that is sold no more: %v, %v", m, err)
	}
}

// What is wrong with whom is written to is said when the configuration is read, and
// shows no secret.
func TestMailAndPeopleAreChecked(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "handoff.yaml")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for more, want := range map[string]string{
		"mail: {host: h}\n~reminders: {after: [3h, 2d], quiet: \"20:00-08:00\"}": "",
		"~reminders: {after: [3h]}":                                                                          "there is no mail server",
		"mail: {host: h}\n~reminders: {after: [1m]}":                                                         "a wait is 30m0s to 60d",
		"mail: {host: h}\n~reminders: {after: [61d]}":                                                        "a wait is 30m0s to 60d",
		"mail: {host: h}\n~reminders: {after: [3h, 3h30m]}":                                                  "at least an hour after",
		"mail: {host: h}\n~reminders: {after: [3h, 1d, 2d]}":                                                 "there is no mail/reminder-3.md",
		"mail: {host: h}\n~reminders: {after: [1d, 2d, 3d, 4d, 5d, 6d]}":                                     "at most 5",
		"mail: {host: h}\n~reminders: {after: [3h], quiet: \"8-20\"}":                                        "write it like 20:00-08:00",
		"mail: {host: h}\n~reminders: {after: [3h], from: nobody}":                                           "is no e-mail address",
		"mail: {host: h, tls: maybe}":                                                                        "write starttls, implicit or none",
		"mail: {host: h.example, tls: none, user: u, password: {file: secrets/pw}}":                          "in clear",
		"mail: {host: h.example, tls: none}":                                                                 "in clear",
		"mail: {host: \"::1\", tls: none}":                                                                   "",
		"mail: {host: h, port: 70000}":                                                                       "a port is 1 to 65535",
		"mail: {host: h, password: {file: secrets/pw}}":                                                      "no name for it",
		"mail: {host: h}\n~reminders: {after: [1h2d]}":                                                       "is no time span",
		"mail: {host: h}\n~reminders: {after: [soon]}":                                                       "is no time span",
		"mail: {host: h.example, user: u}":                                                                   "mail.password",
		"mail: {host: h}\n~notify: [{mail: you@example.com}, {slack: {file: secrets/hook}, about: [alarm]}]": "",
		"~notify: [{mail: you@example.com}]":                                                                 "there is no mail server",
		"~notify: [{mail: nobody}]":                                                                          "is no e-mail address",
		"~notify: [{about: [alarm]}]":                                                                        "name one of mail, slack and webhook",
		"~notify: [{mail: a@b.example, slack: {env: X}}]":                                                    "name one of mail, slack and webhook",
		"~notify: [{slack: {file: secrets/pw}}]":                                                             "is no address such as",
		"~notify: [{slack: {file: secrets/hook}, about: [gossip]}]":                                          "there is no \"gossip\"",
		"~notify: [{slack: {file: secrets/hook}}, {slack: {file: secrets/hook}}]":                            "it is there twice",
		"~notify: [{slack: {file: secrets/hook}, secret: {file: secrets/pw}}]":                               "it signs what goes to a webhook",
	} {
		top, site, _ := strings.Cut(more, "~")
		text := strings.Replace(string(b), "\nsites:\n", "\n"+top+"\nsites:\n", 1)
		if site != "" {
			text = strings.Replace(text, "    # Bookings that need nobody:", "    "+site+"\n    # Bookings that need nobody:", 1)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "secrets", "pw"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "secrets", "hook"), []byte("https://hooks.example/T0/secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err == nil {
			var a *App
			if a, err = New(t.Context(), c, quietLog(), nil); err == nil {
				a.Close()
			}
		}
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "T0/secret")) {
			t.Errorf("%s: %v, want %q", more, err, want)
		}
	}
}

func TestSpanWords(t *testing.T) {
	for d, want := range map[time.Duration]string{3 * time.Hour: "3 hours", 48 * time.Hour: "2 days", 90 * time.Minute: "90 minutes", time.Hour: "1 hour"} {
		if got := spanWords(d); got != want {
			t.Errorf("%s: %q", d, got)
		}
	}
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
