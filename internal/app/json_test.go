package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What a stranger wrote, a terminal shows and does not obey; the JSON says the same.
func TestWriteJSONIsSafeForATerminal(t *testing.T) {
	want := "a\u009b31m\x7f\x1b[2J\u202egnp.exe – <ü>\n"
	var b bytes.Buffer
	if err := WriteJSON(&b, map[string]string{"body": want}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\u009b\x7f\x1b\u202e") || !strings.Contains(b.String(), "– <ü>") {
		t.Errorf("printed %q", b.String())
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got["body"] != want {
		t.Errorf("read back %q, %v; want %q", got["body"], err, want)
	}
}
