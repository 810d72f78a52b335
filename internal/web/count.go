package web

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"handoff"
	"handoff/internal/store"
)

// What is counted of visits is numbers of a day, by service and by where visitors came
// from, and nothing about any of them: no cookie is set for it, no address is kept, and
// nobody is known again.

// count counts a step that a visitor took, unless nobody takes it.
func (s *Server) count(r *http.Request, site *Site, kind store.TallyKind, service, source string) {
	if !counts(r) {
		return
	}
	s.Store.Tally(store.Tally{Site: site.ID, Kind: kind, At: s.Now().In(site.Content.Location()).Format(time.DateOnly), Service: service, Source: source})
}

// countVisit counts who comes to the site from elsewhere, and who opens a service's page.
func (s *Server) countVisit(r *http.Request, site *Site, service string) {
	source := s.visit(r, site).Source()
	if s.arrives(r, site) {
		s.count(r, site, store.TallyVisit, "", source)
	}
	if service != "" {
		s.count(r, site, store.TallyVisit, service, source)
	}
}

// arrives reports that a visitor comes from elsewhere than a page of the site: by a link
// of another one, a bookmark, or the address. Browsers say so; of an old one its referrer
// does.
func (s *Server) arrives(r *http.Request, site *Site) bool {
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" {
		return from != "same-origin"
	}
	from, err := url.Parse(r.Referer())
	return err != nil || from.Host == "" || from.Host != r.Host && s.byHost[from.Hostname()] != site
}

// robots are parts of names that programs give themselves, in small letters.
var robots = []string{
	"bot", "crawl", "spider", "slurp", "preview", "scan", "monitor", "check", "fetch", "headless", "lighthouse", "facebookexternalhit",
	"curl", "wget", "python", "java/", "go-http-client", "node", "axios", "okhttp", "ruby", "php", "perl", "http",
}

// counts reports that a person seems to look at a page: not a program that says what it
// is, nor a browser that only prepares for a click, nor a part of another page.
func counts(r *http.Request) bool {
	agent := strings.ToLower(r.UserAgent())
	if r.Method != http.MethodGet || agent == "" || r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") == "prefetch" || r.Header.Get("X-Moz") == "prefetch" {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	if into := r.Header.Get("Sec-Fetch-Dest"); into != "" && into != "document" {
		return false
	}
	for _, name := range robots {
		if strings.Contains(agent, name) {
			return false
		}
	}
	return true
}

// shownTo are the submissions to which the calendar was shown on a day, so that who opens
// it again is counted once a day. It is in memory, and bounded.
type shownTo struct {
	mu   sync.Mutex
	day  string
	seen map[handoff.SubmissionID]bool
}

// maxShown is how many submissions are remembered: beyond, some are counted again.
const maxShown = 20_000

// first reports that a submission was not there on that day.
func (c *shownTo) first(day string, id handoff.SubmissionID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.day != day || len(c.seen) >= maxShown {
		c.day, c.seen = day, map[handoff.SubmissionID]bool{}
	}
	if c.seen[id] {
		return false
	}
	c.seen[id] = true
	return true
}

// countCalendar counts who is shown the calendar, once a day.
func (s *Server) countCalendar(r *http.Request, site *Site, v visitor) {
	day := s.Now().In(site.Content.Location()).Format(time.DateOnly)
	if counts(r) && s.calendars.first(day, v.submission.ID) {
		s.count(r, site, store.TallyCalendar, v.submission.Service, v.submission.Context.Source())
	}
}
