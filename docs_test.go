package handoff_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"handoff"
)

var update = flag.Bool("update", false, "write docs/failures.md anew")

// The page about the failure queue's reasons says what the program says.
func TestReasonsAreDocumented(t *testing.T) {
	const path = "docs/failures.md"
	var b bytes.Buffer
	b.WriteString("# Reasons in the failure queue\n\n" +
		"What changed nothing and waits for a person, by the name that lists and JSON show. Names never change.\n" +
		"This page is written from `failure.go` (`go test . -run Documented -update`).\n")
	for _, kind := range []struct {
		kind  handoff.FailureKind
		title string
	}{
		{handoff.FailedSite, "A site's connections: with Cal.com, the mail server and your people"},
		{handoff.FailedDelivery, "Deliveries that proved nothing"},
		{handoff.FailedEvent, "What Cal.com signed, and bookings that belong to no lead we can prove"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\nKind `%s`.\n", kind.title, kind.kind)
		for _, r := range handoff.ReasonTexts {
			if r.Kind == kind.kind {
				fmt.Fprintf(&b, "\n### `%s`\n\n**%s.** %s\n\n*What to do:* %s\n", r.Reason, r.Title, r.What, r.Do)
			}
		}
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s does not agree with failure.go (%v); run: go test . -run Documented -update", path, err)
	}
}
