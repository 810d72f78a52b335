package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe-core, of npm, as scripts/deps.sh fetches it.
const (
	axeFile   = "axe-core-4.10.3.js"
	axeDigest = "880970c081707360e64f34cea25ff91892f5bc95675b0776925b9709dd8a68bb"
)

var axeCore = sync.OnceValues(func() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(filepath.Join(dir, "handoff", axeFile))
	if err != nil {
		return "", fmt.Errorf("axe-core judges these pages (make deps fetches it): %w", err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != axeDigest {
		return "", fmt.Errorf("%s is not the file that was published: remove it, and run make deps", axeFile)
	}
	return string(b), nil
})

// judge asks axe-core about the page as it is shown: all of its rules, best practices
// too. It is evaluated from outside, so the page's own policy stays as strict as it is.
func (b *tab) judge(t *testing.T, name string) {
	t.Helper()
	core, err := axeCore()
	if err != nil {
		t.Fatal(err)
	}
	if !eval[bool](b, `typeof axe === "object"`) {
		b.do(chromedp.Evaluate[chromedp.Void](core))
	}
	const run = `axe.run(document, { preload: false, resultTypes: ["violations"] }).then((found) =>
		found.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target.join(" ") + " – " + n.failureSummary.replace(/\s+/g, " "))))`
	for _, wrong := range eval[[]string](b, run) {
		t.Errorf("%s: axe: %s", name, strings.TrimSpace(wrong))
	}
}
