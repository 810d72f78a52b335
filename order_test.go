package handoff

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The promise: however often, and in whatever order facts come, each lead ends
// in the same right state. It is shown in three ways:
//
//   - exhaustively, for short histories: every order, with every subset delivered
//     again, gives one outcome, and it is the one written beside the history;
//   - for long histories that a model of Cal.com makes: the outcome is what the
//     model knows to be true, though the model folds nothing;
//   - for long histories without sense: every order gives one outcome.

// The random histories are short; the command line can still ask for other numbers.
func init() { _ = flag.Set("rapid.checks", "1000") }

// An outcome is all that is derived from a set of observations.
type outcome struct {
	Bookings  map[BookingKey]Booking
	Ties      map[BookingKey]Tie
	Standings map[LeadID]Standing
}

// derive runs the rules as the store does. manual is of lead A.
func derive(of []Observation, manual *Manual) outcome {
	out := outcome{Fold(of), Match(of, leads), map[LeadID]Standing{}}
	for _, lead := range leads {
		var own []Booking
		for key, tie := range out.Ties { // in any order
			if tie.Lead == lead {
				own = append(own, out.Bookings[key])
			}
		}
		set := manual
		if lead != leadA {
			set = nil
		}
		out.Standings[lead] = DefaultPipeline().Progress(set, own)
	}
	return out
}

// A history is told in the order in which it happened.
type history struct {
	name     string
	of       []Observation
	manual   *Manual
	stages   map[LeadID]Stage      // where each lead ends; "new" where it is not named
	statuses map[BookingKey]Status // how each booking ends
	// quarrel: the bookings that wait for a person, and why.
	quarrel map[BookingKey]Reason
}

type stages = map[LeadID]Stage

