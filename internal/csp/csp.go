// Package csp builds, merges and reads Content-Security-Policy values.
//
// Every policy that Handoff sends comes from here: [Public] for the public
// pages, [Booking] for the page with the calendar, [Desk] for the operator's
// desk. [Parse] and [Policy.Merge] serve sites that host the booking step
// themselves and want to know what to add to their own policy.
package csp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of Parse. Real policies are below a tenth of each; a longer one is
// broken or hostile.
const (
	MaxLength     = 16 << 10 // bytes of one policy
	MaxDirectives = 64       // directives of one policy
	MaxSources    = 256      // sources of one directive
)

// ErrInvalid: a policy or an origin is not one we accept. The text around it
// says which part, and what to write instead.
var ErrInvalid = errors.New("invalid")

// A Directive is one line of a policy.
type Directive struct {
	Name    string   // lower case, such as "frame-src"
	Sources []string // as written; empty for directives without a value
}

// A Policy is a list of directives in the order they are written. Each name
// occurs once. The empty policy restricts nothing.
//
// A Policy is never changed in place: With and Merge return a new one.
type Policy []Directive

// none is the source that stands for an empty list. It counts only when alone.
const none = "'none'"

// Parse reads one policy as browsers do: names are case-insensitive, empty
// directives are skipped, and of a name given twice the first counts.
//
// Errors (ErrInvalid): a policy over the bounds above, a comma (a header with
// several policies: see ParseHeader), a control or non-ASCII character, a name
// that is none.
func Parse(s string) (Policy, error) {
	if len(s) > MaxLength {
		return nil, fmt.Errorf("csp: policy of %d bytes, at most %d are read: %w", len(s), MaxLength, ErrInvalid)
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == ',':
			return nil, fmt.Errorf("csp: comma at byte %d separates two policies, expected one: %w", i, ErrInvalid)
		case c == '\t' || c == '\n' || c == '\r' || c == '\f':
		case c < ' ' || c > '~':
			return nil, fmt.Errorf("csp: character %#02x at byte %d: %w", c, i, ErrInvalid)
		}
	}

	var p Policy
	for part := range strings.SplitSeq(s, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		switch {
		case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			return nil, fmt.Errorf("csp: %q is not a directive name: %w", words[0], ErrInvalid)
		case len(words)-1 > MaxSources:
			return nil, fmt.Errorf("csp: %s has %d sources, at most %d are read: %w", name, len(words)-1, MaxSources, ErrInvalid)
		case p.index(name) >= 0:
			continue
		case len(p) == MaxDirectives:
			return nil, fmt.Errorf("csp: more than %d directives: %w", MaxDirectives, ErrInvalid)
		}
		p = append(p, Directive{name, words[1:]})
	}
	return p, nil
}

// ParseHeader reads the values of a Content-Security-Policy header. Each value
// may hold several policies, separated by commas; a page must satisfy them all.
func ParseHeader(values []string) ([]Policy, error) {
	var all []Policy
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			p, err := Parse(part)
			if err != nil {
				return nil, err
			}
			if len(p) > 0 {
				all = append(all, p)
			}
			if len(all) > MaxDirectives {
				return nil, fmt.Errorf("csp: more than %d policies: %w", MaxDirectives, ErrInvalid)
			}
		}
	}
	return all, nil
}

// String writes the policy as a header value.
func (p Policy) String() string {
	var b strings.Builder
	for i, d := range p {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(d.Name)
		for _, s := range d.Sources {
			b.WriteByte(' ')
			b.WriteString(s)
		}
	}
	return b.String()
}

// Sources returns what the policy itself says under name, without fallback, and
// whether it says anything.
func (p Policy) Sources(name string) ([]string, bool) {
	i := p.index(name)
	if i < 0 {
		return nil, false
	}
	return slices.Clone(p[i].Sources), true
}

// Effective returns the source list that governs name, which for the directives
// that load something may be another one's (frame-src, then child-src, then
// default-src), and whether anything governs it at all.
func (p Policy) Effective(name string) ([]string, bool) {
	for _, n := range append([]string{name}, fallbacks[name]...) {
		if s, ok := p.Sources(n); ok {
			return s, true
		}
	}
	return nil, false
}

