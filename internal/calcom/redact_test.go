package calcom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"handoff/internal/calcom"
)

const (
	otp     = "3f0c2c1e-7d7b-4f53-8a51-0d0a2f6f9a11" // a oneTimePassword
	placed  = "[redacted]"
	mark    = "hunter2" // a secret in the hostile bodies
	exclude = "uid-of-it"
)

// The secrets of the 26 bodies: what each file loses, by the path of the value.
var lost = map[string][]string{
	"01-booking-created.direct.json":                      {"attendeePhoneNumber", "payload.location", "videoCallData.id", "videoCallData.password", "videoCallData.url", "metadata.videoCallUrl"},
	"02-booking-created.queued.json":                      {"attendeePhoneNumber", "videoCallData.id", "videoCallData.password", "videoCallData.url", "metadata.videoCallUrl"},
	"03-booking-requested.queued.json":                    {"attendeePhoneNumber", "oneTimePassword"},
	"04-booking-created.after-confirm.metadata-lost.json": {"attendeePhoneNumber", "metadata.videoCallUrl"},
	"05-booking-rescheduled.direct.metadata-lost.json":    {"attendeePhoneNumber", "payload.location", "videoCallData.id", "videoCallData.password", "videoCallData.url", "metadata.videoCallUrl"},
	"06-booking-rescheduled.queued.json":                  {"attendeePhoneNumber", "videoCallData.id", "videoCallData.password", "videoCallData.url", "metadata.videoCallUrl"},
	"07-booking-cancelled.direct.no-metadata.json":        {"attendeePhoneNumber", "payload.location"},
	"08-booking-cancelled.queued.json":                    {"attendeePhoneNumber", "videoCallData.id", "videoCallData.password", "videoCallData.url", "metadata.videoCallUrl"},
	"09-booking-cancelled.request-reschedule.json":        {"attendeePhoneNumber"},
	"10-booking-rejected.json":                            {"attendeePhoneNumber"},
	"11-booking-payment-initiated.json":                   {"attendeePhoneNumber", "videoCallData.id", "videoCallData.password", "videoCallData.url"},
	"12-booking-paid.json":                                {"attendeePhoneNumber"},
	"13-booking-no-show-updated.json":                     {},
	"14-meeting-started.flat.json":                        {"attendeePhoneNumber", "oneTimePassword"},
	"15-meeting-ended.flat.json":                          {"attendeePhoneNumber", "oneTimePassword"},
	"16-ping.json":                                        {},
	"17-booking-created.seat-2-same-uid.json":             {"attendeePhoneNumber", "videoCallData.id", "videoCallData.password", "videoCallData.url"},
	"18-booking-created.recurring-2-of-3.json":            {"attendeePhoneNumber", "payload.location", "videoCallData.id", "videoCallData.password", "videoCallData.url", "metadata.videoCallUrl"},
	"19-after-guests-cal-video-no-show.json":              {},
	"20-form-submitted.json":                              {},
	"21-recording-ready.json":                             {"downloadLink"},
	"22-ooo-created.json":                                 {},
	"23-booking-created.custom-json-template.json":        {},
	"24-booking-created.custom-text-template.txt":         {},
	"25-booking-created.zapier-app.json":                  {"attendeePhoneNumber", "metadata.videoCallUrl"},
	"26-booking-created.hostile-metadata.json":            {"attendeePhoneNumber", "videoCallData.id", "videoCallData.password", "videoCallData.url", "metadata.videoCallUrl"},
}

// secretsOf finds the secrets of the examples by how they look, not by their names.
var secretsOf = regexp.MustCompile(otp + `|eyJ-redacted[\w-]*|https://(?:app\.cal\.com/(?:video|api)|phish|handoff-demo)[^"]*|aB3dE5fG7h`)

