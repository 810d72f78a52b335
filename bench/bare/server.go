package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
)

// maxBody bounds what one request may send, as Handoff's webhook route does.
const maxBody = 256 << 10

// routes are the program's three addresses.
func routes(k *keeper, secret []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/calcom/{site}", func(w http.ResponseWriter, r *http.Request) {
		body, ok := read(w, r)
		if !ok {
			return
		}
		if !signed(secret, body, r.Header.Get("X-Cal-Signature-256")) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		keep(w, k, body, http.StatusOK)
	})
	mux.HandleFunc("POST /form", func(w http.ResponseWriter, r *http.Request) {
		if body, ok := read(w, r); ok {
			keep(w, k, body, http.StatusSeeOther)
		}
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	return mux
}

// read takes the whole body, bounded.
func read(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	n := r.ContentLength
	if n > maxBody {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return nil, false
	}
	if n >= 0 { // the usual case, without growing a buffer
		body = make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err == nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	return body, err == nil
}

// signed checks Cal.com's signature in constant time.
func signed(secret, body []byte, signature string) bool {
	given, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return hmac.Equal(mac.Sum(nil), given)
}

// keep answers once the body is on the disk.
func keep(w http.ResponseWriter, k *keeper, body []byte, status int) {
	if err := k.keep(body); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(status)
}
