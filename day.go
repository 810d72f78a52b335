package handoff

import "time"

// DayOf is when a day begins in a zone: that of a time, or so many days later. Where the
// clocks go forward at midnight, as in Santiago, it begins with the first moment that there
// is of it, so that a later day never begins before an earlier one has ended.
func DayOf(in *time.Location, t time.Time, later int) time.Time {
	y, m, d := t.In(in).Date()
	return dayBegins(time.Date(y, m, d+later, 0, 0, 0, 0, time.UTC), in)
}

// ParseDay is when a day such as 2026-11-25 begins in a zone.
func ParseDay(in *time.Location, text string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, err
	}
	return dayBegins(day, in), nil
}

// dayBegins takes a day as UTC has it. [time.Date] may answer for a midnight that there is
// not with an hour of the day before.
func dayBegins(day time.Time, in *time.Location) time.Time {
	y, m, d := day.Date()
	begins := time.Date(y, m, d, 0, 0, 0, 0, in)
	if begins.Day() != d {
		_, begins = begins.ZoneBounds()
	}
	return begins
}