func TestRedactBodies(t *testing.T) {
	found := 0
	for _, e := range examples(t) {
		got := calcom.Redact(e.body)
		if left := secretsOf.Find(got); left != nil {
			t.Errorf("%s still has %s", e.File, left)
		}
		found += len(secretsOf.FindAll(e.body, -1))
		want, ok := lost[e.File]
		if !ok {
			t.Errorf("%s has no row", e.File)
		}
		if n := bytes.Count(got, []byte(placed)); n != len(want) {
			t.Errorf("%s: %d values are replaced, want %d", e.File, n, len(want))
		}
		for _, path := range want {
			name := path[strings.LastIndexByte(path, '.')+1:]
			if !bytes.Contains(got, []byte(`"`+name+`":"`+placed+`"`)) {
				t.Errorf("%s: %s is not replaced", e.File, path)
			}
		}
		if e.File != "24-booking-created.custom-text-template.txt" {
			sameOutside(t, e.body, got)
		} else if !bytes.Equal(got, e.body) {
			t.Errorf("24 has no secret, and became %s", got)
		}
	}
	if found < 40 {
		t.Errorf("the bodies hold only %d secrets", found)
	}
}

// sameOutside checks that of JSON only whole values are replaced, and every other
// byte is as it came.
func sameOutside(t testing.TB, body, redacted []byte) {
	t.Helper()
	if !json.Valid(redacted) {
		t.Errorf("no JSON: %.300s", redacted)
		return
	}
	lenient := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	was, is := jsontext.NewDecoder(bytes.NewReader(body), lenient...), jsontext.NewDecoder(bytes.NewReader(redacted), lenient...)
	from, to := int64(0), int64(0) // the ends of the last tokens
	for {
		if is.PeekKind() == '"' {
			peek, err := is.ReadValue()
			if err != nil {
				t.Fatal(err)
			}
			value, err := was.ReadValue()
			if err != nil {
				t.Fatal(err)
			}
			gapIs, gapWas := redacted[to:is.InputOffset()-int64(len(peek))], body[from:was.InputOffset()-int64(len(value))]
			if !bytes.Equal(gapIs, gapWas) || string(peek) != `"`+placed+`"` && !bytes.Equal(peek, value) {
				t.Errorf("%s%s became %s%s", gapWas, value, gapIs, peek)
			}
		} else {
			a, errA := was.ReadToken()
			b, errB := is.ReadToken()
			if errA == io.EOF && errB == io.EOF {
				return
			}
			if errA != nil || errB != nil || !bytes.Equal(body[from:was.InputOffset()], redacted[to:is.InputOffset()]) {
				t.Errorf("%v became %v (%v, %v)", a, b, errA, errB)
				return
			}
		}
		from, to = was.InputOffset(), is.InputOffset()
	}
}

