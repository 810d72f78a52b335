package content

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
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

// site reads site.yaml.
func (l *loader) site(s *Site) {
	var y struct {
		Name        string   `yaml:"name"`
		LegalName   string   `yaml:"legal_name"`
		Tagline     string   `yaml:"tagline"`
		Description string   `yaml:"description"`
		Language    string   `yaml:"language"`
		TimeZone    string   `yaml:"time_zone"`
		URL         string   `yaml:"url"`
		Phone       string   `yaml:"phone"`
		Email       string   `yaml:"email"`
		Address     Address  `yaml:"address"`
		Hours       []Hours  `yaml:"opening_hours"`
		AreasServed []string `yaml:"areas_served"`
		Type        string   `yaml:"type"`
		Social      []string `yaml:"social"`
		Accent      string   `yaml:"accent"`
		Demo        bool     `yaml:"demo"`
		Navigation  []Link   `yaml:"navigation"`
	}
	y.Language, y.TimeZone, y.Type, y.Accent = "en-GB", "UTC", "LocalBusiness", "#1f5f8b"

	f := l.open("site.yaml")
	if !f.decode(&y) {
		return
	}
	f.text("name", y.Name, 1, 80)
	f.text("legal_name", y.LegalName, 0, 120)
	f.text("tagline", y.Tagline, 1, 120)
	f.text("description", y.Description, 1, 300)
	f.match("language", y.Language, languageForm, "a language such as en-GB")
	if _, err := time.LoadLocation(y.TimeZone); err != nil || y.TimeZone == "Local" || y.TimeZone == "" {
		f.fault("time_zone", "%q is not a time zone such as Europe/London", y.TimeZone)
	}
	f.siteURL("url", y.URL)
	if y.Phone != "" {
		f.match("phone", y.Phone, phoneForm, "an international number such as +44 20 7946 0812")
	}
	if a, err := mail.ParseAddress(y.Email); err != nil || a.Address != y.Email {
		f.fault("email", "%q is not an e-mail address", y.Email)
	}
	for _, v := range []struct{ field, value string }{
		{"street", y.Address.Street}, {"locality", y.Address.Locality}, {"region", y.Address.Region}, {"postcode", y.Address.Postcode},
	} {
		f.text("address."+v.field, v.value, 0, 120)
	}
	if y.Address.Country != "" {
		f.match("address.country", y.Address.Country, countryForm, "a country code such as GB")
	}
	for i, h := range y.Hours {
		at := fmt.Sprintf("opening_hours[%d].", i)
		if len(h.Days) == 0 {
			f.fault(at+"days", "is missing")
		}
		for _, d := range h.Days {
			f.oneOf(at+"days", d, weekdays)
		}
		f.match(at+"opens", h.Opens, clockForm, "a time such as 08:00")
		f.match(at+"closes", h.Closes, clockForm, "a time such as 18:00")
	}
	f.list("areas_served", y.AreasServed, 50, 80)
	f.oneOf("type", y.Type, BusinessTypes)
	for i, v := range y.Social {
		if u, err := url.Parse(v); err != nil || u.Scheme != "https" || u.Host == "" || len(v) > 300 {
			f.fault(fmt.Sprintf("social[%d]", i), "%q is not an https address", v)
		}
	}
	accent, err := ParseAccent(y.Accent)
	if err != nil {
		f.fault("accent", "%v", err)
	}
	if len(y.Navigation) > 8 {
		f.fault("navigation", "has %d links, at most 8 fit", len(y.Navigation))
	}
	for i, v := range y.Navigation {
		at := fmt.Sprintf("navigation[%d].", i)
		f.text(at+"label", v.Label, 1, 30)
		f.link(at+"href", v.Href)
	}

	*s = Site{
		Name: y.Name, LegalName: y.LegalName, Tagline: y.Tagline, Description: y.Description, Language: y.Language, TimeZone: y.TimeZone,
		URL: y.URL, Phone: y.Phone, Email: y.Email, Address: y.Address, Hours: y.Hours, AreasServed: y.AreasServed,
		Type: y.Type, Social: y.Social, Accent: accent, Demo: y.Demo, Navigation: y.Navigation,
	}
}

// home reads home.md.
func (l *loader) home(s *Site) {
	var y struct {
		Title           string `yaml:"title"`
		MetaDescription string `yaml:"meta_description"`
		Lead            string `yaml:"lead"`
	}
	f := l.open("home.md")
	if !f.decode(&y) {
		return
	}
	f.text("title", y.Title, 1, 100)
	f.text("meta_description", y.MetaDescription, 1, 200)
	f.text("lead", y.Lead, 1, 300)
	s.Home = Home{y.Title, y.MetaDescription, y.Lead, f.markdown()}
}

