package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildDir is where programs are built; it is ignored by git, and kept for the
// next run.
const buildDir = ".cache/bench"

// errNoNode is why a program that needs Node.js is not measured.
var errNoNode = errors.New("there is no Node.js, or no npm, on this machine")

// build builds every program that is to be measured.
func (b *bench) build() error {
	for _, p := range []struct{ name, dir, pkg string }{
		{"handoff", ".", "./cmd/handoff"},
		{"bare", ".", "./bench/bare"},
		{"pocketbase", "bench/peers/pocketbase", "."},
	} {
		if !b.wants(p.name) {
			continue
		}
		log.Printf("building %s", p.name)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary(p.name), p.pkg)
		cmd.Dir, cmd.Env = filepath.Join(b.source, p.dir), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w: %s", p.name, err, out)
		}
	}
	if !b.wants(nextjs) {
		return nil
	}
	return b.buildNext()
}

// wants says whether a program whose name begins so is to be measured. Handoff is
// needed by everyone: the others' leads are like its own.
func (b *bench) wants(prefix string) bool {
	for _, p := range programs {
		if strings.HasPrefix(p.name, prefix) && chosen(b.programs, p.name) {
			return true
		}
	}
	return false
}

func (b *bench) nextDir() string { return filepath.Join(b.source, buildDir, "nextjs") }

// buildNext installs and builds the Next.js application in a copy beside the
// source, unless the same was built before.
func (b *bench) buildNext() error {
	if !hasNode() {
		log.Printf("%s is not measured: %v", nextjs, errNoNode)
		return nil
	}
	from := filepath.Join(b.source, "bench/peers/nextjs")
	if same(from, b.nextDir()) {
		return nil
	}
	log.Printf("building %s (npm ci, next build)", nextjs)
	if err := os.RemoveAll(b.nextDir()); err != nil {
		return err
	}
	if err := os.CopyFS(b.nextDir(), os.DirFS(from)); err != nil {
		return err
	}
	for _, args := range [][]string{{"npm", "ci", "--no-audit", "--no-fund"}, {"npm", "run", "build"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = b.nextDir(), append(os.Environ(), "NEXT_TELEMETRY_DISABLED=1", "npm_config_update_notifier=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return os.CopyFS(filepath.Join(b.nextDir(), "built-from"), os.DirFS(from))
}

// same says whether the application was built from the files as they are now.
func same(from, built string) bool {
	return exec.Command("diff", "-rq", from, filepath.Join(built, "built-from")).Run() == nil
}

// hasNode says whether Node.js and npm are there.
func hasNode() bool {
	_, node := exec.LookPath("node")
	_, npm := exec.LookPath("npm")
	return node == nil && npm == nil
}

// measured are the programs that are asked for and can run here.
func (b *bench) measured() []*program {
	var out []*program
	for _, p := range programs {
		if chosen(b.programs, p.name) && (!p.nodejs || hasNode()) {
			out = append(out, p)
		}
	}
	return out
}
