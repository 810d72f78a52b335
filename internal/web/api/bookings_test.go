package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/web/api"
)

type (
	bookings = api.List[api.SiteBookingView]
	facts    struct{ Items []api.FactView }
)

// cursorOf is a cursor of parts as they stand in it.
func cursorOf(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "|")))
}

// Bookings are listed by their start, filtered and read page by page, each once; what is
// said of one is what is said of it alone; and a key of another site sees none.
func TestBookings(t *testing.T) {
	b := filled(t)
	b.hear("north", "odd|uid/ü%", handoff.Requested, b.submit("north", "Olaf"))
	b.hear("north", "last", handoff.Accepted, b.submit("north", "Lars"))
	c, north := b.client("", handoff.LeadsRead), b.client("north", handoff.LeadsRead)
	uids := func(c *client, path string) (out []string) {
		for next := path; next != ""; {
			page := read[bookings](c.get(next).is(200))
			for _, one := range page.Items {
				out = append(out, one.UID)
			}
			if next = ""; page.Next != nil {
				next = *page.Next
			}
		}
		return out
	}
	acme, others := []string{"booked", "stray"}, []string{"north-stray", "odd|uid/ü%", "last"}
	starts := map[string]string{}
	for _, one := range read[bookings](c.get("/bookings").is(200)).Items {
		starts[one.UID] = one.Start.Format("2006-01-02T15:04:05Z")
	}
	for path, want := range map[string][]string{
		"/bookings?": {"booked", "stray", "north-stray", "odd|uid/ü%", "last"}, "/bookings?site=acme": acme, "/bookings?site=north": others,
		"/bookings?status=cancelled": {"north-stray"}, "/bookings?status=": nil, "/bookings?status=rejected": nil,
		"/bookings?tied=yes": {"booked", "odd|uid/ü%", "last"}, "/bookings?tied=no": {"stray", "north-stray"}, "/bookings?tied=no&status=accepted": {"stray"},
		"/bookings?from=" + starts["north-stray"]: others, "/bookings?to=" + starts["north-stray"]: acme,
	} {
		for _, limit := range []string{"&limit=1", "&limit=3", ""} {
			if got := uids(c, path+limit); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", path+limit, got, want)
			}
		}
	}
	if got := uids(north, "/bookings"); !slices.Equal(got, others) {
		t.Errorf("north's key sees %q", got)
	}
	member := regexp.MustCompile(`"([a-z_]+)":`)
	for _, one := range read[bookings](c.get("/bookings")).Items {
		if strings.HasPrefix(one.UID, "odd") {
			continue
		}
		alone := c.get("/sites/" + one.Site + "/bookings/" + one.UID).is(200)
		if seat := read[api.BookingSeats](alone).Seats[0]; fmt.Sprint(seat.Lead, seat.Status, seat.Start.UTC()) != fmt.Sprint(one.Lead, one.Status, one.Start.UTC()) {
			t.Errorf("%+v in the list, %+v alone", one, seat)
		}
		for _, m := range member.FindAllString(c.get("/bookings?site="+one.Site).body, -1) {
			if !strings.Contains(alone.body, m) && !slices.Contains([]string{`"items":`, `"next":`, `"lead":`}, m) {
				t.Errorf("the list says %s, and the booking alone does not", m)
			}
		}
	}
}

// The document has all statuses of bookings.
func TestStatusesAreInTheDocument(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas map[string]struct{ Enum []handoff.Status }
		}
	}
	b := newBench(t)
	b.must(json.Unmarshal([]byte((&client{bench: b}).get("/openapi.json").body), &doc))
	if have := doc.Components.Schemas["BookingStatus"].Enum; !slices.Equal(slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(handoff.Statuses))) {
		t.Errorf("the document has %q, and there are %q", have, handoff.Statuses)
	}
}

