package handoff

import (
	"strings"
	"testing"
	"time"
)

func TestNewsSay(t *testing.T) {
	n := News{
		Name: "Brightwater", Desk: "https://b.example/desk", Zone: time.UTC,
		Alarms:   []Failure{{ID: "fail_1", Reason: WebhookSilent, Detail: "No webhook told of\nthe newest 2 bookings."}},
		Booked:   []Booked{{Lead: "lead_1", Name: "Dana\n<!channel>", Service: "Boiler survey", Start: noon}, {Lead: "lead_2", Name: "Omar"}},
		Failures: []Failure{{ID: "fail_2", Reason: NoReference}}, MoreFailures: 3,
		Digest: &Digest{Day: noon.Add(-12 * time.Hour), Statement: "2 of 2 bookings accounted for.", Notes: []string{"So far."}, Open: 4},
	}
	if got, want := n.Subject(), "Brightwater: A connection of the site needs you, 2 calls were booked, 4 entries wait in the failure queue, the day"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	want := `Connections of the site
- Cal.com's webhook is silent. No webhook told of the newest 2 bookings.
  https://b.example/desk/failures/fail_1

Booked
- Dana [!channel], Boiler survey, Wed 25 Nov, 12:00 UTC
  https://b.example/desk/leads/lead_1
- Omar, 
  https://b.example/desk/leads/lead_2

Waits for a person
- Booked without a reference
  https://b.example/desk/failures/fail_2
- and 3 more

Wednesday 25 November 2026
- 2 of 2 bookings accounted for.
- So far.
- Open in the failure queue: 4
  https://b.example/desk/failures
`
	if got := n.Text(func(s string) string { return strings.NewReplacer("<", "[", ">", "]").Replace(s) }); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if empty := (&News{Name: "B"}); !empty.Empty() || n.Empty() {
		t.Error("what is empty is told, or the other way round")
	}
}