var histories = []history{
	{
		name: "booked, twice rescheduled, held",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA), with("a@"), startsAt(60), ical("u@")), obs("2", "v", 2, Accepted, after("u"), sequence(1), with("a@"), startsAt(120)),
			obs("3", "w", 3, Accepted, after("v"), sequence(2), startsAt(180)), obs("4", "w", 180, "", begun, frozen(3)), obs("5", "w", 210, "", over, frozen(3), location("old")),
		},
		stages: stages{leadA: "met"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Rescheduled, keyW: Accepted},
	},
	{
		name: "fork, and one end cancelled",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1)), obs("3", "w", 3, Requested, after("u"), sequence(1)),
			obs("4", "w", 4, Accepted), obs("5", "v", 5, Cancelled, sequence(2)),
		},
		stages: stages{leadA: "booked"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Cancelled, keyW: Accepted},
	},
	{
		name: "seats of two leads, one inherits, one leaves",
		of: []Observation{
			obs("1", "u", 1, Accepted, seat("x"), with("a@"), carries(subA)), obs("2", "u", 2, Accepted, seat("y"), with("b@"), carries(subA), answers(subB)),
			obs("3", "u", 3, Accepted, seat("z"), with("c@"), carries(subA)), obs("4", "u", 4, Cancelled, with("b@"), carries(subA)), obs("5", "u", 90, "", over, with("a@", "c@"), carries(subA)),
		},
		stages: stages{leadA: "met", leadB: "rebook"}, statuses: map[BookingKey]Status{keyX: Accepted, keyY: Cancelled, keyZ: Accepted},
		quarrel: map[BookingKey]Reason{keyZ: NoReference},
	},
	{
		name: "a seated event moved as a whole, then cancelled",
		of: []Observation{
			obs("1", "u", 1, Accepted, seat("x"), with("a@"), carries(subA)), obs("2", "u", 2, Accepted, seat("y"), with("b@"), carries(subB)),
			obs("3", "v", 3, Accepted, seat("x2"), with("a@")), obs("4", "v", 3, Accepted, seat("y2"), with("b@")),
			obs("5", "v", 4, Accepted, with("a@", "b@"), after("u")), obs("6", "v", 5, Cancelled, with("b@", "a@")),
		},
		stages:   stages{leadA: "rebook", leadB: "rebook"},
		statuses: map[BookingKey]Status{keyX: Rescheduled, keyY: Rescheduled, {UID: "v", Seat: "x2"}: Cancelled, {UID: "v", Seat: "y2"}: Cancelled},
	},
	{
		name: "requested, confirmed, moved to be confirmed, confirmed",
		of: []Observation{
			obs("1", "u", 1, Requested, carries(subA), answers(subA)), obs("2", "u", 2, Accepted), obs("3", "v", 3, Requested, after("u"), sequence(1)),
			obs("4", "v", 4, Accepted), obs("5", "v", 5, Accepted, fromAPI, carries(subA)),
		},
		stages: stages{leadA: "booked"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted},
	},
	{
		name:   "requested and rejected, and one later booking",
		of:     []Observation{obs("1", "u", 1, Requested, carries(subA)), obs("2", "u", 2, Rejected), obs("3", "v", 3, Accepted, carries(subA)), obs("4", "v", 3, Accepted, carries(subA))},
		stages: stages{leadA: "booked"}, statuses: map[BookingKey]Status{keyU: Rejected, keyV: Accepted},
	},
	{
		name: "payment started, paid, accepted, and the sweep",
		of: []Observation{
			obs("1", "u", 1, AwaitingPayment, carries(subA)), obs("2", "u", 2, Requested, paid), obs("3", "u", 2, Requested), obs("4", "u", 3, Accepted), obs("5", "u", 3, Accepted, fromAPI, carries(subA)),
		},
		stages: stages{leadA: "booked"}, statuses: map[BookingKey]Status{keyU: Accepted},
	},
	{
		name:   "payment started and never made",
		of:     []Observation{obs("1", "u", 1, AwaitingPayment, carries(subA)), obs("2", "u", 2, Requested, fromAPI, carries(subA))},
		stages: stages{leadA: "requested"}, statuses: map[BookingKey]Status{keyU: AwaitingPayment},
	},
	{
		name: "no-show on, off, on and off, with a guest's between",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA), with("a@", "guest@")), obs("2", "u", 60, "", over, frozen(1), absent("a@", false)), obs("3", "u", 61, "", absent("a@", true)),
			obs("4", "u", 62, "", absent("a@", false), absent("guest@", true)), obs("5", "u", 63, "", absent("a@", true)), obs("6", "u", 64, Accepted, fromAPI, absent("a@", false)),
		},
		stages: stages{leadA: "met"}, statuses: map[BookingKey]Status{keyU: Accepted},
	},
	{
		name: "no-show, and the sweep read before it",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA), with("a@")), obs("2", "u", 59, Accepted, fromAPI, absent("a@", false)), obs("3", "u", 60, "", absent("a@", true)), obs("4", "u", 61, "", over, frozen(1)),
		},
		stages: stages{leadA: "no_show"}, statuses: map[BookingKey]Status{keyU: Accepted},
	},
	{
		name: "three occurrences, all cancelled, told of one; the sweep saw the rest",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA), repeats), obs("2", "v", 1, Accepted, carries(subA), repeats), obs("3", "w", 1, Accepted, carries(subA), repeats),
			obs("4", "u", 5, Cancelled, repeats), obs("5", "v", 6, Cancelled, fromAPI, carries(subA)), obs("6", "w", 6, Cancelled, fromAPI, carries(subA)),
		},
		stages: stages{leadA: "rebook"}, statuses: map[BookingKey]Status{keyU: Cancelled, keyV: Cancelled, keyW: Cancelled},
	},
	{
		name: "cancelled by a body that may overtake its CREATED, and the API's old answer",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Accepted, after("u"), sequence(1)), obs("3", "v", 3, Cancelled, ical("u@"), sequence(2)),
			obs("4", "v", 2, Accepted, fromAPI, carries(subA)),
		},
		stages: stages{leadA: "rebook"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Cancelled},
	},
	{
		name: "another lead's reference in a reschedule link, and an operator's decisions",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries(subB)), obs("3", "v", 3, "", decides(leadB)),
			obs("4", "v", 4, "", decides(leadC)), obs("5", "v", 5, Cancelled),
		},
		stages: stages{leadC: "rebook"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Cancelled},
	},
	{
		name: "an operator decides and takes it back",
		of: []Observation{
			obs("1", "u", 1, Accepted), obs("2", "u", 2, "", decides(leadB)), obs("3", "u", 3, "", takesBack("2")), obs("4", "u", 4, "", decides(leadC)), obs("5", "u", 5, Cancelled),
		},
		stages: stages{leadC: "rebook"}, statuses: map[BookingKey]Status{keyU: Cancelled},
	},
	{
		name: "the same, and nobody decided",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Requested, after("u"), sequence(1), carries(subB)), obs("3", "v", 3, Accepted), obs("4", "v", 3, Accepted, fromAPI, carries(subB)),
		},
		stages: stages{leadA: "booked"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted}, quarrel: map[BookingKey]Reason{keyU: OtherLead, keyV: OtherLead},
	},
	{
		name: "the host asks for another time, the visitor takes one, and does not come",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA), with("a@")), obs("2", "u", 2, RescheduleRequested, because("ill")), obs("3", "u", 2, Cancelled, fromAPI, carries(subA)),
			obs("4", "v", 3, Accepted, after("u"), sequence(1), with("a@")), obs("5", "v", 99, "", over, frozen(3)), obs("6", "v", 100, "", absent("a@", true)),
		},
		stages: stages{leadA: "no_show"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Accepted},
	},
	{
		name: "met, booked a second call, cancelled that",
		of: []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "u", 60, "", over, frozen(1)), obs("3", "v", 70, Accepted, carries(subA)), obs("4", "v", 80, Cancelled),
		},
		stages: stages{leadA: "met"}, statuses: map[BookingKey]Status{keyU: Accepted, keyV: Cancelled},
	},
	{
		name:   "won by a person, and what came after",
		of:     []Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1)), obs("3", "v", 3, Cancelled), obs("4", "w", 4, Accepted, carries(subA))},
		manual: &Manual{"won", "booked"},
		stages: stages{leadA: "won"}, statuses: map[BookingKey]Status{keyU: Rescheduled, keyV: Cancelled, keyW: Accepted},
	},
	{
		name:   "contacted by a person, then requested",
		of:     []Observation{obs("1", "u", 1, Requested, carries(subA)), obs("2", "u", 2, Rejected), obs("3", "v", 3, Requested, carries(subA))},
		manual: &Manual{"contacted", "new"},
		stages: stages{leadA: "requested"}, statuses: map[BookingKey]Status{keyU: Rejected, keyV: Requested},
	},
	{
		name:     "a forged reference with another's iCalUID",
		of:       []Observation{obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Cancelled, ical("u@"), referred(InMetadata, Forged, "")), obs("3", "u", 3, "", over)},
		stages:   stages{leadA: "met"},
		statuses: map[BookingKey]Status{keyU: Accepted, keyV: Cancelled}, quarrel: map[BookingKey]Reason{keyV: ReferenceForged},
	},
}

