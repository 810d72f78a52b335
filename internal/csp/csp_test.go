package csp_test

import (
	"errors"
	"strings"
	"testing"

	"handoff/internal/csp"
)

const public = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func TestPagePolicies(t *testing.T) {
	booking, err := csp.Booking("https://app.cal.com", "HTTPS://Acme.Cal.com:443", "https://app.cal.com", "http://cal.localhost:8202")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, want, got string }{
		{"public", public, csp.Public().String()},
		{"booking", public + "; frame-src https://app.cal.com https://acme.cal.com http://cal.localhost:8202", booking.String()},
		{"desk", strings.Replace(public, "trusted-types 'none'", "trusted-types handoff-desk", 1), csp.Desk().String()},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, tt.got, tt.want)
		}
		back, err := csp.Parse(tt.got)
		if err != nil || back.String() != tt.want {
			t.Errorf("%s: Parse gives %q, %v", tt.name, back, err)
		}
	}
	if p, err := csp.Booking(); err == nil {
		t.Errorf("Booking without an origin gives %q", p)
	}
	if csp.Public().With("img-src", "data:"); csp.Public().String() != public {
		t.Error("With changed the policy it was called on")
	}
}

func TestOrigin(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"https://app.cal.com", "https://app.cal.com"},
		{"HTTPS://APP.CAL.EU", "https://app.cal.eu"},
		{"https://cal.acme.co.uk:8443", "https://cal.acme.co.uk:8443"},
		{"https://app.cal.com:443", "https://app.cal.com"},
		{"http://localhost:3000", "http://localhost:3000"},
		{"http://localhost:80", "http://localhost"},
		{"http://cal.localhost:8202", "http://cal.localhost:8202"},
		{"http://127.0.0.1:3000", "http://127.0.0.1:3000"},
		{"https://10.1.2.3", "https://10.1.2.3"},
		{"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},

		{"", ""},
		{"app.cal.com", ""},
		{"//app.cal.com", ""},
		{"https:", ""},
		{"https://", ""},
		{"https:app.cal.com", ""},
		{"https:///x", ""},
		{"https://*", ""},
		{"https://*.cal.com", ""},
		{"https://app.cal.*", ""},
		{"*", ""},
		{"'self'", ""},
		{"'none'", ""},
		{"https:", ""},
		{"data:", ""},
		{"https://app.cal.com/", ""},
		{"https://app.cal.com/sam/intro", ""},
		{"https://app.cal.com?x", ""},
		{"https://app.cal.com#", ""},
		{"https://user@app.cal.com", ""},
		{"https://app.cal.com@evil.example", ""},
		{"https://app.cal.com\\@evil.example", ""},
		{"https://app.cal.com https://evil.example", ""},
		{"https://app.cal.com;script-src 'unsafe-inline'", ""},
		{"https://app.cal.com, default-src *", ""},
		{"https://app.cal.com\r\nSet-Cookie: a=b", ""},
		{"https://app.cal.com\x00", ""},
		{" https://app.cal.com", ""},
		{"https://app.cal.com:", ""},
		{"https://app.cal.com:0", ""},
		{"https://app.cal.com:65536", ""},
		{"https://app.cal.com:+443", ""},
		{"https://app.cal.com:0443", ""},
		{"https://app.cal.com:443:443", ""},
		{"https://app..cal.com", ""},
		{"https://app.cal.com.", ""},
		{"https://-cal.com", ""},
		{"https://bücher.example", ""},
		{"https://app.cal%2ecom", ""},
		{"https://[::1]:3000", ""},
		{"http://2130706433", ""},
		{"http://0x7f000001", ""},
		{"https://" + strings.Repeat("a", 64) + ".com", ""},
		{"https://" + strings.Repeat("a.", 200) + "com", ""},
		{"http://app.cal.com", ""},
		{"http://localhost.evil.example", ""},
		{"http://evillocalhost", ""},
		{"http://127.0.0.1.evil.example", ""},
		{"ws://localhost", ""},
		{"ftp://app.cal.com", ""},
		{"javascript://app.cal.com", ""},
		{"file:///etc/passwd", ""},
	} {
		got, err := csp.Origin(tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("Origin(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
		if err != nil && !errors.Is(err, csp.ErrInvalid) {
			t.Errorf("Origin(%q): %v is not ErrInvalid", tt.in, err)
		}
		// What Origin refuses reaches no header by another way.
		if _, err := csp.Booking("https://app.cal.com", tt.in); (err == nil) != (tt.want != "") {
			t.Errorf("Booking(…, %q): %v", tt.in, err)
		}
		if s, err := csp.PermissionsPolicy(tt.in); (err == nil) != (tt.want != "") || err != nil && s != "" {
			t.Errorf("PermissionsPolicy(%q) = %q, %v", tt.in, s, err)
		}
	}
}

func TestPermissionsPolicy(t *testing.T) {
	const closed = "camera=(), microphone=(), geolocation=(), payment="
	for _, tt := range []struct {
		origins []string
		want    string
	}{
		{nil, closed + "()"},
		{[]string{"https://app.cal.com"}, closed + `("https://app.cal.com")`},
		{[]string{"https://app.cal.com", "https://acme.cal.com"}, closed + `("https://app.cal.com" "https://acme.cal.com")`},
	} {
		if got, err := csp.PermissionsPolicy(tt.origins...); got != tt.want || err != nil {
			t.Errorf("PermissionsPolicy(%q) = %q, %v; want %q", tt.origins, got, err, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, in, want, err string }{
		{"empty", "", "", ""},
		{"spaces and empty parts", " ;; default-src  'self'\t;", "default-src 'self'", ""},
		{"name in capitals", "Frame-SRC https://A.example", "frame-src https://A.example", ""},
		{"the first of two counts", "img-src a.example; img-src *", "img-src a.example", ""},
		{"no value", "upgrade-insecure-requests", "upgrade-insecure-requests", ""},
		{"comma", "default-src 'self', img-src *", "", "comma at byte 18"},
		{"control character", "default-src \x01", "", "character 0x01"},
		{"not ASCII", "default-src bücher.example", "", "character 0xc3"},
		{"bad name", "default_src 'self'", "", `"default_src" is not a directive name`},
		{"too long", strings.Repeat("a", csp.MaxLength+1), "", "at most"},
		{"too many sources", "img-src" + strings.Repeat(" a", csp.MaxSources+1), "", "257 sources"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := csp.Parse(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !errors.Is(err, csp.ErrInvalid) {
					t.Fatalf("err = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || p.String() != tt.want {
				t.Errorf("got %q, %v; want %q", p, err, tt.want)
			}
		})
	}
	var many strings.Builder
	for i := range csp.MaxDirectives + 1 {
		many.WriteString(strings.Repeat("x", i+1) + ";")
	}
	if _, err := csp.Parse(many.String()); err == nil {
		t.Error("more than MaxDirectives directives were read")
	}
	if ps, err := csp.ParseHeader([]string{"default-src 'self', img-src *", "", "base-uri 'none'"}); err != nil || len(ps) != 3 {
		t.Errorf("ParseHeader: %v, %v", ps, err)
	}
}

func TestMerge(t *testing.T) {
	const cal = "frame-src https://app.cal.com"
	for _, tt := range []struct{ name, p, other, want string }{
		{"own directive", "frame-src 'self'", cal, "frame-src 'self' https://app.cal.com"},
		{"'none' gives way", "frame-src 'none'", cal, cal},
		{"'none' adds nothing", cal, "frame-src 'none'", cal},
		{"both 'none'", "frame-src 'none'", "frame-src 'none'", "frame-src 'none'"},
		{"fallback is kept", "default-src 'self'; img-src *", cal, "default-src 'self'; img-src *; frame-src 'self' https://app.cal.com"},
		{"closed fallback", "default-src 'none'", cal, "default-src 'none'; " + cal},
		{"child-src comes first", "default-src *; child-src 'self'", cal, "default-src *; child-src 'self'; frame-src 'self' https://app.cal.com"},
		{"fallback says it already", "default-src https://app.cal.com", cal, "default-src https://app.cal.com"},
		{"ungoverned stays open", "script-src 'self'", cal, "script-src 'self'"},
		{"no policy needs nothing", "", public, ""},
		{"other's default widens", "default-src 'none'; img-src 'none'", "default-src 'self'", "default-src 'self'; img-src 'self'"},
		{"other's script-src reaches script-src-elem", "script-src-elem 'self'", "script-src https://a.example", "script-src-elem 'self' https://a.example"},
		{"same source in capitals", "img-src https://A.example", "img-src https://a.example", "img-src https://A.example"},
		{"paths keep their case", "img-src https://a.example/A", "img-src https://a.example/a", "img-src https://a.example/A https://a.example/a"},
		{"nonces keep theirs", "script-src 'nonce-a'", "script-src 'nonce-A'", "script-src 'nonce-a' 'nonce-A'"},
		{"a nonce would switch off unsafe-inline", "script-src 'unsafe-inline'", "script-src 'nonce-a' 'self'", "script-src 'unsafe-inline' 'self'"},
		{"strict-dynamic would switch off hosts", "script-src https://a.example", "script-src 'strict-dynamic' 'nonce-a'", "script-src https://a.example 'nonce-a'"},
		{"Trusted Types names", "trusted-types one", "trusted-types two", "trusted-types one two"},
		{"restrictions are not imported", "default-src 'self'", public, "default-src 'self'"},
		{"reports stay the site's", "report-uri /a", "report-uri /b", "report-uri /a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err1 := csp.Parse(tt.p)
			other, err2 := csp.Parse(tt.other)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			got := p.Merge(other)
			if got.String() != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if again := got.Merge(other); again.String() != got.String() {
				t.Errorf("merged twice: %s", again)
			}
			if p.String() != tt.p {
				t.Errorf("Merge changed its receiver to %s", p)
			}
		})
	}
}

func TestAllows(t *testing.T) {
	const self = "https://site.example/book/1"
	for _, tt := range []struct {
		policy, target string
		want           bool
	}{
		{"", "https://app.cal.com/x", true},
		{"frame-src https://app.cal.com", "https://app.cal.com/sam/embed?x", true},
		{"frame-src https://app.cal.com", "https://acme.cal.com/", false},
		{"frame-src app.cal.com", "https://app.cal.com/", true},
		{"frame-src app.cal.com", "http://app.cal.com/", false},
		{"frame-src *.cal.com", "https://acme.cal.com/", true},
		{"frame-src *.cal.com", "https://cal.com/", false},
		{"frame-src *.cal.com", "https://evilcal.com/", false},
		{"frame-src https:", "https://app.cal.com/", true},
		{"frame-src *", "https://app.cal.com/", true},
		{"frame-src *", "data:text/html,x", false},
		{"frame-src 'self'", "https://site.example/x", true},
		{"frame-src 'self'", "https://app.cal.com/", false},
		{"frame-src 'none'", "https://app.cal.com/", false},
		{"default-src 'self'", "https://app.cal.com/", false},
		{"default-src 'none'; child-src https://app.cal.com", "https://app.cal.com/", true},
		{"frame-src http://cal.localhost:8202", "http://cal.localhost:8202/", true},
		{"frame-src http://cal.localhost:8202", "http://cal.localhost:8203/", false},
		{"frame-src http://cal.localhost:*", "http://cal.localhost:8203/", true},
		{"frame-src http://a.example", "https://a.example/", true},
		{"frame-src https://a.example", "http://a.example/", false},
		{"frame-src https://app.cal.com", "::", false},
	} {
		p, err := csp.Parse(tt.policy)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Allows("frame-src", self, tt.target); got != tt.want {
			t.Errorf("%q allows %s: %v, want %v", tt.policy, tt.target, got, tt.want)
		}
	}
}

// Whatever Parse accepts, it can read back, and merging it with our policy takes
// nothing away.
func FuzzParse(f *testing.F) {
	f.Add(public)
	f.Add("default-src 'self'; frame-src a b; frame-src c;;")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := csp.Parse(s)
		if err != nil {
			return
		}
		back, err := csp.Parse(p.String())
		if err != nil || back.String() != p.String() {
			t.Fatalf("%q is read as %q, then %q (%v)", s, p, back, err)
		}
		booking, _ := csp.Booking("https://app.cal.com")
		merged := p.Merge(booking)
		for _, target := range []string{"https://app.cal.com/x", "https://a.example/", "https://b/"} {
			if p.Allows("frame-src", "https://site.example/", target) && !merged.Allows("frame-src", "https://site.example/", target) {
				t.Fatalf("%q merged into %q no longer allows %s", p, merged, target)
			}
		}
		if !merged.Allows("frame-src", "https://site.example/", "https://app.cal.com/x") {
			t.Fatalf("%q merged into %q does not allow the calendar", p, merged)
		}
	})
}
