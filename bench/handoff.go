package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"handoff"
)

// service is one of the demonstration content that "handoff init" writes.
const service = "boiler-replacement"

// handoffCommand writes the address and the store into handoff.yaml, and serves.
func handoffCommand(b *bench, st *store, addr string) (*exec.Cmd, error) {
	path := filepath.Join(st.dir, "handoff.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	target := "sqlite:" + st.file
	if st.engine == postgres {
		target = st.url()
	}
	for _, line := range []struct{ old, new string }{
		{`(?m)^listen: .*$`, "listen: " + addr},
		{`(?m)^store: .*$`, "store: " + target},
		{`(?m)^trusted_proxies: .*$`, "trusted_proxies: [127.0.0.1]"}, // so that the generator is many visitors
		{`(?m)^ *api: .*$`, ""},                                       // nobody outside is asked
	} {
		re := regexp.MustCompile(line.old)
		text = re.ReplaceAll(text, []byte(strings.ReplaceAll(line.new, "$", "$$")))
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.binary("handoff"), "serve", "-c", "handoff.yaml")
	cmd.Dir = st.dir
	return cmd, nil
}

// createHandoff makes an install, lets the product itself open two leads and book
// one of them, and multiplies both.
func createHandoff(b *bench, st *store, old int, hooks webhooks) error {
	if out, err := exec.Command(b.binary("handoff"), "init", st.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("handoff init: %w: %s", err, out)
	}
	for name, secret := range map[string]string{"reference.key": string(b.key), "calcom-webhook": b.secret} {
		if err := os.WriteFile(filepath.Join(st.dir, "secrets", name), []byte(secret+"\n"), 0o600); err != nil {
			return err
		}
	}
	if err := loopbackOnly(filepath.Join(st.dir, "handoff.yaml")); err != nil {
		return err
	}
	m, err := b.mouldsFor(st)
	if err != nil {
		return err
	}
	year := 400 * 24 * time.Hour
	step := year / time.Duration(max(old, 1))
	begin := b.began.Add(-year - time.Hour)
	if err := multiply(b.ctx, st, multiplication{mould: m.booked, n: old, at: func(i int) time.Time { return begin.Add(time.Duration(i) * step) }}); err != nil {
		return err
	}
	if err := multiply(b.ctx, st, multiplication{
		mould: m.waiting, n: len(hooks.leads), at: func(i int) time.Time { return b.began.Add(time.Duration(i) * time.Millisecond) },
		given: map[string]func(int) string{
			m.lead:       func(i int) string { return string(hooks.leads[i]) },
			m.submission: func(i int) string { return string(hooks.submissions[i]) },
		},
	}); err != nil {
		return err
	}
	return b.settle(st)
}

// loopbackOnly has an install find nobody where it would ask Cal.com.
func loopbackOnly(config string) error {
	b, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	text := strings.NewReplacer("https://app.cal.com", "http://127.0.0.1:9", "https://api.cal.com", "http://127.0.0.1:9").Replace(string(b))
	return os.WriteFile(config, []byte(text), 0o600)
}

// settle does what a database that grew slowly has behind it.
func (b *bench) settle(st *store) error {
	if st.engine == sqlite {
		return nil
	}
	db, err := st.open()
	if err != nil {
		return err
	}
	defer db.Close()
	for _, s := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := db.ExecContext(b.ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Moulds are what the product wrote of a lead that nobody booked and of one that
// is booked.
type moulds struct {
	waiting, booked  mould
	lead, submission string // names of the waiting one
}

// mouldsFor has the product make its tables in a new store, and the first time on
// an engine its moulds.
func (b *bench) mouldsFor(st *store) (*moulds, error) {
	p, err := b.launch(programNamed(handoffOn(st.engine)), st)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if b.moulds[st.engine] == nil {
		if b.moulds[st.engine], err = b.cast(p, st); err != nil {
			return nil, err
		}
	}
	return b.moulds[st.engine], nil
}

// cast has the product open two leads, and book the second.
func (b *bench) cast(p *process, st *store) (*moulds, error) {
	db, err := st.open()
	if err != nil {
		return nil, err
	}
	defer db.Close()
	forms, err := fetchForms(b.ctx, p.addr, 2, 1)
	if err != nil {
		return nil, err
	}
	var m moulds
	if m.submission, m.lead, err = b.sendForm(p.addr, forms[0], db, ""); err != nil {
		return nil, err
	}
	before, err := snapshot(b.ctx, db, st.engine)
	if err != nil {
		return nil, err
	}
	submission, lead, err := b.sendForm(p.addr, forms[1], db, m.submission)
	if err != nil {
		return nil, err
	}
	if err := b.bookOne(p, db, submission, lead); err != nil {
		return nil, err
	}
	after, err := snapshot(b.ctx, db, st.engine)
	m.waiting, m.booked = newMould(before), newMould(without(before, after))
	return &m, err
}

// sendForm sends a form, and returns what it became: not the submission known.
func (b *bench) sendForm(addr string, request []byte, db *sql.DB, known string) (submission, lead string, err error) {
	w := wire{addr: addr}
	defer w.close()
	if err := w.expect(303, request, "a form"); err != nil {
		return "", "", err
	}
	return submission, lead, db.QueryRowContext(b.ctx, `SELECT id, lead_id FROM submissions WHERE id <> $1`, known).Scan(&submission, &lead)
}

// bookOne sends a booking of a submission, and waits until its lead has moved.
func (b *bench) bookOne(p *process, db *sql.DB, submission, lead string) error {
	_, request := b.clerk.booking(handoff.SubmissionID(submission), time.Now())
	w := wire{addr: p.addr}
	defer w.close()
	if err := w.expect(200, request, "a booking"); err != nil {
		return err
	}
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		booked, err := programNamed(handoffSQLite).bookedAmong(b.ctx, db, []string{lead})
		if err != nil {
			return err
		}
		if len(booked) == 1 {
			time.Sleep(200 * time.Millisecond) // whatever is written after the move
			return nil
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("handoff moved no lead in %s: %s", patience, p.said())
		}
	}
}

// handoffOn is the name of Handoff on an engine.
func handoffOn(e engine) string {
	if e == postgres {
		return handoffPostgres
	}
	return handoffSQLite
}

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

// fetchForms gets n rendered forms, and returns what a visitor would send 2 seconds
// later, each from another address; then it waits these 2 seconds.
func fetchForms(ctx context.Context, addr string, n, conns int) ([][]byte, error) {
	tokens := make([]string, n)
	page := get("/start/" + service)
	err := inParallel(ctx, addr, conns, n, func(i int, w *wire) error {
		var html bytes.Buffer
		if _, err := w.do(page, func(b []byte) { html.Write(b) }); err != nil {
			return fmt.Errorf("a page with a form: %w", err)
		}
		m := formToken.FindSubmatch(html.Bytes())
		if m == nil {
			return fmt.Errorf("GET /start/%s shows no form", service)
		}
		tokens[i] = string(m[1])
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for i, token := range tokens {
		out = append(out, formRequest("/start/"+service, token, i))
	}
	select {
	case <-time.After(2100 * time.Millisecond):
	case <-ctx.Done():
	}
	return out, ctx.Err()
}

// formRequest is a filled form as a browser behind a proxy sends it.
func formRequest(path, token string, i int) []byte {
	body := url.Values{
		"form": {token}, "name": {"Dana Whitfield"}, "email": {"dana.whitfield@example.com"}, "phone": {"020 7946 0812"},
		"message":       {"The boiler is from 2004 and loses pressure every other day. We are three in the house."},
		"q_boiler_type": {"I am not sure"}, "q_working": {"It works now and then"}, "q_property": {"House"}, "consent": {"yes"},
		"context": {"eyJsYW5kaW5nIjoiL3N0YXJ0L2JvaWxlci1yZXBsYWNlbWVudCJ9"}, "website": {""},
	}.Encode()
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Forwarded-For: 10.%d.%d.%d\r\nContent-Length: %d\r\n\r\n%s",
		path, i>>16&255, i>>8&255, i&255, len(body), body)
}