// check compares an outcome with what the history says by hand.
func (h history) check(t *testing.T, got outcome) {
	t.Helper()
	for _, lead := range leads {
		want := h.stages[lead]
		if want == "" {
			want = "new"
		}
		if got.Standings[lead].Stage != want {
			t.Errorf("%s: %s is %q, want %q", h.name, lead, got.Standings[lead].Stage, want)
		}
	}
	statuses, quarrel := map[BookingKey]Status{}, map[BookingKey]Reason{}
	for key, b := range got.Bookings {
		statuses[key] = b.Status
		if reason := got.Ties[key].Reason; reason != "" {
			quarrel[key] = reason
		}
	}
	if !maps.Equal(statuses, h.statuses) {
		t.Errorf("%s: got %v, want %v", h.name, statuses, h.statuses)
	}
	if !maps.Equal(quarrel, h.quarrel) {
		t.Errorf("%s: waiting for a person: %v, want %v", h.name, quarrel, h.quarrel)
	}
}

// Every subset of a history in every order, and the whole of it in every order
// with every subset delivered again, has one outcome.
func TestOrderAndRepetitionChangeNothing(t *testing.T) {
	folds := 0
	for _, h := range histories {
		n := len(h.of)
		want := h.outcomes()
		h.check(t, want[1<<n-1])
		for _, mask := range masks(n) {
			permutations(members(mask), func(order []int) {
				again := []uint{0}
				if mask == 1<<n-1 {
					again = masks(n)
				}
				for _, repeated := range again {
					folds++
					if got := derive(h.arrival(order, repeated), h.manual); !reflect.DeepEqual(got, want[mask]) {
						t.Fatalf("%s: order %v and again %b:\ngot  %#v\nwant %#v", h.name, order, repeated, got, want[mask])
					}
				}
			})
		}
	}
	t.Logf("%d histories, %d folds", len(histories), folds)
}