// With returns the policy with name set to sources, in its old place if it had one.
func (p Policy) With(name string, sources ...string) Policy {
	q := slices.Clone(p)
	d := Directive{name, slices.Clone(sources)}
	if i := q.index(name); i >= 0 {
		q[i] = d
		return q
	}
	return append(q, d)
}

// Merge returns p widened by what other lists, so that a page that was made for
// other runs under it too. It never takes away anything that p allows:
//
//   - a source list becomes the union of both, 'none' only where both are empty;
//   - what p governs by a fallback gets its own directive, starting from that
//     fallback (default-src 'self' and frame-src A give frame-src 'self' A);
//   - what p does not govern stays ungoverned, since a new directive would forbid;
//   - nonces, hashes and 'strict-dynamic' of other are left out where they would
//     switch off 'unsafe-inline' or the host list of p.
func (p Policy) Merge(other Policy) Policy {
	out := slices.Clone(p)
	for _, name := range names(p, other) {
		have, governed := p.Effective(name)
		more, wanted := other.Effective(name)
		if !governed || !wanted || !lists(name) {
			continue
		}
		sources := union(have, more)
		if _, own := p.Sources(name); own || !slices.Equal(sources, union(have, nil)) {
			out = out.With(name, sources...)
		}
	}
	return out
}

// names lists the directives of both policies once each, p's first.
func names(p, other Policy) []string {
	var all []string
	for _, d := range slices.Concat(p, other) {
		if !slices.Contains(all, d.Name) {
			all = append(all, d.Name)
		}
	}
	return all
}

// union joins two source lists in order.
func union(have, more []string) []string {
	var all []string
	for _, s := range have {
		if !is(s, none) && !contains(all, s) {
			all = append(all, s)
		}
	}
	inline, dynamic := contains(have, "'unsafe-inline'"), contains(have, "'strict-dynamic'")
	closed := len(all) == 0 // nothing to switch off
	for _, s := range more {
		switch {
		case is(s, none) || contains(all, s):
		case inline && strict(s):
		case is(s, "'strict-dynamic'") && !dynamic && !closed:
		default:
			all = append(all, s)
		}
	}
	if len(all) == 0 && len(have)+len(more) > 0 {
		return []string{none}
	}
	return all
}

// strict reports whether browsers ignore 'unsafe-inline' beside s.
func strict(s string) bool {
	s = strings.ToLower(s)
	return s == "'strict-dynamic'" || strings.HasPrefix(s, "'nonce-") || strings.HasPrefix(s, "'sha")
}

// contains compares keywords, schemes and hosts without regard to case; nonces,
// hashes and paths keep theirs.
func contains(list []string, s string) bool {
	return slices.ContainsFunc(list, func(t string) bool { return is(t, s) })
}

func is(a, b string) bool {
	if a == b {
		return true
	}
	if strict(a) && strict(b) {
		return strings.EqualFold(a, "'strict-dynamic'") && strings.EqualFold(a, b)
	}
	_, rest, _ := strings.Cut(a, "://")
	return !strings.Contains(rest, "/") && strings.EqualFold(a, b)
}

// lists reports whether the value of a directive is a list that widens when a
// source is added. The rest (sandbox, report-to …) belongs to its own site.
func lists(name string) bool {
	switch name {
	case "default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types":
		return true
	}
	_, fetches := fallbacks[name]
	return fetches
}

// fallbacks names the directives asked in turn when a policy does not have the
// one that is needed.
//
// Source: W3C CSP Level 3, 6.8.3 "Get fetch directive fallback list"
var fallbacks = map[string][]string{
	"child-src":       {"default-src"},
	"connect-src":     {"default-src"},
	"font-src":        {"default-src"},
	"frame-src":       {"child-src", "default-src"},
	"img-src":         {"default-src"},
	"manifest-src":    {"default-src"},
	"media-src":       {"default-src"},
	"object-src":      {"default-src"},
	"script-src":      {"default-src"},
	"script-src-attr": {"script-src", "default-src"},
	"script-src-elem": {"script-src", "default-src"},
	"style-src":       {"default-src"},
	"style-src-attr":  {"style-src", "default-src"},
	"style-src-elem":  {"style-src", "default-src"},
	"worker-src":      {"child-src", "script-src", "default-src"},
}

func (p Policy) index(name string) int {
	return slices.IndexFunc(p, func(d Directive) bool { return d.Name == name })
}
