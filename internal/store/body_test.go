package store

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// What was stored with a dictionary is read with it, so it never changes.
func TestDictionaryNeverChanges(t *testing.T) {
	sum := sha256.Sum256(firstDictionary)
	if got, want := hex.EncodeToString(sum[:]), "333fb6ba770cd9743026ce32ec47ae63e2d1468088126773ca41fe1914add4d7"; got != want {
		t.Errorf("the dictionary's digest is %s, want %s; give a new one a number of its own", got, want)
	}
}

// Cal.com's bodies come back as they were and take a quarter of their size, also
// such as the dictionary does not have; a store of before there was one is read.
func TestBodiesAreSmall(t *testing.T) {
	files, err := filepath.Glob("../calcom/testdata/bodies/*")
	if err != nil || len(files) < 26 {
		t.Fatal(files, err)
	}
	plain, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		packed := compress(body)
		for _, p := range [][]byte{packed, plain.EncodeAll(body, nil)} {
			if got, err := decompress(p); string(got) != string(body) || err != nil {
				t.Errorf("%s comes back as %d bytes of %d, %v", file, len(got), len(body), err)
			}
		}
		if len(body) > 2000 && len(packed) > len(body)/4 && filepath.Base(file) != "INDEX.json" {
			t.Errorf("%s takes %d bytes of %d", file, len(packed), len(body))
		}
	}
}
