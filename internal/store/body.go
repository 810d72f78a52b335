package store

import (
	_ "embed"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Bodies are stored compressed: they are JSON that repeats its own words, and, far
// more, one another's. So the compressor begins with a few bodies that it has seen
// already, and a body of 3 KB takes a few hundred bytes.

// firstDictionary are bodies as Cal.com sends them. It can never change: what was
// stored with it is read with it. A better one gets a number of its own, beside it.
//
//go:embed bodies.dict
var firstDictionary []byte

const firstDictionaryID = 1

var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(512<<10), zstd.WithEncoderDictRaw(firstDictionaryID, firstDictionary))
		if err != nil {
			panic(err) // only bad options fail
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderDictRaw(firstDictionaryID, firstDictionary))
		if err != nil {
			panic(err)
		}
		return d
	})
)

func compress(body []byte) []byte { return encoder().EncodeAll(body, nil) }

func decompress(body []byte) ([]byte, error) { return decoder().DecodeAll(body, nil) }
