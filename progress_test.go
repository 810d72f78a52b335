package handoff

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Where a lead stands (design.md §6), from its bookings as Fold makes them.
func TestProgress(t *testing.T) {
	p := DefaultPipeline()
	reopen := DefaultPipeline()
	reopen.Reopen = true
	booked := obs("1", "u", 1, Accepted, with("a@"))
	for _, row := range []struct {
		name     string
		pipeline Pipeline
		manual   *Manual
		of       []Observation
		want     Standing
	}{
		{"no booking yet", p, nil, nil, Standing{"new", Submitted, BookingKey{}, ""}},
		{"slot chosen, not paid", p, nil, []Observation{obs("1", "u", 1, AwaitingPayment)}, Standing{"requested", PaymentPending, keyU, "1"}},
		{"requested", p, nil, []Observation{obs("1", "u", 1, Requested)}, Standing{"requested", CallRequested, keyU, "1"}},
		{"booked", p, nil, []Observation{booked}, Standing{"booked", CallBooked, keyU, "1"}},
		{"met", p, nil, []Observation{booked, obs("2", "u", 2, "", over)}, Standing{"met", CallEnded, keyU, "2"}},
		{"started is not met", p, nil, []Observation{booked, obs("2", "u", 2, "", begun)}, Standing{"booked", CallBooked, keyU, "1"}},
		{"did not come", p, nil, []Observation{booked, obs("2", "u", 2, "", absent("a@", true)), obs("3", "u", 3, "", over)}, Standing{"no_show", CallMissed, keyU, "2"}},
		{
			"came after all", p, nil,
			[]Observation{booked, obs("2", "u", 2, "", over), obs("3", "u", 3, "", absent("a@", true)), obs("4", "u", 4, "", absent("a@", false))},
			Standing{"met", CallEnded, keyU, "2"},
		},
		{
			"a no-show taken back before the end", p, nil,
			[]Observation{booked, obs("3", "u", 3, "", absent("a@", true)), obs("4", "u", 4, "", absent("a@", false))},
			Standing{"booked", CallBooked, keyU, "1"},
		},
		{
			"a sweep that saw nobody absent settles nothing", p, nil,
			[]Observation{booked, obs("2", "u", 2, "", over), obs("3", "u", 3, Accepted, fromAPI, absent("a@", false))},
			Standing{"met", CallEnded, keyU, "2"},
		},
		{"cancelled", p, nil, []Observation{booked, obs("2", "u", 2, Cancelled)}, Standing{"rebook", CallCancelled, keyU, "2"}},
		{"rejected", p, nil, []Observation{obs("1", "u", 1, Requested), obs("2", "u", 2, Rejected)}, Standing{"rebook", CallRejected, keyU, "2"}},
		{"the host wants another time", p, nil, []Observation{booked, obs("2", "u", 2, RescheduleRequested)}, Standing{"rebook", NewTimeWanted, keyU, "2"}},
		{"a cancelled call neither ends nor is missed", p, nil, []Observation{booked, obs("2", "u", 2, Cancelled), obs("3", "u", 3, "", over, absent("a@", true))}, Standing{"rebook", CallCancelled, keyU, "2"}},

		// The newest live booking speaks.
		{"rescheduled", p, nil, []Observation{booked, obs("2", "v", 2, Accepted, after("u"))}, Standing{"booked", CallBooked, keyV, "2"}},
		{"a reschedule to be confirmed", p, nil, []Observation{booked, obs("2", "v", 2, Requested, after("u"))}, Standing{"requested", CallRequested, keyV, "2"}},
		{"asked for another time, and got it", p, nil, []Observation{booked, obs("2", "u", 2, RescheduleRequested), obs("3", "v", 3, Accepted, after("u"))}, Standing{"booked", CallBooked, keyV, "3"}},
		{"cancelled, then booked anew", p, nil, []Observation{booked, obs("2", "u", 2, Cancelled), obs("3", "v", 3, Accepted)}, Standing{"booked", CallBooked, keyV, "3"}},
		{"rescheduled, then cancelled", p, nil, []Observation{booked, obs("2", "v", 2, Accepted, after("u")), obs("3", "v", 3, Cancelled)}, Standing{"rebook", CallCancelled, keyV, "3"}},
		{"the older of two live ones is cancelled", p, nil, []Observation{booked, obs("2", "v", 2, Accepted), obs("3", "u", 3, Cancelled)}, Standing{"booked", CallBooked, keyV, "2"}},
		{
			"the newer of two live ones is cancelled: the older one speaks again", p, nil,
			[]Observation{booked, obs("2", "v", 2, Accepted), obs("3", "v", 3, Cancelled)},
			Standing{"booked", CallBooked, keyU, "1"},
		},
		{
			"and then that one is held", p, nil,
			[]Observation{booked, obs("2", "v", 2, Accepted), obs("3", "v", 3, Cancelled), obs("4", "u", 4, "", over)},
			Standing{"met", CallEnded, keyU, "4"},
		},
		{
			"met, booked again, cancelled: back to met", p, nil,
			[]Observation{booked, obs("2", "u", 2, "", over), obs("3", "v", 3, Accepted), obs("4", "v", 4, Cancelled)},
			Standing{"met", CallEnded, keyU, "2"},
		},
		{"of two that ended the newer says why", p, nil, []Observation{obs("1", "u", 1, Cancelled), obs("2", "v", 2, Rejected)}, Standing{"rebook", CallRejected, keyV, "2"}},
		{
			"fork: two live ends, the newer speaks", p, nil,
			[]Observation{booked, obs("2", "v", 2, Requested, after("u")), obs("3", "w", 3, Accepted, after("u"))},
			Standing{"booked", CallBooked, keyW, "3"},
		},
		{"made at one time: the keys decide", p, nil, []Observation{obs("1", "u", 1, Requested), obs("2", "v", 1, Accepted)}, Standing{"booked", CallBooked, keyV, "2"}},

		// A late fact never moves a lead back.
		{"moved, and we have not heard to when", p, nil, []Observation{obs("1", "u", 1, Rescheduled, fromAPI)}, Standing{"booked", CallBooked, keyU, "1"}},
		{"moved to a booking whose status we have not heard", p, nil, []Observation{booked, obs("2", "v", 2, "", after("u"))}, Standing{"booked", CallBooked, keyU, "2"}},
		{"a request that came after its confirmation", p, nil, []Observation{obs("2", "u", 2, Accepted), obs("1", "u", 1, Requested)}, Standing{"booked", CallBooked, keyU, "2"}},
		{"a booking nobody claims a status of says nothing", p, nil, []Observation{obs("1", "u", 1, "", paid)}, Standing{"new", Submitted, BookingKey{}, ""}},

		// A person's stage holds until the rules say something else.
		{"set before the booking, holds", p, &Manual{"contacted", "new"}, nil, Standing{"contacted", Submitted, BookingKey{}, ""}},
		{"until it is booked", p, &Manual{"contacted", "new"}, []Observation{booked}, Standing{"booked", CallBooked, keyU, "1"}},
		{"set after the booking, holds", p, &Manual{"contacted", "booked"}, []Observation{booked}, Standing{"contacted", CallBooked, keyU, "1"}},
		{"through a fact that changes nothing", p, &Manual{"contacted", "booked"}, []Observation{booked, obs("2", "v", 2, Accepted, after("u"))}, Standing{"contacted", CallBooked, keyV, "2"}},
		{"until it is cancelled", p, &Manual{"contacted", "booked"}, []Observation{booked, obs("2", "u", 2, Cancelled)}, Standing{"rebook", CallCancelled, keyU, "2"}},
		{"and again when the rules are back", p, &Manual{"contacted", "booked"}, []Observation{booked, obs("2", "u", 2, Cancelled), obs("3", "v", 3, Accepted)}, Standing{"contacted", CallBooked, keyV, "3"}},
		{"won is never left by itself", p, &Manual{"won", "met"}, []Observation{booked, obs("2", "u", 2, Cancelled)}, Standing{"won", CallCancelled, keyU, "2"}},
		{"nor is lost", p, &Manual{"lost", "new"}, []Observation{booked}, Standing{"lost", CallBooked, keyU, "1"}},
		{"unless the site reopens", reopen, &Manual{"lost", "new"}, []Observation{booked}, Standing{"booked", CallBooked, keyU, "1"}},
		{"a site that reopens holds it all the same while the rules say nothing new", reopen, &Manual{"lost", "booked"}, []Observation{booked}, Standing{"lost", CallBooked, keyU, "1"}},
	} {
		bookings := slices.Collect(maps.Values(Fold(row.of)))
		if got := row.pipeline.Progress(row.manual, bookings); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
		if got := row.pipeline.Ruled(bookings); got != row.pipeline.Progress(nil, bookings).Stage {
			t.Errorf("%s: Ruled says %q", row.name, got)
		}
	}
}

