package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// A story is all that Cal.com sends of one lead, and what it means. What it means is
// written beside it, for whatever part of it was heard: nothing of the product's
// rules is asked.
type story struct {
	name  string
	steps []step // a, b, c … in the order in which they happened
	// stage is where the lead stands: of the first rule that holds; else new.
	stage []rule
	// bookings are the statuses of the story's bookings, each of the first rule that
	// holds; else the booking is not there.
	bookings [][]rule
}

// A step is one body.
type step struct {
	example string // number of Cal.com's example body
	of      int    // which of the story's bookings it is about
	after   int    // which it replaced, counted from 1; 0: none
	seq     int    // iCalSequence
	change  [2]string
}

// A rule holds if all the steps of heard were heard, and none of without.
type rule struct{ heard, without, is string }

var stories = []story{
	{
		"booked",
		[]step{{example: "01"}},
		[]rule{{"a", "", "booked"}},
		[][]rule{{{"a", "", "accepted"}}},
	},
	{
		"cancelled",
		[]step{{example: "02"}, {example: "07", seq: 1}},
		[]rule{{"b", "", "rebook"}, {"a", "", "booked"}},
		[][]rule{{{"b", "", "cancelled"}, {"a", "", "accepted"}}},
	},
	{
		"moved",
		[]step{{example: "01"}, {example: "05", of: 1, after: 1, seq: 1}},
		[]rule{{"a", "", "booked"}, {"b", "", "booked"}},
		[][]rule{{{"b", "", "rescheduled"}, {"a", "", "accepted"}}, {{"b", "", "accepted"}}},
	},
	{
		"moved twice, cancelled",
		[]step{{example: "01"}, {example: "06", of: 1, after: 1, seq: 1}, {example: "05", of: 2, after: 2, seq: 2}, {example: "08", of: 2, seq: 3}},
		[]rule{{"a", "b", "booked"}, {"b", "c", "booked"}, {"c", "d", "booked"}, {"d", "", "rebook"}},
		[][]rule{
			{{"b", "", "rescheduled"}, {"a", "", "accepted"}},
			{{"c", "", "rescheduled"}, {"b", "", "accepted"}},
			{{"d", "", "cancelled"}, {"c", "", "accepted"}},
		},
	},
	{
		"the host wants another time, the visitor takes one",
		[]step{{example: "01"}, {example: "09", seq: 1}, {example: "05", of: 1, after: 1, seq: 1}},
		[]rule{{"c", "", "booked"}, {"b", "", "rebook"}, {"a", "", "booked"}},
		[][]rule{{{"c", "", "rescheduled"}, {"b", "", "reschedule_requested"}, {"a", "", "accepted"}}, {{"c", "", "accepted"}}},
	},
	{
		"requested, confirmed",
		[]step{{example: "03"}, {example: "04"}},
		[]rule{{"b", "", "booked"}, {"a", "", "requested"}},
		[][]rule{{{"b", "", "accepted"}, {"a", "", "requested"}}},
	},
	{
		"requested, rejected",
		[]step{{example: "03"}, {example: "10"}},
		[]rule{{"b", "", "rebook"}, {"a", "", "requested"}},
		[][]rule{{{"b", "", "rejected"}, {"a", "", "requested"}}},
	},
	{
		"requested, confirmed, moved, confirmed again",
		[]step{{example: "03"}, {example: "04"}, {example: "03", of: 1, after: 1, seq: 1}, {example: "04", of: 1}},
		[]rule{{"d", "", "booked"}, {"c", "", "requested"}, {"b", "", "booked"}, {"a", "", "requested"}},
		[][]rule{{{"c", "", "rescheduled"}, {"b", "", "accepted"}, {"a", "", "requested"}}, {{"d", "", "accepted"}, {"c", "", "requested"}}},
	},
	{ // its second body names no lead, only the booking
		"no-show",
		[]step{{example: "01"}, {example: "13"}},
		[]rule{{"ab", "", "no_show"}, {"a", "", "booked"}},
		[][]rule{{{"a", "", "accepted"}}},
	},
	{
		"no-show, taken back",
		[]step{{example: "02"}, {example: "13"}, {example: "13", change: [2]string{`"noShow":true`, `"noShow":false`}}},
		[]rule{{"ab", "c", "no_show"}, {"a", "", "booked"}},
		[][]rule{{{"a", "", "accepted"}}},
	},
	{
		"held",
		[]step{{example: "01"}, {example: "14"}, {example: "15"}},
		[]rule{{"c", "", "met"}, {"a", "", "booked"}, {"b", "", "booked"}},
		[][]rule{{{"a", "", "accepted"}, {"b", "", "accepted"}, {"c", "", "accepted"}}},
	},
	{
		"a second call, cancelled",
		[]step{{example: "01"}, {example: "02", of: 1}, {example: "07", of: 1, seq: 1}},
		[]rule{{"a", "", "booked"}, {"b", "c", "booked"}, {"c", "", "rebook"}},
		[][]rule{{{"a", "", "accepted"}}, {{"c", "", "cancelled"}, {"b", "", "accepted"}}},
	},
}

