package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"handoff"
)

//go:embed openapi.yaml
var source []byte

// An operation is what the document says of one method of one address.
type operation struct {
	ID         string                `json:"operationId"`
	Parameters []parameter           `json:"parameters"`
	Security   []map[string][]string `json:"security"`
	Body       json.RawMessage       `json:"requestBody"`

	method, path string
	scope        handoff.Scope
	takesBody    bool
}

// writes reports that the operation changes something.
func (o *operation) writes() bool { return o.method != http.MethodGet }

// A parameter is what the document says of one parameter.
type parameter struct {
	Ref      string `json:"$ref"`
	Name     string `json:"name"`
	In       string `json:"in"`
	Required bool   `json:"required"`
	Schema   schema `json:"schema"`
}

// A schema has the keywords that parameters of the document may use, and all of them
// are kept. Another one keeps the document from being read.
type schema struct {
	Ref         string   `json:"$ref"`
	Type        string   `json:"type"`
	Format      string   `json:"format"`
	Description string   `json:"description"`
	Enum        []string `json:"enum"`
	Default     any      `json:"default"`
	Pattern     string   `json:"pattern"`
	MinLength   int      `json:"minLength"`
	MaxLength   *int     `json:"maxLength"`
	Minimum     *int     `json:"minimum"`
	Maximum     *int     `json:"maximum"`

	pattern *regexp.Regexp
}

// UnmarshalJSON reads a schema and refuses a keyword that would not be kept.
func (s *schema) UnmarshalJSON(b []byte) error {
	type plain schema
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	return dec.Decode((*plain)(s))
}

// readDocument reads the document: as it is served, and the operations in it.
func readDocument() (served []byte, operations []operation, err error) {
	if served, err = yaml.YAMLToJSON(source); err != nil {
		return nil, nil, err
	}
	var doc struct {
		Paths      map[string]map[string]operation `json:"paths"`
		Components struct {
			Parameters map[string]parameter       `json:"parameters"`
			Schemas    map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(served, &doc); err != nil {
		return nil, nil, err
	}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			o.method, o.path, o.takesBody = strings.ToUpper(method), path, o.Body != nil
			if len(o.Security) != 1 || len(o.Security[0]["key"]) != 1 {
				return nil, nil, fmt.Errorf("%s has not one scope", o.ID)
			}
			o.scope = handoff.Scope(o.Security[0]["key"][0])
			if !slices.Contains(handoff.Scopes, o.scope) {
				return nil, nil, fmt.Errorf("%s: there is no scope %q", o.ID, o.scope)
			}
			for i := range o.Parameters {
				p := &o.Parameters[i]
				if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					*p = doc.Components.Parameters[name]
				}
				if name, ok := strings.CutPrefix(p.Schema.Ref, "#/components/schemas/"); ok {
					if err := json.Unmarshal(doc.Components.Schemas[name], &p.Schema); err != nil {
						return nil, nil, fmt.Errorf("%s, %s: %w", o.ID, p.Name, err)
					}
				}
				if p.Name == "" {
					return nil, nil, fmt.Errorf("%s: a parameter without a name", o.ID)
				}
				if p.Schema.pattern, err = regexp.Compile(p.Schema.Pattern); err != nil {
					return nil, nil, fmt.Errorf("%s, %s: %w", o.ID, p.Name, err)
				}
			}
			operations = append(operations, o)
		}
	}
	return served, operations, nil
}

// check reads the parameters of a request. Each must be one of the operation, be there
// once, and be of its form; those that are not given have their default. It also
// returns the query without the cursor.
//
// In an address of a thing, what has not the form of its ID is nothing that is there.
func (o *operation) check(r *http.Request) (given map[string]string, query string, err error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, "", invalid{errParameter, []fault{{Detail: "the query is not of the form name=value&…"}}}
	}
	given = map[string]string{}
	var faults []fault
	for i := range o.Parameters {
		p := &o.Parameters[i]
		var got []string
		switch p.In {
		case "path":
			got = []string{r.PathValue(p.Name)}
		case "query":
			got = values[p.Name]
		case "header":
			got = r.Header.Values(p.Name)
		}
		if len(got) == 0 && p.Schema.Default != nil {
			got = []string{fmt.Sprint(p.Schema.Default)}
		}
		if len(got) == 1 {
			given[p.Name] = got[0]
		}
		wrong := p.wrong(got)
		switch {
		case wrong == "":
		case p.In == "path":
			return nil, "", fmt.Errorf("%s: %w", p.Name, handoff.ErrNotFound)
		case p.In == "header":
			faults = append(faults, fault{Header: p.Name, Detail: wrong})
		default:
			faults = append(faults, fault{Parameter: p.Name, Detail: wrong})
		}
	}
	for name := range values {
		if !slices.ContainsFunc(o.Parameters, func(p parameter) bool { return p.In == "query" && p.Name == name }) {
			faults = append(faults, fault{Parameter: clip(name), Detail: "there is no such parameter here; there are: " + o.names()})
		}
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b fault) int { return strings.Compare(a.Parameter+a.Header, b.Parameter+b.Header) })
		return nil, "", invalid{errParameter, faults}
	}
	values.Del("cursor")
	return given, values.Encode(), nil
}

// names lists the parameters that an address of the operation may have.
func (o *operation) names() string {
	var out []string
	for _, p := range o.Parameters {
		if p.In == "query" {
			out = append(out, p.Name)
		}
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

// wrong says what is wrong with the values of a parameter; empty if nothing is.
func (p *parameter) wrong(got []string) string {
	switch {
	case len(got) == 0 && p.Required:
		return "it is required"
	case len(got) == 0:
		return ""
	case len(got) > 1:
		return "it is there more than once"
	}
	return p.Schema.wrong(got[0])
}

func (s *schema) wrong(v string) string {
	n := utf8.RuneCountInString(v)
	switch {
	case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
		return "it is no text"
	case s.Enum != nil && !slices.Contains(s.Enum, v):
		return "it is one of: " + strings.TrimPrefix(strings.Join(s.Enum, ", "), ", ") // an empty one is not named
	case n < s.MinLength:
		return "it is empty"
	case s.MaxLength != nil && n > *s.MaxLength:
		return fmt.Sprintf("it has %d characters at most", *s.MaxLength)
	case !s.pattern.MatchString(v):
		return "it has the form " + s.Pattern
	case s.Type == "integer":
		return s.wrongNumber(v)
	case s.Format == "date":
		if _, err := time.Parse(time.DateOnly, v); err != nil {
			return "it is a day such as 2026-11-25"
		}
	case s.Format == "date-time":
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return "it is a time such as 2026-11-25T09:00:00Z (RFC 3339)"
		}
	}
	return ""
}

func (s *schema) wrongNumber(v string) string {
	n, err := strconv.Atoi(v)
	if err != nil || s.Minimum != nil && n < *s.Minimum || s.Maximum != nil && n > *s.Maximum {
		if s.Minimum == nil || s.Maximum == nil {
			return "it is a whole number"
		}
		return fmt.Sprintf("it is a whole number from %d to %d", *s.Minimum, *s.Maximum)
	}
	return ""
}

// clip cuts what a stranger wrote, for a message.
func clip(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
