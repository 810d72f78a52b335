package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"handoff"
	"handoff/internal/store"
)

// A postOffice is a mail server that counts what it takes: for each address, the
// subjects.
type postOffice struct {
	mu    sync.Mutex
	taken map[string][]string
	stops map[string]string // the address that stops further mail, by recipient
	links map[string]string // the address of the booking page
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return p, nil }
func (p *postOffice) Mail(string, *smtp.MailOptions) error        { return nil }
func (p *postOffice) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (p *postOffice) Reset()                                      {}
func (p *postOffice) Logout() error                               { return nil }

var bookLink = regexp.MustCompile(`http://\S+/book/\S+`)

func (p *postOffice) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	to := strings.Trim(m.Header.Get("To"), "<>")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken[to] = append(p.taken[to], m.Header.Get("Message-Id"))
	p.stops[to] = strings.Trim(m.Header.Get("List-Unsubscribe"), "<>")
	p.links[to] = string(bookLink.Find(bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("=\r\n"), nil), []byte("=3D"), []byte("="))))
	return nil
}

func (p *postOffice) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ids := range p.taken {
		n += len(ids)
	}
	return n
}

// openPostOffice starts one, and returns its port.
func openPostOffice(t *testing.T) (*postOffice, int) {
	t.Helper()
	p := &postOffice{taken: map[string][]string{}, stops: map[string]string{}, links: map[string]string{}}
	server := smtp.NewServer(p)
	server.Domain = "mail.test"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { server.Close() })
	return p, l.Addr().(*net.TCPAddr).Port
}

// Reminders counted by a mail server are exactly those expected: to each who did not
// book, at each wait, once, whatever number of servers send and however they are
// restarted; none to who booked, or clicked to have none.
func TestRemindersAreExactlyThose(t *testing.T) {
	for _, engine := range faultEngines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			post, port := openPostOffice(t)
			tr := newTrial(t, engine)
			tr.reconfigure(tr.config(), func(config string) string {
				return strings.Replace(config, "sites:\n", fmt.Sprintf("mail: {host: 127.0.0.1, port: %d, tls: none}\nsites:\n", port), 1)
			})
			tr.reconfigure(tr.config(), func(config string) string {
				return strings.Replace(config, "    url: http://main.test\n", "    url: "+tr.site+"\n    reminders: {after: [1h, 30h]}\n", 1)
			})
			leads := tr.leadsFor(t, "ask", 40, "booked", 15)
			servers := []*replica{tr.serve()}
			clocks := []string{tr.clock}
			if engine == "postgres" {
				s := tr.serveAnother()
				servers, clocks = append(servers, s), append(clocks, strings.TrimSuffix(s.config, ".yaml")+".clock")
			}
			step := func(d time.Duration) {
				t.Helper()
				for _, c := range clocks {
					if err := os.WriteFile(c, []byte(d.String()), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			wait := func(n int) {
				t.Helper()
				if err := until(func() error {
					if got := post.count(); got != n {
						return fmt.Errorf("%d letters, want %d", got, n)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(6 * time.Second) // one more look of every server finds nothing more
				if got := post.count(); got != n {
					t.Fatalf("%d letters, want %d and no more", got, n)
				}
			}
			step(61 * time.Minute)
			wait(40)

			// One click, as a mail program makes it; a look at the page alone stops nothing.
			clicked, looked := leads["ask"][0], leads["ask"][1]
			for _, look := range []string{post.stops[clicked.Email], post.stops[looked.Email]} {
				if res, err := http.Get(look); err != nil || res.StatusCode != http.StatusOK {
					t.Fatal(res, err)
				} else {
					res.Body.Close()
				}
			}
			res, err := http.PostForm(post.stops[clicked.Email], url.Values{"List-Unsubscribe": {"One-Click"}})
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(res, err)
			}
			res.Body.Close()
			forged := post.stops[looked.Email]
			if res, err := http.Post(forged[:len(forged)-4]+"AAAA", "", nil); err != nil || res.StatusCode != http.StatusNotFound {
				t.Errorf("a forged reference: %v, %v", res, err)
			} else {
				res.Body.Close()
			}
			// The link in the letter is the visitor's own booking page.
			if res, err := http.Get(post.links[looked.Email]); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("the link %s: %v, %v", post.links[looked.Email], res, err)
			} else {
				res.Body.Close()
			}
			// One books after all.
			body := strings.NewReplacer(danasReference, leads["ask"][2].reference, "8mWdT2kQe4RfYpX1sLhC9v", "bookedAfterTheReminder").Replace(tr.examples["01"])
			if status, err := tr.post([]byte(body), tr.secrets["main"]); err != nil || status != http.StatusOK {
				t.Fatal(status, err)
			}
			if err := tr.quiet(); err != nil {
				t.Fatal(err)
			}
			for i, s := range servers { // restarted, and nothing is sent again
				if err := s.stop(); err != nil {
					t.Fatal(err)
				}
				servers[i] = tr.start(s.url, s.config, clocks[i])
			}
			step(30*time.Hour + time.Minute)
			wait(40 + 38)
			for _, l := range leads["ask"] {
				want := 2
				if l == clicked || l == leads["ask"][2] {
					want = 1
				}
				if ids := post.taken[l.Email]; len(ids) != want || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != want {
					t.Errorf("%s: %v, want %d letters", l.Email, ids, want)
				}
			}
			for _, s := range servers {
				if err := s.stop(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// An enquirer is a lead as this test made it.
type enquirer struct{ Email, reference string }

// leadsFor makes leads straight in the store, of which some have booked.
func (tr *trial) leadsFor(t *testing.T, ask string, n int, booked string, m int) map[string][]enquirer {
	t.Helper()
	address := tr.store
	if address == "" {
		address = "sqlite:" + filepath.Join(tr.dir, "handoff.db")
	}
	db, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string][]enquirer{}
	for i := range n + m {
		kind := ask
		if i >= n {
			kind = booked
		}
		name := fmt.Sprint(kind, i)
		s, err := db.CreateLead(t.Context(), handoff.Submission{Site: "main", Service: "boiler-replacement", Form: name, Name: "Dana Example", Email: name + "@example.com"}, handoff.DefaultPipeline())
		if err != nil {
			t.Fatal(err)
		}
		reference, err := tr.sign("main", s.ID)
		if err != nil {
			t.Fatal(err)
		}
		out[kind] = append(out[kind], enquirer{name + "@example.com", reference})
		if kind == ask {
			continue
		}
		o := handoff.Observation{
			ID: "evt_" + name, Site: "main", Source: handoff.FromEvent, UID: "uid" + name, At: time.Now(), Digest: name, Status: handoff.Accepted,
			Carried: []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: s.ID}},
		}
		if _, err := db.KeepEvent(t.Context(), handoff.Delivery{Site: "main", Digest: name, ReceivedAt: time.Now()}, handoff.Event{ID: o.ID, Site: "main", CreatedAt: o.At, Observation: &o}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
