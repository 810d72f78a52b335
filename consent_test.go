package handoff

import (
	"encoding/json"
	"strings"
	"testing"
)

// A box that was not ticked is said to be so: its wording alone reads as consent.
func TestConsentSaysNo(t *testing.T) {
	b, err := json.Marshal(Consent{Wording: "I agree"})
	if err != nil || !strings.Contains(string(b), `"given":false`) {
		t.Errorf("%s, %v", b, err)
	}
}
