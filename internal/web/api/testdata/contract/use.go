package main

import (
	"context"
	"fmt"
	"net/http"

	"contract/client"
)

// use does with the generated client what a program would that takes over leads.
func use(url, key string) {
	ctx := context.Background()
	c, err := client.NewClientWithResponses(url, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}))
	must(err)

	// All leads, page by page.
	limit, seen := 1, map[string]bool{}
	params := &client.ListLeadsParams{Limit: &limit}
	for {
		page, err := c.ListLeadsWithResponse(ctx, params)
		must(err)
		if page.JSON200 == nil {
			must(fmt.Errorf("leads: %s %s", page.Status(), page.Body))
		}
		for _, l := range page.JSON200.Items {
			if seen[l.Id] {
				must(fmt.Errorf("the lead %s is there twice", l.Id))
			}
			seen[l.Id] = true
		}
		if page.JSON200.Next == nil {
			break
		}
		cursor := cursorOf(*page.JSON200.Next)
		params.Cursor = &cursor
	}
	expect("several leads", len(seen) > 2)

	for id := range seen {
		l, err := c.GetLeadWithResponse(ctx, id)
		must(err)
		expect("the lead "+id, l.JSON200 != nil && l.JSON200.Id == id && len(l.JSON200.Submissions) > 0 && len(l.JSON200.History) > 0)
		for _, b := range l.JSON200.Bookings {
			got, err := c.GetBookingWithResponse(ctx, l.JSON200.Site, b.Uid)
			must(err)
			expect("the booking "+b.Uid, got.JSON200 != nil && len(got.JSON200.Seats) == 1 && got.JSON200.Seats[0].Lead != nil && *got.JSON200.Seats[0].Lead == id)
		}
		facts, err := c.ListFactsWithResponse(ctx, id)
		must(err)
		expect("the facts about "+id, facts.JSON200 != nil && len(facts.JSON200.Items) >= len(l.JSON200.Bookings))
		for _, f := range facts.JSON200.Items {
			one, err := c.GetFactWithResponse(ctx, id, f.Id)
			must(err)
			expect("the fact "+f.Id, one.JSON200 != nil && one.JSON200.Id == f.Id && (f.Source != "event" || len(one.JSON200.Received) > 0))
		}
	}
	bookings(ctx, c)
	none, err := c.GetLeadWithResponse(ctx, "lead_00000000000000000000000000")
	must(err)
	expect("a problem", none.ApplicationproblemJSONDefault != nil && none.ApplicationproblemJSONDefault.Status == 404)

	kind := client.FailureKindEvent
	failures, err := c.ListFailuresWithResponse(ctx, &client.ListFailuresParams{Kind: &kind})
	must(err)
	expect("failures", failures.JSON200 != nil && len(failures.JSON200.Items) > 0)
	failure, err := c.GetFailureWithResponse(ctx, failures.JSON200.Items[0].Id)
	must(err)
	expect("a failure with what was received", failure.JSON200 != nil && len(failure.JSON200.Received) > 0)

	sites, err := c.ListSitesWithResponse(ctx)
	must(err)
	expect("sites", sites.JSON200 != nil && len(sites.JSON200.Items) == 2)
	for _, s := range sites.JSON200.Items {
		health, err := c.GetSiteWithResponse(ctx, s.Id)
		must(err)
		expect("how "+s.Id+" does", health.JSON200 != nil && health.JSON200.Id == s.Id)
		days, err := c.ListStatementsWithResponse(ctx, s.Id, nil)
		must(err)
		expect("statements of "+s.Id, days.JSON200 != nil && len(days.JSON200.Items) == 14)
		day, err := c.GetStatementWithResponse(ctx, s.Id, days.JSON200.Items[13].Day)
		must(err)
		expect("the statement of a day", day.JSON200 != nil && day.JSON200.Day == days.JSON200.Items[13].Day)
	}
	write(ctx, c)

	audit, err := c.ListAuditWithResponse(ctx, &client.ListAuditParams{})
	must(err)
	expect("the audit log", audit.JSON200 != nil && len(audit.JSON200.Items) > 0)
}

