package handoff

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// What can be done about each reason. What only repeats, or heals, is not dismissed.
func TestRemedies(t *testing.T) {
	booking := BookingKey{UID: "u"}
	want := map[Reason]string{
		SignatureMissing: "dismiss", NoSecretProvided: "dismiss", SignatureWrong: "verify dismiss", SignatureRetired: "verify dismiss",
		SignatureOtherSite: "verify dismiss", BodyAltered: "verify dismiss", BodyReencoded: "verify dismiss", UnverifiedFlood: "dismiss",
		NotJSON: "verify dismiss", UnknownShape: "verify dismiss", UnknownTrigger: "verify dismiss", UnknownVersion: "verify dismiss", Replayed: "dismiss",
		WebhookSilent: "", WebhookLossy: "", BookingUnreadable: "", SweepFailing: "", MailFailing: "", TellingFailing: "", CalendarHidden: "", BodyChanged: "dismiss",
		NoReference: "attach ask dismiss", ReferenceForged: "attach ask dismiss", ReferenceOtherSite: "attach ask dismiss",
		SubmissionUnknown: "attach ask dismiss", OtherLead: "attach ask dismiss", OtherEventType: "dismiss",
	}
	for _, text := range ReasonTexts {
		key := BookingKey{}
		if strings.HasPrefix(want[text.Reason], "attach") || text.Reason == OtherEventType {
			key = booking
		}
		if got := strings.Trim(fmt.Sprint(Remedies(text.Kind, text.Reason, key)), "[]"); got != want[text.Reason] {
			t.Errorf("%s: %q, want %q", text.Reason, got, want[text.Reason])
		}
	}
	if len(want) != len(ReasonTexts) {
		t.Errorf("%d reasons, %d wanted", len(ReasonTexts), len(want))
	}
}

// Leads are suggested by what speaks for them, the strongest first, and never by
// nothing.
func TestSuggest(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	b := Booking{FirstAt: at, Attendee: Person{Name: "Dana Reyes", Email: "Dana@Example.com", Phone: "+44 20 7946 0018"}}
	lead := func(id, name, email, phone string, before time.Duration) Lead {
		return Lead{ID: LeadID(id), Name: name, Email: email, Phone: phone, CreatedAt: at.Add(-before)}
	}
	const day = 24 * time.Hour
	var crowd []Lead
	for i := range 20 {
		crowd = append(crowd, lead(fmt.Sprint("lead_", i), "Dana Reyes", "dana@example.com", "", time.Duration(i)*day))
	}
	if got := Suggest(b, crowd); len(got) != 8 || got[0].Lead.ID != "lead_0" {
		t.Errorf("of many %d are suggested, first %+v", len(got), got[:1])
	}
	for _, c := range []struct {
		name  string
		leads []Lead
		want  []string
	}{
		{"nothing speaks for it", []Lead{lead("a", "Omar", "o@example.com", "1", 2*day)}, nil},
		{"the address", []Lead{lead("a", "X", " dana@example.COM", "", 90*day)}, []string{"a: the same e-mail address"}},
		{"the number, however it is written", []Lead{lead("a", "X", "x@", "020 7946-0018", 90*day)}, []string{"a: the same phone number"}},
		{"too short a number", []Lead{lead("a", "X", "x@", "0018", 90*day)}, nil},
		{"the name, in any order", []Lead{lead("a", "REYES, dana", "x@", "", 90*day)}, []string{"a: the same name"}},
		{"a part of the name", []Lead{lead("a", "Danny Reyes", "x@", "", 90*day)}, []string{"a: a similar name"}},
		{"a short part of it says nothing", []Lead{lead("a", "Da Re", "x@", "", 90*day)}, nil},
		{"the time alone, where it is short", []Lead{lead("a", "X", "x@", "", 5*time.Minute)}, []string{"a: the form was sent within the hour before the booking"}},
		{"a form after the booking", []Lead{lead("a", "X", "x@", "", -time.Minute)}, nil},
		{"the time beside a name", []Lead{lead("a", "Dana Reyes", "x@", "", 3*day)}, []string{"a: the same name, the form was sent in the month before the booking"}},
		{
			"the newest three of those for whom only the time speaks",
			[]Lead{lead("a", "X", "", "", 5*time.Minute), lead("b", "X", "", "", 4*time.Minute), lead("c", "X", "", "", 2*time.Minute), lead("d", "X", "", "", 3*time.Minute)},
			[]string{
				"c: the form was sent within the hour before the booking", "d: the form was sent within the hour before the booking",
				"b: the form was sent within the hour before the booking",
			},
		},
		{
			"the address before all else together, then the number, then the newest",
			[]Lead{
				lead("name", "Dana Reyes", "x@", "", time.Minute), lead("old", "X", "dana@example.com", "", 40*day), lead("number", "X", "x@", "+442079460018", 40*day),
				lead("all but the address", "Dana Reyes", "x@", "+442079460018", time.Minute), lead("new", "X", "dana@example.com", "", 39*day), lead("none", "X", "x@", "", day),
			},
			[]string{
				"new: the same e-mail address", "old: the same e-mail address",
				"all but the address: the same phone number, the same name, the form was sent within the hour before the booking",
				"number: the same phone number", "name: the same name, the form was sent within the hour before the booking",
			},
		},
	} {
		var got []string
		for _, s := range Suggest(b, c.leads) {
			got = append(got, string(s.Lead.ID)+": "+strings.Join(s.Reasons, ", "))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := Suggest(Booking{}, []Lead{{ID: "a"}, {ID: "b", CreatedAt: at}}); len(got) != 0 {
		t.Errorf("of a booking of which nothing is known: %+v", got)
	}
}
