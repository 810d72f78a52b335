package csp

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin checks a Cal.com origin from a configuration and returns it as a
// browser writes it: scheme, host and, unless it is the usual one, port.
//
// The value goes into policies and into the list of origins whose messages the
// booking page accepts, so it must name exactly one origin: wildcards, paths,
// users and other schemes are refused, and http is for this computer only
// (localhost, *.localhost, 127.0.0.0/8). IPv6 addresses are refused because a
// policy cannot name them.
func Origin(s string) (string, error) {
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("csp: origin %q: %s: %w", s, why, ErrInvalid)
	}

	if len(s) > 300 {
		return bad("longer than 300 bytes")
	}
	// Checked on the text, since url.Parse decodes and forgives.
	if i := strings.IndexFunc(s, func(r rune) bool { return !originRune(r) }); i >= 0 {
		switch s[i] {
		case '*':
			return bad("a wildcard would let any host frame the calendar; name each host")
		case '[', ']':
			return bad("an IPv6 address cannot be named in a policy; use a host name")
		}
		return bad("only letters, digits, '-', '.', ':' and '/' are allowed (a non-ASCII host in its xn-- form)")
	}
	u, err := url.Parse(s)
	if err != nil {
		return bad("not a URL")
	}
	scheme := strings.ToLower(u.Scheme)
	switch {
	case scheme != "https" && scheme != "http":
		return bad("must start with https://")
	case u.Opaque != "" || u.Host == "":
		return bad("has no host")
	case u.Path != "":
		return bad("has a path; write " + scheme + "://" + u.Host)
	}

	host, port := strings.ToLower(u.Hostname()), u.Port()
	if !hostname(host) {
		return bad("not a host name")
	}
	if strings.HasSuffix(u.Host, ":") {
		return bad("has an empty port")
	}
	if port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
			return bad("port must be 1 to 65535")
		}
	}
	if scheme == "http" && !loopback(host) {
		return bad("http is for localhost only; use https")
	}

	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host, nil
	}
	return scheme + "://" + host + ":" + port, nil
}

func originRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-.:/", r)
}

// hostname reports whether s is a DNS name or an IPv4 address. A name whose last
// label is a number is neither: browsers would read it as an odd IPv4 address.
func hostname(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.HasPrefix(l, "-") || strings.HasSuffix(l, "-") {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(s) <= 253 && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// Allows reports whether the policy lets a page at self load target under the
// directive name, by host, scheme, 'self' and wildcards. Nonces and hashes are
// not considered, and under 'strict-dynamic' no host counts, as in browsers.
// Both URLs are absolute; one that cannot be read is not allowed.
func (p Policy) Allows(name, self, target string) bool {
	sources, governed := p.Effective(name)
	if !governed {
		return true
	}
	from, err1 := url.Parse(self)
	to, err2 := url.Parse(target)
	if err1 != nil || err2 != nil || to.Host == "" {
		return false
	}
	if strings.HasPrefix(name, "script-src") && contains(sources, "'strict-dynamic'") {
		return false
	}
	for _, s := range sources {
		if matches(strings.ToLower(s), from, to) {
			return true
		}
	}
	return false
}

// matches follows CSP Level 3, 6.7.2.8 "Does url match expression", without
// paths, which only narrow and which no redirect has to keep.
func matches(source string, from, to *url.URL) bool {
	switch {
	case source == "*":
		return to.Scheme == "http" || to.Scheme == "https" || to.Scheme == from.Scheme
	case source == "'self'":
		return strings.EqualFold(from.Host, to.Host) && schemeMatches(from.Scheme, to.Scheme)
	case strings.HasPrefix(source, "'"):
		return false
	case strings.HasSuffix(source, ":"):
		return schemeMatches(strings.TrimSuffix(source, ":"), to.Scheme)
	}

	scheme, rest, ok := strings.Cut(source, "://")
	if !ok {
		scheme, rest = from.Scheme, source
	}
	rest, _, _ = strings.Cut(rest, "/")
	host, port, _ := strings.Cut(rest, ":")
	toHost := strings.ToLower(to.Hostname())
	if after, wild := strings.CutPrefix(host, "*"); wild {
		if !strings.HasSuffix(toHost, after) || after == "" {
			return false
		}
	} else if host != toHost {
		return false
	}
	return schemeMatches(scheme, to.Scheme) && (port == "*" || portOf(port, scheme) == portOf(to.Port(), to.Scheme) ||
		portOf(port, scheme) == "80" && portOf(to.Port(), to.Scheme) == "443")
}

// schemeMatches: a source may be upgraded to TLS, never downgraded.
func schemeMatches(source, scheme string) bool {
	return source == scheme || source == "http" && scheme == "https"
}

func portOf(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	default:
		return "80"
	}
}
