package app

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"handoff"
	"handoff/internal/content"
	"handoff/internal/web"
	"handoff/internal/web/desk"
)

// shownSecrets are webhook secrets as they may be shown.
func shownSecrets(k handoff.Key, secrets []web.Secret) []desk.Secret {
	var out []desk.Secret
	for _, s := range secrets {
		out = append(out, desk.Secret{Sign: web.SecretSign(k, s.Value), Until: s.Until})
	}
	return out
}

// place says where a secret is kept; empty: there is none.
func (s Secret) place() string {
	switch {
	case s.Env != "":
		return "environment variable " + s.Env
	case s.File != "":
		return "file " + s.File
	}
	return ""
}

// settings are what is configured for a site, without anything secret.
func (c *Config) settings(sc *SiteConfig, site *web.Site) []desk.SettingGroup {
	return []desk.SettingGroup{
		{Title: "Website", Settings: websiteSettings(sc, site)},
		{Title: "Cal.com", Settings: c.calcomSettings(sc)},
		{Title: "Pipeline", Settings: pipelineSettings(site.Pipeline)},
		{Title: "Bookings that need nobody", Settings: ignoreSettings(site.Ignore)},
		{Title: "Reminders, and what the desk shows", Settings: reminderSettings(sc, site.Content)},
		{Title: "Telling people", Settings: notifySettings(sc.Notify)},
		{Title: "The install", Settings: c.installSettings()},
	}
}

func websiteSettings(sc *SiteConfig, site *web.Site) []desk.Setting {
	var services []string
	for _, v := range site.Content.Services {
		services = append(services, fmt.Sprintf("%s: event type %d, %s", v.Title, v.EventType, v.Calendar))
	}
	return []desk.Setting{
		{Name: "ID", Values: []string{sc.ID}},
		{Name: "Address", Values: []string{sc.URL}},
		{Name: "Further hosts", Values: sc.Hosts},
		{Name: "Content folder", Values: []string{sc.Content}},
		{Name: "Time zone", Values: []string{site.Content.Location().String()}},
		{Name: "Services", Values: services},
	}
}

func (c *Config) calcomSettings(sc *SiteConfig) []desk.Setting {
	cal := &sc.Calcom
	key := some(cal.API.Key.place())
	if cal.API.Key.isMissing(c.dir) {
		key = nil
	}
	out := []desk.Setting{
		{Name: "Booking pages", Values: cal.Origins},
		{Name: "API", Values: some(cal.API.URL)},
		{Name: "Key of the API", Values: key},
		{Name: "Webhook address", Values: []string{sc.URL + "/webhooks/calcom/" + sc.ID}},
		{Name: "Webhook secret", Values: some(cal.WebhookSecret.place())},
	}
	if p := cal.PreviousSecret; p != nil {
		out = append(out, desk.Setting{Name: "Secret before it", Values: []string{p.Secret.place() + ", accepted until " + p.Until.UTC().Format(time.RFC3339)}})
	}
	var retired []string
	for _, s := range cal.RetiredSecrets {
		retired = append(retired, s.place())
	}
	return append(out, desk.Setting{Name: "Recognised, not accepted", Values: retired})
}

func pipelineSettings(p handoff.Pipeline) []desk.Setting {
	var stages, on, final []string
	for _, s := range p.Stages {
		stages = append(stages, string(s))
	}
	for _, situation := range handoff.Situations {
		on = append(on, string(situation)+" → "+string(p.On[situation]))
	}
	for _, s := range p.Final {
		final = append(final, string(s))
	}
	reopen := "no: only a person leaves them"
	if p.Reopen {
		reopen = "yes"
	}
	return []desk.Setting{
		{Name: "Stages", Values: some(strings.Join(stages, " · "))},
		{Name: "What leads where", Values: on},
		{Name: "Final stages", Values: final},
		{Name: "A booking reopens them", Values: []string{reopen}},
	}
}

func ignoreSettings(rules []handoff.IgnoreRule) []desk.Setting {
	var out []desk.Setting
	for _, r := range rules {
		values := []string{r.Reason}
		for _, t := range r.EventTypes {
			values = append(values, "event type "+strconv.FormatInt(t, 10))
		}
		if r.OtherEventTypes {
			values = append(values, "event types that no service has")
		}
		for _, h := range r.Hosts {
			values = append(values, "host "+h)
		}
		for _, a := range r.Attendees {
			values = append(values, "attendee "+a)
		}
		out = append(out, desk.Setting{Name: "“" + r.Name + "”", Values: values})
	}
	if out == nil {
		out = []desk.Setting{{Name: "Rules"}}
	}
	return out
}

func reminderSettings(sc *SiteConfig, site *content.Site) []desk.Setting {
	var waits []string
	for _, w := range sc.Reminders.After {
		waits = append(waits, spanWords(time.Duration(w))+" after the form")
	}
	return []desk.Setting{
		{Name: "Reminders", Values: waits},
		{Name: "Quiet hours", Values: some(sc.Reminders.Quiet)},
		{Name: "From", Values: []string{site.Name + " <" + sc.Reminders.sender(site) + ">"}},
		{Name: "Who did not book needs a person", Values: []string{spanWords(sc.Desk.unbooked()) + " after the form"}},
	}
}

// notifySettings name channels, and of those whose address is a secret no more than what
// they are.
func notifySettings(channels []NotifyConfig) []desk.Setting {
	out := []desk.Setting{{Name: "Channels"}}
	for i := range channels {
		n := &channels[i]
		what := "Mail to " + n.Mail
		switch {
		case n.Slack != (Secret{}):
			what = "Slack, " + n.Slack.place()
		case n.Webhook != (Secret{}) && n.Secret != (Secret{}):
			what = "Webhook, signed, " + n.Webhook.place()
		case n.Webhook != (Secret{}):
			what = "Webhook, " + n.Webhook.place()
		}
		about := "everything"
		if len(n.About) > 0 {
			about = strings.Trim(fmt.Sprint(n.About), "[]")
		}
		out[0].Values = append(out[0].Values, what+"; about "+about)
	}
	return out
}

func (c *Config) installSettings() []desk.Setting {
	engine := "SQLite"
	if strings.Contains(c.Store, "://") {
		engine = "PostgreSQL"
	}
	mail := ""
	if m := c.Mail; m.Host != "" {
		mail = m.Host
		if m.Port != 0 {
			mail = net.JoinHostPort(m.Host, strconv.Itoa(m.Port))
		}
	}
	return []desk.Setting{
		{Name: "Store", Values: []string{engine}},
		{Name: "Schema brought up to date", Values: []string{map[string]string{migrateAtStart: "at the start", migrateByCommand: "by handoff migrate"}[c.Migrate]}},
		{Name: "Mail server", Values: some(mail)},
		{Name: "Trusted proxies", Values: c.TrustedProxies},
	}
}

// some is a list of a text; of none if it is empty.
func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