func TestPipelineCheck(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(*Pipeline)
		want  string // part of the message; empty if there is nothing to say
	}{
		{"the default", func(*Pipeline) {}, ""},
		{"other words", func(p *Pipeline) { p.Stages = append(p.Stages, "2nd_call-back", Stage(strings.Repeat("a", 40))) }, ""},
		{"no final stages", func(p *Pipeline) { p.Final = nil }, ""},
		{"nothing at all", func(p *Pipeline) { *p = Pipeline{} }, `"submitted" leads to ""`},
		{"empty stage", func(p *Pipeline) { p.Stages = append(p.Stages, "") }, `stage ""`},
		{"capitals", func(p *Pipeline) { p.Stages = append(p.Stages, "Won") }, `stage "Won"`},
		{"space", func(p *Pipeline) { p.Stages = append(p.Stages, "on hold") }, `stage "on hold"`},
		{"other letters", func(p *Pipeline) { p.Stages = append(p.Stages, "gewählt") }, `stage "gewählt"`},
		{"too long", func(p *Pipeline) { p.Stages = append(p.Stages, Stage(strings.Repeat("a", 41))) }, "at most 40"},
		{"twice", func(p *Pipeline) { p.Stages = append(p.Stages, "new") }, `"new" is listed twice`},
		{"a situation without a stage", func(p *Pipeline) { delete(p.On, CallMissed) }, `"no_show" leads to ""`},
		{"a situation with a stage that is not listed", func(p *Pipeline) { p.On[CallEnded] = "held" }, `"met" leads to "held"`},
		{"a situation we do not know", func(p *Pipeline) { p.On["abducted"] = "lost" }, `no situation "abducted"`},
		{"the first of two situations we do not know", func(p *Pipeline) { p.On["b"], p.On["a"], p.On["c"] = "lost", "lost", "lost" }, `no situation "a"`},
		{"a final stage that is not listed", func(p *Pipeline) { p.Final = append(p.Final, "spam") }, `final stage "spam"`},
	} {
		p := DefaultPipeline()
		row.spoil(&p)
		err := p.Check()
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: got %v, want ErrInvalid with %q", row.name, err, row.want)
		}
	}
	if p, q := DefaultPipeline(), DefaultPipeline(); !reflect.DeepEqual(p, q) {
		t.Error("the default pipeline varies")
	} else if p.On[Submitted] = "won"; q.On[Submitted] != "new" {
		t.Error("two default pipelines share their map")
	}
}

