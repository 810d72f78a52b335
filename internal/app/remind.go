package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"handoff"
	"handoff/internal/content"
	"handoff/internal/jobs"
	"handoff/internal/notify"
	"handoff/internal/store"
	"handoff/internal/web"
	"handoff/internal/web/desk"
)

// A MailConfig is the mail server that sends for all sites.
type MailConfig struct {
	Host     string     `yaml:"host"`
	Port     int        `yaml:"port"` // 0: 587, or 465 for implicit
	TLS      notify.TLS `yaml:"tls"`  // starttls, implicit or none; empty: starttls
	User     string     `yaml:"user"`
	Password Secret     `yaml:"password"`
}

// A RemindersConfig is when a site asks those again who did not book.
type RemindersConfig struct {
	After []Wait `yaml:"after"` // such as [2h, 2d]; empty: never
	Quiet string `yaml:"quiet"` // such as 20:00-08:00, in the visitor's time; empty: none
	From  string `yaml:"from"`  // address; empty: the site's own from site.yaml
}

// A Wait is a time span as it is written down: 30m, 2h, 3d.
type Wait time.Duration

// UnmarshalYAML reads a wait.
func (w *Wait) UnmarshalYAML(b []byte) error {
	s := strings.Trim(strings.TrimSpace(string(b)), `"'`)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 366 {
			return fmt.Errorf("%q is no time span; write it like 30m, 2h or 3d", s)
		}
		*w = Wait(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no time span; write it like 30m, 2h or 3d", s)
	}
	*w = Wait(d)
	return nil
}

