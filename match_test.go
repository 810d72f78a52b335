package handoff

import (
	"reflect"
	"slices"
	"testing"
)

// Which lead a booking belongs to (design.md §5).
func TestMatch(t *testing.T) {
	forged, elsewhere := referred(InMetadata, Forged, ""), referred(InAnswer, OtherSite, "")
	tied := func(lead LeadID, from string) Tie { return Tie{Lead: lead, By: ByReference, From: from} }
	decided := func(lead LeadID, from string) Tie { return Tie{Lead: lead, By: ByOperator, From: from} }
	waits := func(reason Reason) Tie { return Tie{Reason: reason} }
	type ties = map[BookingKey]Tie
	x := obs("x", "u", 1, Accepted, seat("x"), with("a@"), ical("u@"), carries(subA))

	for _, row := range []struct {
		name string
		of   []Observation
		want ties
	}{
		{"nothing", nil, ties{}},

		// A reference that verifies, from metadata, else from the booking question.
		{"metadata", []Observation{obs("1", "u", 1, Accepted, carries(subA))}, ties{keyU: tied(leadA, "1")}},
		{"booking question", []Observation{obs("1", "u", 1, Accepted, answers(subA))}, ties{keyU: tied(leadA, "1")}},
		{"metadata before the booking question", []Observation{obs("1", "u", 1, Accepted, answers("sub_gone"), carries(subA))}, ties{keyU: tied(leadA, "1")}},
		{
			"one body, two leads: metadata's, and a person confirms",
			[]Observation{obs("1", "u", 1, Accepted, answers(subB), carries(subA))},
			ties{keyU: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}},
		},
		{"metadata forged, booking question good", []Observation{obs("1", "u", 1, Accepted, forged, answers(subA))}, ties{keyU: tied(leadA, "1")}},

		// A booking we already know: same uid, or its chain.
		{"confirmation by uid alone", []Observation{obs("1", "u", 1, Requested, carries(subA)), obs("2", "u", 2, Accepted)}, ties{keyU: tied(leadA, "1")}},
		{
			"rescheduled without metadata",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1))},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")},
		},
		{
			"rescheduled to be confirmed, and confirmed by uid alone",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Requested, after("u")), obs("3", "v", 3, Accepted)},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")},
		},
		{"fork: both ends are the lead's", []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1)), obs("3", "w", 3, Accepted, after("u"), sequence(1)),
		}, ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1"), keyW: tied(leadA, "1")}},
		{"request-reschedule, then rescheduled", []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "u", 2, RescheduleRequested), obs("3", "v", 3, Accepted, after("u"), sequence(1)),
		}, ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")}},
		{
			"the first of the chain never came: its successor's reference ties both",
			[]Observation{obs("2", "v", 2, Accepted, after("u"), carries(subA))},
			ties{keyU: tied(leadA, "2"), keyV: tied(leadA, "2")},
		},
		{
			"the middle of the chain never came",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("3", "w", 3, Accepted, after("v"))},
			ties{keyU: tied(leadA, "1"), keyV: waits(NoReference), keyW: waits(NoReference)},
		},
		{
			"a second booking on one reference",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, carries(subA))},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "2")},
		},

		// By iCalUID: only a follower that names neither a predecessor nor a reference.
		{
			"a follower is linked by iCalUID",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Cancelled, ical("u@"), sequence(1))},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")},
		},
		{
			"no follower without a sequence",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Cancelled, ical("u@"))},
			ties{keyU: tied(leadA, "1"), keyV: waits(NoReference)},
		},
		{
			"hostile: the same iCalUID and a forged reference",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Accepted, ical("u@"), forged)},
			ties{keyU: tied(leadA, "1"), keyV: waits(ReferenceForged)},
		},
		{
			"hostile: and a sequence",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Accepted, ical("u@"), sequence(1), forged)},
			ties{keyU: tied(leadA, "1"), keyV: waits(ReferenceForged)},
		},
		{
			"one with a good reference of its own is no follower",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Accepted, ical("u@"), sequence(1), carries(subB))},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadB, "2")},
		},
		{"one with a predecessor follows that", []Observation{
			obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "w", 1, Accepted, carries(subB)), obs("3", "v", 2, Accepted, ical("u@"), sequence(1), after("w")),
		}, ties{keyU: tied(leadA, "1"), keyV: tied(leadB, "2"), keyW: tied(leadB, "2")}},
		{"two chains share the iCalUID: neither is followed", []Observation{
			obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "w", 1, Accepted, carries(subB), ical("u@")), obs("3", "v", 2, Cancelled, ical("u@"), sequence(1)),
		}, ties{keyU: tied(leadA, "1"), keyV: waits(NoReference), keyW: tied(leadB, "2")}},
		{
			"another iCalUID",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Cancelled, ical("v@"), sequence(1))},
			ties{keyU: tied(leadA, "1"), keyV: waits(NoReference)},
		},
		{
			"no iCalUID links nothing",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Cancelled, sequence(1))},
			ties{keyU: tied(leadA, "1"), keyV: waits(NoReference)},
		},

		// The chain's first tie wins; another lead's later reference waits for a person.
		{
			"a later reference of another lead",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries(subB))},
			ties{keyU: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}, keyV: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}},
		},
		{
			"the lower sequence is first, whatever the time",
			[]Observation{obs("1", "u", 9, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries(subB))},
			ties{keyU: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}, keyV: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}},
		},
		{"what replaced what comes before sequence and time", []Observation{ // the first webhook was lost, and Cal.com was asked later
			obs("1", "u", 9, Cancelled, carries(subA)), obs("2", "v", 2, Accepted, after("u"), carries(subB)), obs("3", "w", 1, Accepted, after("v"), carries(subC)),
		}, ties{keyU: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}, keyV: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}, keyW: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}}},
		{
			"at one sequence the earlier time is first",
			[]Observation{obs("1", "u", 2, Accepted, carries(subB)), obs("2", "u", 1, Accepted, carries(subA))},
			ties{keyU: {Lead: leadA, By: ByReference, From: "2", Reason: OtherLead}},
		},
		{"at one sequence and time the digest decides", []Observation{
			{ID: "1", UID: "u", Digest: "b", Carried: []Carried{{InMetadata, Valid, subB}}}, {ID: "2", UID: "u", Digest: "a", Carried: []Carried{{InMetadata, Valid, subA}}},
		}, ties{keyU: {Lead: leadA, By: ByReference, From: "2", Reason: OtherLead}}},
		{
			"a later reference of the same lead",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries(subA))},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")},
		},
		{
			"a later reference to nothing",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries("sub_gone"))},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")},
		},
		{
			"a later forged reference changes nothing",
			[]Observation{obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), forged)},
			ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")},
		},

		// An operator's decision.
		{"decides for a booking without a reference", []Observation{obs("1", "u", 1, Accepted), obs("2", "u", 2, "", decides(leadB))}, ties{keyU: decided(leadB, "2")}},
		{"overrides the reference, and settles the quarrel", []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries(subB)), obs("3", "v", 3, "", decides(leadB)),
		}, ties{keyU: decided(leadB, "3"), keyV: decided(leadB, "3")}},
		{"the latest decision counts", []Observation{obs("2", "u", 5, "", decides(leadB)), obs("1", "u", 2, "", decides(leadA)), obs("0", "u", 1, Accepted)}, ties{keyU: decided(leadB, "2")}},
		{"the latest by time, whatever its sequence", []Observation{obs("2", "u", 5, "", decides(leadB)), obs("1", "u", 2, "", decides(leadA), sequence(3))}, ties{keyU: decided(leadB, "2")}},
		{"a decision that was taken back does not count", []Observation{obs("1", "u", 1, Accepted), obs("2", "u", 2, "", decides(leadB)), obs("3", "u", 3, "", takesBack("2"))}, ties{keyU: waits(NoReference)}},
		{"the one before it counts again", []Observation{
			obs("1", "u", 1, Accepted), obs("2", "u", 2, "", decides(leadA)), obs("3", "u", 3, "", decides(leadB)), obs("4", "u", 4, "", takesBack("3")),
		}, ties{keyU: decided(leadA, "2")}},
		{"the same decision anew counts", []Observation{
			obs("1", "u", 1, Accepted), obs("2", "u", 2, "", decides(leadB)), obs("3", "u", 3, "", takesBack("2")), obs("4", "u", 4, "", decides(leadB)),
		}, ties{keyU: decided(leadB, "4")}},
		{"the reference counts again, and the quarrel is there again", []Observation{
			obs("1", "u", 1, Accepted, carries(subA)), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries(subB)), obs("3", "v", 3, "", decides(leadB)), obs("4", "v", 4, "", takesBack("3")),
		}, ties{keyU: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}, keyV: {Lead: leadA, By: ByReference, From: "1", Reason: OtherLead}}},
		{"nothing but a person takes a decision back", []Observation{
			obs("1", "u", 1, Accepted), obs("2", "u", 2, "", decides(leadB)), obs("3", "u", 3, "", func(o *Observation) { o.Withdraws = "2" }),
		}, ties{keyU: decided(leadB, "2")}},
		{"a follower by its iCalUID follows again", []Observation{
			obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Cancelled, ical("u@"), sequence(1)), obs("3", "v", 3, "", decides(leadB)), obs("4", "v", 4, "", takesBack("3")),
		}, ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")}},
		{"a lead in an event is nobody's decision", []Observation{obs("1", "u", 1, Accepted, func(o *Observation) { o.Lead = leadB })}, ties{keyU: waits(NoReference)}},
		{"decides one of an iCalUID's followers, and that one alone", []Observation{
			obs("1", "u", 1, Accepted, carries(subA), ical("u@")), obs("2", "v", 2, Cancelled, ical("u@"), sequence(1)), obs("3", "v", 3, "", decides(leadB)),
		}, ties{keyU: tied(leadA, "1"), keyV: decided(leadB, "3")}},

		// Otherwise a failure. Never by e-mail.
		{"no reference", []Observation{obs("1", "u", 1, Accepted, with("a@"))}, ties{keyU: waits(NoReference)}},
		{
			"the same e-mail as a known booking's",
			[]Observation{obs("1", "u", 1, Accepted, with("a@"), carries(subA)), obs("2", "v", 2, Accepted, with("a@"))},
			ties{keyU: tied(leadA, "1"), keyV: waits(NoReference)},
		},
		{"forged", []Observation{obs("1", "u", 1, Accepted, forged)}, ties{keyU: waits(ReferenceForged)}},
		{"a forged one that names a submission", []Observation{obs("1", "u", 1, Accepted, referred(InMetadata, Forged, subA))}, ties{keyU: waits(ReferenceForged)}},
		{"of another site", []Observation{obs("1", "u", 1, Accepted, elsewhere)}, ties{keyU: waits(ReferenceOtherSite)}},
		{"of another site says more than forged", []Observation{obs("1", "u", 1, Accepted, forged, elsewhere), obs("2", "u", 2, Accepted, forged)}, ties{keyU: waits(ReferenceOtherSite)}},
		{"submission unknown", []Observation{obs("1", "u", 1, Accepted, carries("sub_gone"))}, ties{keyU: waits(SubmissionUnknown)}},
		{"submission unknown, then a known one: the first still counts", []Observation{
			obs("1", "u", 1, Accepted, carries("sub_gone")), obs("2", "v", 2, Accepted, after("u"), sequence(1), carries(subB)),
		}, ties{keyU: waits(SubmissionUnknown), keyV: waits(SubmissionUnknown)}},
		{"two visitors' bodies without a uid are not one booking", []Observation{obs("1", "", 1, Accepted, carries(subA)), obs("2", "", 2, Accepted)}, ties{}},
		{"a booking that names itself", []Observation{obs("1", "u", 1, Accepted, after("u"), carries(subA))}, ties{keyU: tied(leadA, "1")}},
		{"a circle", []Observation{obs("1", "u", 1, Accepted, after("v"), carries(subA)), obs("2", "v", 2, Accepted, after("u"))}, ties{keyU: tied(leadA, "1"), keyV: tied(leadA, "1")}},

		// Seats: one uid, several leads.
		{"each seat its own", []Observation{x, obs("y", "u", 2, Accepted, seat("y"), with("b@"), carries(subB))}, ties{keyX: tied(leadA, "x"), keyY: tied(leadB, "y")}},
		{
			"a later seat inherits the first booker's metadata",
			[]Observation{x, obs("y", "u", 2, Accepted, seat("y"), with("b@"), carries(subA))},
			ties{keyX: tied(leadA, "x"), keyY: waits(NoReference)},
		},
		{
			"a later seat's own answer counts before what it inherits",
			[]Observation{x, obs("y", "u", 2, Accepted, seat("y"), with("b@"), carries(subA), answers(subB))},
			ties{keyX: tied(leadA, "x"), keyY: tied(leadB, "y")},
		},
		{"what another seat answered is that seat's, even if it came later", []Observation{
			obs("y", "u", 1, Accepted, seat("y"), with("b@"), carries(subA)), obs("x", "u", 2, Accepted, seat("x"), with("a@"), answers(subA)),
		}, ties{keyX: tied(leadA, "x"), keyY: waits(NoReference)}},
		{
			"a seat that shows its own reference again inherits nothing",
			[]Observation{x, obs("x2", "u", 5, Accepted, seat("x"), with("a@"), carries(subA)), obs("y", "u", 2, Accepted, seat("y"), with("b@"))},
			ties{keyX: tied(leadA, "x"), keyY: waits(NoReference)},
		},
		{"a word about all seats carries the first booker's, and ties nobody", []Observation{
			obs("x", "u", 1, Accepted, seat("x"), with("a@")), obs("y", "u", 2, Accepted, seat("y"), with("b@")), obs("3", "u", 3, "", over, with("a@", "b@"), carries(subA), answers(subA)),
		}, ties{keyX: waits(NoReference), keyY: waits(NoReference)}},
		{
			"somebody whose seat we do not know inherits too",
			[]Observation{x, obs("2", "u", 2, Cancelled, with("b@"), carries(subA))},
			ties{keyX: tied(leadA, "x"), keyU: waits(NoReference)},
		},
		{
			"a leaver whose seat we do not know is no follower by iCalUID",
			[]Observation{x, obs("2", "u", 2, Cancelled, with("b@"), ical("u@"), sequence(1))},
			ties{keyX: tied(leadA, "x"), keyU: waits(NoReference)},
		},
		{"nor one of another chain's", []Observation{
			obs("1", "v", 1, Accepted, carries(subB), ical("v@")), x, obs("2", "u", 2, Cancelled, with("b@"), ical("v@"), sequence(1)),
		}, ties{keyV: tied(leadB, "1"), keyX: tied(leadA, "x"), keyU: waits(NoReference)}},
		{
			"somebody whose seat we do not know: the answer before the metadata, which may be inherited",
			[]Observation{x, obs("2", "u", 2, Accepted, with("b@"), carries(subC), answers(subB))},
			ties{keyX: tied(leadA, "x"), keyU: tied(leadB, "2")},
		},
		{
			"a seat is not followed by iCalUID: there may be others",
			[]Observation{x, obs("2", "v", 2, Cancelled, ical("u@"), sequence(1))},
			ties{keyX: tied(leadA, "x"), keyV: waits(NoReference)},
		},
		{"a seat moved alone keeps its lead", []Observation{
			x, obs("y", "u", 2, Accepted, seat("y"), with("b@"), carries(subB)), obs("3", "v", 3, Accepted, seat("y2"), with("b@"), after("u"), sequence(1)),
		}, ties{keyX: tied(leadA, "x"), keyY: tied(leadB, "y"), {UID: "v", Seat: "y2"}: tied(leadB, "y")}},
		{"all seats moved at once do not become one lead's", []Observation{
			x, obs("y", "u", 2, Accepted, seat("y"), with("b@"), carries(subB)), obs("3", "v", 3, Accepted, with("a@", "b@"), after("u"), sequence(1)),
		}, ties{keyX: tied(leadA, "x"), keyY: tied(leadB, "y"), keyV: waits(NoReference)}},
		{"all seats moved at once, where the new seats are known", []Observation{
			x, obs("y", "u", 2, Accepted, seat("y"), with("b@"), carries(subB)),
			obs("x2", "v", 3, Accepted, seat("x2"), with("a@")), obs("y2", "v", 3, Accepted, seat("y2"), with("b@")), obs("3", "v", 3, Accepted, with("a@", "b@"), after("u"), sequence(1)),
		}, ties{keyX: tied(leadA, "x"), keyY: tied(leadB, "y"), {UID: "v", Seat: "x2"}: tied(leadA, "x"), {UID: "v", Seat: "y2"}: tied(leadB, "y")}},
		{
			"an operator decides one seat",
			[]Observation{x, obs("y", "u", 2, Accepted, seat("y"), with("b@"), carries(subA)), obs("3", "u", 3, "", seat("y"), decides(leadB))},
			ties{keyX: tied(leadA, "x"), keyY: decided(leadB, "3")},
		},
	} {
		got := Match(row.of, leads)
		for key, tie := range got {
			tie.Chain = BookingKey{} // TestChainsOfTies
			got[key] = tie
		}
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", row.name, got, row.want)
		}
	}
}

