package notify_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"handoff/internal/notify"
)

// A post is a mail server that keeps what it takes, or does as it is told.
type post struct {
	mu       sync.Mutex
	taken    [][]byte
	mailErr  error
	rcptErr  error
	dataErr  error
	hangUp   bool // when it has the message, before it says so
	password string
}

type session struct {
	*post
	conn *smtp.Conn
	in   bool
}

func (p *post) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{post: p, conn: c}, nil }

func (s *session) AuthMechanisms() []string {
	if s.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "site" || password != s.password {
			return smtp.ErrAuthFailed
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if s.password != "" && !s.in {
		return smtp.ErrAuthRequired
	}
	return s.mailErr
}
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return s.rcptErr }
func (s *session) Reset()                               {}
func (s *session) Logout() error                        { return nil }
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.hangUp {
		s.conn.Close()
		return nil
	}
	if s.dataErr != nil {
		return s.dataErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, b)
	return nil
}

func (p *post) open(t *testing.T) *notify.Server {
	t.Helper()
	server := smtp.NewServer(p)
	server.Domain, server.AllowInsecureAuth, server.ReadTimeout, server.WriteTimeout = "mail.test", true, 10*time.Second, 10*time.Second
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { server.Close() })
	return &notify.Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: notify.Plain}
}

func letter() notify.Mail {
	return notify.Mail{
		FromName: `Brightwater "24/7" Plumbing`, From: "hello@brightwater.example", To: "dana@example.com", Subject: "Über the boiler",
		Text: "Hello Dana\n", HTML: "<p>Hello Dana</p>", ID: "lead_1.1@brightwater.example", Stop: "https://brightwater.example/stop/sub_1.x",
	}
}

// A mail that was taken has both bodies, and what lets its reader be rid of the next.
func TestMailIsTaken(t *testing.T) {
	p := &post{password: "secret"}
	s := p.open(t)
	if err := s.Send(t.Context(), letter()); !errors.Is(err, notify.ErrServer) || errors.Is(err, notify.ErrRefused) || errors.Is(err, notify.ErrUnknown) {
		t.Errorf("without a password: %v", err)
	}
	s.User, s.Password = "site", "secret"
	if err := s.Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	if len(p.taken) != 1 {
		t.Fatalf("%d taken", len(p.taken))
	}
	m, err := mail.ReadMessage(bytes.NewReader(p.taken[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"Brightwater \"24/7\" Plumbing" <hello@brightwater.example>`, "To": "<dana@example.com>", "Subject": "=?UTF-8?q?=C3=9Cber_the_boiler?=",
		"Message-Id": "<lead_1.1@brightwater.example>", "List-Unsubscribe": "<https://brightwater.example/stop/sub_1.x>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Auto-Submitted": "auto-generated",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	body, _ := io.ReadAll(m.Body)
	if !strings.HasPrefix(m.Header.Get("Content-Type"), "multipart/alternative") || !bytes.Contains(body, []byte("Hello Dana\r\n")) || !bytes.Contains(body, []byte("<p>Hello Dana</p>")) {
		t.Errorf("%s\n%s", m.Header.Get("Content-Type"), body)
	}
}

// What became of a mail that was not simply taken is told apart: never, later, nobody
// knows. No error names anybody.
func TestMailIsNotTaken(t *testing.T) {
	no := func(code int) error { return &smtp.SMTPError{Code: code, Message: "dana@example.com is not here"} }
	may := &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "dana@example.com: relay access denied"}
	exchange := &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 2, 252}, Message: "SendAsDenied; dana@example.com"}
	kinds := []error{notify.ErrRefused, notify.ErrUnknown, notify.ErrServer}
	for _, tt := range []struct {
		name string
		post *post
		want error // nil: none of the kinds
	}{
		{"the sender is refused", &post{mailErr: no(550)}, notify.ErrServer},
		{"the sender is refused now", &post{mailErr: no(451)}, notify.ErrServer},
		{"nobody of that name", &post{rcptErr: no(550)}, notify.ErrRefused},
		{"a full mailbox", &post{rcptErr: no(452)}, nil},
		{"not for us to send", &post{rcptErr: may}, nil},
		{"not for us to send, when read", &post{dataErr: may}, nil},
		{"not as this sender, when read", &post{dataErr: exchange}, nil},
		{"a password is asked for", &post{rcptErr: no(530)}, notify.ErrServer},
		{"refused when read", &post{dataErr: no(554)}, notify.ErrRefused},
		{"not now, when read", &post{dataErr: no(452)}, nil},
		{"gone with it", &post{hangUp: true}, notify.ErrUnknown},
	} {
		err := tt.post.open(t).Send(t.Context(), letter())
		if err == nil {
			t.Errorf("%s: taken", tt.name)
			continue
		}
		for _, kind := range kinds {
			if errors.Is(err, kind) != (kind == tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		if strings.Contains(err.Error(), "dana") {
			t.Errorf("%s names somebody: %v", tt.name, err)
		}
	}
	away := &notify.Server{Host: "127.0.0.1", Port: 1, TLS: notify.Plain}
	if err := away.Send(t.Context(), letter()); !errors.Is(err, notify.ErrServer) || errors.Is(err, notify.ErrRefused) || errors.Is(err, notify.ErrUnknown) {
		t.Errorf("away: %v", err)
	}
	bad := letter()
	bad.To = "nobody"
	if err := (&post{}).open(t).Send(t.Context(), bad); !errors.Is(err, notify.ErrRefused) {
		t.Errorf("no address: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&post{}).open(t).Send(ctx, letter()); err == nil {
		t.Error("it was sent though nobody wants it any more")
	}
}

// In clear nothing is sent where encryption is asked for.
func TestMailIsNotSentInClear(t *testing.T) {
	p := &post{}
	s := p.open(t)
	for _, how := range []notify.TLS{notify.StartTLS, notify.Implicit, ""} {
		s.TLS = how
		if err := s.Send(t.Context(), letter()); err == nil || errors.Is(err, notify.ErrUnknown) {
			t.Errorf("%s: %v", how, err)
		}
	}
	if len(p.taken) != 0 {
		t.Error("something was sent in clear")
	}
}
