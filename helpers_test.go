package handoff

import (
	"testing"
	"time"
)

// The cast of the rule tests: three leads of one site, each with a submission.
const (
	subA, subB, subC    = SubmissionID("sub_a"), SubmissionID("sub_b"), SubmissionID("sub_c")
	leadA, leadB, leadC = LeadID("lead_a"), LeadID("lead_b"), LeadID("lead_c")
)

var leads = map[SubmissionID]LeadID{subA: leadA, subB: leadB, subC: leadC}

var day = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// minute is a time of the test's day.
func minute(n int) time.Time { return day.Add(time.Duration(n) * time.Minute) }

// A says is one more thing that an observation says.
type says func(*Observation)

// obs is an observation of a webhook; its ID is its digest too.
func obs(id, uid string, at int, status Status, more ...says) Observation {
	o := Observation{ID: id, Site: "acme", Source: FromEvent, UID: uid, At: minute(at), Digest: "digest of " + id, Status: status}
	for _, say := range more {
		say(&o)
	}
	return o
}

func after(uid string) says  { return func(o *Observation) { o.Predecessor = uid } }
func seat(id string) says    { return func(o *Observation) { o.Seat = id } }
func sequence(n int) says    { return func(o *Observation) { o.Sequence = n } }
func ical(uid string) says   { return func(o *Observation) { o.ICalUID = uid } }
func frozen(at int) says     { return func(o *Observation) { o.AsOf = minute(at) } }
func fromAPI(o *Observation) { o.Source = FromAPI }
func over(o *Observation)    { o.Ended = true }
func begun(o *Observation)   { o.Started = true }
func paid(o *Observation)    { o.Paid = true }
func repeats(o *Observation) { o.Recurring = true }
func decides(id LeadID) says { return func(o *Observation) { o.Source, o.Lead = FromOperator, id } }
func takesBack(id string) says {
	return func(o *Observation) { o.Source, o.Withdraws = FromOperator, id }
}
func location(s string) says  { return func(o *Observation) { o.Location = s } }
func title(s string) says     { return func(o *Observation) { o.Title = s } }
func because(s string) says   { return func(o *Observation) { o.Reason = s } }
func startsAt(n int) says     { return func(o *Observation) { o.Start, o.End = minute(n), minute(n+30) } }
func hostAbsent(no bool) says { return func(o *Observation) { o.HostAbsent = &no } }

func host(name, email string) says {
	return func(o *Observation) { o.Host = Person{Name: name, Email: email} }
}

// carries is a reference in the metadata, answers one in the hidden question.
func carries(id SubmissionID) says { return referred(InMetadata, Valid, id) }
func answers(id SubmissionID) says { return referred(InAnswer, Valid, id) }

func referred(from Carrier, verdict Verdict, id SubmissionID) says {
	return func(o *Observation) { o.Carried = append(o.Carried, Carried{from, verdict, id}) }
}

// with lists people by their addresses; the first one booked.
func with(emails ...string) says {
	return func(o *Observation) {
		for _, email := range emails {
			o.Attendees = append(o.Attendees, Person{Name: "Name of " + email, Email: email})
		}
	}
}

// absent says of one person whether they came.
func absent(email string, no bool) says {
	return func(o *Observation) { o.Attendees = append(o.Attendees, Person{Email: email, NoShow: &no}) }
}

// fold1 folds, and expects the booking among the result.
func fold1(t *testing.T, key BookingKey, observations ...Observation) Booking {
	t.Helper()
	b, ok := Fold(observations)[key]
	if !ok {
		t.Fatalf("no booking %v in %v", key, Fold(observations))
	}
	return b
}