// Where a secret can hide in JSON of Cal.com's own form.
func TestRedactFinds(t *testing.T) {
	for _, fields := range []string{
		`"oneTimePassword":"hunter2"`,
		`"onetimepassword":"hunter2"`,
		`"one_time_password" : "hunter2"`,
		`"download_link":"hunter2","Recording-Link":"hunter2"`,
		`"one\u0054imePassword":"hunter2"`,
		`"oneTimePassw\u006frd":"h\u0075nter2 and hunter2"`,
		`"oneTimePassword":"","oneTimePassword":"hunter2"`,
		`"oneTimePassword":["hunter2"]`,
		`"oneTimePassword":{"x":{"y":"hunter2"}}`,
		`"oneTimePassword": [ [ {"x":"hunter2"} ] ]`,
		`"a":[[{"b":[{"password":"hunter2"}]}]]`,
		`"x":[1,{"downloadLink":"hunter2"},2]`,
		`"downloadLinks":{"transcription":[{"format":"txt","link":"hunter2"}],"recording":"hunter2"}`,
		`"videoCallData":{"type":"zoom_video","id":"hunter2","password":"hunter2","url":"hunter2"}`,
		`"videoCallData":[{"url":"hunter2"},{"x":{"url":["hunter2"]}}]`,
		`"videoCallData":"hunter2"`,
		`"video\u0043allData":{"\u0075rl":"hunter2"}`,
		`"references":[{"type":"zoom_video","meetingId":"hunter2","meetingPassword":"hunter2","meetingUrl":"hunter2"}]`,
		`"payment":[{"data":{"client_secret":"hunter2","x":{"clientSecret":"hunter2"}}}]`,
		`"conferenceData":{"conferenceId":"hunter2","entryPoints":[{"uri":"hunter2","pin":"hunter2"}]}`,
		`"hashedLink":"hunter2"`,
		`"metadata":{"videoCallUrl":"hunter2","hangoutLink":"hunter2"}`,
		`"connectAndJoinUrl":"hunter2"`,
		`"webhook":{"secret":"hunter2"}`,
		`"location":"https://hunter2"`,
		`"location":"HTTPS://hunter2"`,
		`"location":" https://hunter2"`,
		`"location":"\u0068ttps:\/\/hunter2"`,
		`"location":"Join zoommtg://hunter2"`,
		`"location":"meet.example.com/hunter2"`,
		`"location":["https://hunter2"]`,
		`"responses":{"location":{"value":{"optionValue":"https://hunter2","value":"link"}}}`,
		`"responses":{"location":{"label":"location","response":[["x",{"y":"https://hunter2"}]]}}`,
		`"eventType":{"locations":[{"type":"link","link":"https://hunter2"}]}`,
		`"responses":{"attendeePhoneNumber":{"label":"phone_number","value":"hunter2"}}`,
		`"attendees":[{"phoneNumber":"hunter2"}]`,
		`"smsReminderNumber":"hunter2"`,
		`"` + strings.Repeat("x", 5000) + `password":"hunter2"`,
		"\"a\xff\":{\"password\":\"hunter2\xff\"}",
		`"\ud800":{"password":"\ud800hunter2"}`,
	} {
		for _, body := range []string{
			wrap("BOOKING_CREATED", `"uid":"`+exclude+`",`+fields+`,"title":"kept"`),
			`{"triggerEvent":"MEETING_STARTED","createdAt":"2026-11-23T09:30:00.538Z","uid":"` + exclude + `",` + fields + `,"title":"kept"}`,
		} {
			got := string(calcom.Redact([]byte(body)))
			if strings.Contains(got, mark) || !strings.Contains(got, placed) || !strings.Contains(got, exclude) || !strings.Contains(got, `"title":"kept"`) {
				t.Errorf("%.300s\nbecame %.300s", body, got)
			}
		}
	}
	for _, number := range []string{"+447700900123", "+44 7700 900123", "tel:+44-7700-900123", " +1 (212) 555-0100 "} {
		body := wrap("BOOKING_CREATED", `"location":"`+number+`","responses":{"phone":{"value":"`+number+`"}},"title":"kept"`)
		if got := string(calcom.Redact([]byte(body))); strings.Contains(got, number) || !strings.Contains(got, "kept") {
			t.Errorf("%s became %s", body, got)
		}
	}
}

// What is no secret stays, byte for byte.
func TestRedactKeeps(t *testing.T) {
	for _, fields := range []string{
		`"oneTimePassword":null`, `"oneTimePassword":""`, `"hasPassword":true`, `"downloadLinks":[]`, `"entryPoints":[ { } ]`,
		`"location":"integrations:daily"`, `"location":"12 High Street, London"`, `"location":{"value":"attendeeInPerson"}`, `"location":null`,
		`"additionalNotes":"see https://example.com/boiler"`, `"bookerUrl":"https://cal.com"`, `"attendeeSeatId":"` + otp + `"`,
		`"videoCallData":{"type":"daily_video"}`, `"videoCallData":null`, `"price":0,"utcOffset":-300,"x":1e300`, `"url":"https://cal.com/x"`,
		`"title":"+1"`, `"title":"a + b"`, "\"title\":\"\xff\"", `"title":"\ud800"`, "\r\n\t\"a\" : [ 1 , 2 ] ",
	} {
		body := wrap("BOOKING_CREATED", `"uid":"u1",`+fields)
		if got := string(calcom.Redact([]byte(body))); got != body {
			t.Errorf("%s\nbecame %s", body, got)
		}
	}
}

