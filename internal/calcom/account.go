package calcom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
)

// An EventType is what of an event type matters to the handoff.
type EventType struct {
	ID          int64
	TeamID      int64 // 0: the key's owner's
	Title, Slug string
	Length      int        // minutes
	Confirm     bool       // a host has to accept each booking
	Redirect    string     // where a visitor is sent after booking; empty: nowhere
	Questions   []Question // Cal.com's own included; in a list those that are hidden are missing
}

// A Question is one that Cal.com's booking form asks.
type Question struct {
	Slug     string
	Type     string // "text", …
	Hidden   bool
	Required bool
}

// Question finds one by its slug; nil if there is none.
func (e *EventType) Question(slug string) *Question {
	for i := range e.Questions {
		if e.Questions[i].Slug == slug {
			return &e.Questions[i]
		}
	}
	return nil
}

// path is where the API has the event type.
func (e *EventType) path() string {
	if e.TeamID == 0 {
		return "/event-types/" + strconv.FormatInt(e.ID, 10)
	}
	return "/teams/" + strconv.FormatInt(e.TeamID, 10) + "/event-types/" + strconv.FormatInt(e.ID, 10)
}

// apiEventType is what we read of EventTypeOutput_2024_06_14.
type apiEventType struct {
	ID           lax[int64]  `json:"id"`
	Title        lax[string] `json:"title"`
	Slug         lax[string] `json:"slug"`
	Length       lax[int64]  `json:"lengthInMinutes"`
	Redirect     lax[string] `json:"successRedirectUrl"`
	Confirmation lax[struct {
		Disabled lax[bool]   `json:"disabled"`
		Type     lax[string] `json:"type"`
	}] `json:"confirmationPolicy"`
	Fields lax[[]struct {
		Slug     lax[string] `json:"slug"`
		Type     lax[string] `json:"type"`
		Hidden   lax[bool]   `json:"hidden"`
		Required lax[bool]   `json:"required"`
	}] `json:"bookingFields"`
}

// event is what it says, of a team; 0: of the key's owner.
func (f *apiEventType) event(team int64) EventType {
	e := EventType{
		ID: f.ID.V, TeamID: team, Title: clip(f.Title.V, maxID), Slug: clip(f.Slug.V, maxID), Length: int(f.Length.V),
		Confirm: f.Confirmation.V.Type.V != "" && !f.Confirmation.V.Disabled.V, Redirect: clip(f.Redirect.V, maxText),
	}
	for _, q := range f.Fields.V {
		e.Questions = append(e.Questions, Question{clip(q.Slug.V, maxID), clip(q.Type.V, maxID), q.Hidden.V, q.Required.V})
	}
	return e
}

