package handoff

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
)

// maxSealed bounds what Unseal gives back, in bytes.
const maxSealed = 1 << 20

// sealPurpose keeps the keys that seal apart from those that sign references.
const sealPurpose = "handoff/sealed/1"

// Seal encrypts what only this install may read again, for a site: the body of a
// delivery that proved nothing holds secrets, and its signature is of all of it. Who
// reads the store without the reference key learns its length. It panics without a key.
func (ks Keys) Seal(site string, plain []byte) []byte {
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestSpeed) // the level is one of its own
	_, _ = w.Write(plain)                             // a buffer takes all
	_ = w.Close()
	aead := ks[0].aead()
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(append([]byte{ks[0].id()}, nonce...), nonce, packed.Bytes(), []byte(site))
}

// Unseal reads what Seal encrypted for a site, with any of the keys. The error is
// ErrInvalid if none fits, or it was altered.
func (ks Keys) Unseal(site string, sealed []byte) ([]byte, error) {
	for _, k := range ks {
		if len(k) < MinKeyLen || len(sealed) == 0 || sealed[0] != k.id() {
			continue
		}
		aead := k.aead()
		if len(sealed) < 1+aead.NonceSize() {
			break
		}
		nonce, rest := sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():]
		packed, err := aead.Open(nil, nonce, rest, []byte(site))
		if err != nil {
			continue
		}
		plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxSealed+1))
		if err == nil && len(plain) <= maxSealed {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("not sealed by us for this site: %w", ErrInvalid)
}

func (k Key) aead() cipher.AEAD {
	if len(k) < MinKeyLen {
		panic("handoff: a reference key must be at least 32 bytes")
	}
	secret, err := hkdf.Key(sha256.New, k, nil, sealPurpose, 32)
	if err != nil {
		panic(err) // only for lengths that are not 32
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the right block
	}
	return aead
}
