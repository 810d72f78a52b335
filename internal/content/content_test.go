package content_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"handoff/internal/content"
)

func TestDemoLoads(t *testing.T) {
	s, err := content.Load(content.Demo())
	if err != nil {
		t.Fatal(err)
	}
	type service struct {
		slug, calendar string
		event          int
		embed          content.Embed
	}
	want := []service{
		{"boiler-replacement", "priya-raman/survey-call", 90210, content.EmbedAuto},
		{"bathroom-refit", "priya-raman/design-visit", 90211, content.EmbedAuto},
		{"leak-detection", "priya-raman/leak-call", 90212, content.EmbedClick},
	}
	if len(s.Services) != len(want) {
		t.Fatalf("%d services", len(s.Services))
	}
	for i, v := range s.Services {
		if got := (service{v.Slug, v.Calendar, v.EventType, v.Embed}); got != want[i] {
			t.Errorf("service %d: got %v, want %v", i, got, want[i])
		}
		if n := len([]rune(v.MetaDescription)); n < 70 || n > 165 {
			t.Errorf("%s: meta description of %d characters", v.Slug, n)
		}
	}
	if !s.Demo || s.Page("about") == nil || s.Page("privacy") == nil || len(s.Proof) != 2 || len(s.Posts) != 2 {
		t.Error("the demo lacks its note, a page, proof or posts")
	}
	for _, p := range s.Proof {
		if !p.Demo || !strings.Contains(p.Source, "Demo") {
			t.Errorf("proof %s is not marked as made up", p.Slug)
		}
	}
	if !s.Posts[0].Date.After(s.Posts[1].Date) {
		t.Error("posts are not newest first")
	}
	if s.Services[1].Confirmation == "" {
		t.Error("the design visit does not say who confirms it")
	}
	if got := s.Services[0].Questions[0].Field(); got != "q_boiler_type" {
		t.Errorf("field %q", got)
	}
}

const front = "---\ntitle: T\nmeta_description: M\n"

// base is the smallest site.
var base = map[string]string{
	"site.yaml":     "name: N\ntagline: T\ndescription: D\nurl: https://a.example\nemail: a@a.example\n",
	"home.md":       front + "lead: L\n---\nHello.\n",
	"services/a.md": front + "summary: S\ncall_minutes: 15\ncalendar: ada/call\nevent_type: 1\n---\nText.\n",
}