// heard is a set of a story's steps: bit i is step i.
type heard uint

func (h heard) all(letters string) bool {
	return !strings.ContainsFunc(letters, func(r rune) bool { return h&(1<<(r-'a')) == 0 })
}

func (h heard) any(letters string) bool {
	return strings.ContainsFunc(letters, func(r rune) bool { return h&(1<<(r-'a')) != 0 })
}

func first(rules []rule, h heard, otherwise string) string {
	for _, r := range rules {
		if h.all(r.heard) && !h.any(r.without) {
			return r.is
		}
	}
	return otherwise
}

// stageOf is where the lead stands when h was heard.
func (s *story) stageOf(h heard) string { return first(s.stage, h, "new") }

// explains reports that facts which became known one after another, in whatever
// order, until h was known, can have made a lead stand at these stages in turn. A
// fact that moved a lead twice makes more of them than any order can.
func (s *story) explains(stages []string, h heard) bool {
	known := []heard{0} // what can have been known when the lead came to stand there
	for _, stage := range stages {
		var next []heard
		for more := heard(0); more <= h; more++ {
			grows := slices.ContainsFunc(known, func(k heard) bool { return more&k == k })
			if more&h == more && grows && s.stageOf(more) == stage {
				next = append(next, more)
			}
		}
		known = next
	}
	return len(known) > 0 && stages[len(stages)-1] == s.stageOf(h)
}

// A tale is a story told of one lead.
type tale struct {
	*story
	name      string // of the lead; tells it from all others
	lead      handoff.LeadID
	reference string
	parts     []*part
}

// A part is one step of a tale as bytes. A step can have two: of a webhook that is
// registered twice, the bodies differ by a millisecond and are one event.
type part struct {
	step   int
	body   []byte
	digest string
	attempts
}

// uid names a booking of the tale.
func (ta *tale) uid(of int) string { return fmt.Sprintf("%s-%c", ta.name, 'u'+rune(of)) }

// uids name all its bookings.
func (ta *tale) uids() []string {
	var out []string
	for i := range ta.bookings {
		out = append(out, ta.uid(i))
	}
	return out
}

// The uids that stand in the example bodies: of the first booking, and of the one
// that replaced it.
const (
	exampleUID = "8mWdT2kQe4RfYpX1sLhC9v"
	movedUID   = "kP6nB0xU3jZtVw7yRgS5Qa"
)

var (
	createdAt = regexp.MustCompile(`"createdAt":"[^"]*"`)
	sequence  = regexp.MustCompile(`"iCalSequence":\d+`)
	booked    = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC) // before the call in the examples
)