// outcomes derives every subset once, told in its own order. That other orders
// give the same is what TestOrderAndRepetitionChangeNothing shows.
func (h history) outcomes() map[uint]outcome {
	out := map[uint]outcome{}
	for _, mask := range masks(len(h.of)) {
		out[mask] = derive(h.arrival(members(mask), 0), h.manual)
	}
	return out
}

// arrival is the history in an order, and then some of it again.
func (h history) arrival(order []int, again uint) []Observation {
	out := make([]Observation, 0, 2*len(order))
	for _, i := range order {
		out = append(out, h.of[i])
	}
	for _, i := range order {
		if again&(1<<i) != 0 {
			out = append(out, h.of[i])
		}
	}
	return out
}

// A move of one lead, as the store writes it down.
type recorded struct {
	lead  LeadID
	to    Stage
	cause string
}

// Facts arrive one by one or several at once; after each arrival, everything
// received is folded, and each lead's move is written down with its cause: what
// settled it, if that is new, else the newest of what is new. In whatever order
// and portions they come, no lead comes twice to one stage for one cause, and the
// last move leads to where the lead stands.
func TestEachFactMovesALeadOnce(t *testing.T) {
	for _, h := range histories {
		outcomes := h.outcomes()
		n := len(h.of)
		paths, moves := 0, 0
		permutations(members(1<<n-1), func(order []int) {
			for _, cuts := range masks(n - 1) { // where one portion ends
				paths++
				seen := map[recorded]bool{}
				stage := map[LeadID]Stage{}
				var got, portion uint
				for at, i := range order {
					portion |= 1 << i
					if at < n-1 && cuts&(1<<at) == 0 {
						continue
					}
					got |= portion
					for lead, now := range outcomes[got].Standings {
						if now.Stage == cmp.Or(stage[lead], outcomes[0].Standings[lead].Stage) {
							continue
						}
						stage[lead] = now.Stage
						moves++
						move := recorded{lead, now.Stage, h.cause(portion, now)}
						if seen[move] {
							t.Fatalf("%s: order %v cut at %b: %+v twice", h.name, order, cuts, move)
						}
						seen[move] = true
					}
					portion = 0
				}
				for lead, standing := range outcomes[1<<n-1].Standings {
					if was := cmp.Or(stage[lead], outcomes[0].Standings[lead].Stage); was != standing.Stage {
						t.Fatalf("%s: order %v cut at %b: %s stands at %q, want %q", h.name, order, cuts, lead, was, standing.Stage)
					}
				}
			}
		})
		if moves < paths && h.manual == nil {
			t.Errorf("%s: %d moves in %d orders: this shows nothing", h.name, moves, paths)
		}
	}
}

// cause is the store's rule for what moved a lead, when a portion arrived.
func (h history) cause(portion uint, now Standing) string {
	var newest *Observation
	for _, i := range members(portion) {
		o := &h.of[i]
		if o.ID == now.By {
			return o.ID
		}
		if newest == nil || byFact(newest, o) < 0 {
			newest = o
		}
	}
	return newest.ID
}

// The same for short histories without a memory of outcomes: everything received,
// repetitions and all, is really folded after each delivery.
func TestRepetitionsInBetweenMoveNothing(t *testing.T) {
	for _, h := range histories {
		n := len(h.of)
		if n > 4 {
			continue
		}
		permutations(members(1<<n-1), func(order []int) {
			for _, again := range masks(n) {
				var received []Observation
				for at, i := range order {
					received = append(received, h.of[i])
					once := derive(received, h.manual)
					for _, j := range order[:at+1] {
						if again&(1<<j) == 0 {
							continue
						}
						received = append(received, h.of[j])
						if twice := derive(received, h.manual); !reflect.DeepEqual(once, twice) {
							t.Fatalf("%s: order %v: %s again changed\n%#v to\n%#v", h.name, order, h.of[j].ID, once, twice)
						}
					}
				}
			}
		})
	}
}

