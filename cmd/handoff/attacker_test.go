package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// attackerDoes is the persona "attacker", who has a network and, at times, what
// was overheard:
//
//	records first|last|N           overhears a delivery of Cal.com's; its signature is in $signature, and a
//	                               one-time password that it holds in $password
//	delivers STATUS [body=recorded|01…26|FILE] [sign=SECRET|recorded|none|no-secret|guess|raw:TEXT]
//	         [site=ID] [before=OLD=>NEW] [after=OLD=>NEW] [reference=…] [reference2=…]
//	         [type=…] [version=…] [header=NAME:VALUE] [method=PUT] [pad=BYTES] [times=N]
//	                               posts to the webhook; before and after change the body before and after it is signed
//	gets STATUS[,STATUS] PATH [host=NAME] [header=…] [with=WORDS] [without=WORDS] [times=N]
//	posts STATUS[,STATUS] PATH [field.NAME=VALUE] [pad=BYTES] …
//	raw "STATUS …" FILE            the bytes of a file, with $VARIABLES; exactly these answers come
//
// "cal delivers" is the same, for what Cal.com itself would send.
func attackerDoes(c *call) error {
	switch what := c.next(); what {
	case "records":
		return c.records(c.next())
	case "delivers":
		return c.delivers()
	case "gets":
		return c.fetches(http.MethodGet)
	case "posts":
		return c.fetches(http.MethodPost)
	case "raw":
		return c.raw()
	default:
		c.ts.Fatalf("an attacker does not %s", what)
	}
	return nil
}

// oneTime is what lets its reader accept or decline a requested booking.
var oneTime = regexp.MustCompile(`"oneTimePassword":"([^"]+)"`)

// captured is a delivery that was overheard.
type captured struct{ body, signature string }

func (c *call) records(which string) error {
	all, err := c.made()
	if err != nil {
		return err
	}
	i := 0
	switch which {
	case "first":
	case "last":
		i = len(all) - 1
	default:
		if i, err = strconv.Atoi(which); err != nil {
			return err
		}
		i-- // they are counted from 1
	}
	c.taken = &captured{all[i].Body, all[i].Header.Get("X-Cal-Signature-256")}
	c.ts.Setenv("signature", c.taken.signature)
	if m := oneTime.FindStringSubmatch(c.taken.body); m != nil {
		c.ts.Setenv("password", m[1])
	}
	return nil
}

