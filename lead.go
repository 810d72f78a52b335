package handoff

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Submission is one form sent: answers and context. It is never changed.
type Submission struct {
	ID      SubmissionID
	Site    string
	Service string // slug
	Lead    LeadID // the lead it opened
	Form    string // random name of the rendered form; the same form sent twice is one submission

	Name    string
	Email   string
	Phone   string // as typed; empty if not asked for or not given
	Message string
	Answers []Answer
	Consent Consent
	Context Context
	At      time.Time
}

// An Answer is the answer to one of a service's own questions.
type Answer struct {
	ID    string `json:"id"`
	Label string `json:"label"` // as it was shown
	Value string `json:"value"`
}

// Consent keeps the wording that was agreed to. The zero value: none was asked for.
type Consent struct {
	Wording string    `json:"wording,omitempty"`
	Given   bool      `json:"given"`
	At      time.Time `json:"at,omitzero"`
}

// Context is where the visitor came from: first touch, as our own pages saw it.
type Context struct {
	Landing  string            `json:"landing,omitempty"`  // path of the first page seen
	Referrer string            `json:"referrer,omitempty"` // origin and path, without a query
	Campaign map[string]string `json:"campaign,omitempty"` // utm_* and click IDs (gclid, fbclid, …)
	TimeZone string            `json:"timeZone,omitempty"` // IANA name, as the visitor's browser told it
}

// DirectSource is the source of a visitor of whom nothing is known that led here.
const DirectSource = "direct"

// maxSource is the length of a source, in bytes.
const maxSource = 100

// Source says in a word where a visitor came from: the campaign's source, else the
// host that referred, else DirectSource. It is in small letters, so that what is
// counted together is spelled alike.
func (c Context) Source() string {
	word := func(s string) string {
		s = strings.Join(strings.Fields(strings.ToLower(s)), " ")
		if len(s) > maxSource {
			s = strings.ToValidUTF8(s[:maxSource], "")
		}
		return s
	}
	if s := word(c.Campaign["utm_source"]); s != "" {
		return s
	}
	if u, err := url.Parse(c.Referrer); err == nil {
		if s := strings.TrimPrefix(word(u.Hostname()), "www."); s != "" {
			return s
		}
	}
	return DirectSource
}

// Digits are the digits of a telephone number as it was typed.
func Digits(phone string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone)
}

// A Lead is the record that a submission opened.
type Lead struct {
	ID        LeadID
	Site      string
	Service   string
	Name      string
	Email     string
	Phone     string
	Source    string // where the visitor came from (Context.Source); empty: not filled in yet
	Stage     Stage
	Manual    *Manual // nil unless a person set the stage
	CreatedAt time.Time
	UpdatedAt time.Time
}

// A Change is one row of a lead's stage history. (Lead, To, Cause) is unique, so
// that one fact cannot move a lead twice.
type Change struct {
	At      time.Time  `json:"at"`
	From    Stage      `json:"from"` // empty for the first
	To      Stage      `json:"to"`
	Cause   string     `json:"cause"` // ID of an observation, a submission or a decision
	Note    string     `json:"note"`  // the cause in plain words
	Booking BookingKey `json:"booking,omitzero"`
}

// A Note is what a person wrote down about a lead.
type Note struct {
	ID     string    `json:"id"` // "note_" and 26 characters
	At     time.Time `json:"at"`
	Author string    `json:"author"` // as the audit log has it
	Text   string    `json:"text"`
}

// MaxNote is the length of a note, in characters.
const MaxNote = 5000

// CheckNote returns a note's text as it is kept. The error is ErrInvalid, with words, if
// it is empty, too long or has control characters.
func CheckNote(text string) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if text == "" || tooLong(text, MaxNote) || !printable(text, true) {
		return "", Refuse(ErrInvalid, "A note has 1 to %d characters, and no control characters.", MaxNote)
	}
	return text, nil
}

// Limits of a submission, in characters. What is longer is refused with a
// message, never cut.
const (
	MaxName    = 200
	MaxEmail   = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets
	MaxPhone   = 40
	MaxMessage = 5000
	MaxAnswer  = 2000
)

// A Problem is one thing to mend in a form, in words for the visitor.
type Problem struct {
	Field   string // name of the form field
	Message string
}

// Problems checks the fields that every form has. An empty list means that the
// submission can be kept.
func (s *Submission) Problems() []Problem {
	var out []Problem
	add := func(field, format string, args ...any) {
		out = append(out, Problem{field, fmt.Sprintf(format, args...)})
	}
	switch {
	case strings.TrimSpace(s.Name) == "":
		add("name", "Enter your name")
	case tooLong(s.Name, MaxName) || !printable(s.Name, false):
		add("name", "Your name must be %d characters or fewer, without line breaks", MaxName)
	}
	switch {
	case strings.TrimSpace(s.Email) == "":
		add("email", "Enter your email address")
	case !validEmail(s.Email):
		add("email", "Enter an email address in the correct format, like name@example.com")
	}
	if tooLong(s.Phone, MaxPhone) || !printable(s.Phone, false) {
		add("phone", "Phone number must be %d characters or fewer", MaxPhone)
	}
	if tooLong(s.Message, MaxMessage) || !printable(s.Message, true) {
		add("message", "Message must be %d characters or fewer", MaxMessage)
	}
	for _, a := range s.Answers {
		if tooLong(a.Value, MaxAnswer) || !printable(a.Value, true) {
			add("q_"+a.ID, "“%s” must be %d characters or fewer", a.Label, MaxAnswer)
		}
	}
	return out
}

// validEmail accepts one plain address with a dotted domain; display names,
// comments and lists are refused.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || len(s) > MaxEmail || !printable(s, false) {
		return false
	}
	_, domain, _ := strings.Cut(s[strings.LastIndexByte(s, '@'):], "@")
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".") && !strings.HasPrefix(domain, "[")
}

func tooLong(s string, n int) bool { return utf8.RuneCountInString(s) > n }

// printable reports that s is valid text without control characters; lines
// allows line breaks and tabs.
func printable(s string, lines bool) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && (!lines || (r != '\n' && r != '\r' && r != '\t'))
	})
}