// service reads services/<slug>.md.
func (l *loader) service(name string) *Service {
	var y struct {
		Title           string     `yaml:"title"`
		Short           string     `yaml:"short"`
		Summary         string     `yaml:"summary"`
		MetaDescription string     `yaml:"meta_description"`
		PriceNote       string     `yaml:"price_note"`
		Order           int        `yaml:"order"`
		Host            string     `yaml:"host"`
		CallMinutes     int        `yaml:"call_minutes"`
		CallNote        string     `yaml:"call_note"`
		Prepare         []string   `yaml:"prepare"`
		NextSteps       []string   `yaml:"next_steps"`
		Confirmation    string     `yaml:"confirmation"`
		Calendar        string     `yaml:"calendar"`
		EventType       int        `yaml:"event_type"`
		Embed           Embed      `yaml:"embed"`
		Phone           Phone      `yaml:"phone"`
		Consent         Consent    `yaml:"consent"`
		Questions       []Question `yaml:"questions"`
		FAQ             []FAQ      `yaml:"faq"`
	}
	y.Embed, y.Phone = EmbedClick, PhoneOptional

	f := l.open(name)
	if !f.decode(&y) {
		return &Service{Slug: f.slug()}
	}
	if y.Short == "" {
		y.Short = y.Title
	}
	f.text("title", y.Title, 1, 100)
	f.text("short", y.Short, 1, 60)
	f.text("summary", y.Summary, 1, 300)
	f.text("meta_description", y.MetaDescription, 1, 200)
	f.text("price_note", y.PriceNote, 0, 200)
	f.text("host", y.Host, 0, 80)
	if y.CallMinutes < 5 || y.CallMinutes > 480 {
		f.fault("call_minutes", "is %d, expected 5 to 480", y.CallMinutes)
	}
	f.text("call_note", y.CallNote, 0, 200)
	f.list("prepare", y.Prepare, 10, 200)
	f.list("next_steps", y.NextSteps, 8, 200)
	f.text("confirmation", y.Confirmation, 0, 300)
	f.match("calendar", y.Calendar, calendarForm, "a path at Cal.com such as priya-raman/survey-call")
	if y.EventType < 1 {
		f.fault("event_type", "is %d, expected the number of the event type at Cal.com", y.EventType)
	}
	f.oneOf("embed", string(y.Embed), []string{"auto", "click"})
	f.oneOf("phone", string(y.Phone), []string{"hidden", "optional", "required"})
	f.text("consent.text", y.Consent.Text, 0, 600)
	if y.Consent.Required && y.Consent.Text == "" {
		f.fault("consent.text", "is missing, but consent is required")
	}
	f.questions(y.Questions)
	for i, v := range y.FAQ {
		at := fmt.Sprintf("faq[%d].", i)
		f.text(at+"question", v.Question, 1, 200)
		f.text(at+"answer", v.Answer, 1, 1000)
	}

	return &Service{
		Slug: f.slug(), Title: y.Title, Short: y.Short, Summary: y.Summary, MetaDescription: y.MetaDescription, PriceNote: y.PriceNote,
		Body: f.markdown(), Host: y.Host, CallMinutes: y.CallMinutes, CallNote: y.CallNote, Prepare: y.Prepare, NextSteps: y.NextSteps,
		Confirmation: y.Confirmation, Calendar: y.Calendar, EventType: y.EventType, Embed: y.Embed, Phone: y.Phone,
		Consent: y.Consent, Questions: y.Questions, FAQ: y.FAQ, order: y.Order,
	}
}