func (c *call) delivers() error {
	want := c.next()
	o := c.options("body", "sign", "site", "before", "after", "reference", "reference2", "type", "version", "header", "method", "pad", "times")
	text, kind, err := c.bodyOf(one(o, "body", "recorded"), one(o, "reference", danasReference), one(o, "reference2", omarsReference))
	if err != nil {
		return err
	}
	if text, err = replaced(text, o["before"]); err != nil {
		return err
	}
	signature, err := c.signatureOf(one(o, "sign", "calcom-webhook"), []byte(text))
	if err != nil {
		return err
	}
	if text, err = replaced(text, o["after"]); err != nil {
		return err
	}
	pad, err := strconv.Atoi(one(o, "pad", "0"))
	if err != nil {
		return err
	}
	text += strings.Repeat(" ", pad)
	times, err := strconv.Atoi(one(o, "times", "1"))
	if err != nil {
		return err
	}
	for i := range times {
		body := strings.ReplaceAll(text, "%d", strconv.Itoa(i))
		req, err := http.NewRequest(one(o, "method", http.MethodPost), c.site+"/webhooks/calcom/"+one(o, "site", "brightwater"), strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", one(o, "type", kind))
		if signature != "" {
			req.Header.Set("X-Cal-Signature-256", signature)
		}
		if v := one(o, "version", ""); v != "" {
			req.Header.Set("X-Cal-Webhook-Version", v)
		}
		for _, h := range o["header"] {
			name, value, _ := strings.Cut(h, ":")
			req.Header.Add(name, strings.ReplaceAll(value, "%d", strconv.Itoa(i)))
		}
		res, err := (&http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
		if err != nil {
			return err
		}
		answer, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if got := strconv.Itoa(res.StatusCode); got != want {
			return fmt.Errorf("delivery %d: status %s, want %s: %s", i, got, want, answer)
		}
	}
	return nil
}

// bodyOf reads a body: the one that was recorded, an example, or a file.
func (c *call) bodyOf(which, reference, reference2 string) (text, contentType string, err error) {
	if which == "recorded" {
		return c.taken.body, "application/json", nil
	}
	all, err := bodies(reference, reference2)
	if err != nil {
		return "", "", err
	}
	for _, b := range all {
		if b.number == which {
			return string(b.bytes), b.contentType, nil
		}
	}
	return os.Expand(c.ts.ReadFile(which), c.ts.Getenv), "application/json", nil
}

// replaced makes changes of the form OLD=>NEW, each of which must find something.
func replaced(text string, changes []string) (string, error) {
	for _, change := range changes {
		from, to, _ := strings.Cut(change, "=>")
		if !strings.Contains(text, from) {
			return "", fmt.Errorf("there is no %q in %s", from, text)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return text, nil
}

// signatureOf makes a signature header; a plain word names a secret's file.
func (c *call) signatureOf(with string, body []byte) (string, error) {
	switch with {
	case "recorded":
		return c.taken.signature, nil
	case "none":
		return "", nil
	case "no-secret":
		return "no-secret-provided", nil
	case "guess":
		return calSign("letmein", body), nil
	case "empty":
		return calSign("", body), nil
	}
	if text, ok := strings.CutPrefix(with, "raw:"); ok {
		return text, nil
	}
	secret, err := c.secret(with)
	return calSign(secret, body), err
}

// fetches makes requests whose path is sent as it is. STATUS can be several, any
// of which may come.
func (c *call) fetches(method string) error {
	want, path := strings.Split(c.next(), ","), c.next()
	o := c.options("field.", "header", "host", "pad", "with", "without", "times")
	form := url.Values{}
	for name, values := range o {
		if field, ok := strings.CutPrefix(name, "field."); ok {
			form[field] = values
		}
	}
	if n, err := strconv.Atoi(one(o, "pad", "0")); err == nil && n > 0 {
		form.Set("padding", strings.Repeat("a", n))
	}
	times, err := strconv.Atoi(one(o, "times", "1"))
	if err != nil {
		return err
	}
	for i := range times {
		var req bytes.Buffer
		fmt.Fprintf(&req, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, one(o, "host", c.siteAddress))
		for _, h := range o["header"] {
			fmt.Fprintf(&req, "%s\r\n", strings.NewReplacer("%d", strconv.Itoa(i), "%large", strings.Repeat("a", 64<<10)).Replace(h))
		}
		if method == http.MethodPost {
			fmt.Fprintf(&req, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(form.Encode()))
		}
		fmt.Fprintf(&req, "\r\n%s", form.Encode())
		answer, err := c.exchange(req.Bytes())
		if err != nil {
			return err
		}
		if got := statuses(answer); len(got) != 1 || !slices.Contains(want, got[0]) {
			return fmt.Errorf("got %q, want one of %q: %s", got, want, answer)
		}
		for _, words := range o["with"] {
			if !strings.Contains(answer, words) {
				return fmt.Errorf("%q is missing in %s", words, answer)
			}
		}
		for _, words := range o["without"] {
			if strings.Contains(answer, words) {
				return fmt.Errorf("%q is in %s", words, answer)
			}
		}
	}
	return nil
}

// raw sends the bytes of a file, its line ends made those of HTTP.
func (c *call) raw() error {
	want := strings.Fields(c.next())
	text := os.Expand(c.ts.ReadFile(c.next()), c.ts.Getenv)
	if !strings.HasSuffix(text, "\n\n") { // the last line end is the file's, not the request's
		text = strings.TrimSuffix(text, "\n")
	}
	text = strings.ReplaceAll(text, "\n", "\r\n")
	answer, err := c.exchange([]byte(text))
	if err != nil {
		return err
	}
	if err := same(statuses(answer), want); err != nil {
		return fmt.Errorf("%w: %s", err, answer)
	}
	return nil
}

var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.1 (\d{3})`)

func statuses(answer string) []string {
	var out []string
	for _, m := range statusLine.FindAllStringSubmatch(answer, -1) {
		out = append(out, m[1])
	}
	return out
}

// exchange writes bytes to the site and reads until it closes.
func (w *world) exchange(request []byte) (string, error) {
	conn, err := net.Dial("tcp", w.siteAddress)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	_, _ = conn.Write(request) // the site may answer before it has read all, and close
	answer, err := io.ReadAll(conn)
	if len(answer) > 0 {
		return string(answer), nil
	}
	return "", fmt.Errorf("no answer: %w", err)
}
