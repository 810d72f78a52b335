package api_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/web/api"
)

// contractModule has what checks the API from outside.
const contractModule = "testdata/contract"

// The document is one of OpenAPI 3.1; every answer, also every problem, is as it says;
// and a client that is generated of it works.
func TestContract(t *testing.T) {
	b := filled(t)
	c := b.client("", handoff.Scopes...)
	document := c.get("/openapi.json").is(200).body
	b.exchanges = nil
	c.everything(t)
	covered(t, document, b.exchanges)

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(contractModule)); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, e := range b.exchanges {
		b.must(json.NewEncoder(&lines).Encode(e))
	}
	b.must(os.WriteFile(filepath.Join(dir, "openapi.json"), []byte(document), 0o600))
	b.must(os.WriteFile(filepath.Join(dir, "exchanges.jsonl"), lines.Bytes(), 0o600))
	b.must(os.Mkdir(filepath.Join(dir, "client"), 0o700))
	for _, command := range [][]string{
		{"tool", "oapi-codegen", "-config", "client.yaml", "openapi.json"},
		{"run", "-trimpath", ".", "-document", "openapi.json", "-exchanges", "exchanges.jsonl", "-url", b.url, "-key", c.token},
	} {
		run := exec.CommandContext(t.Context(), "go", command...)
		run.Dir, run.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", command[0], err, out)
		}
	}
}

