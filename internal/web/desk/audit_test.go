package desk

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

func (b *bench) note(by handoff.Actor, acts ...handoff.Act) {
	b.t.Helper()
	for _, a := range acts {
		b.must(b.db.Note(b.t.Context(), by, a))
		b.clock.pass(time.Millisecond)
	}
}

// The log is shown page by page and by who, what and to what.
func TestAuditPage(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	ann := handoff.Actor{Name: "ann@example.com"}
	for i := range auditPageSize + 20 {
		b.note(ann, handoff.Act{Action: "test.many", Site: "brightwater", Subject: fmt.Sprintf("thing-%03d", i)})
	}
	b.note(handoff.CommandLine, handoff.Act{Action: "test.other", Site: "northside", Subject: "lead_1", Detail: "a → <b>"})
	page := v.page("/desk/audit")
	contains(t, page, "test.other", "Northside", "command line", "a → &lt;b&gt;", `href="/desk/leads/lead_1"`, "thing-119", "Older", "session.open", "<option>user.add</option>")
	lacks(t, page, "thing-000", "<b>")
	_, older, _ := strings.Cut(page, `<a href="/desk/audit?before=`)
	older, _, _ = strings.Cut(older, `"`)
	contains(t, v.page("/desk/audit?before="+older), "thing-000", "user.add", "Newest")
	for query, want := range map[string]string{"actor=command+line": "test.other", "action=test.other": "test.other", "subject=thing-007": "thing-007"} {
		page := v.page("/desk/audit?" + query)
		_, rows, _ := strings.Cut(page, "<tbody")
		contains(t, rows, want)
		lacks(t, rows, "thing-008")
		contains(t, page, "Show all", "export.csv?"+query[:6])
	}
	contains(t, v.page("/desk/audit?actor=nobody"), "No act is like that")
	if p := v.get("/desk/audit?actor=" + strings.Repeat("x", 300)); p.status != 400 {
		t.Errorf("%d", p.status)
	}
}

// An export has all that the filter chooses, as a table that no spreadsheet executes or
// as JSON, and is in the log itself.
func TestAuditExport(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	ann := handoff.Actor{Name: "=cmd|' /C calc'!A0"}
	n := exportPage + 10
	for i := range n {
		b.must(b.db.Note(t.Context(), ann, handoff.Act{Action: "test.many", Subject: fmt.Sprint("thing-", i), Detail: "with \"quotes\", commas\nand lines"}))
	}
	p := v.get("/desk/audit/export.csv?action=test.many")
	rows, err := csv.NewReader(strings.NewReader(p.body)).ReadAll()
	b.must(err)
	if len(rows) != n+1 || p.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment; filename=\"handoff-audit-") {
		t.Fatalf("%d rows, %v", len(rows), p.header)
	}
	if last := rows[n]; last[2] != "'"+ann.Name || last[5] != "thing-0" || last[6] != "with \"quotes\", commas\nand lines" {
		t.Errorf("%q", last)
	}
	p = v.get("/desk/audit/export.jsonl")
	lines := strings.Split(strings.TrimSpace(p.body), "\n")
	var newest, first handoff.Act
	b.must(json.Unmarshal([]byte(lines[0]), &newest))
	b.must(json.Unmarshal([]byte(lines[len(lines)-1]), &first))
	if len(lines) != n+4 || newest.Action != "audit.export" || newest.Actor != email || first.Action != "user.add" || first.At.IsZero() {
		t.Errorf("%d lines, from %+v to %+v", len(lines), newest, first)
	}
}

// Who is no owner sees what was done to the sites that they see, and a viewer nothing.
func TestAuditIsOfTheSitesSeen(t *testing.T) {
	b := newBench(t)
	b.note(handoff.CommandLine,
		handoff.Act{Action: "test.a", Site: "brightwater", Subject: "thing-a"}, handoff.Act{Action: "test.b", Site: "northside", Subject: "thing-b"},
		handoff.Act{Action: "test.gone", Site: "gone", Subject: "thing-c"}, handoff.Act{Action: "test.none", Subject: "thing-none"})
	for _, c := range []struct {
		v    *visitor
		want []string
	}{
		{b.signedIn(), []string{"thing-a", "thing-b", "thing-c", "thing-none"}},
		{b.as(handoff.RoleOperator), []string{"thing-a", "thing-b"}},
		{b.as(handoff.RoleOperator, "brightwater"), []string{"thing-a"}},
		{b.as(handoff.RoleOperator, "elsewhere"), nil},
	} {
		for _, path := range []string{"/desk/audit", "/desk/audit/export.csv", "/desk/audit/export.jsonl"} {
			page := c.v.page(path)
			for _, thing := range []string{"thing-a", "thing-b", "thing-c", "thing-none"} {
				if strings.Contains(page, thing) != slices.Contains(c.want, thing) {
					t.Errorf("%s, %v: %s", path, c.want, thing)
				}
			}
			if len(c.want) < 4 && strings.Contains(page, email) {
				t.Errorf("%s tells who signs in", path)
			}
		}
	}
	viewer := b.as(handoff.RoleViewer)
	for _, path := range []string{"/desk/audit", "/desk/audit/export.csv"} {
		if p := viewer.get(path); p.status != 403 {
			t.Errorf("a viewer, %s: %d", path, p.status)
		}
	}
	lacks(t, viewer.page("/desk/"), "Audit log", "People")
	if acts, err := b.db.Audit(t.Context(), store.AuditFilter{Action: "audit.export"}); err != nil || len(acts) != 8 {
		t.Errorf("%d exports in the log, %v", len(acts), err)
	}
	found, err := b.db.Audit(t.Context(), store.AuditFilter{Sites: []string{"brightwater"}, Action: "audit.export"})
	if err != nil || len(found) != 2 { // as table and as lines, by who sees that site alone
		t.Errorf("who reads the acts of a site finds that others took them away: %+v, %v", found, err)
	}
}

// A spreadsheet runs nothing of what visitors wrote, also one that takes a semicolon for
// the end of a cell, as those of half of Europe do.
func TestInert(t *testing.T) {
	for cell, want := range map[string]string{
		"":                       "",
		"Dana O'Hara-Reyes":      "Dana O'Hara-Reyes",
		"a; b = c":               "a; b = c",
		"=1+1":                   "'=1+1",
		" =1+1":                  " '=1+1",
		"\n=1+1":                 "'\n'=1+1",
		"＝1":                     "'＝1",
		"x;=cmd|'/c calc'!A1;y":  "x;'=cmd|'/c calc'!A1;y",
		"x; @SUM(A1);-1":         "x; '@SUM(A1);'-1",
		"x\t+1\n-1":              "x\t'+1\n'-1",
		"2026-11-28T09:00:00Z":   "2026-11-28T09:00:00Z",
		"'=1+1":                  "'=1+1",
		"dana+call@example.com":  "dana+call@example.com",
		"new → contacted; since": "new → contacted; since",
	} {
		if got := inert(cell); got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
}