var clockHours = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$`)

// quiet reads quiet hours.
func quiet(s string) (handoff.Quiet, error) {
	if s == "" {
		return handoff.Quiet{}, nil
	}
	m := clockHours.FindStringSubmatch(s)
	if m == nil {
		return handoff.Quiet{}, fmt.Errorf("quiet: %q; write it like 20:00-08:00", s)
	}
	minutes := func(h, m string) int { return int(h[0]-'0')*600 + int(h[1]-'0')*60 + int(m[0]-'0')*10 + int(m[1]-'0') }
	return handoff.Quiet{From: minutes(m[1], m[2]), To: minutes(m[3], m[4])}, nil
}

// Bounds of a wait: sooner is a pest, later a surprise.
const (
	minWait = 30 * time.Minute
	maxWait = 60 * 24 * time.Hour
)

// check reports the first fault.
func (r *RemindersConfig) check() error {
	if len(r.After) > content.MaxReminders {
		return fmt.Errorf("after: there are %d; at most %d are sent", len(r.After), content.MaxReminders)
	}
	for i, w := range r.After {
		if d := time.Duration(w); d < minWait || d > maxWait {
			return fmt.Errorf("after[%d]: a wait is %s to 60d", i, minWait)
		}
		if i > 0 && time.Duration(w) < time.Duration(r.After[i-1])+time.Hour {
			return fmt.Errorf("after[%d]: each is at least an hour after the one before", i)
		}
	}
	if _, err := quiet(r.Quiet); err != nil {
		return err
	}
	if r.From != "" {
		if a, err := mail.ParseAddress(r.From); err != nil || a.Address != r.From {
			return fmt.Errorf("from: %q is no e-mail address", r.From)
		}
	}
	return nil
}

// mailServer reads the mail server; nil if there is none.
func (c *Config) mailServer() (*notify.Server, error) {
	m := c.Mail
	if m.Host == "" {
		return nil, nil
	}
	s := &notify.Server{Host: m.Host, Port: m.Port, TLS: m.TLS, User: m.User}
	switch s.TLS {
	case "":
		s.TLS = notify.StartTLS
	case notify.StartTLS, notify.Implicit, notify.Plain:
	default:
		return nil, fmt.Errorf("mail.tls: %q; write starttls, implicit or none", s.TLS)
	}
	if s.Port == 0 {
		s.Port = map[notify.TLS]int{notify.Implicit: 465}[s.TLS]
	}
	if s.Port == 0 {
		s.Port = 587
	}
	if s.Port < 1 || s.Port > 65535 {
		return nil, fmt.Errorf("mail.port: %d; a port is 1 to 65535", m.Port)
	}
	if s.TLS == notify.Plain && !loopback(m.Host) {
		return nil, errors.New("mail.tls: none would send letters in clear; it is for a server on this machine alone. Write starttls or implicit")
	}
	if m.User == "" {
		if m.Password != (Secret{}) {
			return nil, errors.New("mail.user: there is a password, and no name for it")
		}
		return s, nil
	}
	var err error
	if s.Password, err = m.Password.value(c.dir); err != nil {
		return nil, fmt.Errorf("mail.password: %w", err)
	}
	return s, nil
}

// loopback reports a host that is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reminders wires a site's reminders; nil if it sends none.
func (c *Config) reminders(sc *SiteConfig, site *web.Site, server *notify.Server, keys handoff.Keys) (*jobs.Reminders, error) {
	if len(sc.Reminders.After) == 0 {
		return nil, nil
	}
	if server == nil {
		return nil, errors.New("reminders: there is no mail server; name one as mail.host")
	}
	r := &jobs.Reminders{Zone: site.Content.Location(), Mailer: server, Serves: func(service string) bool { return site.Content.Service(service) != nil }}
	for i, w := range sc.Reminders.After {
		r.After = append(r.After, time.Duration(w))
		if site.Content.Reminders[i+1] == nil {
			return nil, fmt.Errorf("reminders.after names %d, and there is no mail/reminder-%d.md in the content folder", len(sc.Reminders.After), i+1)
		}
	}
	var err error
	if r.Quiet, err = quiet(sc.Reminders.Quiet); err != nil {
		return nil, err
	}
	from := sc.Reminders.sender(site.Content)
	r.Write = func(one store.Reminder) (notify.Mail, error) { return letter(site.Content, keys, from, one) }
	return r, nil
}

// sender is the address that reminders come from.
func (r *RemindersConfig) sender(site *content.Site) string { return cmp.Or(r.From, site.Email) }

// letter writes a reminder.
func letter(site *content.Site, keys handoff.Keys, from string, one store.Reminder) (notify.Mail, error) {
	reference := keys.Sign(one.Site, one.Submission)
	service := site.Service(one.Service)
	if service == nil {
		return notify.Mail{}, fmt.Errorf("the service is sold no more: %w", notify.ErrRefused)
	}
	template := site.Reminders[one.Number]
	if template == nil {
		return notify.Mail{}, fmt.Errorf("there is no letter %d: %w", one.Number, notify.ErrRefused)
	}
	subject, text, page, err := template.Fill(map[string]string{
		"first_name": FirstName(one.Name), "service": service.Title, "link": site.URL + "/book/" + reference, "business": site.Name,
	})
	if err != nil {
		return notify.Mail{}, fmt.Errorf("%w: %w", notify.ErrRefused, err)
	}
	stop := site.URL + "/stop/" + keys.SignStop(one.Site, one.Submission)
	return notify.Mail{
		FromName: site.Name, From: from, To: one.Email, Subject: subject, Stop: stop,
		Text: text + "\n-- \nNo more reminders: " + stop + "\n",
		HTML: "<!doctype html><html><body>" + page + `<hr><p><a href="` + stop + `">No more reminders</a></p></body></html>`,
		ID:   fmt.Sprintf("%s.%d@%s", one.ID, one.Number, hostOf(site.URL)),
	}, nil
}

func hostOf(address string) string {
	_, host, _ := strings.Cut(address, "://")
	return host
}

// maxFirstName is the longest first name that a letter begins with, in characters.
const maxFirstName = 30

// FirstName is what a letter calls somebody. A form can be sent with anybody's address,
// so a name that is more than a name is not written to them.
func FirstName(name string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(name), " ")
	ok := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsMark(r) || r == '-' || r == '\'' || r == '’'
	}
	if first == "" || len([]rune(first)) > maxFirstName || strings.ContainsFunc(first, func(r rune) bool { return !ok(r) }) {
		return "there"
	}
	return first
}

// letterbox is what a site sends to people.
type letterbox struct {
	reminders *jobs.Reminders
	telling   *jobs.Telling
}

// reminding is when the site's reminders are sent; nil: never.
func (b letterbox) reminding() *handoff.Reminding {
	if b.reminders == nil {
		return nil
	}
	return &b.reminders.Reminding
}

// letterboxes wires what all sites send to people.
func (c *Config) letterboxes(sites []*web.Site, keys handoff.Keys) (map[string]letterbox, error) {
	server, err := c.mailServer()
	if err != nil {
		return nil, err
	}
	out := map[string]letterbox{}
	for i, site := range sites {
		var b letterbox
		if b.reminders, err = c.reminders(&c.Sites[i], site, server, keys); err == nil {
			b.telling, err = c.telling(&c.Sites[i], site, server)
		}
		if err != nil {
			return nil, fmt.Errorf("site %s: %w", site.ID, err)
		}
		out[site.ID] = b
	}
	return out, nil
}

// letters are a site's reminders as their readers get them, to somebody made up; also
// where none are sent so far.
func letters(site *web.Site, keys handoff.Keys, r *jobs.Reminders) []desk.Letter {
	var waits []time.Duration
	write := func(one store.Reminder) (notify.Mail, error) {
		return letter(site.Content, keys, site.Content.Email, one)
	}
	if r != nil {
		waits, write = r.After, r.Write
	}
	if len(site.Content.Services) == 0 {
		return nil
	}
	service := site.Content.Services[0].Slug
	var out []desk.Letter
	for _, number := range slices.Sorted(maps.Keys(site.Content.Reminders)) {
		m, err := write(store.Reminder{Lead: handoff.Lead{Site: site.ID, Name: "Dana Example", Service: service}, Number: number, Submission: "sub_sample"})
		if err != nil {
			continue // the content was checked: it can be written
		}
		one := desk.Letter{Number: number, From: m.FromName + " <" + m.From + ">", Subject: m.Subject, Text: m.Text}
		if number <= len(waits) {
			one.After = spanWords(waits[number-1])
		}
		out = append(out, one)
	}
	return out
}

// spanWords says a wait in words.
func spanWords(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := d / u.unit; n > 0 && d%u.unit == 0 {
			return plural(int(n), u.name)
		}
	}
	return d.String()
}

// quietWords says quiet hours in words; empty if there are none.
func quietWords(r *jobs.Reminders) string {
	if r == nil || r.Quiet == (handoff.Quiet{}) {
		return ""
	}
	at := func(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }
	return at(r.Quiet.From) + " to " + at(r.Quiet.To)
}
