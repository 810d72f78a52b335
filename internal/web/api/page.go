package api

import (
	"encoding/base64"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// A List is one page of a list.
type List[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"` // address of the next page; null on the last one
}

// paged makes a page of what was found, which is one more than the page has if there is
// another page; mark says where that goes on.
func paged[T, V any](c *call, found []T, view func(T) V, mark func(T) []string) answer {
	limit := c.number("limit")
	list := List[V]{Items: make([]V, 0, min(len(found), limit))}
	next := ""
	for i := range found[:min(len(found), limit)] {
		list.Items = append(list.Items, view(found[i]))
	}
	if len(found) > limit {
		next = c.path + "?"
		if c.query != "" {
			next += c.query + "&"
		}
		next += "cursor=" + cursor(mark(found[limit-1]))
		list.Next = &next
	}
	return answer{body: list, next: next}
}

// cursor writes where a list goes on.
func cursor(parts []string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.QueryEscape(p) // Cal.com's uids may have anything in them
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(escaped, "|")))
}

// after reads where a list goes on, into so many parts; all empty at its beginning.
func (c *call) after(parts int) ([]string, error) {
	given := c.given["cursor"]
	if given == "" {
		return make([]string, parts), nil
	}
	b, err := base64.RawURLEncoding.DecodeString(given)
	out := strings.Split(string(b), "|")
	if err != nil || len(out) != parts {
		return nil, badCursor
	}
	for i, escaped := range out {
		if out[i], err = url.QueryUnescape(escaped); err != nil || !utf8.ValidString(out[i]) || strings.ContainsRune(out[i], 0) {
			return nil, badCursor
		}
	}
	return out, nil
}

var badCursor = invalid{errParameter, []fault{{Parameter: "cursor", Detail: "it is none of this list; follow next"}}}

// cursorTime is how a time stands in a cursor: the store keeps six decimals.
const cursorTime = "2006-01-02T15:04:05.000000Z"

func parseCursorTime(s string) (time.Time, error) {
	t, err := time.Parse(cursorTime, s)
	if err != nil {
		return t, badCursor
	}
	return t, nil
}
