package web

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"

	"handoff"
	"handoff/internal/web/public"
)

// A pageFunc answers a request to a site; an error becomes the page for it.
type pageFunc func(w http.ResponseWriter, r *http.Request, site *Site) error

// page finds the site, and answers errors.
func (s *Server) page(f pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		site := s.siteOf(r)
		if site == nil {
			s.fail(w, r, fmt.Errorf("no site has this host: %w", handoff.ErrNotFound))
			return
		}
		if err := f(w, r, site); err != nil {
			s.fail(w, r, err)
		}
	}
}

// render writes a page; it is complete before its status is sent.
func (s *Server) render(w http.ResponseWriter, status int, p public.Page) {
	var b bytes.Buffer
	if err := public.Render(&b, p); err != nil {
		s.Log.Error("a page could not be written", "err", err)
		plain(w, http.StatusInternalServerError, "Something went wrong on our side. Try again in a minute.\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone
}

// show writes a public page, of a service if that is not empty, remembering where the
// visitor came from.
func (s *Server) show(w http.ResponseWriter, r *http.Request, site *Site, service string, p public.Page) error {
	s.remember(w, r, site)
	s.countVisit(r, site, service)
	w.Header().Set("Cache-Control", "no-cache")
	s.render(w, http.StatusOK, p)
	return nil
}

func (s *Server) home(w http.ResponseWriter, r *http.Request, site *Site) error {
	return s.show(w, r, site, "", public.NewHome(site.Content))
}

func (s *Server) service(w http.ResponseWriter, r *http.Request, site *Site) error {
	v := site.Content.Service(r.PathValue("service"))
	if v == nil {
		return handoff.ErrNotFound
	}
	return s.show(w, r, site, v.Slug, public.NewService(site.Content, v))
}

func (s *Server) textPage(w http.ResponseWriter, r *http.Request, site *Site) error {
	p := site.Content.Page(r.PathValue("page"))
	if p == nil {
		return handoff.ErrNotFound
	}
	return s.show(w, r, site, "", public.NewText(site.Content, p))
}

func (s *Server) posts(w http.ResponseWriter, r *http.Request, site *Site) error {
	if len(site.Content.Posts) == 0 {
		return handoff.ErrNotFound
	}
	return s.show(w, r, site, "", public.NewPosts(site.Content))
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, site *Site) error {
	p := site.Content.Post(r.PathValue("post"))
	if p == nil {
		return handoff.ErrNotFound
	}
	return s.show(w, r, site, "", public.NewPost(site.Content, p))
}

func (s *Server) notFound(http.ResponseWriter, *http.Request, *Site) error {
	return handoff.ErrNotFound
}

// robots keeps crawlers from the pages that belong to one visitor, and from the desk.
func (s *Server) robots(w http.ResponseWriter, _ *http.Request, site *Site) error {
	plain(w, http.StatusOK, "User-agent: *\nDisallow: /book/\nDisallow: /booked/\nDisallow: /stop/\nDisallow: /desk/\nDisallow: /webhooks/\n\nSitemap: "+site.Content.URL+"/sitemap.xml\n")
	return nil
}

func (s *Server) sitemap(w http.ResponseWriter, _ *http.Request, site *Site) error {
	type address struct {
		Loc string `xml:"loc"`
	}
	doc := struct {
		XMLName xml.Name  `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
		URLs    []address `xml:"url"`
	}{}
	for _, path := range site.Content.Paths() {
		doc.URLs = append(doc.URLs, address{site.Content.URL + path})
	}
	b, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("sitemap: %w", err)
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	_, _ = w.Write(append([]byte(xml.Header), b...)) // the client may be gone
	return nil
}
