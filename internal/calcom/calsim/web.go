package calsim

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

//go:embed templates static
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"lower": strings.ToLower,
	"join":  strings.Join,
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"when":  func(t time.Time, zone string) string { return t.In(location(zone)).Format("Mon 2 Jan 2006, 15:04") },
}).ParseFS(files, "templates/*.html"))

// location is the zone called name, or UTC if this machine does not know it.
func location(name string) *time.Location {
	if loc, err := time.LoadLocation(name); err == nil {
		return loc
	}
	return time.UTC
}

// maxForm bounds every request body the stand-in reads.
const maxForm = 1 << 20

// routes is the whole HTTP surface. Unsafe requests must not come from another
// origin's page; requests without a browser's headers pass.
func (s *Sim) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showControl)
	mux.HandleFunc("POST /control/book", s.controlBook)
	mux.HandleFunc("POST /control/action", s.controlAction)
	mux.HandleFunc("POST /control/faults", s.controlFaults)
	mux.HandleFunc("POST /control/release", s.controlRelease)
	mux.HandleFunc("POST /control/redeliver", s.controlRedeliver)
	mux.HandleFunc("POST /control/generation", s.controlGeneration)
	mux.HandleFunc("GET /control/bookings", s.listBookings)
	mux.HandleFunc("GET /control/deliveries", s.listDeliveries)
	mux.HandleFunc("GET /control/deliveries/{index}/body", s.showBody)

	for _, et := range s.cfg.EventTypes {
		path := "/" + et.User + "/" + et.Slug
		mux.HandleFunc("GET "+path, s.bookingPage(et, false))
		mux.HandleFunc("GET "+path+"/embed", s.bookingPage(et, true))
		mux.HandleFunc("POST "+path, s.submitBookingPage(et))
	}
	mux.HandleFunc("POST /api/book/event", s.bookEvent)
	mux.HandleFunc("GET /booking/{uid}", s.showBooking)
	mux.HandleFunc("POST /booking/{uid}/cancel", s.cancelBooking)
	mux.HandleFunc("POST /booking/{uid}/pay", s.payBooking)
	mux.HandleFunc("GET /reschedule/{uid}", s.redirectToReschedule)
	mux.HandleFunc("GET /video/{uid}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "This is a stand-in for Cal.com: the video call would be here.\n")
	})

	mux.HandleFunc("GET /v2/bookings", s.api(s.apiList))
	mux.HandleFunc("GET /v2/bookings/{uid}", s.api(s.apiBooking))
	mux.HandleFunc("GET /v2/teams", s.api(s.keyed(s.apiTeams)))
	for _, of := range []string{"", "/teams/{team}"} {
		types := "/v2" + of + "/event-types"
		mux.HandleFunc("GET "+types, s.api(s.keyed(s.apiEventTypes)))
		mux.HandleFunc("GET "+types+"/{type}", s.api(s.keyed(s.apiOneEventType)))
		mux.HandleFunc("POST "+types+"/{type}/booking-fields", s.api(s.keyed(s.apiAddQuestions)))
		s.webhookRoutes(mux, types+"/{type}/webhooks")
	}
	s.webhookRoutes(mux, "/v2/webhooks")

	mux.Handle("GET /static/", http.FileServerFS(files))
	mux.HandleFunc("GET /embed/embed.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "static/embed.js")
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return http.NewCrossOriginProtection().Handler(mux)
}

// policy is the stand-in's own. Booking pages have no frame-ancestors and no
// X-Frame-Options, like the real ones (calcom.md §9.6).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"

// render writes a page; framed says whether other origins may frame it.
func (s *Sim) render(w http.ResponseWriter, status int, name string, framed bool, data any) {
	var buf bytes.Buffer
	if err := templates.ExecuteTemplate(&buf, name, data); err != nil {
		s.log.Error("calsim: page", "name", name, "error", err)
		http.Error(w, "the stand-in could not draw this page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
	if framed {
		h.Set("Content-Security-Policy", policy)
	} else {
		h.Set("Content-Security-Policy", policy+"; frame-ancestors 'none'")
	}
	w.WriteHeader(status)
	_, _ = buf.WriteTo(w)
}

// statusOf is the HTTP status of an action's error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrSlotTaken):
		return http.StatusConflict
	case errors.Is(err, ErrNotPossible):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := encode(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"message":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// isJSON reports whether the request's body says it is JSON.
func isJSON(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/json"
}

// readJSON decodes a bounded body.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return json.Unmarshal(body, v)
}
