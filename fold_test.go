package handoff

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

var (
	keyU = BookingKey{UID: "u"}
	keyV = BookingKey{UID: "v"}
	keyW = BookingKey{UID: "w"}
	keyX = BookingKey{UID: "u", Seat: "x"} // x, y and z are seats of u
	keyY = BookingKey{UID: "u", Seat: "y"}
	keyZ = BookingKey{UID: "u", Seat: "z"}
)

// Status only climbs (design.md §6), and a booking that another replaced is over.
func TestFoldStatus(t *testing.T) {
	for _, row := range []struct {
		name string
		of   []Observation
		want map[BookingKey]Status
		by   map[BookingKey]string // the observation that settled it, where it matters
	}{
		{"nothing heard", nil, map[BookingKey]Status{}, nil},
		{"booked at once", []Observation{obs("1", "u", 1, Accepted)}, map[BookingKey]Status{keyU: Accepted}, map[BookingKey]string{keyU: "1"}},
		{
			"the earliest that says it settles it",
			[]Observation{obs("2", "u", 2, Accepted, fromAPI), obs("1", "u", 1, Accepted)},
			map[BookingKey]Status{keyU: Accepted},
			map[BookingKey]string{keyU: "1"},
		},
		{
			"confirmed: CREATED without metadata, known by its uid alone",
			[]Observation{obs("1", "u", 1, Requested, carries(subA)), obs("2", "u", 2, Accepted)},
			map[BookingKey]Status{keyU: Accepted},
			map[BookingKey]string{keyU: "2"},
		},
		{
			"the confirmation overtook the request",
			[]Observation{obs("2", "u", 1, Accepted), obs("1", "u", 2, Requested)},
			map[BookingKey]Status{keyU: Accepted},
			nil,
		},
		{
			"payment started is not booked",
			[]Observation{obs("1", "u", 1, AwaitingPayment)},
			map[BookingKey]Status{keyU: AwaitingPayment},
			nil,
		},
		{
			"paid, and the host must accept",
			[]Observation{obs("1", "u", 1, AwaitingPayment), obs("2", "u", 2, Requested, paid)},
			map[BookingKey]Status{keyU: Requested},
			nil,
		},
		{
			"paid alone says that money came, not that the call stands",
			[]Observation{obs("1", "u", 1, AwaitingPayment), obs("2", "u", 2, "", paid)},
			map[BookingKey]Status{keyU: AwaitingPayment},
			nil,
		},
		{
			"the API's pending is no host's to accept while a payment waits",
			[]Observation{obs("1", "u", 1, AwaitingPayment), obs("2", "u", 2, Requested, fromAPI)},
			map[BookingKey]Status{keyU: AwaitingPayment},
			nil,
		},
		{
			"the API's pending is, once it was paid",
			[]Observation{obs("1", "u", 1, AwaitingPayment), obs("2", "u", 2, Requested, fromAPI), obs("3", "u", 3, "", paid)},
			map[BookingKey]Status{keyU: Requested},
			nil,
		},
		{
			"the API's pending is, where nobody told of a payment",
			[]Observation{obs("2", "u", 2, Requested, fromAPI)},
			map[BookingKey]Status{keyU: Requested},
			nil,
		},
		{"cancelled", []Observation{obs("1", "u", 1, Accepted), obs("2", "u", 2, Cancelled)}, map[BookingKey]Status{keyU: Cancelled}, nil},
		{
			"a uid is never revived: the API shows the old row after CANCELLED",
			[]Observation{obs("1", "u", 1, Cancelled), obs("2", "u", 2, Accepted, fromAPI)},
			map[BookingKey]Status{keyU: Cancelled},
			nil,
		},
		{"rejected", []Observation{obs("1", "u", 1, Requested), obs("2", "u", 2, Rejected)}, map[BookingKey]Status{keyU: Rejected}, nil},
		{
			"the host's wish for another time says more than cancelled",
			[]Observation{obs("1", "u", 1, RescheduleRequested), obs("2", "u", 2, Cancelled, fromAPI)},
			map[BookingKey]Status{keyU: RescheduleRequested},
			nil,
		},
		{
			"the API knows that it was replaced",
			[]Observation{obs("1", "u", 1, Accepted), obs("2", "u", 2, Rescheduled, fromAPI)},
			map[BookingKey]Status{keyU: Rescheduled},
			nil,
		},
		{
			"rescheduled: nothing comes for the old uid",
			[]Observation{obs("1", "u", 1, Accepted), obs("2", "v", 2, Accepted, after("u"))},
			map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted},
			map[BookingKey]string{keyU: "2"},
		},
		{
			"a reschedule that must be confirmed: REQUESTED with rescheduleUid replaces the old uid at once",
			[]Observation{obs("1", "u", 1, Accepted), obs("2", "v", 2, Requested, after("u"))},
			map[BookingKey]Status{keyU: Rescheduled, keyV: Requested},
			nil,
		},
		{
			"and its confirmation by uid alone",
			[]Observation{obs("1", "u", 1, Accepted), obs("2", "v", 2, Requested, after("u")), obs("3", "v", 3, Accepted)},
			map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted},
			nil,
		},
		{
			"reschedule requested, then rescheduled: a cancelled uid can have a successor",
			[]Observation{obs("1", "u", 1, Accepted), obs("2", "u", 2, RescheduleRequested), obs("3", "v", 3, Accepted, after("u"))},
			map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted},
			nil,
		},
		{
			"fork: one original, two live ends",
			[]Observation{obs("1", "u", 1, Accepted), obs("2", "v", 2, Accepted, after("u")), obs("3", "w", 3, Accepted, after("u"))},
			map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted, keyW: Accepted},
			map[BookingKey]string{keyU: "2"},
		},
		{
			"a predecessor nobody spoke of exists and is over",
			[]Observation{obs("2", "v", 2, Accepted, after("u"))},
			map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted},
			nil,
		},
		{
			"a booking does not replace itself",
			[]Observation{obs("1", "u", 1, Accepted, after("u"))},
			map[BookingKey]Status{keyU: Accepted},
			nil,
		},
		{
			"a circle of predecessors ends", // no such thing at Cal.com
			[]Observation{obs("1", "u", 1, Accepted, after("v")), obs("2", "v", 2, Accepted, after("u"))},
			map[BookingKey]Status{keyU: Rescheduled, keyV: Rescheduled},
			nil,
		},
		{"an unknown status claims nothing", []Observation{obs("1", "u", 1, Accepted), obs("2", "u", 2, "revived")}, map[BookingKey]Status{keyU: Accepted}, nil},
		{"without a uid it speaks of no booking", []Observation{obs("1", "", 1, Accepted, carries(subA))}, map[BookingKey]Status{}, nil},
		{
			"cancelling one of several occurrences leaves the others",
			[]Observation{obs("1", "u", 1, Accepted, repeats), obs("2", "v", 1, Accepted, repeats), obs("3", "u", 2, Cancelled, repeats)},
			map[BookingKey]Status{keyU: Cancelled, keyV: Accepted},
			nil,
		},

		// Seats: one uid, several people.
		{
			"two seats are two bookings",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Accepted, seat("y"), with("b@"))},
			map[BookingKey]Status{keyX: Accepted, keyY: Accepted},
			nil,
		},
		{
			"a seat cancelled without attendeeSeatId is found by the leaver's address",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Accepted, seat("y"), with("b@")), obs("3", "u", 3, Cancelled, with("B@ "))},
			map[BookingKey]Status{keyX: Accepted, keyY: Cancelled},
			nil,
		},
		{
			"the whole seated event cancelled lists everybody",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Accepted, seat("y"), with("b@")), obs("3", "u", 3, Cancelled, with("a@", "b@"))},
			map[BookingKey]Status{keyX: Cancelled, keyY: Cancelled},
			nil,
		},
		{
			"whoever has no known seat stays beside the seats",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("3", "u", 3, Cancelled, with("b@"))},
			map[BookingKey]Status{keyX: Accepted, keyU: Cancelled},
			nil,
		},
		{
			"a word before a seat existed is not about that seat",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("3", "u", 5, Accepted, seat("z"), with("a@")), obs("2", "u", 3, Cancelled, with("a@"))},
			map[BookingKey]Status{keyX: Cancelled, keyZ: Accepted},
			nil,
		},
		{
			"a seat exists from the earliest word of it",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("3", "u", 5, Accepted, seat("x"), with("a@")), obs("2", "u", 3, Cancelled, with("a@"))},
			map[BookingKey]Status{keyX: Cancelled},
			nil,
		},
		{
			"an address that left and came back has its last seat",
			[]Observation{
				obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Cancelled, seat("x"), with("a@")),
				obs("3", "u", 3, Accepted, seat("z"), with("a@")), obs("4", "u", 4, Cancelled, with("a@")),
			},
			map[BookingKey]Status{keyX: Cancelled, keyZ: Cancelled},
			nil,
		},
		{
			"two seats of one address that began at once cannot be told apart",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 1, Accepted, seat("y"), with("a@")), obs("3", "u", 2, Cancelled, with("a@"))},
			map[BookingKey]Status{keyX: Accepted, keyY: Accepted, keyU: Cancelled},
			nil,
		},
		{
			"a body about one seat that lists everybody does not say whose seat it is",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Accepted, seat("y"), with("a@", "b@")), obs("3", "u", 3, Cancelled, with("a@"))},
			map[BookingKey]Status{keyX: Cancelled, keyY: Accepted},
			nil,
		},
		{
			"people without an address are nobody's seat",
			[]Observation{obs("1", "u", 1, Accepted, seat("x"), with("")), obs("3", "u", 3, Cancelled, with(""))},
			map[BookingKey]Status{keyX: Accepted, keyU: Cancelled},
			nil,
		},
		{
			"a seat moved alone",
			[]Observation{
				obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Accepted, seat("y"), with("b@")),
				obs("3", "v", 3, Accepted, seat("x2"), with("a@"), after("u")),
			},
			map[BookingKey]Status{keyX: Rescheduled, keyY: Accepted, {UID: "v", Seat: "x2"}: Accepted},
			nil,
		},
		{
			"a seat that keeps its ID when it moves, and an address we never saw",
			[]Observation{
				obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Accepted, seat("y"), with("b@")),
				obs("3", "v", 3, Accepted, seat("x"), with("new@"), after("u")),
			},
			map[BookingKey]Status{keyX: Rescheduled, keyY: Accepted, {UID: "v", Seat: "x"}: Accepted},
			nil,
		},
	} {
		got := Fold(row.of)
		statuses := map[BookingKey]Status{}
		for key, b := range got {
			statuses[key] = b.Status
			if key != b.BookingKey {
				t.Errorf("%s: %v stands under %v", row.name, b.BookingKey, key)
			}
		}
		if !reflect.DeepEqual(statuses, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, statuses, row.want)
		}
		for key, by := range row.by {
			if got[key].StatusBy != by {
				t.Errorf("%s: %v was settled by %q, want %q", row.name, key, got[key].StatusBy, by)
			}
		}
	}
}

