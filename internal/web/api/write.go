package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"handoff"
	"handoff/internal/store"
)

// idempotencyKey is the header that names a write.
const idempotencyKey = "Idempotency-Key"

// writeDeadline bounds a write whose client may be gone.
const writeDeadline = 30 * time.Second

// write answers an operation that changes something. Its handler makes one store call
// that writes, with the call's context, which keeps the answer in the very transaction
// that does the write: a crash leaves both or neither, and a write that is sent again is
// answered from what was kept.
//
//	200, 201  it was done; the body is its act in the audit log
//	204       it was so already
//	409       the same write is under way, or things stand otherwise than it says
//	422       another write had its name, or it cannot be done
func (a *API) write(w http.ResponseWriter, r *http.Request, c *call, h handler) {
	named := store.Write{KeyID: c.key.ID, Name: c.given[idempotencyKey], Digest: store.DigestOf(r.Method, c.path, c.body)}
	if named.Name != "" {
		before, done, err := a.Store.Answered(r.Context(), named)
		if errors.Is(err, handoff.ErrInvalid) {
			err = errReused
		}
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if done {
			w.Header().Set("Idempotency-Replayed", "true")
			sendKept(w, before)
			return
		}
	}
	// From here on the write is ours to do: a client that hangs up asks for its answer
	// again. It has an end all the same, for a database that hangs.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeDeadline)
	defer cancel()
	var given store.Answer
	c.Context = store.WithWrite(ctx, named, receipt(r.Method), &given)
	if _, err := h(a, c); err != nil {
		a.fail(w, r, err)
		return
	}
	sendKept(w, given)
}

// receipt makes the answer to a write: its act in the audit log.
func receipt(method string) func(*handoff.Act) store.Answer {
	status := http.StatusOK
	if method == http.MethodPost {
		status = http.StatusCreated
	}
	return func(act *handoff.Act) store.Answer {
		if act == nil {
			return store.Answer{Status: http.StatusNoContent}
		}
		b, err := json.Marshal(act)
		if err != nil {
			panic(err) // it has texts and a time
		}
		return store.Answer{Status: status, Body: string(b)}
	}
}

func sendKept(w http.ResponseWriter, a store.Answer) {
	var body any
	if a.Body != "" {
		body = json.RawMessage(a.Body)
	}
	_ = send(w, "application/json", a.Status, body) // it was encoded before
}

// readBody reads the body of a write.
func readBody(w http.ResponseWriter, r *http.Request, wanted bool) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errTooLarge
	case err != nil:
		return nil, fmt.Errorf("reading the body: %w: %w", errBody, err)
	case !wanted && len(b) > 0:
		return nil, invalid{errBody, []fault{{Pointer: "#", Detail: "there must be none"}}}
	case !wanted:
		return nil, nil
	case len(b) == 0:
		return nil, invalid{errBody, []fault{{Pointer: "#", Detail: "it is empty"}}}
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, errMediaType
	}
	return b, nil
}

