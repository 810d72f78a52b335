package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// person submits a form of somebody, and returns the lead's ID.
func (h *harness) person(change func(*handoff.Submission)) handoff.LeadID {
	h.t.Helper()
	h.pass(time.Second)
	s := handoff.Submission{Site: site, Service: "s", Form: "p" + h.now().String(), Name: "Dana", Email: "dana@example.com"}
	change(&s)
	s, err := h.CreateLead(h.t.Context(), s, handoff.DefaultPipeline())
	h.must(err)
	return s.Lead
}

// list is the names of the leads that a filter chooses.
func (h *harness) list(f store.LeadFilter) string {
	h.t.Helper()
	leads, err := h.Leads(h.t.Context(), f)
	h.must(err)
	var out []string
	for _, l := range leads {
		out = append(out, l.Name)
	}
	return strings.Join(out, ", ")
}

// A lead is found by the beginnings of its words and by either end of its number, with
// or without accents, and by nothing else.
func TestSearch(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.person(func(s *handoff.Submission) {
			s.Name, s.Email, s.Phone = "Émile O’Neill-Roux", "Emile.Roux@Example.FR", "+44 20 7946 0123"
		})
		db.person(func(s *handoff.Submission) {
			s.Name, s.Email, s.Phone = "Dana 100%_x", "d-w_1@big-mail.example", "(020) 7946 0999"
		})
		db.person(func(s *handoff.Submission) { s.Site, s.Name = "other", "Emile Other" })
		emile, dana := "Émile O’Neill-Roux", "Dana 100%_x"
		for search, want := range map[string]string{
			"emile": emile, "ÉMI": emile, "  roux   émile ": emile, "oneill": emile, "O'Neill": emile, "neill": "", "mile": "",
			"emile.roux@": emile, "emile.roux@example.fr": emile, "@example.fr": emile, "example.fr": emile, "roux@example.fr": "",
			"020 7946 0123": emile, "+442079460123": emile, "0123": emile, "44 20": emile, "7946": "", "46 01": "", "020": dana, "999": dana, "(020) 7946-0999": dana,
			"d-w": dana, "(d-w_1)": dana, "big-m": dana, "dana big-mail": dana, "mail": "", "big-roux": "", "O’Neill-R": emile, "roux-oneill": emile,
			"dana roux": "", "100": dana, "%": "", "_": "", "dana 100%": dana, "'; DROP TABLE leads; --": "", "": dana + ", " + emile,
		} {
			if got := db.list(store.LeadFilter{Sites: []string{site}, Search: search}); got != want {
				t.Errorf("%q finds %q, want %q", search, got, want)
			}
		}
		if got := db.list(store.LeadFilter{Search: "emile"}); got != "Emile Other, "+emile {
			t.Errorf("of all sites: %q", got)
		}
		for _, search := range []string{strings.Repeat("x", store.MaxSearch+1), "a b c d e f g h i"} {
			if _, err := db.Leads(t.Context(), store.LeadFilter{Search: search}); !errors.Is(err, handoff.ErrInvalid) {
				t.Errorf("%q: %v", search, err)
			}
		}
	})
}

// A form that is sent again with other answers is found by those, and by the former no
// more.
func TestSearchAfterCorrection(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		first := handoff.Submission{Site: site, Service: "s", Form: "f", Name: "Dana Whitfeild", Email: "dana@example.com", Phone: "020 7946 0123"}
		for _, s := range []handoff.Submission{first, {Site: site, Service: "s", Form: "f", Name: "Dana Whitfield", Email: "dana@example.org"}} {
			_, err := db.CreateLead(t.Context(), s, handoff.DefaultPipeline())
			db.must(err)
		}
		for search, want := range map[string]string{"whitfield": "Dana Whitfield", "dana": "Dana Whitfield", "example.org": "Dana Whitfield", "whitfeild": "", "example.com": "", "0123": ""} {
			if got := db.list(store.LeadFilter{Search: search}); got != want {
				t.Errorf("%q finds %q, want %q", search, got, want)
			}
		}
		if n := db.Setting(t.Context(), "SELECT CAST(count(*) AS TEXT) FROM words"); n != "4" {
			t.Errorf("%s words are kept, want 4", n)
		}
	})
}

