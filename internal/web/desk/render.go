package desk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"handoff"
)

//go:embed templates/*.html
var templateFS embed.FS

//go:embed assets
var assetFS embed.FS

const assetsPath = "/desk/assets/"

// frame is what every page has around its own content.
type frame struct {
	Title    string
	Operator string // who is signed in; empty: nobody
	Section  string // of the navigation, such as "leads"; empty: none
	Failures int    // open ones of all sites that are seen
	Live     bool   // desk.js keeps the page fresh
	Copies   bool   // there is something to copy: desk.js is on the page, also if it is not Live
	Keys     bool   // passkeys.js is on the page
	Clock    string // in which zone times are, in words

	actor handoff.Actor
}

// Rest reports that the page is of one of the sections that a narrow screen keeps in a
// menu.
func (f frame) Rest() bool {
	return !slices.Contains([]string{"", "today", "leads", "failures", "account"}, f.Section)
}

// May reports whether who is signed in has at least a role: what they may not do is not
// offered to them.
func (f frame) May(least handoff.Role) bool { return f.actor.May(least) }

// frame fills the frame of a page for who is signed in.
func (d *Desk) frame(ctx context.Context, r *http.Request, section, title string) (frame, error) {
	open, err := d.Store.OpenFailures(ctx, actorOf(r).Sites)
	if err != nil {
		return frame{}, err
	}
	o := operatorOf(r)
	name := o.Name
	if name == "" {
		name = o.Email
	}
	clock := "Times are of each site’s zone, or in UTC"
	if zone := oneZone(d.as(r).seen(), ""); zone != "" {
		clock = "Times are " + zone
	}
	return frame{Title: title, Operator: name, Section: section, Failures: open, Live: true, Clock: clock, actor: o.Actor()}, nil
}

var pages = func() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(template.FuncMap{
		"asset": assetAddress,
		"call":  func(tel string) template.URL { return template.URL("tel:" + dialled(tel)) },
		"times": times,
		"counts": func(caption, by, of string, rows []countRow) any {
			return struct {
				Caption, By, Of string
				Rows            []countRow
			}{caption, by, of, rows}
		},
		"rows": func(of []failureRow, many, settled, pick, mixed bool) failureTable {
			return failureTable{of, many, settled, pick, mixed}
		},
	}).ParseFS(templateFS, "templates/layout.html", "templates/parts.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"sign-in", "today", "sites", "site", "numbers", "leads", "board", "lead", "received", "keys", "api-keys", "failures", "failure-list", "failure", "statements", "statement", "reminders", "account", "people", "link", "letin", "audit", "error"} {
		all[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFS, "templates/"+name+".html"))
	}
	return all
}()

// dialled keeps what a telephone dials, so that the result is safe in a link.
func dialled(tel string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, tel)
}

// times says how often something came.
func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}

// render writes a page, whole or not at all.
func (d *Desk) render(w http.ResponseWriter, status int, name string, data any) error {
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "layout", data); err != nil {
		return fmt.Errorf("desk: page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone
	return nil
}

// A file is an asset as it is served.
type file struct {
	body        []byte
	contentType string
}

var fileTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// files holds the assets by their address, addresses the addresses by their names.
var files, addresses = func() (map[string]file, map[string]string) {
	files, addresses := map[string]file{}, map[string]string{}
	entries, err := assetFS.ReadDir("assets")
	if err != nil {
		panic(err) // embedded above
	}
	for _, e := range entries {
		body, err := assetFS.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		address := assetsPath + strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:5]) + ext
		files[address], addresses[e.Name()] = file{body, fileTypes[ext]}, address
	}
	return files, addresses
}()

// assetAddress is where an asset is served. It changes with the asset, so what is
// served there can be cached for ever.
func assetAddress(name string) (string, error) {
	if a, ok := addresses[name]; ok {
		return a, nil
	}
	return "", fmt.Errorf("there is no asset %s", name)
}

// asset serves a file of ours. It needs no session: the sign-in page has a style.
func (d *Desk) asset(w http.ResponseWriter, r *http.Request) {
	f, ok := files[r.URL.Path]
	if !ok {
		d.fail(w, r, handoff.ErrNotFound)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	_, _ = w.Write(f.body) // the client may be gone
}