// masks lists all subsets of n things.
func masks(n int) []uint {
	out := make([]uint, 1<<n)
	for i := range out {
		out[i] = uint(i)
	}
	return out
}

func members(mask uint) []int {
	out := []int{}
	for i := 0; mask>>i != 0; i++ {
		if mask&(1<<i) != 0 {
			out = append(out, i)
		}
	}
	return out
}

// permutations visits every order of items (Heap's algorithm), the given one first.
func permutations(items []int, visit func([]int)) {
	var heap func(k int)
	heap = func(k int) {
		if k <= 1 {
			visit(items)
			return
		}
		heap(k - 1)
		for i := range k - 1 {
			if k%2 == 0 {
				items[i], items[k-1] = items[k-1], items[i]
			} else {
				items[0], items[k-1] = items[k-1], items[0]
			}
			heap(k - 1)
		}
	}
	heap(len(items))
}

// Anything at all: senseless histories have one outcome too, and none panics.
func TestAnyHistoryHasOneOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var history []Observation
		for i := range rapid.IntRange(1, 14).Draw(t, "length") {
			history = append(history, senseless(t, i))
		}
		var manual *Manual
		if rapid.Bool().Draw(t, "manual") {
			manual = &Manual{"contacted", rapid.SampledFrom([]Stage{"new", "booked", "rebook"}).Draw(t, "ruled")}
		}
		want := derive(history, manual)
		for range 4 {
			shuffled := shuffle(t, history)
			if got := derive(shuffled, manual); !reflect.DeepEqual(got, want) {
				t.Fatalf("order %v:\ngot  %#v\nwant %#v", ids(shuffled), got, want)
			}
		}
	})
}