// decode reads the body of a call into v, strictly: a member that v has not, one that is
// there twice, and one of another type are faults.
func (c *call) decode(v any) error {
	err := jsonv2.Unmarshal(c.body, v, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	f := fault{Pointer: "#", Detail: "it is no JSON object of the form that the document has"}
	var what *jsonv2.SemanticError
	if errors.As(err, &what) {
		f.Pointer += string(what.JSONPointer)
		switch {
		case errors.Is(err, jsonv2.ErrUnknownName):
			f.Detail = "there is no such member here"
		case what.JSONPointer != "":
			f.Detail = "it is of another type than it must be"
		}
	}
	return invalid{errBody, []fault{f}}
}

// leadOf finds the lead of a call, and its site.
func (a *API) leadOf(c *call) (Site, handoff.LeadID, error) {
	ids, err := a.siteIDs(c)
	if err != nil {
		return Site{}, "", err
	}
	lead := handoff.LeadID(c.given["lead"])
	id, err := a.Store.SiteOfLead(c, ids, lead)
	if err != nil {
		return Site{}, "", err
	}
	i := slices.IndexFunc(a.Sites, func(s Site) bool { return s.ID == id })
	return a.Sites[i], lead, nil
}

// setStage moves a lead by hand.
func (a *API) setStage(c *call) (answer, error) {
	site, lead, err := a.leadOf(c)
	if err != nil {
		return answer{}, err
	}
	var in struct {
		From handoff.Stage `json:"from"`
		To   handoff.Stage `json:"to"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	var faults []fault
	if in.From == "" {
		faults = append(faults, fault{Pointer: "#/from", Detail: "say where the lead stands now, so that nothing is moved that stands elsewhere"})
	}
	if !slices.Contains(site.Pipeline.Stages, in.To) {
		faults = append(faults, fault{Pointer: "#/to", Detail: "it is one of the site's stages: " + stageNames(site.Pipeline.Stages)})
	}
	if in.From == in.To {
		faults = append(faults, fault{Pointer: "#/to", Detail: "the lead stands there already"})
	}
	if faults != nil {
		return answer{}, invalid{errContent, faults}
	}
	_, err = a.Store.SetStage(c, c.actor, site.ID, lead, in.From, in.To, site.Pipeline)
	return answer{}, err
}

// stageNames lists stages as a sentence does.
func stageNames(stages []handoff.Stage) string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// undoStage takes back a stage that was set by hand.
func (a *API) undoStage(c *call) (answer, error) {
	site, lead, err := a.leadOf(c)
	if err != nil {
		return answer{}, err
	}
	_, err = a.Store.UndoStage(c, c.actor, site.ID, lead, c.given["act"], site.Pipeline)
	return answer{}, err
}

// maxCalls is how many calls of a lead one body names.
const maxCalls = 1000

// wantCalls says that a lead wants all its calls ahead.
func (a *API) wantCalls(c *call) (answer, error) {
	site, lead, err := a.leadOf(c)
	if err != nil {
		return answer{}, err
	}
	var in struct {
		Calls []handoff.BookingKey `json:"calls"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	var faults []fault
	if n := len(in.Calls); n < 2 || n > maxCalls {
		faults = append(faults, fault{Pointer: "#/calls", Detail: fmt.Sprintf("name all calls of the lead that are ahead, which are 2 to %d", maxCalls)})
	}
	for i, k := range in.Calls[:min(len(in.Calls), maxCalls)] {
		if k.UID == "" {
			faults = append(faults, fault{Pointer: fmt.Sprintf("#/calls/%d/uid", i), Detail: "it is the uid of a booking"})
		}
	}
	if faults != nil {
		return answer{}, invalid{errContent, faults}
	}
	_, err = a.Store.WantCalls(c, c.actor, site.ID, lead, in.Calls)
	return answer{}, err
}

// undoCallsWanted takes back that a lead wants all its calls ahead.
func (a *API) undoCallsWanted(c *call) (answer, error) {
	site, lead, err := a.leadOf(c)
	if err != nil {
		return answer{}, err
	}
	_, err = a.Store.UndoCallsWanted(c, c.actor, site.ID, lead)
	return answer{}, err
}

// addNote writes down something about a lead.
func (a *API) addNote(c *call) (answer, error) {
	site, lead, err := a.leadOf(c)
	if err != nil {
		return answer{}, err
	}
	var in struct {
		Text string `json:"text"`
	}
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if _, err := handoff.CheckNote(in.Text); err != nil {
		return answer{}, invalid{errContent, []fault{{Pointer: "#/text", Detail: fmt.Sprintf("a note has 1 to %d characters, and no control characters", handoff.MaxNote)}}}
	}
	_, err = a.Store.AddNote(c, c.actor, site.ID, lead, in.Text)
	return answer{}, err
}

// deleteNote deletes a note, which its author may.
func (a *API) deleteNote(c *call) (answer, error) {
	site, lead, err := a.leadOf(c)
	if err != nil {
		return answer{}, err
	}
	return answer{}, a.Store.DeleteNote(c, c.actor, site.ID, lead, c.given["note"])
}