// questions checks the extra questions of a service and fills in their lengths.
func (f *file) questions(list []Question) {
	if len(list) > 12 {
		f.fault("questions", "has %d questions, at most 12: a short form is answered", len(list))
	}
	seen := map[string]bool{}
	for i := range list {
		q, at := &list[i], fmt.Sprintf("questions[%d].", i)
		f.match(at+"id", q.ID, idForm, "lower case letters, digits and _")
		if seen[q.ID] {
			f.fault(at+"id", "%q is used twice", q.ID)
		}
		seen[q.ID] = true
		f.text(at+"label", q.Label, 1, 200)
		f.text(at+"hint", q.Hint, 0, 300)
		f.oneOf(at+"kind", string(q.Kind), []string{"text", "textarea", "select", "radio", "checkbox"})

		switch q.Kind {
		case KindSelect, KindRadio, KindCheckbox:
			if len(q.Options) < 1 || len(q.Options) > 30 {
				f.fault(at+"options", "has %d options, expected 1 to 30", len(q.Options))
			}
			f.list(at+"options", q.Options, 30, 120)
			if len(slices.Compact(slices.Sorted(slices.Values(q.Options)))) != len(q.Options) {
				f.fault(at+"options", "holds an option twice")
			}
			if q.MaxLength != 0 {
				f.fault(at+"max_length", "is for text and textarea only")
			}
		default:
			if len(q.Options) > 0 {
				f.fault(at+"options", "are for select, radio and checkbox only")
			}
			if q.MaxLength == 0 {
				q.MaxLength = 200
				if q.Kind == KindTextarea {
					q.MaxLength = 2000
				}
			}
			if q.MaxLength < 1 || q.MaxLength > 5000 {
				f.fault(at+"max_length", "is %d, expected 1 to 5000", q.MaxLength)
			}
		}
	}
}

// reserved are first path segments that belong to the program.
var reserved = []string{
	"api", "assets", "book", "booked", "desk", "healthz", "metrics", "posts", "readyz", "services", "start", "webhooks",
}

// page reads pages/<slug>.md.
func (l *loader) page(name string) *Page {
	var y struct {
		Title           string `yaml:"title"`
		MetaDescription string `yaml:"meta_description"`
		Kind            string `yaml:"kind"`
	}
	y.Kind = "WebPage"
	f := l.open(name)
	if !f.decode(&y) {
		return &Page{Slug: f.slug()}
	}
	if slices.Contains(reserved, f.slug()) {
		f.fault("", "the address /%s belongs to the program; choose another file name", f.slug())
	}
	f.text("title", y.Title, 1, 100)
	f.text("meta_description", y.MetaDescription, 1, 200)
	f.oneOf("kind", y.Kind, []string{"WebPage", "AboutPage", "ContactPage"})
	return &Page{f.slug(), y.Title, y.MetaDescription, y.Kind, f.markdown()}
}

// proof reads proof/<slug>.md or .yaml and draws the proof boundary.
func (l *loader) proof(name string) *Proof {
	var y struct {
		Kind       string `yaml:"kind"`
		Title      string `yaml:"title"`
		Source     string `yaml:"source"`
		Date       string `yaml:"date"`
		Permission string `yaml:"permission"`
		Service    string `yaml:"service"`
		Demo       bool   `yaml:"demo"`
		Body       string `yaml:"body"`
	}
	y.Kind = "testimonial"
	f := l.open(name)
	if !f.decode(&y) {
		return &Proof{Slug: f.slug()}
	}
	f.oneOf("kind", y.Kind, []string{"testimonial", "case"})
	f.text("title", y.Title, 0, 120)
	f.text("source", y.Source, 1, 120)
	date := f.date("date", y.Date)
	if strings.TrimSpace(y.Permission) == "" {
		f.fault("permission", "is missing: say how and when the source agreed to be shown, or take the file out of the folder")
	}
	f.text("permission", y.Permission, 0, 300)
	if y.Service != "" {
		l.links = append(l.links, reference{Error{File: name, Field: "service"}, "/services/" + y.Service})
	}
	switch {
	case path.Ext(name) == ".yaml":
		f.body, f.bodyLine = []byte(y.Body), f.line("body")
	case y.Body != "":
		f.fault("body", "belongs below the front matter")
	}
	body := f.markdown()
	if body == "" {
		f.fault("", "has no text")
	}
	return &Proof{f.slug(), y.Kind, y.Title, y.Source, date, y.Permission, y.Service, y.Demo, body}
}

