package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// attempts count what was sent of something, and what was acknowledged.
type attempts struct{ sent, acked atomic.Int64 }

// answers count what the servers answered.
type answers struct {
	mu      sync.Mutex
	status  map[int]int // 0: no answer
	longest time.Duration
}

func (a *answers) add(status int, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status == nil {
		a.status = map[int]int{}
	}
	a.status[status]++
	a.longest = max(a.longest, took)
}

func (a *answers) of(status int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status[status]
}

func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, status := range slices.Sorted(maps.Keys(a.status)) {
		out = append(out, fmt.Sprintf("%d×%d", a.status[status], status))
	}
	return fmt.Sprintf("answers %s, the longest after %s", strings.Join(out, " "), a.longest.Round(time.Millisecond))
}

// slowest is the longest that an answer may take, whatever breaks: Cal.com waits 20
// seconds, and a visitor not that long.
const slowest = 15 * time.Second

// traffic is how a load is sent. The zero value is as Cal.com sends it.
type traffic struct {
	secret   func() string // that a body is signed with; nil: the site's
	acked    func(n int)   // called with the number of each acknowledgement
	refused  func(n int)   // called with the number of each answer 5xx
	constant bool          // a delivery is never given up
	forms    int           // forms that visitors send meanwhile
}

// A load is under way until wait returns.
type load struct {
	tr              *trial
	how             traffic
	parts           int // deliveries in it, repetitions included
	forms           []*visit
	acked, refusals atomic.Int64
	all             sync.WaitGroup
}

// deliver begins to send the parts of tales: each one to three times, in no order,
// by many senders at once, who send again what was not taken, and at times give up.
// In some loads all that is about one lead comes nearly at once.
func (tr *trial) deliver(tales []*tale, how traffic) *load {
	l := &load{tr: tr, how: how}
	spread := 3.0 // how many leads are told of at once
	if rand.IntN(2) == 0 {
		spread = float64(len(tales))
	}
	type job struct {
		do func()
		at float64
	}
	var work []job
	for i, ta := range tales {
		for _, p := range ta.parts {
			for range 1 + rand.IntN(3) {
				l.parts++
				work = append(work, job{func() { l.send(p) }, float64(i) + spread*rand.Float64()})
			}
		}
	}
	for range how.forms {
		v := tr.visit()
		l.forms = append(l.forms, v)
		work = append(work, job{func() { l.enquire(v) }, float64(len(tales)) * rand.Float64()})
	}
	slices.SortFunc(work, func(a, b job) int { return cmp.Compare(a.at, b.at) })
	queue := make(chan func(), len(work))
	for _, w := range work {
		queue <- w.do
	}
	close(queue)
	for range senders {
		l.all.Go(func() {
			for w := range queue {
				w()
			}
		})
	}
	return l
}

// wait waits for the senders' end.
func (l *load) wait() { l.all.Wait() }

// send delivers a part until it is taken, or given up.
func (l *load) send(p *part) {
	l.insist(http.StatusOK, func() (int, error) {
		p.sent.Add(1)
		status, err := l.tr.post(p.body, l.secret())
		if status == http.StatusOK && err == nil {
			p.acked.Add(1)
		}
		return status, err
	})
}

func (l *load) secret() string {
	if l.how.secret != nil {
		return l.how.secret()
	}
	return l.tr.secrets["main"]
}

// insist tries until it is taken, as hosted Cal.com does after an answer 5xx or
// none, only sooner. It reports whether it was.
func (l *load) insist(taken int, try func() (int, error)) bool {
	deadline := time.Now().Add(patience)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		status, err := try()
		switch {
		case err == nil && status == taken:
			n := l.acked.Add(1)
			if l.how.acked != nil {
				l.how.acked(int(n))
			}
			return true
		case err == nil && status < 500:
			l.tr.t.Errorf("answer %d", status)
			return false
		case err == nil:
			n := l.refusals.Add(1)
			if l.how.refused != nil {
				l.how.refused(int(n))
			}
		}
		if !l.how.constant && rand.IntN(12) == 0 {
			return false
		}
		if time.Now().After(deadline) {
			l.tr.t.Errorf("not taken within %s: status %d, %v", patience, status, err)
			return false
		}
		time.Sleep(wait/2 + rand.N(wait))
	}
}

