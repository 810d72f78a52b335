package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"

	"handoff/internal/pgtest"
)

const secret = "a secret of the test's own"

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func post(h http.Handler, body, signature string) int {
	r := httptest.NewRequest("POST", "/webhooks/calcom/main", strings.NewReader(body))
	r.Header.Set("X-Cal-Signature-256", signature)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// Who is measured against this program is measured against one that keeps what it
// acknowledges and nothing that is not signed.
func TestKeepsWhatItAcknowledges(t *testing.T) {
	pg, err := pgtest.Start("fsync=off")
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close()
	path := filepath.Join(t.TempDir(), "bare.db")
	for _, engine := range []struct{ driver, store, url string }{
		{"sqlite", "sqlite:" + path, path},
		{"pgx", pg.URL, pg.URL},
	} {
		t.Run(engine.driver, func(t *testing.T) {
			k, err := open(t.Context(), engine.store)
			if err != nil {
				t.Fatal(err)
			}
			h := routes(k, []byte(secret))
			for _, wrong := range []string{"", "no-secret-provided", sign("other"), sign("body") + "00", strings.Repeat("z", 64)} {
				if code := post(h, "body", wrong); code != http.StatusUnauthorized {
					t.Errorf("signature %q: %d", wrong, code)
				}
			}
			var all sync.WaitGroup
			for i := range 200 {
				all.Go(func() {
					if body := fmt.Sprint("body ", i); post(h, body, sign(body)) != http.StatusOK {
						t.Errorf("%s was refused", body)
					}
				})
			}
			all.Wait()
			if err := k.close(); err != nil {
				t.Fatal(err)
			}
			kept(t, engine.driver, engine.url)
		})
	}
}

// kept reads the store after the program's end.
func kept(t *testing.T, driver, url string) {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT body FROM bodies`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(body, []byte("body ")) || seen[string(body)] {
			t.Errorf("kept %q, which nobody sent so", body)
		}
		seen[string(body)] = true
	}
	if len(seen) != 200 || rows.Err() != nil {
		t.Errorf("%d kept, want 200: %v", len(seen), rows.Err())
	}
}
