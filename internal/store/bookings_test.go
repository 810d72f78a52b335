package store_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// booked writes a booking as it stands in the table. A zero start is one that nobody has said.
func (h *harness) booked(site, uid, seat string, status handoff.Status, start time.Time, lead handoff.LeadID) {
	h.t.Helper()
	at, doc, tied := "NULL", fmt.Sprintf(`{"uid":"%s","seat":"%s","status":"%s"`, uid, seat, status), "NULL"
	if !start.IsZero() {
		at = "'" + start.Format("2006-01-02T15:04:05.000000Z") + "'"
		doc += `,"start":"` + start.Format(time.RFC3339Nano) + `"`
	}
	if lead != "" {
		tied = "'" + string(lead) + "'"
	}
	h.must(h.Exec(h.t.Context(), fmt.Sprintf(`
		INSERT INTO bookings (site, uid, seat, lead_id, status, start_at, tied_by, doc, updated_at)
		VALUES ('%s', '%s', '%s', %s, '%s', %s, '', '%s', '2026-11-23T09:00:00.000000Z')`, site, uid, seat, tied, status, at, doc+"}")))
}

// pagesOf reads a list page by page.
func (h *harness) pagesOf(f store.BookingFilter) (out []store.KeptBooking) {
	h.t.Helper()
	for {
		page, err := h.Bookings(h.t.Context(), f)
		h.must(err)
		out = append(out, page...)
		if len(page) < f.Limit {
			return out
		}
		f.After = page[len(page)-1].Place()
	}
}

// A time that no engine keeps, which is a right one for a client, bounds a list as the
// nearest one that can be kept, and is no failure of the store.
func TestTimesBeyondWhatIsKept(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		ctx := t.Context()
		db.booked(site, "u1", "", handoff.Accepted, db.now(), "")
		for _, given := range []string{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:00"} {
			at, err := time.Parse(time.RFC3339, given)
			db.must(err)
			early := at.Year() < 1
			for name, row := range map[string]struct {
				filter store.BookingFilter
				want   bool
			}{
				"from":  {store.BookingFilter{From: at}, early},
				"to":    {store.BookingFilter{To: at}, !early},
				"after": {store.BookingFilter{After: store.BookingPlace{Start: at, BookingKey: handoff.BookingKey{UID: "u"}}}, early},
			} {
				if found, err := db.Bookings(ctx, row.filter); err != nil || len(found) == 1 != row.want {
					t.Errorf("%s %s: %d bookings, %v", name, given, len(found), err)
				}
			}
			if _, err := db.DismissAll(ctx, handoff.CommandLine, site, handoff.NoReference, at, ""); !errors.Is(err, handoff.ErrNotFound) {
				t.Errorf("seen %s: %v", given, err)
			}
			if _, err := db.Audit(ctx, store.AuditFilter{Since: at}); err != nil {
				t.Errorf("since %s: %v", given, err)
			}
		}
	})
}