// The order of the statuses is the rule; each is alone with each.
func TestStatusesClimb(t *testing.T) {
	order := []Status{"", AwaitingPayment, Requested, Accepted, Cancelled, Rejected, RescheduleRequested, Rescheduled}
	for i, low := range order {
		for _, high := range order[i:] {
			for _, at := range []int{0, 1, 2} { // the higher one earlier, at once, later
				got := fold1(t, keyU, obs("low", "u", 1, low), obs("high", "u", at, high))
				if got.Status != high {
					t.Errorf("%q and %q: got %q", low, high, got.Status)
				}
			}
		}
	}
	for _, s := range order {
		if want := s == AwaitingPayment || s == Requested || s == Accepted; s.Live() != want {
			t.Errorf("%q: live is %v", s, s.Live())
		}
	}
}

// Attributes take the newest non-empty value; what is said once stays said.
func TestFoldAttributes(t *testing.T) {
	full := obs("1", "u", 1, Accepted, startsAt(60), title("Call"), location("https://one"), because("why"),
		host("Hal", "hal@"), with("a@", "guest@"), ical("u@Cal.com"), sequence(1), hostAbsent(true))
	full.EventType, full.Attendees[0].TimeZone = 7, "Europe/London"
	for _, row := range []struct {
		name string
		of   []Observation
		ok   func(Booking) bool
	}{
		{"one observation says it all", []Observation{full}, func(b Booking) bool {
			return b.Start.Equal(minute(60)) && b.End.Equal(minute(90)) && b.Title == "Call" && b.Location == "https://one" && b.Reason == "why" &&
				b.EventType == 7 && b.Host.Name == "Hal" && b.Attendee == Person{Name: "Name of a@", Email: "a@", TimeZone: "Europe/London"} &&
				b.ICalUID == "u@Cal.com" && b.Sequence == 1 && b.HostAbsent && b.FirstAt.Equal(minute(1)) && b.LastAt.Equal(minute(1))
		}},
		{"absent and null never overwrite", []Observation{full, obs("2", "u", 2, Cancelled)}, func(b Booking) bool {
			return b.Start.Equal(minute(60)) && b.End.Equal(minute(90)) && b.Title == "Call" && b.Location == "https://one" && b.Reason == "why" &&
				b.EventType == 7 && b.Host.Name == "Hal" && b.Attendee.TimeZone == "Europe/London" && b.ICalUID == "u@Cal.com" && b.Sequence == 1 && b.HostAbsent
		}},
		{"the newer value wins", []Observation{full, obs("2", "u", 2, Accepted, startsAt(120), location("https://two"), hostAbsent(false))}, func(b Booking) bool {
			return b.Start.Equal(minute(120)) && b.Location == "https://two" && !b.HostAbsent
		}},
		{"newer by Cal.com's time, not by arrival", []Observation{obs("2", "u", 2, Accepted, location("https://two")), full}, func(b Booking) bool {
			return b.Location == "https://two"
		}},
		{"at one time the higher sequence is newer", []Observation{
			obs("1", "u", 1, Accepted, location("new"), sequence(2)), obs("2", "u", 1, Accepted, location("old"), sequence(1)),
		}, func(b Booking) bool { return b.Location == "new" }},
		{"at one time and sequence the digest decides, whatever the ID", []Observation{
			{ID: "9", UID: "u", At: minute(1), Digest: "a", Location: "a"}, {ID: "1", UID: "u", At: minute(1), Digest: "b", Location: "b"},
		}, func(b Booking) bool { return b.Location == "b" }},
		{"a meeting's body is as old as the booking: its frozen host and place do not return", []Observation{
			obs("1", "u", 1, Accepted, host("Old", "old@"), location("old")), obs("2", "u", 5, Accepted, fromAPI, host("New", "new@"), location("new")),
			obs("3", "u", 90, Accepted, over, frozen(1), host("Old", "old@"), location("old")),
		}, func(b Booking) bool {
			return b.Host.Name == "New" && b.Location == "new" && b.Ended && b.LastAt.Equal(minute(90))
		}},
		{"another host is another person, of whom nothing older holds", []Observation{
			obs("1", "u", 1, Accepted, host("Old", "old@")), obs("2", "u", 2, Accepted, host("", "new@")),
		}, func(b Booking) bool { return b.Host == Person{Email: "new@"} }},
		{"the same host in other letters keeps the name", []Observation{
			obs("1", "u", 1, Accepted, host("Hal", "hal@")), obs("2", "u", 2, Accepted, host("", "HAL@")),
		}, func(b Booking) bool { return b.Host == Person{Name: "Hal", Email: "HAL@"} }},
		{"started, ended and paid stay", []Observation{
			obs("1", "u", 1, Accepted, begun), obs("2", "u", 2, "", over), obs("3", "u", 3, "", paid), obs("4", "u", 4, Accepted, fromAPI),
		}, func(b Booking) bool { return b.Started && b.Ended && b.EndedBy == "2" && b.Paid }},
		{"the first that says it ended settles it", []Observation{obs("1", "u", 1, "", over), obs("2", "u", 2, "", over)}, func(b Booking) bool { return b.EndedBy == "1" }},
		{"what ended had started", []Observation{obs("1", "u", 1, "", over)}, func(b Booking) bool { return b.Started }},
		{"the sequence is the highest heard", []Observation{obs("1", "u", 1, Accepted, sequence(3)), obs("2", "u", 2, "", sequence(0))}, func(b Booking) bool { return b.Sequence == 3 }},
		{"a replaced booking's last fact is its replacement", []Observation{obs("1", "u", 1, Accepted), obs("2", "v", 7, Accepted, after("u"))}, func(b Booking) bool {
			return b.LastAt.Equal(minute(7)) && len(b.Successors) == 1 && b.Successors[0] == keyV
		}},
		{"times are kept in UTC, so that equal instants are equal values", []Observation{
			{ID: "1", UID: "u", At: minute(1).In(time.FixedZone("", 3600)), Start: minute(9).In(time.FixedZone("", 3600))},
		}, func(b Booking) bool { return b.FirstAt == minute(1) && b.LastAt == minute(1) && b.Start == minute(9) }},
		{"a fact without a time spans nothing", []Observation{{ID: "1", UID: "u"}, obs("2", "u", 4, Accepted)}, func(b Booking) bool { return b.FirstAt == minute(4) }},
		{"nor does a replacement without a time", []Observation{obs("2", "u", 4, Accepted), {ID: "3", UID: "v", Predecessor: "u"}}, func(b Booking) bool { return b.FirstAt == minute(4) }},
		{"successors are in the order of their keys, each once", []Observation{
			obs("1", "w", 1, Accepted, after("u")), obs("2", "v", 2, Accepted, after("u")), obs("3", "w", 3, Accepted, fromAPI, after("u")),
		}, func(b Booking) bool { return reflect.DeepEqual(b.Successors, []BookingKey{keyV, keyW}) }},
		{"a no-show body lists people for that alone: the first one did not book", []Observation{
			obs("1", "u", 1, Accepted, with("a@")), obs("2", "u", 2, "", absent("guest@", true)),
		}, func(b Booking) bool { return b.Attendee.Email == "a@" }},
	} {
		if b := fold1(t, keyU, row.of...); !row.ok(b) {
			t.Errorf("%s: got %#v", row.name, b)
		}
	}
	b := fold1(t, keyV, obs("1", "v", 1, Accepted, after("u")), obs("2", "v", 2, Accepted, after("v")))
	if b.Predecessor != "u" {
		t.Errorf("a booking that names itself as its predecessor lost the true one: %q", b.Predecessor)
	}
}

