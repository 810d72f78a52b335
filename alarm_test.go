package handoff

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAlarm(t *testing.T) {
	told := Listed{Observed: true, Made: noon, ListedAt: noon.Add(time.Minute), WebhookAt: noon}
	late := told
	late.WebhookAt = noon.Add(time.Hour)
	never := told
	never.WebhookAt = time.Time{}
	of := func(n int, l Listed) []Listed { return slices.Repeat([]Listed{l}, n) }
	for _, tt := range []struct {
		name   string
		recent []Listed // the newest first
		want   Reason
	}{
		{"no bookings", nil, ""},
		{"one was lost", of(1, never), ""},
		{"the newest was lost", slices.Concat(of(1, never), of(5, told)), ""},
		{"the newest two were", slices.Concat(of(2, never), of(18, told)), WebhookSilent},
		{"all were", of(20, never), WebhookSilent},
		{"it works again", slices.Concat(of(1, told), of(8, never)), ""},
		{"late is not never", slices.Concat(of(2, late), of(8, told)), ""},
		{"one in five is lost", slices.Concat(of(1, told), of(2, never), of(7, told)), WebhookLossy},
		{"one in ten is", slices.Concat(of(1, told), of(1, never), of(8, told)), ""},
		{"one in five, of few", slices.Concat(of(1, told), of(2, never), of(6, told)), ""},
	} {
		s := Signs{Recent: tt.recent}
		if got, detail := s.Alarm(); got != tt.want || (got == "") != (detail == "") {
			t.Errorf("%s: %q %q, want %q", tt.name, got, detail, tt.want)
		}
	}

	for cause, signs := range map[string]Signs{
		"Nothing came at all":             {},
		"lacks triggers":                  {Told: 1, Failed: map[Reason]int{SignatureWrong: 9, NoSecretProvided: 9, SignatureMissing: 9}},
		"if they were Cal.com's, the web": {Failed: map[Reason]int{SignatureWrong: 2, SignatureMissing: 1}},
		"a retired secret":                {Told: 1, Failed: map[Reason]int{SignatureWrong: 2, SignatureRetired: 1}},
		"names the wrong site":            {Failed: map[Reason]int{SignatureOtherSite: 1, SignatureRetired: 1}},
		"enter the site's":                {Failed: map[Reason]int{NoSecretProvided: 1, SignatureMissing: 1}},
		"removes the header":              {Failed: map[Reason]int{SignatureMissing: 1}},
		"re-encoded":                      {Failed: map[Reason]int{BodyReencoded: 1}},
		"custom payload template":         {Told: 1, Failed: map[Reason]int{UnknownShape: 1}},
	} {
		signs.Recent = of(3, never)
		if _, detail := signs.Alarm(); !strings.Contains(detail, "the newest 3 bookings") || !strings.Contains(detail, cause) {
			t.Errorf("%q, want %q", detail, cause)
		}
	}
}

// A cause is looked for since the trouble began, not before.
func TestTrouble(t *testing.T) {
	at := func(hours int, told bool) Listed {
		l := Listed{Made: noon.Add(time.Duration(hours) * time.Hour)}
		if told {
			l.WebhookAt = l.Made
		}
		return l
	}
	for _, tt := range []struct {
		recent []Listed
		want   time.Time
	}{
		{nil, time.Time{}},
		{[]Listed{at(9, false), at(8, false), at(7, true), at(6, false)}, noon.Add(8 * time.Hour)},
		{[]Listed{at(9, true), at(8, false), at(7, true)}, noon.Add(7 * time.Hour)},
	} {
		s := Signs{Recent: tt.recent}
		if got := s.Trouble(); !got.Equal(tt.want) {
			t.Errorf("since %s, want %s", got, tt.want)
		}
	}
}

func TestTells(t *testing.T) {
	now := noon.Add(2 * time.Hour)
	own := Listed{Observed: true, Made: noon, ListedAt: noon.Add(time.Minute)}
	for _, tt := range []struct {
		name   string
		change func(*Listed)
		want   bool
	}{
		{"the site's own", func(*Listed) {}, true},
		{"another event type", func(l *Listed) { l.Observed, l.EventType = false, 5 }, false},
		{"found long after", func(l *Listed) { l.ListedAt = noon.Add(promptly) }, false},
		{"its webhook can still come", func(l *Listed) { l.Made, l.ListedAt = now.Add(-Grace), now.Add(-Grace) }, false},
		{"its webhook came", func(l *Listed) { l.Made, l.ListedAt, l.WebhookAt = now, now, now }, true},
	} {
		l := own
		tt.change(&l)
		if got := l.Tells(now); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
