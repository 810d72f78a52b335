package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"handoff"
)

// An install is a folder with a handoff.yaml, as people outside see it: through
// its commands, its pages and its database.
type install struct {
	dir       string
	site, cal string // base URLs; cal is empty where no stand-in runs
	store     string // as in handoff.yaml; empty: its own SQLite file
}

func (in *install) config() string { return filepath.Join(in.dir, "handoff.yaml") }

// A leadJSON is a lead as "handoff leads list --json" promises it.
type leadJSON struct {
	ID, Site, Service, Name, Email, Stage string
	Submissions                           []struct{ ID, Message string }
	Bookings                              []struct {
		UID, Seat, Status string
		Start, End        *time.Time
	}
	History []struct {
		At                    time.Time
		From, To, Cause, Note string
	}
}

// A failureJSON is an entry as "handoff failures list --json" promises it.
type failureJSON struct {
	ID, Kind, Reason string
	UID              string
	ReceivedAt       time.Time `json:"received_at"`
	Deliveries       int
	SettledAt        *time.Time `json:"settled_at"`
}

// list runs a command that lists, and reads its JSON, which is never null.
func list[T any](in *install, args ...string) ([]T, error) {
	out, err := output(in.dir, append(args, "--json", "--limit", "1000", "-c", in.config())...)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(string(out), "[") {
		return nil, fmt.Errorf("handoff %s: not a list: %s", strings.Join(args, " "), out)
	}
	var rows []T
	return rows, json.Unmarshal(out, &rows)
}

// leads lists the leads, each of them sound.
func (in *install) leads() ([]leadJSON, error) {
	rows, err := list[leadJSON](in, "leads", "list")
	for _, l := range rows {
		if err := l.sound(); err != nil {
			return nil, fmt.Errorf("lead %s: %w", l.Name, err)
		}
	}
	return rows, err
}

// sound checks what holds of every lead: its history is one line from nothing to
// its stage, and no cause moved it to one stage twice.
func (l *leadJSON) sound() error {
	if l.ID == "" || l.Site == "" || l.Service == "" || l.Email == "" || l.Submissions == nil || l.Bookings == nil || len(l.History) == 0 {
		return fmt.Errorf("a field is missing: %+v", l)
	}
	at, seen := "", map[string]bool{}
	for _, h := range l.History {
		if h.From != at || h.To == at || h.Cause == "" || h.At.IsZero() {
			return fmt.Errorf("its history breaks at %+v: it stood at %q", h, at)
		}
		if seen[h.To+" "+h.Cause] {
			return fmt.Errorf("%s moved it to %s twice", h.Cause, h.To)
		}
		at, seen[h.To+" "+h.Cause] = h.To, true
	}
	if at != l.Stage {
		return fmt.Errorf("its history ends at %s, and it stands at %s", at, l.Stage)
	}
	return nil
}

// moves are the rows of its history, each with its reason in a few words.
func (l *leadJSON) moves() []string {
	var out []string
	for _, h := range l.History {
		out = append(out, h.To+": "+strings.TrimPrefix(h.Note, "Cal.com: "))
	}
	return out
}

// bookings are uid=status of each, sorted.
func (l *leadJSON) bookings() []string {
	out := []string{}
	for _, b := range l.Bookings {
		key := b.UID
		if b.Seat != "" {
			key += "/" + b.Seat
		}
		out = append(out, key+"="+b.Status)
	}
	slices.Sort(out)
	return out
}

// failures lists the open failures, or all of them.
func (in *install) failures(more ...string) ([]failureJSON, error) {
	return list[failureJSON](in, append([]string{"failures", "list"}, more...)...)
}

// reasons are the reasons of failures, sorted.
func reasons(failures []failureJSON, counts func(failureJSON) bool) []string {
	out := []string{}
	for _, f := range failures {
		if counts(f) {
			out = append(out, f.Reason)
		}
	}
	slices.Sort(out)
	return out
}

// database is the address of the store: SQLite's is the path of its file.
func (in *install) database() string {
	return cmp.Or(strings.TrimPrefix(in.store, "sqlite:"), filepath.Join(in.dir, "handoff.db"))
}

// A looker reads the database from outside, beside the server.
func (in *install) looker() (*sql.DB, error) {
	if strings.HasPrefix(in.store, "postgres:") {
		return sql.Open("pgx", in.store)
	}
	return sql.Open("sqlite", "file:"+in.database()+"?_pragma=busy_timeout(10000)")
}

// quiet waits until nothing is on its way and nothing is left to do, so that what
// has not happened by then does not happen.
func (in *install) quiet() error {
	if in.cal != "" {
		res, err := http.Get(in.cal + "/control/deliveries?wait=1")
		if err != nil {
			return err
		}
		res.Body.Close()
	}
	db, err := in.looker()
	if err != nil {
		return err
	}
	defer db.Close()
	return until(func() error {
		var due, facts int
		err := db.QueryRow(`SELECT (SELECT count(*) FROM due WHERE kind <> 'sweep'), (SELECT count(*) FROM observations WHERE reconciled_at IS NULL)`).Scan(&due, &facts)
		if err == nil && due+facts > 0 {
			err = fmt.Errorf("%d pieces of work and %d facts are left", due, facts)
		}
		return err
	})
}

// secret reads a secret file of the install.
func (in *install) secret(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(in.dir, "secrets", name))
	return strings.TrimSpace(string(b)), err
}

// sign makes the reference of a submission, as the install would.
func (in *install) sign(site string, id handoff.SubmissionID) (string, error) {
	key, err := in.secret("reference.key")
	if err != nil {
		return "", err
	}
	return handoff.Keys{handoff.Key(key)}.Sign(site, id), nil
}

// calSign is Cal.com's signature of a body.
func calSign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

const bodiesDir = "../../internal/calcom/testdata/bodies/"

// A body is one of Cal.com's 26 example bodies.
type body struct {
	number      string // "01" to "26"
	contentType string
	bytes       []byte
}

// The references that stand in the example bodies.
const (
	danasReference  = "sub_01jdb7z5q4x3s8m2k9v6t1n0rc.p3Vb1m9sYt7QkD0wEoHgZLx2"
	omarsReference  = "sub_01jdb80marx4x3s8m2k9v6t1n0.q7HnVb2sYt7QkD0wEoHgZLx"
	forgedReference = "sub_01jdb7z5q4x3s8m2k9v6t1n0rc.AAAAAAAAAAAAAAAAAAAAAA"
)

// bodies reads the 26 with right references filled in. The one that is forged
// names Dana's submission, and keeps its false signature.
func bodies(dana, omar string) ([]body, error) {
	b, err := os.ReadFile(filepath.Join(sourceDir, bodiesDir, "INDEX.json"))
	if err != nil {
		return nil, err
	}
	var index struct {
		Files []struct {
			File    string
			Headers map[string]string
		}
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(dana, ".")
	fill := strings.NewReplacer(danasReference, dana, omarsReference, omar, forgedReference, name+".AAAAAAAAAAAAAAAAAAAAAAAA")
	var out []body
	for _, f := range index.Files {
		b, err := os.ReadFile(filepath.Join(sourceDir, bodiesDir, f.File))
		if err != nil {
			return nil, err
		}
		out = append(out, body{f.File[:2], f.Headers["Content-Type"], []byte(fill.Replace(string(b)))})
	}
	if len(out) != 26 {
		return nil, fmt.Errorf("%d bodies, want 26", len(out))
	}
	return out, nil
}

// sourceDir is this folder: scripts run elsewhere.
var sourceDir, _ = os.Getwd()
