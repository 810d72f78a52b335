package handoff

import (
	"strings"
	"testing"
)

// A rule names bookings by what it says, all of it, and speaks of none that carries
// anybody's reference.
func TestIgnored(t *testing.T) {
	own := []int64{7}
	booking := Booking{EventType: 8, Host: Person{Email: "Priya@Example.com"}, Attendee: Person{Email: "tester@acme.example"}}
	none := Tie{Reason: NoReference}
	for _, tt := range []struct {
		name string
		rule IgnoreRule
		tie  Tie
		want bool
	}{
		{"no condition", IgnoreRule{}, none, false},
		{"event type", IgnoreRule{EventTypes: []int64{9, 8}}, none, true},
		{"another event type", IgnoreRule{EventTypes: []int64{7}}, none, false},
		{"other event types", IgnoreRule{OtherEventTypes: true}, none, true},
		{"host, in other letters", IgnoreRule{Hosts: []string{"priya@example.com "}}, none, true},
		{"another host", IgnoreRule{Hosts: []string{"omar@example.com"}}, none, false},
		{"attendee's domain", IgnoreRule{Attendees: []string{"*@ACME.example"}}, none, true},
		{"a domain that ends alike", IgnoreRule{Attendees: []string{"*@me.example"}}, none, false},
		{"both fit", IgnoreRule{Hosts: []string{"priya@example.com"}, Attendees: []string{"*@acme.example"}}, none, true},
		{"one of two fits", IgnoreRule{Hosts: []string{"omar@example.com"}, Attendees: []string{"*@acme.example"}}, none, false},
		{"tied to a lead", IgnoreRule{EventTypes: []int64{8}}, Tie{Lead: "lead_1", By: ByReference}, false},
		{"forged", IgnoreRule{EventTypes: []int64{8}}, Tie{Reason: ReferenceForged}, false},
		{"of another site", IgnoreRule{EventTypes: []int64{8}}, Tie{Reason: ReferenceOtherSite}, false},
		{"submission unknown", IgnoreRule{EventTypes: []int64{8}}, Tie{Reason: SubmissionUnknown}, false},
	} {
		tt.rule.Name = "r"
		rules := Rules{EventTypes: own, Ignore: []IgnoreRule{{Name: "never"}, tt.rule, tt.rule}}
		want := ""
		if tt.want {
			want = "r"
		}
		if got := rules.Ignored(&booking, tt.tie); got != want {
			t.Errorf("%s: ignored by %q, want %q", tt.name, got, want)
		}
	}
	rules := Rules{EventTypes: own, Ignore: []IgnoreRule{{Name: "r", OtherEventTypes: true}, {Name: "a", Attendees: []string{"*@acme.example"}}}}
	if got := rules.Ignored(&Booking{EventType: 7}, none); got != "" {
		t.Errorf("the site's own event type is ignored by %q", got)
	}
	if got := rules.Ignored(&Booking{}, none); got != "" {
		t.Errorf("of a booking that nothing is known of, %q ignores it", got)
	}
}

func TestCheckIgnore(t *testing.T) {
	good := IgnoreRule{Name: "trial", Reason: "ours", Attendees: []string{"*@example.com", "a@example.com"}}
	if err := CheckIgnore([]IgnoreRule{good}); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*IgnoreRule){
		"give it a name":              func(r *IgnoreRule) { r.Name = "" },
		"at most 60":                  func(r *IgnoreRule) { r.Name = strings.Repeat("x", MaxRuleName+1) },
		"say why":                     func(r *IgnoreRule) { r.Reason = " " },
		"no condition":                func(r *IgnoreRule) { r.Attendees = nil },
		`"example.com"`:               func(r *IgnoreRule) { r.Hosts = []string{"example.com"} },
		`"*x@example.com"`:            func(r *IgnoreRule) { r.Hosts = []string{"*x@example.com"} },
		`"*@*"`:                       func(r *IgnoreRule) { r.Attendees = []string{"*@*"} },
		"write an e-mail address, or": func(r *IgnoreRule) { r.Attendees = []string{"*@"} },
	} {
		bad := good
		change(&bad)
		if err := CheckIgnore([]IgnoreRule{bad}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := CheckIgnore([]IgnoreRule{good, good}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a name that is there twice: %v", err)
	}
}
