package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// resident is the memory of a process and its children in bytes, as the kernel
// counts it (VmRSS), and the most it ever was (VmHWM).
func resident(pid int) (now, most int64) {
	for _, p := range family(pid) {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p)) // it may be gone
		now += kilobytes(status, "VmRSS:")
		most += kilobytes(status, "VmHWM:")
	}
	return now, most
}

// proportional is the memory of a process and its children in bytes, what they
// share counted once (PSS): PostgreSQL's processes share most of theirs.
func proportional(pid int) (sum int64) {
	for _, p := range family(pid) {
		rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		sum += kilobytes(rollup, "Pss:")
	}
	return sum
}

// kilobytes finds a line such as "VmRSS:  1234 kB" and returns it in bytes.
func kilobytes(text []byte, name string) int64 {
	_, rest, ok := bytes.Cut(text, []byte("\n"+name))
	if !ok {
		return 0
	}
	fields := bytes.Fields(rest)
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return n << 10
}

// family is a process and all that descend from it.
func family(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // gone meanwhile
		}
		text := string(b)
		// The name, in parentheses, may hold anything; the parent is second behind it.
		behind := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(behind) < 2 {
			continue
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(behind[1])
		children[parent] = append(children[parent], id)
	}
	out := []int{pid}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i]]...)
	}
	return out
}
