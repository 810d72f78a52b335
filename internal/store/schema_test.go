package store

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The engines' schemas have the same tables, columns and indexes, migration by
// migration.
func TestSchemasAgree(t *testing.T) {
	read := func(engine string) map[string][]string {
		out := map[string][]string{}
		files, err := fs.Glob(migrations, "migrations/"+engine+"/*.sql")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, name := range files {
			b, err := fs.ReadFile(migrations, name)
			if err != nil {
				t.Fatal(err)
			}
			out[strings.TrimPrefix(name, "migrations/"+engine+"/")] = shape(string(b))
		}
		return out
	}
	one, two := read("sqlite"), read("postgres")
	if len(one) != len(two) {
		t.Fatalf("sqlite has %d migrations, postgres %d", len(one), len(two))
	}
	for name, lines := range one {
		if !slices.Equal(lines, two[name]) {
			for i := range min(len(lines), len(two[name])) {
				if lines[i] != two[name][i] {
					t.Errorf("%s: sqlite %q, postgres %q", name, lines[i], two[name][i])
				}
			}
			t.Errorf("%s: %d lines and %d", name, len(lines), len(two[name]))
		}
	}
}

var (
	comments = regexp.MustCompile(`--[^\n]*`)
	// What refuses to change the audit log is said in each engine's own words.
	triggers = regexp.MustCompile(`(?s)-- \+goose StatementBegin.*?-- \+goose StatementEnd|\nCREATE TRIGGER [^;]*;`)
	types    = regexp.MustCompile(`\b(TEXT|INTEGER|BLOB|TIMESTAMPTZ|BOOLEAN|BIGINT|BYTEA)\b|COLLATE "C"|\bSTRICT\b|, WITHOUT ROWID`)
)

// shape is a schema without its types and comments, and without what each engine says
// in its own words: how a new column is filled.
func shape(sql string) []string {
	var out []string
	for line := range strings.Lines(types.ReplaceAllString(comments.ReplaceAllString(triggers.ReplaceAllString(sql, ""), ""), "")) {
		if words := strings.Join(strings.Fields(line), " "); words != "" && !strings.HasPrefix(words, "UPDATE bookings SET made_at") {
			out = append(out, strings.ReplaceAll(words, ") ;", ");"))
		}
	}
	return out
}
