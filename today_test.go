package handoff_test

import (
	"slices"
	"testing"
	"time"

	"handoff"
)

func TestDoubled(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	at := func(uid string, hours int, change ...func(*handoff.Booking)) handoff.Booking {
		start := now.Add(time.Duration(hours) * time.Hour)
		b := handoff.Booking{BookingKey: handoff.BookingKey{UID: uid}, Status: handoff.Accepted, Start: start, End: start.Add(30 * time.Minute)}
		for _, f := range change {
			f(&b)
		}
		return b
	}
	is := func(s handoff.Status) func(*handoff.Booking) { return func(b *handoff.Booking) { b.Status = s } }
	recurs := func(b *handoff.Booking) { b.Recurring = true }
	for name, row := range map[string]struct {
		bookings []handoff.Booking
		want     []string
	}{
		"none":                          {nil, nil},
		"one":                           {[]handoff.Booking{at("a", 1)}, nil},
		"two, by their start":           {[]handoff.Booking{at("b", 5), at("a", 1)}, []string{"a", "b"}},
		"one waits for the host":        {[]handoff.Booking{at("a", 1), at("b", 5, is(handoff.Requested))}, []string{"a", "b"}},
		"one waits for payment":         {[]handoff.Booking{at("a", 1), at("b", 5, is(handoff.AwaitingPayment))}, []string{"a", "b"}},
		"one was cancelled":             {[]handoff.Booking{at("a", 1), at("b", 5, is(handoff.Cancelled))}, nil},
		"one was moved":                 {[]handoff.Booking{at("a", 1, is(handoff.Rescheduled)), at("b", 5)}, nil},
		"one is over":                   {[]handoff.Booking{at("a", -1), at("b", 5)}, nil},
		"one is taking place":           {[]handoff.Booking{at("a", 0), at("b", 5)}, []string{"a", "b"}},
		"one ended early":               {[]handoff.Booking{at("a", 0, func(b *handoff.Booking) { b.Ended = true }), at("b", 5)}, nil},
		"one has no end, and is over":   {[]handoff.Booking{at("a", -1, func(b *handoff.Booking) { b.End = time.Time{} }), at("b", 5)}, nil},
		"occurrences of one":            {[]handoff.Booking{at("a", 1, recurs), at("b", 5, recurs), at("c", 9, recurs)}, nil},
		"occurrences, and another call": {[]handoff.Booking{at("a", 1, recurs), at("b", 5, recurs), at("c", 3)}, []string{"a", "c"}},
		"three":                         {[]handoff.Booking{at("a", 1), at("b", 2), at("c", 3)}, []string{"a", "b", "c"}},
	} {
		var got []string
		for _, b := range handoff.Doubled(row.bookings, now) {
			got = append(got, b.UID)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

func TestCallsWantedCoverWhatWasSeen(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	at := func(uid string, hours int, change ...func(*handoff.Booking)) handoff.Booking {
		start := now.Add(time.Duration(hours) * time.Hour)
		b := handoff.Booking{BookingKey: handoff.BookingKey{UID: uid}, Status: handoff.Accepted, Start: start, End: start.Add(30 * time.Minute)}
		for _, f := range change {
			f(&b)
		}
		return b
	}
	seat := func(b *handoff.Booking) { b.Seat = "x" }
	moved := func(b *handoff.Booking) { b.Status = handoff.Rescheduled }
	recurs := func(b *handoff.Booking) { b.Recurring = true }
	said := &handoff.CallsWanted{Calls: []handoff.BookingKey{{UID: "a"}, {UID: "b"}, {UID: "s", Seat: "x"}}}
	for name, row := range map[string]struct {
		said     *handoff.CallsWanted
		bookings []handoff.Booking
		want     bool
	}{
		"those that were seen":                       {said, []handoff.Booking{at("b", 5), at("a", 1), at("s", 7, seat)}, true},
		"some of them":                               {said, []handoff.Booking{at("b", 5), at("a", 1)}, true},
		"one more":                                   {said, []handoff.Booking{at("a", 1), at("b", 5), at("c", 9)}, false},
		"one more that is over":                      {said, []handoff.Booking{at("a", 1), at("b", 5), at("c", -2)}, true},
		"one more that was cancelled":                {said, []handoff.Booking{at("a", 1), at("b", 5), at("c", 9, func(b *handoff.Booking) { b.Status = handoff.Cancelled })}, true},
		"one was moved":                              {said, []handoff.Booking{at("a", 1, moved), at("b", 5), at("c", 9)}, false},
		"another seat":                               {said, []handoff.Booking{at("a", 1), at("s", 5)}, false},
		"an occurrence that was not there":           {said, []handoff.Booking{at("a", 1, recurs), at("b", 5), at("c", 9, recurs)}, false},
		"nobody has said anything":                   {nil, []handoff.Booking{at("a", 1), at("b", 5)}, false},
		"nobody has said anything, and none is left": {nil, nil, false},
	} {
		if got := row.said.Covers(row.bookings, now); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRemindingIsOver(t *testing.T) {
	var none *handoff.Reminding
	for _, row := range []struct {
		r    *handoff.Reminding
		want time.Duration
	}{
		{none, 0},
		{&handoff.Reminding{}, 0},
		{&handoff.Reminding{After: []time.Duration{3 * time.Hour}}, 27 * time.Hour},
		{&handoff.Reminding{After: []time.Duration{3 * time.Hour, 48 * time.Hour}}, 72 * time.Hour},
	} {
		if got := row.r.Over(); got != row.want {
			t.Errorf("%+v: %s, want %s", row.r, got, row.want)
		}
	}
}

func TestWorkedStage(t *testing.T) {
	own := handoff.DefaultPipeline()
	own.Stages = []handoff.Stage{"lost", "new", "requested", "booked", "met", "rebook", "no_show", "rang_up", "later"}
	own.Final = []handoff.Stage{"lost"}
	short := own
	short.Stages = own.Stages[:7]
	for want, p := range map[handoff.Stage]handoff.Pipeline{"contacted": handoff.DefaultPipeline(), "rang_up": own, "": short} {
		if got := p.Worked(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