// Every filter of bookings alone and with others chooses the same as looking at each does,
// in the order of their start with those without one at the end, and pages join without a
// gap or a repetition, also where seats begin at once and two sites know of one booking.
func TestBookings(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		sites, leads := []string{"another", site, "third"}, map[string]handoff.LeadID{}
		for _, s := range sites {
			leads[s] = db.person(func(f *handoff.Submission) { f.Site = s })
		}
		day, n := db.now(), 0
		for i := range 30 {
			start := day.Add(time.Duration(i%11) * time.Hour)
			if i%5 == 4 {
				start = time.Time{}
			}
			for _, s := range sites[:1+i%3] {
				lead := leads[s]
				if i%4 == 1 {
					lead = ""
				}
				for _, seat := range [][]string{{""}, {"a|b", "B"}}[i%2] {
					db.booked(s, fmt.Sprint("uid", i*7%30), seat, handoff.Statuses[i%len(handoff.Statuses)], start, lead)
					n++
				}
			}
		}
		all := db.pagesOf(store.BookingFilter{Limit: 1000})
		if len(all) != n {
			t.Fatalf("%d bookings, want %d", len(all), n)
		}
		yes, no, cancelled, unheard := true, false, handoff.Cancelled, handoff.Status("")
		tried := 0
		for _, of := range [][]string{nil, {site}, {"third", "another"}, {}, {"nobody's"}} {
			for _, status := range []*handoff.Status{nil, &cancelled, &unheard} {
				for _, tied := range []*bool{nil, &yes, &no} {
					for _, days := range [][2]time.Time{{}, {day.Add(3 * time.Hour), {}}, {{}, day.Add(7 * time.Hour)}, {day.Add(3 * time.Hour), day.Add(7 * time.Hour)}} {
						f := store.BookingFilter{Sites: of, Status: status, Tied: tied, From: days[0], To: days[1]}
						want := slices.DeleteFunc(slices.Clone(all), func(b store.KeptBooking) bool {
							return of != nil && !slices.Contains(of, b.Site) || status != nil && b.Status != *status || tied != nil && (b.Lead != "") != *tied ||
								!f.From.IsZero() && b.Start.Before(f.From) || !f.To.IsZero() && (b.Start.IsZero() || !b.Start.Before(f.To))
						})
						for _, f.Limit = range []int{2, 7} {
							got := db.pagesOf(f)
							if !slices.EqualFunc(got, want, func(a, b store.KeptBooking) bool { return a.Place() == b.Place() && a.Lead == b.Lead }) {
								t.Errorf("%+v: %d bookings, want %d", f, len(got), len(want))
							}
							tried++
						}
					}
				}
			}
		}
		if tried != 360 {
			t.Errorf("%d filters tried", tried)
		}
		sorted := slices.IsSortedFunc(all, func(a, b store.KeptBooking) int {
			switch {
			case a.Start.IsZero() != b.Start.IsZero():
				return map[bool]int{true: 1, false: -1}[a.Start.IsZero()]
			case !a.Start.Equal(b.Start):
				return a.Start.Compare(b.Start)
			}
			return strings.Compare(a.UID+" "+a.Seat+" "+a.Site, b.UID+" "+b.Seat+" "+b.Site)
		})
		if !sorted {
			t.Error("they are not in the order of their start")
		}
	})
}

// Every list of bookings goes by the indexes that have them by their start, and reads no
// more of each than a page has.
func TestBookingsGoByIndexes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		fillBookings(t, db.DB, site, 20_000)
		if db.path == "" { // PostgreSQL, which has statistics, and would rather read a small table than an index
			db.must(db.Exec(t.Context(), "ANALYZE"))
			db.Close()
			db.url += "&enable_seqscan=off"
			db.open()
		}
		yes, no, status := true, false, handoff.Rejected
		day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		place := store.BookingPlace{Start: day, BookingKey: handoff.BookingKey{UID: "uid5"}, Site: site}
		for name, f := range map[string]store.BookingFilter{
			"all": {}, "a status": {Status: &status}, "tied": {Tied: &yes}, "not tied": {Tied: &no}, "both": {Status: &status, Tied: &no},
			"of days": {From: day, To: day.AddDate(0, 0, 2)}, "a page": {After: place}, "a page of days": {From: day, After: place},
			"a page of those without a start": {After: store.BookingPlace{BookingKey: place.BookingKey, Site: site}},
		} {
			f.Limit = 51
			plans, err := db.BookingsPlans(t.Context(), site, f)
			db.must(err)
			for _, plan := range plans {
				// PostgreSQL may go by another index that has them by their start.
				if strings.Contains(plan, "SCAN bookings") || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "bookings_by_day") ||
					db.path != "" && strings.Count(plan, "SEARCH bookings") != strings.Count(plan, "SEARCH bookings USING COVERING INDEX bookings_by_start (site=? AND status=? AND <expr>=? AND ") {
					t.Errorf("%s goes not by its indexes:\n%s", name, plan)
				}
				// Only what was merged is sorted.
				if sorts := strings.Count(plan, "TEMP B-TREE") + strings.Count(plan, "->  Sort  ("); sorts > 1 {
					t.Errorf("%s is sorted:\n%s", name, plan)
				}
			}
		}
	})
}

