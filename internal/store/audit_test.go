package store_test

import (
	"slices"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// What people did is listed by site and subject, page by page, and stays.
func TestAuditLog(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		ann := handoff.Actor{Name: "ann@example.com", Role: handoff.RoleOperator}
		for _, a := range []handoff.Act{
			{Action: "one", Site: "a", Subject: "lead_1", Detail: "new → won"},
			{Action: "two", Site: "b", Subject: "lead_2"},
			{Action: "three"},
			{Action: "four", Site: "a", Subject: "lead_1"},
		} {
			h.must(h.Note(ctx, ann, a))
			h.pass(time.Second)
		}
		list := func(f store.AuditFilter) (out []string) {
			acts, err := h.Audit(ctx, f)
			h.must(err)
			for _, a := range acts {
				if a.Actor != ann.Name || a.At.IsZero() {
					t.Errorf("%+v", a)
				}
				out = append(out, a.Action)
			}
			return out
		}
		all, err := h.Audit(ctx, store.AuditFilter{})
		h.must(err)
		for _, c := range []struct {
			filter store.AuditFilter
			want   []string
		}{
			{store.AuditFilter{}, []string{"four", "three", "two", "one"}},
			{store.AuditFilter{Limit: 2}, []string{"four", "three"}},
			{store.AuditFilter{Before: all[1].ID}, []string{"two", "one"}},
			{store.AuditFilter{Sites: []string{"a"}}, []string{"four", "one"}},
			{store.AuditFilter{Sites: []string{"a", "b"}, Before: all[0].ID}, []string{"two", "one"}},
			{store.AuditFilter{Sites: []string{}}, nil},
			{store.AuditFilter{Subject: "lead_1"}, []string{"four", "one"}},
			{store.AuditFilter{Subject: "lead_1", Sites: []string{"b"}}, nil},
		} {
			if got := list(c.filter); !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.filter, got, c.want)
			}
		}
		for _, change := range []string{`UPDATE audit SET actor = 'nobody'`, `DELETE FROM audit`} {
			if err := h.Exec(ctx, change); err == nil {
				t.Error("done: ", change)
			}
		}
		if got := list(store.AuditFilter{}); len(got) != 4 {
			t.Error(got)
		}
	})
}
