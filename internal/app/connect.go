package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/content"
)

// A Connection is one site's side at Cal.com while it is set up, read back, or taken
// down.
type Connection struct {
	site    *SiteConfig
	content *content.Site
	secret  string
	// secretPath is the file of the secret; empty: it is in none.
	secretPath string
	sharedWith string // another site with the same file; empty: there is none
	api        calcom.API
	change     bool // things may be changed, not only looked at
	reached    bool // what comes to the webhook's address is kept, with this secret
	report     func(Step)
	now        func() time.Time
}

// A Step is one thing that was looked at, done, or is left to do. Its JSON is stable.
type Step struct {
	Site   string    `json:"site"`
	What   string    `json:"what"`
	State  StepState `json:"state"`
	Detail string    `json:"detail"`
}

// A StepState says how a step went.
type StepState string

const (
	StepOK   StepState = "ok"   // it is as it must be
	StepDone StepState = "done" // it was made so
	StepNote StepState = "note" // it works, but should be known
	StepTodo StepState = "todo" // a person has to do it
)

// Connect prepares a connection of a site's. The key of the API is the configured one.
// change allows changes at Cal.com. report hears of every step.
func (c *Config) Connect(site string, change bool, now func() time.Time, report func(Step)) (*Connection, error) {
	s := c.siteConfig(site)
	if s == nil {
		return nil, fmt.Errorf("there is no site %q: %w", site, handoff.ErrNotFound)
	}
	n, err := c.connection(s, change, now, report)
	if err != nil {
		return nil, err
	}
	if s.Calcom.API.URL == "" {
		return nil, fmt.Errorf("calcom.api.url of %s: say where Cal.com's API answers, such as https://api.cal.com/v2: %w", site, handoff.ErrInvalid)
	}
	key, err := s.Calcom.API.Key.value(c.dir)
	if err != nil {
		return nil, fmt.Errorf("calcom.api.key of %s: %w; in Cal.com make one under Settings, Developer, API keys: %w", site, err, handoff.ErrInvalid)
	}
	n.api = calcom.API{Base: strings.TrimRight(s.Calcom.API.URL, "/"), Key: key, Attempts: 4}
	return n, nil
}

// connection prepares one that does without Cal.com's API.
func (c *Config) connection(s *SiteConfig, change bool, now func() time.Time, report func(Step)) (*Connection, error) {
	n := &Connection{site: s, change: change, report: report, now: now}
	secrets, err := c.webhookSecrets(&s.Calcom)
	if err != nil {
		return nil, fmt.Errorf("calcom.webhook_secret of %s: %w: %w", s.ID, err, handoff.ErrInvalid)
	}
	n.secret = secrets()[0].Value
	n.secretPath, n.sharedWith = s.Calcom.WebhookSecret.path(c.dir), c.sharing(s)
	if n.content, err = content.Load(os.DirFS(abs(c.dir, s.Content))); err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	return n, nil
}

// Up makes Cal.com's side as it must be, as far as its API can, reads all of it back,
// and says what is left for a person. It can be run again at any time: what is right
// already stays as it is.
func (n *Connection) Up(ctx context.Context) error {
	n.ping(ctx)
	n.frames(ctx)
	if err := n.account(ctx); err != nil {
		return err
	}
	for _, v := range n.content.Services {
		n.say(StepNote, v.Slug+", trial", "go through a booking that creates nothing: %s", calcom.TrialURL(n.site.Calcom.Origins[0], v.Calendar))
	}
	return nil
}

// account sees to what Cal.com's API shows and can change.
func (n *Connection) account(ctx context.Context) error {
	all, err := n.api.EventTypes(ctx)
	if err != nil {
		return err
	}
	n.say(StepOK, "key", "Cal.com accepts it, and shows %s", plural(len(all), "event type"))
	for _, service := range n.content.Services {
		i := slices.IndexFunc(all, func(e calcom.EventType) bool { return e.ID == int64(service.EventType) })
		if i < 0 {
			n.say(StepTodo, service.Slug, "Cal.com shows this key no event type %d. Correct event_type in content/services/%s.md, or use a key of whoever owns it; there are: %s",
				service.EventType, service.Slug, names(all))
			continue
		}
		n.service(ctx, service, &all[i])
	}
	n.doubled(ctx)
	return ctx.Err()
}