// JSON that a custom template wrote: names tell little, so texts are searched too.
func TestRedactForeignJSON(t *testing.T) {
	for _, body := range []string{
		`{"content":"Join https://daily.example/hunter2 now","keep":"kept"}`,
		`{"a":"oneTimePassword: hunter2","keep":"kept"}`,
		`{"a":["x",["password=hunter2"]],"keep":"kept"}`,
		`{"a":"{\"oneTimePassword\":\"hunter2\"}","keep":"kept"}`,
		`{"a":"{\"one\\u0054imePassword\":\"hunter2\"}","keep":"kept"}`,
		`{"a":"https:\/\/hunter2","keep":"kept"}`,
		`{"triggerEvent":"BOOKING_CREATED","a":"https://hunter2","keep":"kept"}`,
		`{"triggerEvent":"BOOKING_CREATED","createdAt":"x","payload":"https://hunter2","keep":"kept"}`,
		`{"triggerEvent":"BOOKING_CREATED","createdAt":"x","payload":{},"payload":{},"a":"https://hunter2","keep":"kept"}`,
		`[{"password":"hunter2"},"kept"]`,
		`["https://hunter2","kept"]`,
	} {
		got := string(calcom.Redact([]byte(body)))
		if strings.Contains(got, mark) || !strings.Contains(got, placed) || !strings.Contains(got, "kept") || !json.Valid([]byte(got)) {
			t.Errorf("%s\nbecame %s", body, got)
		}
	}
	if got := string(calcom.Redact([]byte(`{"x":"` + otp + `"}`))); got != `{"x":"`+placed+`"}` {
		t.Errorf("a UUID under a name of the template's own became %s", got)
	}
	if got := string(calcom.Redact([]byte(`"https://hunter2"`))); got != `"`+placed+`"` {
		t.Errorf("a text alone became %s", got)
	}
}

// What is no JSON: cut short, broken by an input, or a text template's.
func TestRedactText(t *testing.T) {
	secret := `"oneTimePassword":"hunter2"`
	whole := wrap("BOOKING_REQUESTED", `"uid":"`+exclude+`",`+secret+`,"title":"x"`)
	hostile := []string{
		"\ufeff" + whole,
		whole + whole,
		whole + " x",
		whole[:len(whole)-1],
		`{"uid":"` + exclude + `","videoCallData":{"url":"hunter2"},"x":"https://a\q"}`,
		whole[:strings.Index(whole, mark)+len(mark)],
		strings.Replace(whole, "x", `x"y`, 1),
		strings.Replace(whole, mark, mark+`"more`+mark, 1),
		strings.Replace(whole, secret, `"oneTimePassword":["a","hunter2"`, 1),
		strings.Replace(whole, secret, `"one\u0054imePassword":"hunter2"`, 1) + "}",
		strings.Replace(whole, secret, `"one_time_password":hunter2`, 1),
		wrap("BOOKING_REQUESTED", `"uid":"`+exclude+`","x":`+strings.Repeat("[", 10_001)+`{`+secret+`}`+strings.Repeat("]", 10_001)),
		"event=x&uid=" + exclude + "&password=hunter2&x=" + mark,
		"uid=" + exclude + "&videoCallUrl%3Dhunter2",
		"uid=" + exclude + "\nOne-time password = hunter2",
		"uid=" + exclude + "\nPassword:\n\n  hunter2 " + mark,
		"uid=" + exclude + " <oneTimePassword>hunter2</oneTimePassword>",
		"uid=" + exclude + " 'client_secret' => 'hun\\'ter2 hunter2'",
		"uid=" + exclude + " join https://daily.example/hunter2",
		"uid=" + exclude + " join HTTPS%3A%2F%2Fdaily.example%2Fhunter2",
		"uid=" + exclude + ` join https:\/\/daily.example\/hunter2`,
		"uid=" + exclude + " zoommtg://x?pwd=hunter2&token&#x3D;hunter2",
		"uid=" + exclude + " token&#x3D;hunter2: hunter2",
	}
	for _, body := range hostile {
		got := string(calcom.Redact([]byte(body)))
		if strings.Contains(got, mark) || !strings.Contains(got, placed) || !strings.Contains(got, exclude) {
			t.Errorf("%.200q\nbecame %.200q", body, got)
		}
		if again := string(calcom.Redact([]byte(got))); again != got {
			t.Errorf("%.200q\nthen %.200q", got, again)
		}
	}
	for _, secret := range []string{otp, strings.ToUpper(otp), "+447700900123", "+44 (0)7700 900-123"} {
		if got := string(calcom.Redact([]byte("uid=" + exclude + " " + secret + " end"))); got != "uid="+exclude+" "+placed+" end" {
			t.Errorf("%s became %q", secret, got)
		}
	}
	for _, body := range []string{"", "false", "null", "event=BOOKING_CREATED&uid=x", "Forgot your password? Ask.", "12 + 34", "\xff\xfe"} {
		if got := string(calcom.Redact([]byte(body))); got != body {
			t.Errorf("%q became %q", body, got)
		}
	}
}

