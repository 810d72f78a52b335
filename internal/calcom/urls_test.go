package calcom_test

import (
	"net/url"
	"strings"
	"testing"

	"handoff/internal/calcom"
)

func TestURLs(t *testing.T) {
	const (
		origin = "https://app.cal.com"
		path   = "priya-raman/survey-call"
		ref    = "sub_01jdb7z5q4x3s8m2k9v6t1n0rc.Zg-_Vb1m9sYt7QkD0wEoHgZL"
		carry  = "metadata%5BsubmissionId%5D=" + ref + "&"
		asked  = "submissionId=" + ref
	)
	for name, tt := range map[string]struct{ got, want string }{
		"page":       {calcom.PageURL(origin, path, ref), origin + "/" + path + "?" + carry + asked},
		"embed":      {calcom.EmbedURL(origin, path, ref), origin + "/" + path + "/embed?embed=handoff&embedType=inline&layout=month_view&" + carry + asked},
		"reschedule": {calcom.RescheduleURL(origin, path, ref, "u1"), origin + "/" + path + "?" + carry + "rescheduleUid=u1&" + asked},
		"trial":      {calcom.TrialURL(origin, "priya-raman/survey-call"), origin + "/priya-raman/survey-call?cal.isBookingDryRun=true"},
		"cancel":     {calcom.CancelURL(origin, "u1"), origin + "/booking/u1?cancel=true"},

		"slashes around the path":  {calcom.PageURL(origin+"/", "/"+path+"/", ref), origin + "/" + path + "?" + carry + asked},
		"slashes within the path":  {calcom.PageURL(origin, "//priya-raman//survey-call", ref), origin + "/" + path + "?" + carry + asked},
		"a team's path":            {calcom.PageURL("http://localhost:3000", "team/acme/call", ref), "http://localhost:3000/team/acme/call?" + carry + asked},
		"several people's path":    {calcom.PageURL(origin, "priya+omar/call", ref), origin + "/priya+omar/call?" + carry + asked},
		"Cal.com below a path":     {calcom.PageURL("https://example.com/cal/", path, ref), "https://example.com/cal/" + path + "?" + carry + asked},
		"a slash in the uid":       {calcom.CancelURL(origin, "a/b?c#d"), origin + "/booking/a%2Fb%3Fc%23d?cancel=true"},
		"an ampersand in the uid":  {calcom.RescheduleURL(origin, path, ref, "u1&x=y"), origin + "/" + path + "?" + carry + "rescheduleUid=u1%26x%3Dy&" + asked},
		"letters outside of ASCII": {calcom.PageURL(origin, "zoë/größe", ref), origin + "/zo%C3%AB/gr%C3%B6%C3%9Fe?" + carry + asked},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", name, tt.got, tt.want)
		}
	}
}

// Whatever a path or a reference holds, the address stays at the origin, and the
// query holds the reference twice and nothing that it brought along.
func TestURLsStayAtTheOrigin(t *testing.T) {
	for _, path := range []string{"", "/", "..", "../../x", "a/../../b", ".", "//evil.example/x", "@evil.example", ":8080/x", ".evil.example", "?x=y", "a?metadata[submissionId]=z", "a#b", "a%2f..%2fb", "a\\b", "a b", "a\r\nSet-Cookie: x", "https://evil.example", "javascript:x"} {
		for _, ref := range []string{"", "sub_x.y", "x&embed=evil", "x#y", "x=y;z", "a b+c", "é\"<>"} {
			for _, address := range []string{calcom.PageURL("https://cal.example", path, ref), calcom.EmbedURL("https://cal.example", path, ref), calcom.RescheduleURL("https://cal.example", path, ref, ref)} {
				u, err := url.Parse(address)
				if err != nil {
					t.Errorf("%q: %v", address, err)
					continue
				}
				q, err := url.ParseQuery(u.RawQuery)
				if err != nil || u.Scheme != "https" || u.Host != "cal.example" || u.User != nil || u.Fragment != "" || u.Path != "" && u.Path[0] != '/' ||
					len(q["metadata[submissionId]"]) != 1 || q.Get("metadata[submissionId]") != ref || len(q["submissionId"]) != 1 || q.Get("submissionId") != ref ||
					q.Has("x") || strings.Contains(q.Get("embed"), "evil") || strings.ContainsAny(address, " \r\n\"<>\\") {
					t.Errorf("path %q and reference %q became %s", path, ref, address)
				}
				for segment := range strings.SplitSeq(u.Path, "/") {
					if segment == "." || segment == ".." {
						t.Errorf("path %q leads up: %s", path, address)
					}
				}
			}
		}
	}
}
