package handoff

import (
	"testing"
	"time"
	_ "time/tzdata"
)

// Days follow one another in every zone, also where a midnight, or a whole day, is left
// out: nobody counts a day twice, or goes on counting the same one.
func TestDaysFollowOneAnother(t *testing.T) {
	for _, tt := range []struct{ zone, day, begins string }{
		{"Europe/London", "2026-03-29", "2026-03-29T00:00:00Z"},
		{"America/Santiago", "2026-09-06", "2026-09-06T01:00:00-03:00"},
		{"America/Havana", "2026-03-08", "2026-03-08T01:00:00-04:00"},
		{"America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00"}, // the first of its two midnights
		{"Atlantic/Azores", "2026-03-29", "2026-03-29T01:00:00Z"},
		{"Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00"},
		{"Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00"}, // it went over the date line
	} {
		in, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		begins, err := ParseDay(in, tt.day)
		if got := begins.Format(time.RFC3339); err != nil || got != tt.begins {
			t.Errorf("%s in %s begins at %s, %v, want %s", tt.day, tt.zone, got, err, tt.begins)
		}
		if after := DayOf(in, begins, 1); !after.After(begins) || !DayOf(in, after, -1).Equal(begins) {
			t.Errorf("%s in %s ends at %s", tt.day, tt.zone, after)
		}
		if day := DayOf(in, begins.Add(20*time.Hour), 0); !day.Equal(begins) {
			t.Errorf("the evening of %s in %s is of the day that begins at %s", tt.day, tt.zone, day)
		}
	}
	if _, err := ParseDay(time.UTC, "2026-02-30"); err == nil {
		t.Error("30 February is a day")
	}
}
