package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"handoff"
	"handoff/internal/content"
	"handoff/internal/store"
	"handoff/internal/web/public"
)

const (
	maxForm  = 64 << 10        // bytes of a sent form
	minFill  = 2 * time.Second // people need longer, machines do not
	maxFill  = 24 * time.Hour
	contextF = "context"   // hidden field with the visit, for browsers without cookies
	zoneF    = "time_zone" // hidden field that the page's script fills in
)

// startForm shows a service's intake form.
func (s *Server) startForm(w http.ResponseWriter, r *http.Request, site *Site) error {
	v := site.Content.Service(r.PathValue("service"))
	if v == nil {
		return handoff.ErrNotFound
	}
	p := public.NewStart(site.Content, v, s.newFormToken(site, v))
	p.Hidden = map[string]string{contextF: encodeVisit(s.visit(r, site)), zoneF: ""}
	w.Header().Set("Cache-Control", "no-store")
	s.remember(w, r, site)
	s.countVisit(r, site, "")
	s.count(r, site, store.TallyStart, v.Slug, s.visit(r, site).Source())
	s.render(w, http.StatusOK, p)
	return nil
}

// submit takes an intake form.
//
//	303  kept, now or by an earlier send of the same form; on to the booking page
//	400  not a form, or the same form sent over and over
//	404  no such service
//	413  larger than any form
//	422  something to mend; nothing was kept
//	429  too many from one source
//	503  could not be stored; nothing was kept
func (s *Server) submit(w http.ResponseWriter, r *http.Request, site *Site) error {
	v := site.Content.Service(r.PathValue("service"))
	if v == nil {
		return handoff.ErrNotFound
	}
	if s.formLimit.OnLimit(w, r, s.Source(r)) {
		return errTooMany
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return errTooLarge
		}
		return fmt.Errorf("form: %w", handoff.ErrInvalid)
	}
	sub, problems := s.readSubmission(site, v, r.PostForm)
	if len(problems) > 0 {
		s.showProblems(w, site, v, r.PostForm, problems)
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), keepDeadline)
	defer cancel()
	kept, err := s.Store.CreateLead(ctx, sub, site.Pipeline)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/book/"+s.Keys.Sign(site.ID, kept.ID), http.StatusSeeOther)
	return nil
}

// showProblems shows the form again with what was sent. A token that was too
// young stays the same, so that sending again is not a second form.
func (s *Server) showProblems(w http.ResponseWriter, site *Site, v *content.Service, sent url.Values, problems []public.FieldError) {
	token := sent.Get(public.FieldToken)
	if _, age, ok := s.openFormToken(site, v, token); !ok || age > maxFill {
		token = s.newFormToken(site, v)
	}
	p := public.NewStart(site.Content, v, token)
	p.Values, p.Errors = sent, problems
	p.Hidden = map[string]string{contextF: sent.Get(contextF), zoneF: sent.Get(zoneF)}
	w.Header().Set("Cache-Control", "no-store")
	s.render(w, http.StatusUnprocessableEntity, p)
}

// readSubmission parses a sent form. Problems are in the order of the fields.
func (s *Server) readSubmission(site *Site, v *content.Service, f url.Values) (handoff.Submission, []public.FieldError) {
	var problems []public.FieldError
	add := func(field, message string) {
		problems = append(problems, public.FieldError{Field: field, Message: message})
	}

	form, age, ok := s.openFormToken(site, v, f.Get(public.FieldToken))
	switch {
	case !ok:
		add("", "This form could not be checked. Please send it again.")
	case age > maxFill:
		add("", "This form was open for more than a day. Please send it again.")
	case age < minFill:
		add("", "That was very quick, as machines are. Please check your answers and send the form again.")
	}
	if f.Get(public.FieldHoneypot) != "" {
		add("", "A field that people cannot see was filled in, probably by your browser. It is empty now: please send the form again.")
		f.Del(public.FieldHoneypot)
	}
	visit, _ := decodeVisit(f.Get(contextF))
	visit.TimeZone = zone(f.Get(zoneF))
	sub := handoff.Submission{
		Site: site.ID, Service: v.Slug, Form: form,
		Name: field(f, public.FieldName), Email: field(f, public.FieldEmail), Message: field(f, public.FieldMessage),
		Context: visit,
	}
	if v.Phone != content.PhoneHidden {
		sub.Phone = field(f, public.FieldPhone)
	}
	for _, q := range v.Questions {
		a, message := answerOf(q, f)
		if message != "" {
			add(q.Field(), message)
		}
		if a.Value != "" {
			sub.Answers = append(sub.Answers, a)
		}
	}
	for _, p := range sub.Problems() {
		if !slices.ContainsFunc(problems, func(e public.FieldError) bool { return e.Field == p.Field }) {
			add(p.Field, p.Message+".")
		}
	}
	if v.Phone == content.PhoneRequired && sub.Phone == "" {
		add(public.FieldPhone, "Enter your phone number.")
	}
	if v.Consent.Text != "" {
		given := f.Get(public.FieldConsent) == public.ConsentGiven
		sub.Consent = handoff.Consent{Wording: v.Consent.Text, Given: given, At: s.Now().UTC()}
		if v.Consent.Required && !given {
			add(public.FieldConsent, "Tick the box to agree, so that we may contact you.")
		}
	}
	return sub, problems
}