// service sees to one service's event type. What Cal.com refuses is left for a person,
// and keeps nothing else from being done.
func (n *Connection) service(ctx context.Context, v *content.Service, listed *calcom.EventType) {
	e, err := n.api.EventType(ctx, listed)
	if err != nil {
		n.say(StepTodo, v.Slug, "event type %d cannot be read: %s", listed.ID, reason(err))
		return
	}
	n.compare(v, &e)
	n.question(ctx, v, &e)
	if err := n.webhook(ctx, v, &e); err != nil {
		n.say(StepTodo, v.Slug+", webhook", "%s. By hand: docs/operate.md, Setting up Cal.com", reason(err))
	}
}

// reason is an error without the name of the package it comes from.
func reason(err error) string { return strings.TrimPrefix(err.Error(), "calcom: ") }

// say reports a step.
func (n *Connection) say(state StepState, what, format string, args ...any) {
	detail := strings.TrimSuffix(fmt.Sprintf(format, args...), ": "+handoff.ErrUnavailable.Error()) // the words before have said it
	n.report(Step{n.site.ID, what, state, detail})
}

// compare tells where a service and its event type say different things.
func (n *Connection) compare(v *content.Service, e *calcom.EventType) {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if path.Base(v.Calendar) != e.Slug && e.Slug != "" {
		note("its calendar is %q there, and %q in content/services/%s.md", e.Slug, v.Calendar, v.Slug)
	}
	if e.Length != 0 && v.CallMinutes != e.Length {
		note("its calls take %d minutes there, and %d on the site", e.Length, v.CallMinutes)
	}
	if e.Confirm != (v.Confirmation != "") {
		note("a host accepts each booking there: %t, and on the site: %t", e.Confirm, v.Confirmation != "")
	}
	if e.Redirect != "" {
		note("after booking it sends the visitor to %s, away from the page that confirms the time; clear “Redirect on booking” in its advanced settings", e.Redirect)
	}
	if len(notes) > 0 {
		n.say(StepTodo, v.Slug, "event type %d “%s”: %s", e.ID, e.Title, strings.Join(notes, "; "))
		return
	}
	n.say(StepOK, v.Slug, "event type %d “%s”", e.ID, e.Title)
}

// questionLabel is what a host reads at Cal.com.
const questionLabel = "Handoff reference"

// question sees to the hidden question that carries the reference where Cal.com drops
// the metadata.
func (n *Connection) question(ctx context.Context, v *content.Service, e *calcom.EventType) {
	what := v.Slug + ", question"
	if q := e.Question(calcom.CarriedName); q != nil {
		switch {
		case !q.Hidden || q.Required:
			n.say(StepTodo, what, "“%s” must be hidden and not required; change it in the event type's advanced settings", calcom.CarriedName)
		default:
			n.say(StepOK, what, "“%s” is there, hidden", calcom.CarriedName)
		}
		return
	}
	byHand := fmt.Sprintf("add to event type %d, under Advanced, Booking questions, a “Short text” with the identifier %s, hidden and not required", e.ID, calcom.CarriedName)
	if !n.change {
		n.say(StepTodo, what, "it is missing; %s", byHand)
		return
	}
	refused := n.api.AddQuestion(ctx, e, calcom.CarriedName, questionLabel)
	after, err := n.api.EventType(ctx, e)
	if q := after.Question(calcom.CarriedName); err == nil && q != nil && q.Hidden {
		n.say(StepDone, what, "“%s” was added, hidden", calcom.CarriedName)
		return
	}
	why := "this Cal.com's API did not add it"
	if err := cmp.Or(refused, err); err != nil {
		why = reason(err)
	}
	n.say(StepTodo, what, "%s (%s)", byHand, why)
}

// address is where this site's webhooks come.
func (n *Connection) address() string { return n.site.URL + "/webhooks/calcom/" + n.site.ID }

// webhook sees to the webhook of an event type.
func (n *Connection) webhook(ctx context.Context, v *content.Service, e *calcom.EventType) error {
	what := v.Slug + ", webhook"
	there, err := n.find(ctx, e)
	if err != nil {
		return err
	}
	want := calcom.Webhook{URL: n.address(), Active: true, Triggers: calcom.Triggers(), Secret: n.secret}
	if there != nil {
		want.ID, want.Triggers = there.ID, withOurs(there.Triggers)
		wrong := n.faults(there)
		switch {
		case len(wrong) == 0:
			n.say(StepOK, what, "%s, %s", n.address(), plural(len(there.Triggers), "trigger"))
			return nil
		case there.Template != "":
			n.say(StepTodo, what, "it has a custom payload template, whose output is never trusted; remove it in the webhook's settings")
			return nil
		case !n.change:
			n.say(StepTodo, what, "%s", strings.Join(wrong, "; "))
			return nil
		}
	} else if !n.change {
		n.say(StepTodo, what, "there is none to %s", n.address())
		return nil
	}
	if !n.reached {
		n.say(StepTodo, what, "it is left as it is until its address works: see there")
		return nil
	}
	if err := n.api.PutWebhook(ctx, e, want); err != nil {
		return err
	}
	if there, err = n.find(ctx, e); err != nil {
		return err
	}
	if there == nil {
		n.say(StepTodo, what, "Cal.com said that it was made, and does not show it; add it by hand")
		return nil
	}
	if wrong := n.faults(there); len(wrong) > 0 {
		n.say(StepTodo, what, "after it was set, %s", strings.Join(wrong, "; "))
		return nil
	}
	n.say(StepDone, what, "%s, %s", n.address(), plural(len(there.Triggers), "trigger"))
	return nil
}

