package handoff

import (
	"fmt"
	"strings"
	"time"
)

// News are what people of a site are told at once: what happened since they were told
// last.
type News struct {
	Site string
	Name string         // of the site, as people say it
	Desk string         // address of the desk, without a trailing slash
	Zone *time.Location // in which times are told

	Booked   []Booked
	Failures []Failure // what waits for a person
	Alarms   []Failure // what is wrong with the connections of the site
	// MoreBooked, MoreFailures and MoreAlarms are how many there are beside those listed.
	MoreBooked, MoreFailures, MoreAlarms int
	Digest                               *Digest // nil: it is not time for one
}

// Booked is a lead that has booked.
type Booked struct {
	Lead    LeadID
	Name    string
	Service string    // in words
	Start   time.Time // of the call; zero: not known
}

// A Digest is what a day came to. Its JSON is stable.
type Digest struct {
	Day       time.Time `json:"day"` // its beginning
	Statement string    // the day's, in a sentence
	Notes     []string  `json:"notes"`
	Open      int       `json:"open"` // failures that wait now
}

// A Topic is what somebody wants to be told of.
type Topic string

const (
	TellBooking Topic = "booking"
	TellFailure Topic = "failure"
	TellAlarm   Topic = "alarm"
	TellDigest  Topic = "digest"
)

// Topics lists all there are.
var Topics = []Topic{TellBooking, TellFailure, TellAlarm, TellDigest}

// Empty reports that there is nothing to tell.
func (n *News) Empty() bool {
	return len(n.Booked)+len(n.Failures)+len(n.Alarms) == 0 && n.Digest == nil
}

// Subject says in a line what the news are.
func (n *News) Subject() string {
	var parts []string
	add := func(k int, one, many string) {
		switch {
		case k == 1:
			parts = append(parts, one)
		case k > 1:
			parts = append(parts, fmt.Sprintf(many, k))
		}
	}
	add(len(n.Alarms)+n.MoreAlarms, "a connection of the site needs you", "%d connections of the site need you")
	add(len(n.Booked)+n.MoreBooked, "a call was booked", "%d calls were booked")
	add(len(n.Failures)+n.MoreFailures, "an entry waits in the failure queue", "%d entries wait in the failure queue")
	if n.Digest != nil {
		parts = append(parts, "the day")
	}
	text := strings.Join(parts, ", ")
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return n.Name + ": " + text
}

// Text tells the news to a person, with links into the desk. escape makes a stranger's
// words safe where the text is shown.
func (n *News) Text(escape func(string) string) string {
	var b strings.Builder
	section := func(title string, lines []string, more int) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s\n", title)
		for _, line := range lines {
			fmt.Fprintf(&b, "- %s\n", line)
		}
		if more > 0 {
			fmt.Fprintf(&b, "- and %d more\n", more)
		}
		b.WriteByte('\n')
	}
	failure := func(f Failure) string {
		text := f.Reason.Text().Title
		if f.Detail != "" {
			text += ". " + escape(oneLine(f.Detail))
		}
		return text + "\n  " + n.Desk + "/failures/" + string(f.ID)
	}
	var alarms, booked, failures []string
	for _, f := range n.Alarms {
		alarms = append(alarms, failure(f))
	}
	for _, l := range n.Booked {
		when := ""
		if !l.Start.IsZero() {
			when = ", " + l.Start.In(n.Zone).Format("Mon 2 Jan, 15:04 MST")
		}
		booked = append(booked, fmt.Sprintf("%s, %s%s\n  %s/leads/%s", escape(oneLine(l.Name)), escape(oneLine(l.Service)), when, n.Desk, l.Lead))
	}
	for _, f := range n.Failures {
		failures = append(failures, failure(f))
	}
	section("Connections of the site", alarms, n.MoreAlarms)
	section("Booked", booked, n.MoreBooked)
	section("Waits for a person", failures, n.MoreFailures)
	if d := n.Digest; d != nil {
		lines := append([]string{escape(d.Statement)}, d.Notes...)
		lines = append(lines, fmt.Sprintf("Open in the failure queue: %d\n  %s/failures", d.Open, n.Desk))
		section(d.Day.In(n.Zone).Format("Monday 2 January 2006"), lines, 0)
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// oneLine is a stranger's text on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