// A no-show can be taken back, and is about the person who booked.
func TestFoldNoShow(t *testing.T) {
	booked := obs("1", "u", 1, Accepted, with("a@", "guest@"))
	x := obs("x", "u", 1, Accepted, seat("x"), with("a@"))
	y := obs("y", "u", 2, Accepted, seat("y"), with("b@"))
	for _, row := range []struct {
		name string
		of   []Observation
		key  BookingKey
		want bool
		by   string
	}{
		{"nothing said", []Observation{booked}, keyU, false, ""},
		{"marked", []Observation{booked, obs("2", "u", 2, "", absent("a@", true))}, keyU, true, "2"},
		{"the address in other letters", []Observation{booked, obs("2", "u", 2, "", absent(" A@", true))}, keyU, true, "2"},
		{"taken back", []Observation{booked, obs("2", "u", 2, "", absent("a@", true)), obs("3", "u", 3, "", absent("a@", false))}, keyU, false, "3"},
		{"taken back, heard in the wrong order", []Observation{booked, obs("3", "u", 3, "", absent("a@", false)), obs("2", "u", 2, "", absent("a@", true))}, keyU, false, "3"},
		{"marked again", []Observation{booked, obs("2", "u", 2, "", absent("a@", true)), obs("3", "u", 3, "", absent("a@", false)), obs("4", "u", 4, "", absent("a@", true))}, keyU, true, "4"},
		{"said twice, changed once", []Observation{booked, obs("2", "u", 2, "", absent("a@", true)), obs("3", "u", 3, Accepted, fromAPI, absent("a@", true))}, keyU, true, "2"},
		{"never marked, so nothing was taken back", []Observation{booked, obs("2", "u", 2, Accepted, fromAPI, absent("a@", false))}, keyU, false, ""},
		{"a guest who stayed away", []Observation{booked, obs("2", "u", 2, "", absent("guest@", true))}, keyU, false, ""},
		{"the booker came, a guest did not", []Observation{booked, obs("2", "u", 2, "", absent("guest@", true), absent("a@", false))}, keyU, false, ""},
		{"nobody is known to have booked: any word counts", []Observation{obs("2", "u", 2, "", absent("who@", true))}, keyU, true, "2"},
		{"a meeting's frozen body says what was so when it was booked", []Observation{
			booked, obs("2", "u", 2, "", absent("a@", true)), obs("3", "u", 9, Accepted, over, frozen(1), absent("a@", false)),
		}, keyU, true, "2"},
		{"the host was absent, not the visitor", []Observation{booked, obs("2", "u", 2, "", hostAbsent(true))}, keyU, false, ""},
		{"one seat's no-show", []Observation{x, y, obs("2", "u", 3, "", absent("b@", true))}, keyY, true, "2"},
		{"is not another seat's", []Observation{x, y, obs("2", "u", 3, "", absent("b@", true))}, keyX, false, ""},
		{"a body about both seats", []Observation{x, y, obs("2", "u", 3, "", absent("a@", false), absent("b@", true))}, keyX, false, ""},
	} {
		if b := fold1(t, row.key, row.of...); b.NoShow != row.want || b.NoShowBy != row.by {
			t.Errorf("%s: got %v by %q, want %v by %q", row.name, b.NoShow, b.NoShowBy, row.want, row.by)
		}
	}
}