func folder(files map[string]string) fs.FS {
	all := maps.Clone(base)
	maps.Copy(all, files)
	m := fstest.MapFS{}
	for name, text := range all {
		if text != "(none)" {
			m[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return m
}

func TestSmallestSite(t *testing.T) {
	s, err := content.Load(folder(nil))
	if err != nil {
		t.Fatal(err)
	}
	v := s.Service("a")
	got := fmt.Sprint(s.Language, s.Type, s.TimeZone, s.Accent, v.Embed, v.Phone, v.Short, v.Body)
	if want := fmt.Sprint("en-GB", "LocalBusiness", "UTC", "#1f5f8b", "click", "optional", "T", "<p>Text.</p>"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if s.Service("b") != nil || s.Page("b") != nil || s.Post("b") != nil {
		t.Error("found what is not there")
	}
}

// Each row breaks one thing; want is the whole error or, after "…", a part of it.
func TestLoadNamesFileLineAndField(t *testing.T) {
	site, service := base["site.yaml"], base["services/a.md"]
	ask := func(question string) string {
		return strings.Replace(service, "event_type: 1\n", "event_type: 1\nquestions:\n"+question, 1)
	}
	body := func(text string) string { return strings.Replace(service, "Text.", text, 1) }
	proof := func(lines string) string { return "---\nsource: S\ndate: 2026-01-02\n" + lines + "---\nGood.\n" }

	for _, tt := range []struct{ name, file, text, want string }{
		{"no site", "site.yaml", "(none)", "site.yaml: is missing"},
		{"no home", "home.md", "(none)", "home.md: is missing"},
		{"no service", "services/a.md", "(none)", "services: no service; a site sells at least one"},
		{"unknown field", "site.yaml", site + "nmae: x\n", `site.yaml:6:1: unknown field "nmae"`},
		{"field twice", "site.yaml", site + "name: x\n", "…site.yaml:6:1: "},
		{"not YAML", "site.yaml", site + "x: [\n", "…site.yaml:6:"},
		{"wrong type", "services/a.md", strings.Replace(service, "event_type: 1", "event_type: one", 1), "…services/a.md:7:13: "},
		{"missing field", "site.yaml", strings.Replace(site, "name: N\n", "", 1), "site.yaml: name: is missing"},
		{"empty file", "site.yaml", "", "…site.yaml: name: is missing"},
		{"alias", "site.yaml", site + "legal_name: &a x\n", "site.yaml:6:13: anchors and aliases are not read; write the value again"},
		{"not UTF-8", "site.yaml", site + "# \xff", "site.yaml: is not UTF-8"},
		{"too big", "site.yaml", site + "#" + strings.Repeat("x", content.MaxFile), "site.yaml: is over 256 kB"},
		{"pale accent", "site.yaml", site + "accent: \"#5fb3c4\"\n", "…site.yaml:6:9: accent: contrast of #5fb3c4 with white is 2."},
		{"accent is no colour", "site.yaml", site + "accent: teal\n", `site.yaml:6:9: accent: colour "teal" is not of the form #0b5d6b`},
		{"type of another world", "site.yaml", site + "type: Person\n", `…site.yaml:6:7: type: "Person" is none of LocalBusiness,`},
		{"URL with a path", "site.yaml", strings.Replace(site, "a.example\n", "a.example/x\n", 1), "…site.yaml:4:6: url: "},
		{"local phone", "site.yaml", site + "phone: 020 7946 0812\n", "…site.yaml:6:8: phone: "},
		{"time zone", "site.yaml", site + "time_zone: Mars/Base\n", "…site.yaml:6:12: time_zone: "},
		{"day", "site.yaml", site + "opening_hours:\n  - days: [Mo]\n    opens: \"08:00\"\n    closes: \"9:00\"\n", "…opening_hours[0].days: \"Mo\" is none of Monday"},
		{"link to nowhere", "site.yaml", site + "navigation:\n  - label: A\n    href: /nowhere\n", "site.yaml:8:11: navigation[0].href: /nowhere is not a page of this site"},
		{"hostile link", "site.yaml", site + "navigation:\n  - label: A\n    href: javascript:alert(1)\n", "…navigation[0].href: \"javascript:alert(1)\" must be"},

		{"no front matter", "home.md", "Hello.\n", `home.md:1:1: does not begin with a front matter between two lines "---"`},
		{"front matter open", "home.md", "---\ntitle: T\n", `home.md:1:1: the front matter is not closed by a line "---"`},
		{"first heading", "services/a.md", body("\n# Title"), "services/a.md:10: headings begin with ##: the title is the page's only first heading"},
		{"HTML block", "services/a.md", body("<script>alert(1)</script>"), `services/a.md:9: HTML is not read; write Markdown, or \< for the character`},
		{"HTML in a line", "services/a.md", body("a <b>b</b>"), "…services/a.md:9: HTML is not read"},
		{"script link", "services/a.md", body("[x](JavaScript:alert(1))"), "…services/a.md:9: \"JavaScript:alert(1)\" must be a page of this site"},
		{"script autolink", "services/a.md", body("<javascript:alert(1)>"), `services/a.md:9: "javascript:alert(1)" must begin with https://`},
		{"body link to nowhere", "services/a.md", body("a\n\n[x](/nowhere#a)"), "services/a.md:11: /nowhere is not a page of this site"},
		{"protocol-relative link", "services/a.md", body("[x](//evil.example)"), "…must be a page of this site"},
		{"image", "services/a.md", body("![x](https://a.example/x.png)"), "services/a.md:9: images are not supported yet"},

		{"calendar is a URL", "services/a.md", strings.Replace(service, "ada/call", "https://cal.com/ada/call", 1), "…services/a.md:6:11: calendar: "},
		{"calendar with a query", "services/a.md", strings.Replace(service, "ada/call", "ada/call?x=1", 1), "…services/a.md:6:11: calendar: "},
		{"calendar climbs", "services/a.md", strings.Replace(service, "ada/call", "ada/../call", 1), "…services/a.md:6:11: calendar: "},
		{"embed", "services/a.md", strings.Replace(service, "event_type: 1\n", "event_type: 1\nembed: popup\n", 1), `services/a.md:8:8: embed: "popup" is none of auto, click`},
		{"call length", "services/a.md", strings.Replace(service, "minutes: 15", "minutes: 0", 1), "services/a.md:5:15: call_minutes: is 0, expected 5 to 480"},
		{"consent without words", "services/a.md", strings.Replace(service, "event_type: 1\n", "event_type: 1\nconsent:\n  required: true\n", 1), "services/a.md: consent.text: is missing, but consent is required"},
		{"question kind", "services/a.md", ask("  - {id: a, label: A, kind: date}\n"), `services/a.md:9:29: questions[0].kind: "date" is none of text, textarea, select, radio, checkbox`},
		{"question id", "services/a.md", ask("  - {id: A b, label: A, kind: text}\n"), `services/a.md:9:10: questions[0].id: "A b" is not lower case letters, digits and _`},
		{"question twice", "services/a.md", ask("  - {id: a, label: A, kind: text}\n  - {id: a, label: B, kind: text}\n"), `services/a.md:10:10: questions[1].id: "a" is used twice`},
		{"select without options", "services/a.md", ask("  - {id: a, label: A, kind: select}\n"), "services/a.md: questions[0].options: has 0 options, expected 1 to 30"},
		{"options of a text", "services/a.md", ask("  - {id: a, label: A, kind: text, options: [b]}\n"), "…questions[0].options: are for select, radio and checkbox only"},
		{"option twice", "services/a.md", ask("  - {id: a, label: A, kind: radio, options: [b, b]}\n"), "…questions[0].options: holds an option twice"},

		{"file name", "services/A_b.md", service, "services/A_b.md: the name becomes an address: lower case letters, digits and single hyphens, at most 64"},
		{"foreign file", "posts/x.html", "x", "posts/x.html: only files ending in .md belong here"},
		{"address of the program", "pages/desk.md", front + "---\nx\n", "pages/desk.md: the address /desk belongs to the program; choose another file name"},

		{"proof without permission", "proof/x.md", proof(""), "proof/x.md: permission: is missing: say how and when the source agreed to be shown, or take the file out of the folder"},
		{"proof with a blank permission", "proof/x.md", proof("permission: \" \"\n"), "…proof/x.md:4:13: permission: is missing: say how"},
		{"proof without source", "proof/x.md", "---\ndate: 2026-01-02\npermission: mail\n---\nGood.\n", "proof/x.md: source: is missing"},
		{"proof without date", "proof/x.md", "---\nsource: S\npermission: mail\n---\nGood.\n", "proof/x.md: date: is missing: expected a date such as 2026-03-02"},
		{"proof without words", "proof/x.yaml", "source: S\ndate: 2026-01-02\npermission: mail\n", "proof/x.yaml: has no text"},
		{"proof of nothing", "proof/x.md", proof("permission: mail\nservice: b\n"), "proof/x.md: service: /services/b is not a page of this site"},
		{"HTML in YAML proof", "proof/x.yaml", "source: S\ndate: 2026-01-02\npermission: mail\nbody: |\n  <b>x</b>\n", "…proof/x.yaml:4: HTML is not read"},
		{"day that is none", "posts/x.md", "---\ntitle: T\nsummary: S\ndate: 2026-02-30\n---\nx\n", `posts/x.md:4:7: date: "2026-02-30" is not a date such as 2026-03-02`},
		{"updated before written", "posts/x.md", "---\ntitle: T\nsummary: S\ndate: 2026-02-03\nupdated: 2026-02-01\n---\nx\n", "posts/x.md:5:10: updated: is before date"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := content.Load(folder(map[string]string{tt.file: tt.text}))
			if err == nil || s != nil {
				t.Fatalf("loaded %v, %v", s, err)
			}
			var e *content.Error
			if !errors.As(err, &e) {
				t.Errorf("%v is no *content.Error", err)
			}
			if part, ok := strings.CutPrefix(tt.want, "…"); ok && strings.Contains(err.Error(), part) || err.Error() == tt.want {
				return
			}
			t.Errorf("\n got %v\nwant %v", err, tt.want)
		})
	}
}

func TestLoadTellsAllFaultsAtOnce(t *testing.T) {
	_, err := content.Load(folder(map[string]string{"site.yaml": "x: 1\n", "home.md": "", "proof/x.md": "---\nsource: S\n---\n"}))
	for _, part := range []string{"site.yaml:1:1:", "home.md:1:1:", "proof/x.md: date", "proof/x.md: permission", "proof/x.md: has no text"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told: %v", part, err)
		}
	}
}

func TestColor(t *testing.T) {
	for _, tt := range []struct {
		in string
		ok bool
	}{
		{"#0b5d6b", true},
		{"#0B5D6B", true},
		{"#000000", true},
		{"#767676", true},
		{"#777777", false},
		{"#ffffff", false},
		{"#fff", false},
		{"0b5d6b", false},
		{"#0b5d6g", false},
		{"#+b5d6b", false},
		{"#0b5d6b;}", false},
		{"", false},
	} {
		if _, err := content.ParseAccent(tt.in); (err == nil) != tt.ok {
			t.Errorf("ParseAccent(%q): %v", tt.in, err)
		}
	}
	if got := content.Color("#000000").Contrast("#ffffff"); got != 21 {
		t.Errorf("black on white: %v", got)
	}
	for _, c := range []content.Color{"#000000", "#0b5d6b", "#b00020", "#767676"} {
		if got := c.Lighten("#10181b", 7).Contrast("#10181b"); got < 7 {
			t.Errorf("%s lightened has contrast %v", c, got)
		}
	}
}