// post reads posts/<slug>.md.
func (l *loader) post(name string) *Post {
	var y struct {
		Title   string `yaml:"title"`
		Summary string `yaml:"summary"`
		Date    string `yaml:"date"`
		Updated string `yaml:"updated"`
		Author  string `yaml:"author"`
	}
	f := l.open(name)
	if !f.decode(&y) {
		return &Post{Slug: f.slug()}
	}
	f.text("title", y.Title, 1, 100)
	f.text("summary", y.Summary, 1, 200)
	f.text("author", y.Author, 0, 80)
	p := &Post{Slug: f.slug(), Title: y.Title, Summary: y.Summary, Date: f.date("date", y.Date), Author: y.Author, Body: f.markdown()}
	if y.Updated != "" {
		p.Updated = f.date("updated", y.Updated)
		if p.Updated.Before(p.Date) {
			f.fault("updated", "is before date")
		}
	}
	return p
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

var (
	slugForm     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	idForm       = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	languageForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Z]{2})?$`)
	countryForm  = regexp.MustCompile(`^[A-Z]{2}$`)
	clockForm    = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	phoneForm    = regexp.MustCompile(`^\+[1-9][0-9 ()-]{5,23}[0-9]$`)
	calendarForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]{0,79}(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,79}){1,3}$`)
)

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// BusinessTypes are the schema.org types a site can be: LocalBusiness and those
// of its kinds that book calls.
var BusinessTypes = []string{
	"LocalBusiness", "HomeAndConstructionBusiness", "Electrician", "GeneralContractor", "HVACBusiness", "HousePainter",
	"Locksmith", "MovingCompany", "Plumber", "RoofingContractor",
	"ProfessionalService", "AccountingService", "Attorney", "LegalService", "Notary", "EmploymentAgency", "FinancialService",
	"InsuranceAgency", "RealEstateAgent", "TravelAgency", "AutoRepair", "DryCleaningOrLaundry", "Dentist", "MedicalBusiness",
	"Optician", "VeterinaryCare", "HealthAndBeautyBusiness", "BeautySalon", "HairSalon", "SelfStorage", "ChildCare",
}

// A file is one file of the folder while it is read.
type file struct {
	*loader
	name     string
	meta     []byte // YAML, padded so that its lines are those of the file
	tree     *ast.File
	body     []byte // Markdown
	bodyLine int    // line of the file on which body begins
	broken   bool   // could not be read or split; said already
}

// folder lists the files of a folder with one of the extensions, sorted. A
// missing folder is an empty one; hidden files are skipped.
func (l *loader) folder(dir string, exts ...string) []string {
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.errs = append(l.errs, &Error{File: dir, Message: err.Error()})
		}
		return nil
	}
	if len(entries) > MaxFiles {
		l.errs = append(l.errs, &Error{File: dir, Message: fmt.Sprintf("holds %d files, at most %d are read", len(entries), MaxFiles)})
		return nil
	}
	var names []string
	slugs := map[string]bool{}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		slug, name := strings.TrimSuffix(e.Name(), ext), path.Join(dir, e.Name())
		fault := func(format string, args ...any) {
			l.errs = append(l.errs, &Error{File: name, Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir() || !slices.Contains(exts, ext):
			fault("only files ending in %s belong here", strings.Join(exts, " or "))
		case !slugForm.MatchString(slug) || len(slug) > 64:
			fault("the name becomes an address: lower case letters, digits and single hyphens, at most 64")
		case slugs[slug]:
			fault("the name is used twice")
		default:
			slugs[slug] = true
			names = append(names, name)
		}
	}
	return names
}

// open reads a file and splits off its front matter.
func (l *loader) open(name string) *file {
	f := &file{loader: l, name: name}
	data, err := f.read()
	if err != nil {
		f.fault("", "%v", err)
		f.broken = true
		return f
	}
	if path.Ext(name) == ".yaml" {
		f.meta = data
		return f
	}

	rest, ok := bytes.CutPrefix(data, []byte("---\n"))
	if !ok {
		f.faultAt(1, 1, "", "does not begin with a front matter between two lines \"---\"")
		f.broken = true
		return f
	}
	meta, body, ok := bytes.Cut(append([]byte("\n"), rest...), []byte("\n---\n"))
	if !ok {
		f.faultAt(1, 1, "", "the front matter is not closed by a line \"---\"")
		f.broken = true
		return f
	}
	// meta begins with one empty line in place of the opening "---".
	f.meta, f.body = meta, body
	f.bodyLine = bytes.Count(meta, []byte("\n")) + 3
	return f
}

