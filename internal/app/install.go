package app

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"handoff"
	"handoff/internal/content"
)

//go:embed handoff.yaml.tmpl
var installFS embed.FS

// configTemplate is handoff.yaml with every option and a sentence about it.
var configTemplate = template.Must(template.ParseFS(installFS, "handoff.yaml.tmpl"))

// An install is what handoff.yaml is written from.
type install struct {
	Demo      bool // written anew at each start of the demo
	Listen    string
	Site      string // ID
	URL       string
	CalOrigin string
	API       string
}

// Init writes an ordinary install into a folder: handoff.yaml, the content of the
// demonstration site to start from, and fresh secrets. It refuses a folder that
// has a handoff.yaml.
func Init(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "handoff.yaml")); err == nil {
		return fmt.Errorf("%s has a handoff.yaml already; choose another folder, or remove it: %w", dir, handoff.ErrInvalid)
	}
	if err := writeContent(filepath.Join(dir, "content")); err != nil {
		return err
	}
	for _, name := range []string{"reference.key", "calcom-webhook"} {
		if _, err := freshSecret(dir, name); err != nil {
			return err
		}
	}
	return writeConfig(dir, install{
		Listen: "127.0.0.1:8080", Site: "main", URL: "https://www.example.com", CalOrigin: "https://app.cal.com", API: "https://api.cal.com/v2",
	})
}

func writeConfig(dir string, in install) error {
	var b strings.Builder
	if err := configTemplate.Execute(&b, in); err != nil {
		return fmt.Errorf("writing handoff.yaml: %w", err)
	}
	return writeFile(filepath.Join(dir, "handoff.yaml"), []byte(b.String()), 0o644)
}

// writeContent copies the demonstration content, unless the folder is there.
func writeContent(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("writing content: %w", err)
	}
	if err := os.CopyFS(dir, content.Demo()); err != nil {
		return fmt.Errorf("writing content: %w", err)
	}
	return nil
}

// freshSecret makes a secret file, unless it is there, and returns the secret: the first
// line, since that of before stands below it after a rotation.
func freshSecret(dir, name string) (string, error) {
	path := filepath.Join(dir, "secrets", name)
	b, err := os.ReadFile(path)
	if err == nil {
		secret, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
		return strings.TrimSpace(secret), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	v := randomText(32)
	return v, writeSecret(dir, name, v)
}

func writeSecret(dir, name, value string) error {
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		return fmt.Errorf("writing a secret: %w", err)
	}
	return writeFile(filepath.Join(dir, "secrets", name), []byte(value+"\n"), 0o600)
}

func writeFile(path string, b []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(path, b, mode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// randomText is n random bytes as text that fits into any file or header.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
