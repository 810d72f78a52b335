package desk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"handoff"
)

// A moment is a time as it is shown: in words for people, exact for machines.
type moment struct {
	ISO, Text string // Text is empty for no time at all
}

func newMoment(t time.Time, text string) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{t.UTC().Format(time.RFC3339), text}
}

// day names a day from today's view: "today", "Tue 1 Dec", "1 Dec 2027".
func day(t, now time.Time, in *time.Location) string {
	t, now = t.In(in), now.In(in)
	date := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC) }
	switch days := date(t).Sub(date(now)) / (24 * time.Hour); {
	case days == 0:
		return "today"
	case days == 1:
		return "tomorrow"
	case days == -1:
		return "yesterday"
	case t.Year() == now.Year() || days > 0 && days < 120:
		return t.Format("Mon 2 Jan")
	}
	return t.Format("2 Jan 2006")
}

// soon is a time for lists: "today 15:00".
func soon(t, now time.Time, in *time.Location) moment {
	return newMoment(t, day(t, now, in)+" "+t.In(in).Format("15:04"))
}

// full is a time that says all: "Tue 1 Dec 2026, 15:00 GMT".
func full(t time.Time, in *time.Location) moment {
	return newMoment(t, t.In(in).Format("Mon 2 Jan 2006, 15:04 MST"))
}

// span is a call's time: "Tue 1 Dec 2026, 15:00–15:30 GMT". Where the clocks change within
// it, both ends say which they are of.
func span(start, end time.Time, in *time.Location) moment {
	if start.IsZero() {
		return moment{}
	}
	start, end = start.In(in), end.In(in)
	words := start.Format("Mon 2 Jan 2006, 15:04")
	if !end.After(start) || start.Format(time.DateOnly) == end.Format(time.DateOnly) {
		return newMoment(start, words+until(start, end, in, true))
	}
	if start.Format("MST") != end.Format("MST") {
		words += start.Format(" MST")
	}
	return newMoment(start, words+" – "+end.Format("Mon 2 Jan, 15:04 MST"))
}

// until goes on from the clock at which a call starts to the one at which it ends, if that
// is known: "–15:30", with letters "–15:30 GMT". Where the clocks change within it, both
// ends have them.
func until(start, end time.Time, in *time.Location, letters bool) string {
	start, end = start.In(in), end.In(in)
	out := ""
	if !end.After(start) {
		end = start
	} else {
		out = end.Format("–15:04")
	}
	if start.Format("MST") != end.Format("MST") {
		return start.Format(" MST") + out + end.Format(" MST")
	}
	if letters {
		out += end.Format(" MST")
	}
	return out
}

// commonZone is the zone that sites have in common; UTC if they have none.
func commonZone(sites []Site) *time.Location {
	zone := time.UTC
	for i, s := range sites {
		if i > 0 && s.zone.String() != zone.String() {
			return time.UTC
		}
		zone = s.zone
	}
	return zone
}

// zoneWords is the plain name of a zone: "London time".
func zoneWords(in *time.Location) string {
	name := in.String()
	if name == "UTC" || name == "Local" {
		return "UTC"
	}
	return strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], "_", " ") + " time"
}

// zones says in which zones times and days of a site are shown.
func (s Site) zones() string {
	days, times := zoneWords(s.TimeZone), zoneWords(s.zone)
	if days == times {
		return "Times and days are " + days + "."
	}
	return "Times are " + times + ", days " + days + "."
}

// counted writes a number that may be more: "7", "1,000+".
func counted(n int, more bool) string {
	words := strconv.Itoa(n)
	if n >= 1000 {
		words = fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	if more {
		words += "+"
	}
	return words
}

// A badge is a stage as it is shown: its name, and a tone that goes with it.
type badge struct {
	Label, Tone string
}

// stage shows a stage of a site. Tones follow what the site's pipeline says of
// it: a colour and a shape, never the only word.
func (s Site) stage(stage handoff.Stage) badge {
	return badge{label(string(stage)), s.tone(stage)}
}

var tones = map[handoff.Situation]string{
	handoff.Submitted: "new", handoff.PaymentPending: "wait", handoff.CallRequested: "wait",
	handoff.CallBooked: "good", handoff.CallEnded: "done", handoff.CallMissed: "care",
	handoff.CallCancelled: "care", handoff.CallRejected: "care", handoff.NewTimeWanted: "care",
}

func (s Site) tone(stage handoff.Stage) string {
	if slices.Contains(s.Pipeline.Final, stage) {
		return "end"
	}
	for _, situation := range handoff.Situations {
		if s.Pipeline.On[situation] == stage {
			return tones[situation]
		}
	}
	return "plain"
}

// label makes words of a name: "no_show" is "No show".
func label(name string) string {
	words := strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(name))
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// rooms are Cal.com's names of where a call takes place.
//
// Source: cal.com packages/app-store, the apps' appData.location.type.
var rooms = map[string]string{
	"integrations:daily":              "Cal Video",
	"integrations:google:meet":        "Google Meet",
	"integrations:zoom":               "Zoom",
	"integrations:office365_video":    "Microsoft Teams",
	"integrations:jitsi":              "Jitsi Meet",
	"integrations:whereby_video":      "Whereby",
	"integrations:facetime_video":     "FaceTime",
	"integrations:huddle01":           "Huddle01",
	"attendeeInPerson":                "In person, where the visitor says",
	"inPerson":                        "In person",
	"phone":                           "By phone: the host calls the visitor",
	"userPhone":                       "By phone: the visitor calls the host",
	"link":                            "By a link",
	"conferencing":                    "Video call",
	"integrations:webex_video":        "Webex",
	"integrations:discord_video":      "Discord",
	"integrations:campfire_video":     "Campfire",
	"integrations:element-call_video": "Element Call",
}

// location shows where a call takes place; link is set if it is a web address.
func location(s string) (text, link string) {
	if text, ok := rooms[s]; ok {
		return text, ""
	}
	if rest, ok := strings.CutPrefix(s, "integrations:"); ok {
		return label(strings.TrimSuffix(rest, "_video")), ""
	}
	if u, err := url.Parse(s); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil {
		return s, s
	}
	return s, ""
}

// anchor makes an ID for a place in a page from one of ours or of Cal.com's.
func anchor(prefix, id string) string {
	sum := sha256.Sum256([]byte(id))
	return prefix + "-" + hex.EncodeToString(sum[:6])
}

// visible makes a received text safe to look at: a reference loses its signature,
// and characters that hide or turn round their neighbours are written out.
func visible(s string) string {
	s = handoff.HideSignatures(strings.ToValidUTF8(s, "\uFFFD"))
	var b strings.Builder
	for _, r := range s {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029') {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
