package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"handoff/internal/calcom"
	"handoff/internal/store"
)

// printReceived prints what was received, one after another.
func printReceived(w io.Writer, received []store.ReceivedView) {
	for _, r := range received {
		fmt.Fprintf(w, "\n%s  %s  %s\n%s\n", when(r.At), oneLine(r.Trigger), oneLine(r.ContentType), readable(r.Body))
	}
}

// maxIndented is how deep a body may be nested to be printed indented; the desk has the
// same bound. Cal.com's own are less than ten deep.
const maxIndented = 32

// readable makes a stranger's body safe for a terminal: JSON indented, all else quoted in
// one line.
func readable(body string) string {
	var pretty bytes.Buffer
	if calcom.Deeper(body, maxIndented) || json.Indent(&pretty, []byte(strings.TrimSpace(body)), "", "  ") != nil {
		return strconv.Quote(body)
	}
	return escaped(pretty.String())
}

// escaped writes what no terminal shows as it is, or takes for a command, as JSON's escapes.
// In JSON such characters stand in texts only, where that means the same; JSON itself lets
// through all but the first 32.
func escaped(pretty string) string {
	var out strings.Builder
	for _, r := range pretty { // a byte that is no UTF-8 comes as U+FFFD
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
