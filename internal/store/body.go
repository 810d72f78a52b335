package store

import (
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Bodies are stored compressed: they are JSON that repeats its own words.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil)
		if err != nil {
			panic(err) // only bad options fail
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			panic(err)
		}
		return d
	})
)

func compress(body []byte) []byte { return encoder().EncodeAll(body, nil) }

func decompress(body []byte) ([]byte, error) { return decoder().DecodeAll(body, nil) }