func TestSubmissionProblems(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n) } // two bytes each: limits count characters
	good := Submission{Name: "Ada", Email: "ada@example.com", Phone: "+44 20 7946 0000", Message: "Hello\r\n\tthere", Answers: []Answer{{"roof", "Which roof?", "flat\nand old"}}}
	for _, row := range []struct {
		name   string
		change func(*Submission)
		want   string // fields with a problem
	}{
		{"good", func(*Submission) {}, ""},
		{"everything empty", func(s *Submission) { *s = Submission{} }, "name email"},
		{"only spaces", func(s *Submission) { s.Name, s.Email = " \t", "  " }, "name email"},
		{"at the limits", func(s *Submission) {
			s.Name, s.Phone, s.Message, s.Answers[0].Value = long(MaxName), long(MaxPhone), long(MaxMessage), long(MaxAnswer)
			s.Email = strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 96) + "c"
		}, ""},
		{"above them", func(s *Submission) {
			s.Name, s.Phone, s.Message, s.Answers[0].Value = long(MaxName+1), long(MaxPhone+1), long(MaxMessage+1), long(MaxAnswer+1)
			s.Email = strings.Repeat("a", 60) + "@" + strings.Repeat("b.", 97) + "c"
		}, "name email phone message q_roof"},
		{"control characters", func(s *Submission) {
			s.Name, s.Phone, s.Message, s.Answers[0].Value = "Ada\x00", "1\x7f", "\x1b[31m", "\u0085"
		}, "name phone message q_roof"},
		{"line breaks where there are no lines", func(s *Submission) { s.Name, s.Phone = "Ada\nBcc: all@", "1\r\n2" }, "name phone"},
		{"broken UTF-8", func(s *Submission) { s.Name, s.Message = "Ad\xff", "\xc3" }, "name message"},
		{"optional fields empty", func(s *Submission) { s.Phone, s.Message, s.Answers = "", "", nil }, ""},
	} {
		s := good
		s.Answers = slices.Clone(good.Answers)
		row.change(&s)
		if got := fields(s.Problems()); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
	for _, p := range (&Submission{Answers: []Answer{{"x", "100% of what?", long(MaxAnswer + 1)}}}).Problems() {
		if strings.Contains(p.Message, "!") || p.Message == "" {
			t.Errorf("%s: message is %q", p.Field, p.Message)
		}
	}
}

func fields(problems []Problem) string {
	var names []string
	for _, p := range problems {
		names = append(names, p.Field)
	}
	return strings.Join(names, " ")
}

func TestEmailForms(t *testing.T) {
	for email, want := range map[string]bool{
		"a@example.com":                  true,
		"a.b+tag@mail.example.co.uk":     true,
		"o'neil@example.com":             true,
		"jürgen@bücher.example":          true,
		"a@xn--bcher-kva.example":        true,
		"a":                              false,
		"a@":                             false,
		"@example.com":                   false,
		"a@localhost":                    false,
		"a@example.com.":                 false,
		"a@.example.com":                 false,
		"a@example..com":                 false,
		"a..b@example.com":               false,
		"a@[127.0.0.1]":                  false,
		"a@b@example.com":                false,
		" a@example.com":                 false,
		"a@example.com ":                 false,
		"a@example.com\r\nBcc: b@c.com":  false,
		"a@exam\tple.com":                false,
		"Ada <a@example.com>":            false,
		"<a@example.com>":                false,
		"a@example.com, b@example.com":   false,
		"a@example.com (Ada)":            false,
		`"a b"@example.com`:              false,
		`"a@b"@example.com`:              false,
		"a@example.com\x00":              false,
		"a\u0000b@example.com":           false,
		"a@exa\xffmple.com":              false,
		"group: a@example.com;":          false,
		"=?utf-8?q?a?= <a@example.com>":  false,
		strings.Repeat("a", 1<<20) + "@": false,
	} {
		if got := validEmail(email); got != want {
			t.Errorf("%.60q: got %v, want %v", email, got, want)
		}
	}
}
