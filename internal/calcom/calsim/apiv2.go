package calsim

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apiVersion is the cal-api-version whose booking shape is played; without it
// Cal.com silently answers in an older shape (calcom.md §9.5).
const apiVersion = "2024-08-13"

// window counts API requests of one minute.
type window struct {
	from time.Time
	used int
}

// defaultRate is Cal.com's limit for an API key, per minute (calcom.md §4).
const defaultRate = 120

// api puts the rate limit's headers on every answer, and refuses with 429 (no
// Retry-After) what goes over Config.RateLimit.
func (s *Sim) api(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit := cmp.Or(s.cfg.RateLimit, defaultRate)
		s.mu.Lock()
		now := s.now()
		if now.Sub(s.limiter.from) >= time.Minute || now.Before(s.limiter.from) {
			s.limiter = window{from: now}
		}
		s.limiter.used++
		used, reset := s.limiter.used, s.limiter.from.Add(time.Minute).Sub(now)
		id := s.newUUID()
		s.mu.Unlock()

		h := w.Header()
		h.Set("X-RateLimit-Limit-Default", strconv.Itoa(limit))
		h.Set("X-RateLimit-Remaining-Default", strconv.Itoa(max(0, limit-used)))
		h.Set("X-RateLimit-Reset-Default", strconv.Itoa(int(reset.Seconds())))
		h.Set("X-Request-Id", id)
		if s.cfg.RateLimit > 0 && used > limit {
			s.apiError(w, r, http.StatusTooManyRequests, "ThrottlerException", "ThrottlerException: Too Many Requests")
			return
		}
		next(w, r)
	}
}

// apiError is http-exception.filter.ts's answer.
func (s *Sim) apiError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	writeJSON(w, status, object{
		{"status", "error"},
		{"timestamp", s.now().Format(timeMillis)},
		{"path", r.URL.RequestURI()},
		{"error", object{{"code", code}, {"message", message}, {"details", object{{"message", message}, {"error", http.StatusText(status)}, {"statusCode", status}}}}},
	})
}

// authorized reports whether the request has the bearer key.
func (s *Sim) authorized(r *http.Request) bool {
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && s.cfg.APIKey != "" && subtle.ConstantTimeCompare([]byte(key), []byte(s.cfg.APIKey)) == 1
}

// apiBooking is GET /v2/bookings/{uid}: public by uid; a key, if sent, must be
// right. A series' uid returns an array (calcom.md §4).
//
//	200  the booking
//	401  a wrong key
//	404  no such booking
func (s *Sim) apiBooking(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" && !s.authorized(r) {
		s.apiError(w, r, http.StatusUnauthorized, "UnauthorizedException", "Invalid API Key")
		return
	}
	uid := r.PathValue("uid")
	var series []object
	for _, b := range s.Bookings() {
		if b.UID == uid {
			writeJSON(w, http.StatusOK, object{{"status", "success"}, {"data", s.apiShape(r, b)}})
			return
		}
		if b.RecurringID == uid && uid != "" {
			series = append(series, s.apiShape(r, b))
		}
	}
	if series == nil {
		s.apiError(w, r, http.StatusNotFound, "NotFoundException", fmt.Sprintf("Booking with uid=%s was not found in the database", uid))
		return
	}
	writeJSON(w, http.StatusOK, object{{"status", "success"}, {"data", series}})
}

func (s *Sim) apiShape(r *http.Request, b Booking) object {
	if r.Header.Get("cal-api-version") == apiVersion {
		return s.output(b)
	}
	return oldOutput(b)
}

// oldOutput is the shape of the version before: database names.
func oldOutput(b Booking) object {
	return object{
		{"id", b.ID},
		{"uid", b.UID},
		{"title", b.Title},
		{"description", nullable(b.Notes)},
		{"status", b.Status},
		{"startTime", b.Start.Format(timeMillis)},
		{"endTime", b.End.Format(timeMillis)},
		{"eventTypeId", b.EventType},
		{"metadata", ordered(b.Metadata)},
		{"paid", b.Paid},
		{"fromReschedule", nullable(b.RescheduledFrom)},
	}
}