// Every filter alone and with others chooses the same leads as looking at each does, and
// pages join without a gap or a repetition.
func TestFilters(t *testing.T) {
	store.LookAtFew(t, 15) // so that every way is gone
	onEachEngine(t, func(t *testing.T, db *harness) {
		operator := handoff.Actor{Name: "op", Role: handoff.RoleOperator}
		day := db.now()
		for i := range 60 {
			id := db.person(func(s *handoff.Submission) {
				s.Site = []string{site, "another", "third"}[i%3]
				s.Service = []string{"boiler", "leak"}[i/3%2]
				s.Name = fmt.Sprint([]string{"Ann", "Annette", "Bob"}[i%7%3], " ", i)
				s.Context.Campaign = map[string]string{"utm_source": []string{"Google", "news", ""}[i%5%3]}
			})
			if i%4 == 0 {
				_, err := db.SetStage(t.Context(), operator, []string{site, "another", "third"}[i%3], id, "new", "won", handoff.DefaultPipeline())
				db.must(err)
			}
			db.pass(time.Hour)
		}
		all, err := db.Leads(t.Context(), store.LeadFilter{})
		db.must(err)
		if len(all) != 60 {
			t.Fatalf("%d leads", len(all))
		}
		tried := 0
		for _, sites := range [][]string{nil, {site}, {"another", site, site}, {}, {"nobody's"}} {
			for _, stage := range []handoff.Stage{"", "won"} {
				for _, service := range []string{"", "leak"} {
					for _, source := range []string{"", "google", "direct"} {
						for _, search := range []string{"", "ann", "annette"} {
							for _, days := range [][2]time.Time{{}, {day.Add(20 * time.Hour), day.Add(40 * time.Hour)}} {
								f := store.LeadFilter{Sites: sites, Stage: stage, Service: service, Source: source, Search: search, From: days[0], To: days[1]}
								want := slices.DeleteFunc(slices.Clone(all), func(l store.LeadSummary) bool {
									return sites != nil && !slices.Contains(sites, l.Site) || stage != "" && l.Stage != stage ||
										service != "" && l.Service != service || source != "" && l.Source != source ||
										!strings.HasPrefix(strings.ToLower(l.Name), search) ||
										!f.From.IsZero() && (l.CreatedAt.Before(f.From) || !l.CreatedAt.Before(f.To))
								})
								var got []store.LeadSummary
								for f.Limit = 7; ; {
									page, err := db.Leads(t.Context(), f)
									db.must(err)
									got = append(got, page...)
									if len(page) < f.Limit {
										break
									}
									f.Before, f.BeforeAt = page[len(page)-1].ID, page[len(page)-1].CreatedAt
								}
								if !slices.EqualFunc(got, want, func(a, b store.LeadSummary) bool { return a.ID == b.ID }) {
									t.Errorf("%+v: %d leads, want %d", f, len(got), len(want))
								}
								tried++
							}
						}
					}
				}
			}
		}
		if tried != 360 {
			t.Errorf("%d filters tried", tried)
		}
		late := store.LeadFilter{To: day.Add(20 * time.Hour), BeforeAt: day.Add(1000 * time.Hour), Before: "lead_z"}
		if got, err := db.Leads(t.Context(), late); err != nil || len(got) == 0 || !got[0].CreatedAt.Before(late.To) {
			t.Errorf("a list that goes on after its end: %d leads, %v", len(got), err)
		}
		if got, err := db.Sources(t.Context(), nil); err != nil || !slices.Equal(got, []string{"direct", "google", "news"}) {
			t.Errorf("sources %v, %v", got, err)
		}
		if c, err := db.Count(t.Context(), []string{site, "third"}); err != nil || c.Stages["won"] != 10 || c.Stages["new"] != 30 || len(c.Stages) != 2 {
			t.Errorf("counts %v, %v", c, err)
		}
	})
}

// Nobody reads the leads of a site that is not among those given.
func TestLeadOfSites(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		s := db.submit("f", "Dana")
		for _, c := range []struct {
			sites []string
			found bool
		}{{nil, true}, {[]string{"other", site}, true}, {[]string{"other"}, false}, {[]string{}, false}} {
			if _, err := db.Lead(t.Context(), c.sites, s.Lead); (err == nil) != c.found || err != nil && !errors.Is(err, handoff.ErrNotFound) {
				t.Errorf("%v: %v", c.sites, err)
			}
		}
	})
}

// Leads with the same address, however it is written, or the same number, with or
// without the country, are related within their site; others are not.
func TestRelated(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		id := db.person(func(s *handoff.Submission) {
			s.Name, s.Email, s.Phone = "It", "Dana@Example.com", "020 7946 0123"
		})
		db.person(func(s *handoff.Submission) { s.Name, s.Email = "Same address", "dana@example.COM" })
		db.person(func(s *handoff.Submission) {
			s.Name, s.Email, s.Phone = "Same number", "x@example.com", "+44 2079460123"
		})
		db.person(func(s *handoff.Submission) { s.Site, s.Name, s.Email = "other", "Other site", "dana@example.com" })
		db.person(func(s *handoff.Submission) { s.Name, s.Email, s.Phone = "Other", "dana@example.com.au", "123" })
		got, err := db.Related(t.Context(), db.lead(id).Lead)
		db.must(err)
		if len(got) != 2 || got[0].Name != "Same number" || got[1].Name != "Same address" ||
			!slices.Equal(got[0].Reasons, []string{"the same phone number"}) || !slices.Equal(got[1].Reasons, []string{"the same e-mail address"}) {
			t.Errorf("related: %+v", got)
		}
	})
}

