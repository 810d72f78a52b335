package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// method says on what and how was measured, so that a figure can be judged.
func method(b *bench) string {
	pinned := "all programs share the processors with the generator"
	if b.pin != "" {
		pinned = "everything, the generator too, on processors " + b.pin
	}
	warning := ""
	if b.quick {
		warning = "**A smoke run: the figures mean nothing.** "
	}
	return warning + fmt.Sprintf("%s; %s, %d processors, Linux %s, stores on %s; %s, %s, Node.js %s. "+
		"%s; loopback; %d runs of %s in turns, medians; every commit waits for the disk (SQLite synchronous=FULL, PostgreSQL as Debian ships it), but for %s. "+
		"A store has %s booked leads and %s that wait for their webhook; the big one has %s booked.",
		time.Now().UTC().Format("2 January 2006"), processor(), runtime.NumCPU(), firstOf("uname", "-r"), disk(b.dir), runtime.Version(), postgresVersion(), firstOf("node", "--version"),
		pinned, b.runs, b.duration, pocketbase, thousands(oldLeads), thousands(b.hooks), thousands(b.leads))
}

// processor is the name of the machine's.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // it is for a line of text only
	_, rest, _ := bytes.Cut(text, []byte("model name"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.Trim(string(line), "\t :")
}

func disk(dir string) string { return firstOf("stat", "-f", "-c", "%T", dir) }

func postgresVersion() string {
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(paths) == 0 {
		return "no PostgreSQL"
	}
	return strings.Replace(firstOf(paths[len(paths)-1], "--version"), "postgres (PostgreSQL)", "PostgreSQL", 1)
}

// firstOf is the first line that a command prints, or "none".
func firstOf(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "none"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// thousands writes 1000000 as 1,000,000.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
