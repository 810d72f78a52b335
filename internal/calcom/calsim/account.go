package calsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// keyed refuses a request that has no key, or a wrong one, with 401.
func (s *Sim) keyed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.authorized(r) {
			s.apiError(w, r, http.StatusUnauthorized, "UnauthorizedException", "Invalid API Key")
			return
		}
		next(w, r)
	}
}

// fieldsVersion is the cal-api-version that has the booking fields.
const fieldsVersion = "2026-06-12"

func success(w http.ResponseWriter, status int, data any) {
	writeJSON(w, status, object{{"status", "success"}, {"data", data}})
}

// apiTeams lists the teams that event types are of.
func (s *Sim) apiTeams(w http.ResponseWriter, _ *http.Request) {
	data, seen := []object{}, map[int]bool{0: true}
	for _, et := range s.EventTypes() {
		if !seen[et.Team] {
			data = append(data, object{{"id", et.Team}, {"name", "Team " + strconv.Itoa(et.Team)}})
		}
		seen[et.Team] = true
	}
	success(w, http.StatusOK, data)
}

// ofPath reads the team in a request's path; 0 is the organizer's own.
func ofPath(r *http.Request) int {
	team, _ := strconv.Atoi(r.PathValue("team")) // no number is no team that there is
	return team
}

// typeOf finds the event type of a request's path, and answers 404 if there is none.
func (s *Sim) typeOf(w http.ResponseWriter, r *http.Request) (EventType, bool) {
	id, _ := strconv.Atoi(r.PathValue("type")) // no number is no type that there is
	et, err := s.eventType(id)
	if err != nil || et.Team != ofPath(r) {
		s.apiError(w, r, http.StatusNotFound, "NotFoundException", fmt.Sprintf("Event type with id=%d was not found", id))
		return EventType{}, false
	}
	return et, true
}

// apiEventTypes lists event types. Of the organizer's own, hidden questions are left
// out, and none at all is 404: event-types.controller.ts, getEventTypes.
func (s *Sim) apiEventTypes(w http.ResponseWriter, r *http.Request) {
	data, team := []object{}, ofPath(r)
	for _, et := range s.EventTypes() {
		if et.Team != team {
			continue
		}
		if team == 0 {
			et.Questions = slices.DeleteFunc(slices.Clone(et.Questions), func(q Question) bool { return q.Hidden })
		}
		data = append(data, apiEventType(et))
	}
	if len(data) == 0 && team == 0 {
		s.apiError(w, r, http.StatusNotFound, "NotFoundException", "Event types not found")
		return
	}
	success(w, http.StatusOK, data)
}

// apiOneEventType shows one, with its hidden questions.
func (s *Sim) apiOneEventType(w http.ResponseWriter, r *http.Request) {
	if et, ok := s.typeOf(w, r); ok {
		success(w, http.StatusOK, apiEventType(et))
	}
}

// apiEventType is EventTypeOutput_2024_06_14, without what nobody reads here. The
// questions that every event type has come first.
func apiEventType(et EventType) object {
	fields := []object{
		{{"isDefault", true}, {"type", "name"}, {"slug", "name"}, {"required", true}},
		{{"isDefault", true}, {"type", "email"}, {"slug", "email"}, {"required", true}, {"hidden", false}},
	}
	for _, q := range et.Questions {
		fields = append(fields, object{
			{"isDefault", false}, {"type", "text"}, {"slug", q.Slug}, {"label", q.Label}, {"required", q.Required}, {"hidden", q.Hidden},
		})
	}
	policy := object{{"disabled", true}}
	if et.RequiresConfirmation {
		policy = object{{"type", "always"}, {"blockUnconfirmedBookingsInBooker", false}}
	}
	seats := object{{"disabled", true}}
	if et.Seats > 1 {
		seats = object{{"seatsPerTimeSlot", et.Seats}, {"showAttendeeInfo", false}}
	}
	return object{
		{"id", et.ID},
		{"title", et.Title},
		{"slug", et.Slug},
		{"lengthInMinutes", int(et.Length.Minutes())},
		{"bookingFields", fields},
		{"confirmationPolicy", policy},
		{"seats", seats},
		{"successRedirectUrl", maybe(et.Redirect != "", et.Redirect)},
		{"teamId", maybe(et.Team != 0, et.Team)},
	}
}

// apiAddQuestions adds questions to an event type. Self-hosted generations do not have
// the route.
//
//	201  added
//	400  a slug that is there already, or none
//	404  no such event type, or an older generation
func (s *Sim) apiAddQuestions(w http.ResponseWriter, r *http.Request) {
	if s.Generation().direct() || r.Header.Get("cal-api-version") != fieldsVersion {
		s.apiError(w, r, http.StatusNotFound, "NotFoundException", "Cannot POST "+r.URL.Path)
		return
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	et, ok := s.typeOf(w, r)
	if !ok {
		return
	}
	var body struct {
		BookingFields []struct {
			Type, Slug, Label string
			Hidden, Required  bool
		} `json:"bookingFields"`
	}
	if err := readJSON(w, r, &body); err != nil {
		s.apiError(w, r, http.StatusBadRequest, "BadRequestException", err.Error())
		return
	}
	et.Questions = slices.Clone(et.Questions)
	for _, f := range body.BookingFields {
		if f.Slug == "" || f.Type != "text" || slices.ContainsFunc(et.Questions, func(q Question) bool { return q.Slug == f.Slug }) {
			s.apiError(w, r, http.StatusBadRequest, "BadRequestException", "bookingFields is not valid")
			return
		}
		et.Questions = append(et.Questions, Question{Slug: f.Slug, Label: f.Label, Hidden: f.Hidden, Required: f.Required})
	}
	types := s.EventTypes()
	types[slices.IndexFunc(types, func(t EventType) bool { return t.ID == et.ID })] = et
	s.types.Store(&types)
	success(w, http.StatusCreated, apiEventType(et))
}

// webhookRoutes serves the webhooks of an event type, or the organizer's.
func (s *Sim) webhookRoutes(mux *http.ServeMux, path string) {
	scoped := func(do func(w http.ResponseWriter, r *http.Request, of int)) http.HandlerFunc {
		return s.api(s.keyed(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(path, "{type}") {
				do(w, r, 0)
				return
			}
			if et, ok := s.typeOf(w, r); ok {
				do(w, r, et.ID)
			}
		}))
	}
	mux.HandleFunc("GET "+path, scoped(s.apiWebhooks))
	mux.HandleFunc("POST "+path, scoped(s.apiAddWebhook))
	mux.HandleFunc("PATCH "+path+"/{id}", scoped(s.apiChangeWebhook))
	mux.HandleFunc("DELETE "+path+"/{id}", scoped(s.apiRemoveWebhook))
}

