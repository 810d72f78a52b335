package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// turnable is an install whose secret can be turned, and what was said of it.
func turnable(t *testing.T, secret string) (n *Connection, said func() string) {
	t.Helper()
	dir := t.TempDir()
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "calcom-webhook"), []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(filepath.Join(dir, "handoff.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	n, err = c.connection(&c.Sites[0], true, time.Now, func(s Step) { steps = append(steps, string(s.State)+" "+s.What+": "+s.Detail) })
	if err != nil {
		t.Fatal(err)
	}
	return n, func() string { return strings.Join(steps, "\n") }
}

// Former secrets add up to a few, and are not forgotten before their time.
func TestFormerSecretsAreKept(t *testing.T) {
	n, _ := turnable(t, "the-secret-of-now-is-long")
	want := []string{n.secret}
	for i := range maxFormer {
		if _, err := n.replaceSecret(); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		want = append(want, n.secret)
	}
	if _, err := n.replaceSecret(); err == nil || !strings.Contains(err.Error(), "come back tomorrow") {
		t.Errorf("one too many: %v", err)
	}
	file := &secretFile{path: n.secretPath}
	if err := file.read(); err != nil || len(file.secrets) != len(want) {
		t.Fatalf("%d secrets, want %d; %v", len(file.secrets), len(want), err)
	}
	for i, s := range file.secrets {
		if s.Value != want[len(want)-1-i] || s.Until.IsZero() != (i == 0) {
			t.Errorf("%d: another secret, or until another time: %v", i, s.Until)
		}
	}
	n.now = func() time.Time { return time.Now().Add(formerFor + time.Minute) }
	if _, err := n.replaceSecret(); err != nil {
		t.Fatal(err)
	}
	if err := file.read(); err != nil || len(file.secrets) != 2 {
		t.Errorf("a day later there are %d, want the new one and the one before; %v", len(file.secrets), err)
	}
}

// A secret that could not be read beside another is not turned, and stays as it is.
func TestSecretWithBlanksIsNotTurned(t *testing.T) {
	const blanks = "correct horse battery staple"
	n, _ := turnable(t, blanks)
	if _, err := n.replaceSecret(); err == nil || !strings.Contains(err.Error(), "by hand") || strings.Contains(err.Error(), "horse") {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(n.secretPath); err != nil || strings.TrimSpace(string(b)) != blanks || n.secret != blanks {
		t.Errorf("%q, %v", b, err)
	}
}

// Undone, the file is the one it was, whatever path leads to it.
func TestTurnedSecretIsPutBack(t *testing.T) {
	n, _ := turnable(t, "the-secret-of-now-is-long")
	real := n.secretPath
	n.secretPath = filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, n.secretPath); err != nil {
		t.Fatal(err)
	}
	undo, err := n.replaceSecret()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(real); err != nil || !strings.HasPrefix(string(b), n.secret+"\nprevious the-secret-of-now-is-long until ") {
		t.Errorf("%v", err)
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(real); err != nil || string(b) != "the-secret-of-now-is-long\n" {
		t.Errorf("%q, %v", b, err)
	}
	if left, err := os.ReadDir(filepath.Dir(real)); err != nil || len(left) != 2 {
		t.Errorf("%v, %v; want the two secrets that an install has", left, err)
	}
}

// A file that another site has too is told, also where another path leads to it.
func TestSharedSecretIsFound(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "the-secret-of-now-is-long", "b": "the-secret-of-another-one"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	c := &Config{dir: dir}
	for id, file := range []string{"a", "b", "link", "none", "none"} {
		c.Sites = append(c.Sites, SiteConfig{ID: string(rune('0' + id)), Calcom: CalcomConfig{WebhookSecret: Secret{File: file}}})
	}
	for i, want := range []string{"2", "", "0", "", ""} {
		if got := c.sharing(&c.Sites[i]); got != want {
			t.Errorf("site %d shares with %q, want %q", i, got, want)
		}
	}
	n, _ := turnable(t, "the-secret-of-now-is-long")
	n.sharedWith = "other"
	if err := n.Rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "one secret file") {
		t.Errorf("%v", err)
	}
}

// Several servers can stand behind one address: one that refuses is enough, and what a
// ping showed before does not count any more.
func TestEveryPingCounts(t *testing.T) {
	n, said := turnable(t, "the-secret-of-now-is-long")
	answers := 0
	refusing := 3
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers++; answers == refusing {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"result":"stored"}`))
	}))
	defer server.Close()
	n.site.URL = server.URL
	if err := n.accepted(t.Context()); err == nil {
		t.Errorf("one refused, and it counts as accepted")
	}
	answers, refusing = 0, 2
	if n.ping(t.Context()); !n.reached {
		t.Errorf("not reached: %s", said())
	}
	if n.ping(t.Context()); n.reached {
		t.Errorf("still reached: %s", said())
	}
	answers, refusing = 0, 100
	if err := n.accepted(t.Context()); err != nil || answers < 3 {
		t.Errorf("%d pings, %v", answers, err)
	}
}
