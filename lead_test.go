package handoff_test

import (
	"errors"
	"strings"
	"testing"

	"handoff"
)

func TestSource(t *testing.T) {
	for _, c := range []struct {
		utm, referrer, want string
	}{
		{"", "", "direct"},
		{"News Letter", "https://search.example/", "news letter"},
		{"", "https://www.Search.example:8443/q", "search.example"},
		{" \n ", "https://search.example/", "search.example"},
		{"", "://", "direct"},
		{"", "/a/path", "direct"},
		{strings.Repeat("é", 80), "", strings.Repeat("é", 50)},
	} {
		got := handoff.Context{Campaign: map[string]string{"utm_source": c.utm}, Referrer: c.referrer}.Source()
		if got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.utm, c.referrer, got, c.want)
		}
	}
}

func TestCheckNote(t *testing.T) {
	for text, want := range map[string]string{
		" a\r\nb ": "a\nb", "": "", " \n": "", "a\x00": "", "a\xff": "",
		strings.Repeat("é", handoff.MaxNote): strings.Repeat("é", handoff.MaxNote), strings.Repeat("é", handoff.MaxNote+1): "",
	} {
		got, err := handoff.CheckNote(text)
		if got != want || (want == "") != errors.Is(err, handoff.ErrInvalid) {
			t.Errorf("%.10q: %.10q, %v", text, got, err)
		}
	}
}