// output is WebhookOutputDto: the secret is in it in clear (calcom.md §1.3).
func (h hook) output() object {
	triggers := append([]string{}, h.Triggers...)
	return object{
		{"id", h.id},
		{"payloadTemplate", nullable(h.Template)},
		{"triggers", triggers},
		{"subscriberUrl", h.URL},
		{"active", !h.Inactive},
		{"secret", nullable(h.Secret)},
	}
}

// apiWebhooks lists webhooks, 250 at most: SkipTakePagination.
func (s *Sim) apiWebhooks(w http.ResponseWriter, r *http.Request, of int) {
	q := r.URL.Query()
	take, skip := 250, 0
	for name, into := range map[string]*int{"take": &take, "skip": &skip} {
		if n, err := strconv.Atoi(q.Get(name)); err == nil {
			*into = n
		}
	}
	s.mu.Lock()
	data := []object{}
	for _, h := range s.hooks {
		if h.EventType == of && !h.removed() {
			data = append(data, h.output())
		}
	}
	s.mu.Unlock()
	data = data[min(max(skip, 0), len(data)):]
	success(w, http.StatusOK, data[:min(max(take, 1), 250, len(data))])
}

// webhookBody is CreateWebhookInputDto; what is left out stays as it is.
type webhookBody struct {
	SubscriberURL *string  `json:"subscriberUrl"`
	Active        *bool    `json:"active"`
	Secret        *string  `json:"secret"`
	Triggers      []string `json:"triggers"`
}

func (b webhookBody) change(h *hook) {
	if b.SubscriberURL != nil {
		h.URL = *b.SubscriberURL
	}
	if b.Active != nil {
		h.Inactive = !*b.Active
	}
	if b.Secret != nil {
		h.Secret = *b.Secret
	}
	if b.Triggers != nil {
		h.Triggers = b.Triggers
	}
}

// apiAddWebhook registers a webhook; the same address again is 409 (calcom.md §9.5).
func (s *Sim) apiAddWebhook(w http.ResponseWriter, r *http.Request, of int) {
	var body webhookBody
	if err := readJSON(w, r, &body); err != nil || body.SubscriberURL == nil || body.Active == nil || body.Triggers == nil {
		s.apiError(w, r, http.StatusBadRequest, "BadRequestException", "subscriberUrl, active and triggers are needed")
		return
	}
	s.mu.Lock()
	h := hook{Webhook: Webhook{EventType: of}, id: s.newHookID()}
	body.change(&h)
	taken := slices.ContainsFunc(s.hooks, func(other hook) bool { return !other.removed() && other.EventType == of && other.URL == h.URL })
	if !taken {
		s.hooks = append(s.hooks, h)
	}
	s.mu.Unlock()
	if taken {
		s.apiError(w, r, http.StatusConflict, "ConflictException", "Webhook with this subscriber url already exists for this user")
		return
	}
	success(w, http.StatusCreated, h.output())
}

func (s *Sim) apiChangeWebhook(w http.ResponseWriter, r *http.Request, of int) {
	var body webhookBody
	if err := readJSON(w, r, &body); err != nil {
		s.apiError(w, r, http.StatusBadRequest, "BadRequestException", err.Error())
		return
	}
	s.mu.Lock()
	i := s.hookOf(of, r.PathValue("id"))
	var h hook
	if i >= 0 {
		body.change(&s.hooks[i])
		s.hooks[i].gone = false
		h = s.hooks[i]
	}
	s.mu.Unlock()
	s.answerHook(w, r, h, i >= 0)
}

func (s *Sim) apiRemoveWebhook(w http.ResponseWriter, r *http.Request, of int) {
	s.mu.Lock()
	i := s.hookOf(of, r.PathValue("id"))
	var h hook
	if i >= 0 {
		h = s.hooks[i]
		s.hooks[i].gone, s.hooks[i].id = true, "" // its place stays: deliveries name it
	}
	s.mu.Unlock()
	s.answerHook(w, r, h, i >= 0)
}

// hookOf needs mu.
func (s *Sim) hookOf(of int, id string) int {
	return slices.IndexFunc(s.hooks, func(h hook) bool { return h.EventType == of && h.id == id && !h.removed() })
}

func (h hook) removed() bool { return h.id == "" }

func (s *Sim) answerHook(w http.ResponseWriter, r *http.Request, h hook, found bool) {
	if !found {
		s.apiError(w, r, http.StatusNotFound, "NotFoundException", "Webhook not found")
		return
	}
	success(w, http.StatusOK, h.output())
}