// withOurs are a webhook's triggers and ours. What somebody chose besides stays, as what
// the API cannot set.
func withOurs(there []string) []string {
	all := append(calcom.Triggers(), there...)
	slices.Sort(all)
	return slices.Compact(all)
}

// find finds this site's webhook of an event type; nil if there is none.
func (n *Connection) find(ctx context.Context, e *calcom.EventType) (*calcom.Webhook, error) {
	all, err := n.api.Webhooks(ctx, e)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(w calcom.Webhook) bool { return w.URL == n.address() }); i >= 0 {
		return &all[i], nil
	}
	return nil, nil
}

// faults are what is wrong with a webhook. Secrets are compared, and not shown.
func (n *Connection) faults(w *calcom.Webhook) []string {
	var out []string
	if !w.Active {
		out = append(out, "it is switched off")
	}
	if w.Secret != n.secret {
		out = append(out, "its secret is not this site's")
	}
	var missing []string
	for _, t := range calcom.Triggers() {
		if !slices.Contains(w.Triggers, t) {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		out = append(out, "it lacks "+strings.Join(missing, ", "))
	}
	if w.Template != "" {
		out = append(out, "it has a custom payload template")
	}
	return out
}

// doubled tells of a webhook of the key's owner to the same address.
func (n *Connection) doubled(ctx context.Context) {
	there, err := n.find(ctx, nil)
	switch {
	case err != nil:
		n.say(StepNote, "owner's webhook", "whether there is one cannot be read: %s", reason(err))
	case there == nil:
	case len(n.faults(there)) > 0:
		n.say(StepTodo, "owner's webhook", "it has the same address, and %s; remove it in Cal.com's settings, or what it sends fills the failure queue", strings.Join(n.faults(there), "; "))
	default:
		n.say(StepNote, "owner's webhook", "it has the same address, so events come twice, which does no harm, and those of other event types wait in the failure queue. Remove it in Cal.com's settings")
	}
}

// Down removes this site's webhooks from Cal.com, and reads back that they are gone.
// The hidden question stays: bookings that were made still carry it.
func (n *Connection) Down(ctx context.Context) error {
	all, err := n.api.EventTypes(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, scope := range append([]*calcom.EventType{nil}, pointers(all)...) {
		there, err := n.find(ctx, scope)
		if there == nil && err == nil {
			continue
		}
		found = true
		if err == nil && n.change {
			err = n.remove(ctx, scope, there.ID)
		}
		switch {
		case err != nil:
			n.say(StepTodo, scopeName(scope), "whether it has a webhook to %s, look yourself: %s", n.address(), reason(err))
		case !n.change:
			n.say(StepTodo, scopeName(scope), "its webhook to %s would be removed", n.address())
		default:
			n.say(StepDone, scopeName(scope), "its webhook to %s was removed", n.address())
		}
	}
	if !found {
		n.say(StepOK, "webhooks", "this key shows none to %s", n.address())
	}
	return ctx.Err()
}

// remove removes a webhook, and looks whether it is gone.
func (n *Connection) remove(ctx context.Context, scope *calcom.EventType, id string) error {
	if err := n.api.RemoveWebhook(ctx, scope, id); err != nil {
		return err
	}
	there, err := n.find(ctx, scope)
	if err == nil && there != nil {
		err = errors.New("it was removed, and Cal.com still shows it")
	}
	return err
}

func pointers(all []calcom.EventType) []*calcom.EventType {
	out := make([]*calcom.EventType, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out
}

func scopeName(e *calcom.EventType) string {
	if e == nil {
		return "key's owner"
	}
	return fmt.Sprintf("event type %d “%s”", e.ID, e.Title)
}

// names lists event types for whoever has to choose one.
func names(all []calcom.EventType) string {
	var out []string
	for _, e := range all {
		out = append(out, fmt.Sprintf("%d “%s”", e.ID, e.Title))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
