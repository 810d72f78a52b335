package public

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"handoff/internal/content"
)

// AssetsPath is where Assets is mounted.
const AssetsPath = "/assets/"

//go:embed *.css *.js *.svg
var assetFS embed.FS

// darkGround is the page's ground in dark mode, as in public.css; accents are
// lightened until they can be read on it.
const darkGround content.Color = "#11191c"

// types are the assets there are.
var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// An asset is a file as it is served.
type asset struct {
	body, gzipped []byte
	hash          string // of the file, in its address
	contentType   string
}

// assets holds the files by name, and is not changed after the start.
var assets = func() map[string]asset {
	all := map[string]asset{}
	entries, err := assetFS.ReadDir(".")
	if err != nil {
		panic(err) // embedded above
	}
	for _, e := range entries {
		body, err := assetFS.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		all[e.Name()] = newAsset(body, hex.EncodeToString(sum[:])[:10], types[path.Ext(e.Name())])
	}
	return all
}()

func newAsset(body []byte, hash, contentType string) asset {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(body) // a bytes.Buffer does not fail
	_ = w.Close()
	return asset{body, b.Bytes(), hash, contentType}
}

// Asset returns the address of a file, such as "/assets/booking.1f2e3d4c5b.js". It
// changes with the file, so what is served there can be cached for ever.
// It panics if there is no such file, which is a fault of the program.
func Asset(name string) string {
	a, ok := assets[name]
	if !ok {
		panic("public: no asset " + name)
	}
	ext := path.Ext(name)
	return AssetsPath + strings.TrimSuffix(name, ext) + "." + a.hash + ext
}

// Tinted returns the address of public.css or icon.svg in a site's colour, such
// as "/assets/public-0b5d6b.1f2e3d4c5b.css". The colour is in the address because
// the pages' policy allows no style in the page.
func Tinted(name string, accent content.Color) string {
	base, rest, _ := strings.Cut(Asset(name), ".")
	return base + "-" + strings.TrimPrefix(string(accent), "#") + "." + rest
}

// Assets serves the files at AssetsPath.
//
//	200  the file; to be cached for ever if the address has its hash. An address
//	     of an older or newer release gets our file, not to be cached.
//	304  the client has it
//	404  no such file, or a colour in which the pages could not be read
//	405  neither GET nor HEAD
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		a, hash, ok := find(strings.TrimPrefix(r.URL.Path, AssetsPath))
		if !ok {
			http.NotFound(w, r)
			return
		}

		h := w.Header()
		h.Set("Content-Type", a.contentType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Vary", "Accept-Encoding")
		h.Set("Cache-Control", "no-cache")
		if hash == a.hash {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		body, tag := a.body, a.hash
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, tag = a.gzipped, a.hash+"-gz"
		}
		h.Set("ETag", `"`+tag+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// find returns the asset of a path such as "public-0b5d6b.1f2e3d4c5b.css", and
// the hash that the path names.
func find(name string) (a asset, hash string, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 {
		return asset{}, "", false
	}
	base, hash, ext := parts[0], parts[1], parts[2]
	if a, ok = assets[base+"."+ext]; ok {
		return a, hash, true
	}

	base, hex, tinted := strings.Cut(base, "-")
	accent, err := content.ParseAccent("#" + hex)
	if !tinted || err != nil || string(accent) != "#"+hex {
		return asset{}, "", false
	}
	a = assets[base+"."+ext]
	switch base + "." + ext {
	case "public.css":
		brand := fmt.Sprintf(":root{--brand:%s;--brand-dark:%s}\n", accent, darkAccent(accent))
		return newAsset(append([]byte(brand), a.body...), a.hash, a.contentType), hash, true
	case "icon.svg":
		return newAsset(bytes.ReplaceAll(a.body, []byte("#1f5f8b"), []byte(accent)), a.hash, a.contentType), hash, true
	}
	return asset{}, "", false
}

// darkAccent returns the accent for dark mode, of contrast 7 with the ground.
func darkAccent(accent content.Color) content.Color { return accent.Lighten(darkGround, 7) }

// acceptsGzip reports whether an Accept-Encoding names gzip and does not refuse it.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(coding) == "gzip" {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && !strings.HasPrefix(q, "q=0.0")
		}
	}
	return false
}