// What caused a change of a lead is among its facts, which have what was received, without
// a signature of ours; and for a key of another site it is not there.
func TestFacts(t *testing.T) {
	b := filled(t)
	dana := b.submit("acme", "Danuta")
	reference := string(dana.ID) + "." + strings.Repeat("a", 24)
	yes := true
	o := &handoff.Observation{
		ID: "evt_told", Site: "acme", Source: handoff.FromEvent, Trigger: "BOOKING_CANCELLED", UID: "told", At: b.now(), Digest: "d", Status: handoff.Cancelled,
		Reason: "Wrong link " + reference, Attendees: []handoff.Person{{Name: "Danuta", Email: "danuta@example.com", NoShow: &yes}, {Name: "Silent"}},
		Carried: []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: dana.ID}, {From: handoff.InAnswer, Verdict: handoff.Forged}},
	}
	_, err := b.db.KeepEvent(t.Context(), b.delivery("acme", "told", `{"reference":"`+reference+`","odd":"`+"\xff"+`"}`), handoff.Event{ID: o.ID, Site: "acme", Trigger: o.Trigger, CreatedAt: o.At, Observation: o})
	b.must(err)
	b.work("acme")
	c, north := b.client("", handoff.LeadsRead), b.client("north", handoff.LeadsRead)
	path := "/leads/" + string(dana.Lead)
	lead := read[api.LeadView](c.get(path).is(200))
	cause := lead.History[len(lead.History)-1].Cause
	list := c.get(path + "/facts").is(200)
	heard := read[facts](list).Items
	if len(heard) != 1 || heard[0].ID != cause || heard[0].Status != handoff.Cancelled || !heard[0].Forged || heard[0].Start != nil || heard[0].At == nil || heard[0].ReceivedAt.IsZero() ||
		!slices.Equal(heard[0].Attendees, []api.AttendanceView{{Name: "Danuta", Email: "danuta@example.com", NoShow: true}}) {
		t.Errorf("facts %s", list.body)
	}
	one := c.get(path + "/facts/" + cause).is(200)
	if d := read[api.FactDetailView](one); d.ID != cause || len(d.Received) != 1 || d.Received[0].Count != 1 || !strings.Contains(d.Received[0].Body, `"odd"`) {
		t.Errorf("fact %s", one.body)
	}
	for _, a := range []answer{list, one} {
		if strings.Contains(a.body, strings.Repeat("a", 24)) || !strings.Contains(a.body, "[signature hidden]") {
			t.Errorf("a signature is shown, or none was there: %s", a.body)
		}
	}
	c.get(path+"/facts/none").problem(404, "not-found")
	c.get("/leads/lead_01jdb7z5q4x3s8m2k9v6t1n0rc/facts").problem(404, "not-found")
	other := "/leads/" + string(read[leads](c.get("/leads?stage=booked")).Items[0].ID)
	c.get(other+"/facts/"+cause).problem(404, "not-found") // it is another lead's
	north.get(path+"/facts").problem(404, "not-found")
	north.get(path+"/facts/"+cause).problem(404, "not-found")
}

// A lead names those that may be of the same person, of its site only, and why.
func TestRelatedLeads(t *testing.T) {
	b := filled(t) // whose leads all have one telephone number
	again := b.submit("acme", "Dana")
	c := b.client("", handoff.LeadsRead)
	got := map[string]string{}
	for _, r := range read[api.LeadView](c.get("/leads/" + string(again.Lead)).is(200)).Related {
		got[read[api.LeadView](c.get("/leads/"+string(r.Lead))).Name] = strings.Join(r.Reasons, ", ")
	}
	if len(got) != 2 || got["Dana"] != "the same e-mail address, the same phone number" || got["Omar"] != "the same phone number" {
		t.Errorf("related %v", got)
	}
	if nora := read[leads](c.get("/leads?site=north")).Items[0].ID; !strings.Contains(c.get("/leads/"+string(nora)).body, `"related":[]`) {
		t.Error("leads of two sites are related")
	}
}
