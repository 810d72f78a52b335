package content

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Load reads and checks a site's content folder.
//
// Its error joins every fault found, each an [*Error]; then there is no site.
func Load(fsys fs.FS) (*Site, error) {
	l := &loader{fsys: fsys}
	s := new(Site)

	l.site(s)
	l.home(s)
	for _, f := range l.folder("services", ".md") {
		s.Services = append(s.Services, l.service(f))
	}
	for _, f := range l.folder("pages", ".md") {
		s.Pages = append(s.Pages, l.page(f))
	}
	for _, f := range l.folder("proof", ".md", ".yaml") {
		s.Proof = append(s.Proof, l.proof(f))
	}
	s.Reminders = map[int]*Mail{}
	for _, f := range l.folder("mail", ".md") {
		number, m := l.mail(f)
		s.Reminders[number] = m
	}
	for _, f := range l.folder("posts", ".md") {
		s.Posts = append(s.Posts, l.post(f))
	}

	if len(s.Services) == 0 {
		l.errs = append(l.errs, &Error{File: "services", Message: "no service; a site sells at least one"})
	}
	slices.SortStableFunc(s.Services, func(a, b *Service) int { return a.order - b.order })
	slices.SortStableFunc(s.Proof, func(a, b *Proof) int { return b.Date.Compare(a.Date) })
	slices.SortStableFunc(s.Posts, func(a, b *Post) int { return b.Date.Compare(a.Date) })
	l.references(s)

	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// A loader reads one folder and collects its faults.
type loader struct {
	fsys  fs.FS
	total int // bytes read so far
	errs  []error
	links []reference // to pages of the site, checked when all are known
}

// A reference is a link or a name in one file that must lead to something in another.
type reference struct {
	at   Error  // place, without a message
	path string // "/services/leak-detection"
}

// references checks that links within the site lead somewhere. A form or a list
// counts as a page.
func (l *loader) references(s *Site) {
	known := map[string]bool{PostsPath: true}
	for _, p := range s.Paths() {
		known[p] = true
	}
	for _, v := range s.Services {
		known[v.StartPath()] = true
	}
	for _, r := range l.links {
		p, _, _ := strings.Cut(r.path, "#")
		p, _, _ = strings.Cut(p, "?")
		if !known[p] {
			e := r.at
			e.Message = fmt.Sprintf("%s is not a page of this site", p)
			l.errs = append(l.errs, &e)
		}
	}
}