// write makes the parts of a tale from the example bodies.
func (ta *tale) write(examples map[string]string) {
	for i, s := range ta.steps {
		at := booked.Add(time.Duration(i) * time.Minute)
		if s.example == "14" || s.example == "15" { // their createdAt is the booking's
			at = booked
		}
		ta.parts = append(ta.parts, ta.part(i, examples[s.example], at))
		// A fact that can be taken back, and a flat body, are another event then.
		if s.example < "13" && len(ta.name)%3 == i%3 {
			ta.parts = append(ta.parts, ta.part(i, examples[s.example], at.Add(time.Millisecond)))
		}
	}
}

func (ta *tale) part(i int, text string, at time.Time) *part {
	s := ta.steps[i]
	own := ta.uid(s.of)
	fill := []string{exampleUID + "@", ta.uid(ta.root(s.of)) + "@", danasReference, ta.reference}
	switch {
	case !strings.Contains(text, movedUID):
		fill = append(fill, exampleUID, own)
	case s.after > 0:
		fill = append(fill, movedUID, own, exampleUID, ta.uid(s.after-1))
	default:
		fill = append(fill, movedUID, own)
	}
	if s.after > 0 && !strings.Contains(text, "rescheduleUid") { // a request to move a call
		fill = append(fill, `"payload":{`, `"payload":{"rescheduleUid":"`+ta.uid(s.after-1)+`",`)
	}
	if s.change[0] != "" {
		fill = append(fill, s.change[0], s.change[1])
	}
	text = strings.NewReplacer(fill...).Replace(text)
	text = createdAt.ReplaceAllString(text, `"createdAt":"`+at.Format("2006-01-02T15:04:05.000Z")+`"`)
	text = sequence.ReplaceAllString(text, fmt.Sprintf(`"iCalSequence":%d`, s.seq))
	body := []byte(text)
	return &part{step: i, body: body, digest: calcom.Delivery{Body: body}.Digest("main")}
}

// root is the first booking of the chain of a booking.
func (ta *tale) root(of int) int {
	for _, s := range ta.steps {
		if s.of == of && s.after > 0 {
			return ta.root(s.after - 1)
		}
	}
	return of
}

// tell opens leads in the store, as forms do, and makes a tale of each.
func (tr *trial) tell(n int) []*tale {
	tr.t.Helper()
	db, err := store.Open(tr.t.Context(), tr.database(), store.Options{})
	if err != nil {
		tr.t.Fatal(err)
	}
	defer db.Close()
	var out []*tale
	for range n {
		i := len(tr.tales) + len(out)
		ta := &tale{story: &stories[i%len(stories)], name: fmt.Sprintf("tale%d", i)}
		sub, err := db.CreateLead(tr.t.Context(), handoff.Submission{
			Site: "main", Service: "boiler-replacement", Form: ta.name, Name: ta.name, Email: emailOf(ta.name),
		}, handoff.DefaultPipeline())
		if err != nil {
			tr.t.Fatal(err)
		}
		if ta.reference, err = tr.sign("main", sub.ID); err != nil {
			tr.t.Fatal(err)
		}
		ta.lead = sub.Lead
		ta.write(tr.examples)
		out = append(out, ta)
	}
	tr.tales = append(tr.tales, out...)
	return out
}

// The stories agree with themselves: told in order, each is explained, and a
// stage that comes once more than any order can bring it is not.
func TestStoriesExplainThemselves(t *testing.T) {
	t.Parallel()
	for _, s := range stories {
		stages, all := []string{"new"}, heard(0)
		for i := range s.steps {
			all |= 1 << i
			if next := s.stageOf(all); next != stages[len(stages)-1] {
				stages = append(stages, next)
			}
		}
		if !s.explains(stages, all) {
			t.Errorf("%s: %q is not explained", s.name, stages)
		}
		for range s.steps {
			stages = append(stages, "new", stages[len(stages)-1])
		}
		if s.explains(stages, all) {
			t.Errorf("%s: %q is explained", s.name, stages)
		}
	}
}
