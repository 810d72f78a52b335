package web

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"handoff/internal/csp"
)

// chain wraps the routes in what every request passes: a recovered panic, a log
// line, the security headers, and the refusal of other sites' writes.
func (s *Server) chain(mux *http.ServeMux) http.Handler {
	protection := http.NewCrossOriginProtection()
	// The webhook is written to by Cal.com's servers, which send no Origin; its
	// proof is the signature.
	protection.AddInsecureBypassPattern("POST /webhooks/calcom/{site}")
	// Mail is read in browsers too, and RFC 8058 has its reader's program post: the
	// reference is in the letter alone, and all it does is stop letters.
	protection.AddInsecureBypassPattern("POST /stop/{reference}")
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Desk != nil && strings.HasPrefix(r.URL.Path, "/desk/") {
			s.Desk.ServeHTTP(w, r) // it refuses too, with a page of its own
			return
		}
		s.fail(w, r, errCrossOrigin)
	}))
	return s.logged(mux, s.secured(protection.Handler(direct(mux))))
}

// direct answers 404 to a webhook whose address is only nearly one of ours, such
// as with a slash doubled. The mux would redirect it, and Cal.com follows no
// redirect: its webhooks would be lost without a word.
func direct(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if clean := path.Clean(r.URL.Path); clean != r.URL.Path && strings.HasPrefix(clean, "/webhooks/") {
			answer(w, http.StatusNotFound, "no such address", "Correct the webhook's address in Cal.com to "+clean+" after the site's own.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

var publicPolicy = csp.Public().String()

// secured sets the headers that every answer has. A handler may set stricter or
// other ones afterwards.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", publicPolicy)
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		next.ServeHTTP(w, r)
	})
}

// logged writes one line for each request, and turns a panic into a 500. Only the
// route's pattern is logged: paths can hold a reference, and addresses are
// personal.
func (s *Server) logged(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		_, pattern := mux.Handler(r)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.Log.Error("a handler panicked", "route", pattern, "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					s.fail(rec, r, errInternal)
				}
			}
			s.Log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelDebug, "request",
				slog.String("method", r.Method), slog.String("route", pattern),
				slog.Int("status", rec.status), slog.Duration("took", s.Now().Sub(start)))
		}()
		next.ServeHTTP(rec, r)
	})
}

// A recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// siteOf finds the site that a request is for; nil if there is none.
func (s *Server) siteOf(r *http.Request) *Site {
	host := s.Host(r)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if site := s.byHost[strings.ToLower(strings.TrimSuffix(host, "."))]; site != nil {
		return site
	}
	return s.any
}

// clientAddr is the address a request came from: the peer's, or, where the peer
// is a trusted proxy, the last one in X-Forwarded-For that is none itself.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	addr := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.trusted(addr) {
			return addr
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}
		addr = next.Unmap()
	}
	return addr
}

func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func (s *Server) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Timeouts of the listener, for internal/app: slow senders and readers are cut;
// event streams set a deadline of their own for each write.
const (
	ReadHeaderTimeout = 5 * time.Second
	ReadTimeout       = 15 * time.Second
	WriteTimeout      = 30 * time.Second
	IdleTimeout       = 2 * time.Minute
	MaxHeaderBytes    = 32 << 10
)