// senseless draws an observation from few words, so that they meet often.
func senseless(t *rapid.T, i int) Observation {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	o := obs(fmt.Sprint("o", i), pick("uid", "u", "v", "w", "q", ""), rapid.IntRange(0, 4).Draw(t, "at"),
		rapid.SampledFrom([]Status{"", AwaitingPayment, Requested, Accepted, Accepted, Cancelled, Rejected, RescheduleRequested, Rescheduled}).Draw(t, "status"))
	o.Digest = pick("digest", "1", "2")
	o.Seat = pick("seat", "", "", "x", "y")
	o.Predecessor = pick("predecessor", "", "", "u", "v", "w")
	o.ICalUID = pick("ical", "", "one", "two")
	o.Sequence = rapid.IntRange(0, 2).Draw(t, "sequence")
	o.Location = pick("location", "", "here", "there")
	o.Ended, o.Paid = rapid.Bool().Draw(t, "ended"), rapid.Bool().Draw(t, "paid")
	switch rapid.IntRange(0, 9).Draw(t, "clock") {
	case 0:
		o.At = time.Time{}
	case 1, 2:
		o.At = o.At.In(time.FixedZone("", 3600)) // the same instant, written otherwise
	}
	if rapid.Bool().Draw(t, "frozen") {
		o.AsOf = minute(rapid.IntRange(0, 4).Draw(t, "as of"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "people") {
		p := Person{Email: pick("email", "", "a@", "b@", "B@")}
		if rapid.Bool().Draw(t, "presence") {
			no := rapid.Bool().Draw(t, "absent")
			p.NoShow = &no
		}
		o.Attendees = append(o.Attendees, p)
	}
	for range rapid.IntRange(0, 2).Draw(t, "references") {
		o.Carried = append(o.Carried, Carried{
			rapid.SampledFrom([]Carrier{InMetadata, InAnswer}).Draw(t, "carrier"), rapid.SampledFrom([]Verdict{Valid, Valid, Forged, OtherSite}).Draw(t, "verdict"),
			rapid.SampledFrom([]SubmissionID{subA, subB, subC, "sub_gone"}).Draw(t, "submission"),
		})
	}
	if rapid.IntRange(0, 5).Draw(t, "decision") == 0 {
		decides(rapid.SampledFrom([]LeadID{leadA, leadB}).Draw(t, "lead"))(&o)
	} else if rapid.IntRange(0, 5).Draw(t, "withdrawal") == 0 {
		takesBack(pick("decision", "1", "2", "3", "none"))(&o)
	}
	return o
}

// shuffle is a history in another order, some of it twice.
func shuffle(t *rapid.T, of []Observation) []Observation {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
	out := slices.Clone(of)
	for range r.IntN(len(of) + 1) {
		out = append(out, of[r.IntN(len(of))])
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func ids(of []Observation) []string {
	var out []string
	for _, o := range of {
		out = append(out, o.ID)
	}
	return out
}

// A calendar is a small model of Cal.com: it changes its rows, and says of each
// change what the real one says (calcom.md §9.2), which is often little. It knows
// nothing of folds, ranks or ties.
type calendar struct {
	rows []*row
	said []Observation
	now  int
}

type row struct {
	uid, from  string // from: the uid it replaced
	lead       LeadID
	sub        SubmissionID
	status     Status
	started    int // when it was made
	seq        int
	noShow     bool
	over       bool
	superseded bool
}

func (c *calendar) say(r *row, status Status, more ...says) {
	o := obs(fmt.Sprint("e", len(c.said)), r.uid, c.now, status, append(more, with(string(r.lead)+"@"))...)
	c.said = append(c.said, o)
}

func (c *calendar) add(r *row) *row {
	r.uid, r.started = fmt.Sprint("uid", len(c.rows)), c.now
	c.rows = append(c.rows, r)
	return r
}

// acts are what people, the host and the clock can do to a row, where it lets them.
var acts = map[string]func(*calendar, *row){
	"confirm": func(c *calendar, r *row) {
		if r.status == Requested {
			r.status = Accepted
			c.say(r, Accepted) // CREATED without metadata, predecessor or sequence
		}
	},
	"reject": func(c *calendar, r *row) {
		if r.status == Requested {
			r.status = Rejected
			c.say(r, Rejected)
		}
	},
	"pay": func(c *calendar, r *row) {
		if r.status == AwaitingPayment {
			r.status = Accepted
			c.say(r, Accepted, paid)
		}
	},
	"cancel": func(c *calendar, r *row) {
		if r.status.Live() && !r.over {
			r.status = Cancelled
			c.say(r, Cancelled, sequence(r.seq+1))
		}
	},
	"ask for another time": func(c *calendar, r *row) {
		if r.status == Accepted && !r.over {
			r.status = RescheduleRequested
			c.say(r, RescheduleRequested)
		}
	},
	"reschedule":                  func(c *calendar, r *row) { c.reschedule(r, Accepted) },
	"reschedule, to be confirmed": func(c *calendar, r *row) { c.reschedule(r, Requested) },
	"end": func(c *calendar, r *row) {
		if r.status == Accepted && !r.over {
			r.over = true
			c.say(r, "", over, frozen(r.started), carries(r.sub))
		}
	},
	"not there": func(c *calendar, r *row) { c.mark(r, true) },
	"there":     func(c *calendar, r *row) { c.mark(r, false) },
	"sweep":     func(c *calendar, r *row) { c.sweep(r) },
}

// reschedule replaces a row, also one that was replaced before: a fork.
func (c *calendar) reschedule(r *row, to Status) {
	if r.over || (!r.superseded && r.status != Accepted && r.status != RescheduleRequested) {
		return
	}
	r.superseded, r.status = true, Cancelled // and no word of it
	next := c.add(&row{from: r.uid, lead: r.lead, sub: r.sub, status: to, seq: r.seq + 1})
	c.say(next, to, after(r.uid), sequence(next.seq))
}

func (c *calendar) mark(r *row, no bool) {
	if r.status == Accepted {
		r.noShow = no
		o := obs(fmt.Sprint("e", len(c.said)), r.uid, c.now, "", absent(string(r.lead)+"@", no))
		c.said = append(c.said, o)
	}
}

// sweep is the API's answer: the row as it is.
func (c *calendar) sweep(r *row) {
	status := r.status
	if status == RescheduleRequested {
		status = Cancelled
	}
	if r.superseded {
		status = Rescheduled
	}
	o := obs(fmt.Sprint("e", len(c.said)), r.uid, c.now, status, fromAPI, carries(r.sub), after(r.from))
	no := r.noShow
	o.Attendees = []Person{{Email: string(r.lead) + "@", NoShow: &no}}
	c.said = append(c.said, o)
}

// stage is where a lead stands in truth.
func (c *calendar) stage(lead LeadID) Stage {
	stage := Stage("new")
	for _, r := range c.rows { // in the order in which they were made
		if r.lead != lead || r.superseded {
			continue
		}
		if r.status == Cancelled || r.status == Rejected || r.status == RescheduleRequested {
			if stage == "new" {
				stage = "rebook"
			}
			continue
		}
		switch {
		case r.status == Requested || r.status == AwaitingPayment:
			stage = "requested"
		case r.noShow:
			stage = "no_show"
		case r.over:
			stage = "met"
		default:
			stage = "booked"
		}
	}
	return stage
}

// act lets one thing happen; forks allows a second life of one lead's bookings.
func (c *calendar) act(t *rapid.T, forks bool) {
	c.now++
	books := len(c.rows) == 0 || rapid.IntRange(0, 4).Draw(t, "books") == 0
	if books {
		sub := rapid.SampledFrom([]SubmissionID{subA, subB, subC}).Draw(t, "who")
		if !forks && slices.ContainsFunc(c.rows, func(r *row) bool { return r.sub == sub }) {
			return
		}
		r := c.add(&row{lead: leads[sub], sub: sub, status: rapid.SampledFrom([]Status{Accepted, Accepted, Requested, AwaitingPayment}).Draw(t, "as")})
		c.say(r, r.status, rapid.SampledFrom([]says{carries(sub), answers(sub)}).Draw(t, "by"))
		return
	}
	r := rapid.SampledFrom(c.rows).Draw(t, "row")
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(acts))).Draw(t, "act")
	if !forks && r.superseded && name != "sweep" {
		return
	}
	acts[name](c, r)
}

func (c *calendar) check(t *rapid.T, when string, got outcome) {
	for _, lead := range leads {
		if want := c.stage(lead); got.Standings[lead].Stage != want {
			t.Fatalf("%s: %s is %q, in truth %q\n%+v", when, lead, got.Standings[lead].Stage, want, c.said)
		}
	}
	for _, r := range c.rows {
		key := BookingKey{UID: r.uid}
		b, tie := got.Bookings[key], got.Ties[key]
		want := r.status
		if r.superseded {
			want = Rescheduled
		}
		if b.Status != want && !(want == RescheduleRequested && b.Status == Cancelled) {
			t.Fatalf("%s: %s is %q, in truth %q\n%+v", when, r.uid, b.Status, want, c.said)
		}
		if b.NoShow != r.noShow || b.Ended != r.over || tie != (Tie{Lead: r.lead, By: ByReference, From: tie.From, Chain: tie.Chain}) {
			t.Fatalf("%s: %#v of %+v, in truth %+v\n%+v", when, b, tie, *r, c.said)
		}
	}
}

// What the rules say is what is true, at every step, and at the end in any order.
func TestOutcomeIsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &calendar{}
		for range rapid.IntRange(1, 25).Draw(t, "length") {
			c.act(t, true)
			c.check(t, "as it happened", derive(c.said, nil))
		}
		for range 3 {
			c.check(t, "in another order", derive(shuffle(t, c.said), nil))
		}
	})
}

// Cal.com loses webhooks. Where each lead has one line of bookings, the sweep's
// answers alone make up for all but the end of a meeting, which it does not know.
func TestTheSweepMakesUpForLostWebhooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &calendar{}
		for range rapid.IntRange(1, 25).Draw(t, "length") {
			c.act(t, false)
		}
		c.said = slices.DeleteFunc(c.said, func(o Observation) bool { return !o.Ended && rapid.Bool().Draw(t, "lost") })
		for i := range c.said {
			c.said[i].ID = fmt.Sprint("kept", i)
		}
		c.now++
		for _, r := range c.rows {
			c.sweep(r)
		}
		for range 3 {
			c.check(t, "after the sweep", derive(shuffle(t, c.said), nil))
		}
	})
}
