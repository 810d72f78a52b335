package jobs_test

import (
	"context"
	"errors"
	"testing"

	"handoff"
)

// A calendar that cannot be shown is told of at the second look, once, and no more when
// it can be shown again.
func TestHiddenCalendarIsTold(t *testing.T) {
	f := newSweeper(t)
	why, away := "", error(nil)
	s := f.runner.Sites[site]
	s.Calendars = func(context.Context) (string, error) { return why, away }
	f.runner.Sites[site] = s
	look := func(again bool, waiting int) {
		t.Helper()
		if got := f.runner.LookAtCalendars(t.Context()); got != again {
			t.Errorf("again %v, want %v", got, again)
		}
		list := f.waiting()
		if len(list) != waiting || waiting == 1 && (list[0].Reason != handoff.CalendarHidden || why != "" && list[0].Detail != why || list[0].Deliveries != 1) {
			t.Errorf("%+v, want %d", list, waiting)
		}
	}
	look(false, 0)
	why = "survey: it leads elsewhere"
	look(true, 0)
	why = ""
	look(false, 0)
	why = "survey: it leads elsewhere"
	look(true, 0)
	look(true, 1)
	look(true, 1)
	why, away = "", errors.New("busy") // that settles nothing
	look(true, 1)
	why, away = "survey: it leads elsewhere", nil
	look(true, 1)
	why = ""
	look(false, 0)
	why = "survey: it leads elsewhere"
	look(true, 0)
	why, away = "", errors.New("busy") // nor forgets
	look(true, 0)
	why, away = "survey: it leads elsewhere", nil
	look(true, 1)
}