// Each seat's people and place are its own; whoever moves moves alone.
func TestFoldSeats(t *testing.T) {
	got := Fold([]Observation{
		obs("1", "u", 1, Accepted, seat("x"), with("a@")), obs("2", "u", 2, Accepted, seat("y"), with("b@")),
		obs("3", "v", 3, Accepted, seat("x2"), with("a@")), obs("4", "v", 3, Accepted, seat("y2"), with("b@")),
		obs("5", "v", 4, Accepted, with("b@", "a@"), after("u"), location("room")), obs("6", "u", 2, Accepted, with("a@", "b@")),
	})
	if a, b := got[keyX].Attendee.Email, got[keyY].Attendee.Email; a != "a@" || b != "b@" {
		t.Errorf("seats x and y are of %q and %q", a, b)
	}
	for from, to := range map[BookingKey]BookingKey{keyX: {"v", "x2"}, keyY: {"v", "y2"}} {
		if got[from].Status != Rescheduled || !reflect.DeepEqual(got[from].Successors, []BookingKey{to}) {
			t.Errorf("%v is %v with successors %v, want %v alone", from, got[from].Status, got[from].Successors, to)
		}
		if got[to].Location != "room" || got[to].Predecessor != "u" {
			t.Errorf("%v does not know what was said of the whole event: %#v", to, got[to])
		}
	}
}

