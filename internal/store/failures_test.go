package store_test

import (
	"fmt"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// What anybody can send does not push what Cal.com signed out of a list that ends.
func TestForgeriesHideNoSignedFailure(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		if err := db.KeepNotUnderstood(t.Context(), db.delivery("signed"), handoff.UnknownTrigger, ""); err != nil {
			t.Fatal(err)
		}
		for i := range 120 {
			db.pass(time.Second)
			if err := db.KeepUnverified(t.Context(), db.delivery(fmt.Sprint("forged", i)), handoff.SignatureWrong, ""); err != nil {
				t.Fatal(err)
			}
		}
		list, err := db.Failures(t.Context(), store.FailureFilter{})
		if err != nil || len(list) != 100 || list[0].Reason != handoff.UnknownTrigger || list[1].LastAt.Before(list[2].LastAt) {
			t.Errorf("%d failures, the first %+v, %v; want 100, the signed one first, the others by time", len(list), list[0], err)
		}
	})
}
