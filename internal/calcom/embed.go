package calcom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"handoff"
)

// spoken are the words of Cal.com's frame protocol that our booking page lives by. They
// stand in Cal.com's own embed script, which speaks the other end of it.
//
// Source: embed-core 1.5.3, dist/embed/embed.js; embed-iframe.ts (web.md §1.5).
var spoken = []string{"__iframeReady", "parentKnowsIframeReady", "__dimensionChanged", "linkReady", "linkFailed"}

// ErrBarred says that Cal.com, or what stands before it, does not answer programs, or not
// so many questions. Visitors' browsers may fare otherwise.
var ErrBarred = errors.New("it does not answer a program")

// maxEmbed is how much of an answer is read, in bytes; the script has 87,000.
const maxEmbed = 4 << 20

// follower follows redirects as a frame does.
var follower = &http.Client{Timeout: client.Timeout}

// Framed tells what keeps a booking page out of a frame: that it leads to an origin
// which the page around it does not allow, or itself allows no such frame. Empty:
// nothing does. parent is the origin of the page around it, origins are those that it
// allows. An error says that it could not be looked at: ErrNotFound that there is no
// such page, ErrBarred that programs get no answer.
func Framed(ctx context.Context, origins []string, calendar, parent string) (fault string, err error) {
	address := page(origins[0], calendar) + "/embed?embed=handoff&embedType=inline&layout=month_view"
	res, err := fetch(ctx, address)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	at := res.Request.URL.Scheme + "://" + res.Request.URL.Host
	switch {
	case !slices.Contains(origins, at):
		return fmt.Sprintf("it leads to %s, which this site does not allow in its frame; write that as calcom.origins", at), nil
	case !framable(res.Header, at, parent):
		return fmt.Sprintf("it lets %s not show it in a frame, by the headers that it sends: %s", parent, framing(res.Header)), nil
	}
	return "", nil
}

// Speaks tells which words of the frame protocol Cal.com's own embed script does not
// have any more. Empty: it has them all.
func Speaks(ctx context.Context, origin string) (missing []string, err error) {
	res, err := fetch(ctx, page(origin, "embed")+"/embed.js")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	script, err := io.ReadAll(io.LimitReader(res.Body, maxEmbed))
	if err != nil {
		return nil, fmt.Errorf("calcom: embed script: %w: %w", err, handoff.ErrUnavailable)
	}
	for _, word := range spoken {
		if !bytes.Contains(script, []byte(word)) {
			missing = append(missing, word)
		}
	}
	if len(missing) == len(spoken) { // a page that asks to wait, say: no release drops every word
		return nil, fmt.Errorf("calcom: something else than the embed script answers: %w", handoff.ErrUnavailable)
	}
	return missing, nil
}

// fetch gets an address, wherever it leads. The caller closes the body.
func fetch(ctx context.Context, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("calcom: %w", err)
	}
	res, err := follower.Do(req)
	if err != nil {
		return nil, fmt.Errorf("calcom: it does not answer: %w: %w", nameless(err), handoff.ErrUnavailable)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	res.Body.Close()
	switch res.StatusCode {
	case http.StatusNotFound:
		return nil, fmt.Errorf("calcom: it answers 404: %w", handoff.ErrNotFound)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return nil, fmt.Errorf("calcom: it answers %d: %w", res.StatusCode, ErrBarred)
	}
	return nil, fmt.Errorf("calcom: it answers %d: %w", res.StatusCode, handoff.ErrUnavailable)
}

// framing are the headers that speak of frames, for a person.
func framing(h http.Header) string {
	out := h.Values("X-Frame-Options")
	for _, list := range ancestors(h) {
		out = append(out, "frame-ancestors "+strings.Join(list, " "))
	}
	return strings.Join(out, "; ")
}

// framable reports whether an answer may be shown in a frame of a page of parent. Every
// policy has to allow it, and X-Frame-Options counts only where none speaks of frames.
//
// Source: Content Security Policy Level 3, §6.4.2; HTML, X-Frame-Options.
func framable(h http.Header, at, parent string) bool {
	lists := ancestors(h)
	for _, list := range lists {
		if !slices.ContainsFunc(list, func(source string) bool { return allows(source, at, parent) }) {
			return false
		}
	}
	if len(lists) > 0 {
		return true
	}
	for _, value := range strings.Split(strings.Join(h.Values("X-Frame-Options"), ","), ",") {
		switch strings.ToUpper(strings.TrimSpace(value)) {
		case "DENY":
			return false
		case "SAMEORIGIN":
			if at != parent {
				return false
			}
		}
	}
	return true
}

// ancestors are the source lists of each frame-ancestors directive that is enforced.
func ancestors(h http.Header) (lists [][]string) {
	for _, policy := range strings.Split(strings.Join(h.Values("Content-Security-Policy"), ","), ",") {
		for directive := range strings.SplitSeq(policy, ";") {
			if words := strings.Fields(directive); len(words) > 0 && strings.EqualFold(words[0], "frame-ancestors") {
				lists = append(lists, words[1:])
				break // the first one of a policy counts
			}
		}
	}
	return lists
}

// allows reports whether one source of a list is the page around a frame.
func allows(source, at, parent string) bool {
	source = strings.ToLower(source)
	scheme, host, _ := strings.Cut(parent, "://")
	switch source {
	case "*":
		return scheme == "https" || scheme == "http"
	case "'self'":
		return at == parent
	case "'none'":
		return false
	case "https:", "http:":
		return scheme+":" == source || source == "http:" && scheme == "https"
	}
	if wanted, rest, ok := strings.Cut(source, "://"); ok {
		if wanted != scheme && (wanted != "http" || scheme != "https") {
			return false
		}
		source = rest
	}
	source, _, _ = strings.Cut(source, "/")
	name, port, _ := strings.Cut(source, ":")
	hostName, hostPort, _ := strings.Cut(host, ":")
	if port != hostPort && port != "*" && (port != map[string]string{"https": "443", "http": "80"}[scheme] || hostPort != "") {
		return false
	}
	if suffix, ok := strings.CutPrefix(name, "*"); ok {
		return strings.HasPrefix(suffix, ".") && strings.HasSuffix(hostName, suffix)
	}
	return name == hostName
}