// maxZone is the longest name of a time zone, in bytes; the longest there is has 32.
const maxZone = 64

// zone is the name of a time zone that there is; empty for anything else that a browser
// sent.
func zone(name string) string {
	if len(name) > maxZone || name == "Local" {
		return ""
	}
	if _, err := time.LoadLocation(name); err != nil {
		return ""
	}
	return name
}

// field reads one line or text, trimmed, with the line ends of a browser made one kind.
func field(f url.Values, name string) string {
	return strings.TrimSpace(strings.ReplaceAll(f.Get(name), "\r\n", "\n"))
}

// answerOf reads the answer to a service's own question; message is empty if it
// is right.
func answerOf(q content.Question, f url.Values) (a handoff.Answer, message string) {
	a = handoff.Answer{ID: q.ID, Label: q.Label, Value: field(f, q.Field())}
	limit := q.MaxLength
	if limit == 0 {
		limit = 200
		if q.Kind == content.KindTextarea {
			limit = handoff.MaxAnswer
		}
	}
	switch q.Kind {
	case content.KindCheckbox:
		var chosen []string
		for _, o := range q.Options {
			if slices.Contains(f[q.Field()], o) {
				chosen = append(chosen, o)
			}
		}
		a.Value = strings.Join(chosen, ", ")
	case content.KindSelect, content.KindRadio:
		if a.Value != "" && !slices.Contains(q.Options, a.Value) {
			return handoff.Answer{}, "Choose one of the answers to “" + q.Label + "”."
		}
	}
	switch {
	case q.Required && a.Value == "" && len(q.Options) > 0:
		return a, "Choose an answer to “" + q.Label + "”."
	case q.Required && a.Value == "":
		return a, "Answer “" + q.Label + "”."
	case len(q.Options) == 0 && utf8.RuneCountInString(a.Value) > limit:
		return a, fmt.Sprintf("Shorten your answer to “%s” to %d characters or fewer.", q.Label, limit)
	}
	return a, ""
}

// A form token names one rendered form and says when it was rendered, signed for
// its site and service: time in milliseconds (8 bytes), random name (12), MAC (12).
const tokenLen = 8 + 12 + 12

func (s *Server) newFormToken(site *Site, v *content.Service) string {
	b := make([]byte, 20, tokenLen)
	binary.BigEndian.PutUint64(b, uint64(s.Now().UnixMilli()))
	_, _ = rand.Read(b[8:]) // never fails
	return base64.RawURLEncoding.EncodeToString(append(b, s.formMAC(site, v, b)...))
}

// openFormToken checks a token and returns the form's name and age.
func (s *Server) openFormToken(site *Site, v *content.Service, token string) (form string, age time.Duration, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != tokenLen || !hmac.Equal(b[20:], s.formMAC(site, v, b[:20])) {
		return "", 0, false
	}
	rendered := time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	return hex.EncodeToString(b[8:20]), s.Now().Sub(rendered), true
}

func (s *Server) formMAC(site *Site, v *content.Service, b []byte) []byte {
	h := hmac.New(sha256.New, s.formKey)
	fmt.Fprintf(h, "%s\n%s\n", site.ID, v.Slug)
	h.Write(b)
	return h.Sum(nil)[:12]
}
