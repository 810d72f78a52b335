package calsim

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// An object is a JSON object that keeps the order of its members, as JavaScript
// does: bodies of one event differ only where Cal.com's would.
type object []member

type member struct {
	key   string
	value any
}

// absent is the value of a member that is left out, as JSON.stringify leaves
// out undefined.
type absent struct{}

// maybe is value if present, else nothing at all.
func maybe(present bool, value any) any {
	if present {
		return value
	}
	return absent{}
}

// MarshalJSON writes the members in order, without escaping < > & as Go would.
func (o object) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	first := true
	for _, m := range o {
		if _, out := m.value.(absent); out {
			continue
		}
		if !first {
			buf.WriteByte(',')
		}
		first = false
		for i, v := range []any{m.key, m.value} {
			if i == 1 {
				buf.WriteByte(':')
			}
			text, err := encode(v)
			if err != nil {
				return nil, err
			}
			buf.Write(text)
		}
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

// encode is json.Marshal as JavaScript writes it.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// ordered is m with its keys sorted.
func ordered(m map[string]string) object {
	o := object{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		o = append(o, member{k, m[k]})
	}
	return o
}

// set replaces the member key, or adds it at the end.
func (o object) set(key string, value any) object {
	for i := range o {
		if o[i].key == key {
			o[i].value = value
			return o
		}
	}
	return append(o, member{key, value})
}

// nullable is v, or JSON null for an empty string.
func nullable(v string) any {
	if v == "" {
		return nil
	}
	return v
}
