package handoff

import (
	"testing"
	"time"
)

// Only who stands where the form put them is reminded, at each wait once, in waking
// hours, and never late.
func TestReminderNumber(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	r := Reminding{After: []time.Duration{3 * time.Hour, 48 * time.Hour}, Quiet: Quiet{From: 20 * 60, To: 8 * 60}}
	sent := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		age    time.Duration
		change func(*Waiting)
		want   int
	}{
		{"too early", 3*time.Hour - time.Second, nil, 0},
		{"the first", 3 * time.Hour, nil, 1},
		{"the first, once", 4 * time.Hour, func(w *Waiting) { w.Reminded = 1 }, 0},
		{"the second", 48 * time.Hour, func(w *Waiting) { w.Reminded = 1 }, 2},
		{"the second, though the first was never sent", 48 * time.Hour, nil, 2},
		{"not the first after the second", 49 * time.Hour, func(w *Waiting) { w.Reminded = 2 }, 0},
		{"at the end of its day", 3*time.Hour + RemindWithin - time.Second, nil, 1},
		{"too late", 3*time.Hour + RemindWithin, nil, 0},
		{"quiet: nine in the evening", 12 * time.Hour, nil, 0},
		{"quiet where the visitor is: seven in the morning", 3 * time.Hour, func(w *Waiting) { w.Zone = newYork }, 0},
		{"in the afternoon where the visitor is", 12 * time.Hour, func(w *Waiting) { w.Zone = newYork }, 1},
		{"booked", 4 * time.Hour, func(w *Waiting) { w.Bookings = 1 }, 0},
		{"at another stage", 4 * time.Hour, func(w *Waiting) { w.Lead.Stage = "contacted" }, 0},
		{"a person's", 4 * time.Hour, func(w *Waiting) { w.Lead.Manual = &Manual{Stage: "new"} }, 0},
	} {
		w := Waiting{Lead: Lead{Stage: "new", CreatedAt: sent}, Zone: london}
		if tt.change != nil {
			tt.change(&w)
		}
		if got := r.Number(w, DefaultPipeline(), sent.Add(tt.age)); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	none := Reminding{}
	if got := none.Number(Waiting{Lead: Lead{Stage: "new", CreatedAt: sent}, Zone: london}, DefaultPipeline(), sent.Add(time.Hour)); got != 0 {
		t.Errorf("without waits: %d", got)
	}
}

func TestQuiet(t *testing.T) {
	at := func(h, m int) time.Time { return time.Date(2026, 11, 23, h, m, 0, 0, time.UTC) }
	night, day, none := Quiet{20 * 60, 8 * 60}, Quiet{12 * 60, 13*60 + 30}, Quiet{}
	for _, tt := range []struct {
		q    Quiet
		at   time.Time
		want bool
	}{
		{night, at(19, 59), false},
		{night, at(20, 0), true},
		{night, at(0, 0), true},
		{night, at(7, 59), true},
		{night, at(8, 0), false},
		{day, at(11, 59), false},
		{day, at(12, 0), true},
		{day, at(13, 29), true},
		{day, at(13, 30), false},
		{none, at(0, 0), false},
		{none, at(3, 0), false},
	} {
		if got := tt.q.At(tt.at); got != tt.want {
			t.Errorf("%v at %s: %v", tt.q, tt.at.Format("15:04"), got)
		}
	}
}
