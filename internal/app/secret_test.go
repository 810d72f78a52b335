package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handoff/internal/web"
)

// A secret file is read as it is written, and what is wrong with it is said without
// showing it.
func TestSecretFile(t *testing.T) {
	until := time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC)
	want := []web.Secret{{Value: "the-secret-of-now-is-long"}, {Value: "the-secret-of-before", Until: until}, {Value: "the-one-before-that", Until: until.Add(time.Hour)}}
	got, err := parseSecrets("\n" + formatSecrets(want) + "\n")
	if err != nil || len(got) != len(want) {
		t.Fatal(got, err)
	}
	for i := range want {
		if got[i].Value != want[i].Value || !got[i].Until.Equal(want[i].Until) {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
	for text, why := range map[string]string{
		"":        "is empty",
		"\n \n":   "is empty",
		"short12": "at least 16",
		"the-secret-of-now-is-long\nthe-secret-of-before":                          "a line 2 that is not like",
		"the-secret-of-now-is-long\nprevious the-secret-of-before until tomorrow":  "a line 2 that is not like",
		"the-secret-of-now-is-long\n\nprevious the-secret-of-before for ever":      "a line 3 that is not like",
		"the-secret-of-now-is-long\nprevious the-secret of-before until 2026-11-2": "a line 2 that is not like",
	} {
		if got, err := parseSecrets(text); err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "the-secret") {
			t.Errorf("%q: %v, %v; want %q", text, got, err, why)
		}
	}
}

// A running server takes up what the file says within a second, and keeps what it had
// where the file says nothing that it can read.
func TestSecretIsTakenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hook")
	write := func(text string) {
		t.Helper()
		if err := replaceFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("the-secret-of-now-is-long\n")
	now := time.Now()
	f := &secretFile{path: path, now: func() time.Time { return now }}
	if err := f.read(); err != nil {
		t.Fatal(err)
	}
	says := func(want string) {
		t.Helper()
		if got := f.current(); got[0].Value != want {
			t.Errorf("%s, want %s", got[0].Value, want)
		}
	}
	says("the-secret-of-now-is-long")
	write("the-secret-of-then-is-longer\n")
	says("the-secret-of-now-is-long")
	now = now.Add(lookEvery)
	says("the-secret-of-then-is-longer")
	for _, bad := range []string{"", "short", "the-secret-of-now-is-long\nrubbish"} {
		write(bad)
		now = now.Add(lookEvery)
		says("the-secret-of-then-is-longer")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookEvery)
	says("the-secret-of-then-is-longer")
	write("the-secret-of-now-is-long\n")
	now = now.Add(-time.Hour) // a clock that is set back keeps nothing away
	says("the-secret-of-now-is-long")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A kept demo begins again with the secret that a rotation gave it.
func TestFreshSecret(t *testing.T) {
	dir := t.TempDir()
	made, err := freshSecret(dir, "s")
	if again, err2 := freshSecret(dir, "s"); err != nil || err2 != nil || made == "" || again != made {
		t.Errorf("made %q, %v; again %q, %v", made, err, again, err2)
	}
	if err := writeSecret(dir, "s", "new\nprevious "+made+" until 2026-11-26T18:00:00Z"); err != nil {
		t.Fatal(err)
	}
	if got, err := freshSecret(dir, "s"); got != "new" || err != nil {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
}