// post delivers a body to one of the servers, and checks what holds of any answer.
func (tr *trial) post(body []byte, secret string) (int, error) {
	return tr.postTo(tr.any(), body, secret)
}

func (tr *trial) postTo(s *replica, body []byte, secret string) (int, error) {
	req, err := http.NewRequest(http.MethodPost, s.url+"/webhooks/calcom/main", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Cal-Signature-256", calSign(secret, body))
	return tr.ask(req, nil)
}

// any is one of the servers, at random.
func (tr *trial) any() *replica {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.servers[rand.IntN(len(tr.servers))]
}

// ask makes a request and notes the answer.
func (tr *trial) ask(req *http.Request, read func(*http.Response)) (int, error) {
	begun := time.Now()
	res, err := tr.client.Do(req)
	if err == nil {
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
	}
	took := time.Since(begun)
	status := 0
	if err == nil {
		status = res.StatusCode
		if read != nil {
			read(res)
		}
	}
	tr.answers.add(status, took)
	switch {
	case took > slowest:
		tr.t.Errorf("%s %s: status %d, %v after %s", req.Method, req.URL.Path, status, err, took)
	case status >= 500 && (status != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == ""):
		tr.t.Errorf("%s %s: status %d, Retry-After %q", req.Method, req.URL.Path, status, res.Header.Get("Retry-After"))
	}
	return status, err
}

// A visit is a form that a visitor sends, and the booking that follows.
type visit struct {
	attempts
	form url.Values
	from string // the visitor's address
	tale *tale
}

const intake = "/start/boiler-replacement"

// openForms opens forms. They are sent later: a form is not taken that was filled
// in faster than a person can.
func (tr *trial) openForms(n int) {
	tr.t.Helper()
	b := newBrowser(strings.TrimPrefix(tr.site, "http://"))
	for range n {
		if err := b.open(tr.site + intake); err != nil {
			tr.t.Fatal(err)
		}
		tr.forms = append(tr.forms, b.fill((&visitor{name: "visitor"}).answers()))
	}
	opened := time.Now()
	if err := until(func() error {
		if missing := minimum - time.Since(opened); missing > 0 {
			return fmt.Errorf("a person needs %s more", missing)
		}
		return nil
	}); err != nil {
		tr.t.Fatal(err)
	}
}

// visit takes one of the open forms and fills it in.
func (tr *trial) visit() *visit {
	if len(tr.forms) == 0 {
		tr.t.Fatal("no form is open")
	}
	n := tr.sources.Add(1)
	ta := &tale{story: &stories[0], name: fmt.Sprintf("visitor%d", n)}
	v := &visit{tale: ta, from: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255), form: tr.forms[0]}
	v.form.Set("name", ta.name)
	v.form.Set("email", emailOf(ta.name))
	tr.forms = tr.forms[1:]
	return v
}

// enquire sends a form until it is taken, and then delivers the booking.
func (l *load) enquire(v *visit) {
	taken := l.insist(http.StatusSeeOther, func() (int, error) {
		v.sent.Add(1)
		return l.tr.sendForm(v)
	})
	if !taken {
		return
	}
	v.acked.Add(1)
	v.tale.write(l.tr.examples)
	for _, p := range v.tale.parts {
		l.send(p)
	}
}

func (tr *trial) sendForm(v *visit) (int, error) {
	req, err := http.NewRequest(http.MethodPost, tr.any().url+intake, strings.NewReader(v.form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("X-Forwarded-For", v.from)
	var missing error
	status, err := tr.ask(req, func(res *http.Response) {
		if res.StatusCode != http.StatusSeeOther {
			return
		}
		var ok bool
		if v.tale.reference, ok = strings.CutPrefix(res.Header.Get("Location"), "/book/"); !ok {
			missing = errors.New("a form leads nowhere")
		}
	})
	return status, errors.Join(err, missing)
}
