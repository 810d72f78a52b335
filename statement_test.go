package handoff

import (
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestAccount(t *testing.T) {
	tied, ruled := Seat{Lead: "lead_1"}, Seat{Rule: "trial"}
	for _, tt := range []struct {
		name   string
		listed Listed
		want   Account
	}{
		{"another event type", Listed{EventType: 5}, AccountOtherType},
		{"the site's own, and nothing kept of it", Listed{EventType: 5, Own: true}, AccountOpen},
		{"of no event type that Cal.com tells", Listed{}, AccountOpen},
		{"another event type, and waits", Listed{EventType: 5, Failure: "fail_1"}, AccountQueued},
		{"heard of, not worked", Listed{Observed: true}, AccountOpen},
		{"tied", Listed{Observed: true, Seats: []Seat{tied}}, AccountTied},
		{"ignored", Listed{Observed: true, Seats: []Seat{ruled}}, AccountIgnored},
		{"waits", Listed{Observed: true, Seats: []Seat{{}}, Failure: "fail_1"}, AccountQueued},
		{"tied, and a person has to look", Listed{Observed: true, Seats: []Seat{tied}, Failure: "fail_1"}, AccountQueued},
		{"neither tied nor waiting", Listed{Observed: true, Seats: []Seat{{}}}, AccountOpen},
		{"all seats tied", Listed{Observed: true, Seats: []Seat{tied, {Lead: "lead_2"}}}, AccountTied},
		{"one seat tied, one ignored", Listed{Observed: true, Seats: []Seat{ruled, tied}}, AccountTied},
		{"dismissed", Listed{Observed: true, Seats: []Seat{{Dismissed: true}}}, AccountDismissed},
		{"dismissed, and waits for another reason", Listed{Observed: true, Seats: []Seat{{Dismissed: true}}, Failure: "fail_1"}, AccountQueued},
		{"one seat tied, one dismissed", Listed{Observed: true, Seats: []Seat{{Dismissed: true}, tied}}, AccountTied},
		{"one seat dismissed, one ignored", Listed{Observed: true, Seats: []Seat{ruled, {Dismissed: true}}}, AccountDismissed},
		{"one seat dismissed, one nowhere", Listed{Observed: true, Seats: []Seat{{Dismissed: true}, {}}}, AccountOpen},
		{"one seat tied, one nowhere", Listed{Observed: true, Seats: []Seat{tied, {}}}, AccountOpen},
	} {
		if got := tt.listed.Account(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestTold(t *testing.T) {
	for _, tt := range []struct {
		webhook time.Time
		want    Told
	}{
		{time.Time{}, ToldNever},
		{noon.Add(-time.Hour), ToldInTime},
		{noon.Add(Grace), ToldInTime},
		{noon.Add(Grace + time.Second), ToldLate},
	} {
		l := Listed{ListedAt: noon, WebhookAt: tt.webhook}
		if got := l.Told(); got != tt.want {
			t.Errorf("webhook at %s: %s, want %s", tt.webhook, got, tt.want)
		}
	}
}

func TestStatementSays(t *testing.T) {
	of := func(n int, l Listed) []Listed {
		l.ListedAt = noon
		return slices.Repeat([]Listed{l}, n)
	}
	tied := Listed{Observed: true, Seats: []Seat{{Lead: "lead_1"}}, WebhookAt: noon}
	queued := Listed{Observed: true, Seats: []Seat{{}}, Failure: "fail_1", WebhookAt: noon.Add(time.Hour)}
	trial := Listed{Observed: true, Seats: []Seat{{Rule: "internal test"}}}
	whole := Statement{From: noon.Add(-24 * time.Hour), To: noon, Since: noon.Add(-24 * time.Hour), AsOf: noon}
	with := func(change func(*Statement)) Statement { s := whole; change(&s); return s }
	for _, tt := range []struct {
		name      string
		statement Statement
		sentence  string
		notes     []string
		complete  bool
	}{
		{"nothing", whole, "No bookings were made at Cal.com.", nil, true},
		{
			"all accounted for",
			with(func(s *Statement) {
				s.Listed = slices.Concat(of(44, tied), of(2, queued), of(1, trial), of(3, Listed{EventType: 5}))
			}),
			"47 of 47 bookings accounted for: 44 tied to leads, 2 in the failure queue, 1 ignored by rule “internal test”. Beside them 3 of event types that no service of the site has.",
			[]string{"No webhook told of 1 booking: Cal.com was asked.", "The webhook of 2 bookings came late."},
			true,
		},
		{
			"one is dismissed", with(func(s *Statement) {
				s.Listed = append(of(1, tied), of(2, Listed{Observed: true, Seats: []Seat{{Dismissed: true}}, WebhookAt: noon})...)
			}),
			"3 of 3 bookings accounted for: 1 tied to leads, 2 dismissed by a person.", nil, true,
		},
		{"one is being worked", with(func(s *Statement) { s.Listed = of(1, Listed{Observed: true, WebhookAt: noon}) }), "0 of 1 booking accounted for: 1 not accounted for, or not yet.", nil, true},
		{"only others", with(func(s *Statement) { s.Listed = of(2, Listed{EventType: 5}) }), "No bookings were made at Cal.com. Beside them 2 of event types that no service of the site has.", nil, true},
		{"never read", Statement{From: noon, To: noon.Add(time.Hour)}, "Nothing is known: Cal.com's list was not read.", []string{"Cal.com's list was not read yet."}, false},
		{
			"begins before the list was read", with(func(s *Statement) { s.Since = s.From.Add(time.Minute) }), "No bookings were made at Cal.com.",
			[]string{"Cal.com's list was read from 24 November 2026, 12:01 UTC on; of what was booked before nothing is said."},
			false,
		},
		{"not over", with(func(s *Statement) { s.AsOf = noon.Add(-time.Minute) }), "No bookings were made at Cal.com.", []string{"So far: Cal.com's list was read up to 25 November 2026, 11:59 UTC."}, false},
		{
			"not over, and begins before the list was read", with(func(s *Statement) { s.Since, s.AsOf = s.From.Add(time.Minute), noon.Add(-time.Minute) }), "No bookings were made at Cal.com.",
			[]string{
				"Cal.com's list was read from 24 November 2026, 12:01 UTC on; of what was booked before nothing is said.",
				"So far: Cal.com's list was read up to 25 November 2026, 11:59 UTC.",
			},
			false,
		},
		{"something was odd", with(func(s *Statement) { s.Unread = "fail_2" }), "No bookings were made at Cal.com.", []string{"Cal.com's list held something that could not be read: see the failure queue."}, false},
		{
			"the list does not show one", with(func(s *Statement) { s.Unlisted = []Unlisted{{UID: "u"}} }), "No bookings were made at Cal.com.",
			[]string{"Webhooks told of 1 booking that Cal.com's list does not show: the API key's owner may not see them, or they were deleted there."},
			false,
		},
		{"of a time before", with(func(s *Statement) { s.Since = s.To }), "Nothing is known: Cal.com's list was not read.", []string{"Cal.com's list was read from 25 November 2026, 12:00 UTC on; of what was booked before nothing is said."}, false},
		{"of a store that an older server wrote", with(func(s *Statement) { s.Since = time.Time{} }), "Nothing is known: Cal.com's list was not read.", []string{"Cal.com's list was not read yet."}, false},
	} {
		s := tt.statement
		if got := s.Sentence(); got != tt.sentence {
			t.Errorf("%s: %q\nwant %q", tt.name, got, tt.sentence)
		}
		if got := s.Notes(time.UTC); !slices.Equal(got, tt.notes) {
			t.Errorf("%s: %q\nwant %q", tt.name, got, tt.notes)
		}
		if s.Complete() != tt.complete {
			t.Errorf("%s: complete %v", tt.name, s.Complete())
		}
	}
}

// A part of a statement has what was made in it, and only what can concern it.
func TestPart(t *testing.T) {
	s := Statement{From: noon, To: noon.Add(48 * time.Hour), Since: noon, AsOf: noon.Add(48 * time.Hour), Unread: "fail_1", UnreadAt: noon.Add(time.Hour)}
	for i := range 3 {
		made := noon.Add(time.Duration(i) * 16 * time.Hour)
		s.Listed, s.Unlisted = append(s.Listed, Listed{Made: made}), append(s.Unlisted, Unlisted{Made: made})
	}
	one, two := s.Part(noon, noon.Add(24*time.Hour)), s.Part(noon.Add(24*time.Hour), noon.Add(48*time.Hour))
	if len(one.Listed) != 2 || len(two.Listed) != 1 || len(one.Unlisted) != 2 || len(two.Unlisted) != 1 {
		t.Errorf("%d and %d", len(one.Listed), len(two.Listed))
	}
	if one.Unread == "" || two.Unread != "" || !two.Covered() || one.AsOf != s.AsOf {
		t.Errorf("%+v and %+v", one, two)
	}
}
