package store_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff/internal/store"
)

// BenchmarkToday reads the first page of the desk and a year's numbers of a site with so
// many leads as HANDOFF_LEADS says, of which a third booked: all within 90 days.
func BenchmarkToday(b *testing.B) {
	many := 100_000
	if n, err := strconv.Atoi(os.Getenv("HANDOFF_LEADS")); err == nil {
		many = n
	}
	for engine, at := range map[string]func(*testing.B) string{
		"sqlite":   func(b *testing.B) string { return "sqlite:" + b.TempDir() + "/many.db" },
		"postgres": func(b *testing.B) string { return newPostgres(b) },
	} {
		b.Run(engine, func(b *testing.B) {
			now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
			db, err := store.Open(b.Context(), at(b), store.Options{Now: func() time.Time { return now }})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			fill(b, db, many, now)
			b.Run("today", func(b *testing.B) {
				for b.Loop() {
					_, err := db.Today(b.Context(), site, store.TodayFilter{Stage: "new", UnbookedFrom: now.AddDate(0, 0, -30), UnbookedTo: now.AddDate(0, 0, -1), Since: now.AddDate(0, 0, -2)})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
			for _, days := range []int{7, 30, 90} {
				b.Run(fmt.Sprintf("numbers of %d days", days), func(b *testing.B) {
					for b.Loop() {
						from := now.AddDate(0, 0, -days)
						n, err := db.Numbers(b.Context(), site, store.NumbersFilter{From: from, To: now, FromDay: from.Format(time.DateOnly), ToDay: now.Format(time.DateOnly)})
						if err != nil || len(n.Booked) == 0 {
							b.Fatal(len(n.Booked), err)
						}
					}
				})
			}
		})
	}
}

// fill writes leads of the last 90 days as they stand in the tables.
func fill(b *testing.B, db *store.DB, many int, now time.Time) {
	b.Helper()
	const stamp = "2006-01-02T15:04:05.000000Z"
	ctx := context.WithoutCancel(b.Context())
	insert := func(into string, rows []string) {
		if len(rows) == 0 {
			return
		}
		if err := db.Exec(ctx, "INSERT INTO "+into+" VALUES "+strings.Join(rows, ", ")); err != nil {
			b.Fatal(err)
		}
	}
	var leads, submissions, history, bookings []string
	doc := `{"uid":"x","status":"accepted","attendee":{"name":"Ada Lovelace","email":"ada@example.com","timeZone":"Europe/London"},"host":{"name":"Priya"},"title":"Survey","statusBy":"evt_01jdb7z5q4x3s8m2k9v6t1n0rc","location":"phone"}`
	for i := range many {
		at := now.Add(-time.Duration(i) * (90 * 24 * time.Hour / time.Duration(many)))
		stage := "new"
		if i%3 == 0 {
			stage = "met"
			start, outcome := at.Add(72*time.Hour), "met"
			if start.After(now) {
				outcome, stage = "", "booked"
			}
			bookings = append(bookings, fmt.Sprintf(`('%s', 'uid%d', '', 'lead_%d', 'accepted', '%s', '%s', 'reference', '%s', '%s', '%s', '%s')`,
				site, i, i, start.Format(stamp), start.Add(time.Hour).Format(stamp), doc, at.Format(stamp), at.Add(time.Duration(i%5000)*time.Minute).Format(stamp), outcome))
			history = append(history, fmt.Sprintf(`('%s', 'lead_%d', 2, '%s', 'new', '%s', 'evt_%d', '', '', '')`, site, i, at.Add(time.Hour).Format(stamp), stage, i))
		}
		leads = append(leads, fmt.Sprintf(`('%s', 'lead_%d', 'service%d', 'Ada', 'ada%d@example.com', '', 'source%d', ' ada', '%s', '%s', '%s')`, site, i, i%7, i, i%20, stage, at.Format(stamp), at.Format(stamp)))
		submissions = append(submissions, fmt.Sprintf(`('%s', 'sub_%d', 'lead_%d', 's', 'f%d', 'd', '{}', '%s')`, site, i, i, i, at.Format(stamp)))
		history = append(history, fmt.Sprintf(`('%s', 'lead_%d', 1, '%s', '', 'new', 'sub_%d', '', '', '')`, site, i, at.Format(stamp), i))
		if len(leads) == 500 || i == many-1 {
			insert(`leads (site, id, service, name, email, phone, source, folded, stage, created_at, updated_at)`, leads)
			insert(`submissions (site, id, lead_id, service, form, digest, doc, submitted_at)`, submissions)
			insert(`bookings (site, uid, seat, lead_id, status, start_at, end_at, tied_by, doc, updated_at, made_at, outcome)`, bookings)
			insert(`history (site, lead_id, seq, at, from_stage, to_stage, cause, note, uid, seat)`, history)
			leads, submissions, history, bookings = leads[:0], submissions[:0], history[:0], bookings[:0]
		}
	}
	if err := db.Tend(ctx); err != nil {
		b.Fatal(err)
	}
}
