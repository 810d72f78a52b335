package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"handoff"
)

// A lead is found by the beginnings of its words: of its name, its e-mail address,
// that address's domain, and its telephone number, which is also kept from its end,
// since people write the same number with and without the country. The words are in a
// column of the lead, and in the table words, whose key finds them. What both have
// follows from name, e-mail and phone.

const (
	maxNameWords = 4   // of a name: the first ones and the last
	maxWord      = 100 // bytes
	maxTail      = 9   // digits of a number from its end: what is the same with and without the country
	tailMark     = "#" // begins a number that is read from its end
	minTail      = 3   // digits with which a number's end is looked for
)

// wordsOf are the words of a lead, at most eight.
func wordsOf(name, email, phone string) []string {
	var words []string
	add := func(w string) {
		if w = cutBytes(w, maxWord); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	names := split(fold(name))
	if len(names) > maxNameWords {
		names = append(names[:maxNameWords-1:maxNameWords-1], names[len(names)-1])
	}
	for _, n := range names {
		add(n)
	}
	address := strings.Join(strings.Fields(fold(email)), "")
	add(address)
	if _, domain, ok := strings.Cut(address, "@"); ok {
		add(domain)
	}
	number := handoff.Digits(phone)
	add(number)
	if tail := tailOf(number); tail != "" {
		add(tailMark + tail)
	}
	return words
}

// folded writes words as the column of a lead has them. It is never empty.
func folded(words []string) string { return " " + strings.Join(words, " ") }

// fold writes a text in small letters without accents, so that who types "emile"
// finds Émile.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
			return -1
		case r == 'ß':
			return 's'
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")))
}

func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// tailOf is the end of a number, the last digit first.
func tailOf(number string) string {
	b := []byte(number[max(0, len(number)-maxTail):])
	slices.Reverse(b)
	return string(b)
}

// cutBytes cuts a text to so many bytes, not within a character.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// A term is one thing that is looked for: the beginnings of words of which a lead must
// have one.
type term []string

const maxTerms = 8