func (f *file) read() ([]byte, error) {
	r, err := f.fsys.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("is missing")
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()

	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	f.total += len(data)
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxFile:
		return nil, fmt.Errorf("is over %d kB", MaxFile>>10)
	case f.total > MaxTotal:
		return nil, fmt.Errorf("the site is over %d MB", MaxTotal>>20)
	case !utf8.Valid(data):
		return nil, errors.New("is not UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), nil
}

func (f *file) slug() string {
	return strings.TrimSuffix(path.Base(f.name), path.Ext(f.name))
}

// decode reads the YAML into v, strictly: a field that v does not know is a
// fault. It reports whether v can be checked further.
func (f *file) decode(v any) bool {
	if f.broken {
		return false
	}
	tree, err := parser.ParseBytes(f.meta, 0)
	if err == nil {
		tree.Docs = slices.DeleteFunc(tree.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
		switch len(tree.Docs) {
		case 0:
			return true // nothing but comments: the fields are missing, and said to be
		case 1:
			f.tree = tree
		default:
			f.fault("", "holds more than one YAML document")
			return false
		}
		for _, kind := range []ast.NodeType{ast.AnchorType, ast.AliasType} {
			if nodes := ast.FilterFile(kind, tree); len(nodes) > 0 {
				pos := nodes[0].GetToken().Position
				f.faultAt(pos.Line, pos.Column, "", "anchors and aliases are not read; write the value again")
				return false
			}
		}
		err = yaml.NewDecoder(bytes.NewReader(f.meta), yaml.Strict()).Decode(v)
	}
	var e yaml.Error
	switch {
	case errors.As(err, &e) && e.GetToken() != nil:
		pos := e.GetToken().Position
		f.faultAt(pos.Line, pos.Column, "", "%s", e.GetMessage())
	case err != nil:
		f.fault("", "%v", err)
	}
	return err == nil
}

// fault adds a fault at the place of a field, if the file has that field.
func (f *file) fault(field, format string, args ...any) {
	line, column := f.place(field)
	f.faultAt(line, column, field, format, args...)
}

func (f *file) faultAt(line, column int, field, format string, args ...any) {
	f.errs = append(f.errs, &Error{f.name, line, column, field, fmt.Sprintf(format, args...)})
}

// place returns where the value of a field stands, zeros if it is not there.
func (f *file) place(field string) (line, column int) {
	if f.tree == nil || field == "" {
		return 0, 0
	}
	p, err := yaml.PathString("$." + field)
	if err != nil {
		return 0, 0
	}
	node, err := p.FilterFile(f.tree)
	if err != nil || node == nil || node.GetToken() == nil {
		return 0, 0
	}
	pos := node.GetToken().Position
	return pos.Line, pos.Column
}

func (f *file) line(field string) int {
	line, _ := f.place(field)
	return line
}

// text checks a plain text of least to most characters.
func (f *file) text(field, value string, least, most int) {
	switch n := utf8.RuneCountInString(value); {
	case n == 0 && least > 0:
		f.fault(field, "is missing")
	case n > most:
		f.fault(field, "has %d characters, at most %d", n, most)
	case strings.TrimSpace(value) != value:
		f.fault(field, "begins or ends with a space or line break")
	case strings.ContainsFunc(value, unicode.IsControl):
		f.fault(field, "holds a line break or control character")
	}
}

func (f *file) list(field string, values []string, most, length int) {
	if len(values) > most {
		f.fault(field, "has %d entries, at most %d", len(values), most)
	}
	for i, v := range values {
		f.text(fmt.Sprintf("%s[%d]", field, i), v, 1, length)
	}
}

func (f *file) match(field, value string, form *regexp.Regexp, want string) {
	switch {
	case value == "":
		f.fault(field, "is missing: expected %s", want)
	case !form.MatchString(value):
		f.fault(field, "%q is not %s", value, want)
	}
}

func (f *file) oneOf(field, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		f.fault(field, "%q is none of %s", value, strings.Join(allowed, ", "))
	}
}

// date reads a day, at midnight UTC.
func (f *file) date(field, value string) time.Time {
	if value == "" {
		f.fault(field, "is missing: expected a date such as 2026-03-02")
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, value)
	if err != nil {
		f.fault(field, "%q is not a date such as 2026-03-02", value)
	}
	return t
}

func (f *file) siteURL(field, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || len(value) > 200 {
		f.fault(field, "%q is not an address such as https://brightwater.example, without a path", value)
	}
}

// link checks a link that a YAML field holds.
func (f *file) link(field, href string) {
	line, column := f.place(field)
	if why := f.target(Error{f.name, line, column, field, ""}, href); why != "" {
		f.fault(field, "%s", why)
	}
}

// target says what is wrong with a link, "" if nothing. A link within the site
// is noted and checked when all pages are known.
func (f *file) target(at Error, href string) string {
	u, err := url.Parse(href)
	switch {
	case err != nil || len(href) > 500:
		return fmt.Sprintf("%q is not a link", href)
	case u.Scheme == "https" && u.Host != "", u.Scheme == "mailto" || u.Scheme == "tel":
		return ""
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(href, "/"):
		f.links = append(f.links, reference{at, href})
		return ""
	}
	return fmt.Sprintf("%q must be a page of this site (beginning with /), https, mailto or tel", href)
}