// Bookings of one chain, and no others, have the same chain in their ties.
func TestChainsOfTies(t *testing.T) {
	ties := Match([]Observation{
		{ID: "1", UID: "u1"},
		{ID: "2", UID: "u2", Predecessor: "u1"},
		{ID: "3", UID: "u0", Predecessor: "u2"},
		{ID: "4", UID: "other"},
		{ID: "5", UID: "seated", Seat: "a"},
		{ID: "6", UID: "seated", Seat: "b"},
	}, nil)
	for key, want := range map[BookingKey]BookingKey{
		{UID: "u0"}: {UID: "u0"}, {UID: "u1"}: {UID: "u0"}, {UID: "u2"}: {UID: "u0"}, {UID: "other"}: {UID: "other"},
		{UID: "seated", Seat: "a"}: {UID: "seated", Seat: "a"}, {UID: "seated", Seat: "b"}: {UID: "seated", Seat: "b"},
	} {
		if got := ties[key].Chain; got != want {
			t.Errorf("%v is of the chain %v, want %v", key, got, want)
		}
	}
}

// Every reason is explained, once, and every explained reason has a kind.
func TestReasonsAreExplained(t *testing.T) {
	reasons := []Reason{
		SignatureMissing, NoSecretProvided, SignatureWrong, SignatureRetired, SignatureOtherSite, BodyAltered, BodyReencoded, UnverifiedFlood,
		NotJSON, UnknownShape, UnknownTrigger, UnknownVersion, Replayed, WebhookSilent, WebhookLossy, BookingUnreadable, SweepFailing, MailFailing, TellingFailing, CalendarHidden, BodyChanged, OtherEventType,
		NoReference, ReferenceForged, ReferenceOtherSite, SubmissionUnknown, OtherLead,
	}
	if len(ReasonTexts) != len(reasons) {
		t.Errorf("%d texts for %d reasons", len(ReasonTexts), len(reasons))
	}
	for _, r := range reasons {
		text := r.Text()
		if text.Reason != r || text.Title == "" || text.What == "" || text.Do == "" || !slices.Contains([]FailureKind{FailedSite, FailedDelivery, FailedEvent}, text.Kind) {
			t.Errorf("%s is not explained: %+v", r, text)
		}
	}
	if got := Reason("new").Text(); got != (ReasonText{}) {
		t.Errorf("an unknown reason is explained as %+v", got)
	}
}