// everything asks for everything there is, and for something wrong of each kind.
func (c *client) everything(t *testing.T) {
	for _, path := range []string{
		"/leads", "/leads?limit=1&site=acme", "/leads?stage=booked&service=boiler&source=spring&search=da&from=2026-11-28T09:00:00Z&to=2026-11-29T09:00:00Z",
		"/failures", "/failures?limit=1&state=all&kind=event&reason=no_reference&uid=stray", "/sites", "/sites/acme", "/sites/north",
		"/sites/acme/statements?days=3", "/sites/acme/statements/2026-11-28", "/sites/acme/bookings/booked", "/sites/acme/bookings/stray", "/bookings", "/bookings?limit=1&site=acme", "/bookings?status=accepted&tied=yes&from=2026-11-28T09:00:00Z&to=2026-12-28T09:00:00Z", "/bookings?status=&tied=no", "/audit", "/audit?limit=1&subject=" + c.key.ID, "/audit?action=key.create&actor=olga@example.com&since=2026-11-28T09:00:00Z",
	} {
		c.get(path).is(200)
	}
	dana := c.dana()
	set := read[handoff.Act](c.post(dana+"/stage", `{"from":"booked","to":"won"}`).is(201))
	c.ask("DELETE", dana+"/stage/"+set.ID, "").is(200)
	c.hear("acme", "second", handoff.Accepted, handoff.Submission{ID: read[api.LeadView](c.get(dana)).Submissions[0].ID})
	for _, status := range []int{201, 204} {
		c.post(dana+"/calls-wanted", `{"calls":[{"uid":"booked"},{"uid":"second"}]}`).is(status)
		c.get(dana).is(200)
	}
	c.post(dana+"/calls-wanted", `{"calls":[{"uid":"booked"},{"uid":"second"},{"uid":"third","seat":"x"}]}`).is(409)
	c.ask("DELETE", dana+"/calls-wanted", "").is(200)
	c.ask("DELETE", dana+"/calls-wanted", "").is(409)
	c.get(dana).is(200)
	note := read[handoff.Act](c.post(dana+"/notes", `{"text":"A note"}`).is(201))
	c.post(dana+"/notes", `{"text":"Another note"}`).is(201)
	c.ask("POST", dana+"/notes", `{"text":"x"}`, "Idempotency-Key", "n").is(201)
	c.ask("POST", dana+"/notes", `{"text":"x"}`, "Idempotency-Key", "n").is(201)
	c.ask("DELETE", dana+"/notes/"+note.Detail, "", "Idempotency-Key", "d").is(200)
	c.get(dana).is(200)
	c.get(dana + "/facts").is(200)
	for _, change := range read[api.LeadView](c.get(dana)).History[1:2] {
		c.get(dana + "/facts/" + change.Cause).is(200)
	}
	stray := c.waiting(handoff.NoReference)
	c.post(stray+"/resolutions", `{"remedy":"dismiss","note":"a test"}`).is(201)
	c.ask("DELETE", stray+"/resolutions/"+string(detailOf(c, stray).Resolution.ID), "").is(200)
	for _, which := range []string{`"failures":["` + strings.TrimPrefix(stray, "/failures/") + `"]`, `"reason":"no_reference","seen":"2099-01-01T00:00:00Z"`} {
		c.post("/sites/acme/resolutions", `{"remedy":"dismiss",`+which+`}`).is(201)
		many := "/sites/acme/resolutions/" + string(detailOf(c, stray).Resolution.ID)
		c.get(many).is(200)
		c.ask("DELETE", many, "").is(200)
	}
	c.post("/sites/acme/resolutions", `{"remedy":"dismiss"}`).is(422)
	c.post("/sites/acme/resolutions", `{"remedy":"ask","reason":"no_reference"}`).is(201)
	c.post(stray+"/resolutions", `{"remedy":"attach","lead":"`+strings.TrimPrefix(dana, "/leads/")+`"}`).is(201)
	c.post(stray+"/resolutions", `{"remedy":"dismiss"}`).is(409)
	c.get(stray).is(200)
	for _, f := range read[failures](c.get("/failures")).Items {
		c.get("/failures/" + string(f.ID)).is(200)
	}

	c.get("/leads?nonsense=1").is(400)
	c.ask("GET", "/leads", "", "Authorization", "").is(401)
	c.ask("GET", "/leads", "", "Authorization", "Bearer x").is(401)
	c.client("", handoff.SitesRead).get("/leads").is(403)
	c.get("/leads/lead_01jdb7z5q4x3s8m2k9v6t1n0rc").is(404)
	c.get(dana + "/facts/none").is(404)
	c.get("/bookings?tied=perhaps").is(400)
	c.get("/leads?stage=nope").is(400)
	c.get("/failures?reason=nope").is(400)
	c.get("/audit?action=nope").is(400)
	c.post(dana+"/stage", `{"from":"lost","to":"won"}`).is(409)
	c.post(dana+"/stage", `{"from":"lost"}`).is(422)
	c.post(dana+"/stage", `{"from":1}`).is(400)
	c.ask("POST", dana+"/notes", `{"text":"other"}`, "Idempotency-Key", "n").is(422)
	c.post(dana+"/notes", `{"text":"`+strings.Repeat("x", 65<<10)+`"}`).is(413)
	c.ask("POST", dana+"/notes", `x`, "Idempotency-Key", "m", "Content-Type", "text/plain").is(415)
}

// covered wants an answer of each kind that the document promises for each operation.
func covered(t *testing.T, document string, exchanges []exchange) {
	var doc struct {
		Paths map[string]map[string]struct {
			ID        string `json:"operationId"`
			Responses map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(document), &doc); err != nil || len(doc.Paths) == 0 {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			for status := range o.Responses {
				if status == "default" {
					continue
				}
				found := false
				for _, e := range exchanges {
					found = found || e.Method == strings.ToUpper(method) && fits(e.URL, path) && status == strconv.Itoa(e.Status)
				}
				if !found {
					t.Errorf("%s was never answered with %s", o.ID, status)
				}
			}
		}
	}
}

// fits reports that an address is one of a path of the document.
func fits(address, path string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	have, want := strings.Split(strings.TrimPrefix(u.Path, api.Base), "/"), strings.Split(path, "/")
	if len(have) != len(want) {
		return false
	}
	for i := range want {
		if have[i] != want[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}