// Leads that an older version wrote get their words and source while the server runs.
func TestFillIn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, db *harness) {
		db.Close()
		db.renew()
		db.must(store.MigrateTo(t.Context(), db.url, 8))
		old, err := store.Raw(db.url)
		db.must(err)
		for i := range 450 {
			db.must(old.Exec(t.Context(), fmt.Sprintf(`INSERT INTO leads (site, id, service, name, email, phone, stage, created_at, updated_at)
				VALUES ('%[1]s', 'lead_%03[2]d', 's', 'Dana %03[2]d', 'a@example.com', '', 'new', '2026-11-23T09:00:00Z', '2026-11-23T09:00:00Z')`, site, i)))
		}
		db.must(old.Exec(t.Context(), `INSERT INTO submissions (site, id, lead_id, service, form, digest, doc, submitted_at)
			VALUES ('`+site+`', 'sub_1', 'lead_007', 's', 'f', 'd', '{"Context":{"referrer":"https://www.search.example/q"}}', '2026-11-23T09:00:00Z')`))
		old.Close()
		db.open()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			found, err := db.Leads(t.Context(), store.LeadFilter{Search: "dana", Limit: 1000})
			db.must(err)
			if len(found) == 450 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%d leads are found", len(found))
			}
		}
		if got := db.list(store.LeadFilter{Source: "search.example"}); got != "Dana 007" {
			t.Errorf("by source: %q", got)
		}
		if got := db.list(store.LeadFilter{Search: "449"}); got != "Dana 449" {
			t.Errorf("by word: %q", got)
		}
	})
}

// Every list goes by an index that has the site in front, and by the one that fewest
// leads have; without a search nothing is sorted, so that a page costs the same however
// many leads there are.
func TestListsGoByIndexes(t *testing.T) {
	store.LookAtFew(t, 2000)
	onEachEngine(t, func(t *testing.T, db *harness) {
		pipeline := handoff.DefaultPipeline()
		for i := range 3000 {
			s := intake(i)
			pipeline.On[handoff.Submitted] = "new"
			if i%1000 == 0 {
				pipeline.On[handoff.Submitted], s.Service = "won", "rare"
			}
			_, err := db.CreateLead(t.Context(), s, pipeline)
			db.must(err)
		}
		if db.path == "" { // PostgreSQL, which has statistics, and would rather read a small table than an index
			db.must(db.Exec(t.Context(), "ANALYZE"))
			db.Close()
			db.url += "&enable_seqscan=off"
			db.open()
		}
		day := db.now().Add(-time.Hour)
		for name, c := range map[string]struct {
			filter store.LeadFilter
			index  string
			sorts  bool
		}{
			"all":               {store.LeadFilter{}, "leads_newest", false},
			"of days":           {store.LeadFilter{From: day, To: day.Add(24 * time.Hour)}, "leads_newest", false},
			"a stage":           {store.LeadFilter{Stage: "new"}, "leads_by_stage", false},
			"a service":         {store.LeadFilter{Service: "boiler"}, "leads_by_service", false},
			"a source":          {store.LeadFilter{Source: "source3"}, "leads_by_source", false},
			"a rare service":    {store.LeadFilter{Stage: "new", Service: "rare"}, "leads_by_service", false},
			"a rare stage":      {store.LeadFilter{Stage: "won", Service: "boiler", Search: "a"}, "leads_by_stage", false},
			"a page":            {store.LeadFilter{Stage: "new", Before: "lead_5", BeforeAt: day.Add(2 * time.Hour)}, "leads_by_stage", false},
			"a rare word":       {store.LeadFilter{Stage: "new", Search: "family17"}, "words", true},
			"two words":         {store.LeadFilter{Search: "ada family17"}, "words", true},
			"a word of all":     {store.LeadFilter{Search: "example"}, "leads_newest", false},
			"and of a stage":    {store.LeadFilter{Stage: "new", Search: "example"}, "leads_by_stage", false},
			"a telephone's end": {store.LeadFilter{Search: "4729"}, "words", true},
		} {
			c.filter.Limit = 51
			plan, err := db.Plan(t.Context(), site, c.filter)
			db.must(err)
			if db.path != "" && !strings.Contains(plan, c.index) {
				t.Errorf("%s goes not by %s:\n%s", name, c.index, plan)
			}
			if sorts := strings.Contains(plan, "TEMP B-TREE FOR ORDER BY") || strings.Contains(plan, "Sort"); sorts && !c.sorts {
				t.Errorf("%s is sorted:\n%s", name, plan)
			}
			if strings.Contains(plan, "SCAN l") || strings.Contains(plan, "SCAN words") || strings.Contains(plan, "Seq Scan on leads") || strings.Contains(plan, "Seq Scan on words") {
				t.Errorf("%s reads all:\n%s", name, plan)
			}
		}
	})
}
