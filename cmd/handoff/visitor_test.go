package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A browser fetches pages and sends forms as one does, without JavaScript.
type browser struct {
	client *http.Client
	url    string // of the page that is open
	page   string
}

// newBrowser is a browser for which names that end in .test are at an address.
func newBrowser(address string) *browser {
	jar, _ := cookiejar.New(nil) // never fails
	dialer := &net.Dialer{}
	return &browser{client: &http.Client{
		Jar: jar, Timeout: patience,
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if strings.HasSuffix(to, ".test:80") {
				to = address
			}
			return dialer.DialContext(ctx, network, to)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// open fetches a page, and follows redirects as a browser does.
func (b *browser) open(address string) error {
	for range 5 {
		res, err := b.client.Get(address)
		if err != nil {
			return err
		}
		if err := b.took(res); err != nil {
			return err
		}
		next, err := res.Location()
		if errors.Is(err, http.ErrNoLocation) {
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("%s: %s", address, res.Status)
			}
			return nil
		}
		address = next.String()
	}
	return fmt.Errorf("%s: too many redirects", address)
}

func (b *browser) took(res *http.Response) error {
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	b.url, b.page = res.Request.URL.String(), string(page)
	return err
}

// send posts a form to an address, and returns the answer's status and where it
// leads.
func (b *browser) send(address string, form url.Values) (status int, to string, err error) {
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	at, _ := url.Parse(address)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", at.Scheme+"://"+at.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	if next, err := res.Location(); err == nil {
		to = next.String()
	}
	return res.StatusCode, to, b.took(res)
}

var (
	tag       = regexp.MustCompile(`<(input|select|textarea|option|a|form|section|div)\b([^>]*)>`)
	attribute = regexp.MustCompile(`([a-zA-Z-]+)(?:="([^"]*)")?`)
	mark      = regexp.MustCompile(`(?s)<(script|style)\b.*?</(script|style)>|<[^>]*>`)
	space     = regexp.MustCompile(`\s+`)
)

type element struct {
	name  string
	attrs map[string]string
}

// elements are the page's form fields and links, in their order.
func (b *browser) elements() []element {
	var out []element
	for _, m := range tag.FindAllStringSubmatch(b.page, -1) {
		e := element{m[1], map[string]string{}}
		for _, a := range attribute.FindAllStringSubmatch(m[2], -1) {
			e.attrs[a[1]] = html.UnescapeString(a[2])
		}
		out = append(out, e)
	}
	return out
}

// find is the first element of a name with an attribute's value.
func (b *browser) find(name, attr, value string) (element, error) {
	for _, e := range b.elements() {
		if got, ok := e.attrs[attr]; ok && e.name == name && got == value {
			return e, nil
		}
	}
	return element{}, fmt.Errorf("%s has no <%s %s=%q>", b.url, name, attr, value)
}

// text is what the page says.
func (b *browser) text() string {
	return strings.TrimSpace(space.ReplaceAllString(html.UnescapeString(mark.ReplaceAllString(b.page, " ")), " "))
}

// fill fills in the form of the page as a person would who answers with answers
// and otherwise takes the first choice: hidden fields keep what they have.
func (b *browser) fill(answers map[string]string) url.Values {
	form, selecting := url.Values{}, ""
	for _, e := range b.elements() {
		name, value := e.attrs["name"], e.attrs["value"]
		switch {
		case e.name == "select":
			selecting = name
		case e.name == "option":
			if form.Get(selecting) == "" {
				form.Set(selecting, value)
			}
		case name == "" || (e.name != "input" && e.name != "textarea"):
		case e.attrs["type"] == "hidden":
			form.Set(name, value)
		case e.attrs["type"] == "radio" || e.attrs["type"] == "checkbox":
			if !form.Has(name) {
				form.Set(name, value)
			}
		default:
			form.Set(name, cmp.Or(answers[name], value))
		}
	}
	return form
}

// A visitor is somebody who asks for a call.
type visitor struct {
	*browser
	name      string
	site      string // base URL of the site they ask
	form      url.Values
	action    string
	opened    time.Time // the form
	reference string
	heard     chan string // states that the event stream told
}

// emailOf is a visitor's address, which tells their lead.
func emailOf(name string) string { return name + "@visitors.example" }

func (v *visitor) answers() map[string]string {
	return map[string]string{
		"name": strings.ToUpper(v.name[:1]) + v.name[1:] + " Whitfield", "email": emailOf(v.name),
		"phone": "020 7946 0812", "message": "It drips.", "q_postcode": "SE10 8AB",
	}
}

// minimum is what a person takes at least to fill in a form; the site asks for two
// seconds.
const minimum = 2100 * time.Millisecond

// visitorDoes is the persona "visitor NAME":
//
//	fills PATH [host=…]   opens an intake form and fills it in
//	sends [FIELD=VALUE …] sends it, after the time that a person needs
//	sends-twice           sends it twice at once
//	sends-at-once         too quickly for a person: it is not taken, and can be sent again
//	sends-trapped         with the field filled in that people do not see: it is not taken
//	enquires PATH         fills and sends
//	opens-booking         opens /book: the calendar and the plain link carry the reference, and nothing personal
//	books                 follows the plain link and books the first free time; the uid is in $uid
//	is-shown-the-call     /book shows the booking instead of a second calendar
//	sees STATE            the status and the page say so
//	listens, hears STATE  through the event stream
//	saves-calendar        the calendar file has the call, under the name that Cal.com's own invitation has
//	moves, cancels        through the links of the booked page; a new uid is in $uid
func visitorDoes(c *call) error {
	name := c.next()
	v := c.visitors[name]
	if v == nil {
		v = &visitor{browser: newBrowser(c.siteAddress), name: name, site: c.site}
		c.visitors[name] = v
	}
	switch what := c.next(); what {
	case "fills":
		return c.fills(v)
	case "sends":
		return c.sends(v, false)
	case "sends-twice":
		return c.sends(v, true)
	case "sends-at-once":
		return c.isRefused(v, v.form, "That was very quick")
	case "sends-trapped":
		if err := v.waits(); err != nil {
			return err
		}
		form := maps.Clone(v.form)
		form.Set("website", "https://evil.example")
		return c.isRefused(v, form, "A field that people cannot see")
	case "enquires":
		if err := c.fills(v); err != nil {
			return err
		}
		return c.sends(v, false)
	case "opens-booking":
		_, err := c.openBooking(v)
		return err
	case "books":
		if err := c.quiet(); err != nil {
			return err
		}
		page, err := c.openBooking(v)
		if err != nil {
			return err
		}
		return c.pick(v, page)
	case "is-shown-the-call":
		if err := v.open(v.site + "/book/" + v.reference); err != nil {
			return err
		}
		return same([]string{v.url}, []string{v.site + "/booked/" + v.reference})
	case "sees":
		return c.sees(v, c.next())
	case "listens":
		return c.listens(v)
	case "hears":
		return c.hears(v, c.next())
	case "saves-calendar":
		return c.savesCalendar(v)
	case "moves":
		return c.follows(v, "Choose another time")
	case "cancels":
		return c.follows(v, "Cancel this call")
	default:
		c.ts.Fatalf("a visitor does not %s", what)
	}
	return nil
}

func (c *call) fills(v *visitor) error {
	path := c.next()
	if host := one(c.options("host"), "host", ""); host != "" {
		v.site = "http://" + host
	}
	c.args = nil
	if err := v.open(v.site + path); err != nil {
		return err
	}
	v.action, v.form, v.opened = v.site+path, v.fill(v.answers()), time.Now()
	if v.form.Get("form") == "" || v.form.Get("website") != "" {
		return fmt.Errorf("%s: not the form that was expected: %v", path, v.form)
	}
	return nil
}

// sends sends the form that was filled in, once or twice at once; both times it
// leads to the same booking page.
func (c *call) sends(v *visitor, twice bool) error {
	for name, values := range c.options("name", "phone", "message") {
		v.form.Set(name, values[0])
	}
	if err := v.waits(); err != nil {
		return err
	}
	times := 1
	if twice {
		times = 2
	}
	to := make([]string, times)
	errs := make([]error, times)
	var wg sync.WaitGroup
	for i := range times {
		wg.Go(func() {
			b := &browser{client: v.client}
			status, next, err := b.send(v.action, v.form)
			if err == nil && status != http.StatusSeeOther {
				err = fmt.Errorf("%s: status %d: %s", v.action, status, b.text())
			}
			to[i], errs[i] = next, err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if to[0] != to[times-1] {
		return fmt.Errorf("it leads to %s and to %s", to[0], to[1])
	}
	reference, ok := strings.CutPrefix(to[0], v.site+"/book/")
	if !ok {
		return fmt.Errorf("it leads to %s", to[0])
	}
	v.reference = reference
	c.ts.Setenv("reference_"+v.name, reference)
	return v.private(to[0])
}

// waits until a person would have filled in the form.
func (v *visitor) waits() error {
	return until(func() error {
		if missing := minimum - time.Since(v.opened); missing > 0 {
			return fmt.Errorf("a person needs %s more", missing)
		}
		return nil
	})
}

// isRefused sends a form that is shown again with a reason.
func (c *call) isRefused(v *visitor, form url.Values, why string) error {
	b := &browser{client: v.client}
	status, _, err := b.send(v.action, form)
	if err == nil && (status != http.StatusUnprocessableEntity || !strings.Contains(b.text(), why)) {
		err = fmt.Errorf("status %d: %s", status, b.text())
	}
	return err
}

// private checks that an address tells nothing of the visitor beside the reference.
func (v *visitor) private(address string) error {
	rest := strings.ToLower(strings.ReplaceAll(address, v.reference, ""))
	for what, answer := range v.answers() {
		for word := range strings.FieldsFuncSeq(strings.ToLower(answer), func(r rune) bool { return r == '@' || r == '.' || (r == ' ' && what != "phone") }) {
			for _, written := range []string{word, url.QueryEscape(word), strings.ReplaceAll(word, " ", "")} {
				if len(word) > 3 && strings.Contains(rest, written) {
					return fmt.Errorf("%s of the visitor is in %s", what, address)
				}
			}
		}
	}
	return nil
}

// openBooking opens the booking page and returns the plain link to Cal.com.
func (c *call) openBooking(v *visitor) (string, error) {
	if err := v.open(v.site + "/book/" + v.reference); err != nil {
		return "", err
	}
	link, err := v.find("a", "id", "calendar-link")
	if err != nil {
		return "", err
	}
	slot, err := v.find("section", "id", "calendar")
	if err != nil {
		return "", err
	}
	for _, address := range []string{link.attrs["href"], slot.attrs["data-frame-url"]} {
		u, err := url.Parse(address)
		if err != nil {
			return "", err
		}
		q := u.Query()
		if c.cal != "" && "http://"+u.Host != c.cal || q.Get("metadata[submissionId]") != v.reference || q.Get("submissionId") != v.reference {
			return "", fmt.Errorf("%s does not carry the reference twice", address)
		}
		if err := v.private(address); err != nil {
			return "", err
		}
	}
	return link.attrs["href"], nil
}

// pick books the first free time of a page of Cal.com's.
func (c *call) pick(v *visitor, page string) error {
	if err := c.quiet(); err != nil {
		return err
	}
	if err := v.open(page); err != nil {
		return err
	}
	form, err := v.find("form", "method", "post")
	if err != nil {
		return err
	}
	b := &browser{client: v.client}
	status, to, err := b.send(c.cal+form.attrs["action"], v.fill(v.answers()))
	if err != nil {
		return err
	}
	uid, ok := strings.CutPrefix(to, c.cal+"/booking/")
	if status != http.StatusSeeOther || !ok {
		return fmt.Errorf("not booked: status %d, %s, %s", status, to, b.text())
	}
	c.ts.Setenv("uid", uid)
	return nil
}

// A status is what /book/{reference}/status says.
type status struct{ State, URL, Version string }

func (c *call) status(v *visitor) (s status, err error) {
	res, err := v.client.Get(v.site + "/book/" + v.reference + "/status")
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return s, fmt.Errorf("status: %s", res.Status)
	}
	return s, json.NewDecoder(res.Body).Decode(&s)
}

func (c *call) sees(v *visitor, state string) error {
	err := until(func() error {
		s, err := c.status(v)
		if err == nil && s.State != state {
			err = fmt.Errorf("the status is %q, want %q", s.State, state)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := v.open(v.site + "/booked/" + v.reference); err != nil {
		return err
	}
	_, err = v.find("div", "data-state", state)
	return err
}

// listens opens the event stream and notes what it tells until the script ends.
func (c *call) listens(v *visitor) error {
	stream := &http.Client{Transport: &http.Transport{}}
	res, err := stream.Get(v.site + "/book/" + v.reference + "/events")
	if err != nil {
		return err
	}
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		return fmt.Errorf("%s %s", res.Status, got)
	}
	v.heard = make(chan string, 100)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(v.heard)
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			var s status
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &s) == nil {
				v.heard <- s.State
			}
		}
	})
	c.ts.Defer(func() {
		res.Body.Close()
		reading.Wait()
	})
	return nil
}

func (c *call) hears(v *visitor, state string) error {
	late := time.After(patience)
	var all []string
	for {
		select {
		case got, ok := <-v.heard:
			if !ok {
				return fmt.Errorf("the stream ended after %q", all)
			}
			if all = append(all, got); got == state {
				return nil
			}
		case <-late:
			return fmt.Errorf("heard %q, not %q", all, state)
		}
	}
}

var icsLine = regexp.MustCompile(`(?m)^(UID|DTSTART|DTEND|STATUS|METHOD)[:;](.*?)\r?$`)

// savesCalendar fetches the calendar file through the page's link, and compares
// it with what the lead says.
func (c *call) savesCalendar(v *visitor) error {
	l, err := c.lead(v.name)
	if err != nil {
		return err
	}
	if err := v.open(v.site + "/booked/" + v.reference); err != nil {
		return err
	}
	for _, e := range v.elements() {
		if e.name != "a" || !strings.Contains(e.attrs["href"], "/calendar.ics?") {
			continue
		}
		if err := v.open(v.site + e.attrs["href"]); err != nil {
			return err
		}
		got := map[string]string{}
		for _, m := range icsLine.FindAllStringSubmatch(v.page, -1) {
			got[m[1]] = m[2]
		}
		for _, b := range l.Bookings {
			uid, err := c.calendarUID(b.UID)
			if err != nil {
				return err
			}
			if b.Status == "accepted" && got["UID"] == uid && got["STATUS"] == "CONFIRMED" &&
				got["DTSTART"] == b.Start.UTC().Format("20060102T150405Z") && got["DTEND"] == b.End.UTC().Format("20060102T150405Z") {
				return nil
			}
		}
		return fmt.Errorf("the file says %v, and the lead %+v", got, l.Bookings)
	}
	return errors.New("the page has no calendar file")
}

// follows takes a link of the booked page, by its words.
func (c *call) follows(v *visitor, words string) error {
	if err := v.open(v.site + "/booked/" + v.reference); err != nil {
		return err
	}
	m := regexp.MustCompile(`<a [^>]*href="([^"]+)"[^>]*>` + words + `</a>`).FindStringSubmatch(v.page)
	if m == nil {
		return fmt.Errorf("the page has no link %q: %s", words, v.text())
	}
	to := html.UnescapeString(m[1])
	if !strings.HasPrefix(to, c.cal+"/booking/") {
		return c.pick(v, to)
	}
	if err := v.open(to); err != nil {
		return err
	}
	at, _ := url.Parse(to)
	b := &browser{client: v.client}
	status, _, err := b.send(c.cal+at.Path+"/cancel", url.Values{"reason": {"no time"}})
	if err == nil && status != http.StatusSeeOther {
		err = fmt.Errorf("not cancelled: status %d", status)
	}
	return err
}