// EventTypes lists the event types of the key's owner, and those of the teams whose
// event types the key may see. Hidden questions are not in them.
//
// Source: event-types.controller.ts, getEventTypes, which answers 404 where there is none.
func (a API) EventTypes(ctx context.Context) ([]EventType, error) {
	out, err := a.eventTypes(ctx, "/event-types", 0)
	if err != nil && !refusedWith(err, http.StatusNotFound) {
		return nil, err
	}
	teams, err := a.teams(ctx)
	if err != nil {
		return nil, err
	}
	for _, team := range teams {
		more, err := a.eventTypes(ctx, "/teams/"+strconv.FormatInt(team, 10)+"/event-types", team)
		if err != nil && !refusedWith(err, http.StatusNotFound, http.StatusForbidden) {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// EventType reads one of the list whole: with its hidden questions.
func (a API) EventType(ctx context.Context, e *EventType) (EventType, error) {
	body, err := a.get(ctx, eventTypesVersion, e.path())
	if err != nil {
		return EventType{}, err
	}
	data, err := dataOf(body)
	if err != nil {
		return EventType{}, err
	}
	var found apiEventType
	if data.Kind() != '{' || unmarshal(data, &found) != nil || found.ID.V != e.ID {
		return EventType{}, fmt.Errorf("calcom: the API's answer is no event type: %w", handoff.ErrUnavailable)
	}
	return found.event(e.TeamID), nil
}

// teams lists the teams of the key's owner; none where this Cal.com has no teams.
func (a API) teams(ctx context.Context) ([]int64, error) {
	var teams []struct {
		ID lax[int64] `json:"id"`
	}
	err := a.list(ctx, eventTypesVersion, "/teams", &teams)
	if refusedWith(err, http.StatusNotFound, http.StatusForbidden) {
		return nil, nil
	}
	var out []int64
	for _, t := range teams {
		out = append(out, t.ID.V)
	}
	return out, err
}

func (a API) eventTypes(ctx context.Context, path string, team int64) ([]EventType, error) {
	var found []apiEventType
	if err := a.list(ctx, eventTypesVersion, path, &found); err != nil {
		return nil, err
	}
	out := make([]EventType, 0, len(found))
	for i := range found {
		out = append(out, found[i].event(team))
	}
	return out, nil
}

// AddQuestion adds a hidden question for a short text to an event type. Cal.com's API
// does not do that everywhere: read the event types again to see whether it is there.
// It never uses the older way, which is to replace all questions, since that would put
// the others back to how Cal.com makes them.
//
// Source: API v2, event types, booking fields of 2026-06-12; input-event-types.service.ts
// for the older way.
func (a API) AddQuestion(ctx context.Context, e *EventType, slug, label string) error {
	field := map[string]any{"type": "text", "slug": slug, "label": label, "required": false, "hidden": true}
	_, err := a.call(ctx, http.MethodPost, fieldsVersion, e.path()+"/booking-fields", map[string]any{"bookingFields": []any{field}})
	return err
}

// A Webhook is a subscription at Cal.com.
type Webhook struct {
	ID       string
	URL      string
	Active   bool
	Triggers []string
	Secret   string // empty: none
	Template string // of the payload; empty: Cal.com's own form
}

// apiWebhook is UserWebhookOutputDto. Its ID is a number in the documentation and a
// text in the database (calcom.md §4).
type apiWebhook struct {
	ID       jsontext.Value `json:"id"`
	URL      lax[string]    `json:"subscriberUrl"`
	Active   lax[bool]      `json:"active"`
	Triggers lax[[]string]  `json:"triggers"`
	Secret   lax[string]    `json:"secret"`
	Template lax[string]    `json:"payloadTemplate"`
}

// Webhooks lists the webhooks of an event type, or, of nil, those of the key's owner,
// which are sent for all of the owner's event types, but for no team's.
func (a API) Webhooks(ctx context.Context, of *EventType) ([]Webhook, error) {
	var found []apiWebhook
	for more := true; more; {
		var page []apiWebhook
		if err := a.list(ctx, eventTypesVersion, fmt.Sprintf("%s?take=%d&skip=%d", webhooksOf(of), maxPage, len(found)), &page); err != nil {
			return nil, err
		}
		found = append(found, page...)
		more = len(page) >= maxPage && len(found) < maxWebhooks
	}
	out := make([]Webhook, 0, len(found))
	for _, f := range found {
		id := string(f.ID)
		if s, err := strconv.Unquote(id); err == nil {
			id = s
		}
		out = append(out, Webhook{id, f.URL.V, f.Active.V, f.Triggers.V, f.Secret.V, f.Template.V})
	}
	return out, nil
}

// maxPage is the most that Cal.com gives at once, and maxWebhooks how many are read.
const (
	maxPage     = 250
	maxWebhooks = 5000
)

// webhooksOf is where the API has the webhooks of an event type, or of the key's owner.
func webhooksOf(of *EventType) string {
	if of == nil {
		return "/webhooks"
	}
	return of.path() + "/webhooks"
}

// PutWebhook makes a webhook, or changes the one with its ID to be as it is given.
func (a API) PutWebhook(ctx context.Context, of *EventType, w Webhook) error {
	method, path := http.MethodPost, webhooksOf(of)
	if w.ID != "" {
		method, path = http.MethodPatch, path+"/"+url.PathEscape(w.ID)
	}
	body := map[string]any{"active": w.Active, "subscriberUrl": w.URL, "triggers": w.Triggers, "secret": w.Secret}
	_, err := a.call(ctx, method, eventTypesVersion, path, body)
	var refused *Refused
	if errors.As(err, &refused) && w.Secret != "" {
		refused.Says = strings.ReplaceAll(refused.Says, w.Secret, "[secret]")
	}
	return err
}

// RemoveWebhook removes a webhook. One that is not there is no error.
func (a API) RemoveWebhook(ctx context.Context, of *EventType, id string) error {
	_, err := a.call(ctx, http.MethodDelete, eventTypesVersion, webhooksOf(of)+"/"+url.PathEscape(id), nil)
	if refusedWith(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// list reads a list of things.
func (a API) list(ctx context.Context, version, path string, into any) error {
	body, err := a.get(ctx, version, path)
	if err != nil {
		return err
	}
	data, err := dataOf(body)
	if err != nil {
		return err
	}
	if data.Kind() != '[' || unmarshal(data, into) != nil {
		return fmt.Errorf("calcom: the API's answer is no list: %w", handoff.ErrUnavailable)
	}
	return nil
}

// Triggers are the events that a webhook of ours is registered for: those that tell
// something of a booking. Left out are those that want a time which the API cannot set
// (calcom.md §4).
func Triggers() []string {
	var out []string
	for name, k := range kinds {
		if k.read != nil && !strings.HasPrefix(name, "AFTER_") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