// output is BookingOutput_2024_08_13: status in lower case, metadata without
// videoCallUrl, and for seated types metadata and answers per attendee
// (calcom.md §4). The payment is not in it.
func (s *Sim) output(b Booking) object {
	et, _ := s.eventType(b.EventType)
	host := s.cfg.Organizer
	place := et.Location
	if place == "integrations:daily" {
		place = s.cfg.Origin + "/video/" + b.UID
	}
	given := func(v string) any { return maybe(v != "", v) }
	seated := et.Seats > 1
	return object{
		{"id", b.ID},
		{"uid", b.UID},
		{"title", b.Title},
		{"description", b.Notes},
		{"hosts", []object{{
			{"id", host.ID},
			{"name", host.Name},
			{"email", host.Email},
			{"displayEmail", host.Email},
			{"username", host.Username},
			{"timeZone", host.TimeZone},
		}}},
		{"status", strings.ToLower(string(b.Status))},
		{"cancellationReason", given(b.CancelReason)},
		{"cancelledByEmail", given(b.CancelledBy)},
		{"reschedulingReason", given(b.RescheduleReason)},
		{"rescheduledByEmail", given(b.RescheduledBy)},
		{"rescheduledFromUid", given(b.RescheduledFrom)},
		{"rescheduledToUid", given(b.RescheduledTo)},
		{"start", b.Start.Format(timeMillis)},
		{"end", b.End.Format(timeMillis)},
		{"duration", int(b.End.Sub(b.Start).Minutes())},
		{"eventTypeId", et.ID},
		{"eventType", object{{"id", et.ID}, {"slug", et.Slug}}},
		{"meetingUrl", place},
		{"location", place},
		{"absentHost", false},
		{"createdAt", b.CreatedAt.Format(timeMillis)},
		{"updatedAt", b.UpdatedAt.Format(timeMillis)},
		{"icsUid", b.ICalUID},
		{"recurringBookingUid", given(b.RecurringID)},
		{"metadata", maybe(!seated, userMetadata(b.Metadata))},
		{"rating", nil},
		{"attendees", outputAttendees(b, seated)},
		{"guests", maybe(!seated, []string{})},
		{"bookingFieldsResponses", maybe(!seated, outputAnswers(b.Attendees[0], b.Notes, b.Answers))},
	}
}

func outputAttendees(b Booking, seated bool) []object {
	out := []object{}
	for _, a := range b.Attendees {
		o := object{
			{"name", a.Name},
			{"email", a.Email},
			{"displayEmail", a.Email},
			{"timeZone", a.TimeZone},
			{"language", "en"},
			{"absent", a.NoShow},
			{"phoneNumber", maybe(a.Phone != "", a.Phone)},
		}
		if seated {
			o = append(o, member{"seatUid", a.SeatID}, member{"bookingFieldsResponses", outputAnswers(a, b.Notes, a.Answers)},
				member{"metadata", userMetadata(a.Metadata)})
		}
		out = append(out, o)
	}
	return out
}

// userMetadata is getUserDefinedMetadata: everything but videoCallUrl.
func userMetadata(m map[string]string) object {
	return slices.DeleteFunc(ordered(m), func(m member) bool { return m.key == "videoCallUrl" })
}

// outputAnswers are plain values, hidden fields included.
func outputAnswers(a Attendee, notes string, answers map[string]string) object {
	own := object{{"email", a.Email}, {"name", a.Name}, {"notes", maybe(notes != "", notes)}, {"guests", []string{}}}
	return append(own, ordered(answers)...)
}

// listQuery is what GET /v2/bookings understands here.
type listQuery struct {
	updatedFrom, updatedTo time.Time // inclusive; zero for no bound
	types                  []string
	sort                   string // of updatedAt: "", "asc" or "desc"
	take, skip             int
}