// Beyond what is searched nothing is shown, nor half of a secret where it ends.
func TestRedactLargeForeignBodies(t *testing.T) {
	large := strings.Repeat("x", 20_000)
	if got := string(calcom.Redact([]byte(`{"a":"note","n":1,"b":["` + large + `"]}`))); got != `{"a":"`+placed+`","n":1,"b":["`+placed+`"]}` {
		t.Errorf("a large JSON body of a template's became %.300s", got)
	}
	if got := string(calcom.Redact([]byte(`{"a":"note","b":"https://` + large + `"}`))); strings.Contains(got, "note") {
		t.Errorf("a large JSON body that would become a small one became %s", got)
	}
	for at := 0; at < 60; at += 7 {
		text := strings.Repeat("x", 8<<10-len(placed)-at) + otp + large
		if got := string(calcom.Redact([]byte(text))); strings.Contains(got, otp[:8]) || !strings.HasSuffix(got, placed) || len(got) > 9_000 {
			t.Errorf("with a secret %d bytes before the cut: %s", at, got[len(got)-80:])
		}
	}
}

// Every prefix of a body with a secret, as a connection that breaks leaves it.
func TestRedactPrefixes(t *testing.T) {
	body := calcom.Redact(read(t, "16-ping.json"))
	body = append(body[:len(body)-1:len(body)-1], fmt.Sprintf(`,"oneTimePassword":%q,"videoCallData":{"url":"https://%s"}}`, otp, mark)...)
	if !json.Valid(body) {
		t.Fatal("the test's own body is no JSON")
	}
	for n := range body {
		if got := calcom.Redact(body[:n]); bytes.Contains(got, []byte(mark)) || bytes.Contains(got, []byte(otp[:9])) {
			t.Fatalf("%s", got)
		}
	}
}

// Pieces of bodies in any order: the same twice, and no secret that has its name
// or its form beside it.
func TestRedactMixtures(t *testing.T) {
	pieces := []string{
		`{`, `}`, `[`, `]`, `,`, `:`, `"`, `'`, `\`, ` `, "\n", `&`, `=`, `<`, `>`, `x`, `1`, `null`, `"x"`, `"x":`, "\xff", "\ufeff", `\ud800`, `\"`, `\/`,
		`password`, `"token":`, `location`, `"location":`, `"videoCallData":{`, `"url":`, `"triggerEvent":"x",`, `"createdAt":"x",`, `"payload":{`, `https:`, `//`, `+1`,
		placed, `"` + placed + `"`, `"password":"hunter2"`, `password=hunter2`, `pass\u0077ord: hunter2`, `{\"token\":\"hunter2\"}`, ` https://hunter2 `, `https:\/\/hunter2`, otp, ` +447700900123 `,
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		var b strings.Builder
		for range 1 + random.IntN(10) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		body := b.String()
		got := string(calcom.Redact([]byte(body)))
		if again := string(calcom.Redact([]byte(got))); again != got {
			t.Fatalf("%q\nbecame %q\nthen   %q", body, got, again)
		}
		if json.Valid([]byte(body)) && !json.Valid([]byte(got)) {
			t.Fatalf("%q\nbecame %q", body, got)
		}
		if strings.Contains(got, mark) {
			t.Fatalf("%q\nbecame %q", body, got)
		}
		checkNoSecret(t, []byte(got))
	}
}