// fillBookings writes bookings of a site, of which one of a thousand is not tied, and as
// few are not accepted.
func fillBookings(t testing.TB, db *store.DB, site string, many int) {
	t.Helper()
	s, err := db.CreateLead(t.Context(), intake(1), handoff.DefaultPipeline())
	if err != nil {
		t.Fatal(err)
	}
	start := `strftime('%Y-%m-%dT%H:%M:%S.000000Z', '2026-01-01', (n * 20) || ' minutes')`
	if strings.HasPrefix(db.Setting(t.Context(), `SELECT version()`), "PostgreSQL") {
		start = `timestamptz '2026-01-01 00:00:00Z' + n * interval '20 minutes'`
	}
	doc := `{"uid":"x","status":"accepted","attendee":{"name":"Ada Lovelace","email":"ada@example.com","timeZone":"Europe/London"},"host":{"name":"Priya"},"title":"Survey","statusBy":"evt_01jdb7z5q4x3s8m2k9v6t1n0rc","location":"phone"}`
	err = db.Exec(t.Context(), fmt.Sprintf(`
		WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)
		INSERT INTO bookings (site, uid, seat, lead_id, status, start_at, tied_by, doc, updated_at)
		SELECT '%s', 'uid' || n, '', CASE WHEN n %% 1000 = 0 THEN NULL ELSE '%s' END,
			CASE WHEN n %% 1000 = 500 THEN 'rejected' WHEN n %% 1000 = 501 THEN '' ELSE 'accepted' END, CASE WHEN n %% 1000 = 501 THEN NULL ELSE %s END, '', '%s', '2026-11-23T09:00:00.000000Z'
		FROM numbers`, many, site, s.Lead, start, doc))
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkBookings reads a page of 50 of so many bookings as HANDOFF_BOOKINGS says.
func BenchmarkBookings(b *testing.B) {
	many := 100_000
	if n, err := strconv.Atoi(os.Getenv("HANDOFF_BOOKINGS")); err == nil {
		many = n
	}
	yes, no, rejected, middle := true, false, handoff.Rejected, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(many)*10*time.Minute)
	for engine, at := range map[string]func(*testing.B) string{
		"sqlite":   func(b *testing.B) string { return "sqlite:" + b.TempDir() + "/bookings.db" },
		"postgres": func(b *testing.B) string { return newPostgres(b) },
	} {
		b.Run(engine, func(b *testing.B) {
			db, err := store.Open(b.Context(), at(b), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			fillBookings(b, db, site, many)
			if err := db.Tend(b.Context()); err != nil {
				b.Fatal(err)
			}
			for _, c := range []struct {
				name string
				f    store.BookingFilter
			}{
				{"all", store.BookingFilter{}},
				{"from the middle", store.BookingFilter{After: store.BookingPlace{Start: middle, BookingKey: handoff.BookingKey{UID: "u"}, Site: site}}},
				{"a rare status", store.BookingFilter{Status: &rejected}},
				{"tied", store.BookingFilter{Tied: &yes}},
				{"not tied", store.BookingFilter{Tied: &no}},
				{"without a start", store.BookingFilter{After: store.BookingPlace{BookingKey: handoff.BookingKey{UID: "u"}, Site: site}}},
			} {
				b.Run(c.name, func(b *testing.B) {
					c.f.Limit = 51
					for b.Loop() {
						if found, err := db.Bookings(b.Context(), c.f); err != nil || len(found) == 0 {
							b.Fatal(len(found), err)
						}
					}
				})
			}
		})
	}
}
