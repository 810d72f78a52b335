package content

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The forms of what a content file may say.
var (
	slugForm     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	idForm       = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z]{2})?$`)
	countryForm  = regexp.MustCompile(`^[A-Z]{2}$`)
	clockForm    = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	phoneForm    = regexp.MustCompile(`^\+[1-9][0-9 ()-]{5,23}[0-9]$`)
	calendarForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]{0,79}(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,79}){1,3}$`)
)

// text checks a plain text of least to most characters.
func (f *file) text(field, value string, least, most int) {
	switch n := utf8.RuneCountInString(value); {
	case n == 0 && least > 0:
		f.fault(field, "is missing")
	case n > most:
		f.fault(field, "has %d characters, at most %d", n, most)
	case strings.TrimSpace(value) != value:
		f.fault(field, "begins or ends with a space or line break")
	case strings.ContainsFunc(value, unicode.IsControl):
		f.fault(field, "holds a line break or control character")
	}
}

func (f *file) list(field string, values []string, most, length int) {
	if len(values) > most {
		f.fault(field, "has %d entries, at most %d", len(values), most)
	}
	for i, v := range values {
		f.text(fmt.Sprintf("%s[%d]", field, i), v, 1, length)
	}
}

func (f *file) match(field, value string, form *regexp.Regexp, want string) {
	switch {
	case value == "":
		f.fault(field, "is missing: expected %s", want)
	case !form.MatchString(value):
		f.fault(field, "%q is not %s", value, want)
	}
}

func (f *file) oneOf(field, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		f.fault(field, "%q is none of %s", value, strings.Join(allowed, ", "))
	}
}

// date reads a day, at midnight UTC.
func (f *file) date(field, value string) time.Time {
	if value == "" {
		f.fault(field, "is missing: expected a date such as 2026-03-02")
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, value)
	if err != nil {
		f.fault(field, "%q is not a date such as 2026-03-02", value)
	}
	return t
}

func (f *file) siteURL(field, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || len(value) > 200 {
		f.fault(field, "%q is not an address such as https://brightwater.example, without a path", value)
	}
}

// link checks a link that a YAML field holds.
func (f *file) link(field, href string) {
	line, column := f.place(field)
	if why := f.target(Error{f.name, line, column, field, ""}, href); why != "" {
		f.fault(field, "%s", why)
	}
}

// target says what is wrong with a link, "" if nothing. A link within the site
// is noted and checked when all pages are known.
func (f *file) target(at Error, href string) string {
	u, err := url.Parse(href)
	switch {
	case err != nil || len(href) > 500:
		return fmt.Sprintf("%q is not a link", href)
	case u.Scheme == "https" && u.Host != "", u.Scheme == "mailto" || u.Scheme == "tel":
		return ""
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(href, "/"):
		f.links = append(f.links, reference{at, href})
		return ""
	}
	return fmt.Sprintf("%q must be a page of this site (beginning with /), https, mailto or tel", href)
}
