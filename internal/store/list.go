package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff"
)

// Lists of leads are read site by site, each by an index that has the site in front,
// and merged. A list that is filtered by several things goes by the one that fewest
// leads have; where even those are many, leads are looked at from the newest on until
// there are enough.

// MaxSearch is the length of what is looked for, in bytes.
const MaxSearch = 200

// A LeadFilter chooses leads. The zero value is the newest 100 of all sites.
type LeadFilter struct {
	Sites   []string      // the only ones; nil: all
	Stage   handoff.Stage // empty: all
	Service string        // slug; empty: all
	Source  string        // see handoff.Context.Source; empty: all
	From    time.Time     // submitted then or later; zero: whenever
	To      time.Time     // and before; zero: until now
	// Search is beginnings of words of the name, the e-mail address and its domain, and
	// the telephone number or its end; a lead must have all of them. Empty: all.
	Search string
	Limit  int // 0: 100
	// Before continues a list: leads older than this one.
	Before   handoff.LeadID
	BeforeAt time.Time
}

// A LeadSummary is a lead in a list.
type LeadSummary struct {
	handoff.Lead
	Bookings []handoff.Booking // by their start
}

// Leads lists leads, the newest first, each with its bookings. The error is ErrInvalid
// if too much is looked for at once.
func (db *DB) Leads(ctx context.Context, f LeadFilter) ([]LeadSummary, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	terms, err := termsOf(f.Search)
	if err != nil || (len(terms) == 0 && strings.TrimSpace(f.Search) != "") {
		return nil, err // of what has neither letters nor digits, nobody has any
	}
	sites, err := db.sitesOf(ctx, "leads", f.Sites)
	if err != nil {
		return nil, err
	}
	var leads []handoff.Lead
	for _, site := range sites {
		found, err := db.leadsOf(ctx, site, f, terms)
		if err != nil {
			return nil, unavailable(err)
		}
		leads = append(leads, found...)
	}
	slices.SortFunc(leads, func(a, b handoff.Lead) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	out, err := db.withBookings(ctx, leads[:min(len(leads), f.Limit)])
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// few is how many leads a list looks at one by one rather than going through its site
// from the newest on: of a million, as many as it would go through until a page is full.
// Tests have fewer.
var few = 8000

// leadsOf lists leads of one site, without their bookings.
func (db *DB) leadsOf(ctx context.Context, site string, f LeadFilter, terms []term) ([]handoff.Lead, error) {
	way, err := db.way(ctx, site, f.equal(), terms)
	if err != nil {
		return nil, err
	}
	query, args := db.listQuery(site, f, terms, way)
	rows, err := db.read.QueryContext(ctx, query, args...)
	return collect(rows, err, func(r *sql.Rows) (handoff.Lead, error) { return scanLead(r) })
}

// listQuery reads a list of one site by a way.
func (db *DB) listQuery(site string, f LeadFilter, terms []term, way way) (query string, args []any) {
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	from, where := "leads l", "l.site = "+arg(site)
	if way.term != nil {
		from = `(SELECT DISTINCT lead_id FROM (` + way.term.matches(arg) + `) some_words) w ` + db.engine.eachLead
		where += ` AND l.id = w.lead_id`
	}
	for _, e := range f.equal() {
		column := "l." + e.column
		if e.column != way.column {
			column = "(" + column + " || '')" // by no index of its own
		}
		where += " AND " + column + " = " + arg(e.value)
	}
	for _, t := range terms {
		where += " AND " + t.within(arg)
	}
	if !f.From.IsZero() {
		where += " AND l.created_at >= " + arg(stamp{f.From})
	}
	if at, id := f.before(); !at.IsZero() {
		where += " AND (l.created_at, l.id) < (" + arg(stamp{at}) + ", " + arg(id) + ")"
	}
	return `SELECT ` + leadColumns + ` FROM ` + from + ` WHERE ` + where + ` ORDER BY l.created_at DESC, l.id DESC LIMIT ` + arg(f.Limit), args
}

// An equality is a column that must have a value, by an index of its own.
type equality struct {
	column string
	value  any
}

func (f LeadFilter) equal() []equality {
	var out []equality
	for _, e := range []equality{{"stage", string(f.Stage)}, {"service", f.Service}, {"source", f.Source}} {
		if e.value != "" {
			out = append(out, e)
		}
	}
	return out
}

// before is where the list begins, from the newest on: leads older than that.
func (f LeadFilter) before() (time.Time, handoff.LeadID) {
	if !f.To.IsZero() && (f.BeforeAt.IsZero() || f.To.Before(f.BeforeAt)) {
		return f.To, ""
	}
	return f.BeforeAt, f.Before
}

// A way is by what a list is read: by a term's words, where few leads have them; else
// by the index of a column; else, if it is empty, by when they came.
type way struct {
	term   term
	column string
}

// way picks what fewest leads of a site have.
func (db *DB) way(ctx context.Context, site string, equal []equality, terms []term) (w way, err error) {
	least := few + 1
	if len(terms) == 0 && len(equal) == 1 {
		return way{column: equal[0].column}, nil
	}
	for _, e := range equal {
		n, err := db.count(ctx, few, `SELECT 1 FROM leads WHERE site = $1 AND `+e.column+` = $2`, site, e.value)
		if err != nil {
			return w, err
		}
		if n < least || w.column == "" {
			w, least = way{column: e.column}, n
		}
	}
	for _, t := range terms {
		args := []any{site}
		query := t.matches(func(v any) string {
			args = append(args, v)
			return fmt.Sprintf("$%d", len(args))
		})
		n, err := db.count(ctx, few, query, args...)
		if err != nil {
			return w, err
		}
		if n < least {
			w, least = way{term: t}, n
		}
	}
	return w, nil
}

// count counts rows up to a bound, and one more if there are more.
func (db *DB) count(ctx context.Context, bound int, query string, args ...any) (n int, err error) {
	err = db.read.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (%s LIMIT %d) bounded`, query, bound+1), args...).Scan(&n)
	return n, err
}

// withBookings adds to leads their bookings.
func (db *DB) withBookings(ctx context.Context, leads []handoff.Lead) ([]LeadSummary, error) {
	type key struct {
		site string
		lead handoff.LeadID
	}
	of := map[string][]string{}
	for _, l := range leads {
		of[l.Site] = append(of[l.Site], string(l.ID))
	}
	found := map[key][]handoff.Booking{}
	for site, ids := range of {
		for some := range slices.Chunk(ids, 100) {
			args := []any{site}
			one := oneOf("lead_id", some, &args)
			rows, err := db.read.QueryContext(ctx, `SELECT lead_id, doc FROM bookings WHERE site = $1 AND `+one+` ORDER BY start_at, uid, seat`, args...)
			_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
				k, doc := key{site: site}, ""
				if err := r.Scan(&k.lead, &doc); err != nil {
					return struct{}{}, err
				}
				var b handoff.Booking
				err = decodeDoc(doc, &b)
				found[k] = append(found[k], b)
				return struct{}{}, err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	out := make([]LeadSummary, len(leads))
	for i, l := range leads {
		out[i] = LeadSummary{l, found[key{l.Site, l.ID}]}
	}
	return out, nil
}

// maxRelated is how many related leads are named.
const maxRelated = 20

// A RelatedLead is a lead that may be of the same person as another.
type RelatedLead struct {
	handoff.Lead
	Reasons []string // why, the strongest first, in words
}

// Related lists leads of the same site that have the e-mail address or the telephone
// number of a lead, the newest first. They are a hint: whose an address is, nobody has
// proved.
func (db *DB) Related(ctx context.Context, l handoff.Lead) ([]RelatedLead, error) {
	words := relatedBy(l)
	args := []any{l.Site, l.ID, maxRelated}
	rows, err := db.read.QueryContext(ctx, `
		SELECT `+leadColumns+` FROM (SELECT DISTINCT lead_id FROM words WHERE site = $1 AND lead_id <> $2 AND `+oneOf("word", words, &args)+` ORDER BY lead_id DESC LIMIT $3) w
		CROSS JOIN leads l WHERE l.site = $1 AND l.id = w.lead_id ORDER BY l.created_at DESC, l.id DESC`, args...)
	out, err := collect(rows, err, func(r *sql.Rows) (o RelatedLead, err error) {
		o.Lead, err = scanLead(r)
		for i, w := range relatedBy(o.Lead) {
			if slices.Contains(words, w) {
				o.Reasons = append(o.Reasons, relatedReasons[i])
			}
		}
		return o, err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// relatedBy are the words of a lead by which others are related: its e-mail address and,
// if it has one that is long enough, the end of its telephone number.
func relatedBy(l handoff.Lead) []string {
	words := []string{cutBytes(strings.Join(strings.Fields(fold(l.Email)), ""), maxWord)}
	if number := handoff.Digits(l.Phone); len(number) >= minRelated {
		words = append(words, tailMark+tailOf(number))
	}
	return words
}

// relatedReasons say what the words of relatedBy are.
var relatedReasons = []string{"the same e-mail address", "the same phone number"}

// minRelated is how many digits a number has by which leads are related.
const minRelated = 7

// MaxCount bounds how far the leads of a stage are counted, so that a page costs the
// same whether there are thousands or a million.
const MaxCount = 1000

// Counts says how many leads stand where, and how many failures wait.
type Counts struct {
	Stages   map[handoff.Stage]int // MaxCount+1: there are more
	Failures int
}

// Count counts leads by stage and open failures, of some sites; nil is all.
func (db *DB) Count(ctx context.Context, sites []string) (Counts, error) {
	c := Counts{Stages: map[handoff.Stage]int{}}
	of, err := db.sitesOf(ctx, "leads", sites)
	if err != nil {
		return c, err
	}
	for _, site := range of {
		// The order, which nobody needs, leads PostgreSQL through the index: of a stage that few
		// have it would otherwise look through all leads.
		rows, err := db.read.QueryContext(ctx, fmt.Sprintf(`
			WITH RECURSIVE one (stage) AS (
				SELECT min(stage) FROM leads WHERE site = $1
				UNION ALL SELECT (SELECT min(l.stage) FROM leads l WHERE l.site = $1 AND l.stage > one.stage) FROM one WHERE one.stage IS NOT NULL
			) SELECT stage, (SELECT count(*) FROM (SELECT 1 FROM leads l WHERE l.site = $1 AND l.stage = one.stage ORDER BY l.created_at LIMIT %d) bounded)
			FROM one WHERE stage IS NOT NULL`, MaxCount+1), site)
		_, err = collect(rows, err, func(r *sql.Rows) (_ struct{}, err error) {
			var stage handoff.Stage
			var n int
			err = r.Scan(&stage, &n)
			c.Stages[stage] = min(c.Stages[stage]+n, MaxCount+1)
			return struct{}{}, err
		})
		if err != nil {
			return c, unavailable(err)
		}
	}
	c.Failures, err = db.OpenFailures(ctx, sites)
	return c, err
}

// Sources lists what the leads of some sites came from, by name, at most 200; nil is
// all sites.
func (db *DB) Sources(ctx context.Context, sites []string) ([]string, error) {
	of, err := db.sitesOf(ctx, "leads", sites)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, site := range of {
		rows, err := db.read.QueryContext(ctx, `
			WITH RECURSIVE one (source, n) AS (
				SELECT min(source), 1 FROM leads WHERE site = $1 AND source > ''
				UNION ALL SELECT (SELECT min(l.source) FROM leads l WHERE l.site = $1 AND l.source > one.source), n + 1 FROM one WHERE one.source IS NOT NULL AND n < $2
			) SELECT source FROM one WHERE source IS NOT NULL`, site, maxSources)
		found, err := collect(rows, err, func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) })
		if err != nil {
			return nil, unavailable(err)
		}
		out = append(out, found...)
	}
	out = slices.Compact(slices.Sorted(slices.Values(out)))
	return out[:min(len(out), maxSources)], nil
}

// maxSources bounds a list of sources: a visitor can make one up.
const maxSources = 200