var errQuery = errors.New("bad query")

func parseList(q url.Values) (l listQuery, err error) {
	l.take, l.sort = 100, q.Get("sortUpdatedAt")
	for key, into := range map[string]*int{"take": &l.take, "skip": &l.skip} {
		if v := q.Get(key); v != "" {
			if *into, err = strconv.Atoi(v); err != nil || *into < 0 {
				return l, fmt.Errorf("%w: %s must be a number", errQuery, key)
			}
		}
	}
	if l.take < 1 || l.take > 250 {
		return l, fmt.Errorf("%w: take must not be greater than 250 or less than 1", errQuery)
	}
	if l.sort != "" && l.sort != "asc" && l.sort != "desc" {
		return l, fmt.Errorf("%w: SortUpdatedAt must be either 'asc' or 'desc'", errQuery)
	}
	for key, into := range map[string]*time.Time{"afterUpdatedAt": &l.updatedFrom, "beforeUpdatedAt": &l.updatedTo} {
		if v := q.Get(key); v != "" {
			if *into, err = time.Parse(time.RFC3339, v); err != nil {
				return l, fmt.Errorf("%w: %s must be a valid ISO 8601 date string", errQuery, key)
			}
		}
	}
	for _, key := range []string{"eventTypeId", "eventTypeIds"} {
		if v := q.Get(key); v != "" {
			l.types = append(l.types, strings.Split(v, ",")...)
		}
	}
	return l, nil
}

func (l listQuery) match(b Booking) bool {
	switch {
	case !l.updatedFrom.IsZero() && b.UpdatedAt.Before(l.updatedFrom):
		return false
	case !l.updatedTo.IsZero() && b.UpdatedAt.After(l.updatedTo):
		return false
	case l.types != nil && !slices.Contains(l.types, strconv.Itoa(b.EventType)):
		return false
	}
	return true
}

// apiList is GET /v2/bookings. pagination ignores the filters, as seen on a real
// one (calcom.md §9.5): page until fewer than take rows come.
//
//	200  a page
//	400  take over 250, or a bound that is no time
//	401  no key, or a wrong one
func (s *Sim) apiList(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(r) {
		s.apiError(w, r, http.StatusUnauthorized, "UnauthorizedException", "Invalid API Key")
		return
	}
	l, err := parseList(r.URL.Query())
	if err != nil {
		s.apiError(w, r, http.StatusBadRequest, "BadRequestException", strings.TrimPrefix(err.Error(), errQuery.Error()+": "))
		return
	}
	all := s.Bookings()
	found := slices.DeleteFunc(slices.Clone(all), func(b Booking) bool { return !l.match(b) })
	if l.sort != "" {
		slices.SortStableFunc(found, func(a, b Booking) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	}
	if l.sort == "desc" {
		slices.Reverse(found)
	}
	found = found[min(l.skip, len(found)):]
	found = found[:min(l.take, len(found))]
	data := []object{}
	for _, b := range found {
		data = append(data, s.apiShape(r, b))
	}
	if r.Header.Get("cal-api-version") != apiVersion {
		writeJSON(w, http.StatusOK, object{{"status", "success"}, {"data", object{{"bookings", data}, {"recurringInfo", []string{}}, {"nextCursor", nil}}}})
		return
	}
	writeJSON(w, http.StatusOK, object{{"status", "success"}, {"data", data}, {"pagination", pagination(l, len(all), len(data))}})
}

// pagination counts all rows, whatever the filters were.
func pagination(l listQuery, total, returned int) object {
	remaining := max(0, total-l.skip-returned)
	pages := (total + l.take - 1) / l.take
	return object{
		{"totalItems", total},
		{"remainingItems", remaining},
		{"returnedItems", returned},
		{"itemsPerPage", l.take},
		{"currentPage", l.skip/l.take + 1},
		{"totalPages", pages},
		{"hasNextPage", remaining > 0},
		{"hasPreviousPage", l.skip > 0},
	}
}