// termsOf reads what somebody looks for. The error is ErrInvalid if it is too much.
func termsOf(search string) ([]term, error) {
	if len(search) > MaxSearch {
		return nil, handoff.Refuse(handoff.ErrInvalid, "Look for %d characters at most.", MaxSearch)
	}
	if number := handoff.Digits(search); len(number) >= minTail && strings.Trim(search, "0123456789 +-()./") == "" {
		return []term{{cutBytes(number, maxWord), tailMark + tailOf(number)}}, nil
	}
	var terms []term
	for _, one := range strings.Fields(fold(search)) {
		if one = strings.TrimLeft(one, "@#"); strings.ContainsAny(one, "@.") {
			terms = append(terms, term{cutBytes(one, maxWord)})
			continue
		}
		whole := strings.TrimFunc(one, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for i, w := range split(one) {
			t := term{cutBytes(w, maxWord)}
			if i > 0 { // two words of a name, or what an address begins with
				t = append(t, cutBytes(whole, maxWord))
			}
			if number := handoff.Digits(w); number == w && len(w) >= minTail {
				t = append(t, tailMark+tailOf(w))
			}
			terms = append(terms, t)
		}
	}
	if len(terms) > maxTerms {
		return nil, handoff.Refuse(handoff.ErrInvalid, "Look for %d words at most.", maxTerms)
	}
	return terms, nil
}

// matches selects the leads of a site, whose name is $1, with words that begin as the
// term says; one that has several, several times. One range of the key follows another:
// of two with OR, SQLite would read all words of the site.
func (t term) matches(arg func(any) string) string {
	var out []string
	for _, w := range t {
		out = append(out, "SELECT lead_id FROM words WHERE site = $1 AND word >= "+arg(w)+" AND word < "+arg(w+"\U0010FFFF"))
	}
	return strings.Join(out, " UNION ALL ")
}

// within is the condition that the lead has a word that begins so.
func (t term) within(arg func(any) string) string {
	var out []string
	for _, w := range t {
		out = append(out, `folded LIKE `+arg("% "+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(w)+"%")+` ESCAPE '\'`)
	}
	return "(" + strings.Join(out, " OR ") + ")"
}

// writeWords writes the words of new leads: rows of site, word and lead.
func writeWords(ctx context.Context, tx *txn, rows [][]any) error {
	if err := many(ctx, tx, `INSERT INTO words (site, word, lead_id) VALUES? ON CONFLICT DO NOTHING`, nil, rows, nil); err != nil {
		return fmt.Errorf("words: %w", err)
	}
	return nil
}

func wordRows(site string, lead handoff.LeadID, words []string) [][]any {
	rows := make([][]any, len(words))
	for i, w := range words {
		rows[i] = []any{site, w, string(lead)}
	}
	return rows
}

// changeWords makes the words of a lead, which the transaction holds, those of its new
// name and addresses, and returns them as its column has them.
func (db *DB) changeWords(ctx context.Context, tx *txn, site string, lead handoff.LeadID, now []string) (string, error) {
	var was string
	if err := tx.QueryRowContext(ctx, `SELECT folded FROM leads WHERE site = $1 AND id = $2`+db.engine.lock, site, lead).Scan(&was); err != nil {
		return "", fmt.Errorf("words: %w", err)
	}
	var gone []string
	for _, w := range strings.Fields(was) {
		if !slices.Contains(now, w) {
			gone = append(gone, w)
		}
	}
	if err := forgetWords(ctx, tx, site, lead, gone); err != nil {
		return "", err
	}
	return folded(now), writeWords(ctx, tx, wordRows(site, lead, now))
}

// forgetWords deletes words of a lead. Who erases a lead gives it all that its column
// folded has: no other table of the lead's leads there.
func forgetWords(ctx context.Context, tx *txn, site string, lead handoff.LeadID, words []string) error {
	if err := many(ctx, tx, `DELETE FROM words WHERE site = $1 AND lead_id = $2 AND word IN?`, []any{site, lead}, singles(words), nil); err != nil {
		return fmt.Errorf("words: %w", err)
	}
	return nil
}

// fillBatch is how many leads of before are filled in with one transaction.
const fillBatch = 200

// fillIn gives leads that an older version wrote their words and source, until there
// are none or ctx ends. It is done beside everything else, since it takes some minutes
// for a million leads; a lead that has not had its turn is not found by its words.
func (db *DB) fillIn(ctx context.Context) {
	for {
		n, err := db.fillSome(ctx)
		if err != nil && ctx.Err() == nil {
			db.log.Warn("filling in what leads are found by failed; it goes on at the next start", "err", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// fillSome fills in a batch, in one transaction.
func (db *DB) fillSome(ctx context.Context) (n int, err error) {
	began := time.Now()
	defer func() { rest(time.Since(began)) }()
	if any, err := exists(ctx, db.read, `SELECT 1 FROM leads WHERE folded = ''`); err != nil || !any {
		return 0, err
	}
	err = db.derive(ctx, func(tx *txn) error {
		rows, err := tx.QueryContext(ctx, `SELECT site, id, name, email, phone FROM leads WHERE folded = '' ORDER BY site, id LIMIT $1`+db.engine.skip, fillBatch)
		leads, err := collect(rows, err, func(r *sql.Rows) (l handoff.Lead, err error) {
			return l, r.Scan(&l.Site, &l.ID, &l.Name, &l.Email, &l.Phone)
		})
		if err != nil {
			return fmt.Errorf("leads: %w", err)
		}
		var words [][]any
		for _, l := range leads {
			from, err := firstTouch(ctx, tx, l.Site, l.ID)
			if err != nil {
				return err
			}
			own := wordsOf(l.Name, l.Email, l.Phone)
			words = append(words, wordRows(l.Site, l.ID, own)...)
			if _, err := tx.ExecContext(ctx, `UPDATE leads SET folded = $3, source = $4 WHERE site = $1 AND id = $2`, l.Site, l.ID, folded(own), from.Source()); err != nil {
				return fmt.Errorf("leads: %w", err)
			}
		}
		n = len(leads)
		return writeWords(ctx, tx, words)
	})
	return n, err
}

// firstTouch reads where a lead came from, of its first submission.
func firstTouch(ctx context.Context, tx *txn, site string, lead handoff.LeadID) (handoff.Context, error) {
	var doc string
	err := tx.QueryRowContext(ctx, `
		SELECT doc FROM submissions WHERE site = $1 AND lead_id = $2 ORDER BY submitted_at, id LIMIT 1`, site, lead).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return handoff.Context{}, nil
	}
	if err != nil {
		return handoff.Context{}, fmt.Errorf("submission: %w", err)
	}
	var s handoff.Submission
	err = decodeDoc(doc, &s)
	return s.Context, err
}
