package handoff

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var (
	key1 = Key(bytes.Repeat([]byte{1}, MinKeyLen))
	key2 = Key(bytes.Repeat([]byte{2}, MinKeyLen))
)

const aSubmission = SubmissionID("sub_01h2xcejqtf2nbrexx3vqjhp41")

func TestReferenceOpensForItsSiteAndKeysOnly(t *testing.T) {
	reference := Keys{key1}.Sign("acme", aSubmission)
	if len(reference) != 55 {
		t.Errorf("a reference has %d characters, want the 55 that its comment states", len(reference))
	}
	for _, row := range []struct {
		name      string
		keys      Keys
		site      string
		reference string
		ok        bool
	}{
		{"as signed", Keys{key1}, "acme", reference, true},
		{"a new key signs, the old one still verifies", Keys{key2, key1}, "acme", reference, true},
		{"key removed", Keys{key2}, "acme", reference, false},
		{"no keys", nil, "acme", reference, false},
		{"other site", Keys{key1}, "acme2", reference, false},
		{"signed to stop reminders", Keys{key1}, "acme", Keys{key1}.SignStop("acme", aSubmission), false},
		{"site in other case", Keys{key1}, "Acme", reference, false},
		{"empty", Keys{key1}, "acme", "", false},
		{"ID alone", Keys{key1}, "acme", string(aSubmission), false},
		{"ID and dot", Keys{key1}, "acme", string(aSubmission) + ".", false},
		{"truncated by one character", Keys{key1}, "acme", reference[:54], false},
		{"truncated by four characters, which is whole base64", Keys{key1}, "acme", reference[:51], false},
		{"one character more", Keys{key1}, "acme", reference + "A", false},
		{"four characters more", Keys{key1}, "acme", reference + "AAAA", false},
		{"padded", Keys{key1}, "acme", reference + "=", false},
		{"line break, which base64 skips", Keys{key1}, "acme", reference + "\n", false},
		{"line break inside", Keys{key1}, "acme", reference[:40] + "\r\n" + reference[40:], false},
		{"space before", Keys{key1}, "acme", " " + reference, false},
		{"ID in capitals", Keys{key1}, "acme", strings.ToUpper(reference[:30]) + reference[30:], false},
		{"signature in capitals", Keys{key1}, "acme", reference[:31] + strings.ToUpper(reference[31:]), false},
		{"signed, but not of an ID's form", Keys{key1}, "acme", Keys{key1}.Sign("acme", "sub_01H2XCEJQTF2NBREXX3VQJHP41"), false},
		{"second signature", Keys{key1}, "acme", reference + reference[30:], false},
		{"signature of another submission", Keys{key1}, "acme", "sub_01h2xcejqtf2nbrexx3vqjhp42" + reference[30:], false},
		{"very long", Keys{key1}, "acme", strings.Repeat("a", 1<<20), false},
	} {
		id, err := row.keys.Open(row.site, row.reference)
		switch {
		case row.ok && (err != nil || id != aSubmission):
			t.Errorf("%s: got %q, %v", row.name, id, err)
		case !row.ok && (!errors.Is(err, ErrInvalid) || id != ""):
			t.Errorf("%s: got %q, %v; want nothing and ErrInvalid", row.name, id, err)
		}
	}
	if got := (Keys{key2, key1}).Sign("acme", aSubmission); got != (Keys{key2}).Sign("acme", aSubmission) {
		t.Error("the first key does not sign")
	}
}

func TestEveryAlteredByteIsRefused(t *testing.T) {
	keys := Keys{key1}
	reference := keys.Sign("acme", aSubmission)
	for i := range len(reference) {
		for v := range 256 {
			altered := []byte(reference)
			altered[i] = byte(v)
			if altered[i] == reference[i] {
				continue
			}
			if id, err := keys.Open("acme", string(altered)); err == nil || id != "" {
				t.Fatalf("byte %d as %#x: opened %q", i, v, id)
			}
		}
	}
}

// With a key that is empty, or that anybody can guess, anybody can sign.
func TestShortKeysNeitherSignNorVerify(t *testing.T) {
	for _, short := range []Key{nil, {}, key1[:MinKeyLen-1]} {
		forged := string(aSubmission) + "." + rawURL(append([]byte{short.id()}, short.mac("acme", aSubmission)...))
		if _, err := (Keys{short}).Open("acme", forged); err == nil {
			t.Errorf("a key of %d bytes verifies", len(short))
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a key of %d bytes signs", len(short))
				}
			}()
			Keys{short}.Sign("acme", aSubmission)
		}()
	}
}

// Two keys can share the ID byte; then both are tried.
func TestKeysWithOneID(t *testing.T) {
	var twin Key
	for i := 0; ; i++ {
		if k := Key(fmt.Sprintf("%032d", i)); k.id() == key1.id() {
			twin = k
			break
		}
	}
	reference := Keys{key1}.Sign("acme", aSubmission)
	if _, err := (Keys{twin, key1}).Open("acme", reference); err != nil {
		t.Error("a key was not tried because another has its ID:", err)
	}
	if _, err := (Keys{twin}).Open("acme", reference); err == nil {
		t.Error("a key's ID alone verifies")
	}
}