// Long chains, wide events and whatever else comes must neither hang nor panic.
func TestLongHistoriesAreFast(t *testing.T) {
	const n = 1000
	var chain, star, seated, recurring []Observation
	for i := range n {
		id := fmt.Sprint(i)
		chain = append(chain, obs(id, "u"+fmt.Sprint(n-i), i, Accepted, after("u"+fmt.Sprint(n-i+1)), carries(subA), ical("one")))
		star = append(star, obs(id, "v"+id, i, Accepted, after("u"), carries(subA)))
		seated = append(seated, obs(id, "u", i, Accepted, seat(id), with(id+"@"), carries(subA)))
		recurring = append(recurring, obs(id, "u"+id, i, Accepted, sequence(1), ical("one")))
	}
	everybody := obs("all", "u", n, Cancelled)
	for i := range n {
		everybody.Attendees = append(everybody.Attendees, Person{Email: fmt.Sprint(i) + "@"})
	}
	moved := everybody
	moved.ID, moved.UID, moved.Predecessor = "moved", "v", "u"
	for name, history := range map[string][]Observation{
		"chain": chain, "star": star, "seats": append(seated, everybody, moved), "recurring": recurring,
	} {
		start := time.Now()
		bookings := Fold(history)
		ties := Match(history, leads)
		var all []Booking
		for _, b := range bookings {
			all = append(all, b)
		}
		DefaultPipeline().Progress(nil, all)
		took := time.Since(start)
		t.Logf("%s: %d bookings in %v", name, len(all), took)
		if took > 2*time.Second {
			t.Errorf("%s: %v for %d observations", name, took, len(history))
		}
		if len(ties) != len(bookings) {
			t.Errorf("%s: %d ties for %d bookings", name, len(ties), len(bookings))
		}
	}
}
