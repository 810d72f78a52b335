// Package notify sends messages to people: by mail, in Slack, and to webhooks of theirs.
package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// TLS says how a mail server is spoken to.
type TLS string

const (
	StartTLS TLS = "starttls" // in clear at first, and not at all if the server cannot encrypt
	Implicit TLS = "implicit" // encrypted from the first byte
	Plain    TLS = "none"     // for a server on this machine
)

// A Server is the mail server that sends for us. The zero value sends nothing.
type Server struct {
	Host     string
	Port     int
	TLS      TLS
	User     string // empty: the server wants none
	Password string
	Config   *tls.Config // nil: the machine's certificates
}

// A Mail is one message.
type Mail struct {
	FromName, From string
	To             string
	Subject        string
	Text, HTML     string
	// ID names the message, without the angle brackets: the same again is the same
	// message.
	ID string
	// Stop is an address that stops further ones: a page, and for one click a POST
	// (RFC 8058). Empty: there is none.
	Stop string
}

// Errors of Send. An error that is none of them says that the message was not taken,
// and that trying again may help.
var (
	// ErrServer: no message is taken, whoever it is for: the server is away, or does not
	// let us send. Trying again may help, once somebody has looked at it.
	ErrServer = errors.New("the mail server cannot be reached, or does not let us send")
	// ErrRefused: the message was not taken, and never will be.
	ErrRefused = errors.New("refused by the mail server")
	// ErrUnknown: the connection ended while the server had the message; nobody knows
	// whether it was taken.
	ErrUnknown = errors.New("it is not known whether the mail server took it")
)

// timeout is how long a mail server may take, at every step.
const timeout = 30 * time.Second

// Send hands a message to the mail server. It returns nil once the server has taken
// it. Its errors name nobody.
func (s *Server) Send(ctx context.Context, m Mail) error {
	msg, err := m.message()
	if err != nil {
		return fmt.Errorf("mail: %w: %w", ErrRefused, err)
	}
	options := []mail.Option{mail.WithPort(s.Port), mail.WithTimeout(timeout), mail.WithoutNoop()}
	switch s.TLS {
	case Implicit:
		options = append(options, mail.WithSSL())
	case Plain:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.Config != nil {
		options = append(options, mail.WithTLSConfig(s.Config))
	}
	if s.User != "" {
		auth := mail.SMTPAuthAutoDiscover
		if s.TLS == Plain {
			auth = mail.SMTPAuthPlainNoEnc // the library is right not to choose that by itself
		}
		options = append(options, mail.WithSMTPAuth(auth), mail.WithUsername(s.User), mail.WithPassword(s.Password))
	}
	client, err := mail.NewClient(s.Host, options...)
	if err != nil {
		return fmt.Errorf("mail: %w: %w", ErrServer, err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("mail: %w: %w", ErrServer, err)
	}
	defer client.Close() // what it says to that changes nothing
	return judge(client.Send(msg))
}

// judge says what became of a message. The library's own words name the recipient.
func judge(err error) error {
	var failed *mail.SendError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed):
		return fmt.Errorf("mail: %w", ErrUnknown)
	case failed.Reason == mail.ErrSMTPReset:
		return nil // it was taken before
	case failed.Reason == mail.ErrSMTPDataClose && failed.ErrorCode() == 0, failed.Reason == mail.ErrWriteContent:
		return fmt.Errorf("mail: %w", ErrUnknown)
	case failed.Reason == mail.ErrSMTPMailFrom, failed.Reason == mail.ErrConnCheck, asksPassword(failed):
		return fmt.Errorf("mail: %w (%d, %s)", ErrServer, failed.ErrorCode(), failed.Reason)
	case ofPolicy(failed):
		return fmt.Errorf("mail: the mail server's rules are against it (%d %s, %s)", failed.ErrorCode(), failed.EnhancedStatusCode(), failed.Reason)
	case failed.ErrorCode() >= 500 || failed.Reason == mail.ErrGetRcpts || failed.Reason == mail.ErrGetSender:
		return fmt.Errorf("mail: %w (%d, %s)", ErrRefused, failed.ErrorCode(), failed.Reason)
	}
	return fmt.Errorf("mail: the mail server does not take it now (%d, %s)", failed.ErrorCode(), failed.Reason)
}

// asksPassword reports an answer that wants us to sign in, or another password (RFC 4954).
func asksPassword(e *mail.SendError) bool {
	code := e.ErrorCode()
	return code == 530 || code == 535 || code == 538
}

// ofPolicy reports an answer about what may be sent at all (RFC 3463, X.7.X; 5.2.252 is
// Exchange's about the sender): it can be about us, as where the server does not relay, or
// about this recipient, and does not say which.
func ofPolicy(e *mail.SendError) bool {
	code := e.EnhancedStatusCode()
	return strings.HasPrefix(code, "5.7.") || code == "5.2.252"
}

// message writes a message with everything that makes it what it is: nobody's answer,
// made by a machine, and easy to be rid of.
func (m Mail) message() (*mail.Msg, error) {
	msg := mail.NewMsg()
	// As they are: put together as text, a name with a quotation mark would break the line.
	msg.FromMailAddress(&netmail.Address{Name: m.FromName, Address: m.From})
	if err := msg.To(m.To); err != nil {
		return nil, errors.New("the recipient's address is none")
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.Stop != "" {
		msg.SetGenHeader("List-Unsubscribe", "<"+m.Stop+">")
		msg.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}
