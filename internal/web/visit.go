package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"handoff"
)

// visitCookie remembers for one browser session where a visitor came from: first
// touch. It holds what our own pages saw and no name for the visitor, is set only
// if there is something to remember, and ends with the browser.
const visitCookie = "visit"

// campaignNames are the query parameters that say where a visitor came from.
var campaignNames = []string{
	"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id",
	"gclid", "gbraid", "wbraid", "fbclid", "msclkid", "ttclid", "li_fat_id",
}

// Limits of what is remembered, in bytes.
const (
	maxCampaign = 200
	maxAddress  = 300
	maxVisit    = 4 << 10
)

// remember sets the cookie at a visitor's first page, if it tells anything.
func (s *Server) remember(w http.ResponseWriter, r *http.Request, site *Site) {
	if _, err := r.Cookie(visitCookie); err == nil {
		return
	}
	c := s.touch(r, site)
	if c.Referrer == "" && len(c.Campaign) == 0 {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: visitCookie, Value: encodeVisit(c), Path: "/", HttpOnly: true, Secure: s.Secure, SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Cache-Control", "private, no-cache")
}

// visit is where the visitor came from: as remembered, else as this request says.
func (s *Server) visit(r *http.Request, site *Site) handoff.Context {
	if cookie, err := r.Cookie(visitCookie); err == nil {
		if c, ok := decodeVisit(cookie.Value); ok {
			return c
		}
	}
	return s.touch(r, site)
}

// touch reads one request. Of a referrer only origin and path are kept, and none
// of the site's own.
func (s *Server) touch(r *http.Request, site *Site) handoff.Context {
	c := handoff.Context{Landing: cut(r.URL.Path, maxAddress)}
	query := r.URL.Query()
	for _, name := range campaignNames {
		if v := text(query.Get(name)); v != "" {
			if c.Campaign == nil {
				c.Campaign = map[string]string{}
			}
			c.Campaign[name] = cut(v, maxCampaign)
		}
	}
	from, err := url.Parse(r.Referer())
	if err == nil && (from.Scheme == "https" || from.Scheme == "http") && from.Host != r.Host && s.byHost[from.Hostname()] != site {
		c.Referrer = cut(text(from.Scheme+"://"+from.Host+from.EscapedPath()), maxAddress)
	}
	return c
}

func encodeVisit(c handoff.Context) string {
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeVisit reads what a browser sent back, which anybody can write: names and
// lengths are checked again.
func decodeVisit(s string) (handoff.Context, bool) {
	var c handoff.Context
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) > maxVisit || json.Unmarshal(b, &c) != nil {
		return handoff.Context{}, false
	}
	clean := handoff.Context{Landing: cut(text(c.Landing), maxAddress)}
	if from, err := url.Parse(c.Referrer); err == nil && (from.Scheme == "https" || from.Scheme == "http") {
		clean.Referrer = cut(text(from.Scheme+"://"+from.Host+from.EscapedPath()), maxAddress)
	}
	for _, name := range campaignNames {
		if v := text(c.Campaign[name]); v != "" {
			if clean.Campaign == nil {
				clean.Campaign = map[string]string{}
			}
			clean.Campaign[name] = cut(v, maxCampaign)
		}
	}
	return clean, true
}

// text drops control characters and what is no UTF-8.
func text(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// cut shortens s to n bytes at a character's end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