// No two pairs of site and submission may be signed alike, however they are cut.
func TestSiteAndSubmissionDoNotRunTogether(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{"a\nb\nc", "1:a\nsub", "1:1:a\n\nx", "12:acme\nsub_1\nsub_2"} {
		for i := range len(text) + 1 {
			mac := hex.EncodeToString(key1.mac(text[:i], SubmissionID(text[i:])))
			pair := fmt.Sprintf("%q %q", text[:i], text[i:])
			if other, ok := seen[mac]; ok && other != pair {
				t.Errorf("%s is signed as %s", pair, other)
			}
			seen[mac] = pair
		}
	}
	for _, pair := range [][2]string{{"acme\nsub", "x"}, {"acme", "sub\nx"}, {"a", "\n1:b\nx"}, {"a\n1:b", "x"}} {
		mac := hex.EncodeToString(key1.mac(pair[0], SubmissionID(pair[1])))
		if other, ok := seen[mac]; ok {
			t.Errorf("%q is signed as %s", pair, other)
		}
		seen[mac] = fmt.Sprint(pair)
	}
}

func TestJudge(t *testing.T) {
	keys := Keys{key1}
	own, others := keys.Sign("acme", aSubmission), keys.Sign("bolt", aSubmission)
	for _, row := range []struct {
		name, reference string
		want            Carried
	}{
		{"ours", own, Carried{InAnswer, Valid, aSubmission}},
		{"of another site of this install", others, Carried{InAnswer, OtherSite, ""}},
		{"of another install", Keys{key2}.Sign("acme", aSubmission), Carried{InAnswer, Forged, ""}},
		{"of a site we do not have", keys.Sign("zeta", aSubmission), Carried{InAnswer, Forged, ""}},
		{"anything", "hello", Carried{InAnswer, Forged, ""}},
	} {
		if got := keys.Judge("acme", []string{"bolt"}, InAnswer, row.reference); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
	}
}

// Vectors of the TypeID specification (valid.yml), and the bounds.
func TestFormatID(t *testing.T) {
	for uuid, want := range map[string]string{
		"0188bac74afa78aabc3bbd1eef28d881": "sub_01h2xcejqtf2nbrexx3vqjhp41",
		"01890a5dac96774bbcceb302099a8057": "sub_01h455vb4pex5vsknk084sn02q",
		"00000000000000000000000000000000": "sub_00000000000000000000000000",
		"00000000000000000000000000000001": "sub_00000000000000000000000001",
		"0000000000000000000000000000000a": "sub_0000000000000000000000000a",
		"00000000000000000000000000000010": "sub_0000000000000000000000000g",
		"00000000000000000000000000000020": "sub_00000000000000000000000010",
		"ffffffffffffffffffffffffffffffff": "sub_7zzzzzzzzzzzzzzzzzzzzzzzzz",
	} {
		raw, err := hex.DecodeString(uuid)
		if err != nil {
			t.Fatal(err)
		}
		got := FormatID("sub", [16]byte(raw))
		if got != want {
			t.Errorf("%s: got %s, want %s", uuid, got, want)
		}
		if _, err := ParseSubmissionID(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestParseIDs(t *testing.T) {
	for name, s := range map[string]string{
		"empty":              "",
		"prefix alone":       "sub_",
		"other prefix":       "lead_01h2xcejqtf2nbrexx3vqjhp41",
		"no prefix":          "01h2xcejqtf2nbrexx3vqjhp41",
		"capitals":           "sub_01H2XCEJQTF2NBREXX3VQJHP41",
		"one short":          "sub_01h2xcejqtf2nbrexx3vqjhp4",
		"one long":           "sub_01h2xcejqtf2nbrexx3vqjhp411",
		"above 128 bits":     "sub_81h2xcejqtf2nbrexx3vqjhp41",
		"l, not of the form": "sub_01h2xcejqtf2nbrexx3vqjhp4l",
		"u, not of the form": "sub_01h2xcejqtf2nbrexx3vqjhp4u",
		"hyphen":             "sub_01h2xcejqtf2nbrexx3vqjhp4-",
		"wide character":     "sub_01h2xcejqtf2nbrexx3vqjhpé",
	} {
		if id, err := ParseSubmissionID(s); !errors.Is(err, ErrInvalid) || id != "" {
			t.Errorf("%s: got %q, %v; want nothing and ErrInvalid", name, id, err)
		}
	}
	if id, err := ParseLeadID("lead_01h2xcejqtf2nbrexx3vqjhp41"); err != nil || id == "" {
		t.Errorf("a lead's ID: got %q, %v", id, err)
	}
	if id, err := ParseLeadID("sub_01h2xcejqtf2nbrexx3vqjhp41"); err == nil || id != "" {
		t.Errorf("a submission's ID is none of a lead: got %q, %v", id, err)
	}
}

func rawURL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// What stops reminders is one thing, what carries a lead another.
func TestStopReferenceIsAnother(t *testing.T) {
	keys := Keys{key1}
	if id, err := keys.OpenStop("acme", keys.SignStop("acme", aSubmission)); err != nil || id != aSubmission {
		t.Errorf("%q, %v", id, err)
	}
	for _, bad := range []string{keys.Sign("acme", aSubmission), keys.SignStop("acme2", aSubmission), string(aSubmission), ""} {
		if id, err := keys.OpenStop("acme", bad); !errors.Is(err, ErrInvalid) || id != "" {
			t.Errorf("%s: %q, %v", bad, id, err)
		}
	}
}
