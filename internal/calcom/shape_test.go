package calcom_test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/calcom"
)

var update = flag.Bool("update", false, "write fields.txt anew")

// ours are the bodies of Cal.com's own form.
func ours(t testing.TB) (out []example) {
	for _, e := range examples(t) {
		if _, err := calcom.Open(trust, signed(string(e.body))); err == nil {
			out = append(out, e)
		}
	}
	if len(out) < 20 {
		t.Fatal(len(out), "bodies")
	}
	return out
}

// The list of usual fields is that of the bodies that the tests know, as they are
// stored.
func TestUsualFields(t *testing.T) {
	fields := map[string]bool{}
	for trigger, shapes := range shapesByTrigger(t) {
		for _, all := range shapes {
			for path, kind := range all {
				fields[path+" "+kind] = true
				for _, other := range shapes {
					if _, has := other[path]; !has && path != "" && other[path[:max(strings.LastIndexByte(path, '.'), 0)]] == "object" {
						fields[trigger+" "+path+" absent"] = true
					}
				}
			}
		}
	}
	want := strings.Join(slices.Sorted(maps.Keys(fields)), "\n") + "\n"
	if *update {
		if err := os.WriteFile("fields.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("fields.txt")
	if err != nil || string(got) != want {
		t.Errorf("fields.txt is not of these bodies (%v); run: go test ./internal/calcom -run UsualFields -update", err)
	}
	usual := calcom.Usual("BOOKING_CREATED")
	if !usual("payload.recurringEvent", "object") || usual("payload.recurringEvent", "text") || usual("payload.none", "text") || usual("payload.uid", "") || !usual("payload.hashedLink", "") {
		t.Error("what is usual")
	}
}

// shapesByTrigger are the shapes of all bodies, as they are stored.
func shapesByTrigger(t testing.TB) map[string][]handoff.Shape {
	out := map[string][]handoff.Shape{}
	for _, e := range ours(t) {
		out[e.Trigger] = append(out[e.Trigger], calcom.ShapeOf(calcom.Redact(e.body)))
	}
	return out
}

// After many bodies of one way in which Cal.com writes a trigger's, one of another way is
// no news.
func TestCalcomsWaysAreNoNews(t *testing.T) {
	for trigger, shapes := range shapesByTrigger(t) {
		for i, first := range shapes {
			for j, second := range shapes {
				known := map[string]handoff.Field{}
				learn := func(s handoff.Shape) []string {
					learned, changes := handoff.Learn(known, s, calcom.Usual(trigger))
					for _, f := range learned {
						known[f.Path] = f
					}
					return changes
				}
				for range handoff.LearnedAfter {
					learn(first)
				}
				if changes := learn(second); len(changes) > 0 {
					t.Errorf("%s, body %d after %d: %v", trigger, j, i, changes)
				}
			}
		}
	}
}

func TestShapeOf(t *testing.T) {
	many := `{"a":{` + strings.Repeat(`"x":1,`, 3000) + `"y":1}}`
	for _, c := range []struct {
		body string
		want handoff.Shape
	}{
		{`{"a":"1","b":1,"c":true,"d":false,"e":null,"f":[],"g":{}}`, handoff.Shape{
			"": "object", "a": "text", "b": "number", "c": "truth", "d": "truth", "e": "null", "f": "list", "g": "object",
		}},
		{`{"p":{"l":[{"a":null},{"a":1,"b":"x"},[2]]}}`, handoff.Shape{
			"": "object", "p": "object", "p.l": "list", "p.l[]": "object", "p.l[].a": "number", "p.l[].b": "text", "p.l[][]": "number",
		}},
		{`{"payload":{"metadata":{"my name":"Dana"},"responses":{"q":{"value":1}}}}`, handoff.Shape{
			"": "object", "payload": "object", "payload.metadata": "object", "payload.responses": "object",
		}},
		{`{"Dana Reyes":1,"ok":{"dana@example.com":{"x":1}}}`, handoff.Shape{
			"": "object", "*": "number", "ok": "object", "ok.*": "object", "ok.*.x": "number",
		}},
		{many, handoff.Shape{"": "object", "a": "object", "a.x": "number", "a.y": "number"}},
		{`[1]`, nil},
		{`"text"`, nil},
		{``, nil},
		{`{"a":`, nil},
		{strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200), nil},
	} {
		if got := calcom.ShapeOf([]byte(c.body)); !maps.Equal(got, c.want) {
			t.Errorf("%.60s: %v, want %v", c.body, got, c.want)
		}
	}
	var wide strings.Builder
	wide.WriteString(`{"x":0`)
	for i := range 2000 {
		wide.WriteString(`,"f` + strings.Repeat("a", i%50) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + `":1`)
	}
	if got := calcom.ShapeOf([]byte(wide.String() + "}")); len(got) != 500 {
		t.Errorf("%d fields of a wide body", len(got))
	}
}

// A fixture has the shape of its body, is read as the same event, and holds nothing of
// whom it was about.
func TestFixture(t *testing.T) {
	personal := regexp.MustCompile(`(?i)dana|omar|reyes|brightwater|` + first + `|` + next + `|sub_[0-9a-z]|@(?:[^e]|e[^x])|[0-9]{7}`)
	for _, e := range ours(t) {
		t.Run(e.File, func(t *testing.T) {
			got, err := calcom.Fixture(e.body)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := calcom.ShapeOf(e.body), calcom.ShapeOf(got); !maps.Equal(a, b) {
				t.Errorf("the shape is %v, was %v", b, a)
			}
			for _, line := range strings.Split(string(got), "\n") {
				if found := personal.FindString(strings.ReplaceAll(line, "@Cal.com", "")); found != "" && !strings.Contains(line, "00000000-0000-4000-8000-") {
					t.Errorf("%q stands in %s", found, line)
				}
			}
			was, _ := calcom.Open(trust, signed(string(e.body)))
			is, err := calcom.Open(trust, signed(string(got)))
			if err != nil {
				t.Fatalf("a fixture is not read: %v", err)
			}
			if was.Trigger != is.Trigger || was.Ignored != is.Ignored || !was.CreatedAt.Equal(is.CreatedAt) || (was.Observation == nil) != (is.Observation == nil) {
				t.Errorf("read as %+v, was %+v", is, was)
			}
			if was, is := was.Observation, is.Observation; was != nil {
				if was.Status != is.Status || !was.Start.Equal(is.Start) || (was.Predecessor == "") != (is.Predecessor == "") || len(was.Attendees) != len(is.Attendees) || len(was.Carried) != len(is.Carried) {
					t.Errorf("observed %+v, was %+v", is, was)
				}
			}
		})
	}
}

// The same value is the same placeholder; names that people chose are replaced.
func TestFixtureKeepsWhatBelongsTogether(t *testing.T) {
	got, err := calcom.Fixture([]byte(`{"triggerEvent":"BOOKING_CREATED","payload":{"uid":"abc","bookingUid":"abc","userId":7,"id":7,"other":8,
		"length":30,"metadata":{"submissionId":"sub_x.y","Dana's \"note\"":"hi","deep":{"Omar":"x"}},"list":["a@b.co",["a@b.co"]],"url":"https://x.test/abc?dana","idempotencyKey":"6F9619FF-8b86-d011-b42d-00c04fc964ff","odd name":null,"iCalUID":"abc@Cal.com","location":"integrations:daily","when":"2026-11-28T09:00:00Z"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"triggerEvent":"BOOKING_CREATED","payload":{"uid":"text1","bookingUid":"text1","userId":1001,"id":1001,"other":1002,
		"length":30,"metadata":{"submissionId":"reference1","name1":"text2","name2":{"name3":"text3"}},"list":["person1@example.com",["person1@example.com"]],"url":"https://example.com/1","idempotencyKey":"00000000-0000-4000-8000-000000000001","name4":null,"iCalUID":"text1@Cal.com","location":"integrations:daily","when":"2026-11-28T09:00:00Z"}}`
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("%s\nwant %s", x, y)
	}
	// What a visitor answered is theirs, whatever it looks like.
	got, err = calcom.Fixture([]byte(`{"timeZone":"Europe/Berlin","payload":{"startTime":"2026-11-28T09:00:00Z","attendees":[{"timeZone":"Dana Reyes, 4 Mill Lane","locale":"+44 20 7946 0958"}],
		"responses":{"born":{"value":"1987-05-01T00:00:00Z"},"notes":"1987-05-01T00:00:00Z","status":"divorced","length":7},"metadata":{"timeZone":"Dana","born":"1987-05-01T00:00:00Z"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, theirs := range []string{"1987", "Dana", "Mill", "7946", "divorced"} {
		if strings.Contains(string(got), theirs) {
			t.Errorf("%s stands in %s", theirs, got)
		}
	}
	if !strings.Contains(string(got), "Europe/Berlin") || !strings.Contains(string(got), "2026-11-28T09:00:00Z") {
		t.Errorf("%s", got)
	}
	for _, body := range []string{"", "[1]", `{"a":`, "text", strings.Repeat(`{"a":`, 200)} {
		if got, err := calcom.Fixture([]byte(body)); err == nil {
			t.Errorf("%.20q: %s", body, got)
		}
	}
}
