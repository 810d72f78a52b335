package main

import "github.com/pocketbase/pocketbase/core"

// createCollections makes the two collections at the first start.
func createCollections(app core.App) error {
	if _, err := app.FindCachedCollectionByNameOrId("leads"); err == nil {
		return nil
	}
	leads := core.NewBaseCollection("leads")
	leads.Fields.Add(
		&core.TextField{Name: "reference", Required: true},
		&core.TextField{Name: "name"},
		&core.EmailField{Name: "email"},
		&core.TextField{Name: "stage", Required: true},
		&core.TextField{Name: "booking"},
		&core.DateField{Name: "starts"},
		&core.AutodateField{Name: "created", OnCreate: true},
		&core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true},
	)
	leads.AddIndex("leads_reference", true, "reference", "")
	if err := app.Save(leads); err != nil {
		return err
	}
	events := core.NewBaseCollection("events")
	events.Fields.Add(
		&core.TextField{Name: "digest", Required: true},
		&core.TextField{Name: "trigger"},
		&core.TextField{Name: "uid"},
		&core.TextField{Name: "body", Max: maxBody},
		&core.AutodateField{Name: "created", OnCreate: true},
	)
	events.AddIndex("events_digest", true, "digest", "")
	return app.Save(events)
}
