package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"handoff/internal/store"
)

// What was counted is written when the server stops, and not only by the clock.
func TestTalliesAreWrittenAtTheEnd(t *testing.T) {
	f := newSweeper(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); f.runner.Run(ctx) }()
	f.runner.Store.Sign(site, "secret/a", time.Now())
	cancel()
	<-ended
	v, err := f.runner.Store.ViewSite(t.Context(), site, time.Now())
	if err != nil || len(v.Signs) != 1 {
		t.Errorf("%v, %v", v.Signs, err)
	}
}

// It is known when calendars were looked at last; what could not be looked at was not.
func TestCalendarsGiveASign(t *testing.T) {
	f := newSweeper(t)
	s := f.runner.Sites[site]
	away := errors.New("busy")
	s.Calendars = func(context.Context) (string, error) { return "", away }
	f.runner.Sites[site] = s
	looked := func() bool {
		f.runner.LookAtCalendars(t.Context())
		if err := f.runner.Store.KeepTallies(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := f.runner.Store.ViewSite(t.Context(), site, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return !v.Signs[store.SignCalendars].IsZero()
	}
	if looked() {
		t.Error("nothing could be looked at")
	}
	if away = nil; !looked() {
		t.Error("they were looked at")
	}
}