// bookings reads those that stand so, page by page.
func bookings(ctx context.Context, c *client.ClientWithResponses) {
	limit, status, tied, seen := 1, client.Accepted, client.Yes, 0
	params := &client.ListBookingsParams{Limit: &limit, Status: &status, Tied: &tied}
	for {
		page, err := c.ListBookingsWithResponse(ctx, params)
		must(err)
		if page.JSON200 == nil {
			must(fmt.Errorf("bookings: %s %s", page.Status(), page.Body))
		}
		for _, b := range page.JSON200.Items {
			expect("a tied booking", b.Status == status && b.Lead != nil && b.Site != "")
			seen++
		}
		if page.JSON200.Next == nil {
			break
		}
		cursor := cursorOf(*page.JSON200.Next)
		params.Cursor = &cursor
	}
	expect("bookings", seen > 0)
}

// write moves a lead and back, writes a note twice under one name, and settles a failure.
func write(ctx context.Context, c *client.ClientWithResponses) {
	dana := "Dana"
	found, err := c.ListLeadsWithResponse(ctx, &client.ListLeadsParams{Search: &dana})
	must(err)
	expect("Dana's lead", found.JSON200 != nil && len(found.JSON200.Items) == 1)
	id, stage := found.JSON200.Items[0].Id, found.JSON200.Items[0].Stage

	moved, err := c.SetStageWithResponse(ctx, id, &client.SetStageParams{IdempotencyKey: "client-1"}, client.NewStage{From: stage, To: "lost"})
	must(err)
	expect("the act that moved it", moved.JSON201 != nil && moved.JSON201.Action == "lead.stage")
	again, err := c.SetStageWithResponse(ctx, id, &client.SetStageParams{IdempotencyKey: "client-1"}, client.NewStage{From: stage, To: "lost"})
	must(err)
	expect("the same act again", again.JSON201 != nil && again.JSON201.Id == moved.JSON201.Id)
	back, err := c.UndoStageWithResponse(ctx, id, moved.JSON201.Id, nil)
	must(err)
	expect("the act that moved it back", back.JSON200 != nil)
	late, err := c.SetStageWithResponse(ctx, id, &client.SetStageParams{IdempotencyKey: "client-2"}, client.NewStage{From: "lost", To: "won"})
	must(err)
	expect("a conflict", late.ApplicationproblemJSONDefault != nil && late.ApplicationproblemJSONDefault.Status == 409)

	note, err := c.AddNoteWithResponse(ctx, id, &client.AddNoteParams{IdempotencyKey: "client-3"}, client.NewNote{Text: "From a generated client"})
	must(err)
	expect("the act of a note", note.JSON201 != nil && note.JSON201.Detail != nil)
	gone, err := c.DeleteNoteWithResponse(ctx, id, *note.JSON201.Detail, nil)
	must(err)
	expect("the act that deletes it", gone.JSON200 != nil)

	site := "north"
	failures, err := c.ListFailuresWithResponse(ctx, &client.ListFailuresParams{Site: &site})
	must(err)
	expect("north's failure", failures.JSON200 != nil && len(failures.JSON200.Items) == 1)
	failure := failures.JSON200.Items[0].Id
	settled, err := c.ResolveWithResponse(ctx, failure, &client.ResolveParams{IdempotencyKey: "client-4"}, client.NewResolution{Remedy: client.Dismiss})
	must(err)
	expect("the act that settles it", settled.JSON201 != nil)
	detail, err := c.GetFailureWithResponse(ctx, failure)
	must(err)
	expect("its resolution", detail.JSON200 != nil && detail.JSON200.Resolution != nil)
	undone, err := c.UndoResolutionWithResponse(ctx, failure, detail.JSON200.Resolution.Id, nil)
	must(err)
	expect("the act that takes it back", undone.JSON200 != nil)
}

// cursorOf takes the cursor out of the address of the next page.
func cursorOf(next string) string {
	r, err := http.NewRequest(http.MethodGet, next, nil)
	must(err)
	return r.URL.Query().Get("cursor")
}

func expect(what string, so bool) {
	if !so {
		failed = true
		fmt.Println("the client did not get: " + what)
	}
}
