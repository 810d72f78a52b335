package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sites is an ordinary install of several sites, for "handoff serve".
type sites struct {
	install
	secrets map[string]string // of the webhooks, by site
}

// newSites writes an install with "handoff init", and a configuration of sites in
// place of its one.
func newSites(t *testing.T, ids ...string) *sites {
	t.Helper()
	dir := t.TempDir()
	if _, err := output(dir, "init", dir); err != nil {
		t.Fatal(err)
	}
	address := freeAddress()
	in := &sites{install{dir: dir, site: "http://" + address}, map[string]string{}}
	var config strings.Builder
	fmt.Fprintf(&config, "listen: %s\nreference_keys: [{file: secrets/reference.key}]\nsites:\n", address)
	for _, id := range ids {
		fmt.Fprintf(&config, `  - id: %[1]s
    url: http://%[1]s.test
    content: content
    calcom: {origins: ["http://127.0.0.1:9"], webhook_secret: {file: secrets/%[1]s}}
`, id)
		in.secrets[id] = "whsec_of_the_site_" + id
		if err := os.WriteFile(filepath.Join(dir, "secrets", id), []byte(in.secrets[id]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(in.config(), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return in
}

// serve starts the server; it is killed at the end of the test if it still runs.
func (in *sites) serve(t *testing.T) *process {
	t.Helper()
	p, err := launch(in.dir, "serve", nil, "serve", "-c", in.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	if err := p.ready(in.site + "/readyz"); err != nil {
		t.Fatal(err)
	}
	return p
}
