package handoff

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestSeal(t *testing.T) {
	one, two := Key(strings.Repeat("1", MinKeyLen)), Key(strings.Repeat("2", MinKeyLen))
	plain := []byte(`{"oneTimePassword":"6f9619ff"}` + strings.Repeat(" much of the same", 100))
	sealed := Keys{one}.Seal("acme", plain)
	if bytes.Contains(sealed, []byte("6f9619ff")) || len(sealed) > len(plain)/2 {
		t.Errorf("%d bytes: %q", len(sealed), sealed)
	}
	if again := (Keys{one}).Seal("acme", plain); bytes.Equal(again, sealed) {
		t.Error("the same bytes twice")
	}
	for _, keys := range []Keys{{one}, {two, one}} { // a key that was replaced still reads
		if got, err := keys.Unseal("acme", sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%q, %v", got, err)
		}
	}
	refused := map[string]func() ([]byte, error){
		"another key":   func() ([]byte, error) { return Keys{two}.Unseal("acme", sealed) },
		"no key":        func() ([]byte, error) { return Keys{}.Unseal("acme", sealed) },
		"a short key":   func() ([]byte, error) { return Keys{one[:MinKeyLen-1]}.Unseal("acme", sealed) },
		"another site":  func() ([]byte, error) { return Keys{one}.Unseal("acme2", sealed) },
		"nothing":       func() ([]byte, error) { return Keys{one}.Unseal("acme", nil) },
		"its beginning": func() ([]byte, error) { return Keys{one}.Unseal("acme", sealed[:5]) },
		"half of it":    func() ([]byte, error) { return Keys{one}.Unseal("acme", sealed[:len(sealed)/2]) },
		"a reference":   func() ([]byte, error) { return Keys{one}.Unseal("acme", []byte(Keys{one}.Sign("acme", "sub_x"))) },
		"more than fits": func() ([]byte, error) {
			return Keys{one}.Unseal("acme", Keys{one}.Seal("acme", make([]byte, maxSealed+1)))
		},
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		refused["altered"] = func() ([]byte, error) { return Keys{one}.Unseal("acme", altered) }
		for name, unseal := range refused {
			if got, err := unseal(); !errors.Is(err, ErrInvalid) || got != nil {
				t.Fatalf("%s, byte %d: %q, %v", name, i, got, err)
			}
		}
		if i > 0 {
			refused = map[string]func() ([]byte, error){}
		}
	}
	if got, err := (Keys{one}).Unseal("", Keys{one}.Seal("", nil)); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}
