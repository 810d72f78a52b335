package store_test

import (
	"fmt"
	"sync"
	"testing"

	"handoff"
	"handoff/internal/store"
)

// BenchmarkIntake is one form on its way to the disk, of 32 that come at once.
func BenchmarkIntake(b *testing.B) {
	for engine, at := range map[string]func(*testing.B) string{
		"sqlite":   func(b *testing.B) string { return "sqlite:" + b.TempDir() + "/intake.db" },
		"postgres": func(b *testing.B) string { return newPostgres(b) },
	} {
		b.Run(engine, func(b *testing.B) {
			db, err := store.Open(b.Context(), at(b), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			forms := make(chan int)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for i := range forms {
						if _, err := db.CreateLead(b.Context(), intake(i), handoff.DefaultPipeline()); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := 0; b.Loop(); i++ {
				forms <- i
			}
			close(forms)
			wg.Wait()
		})
	}
}

// intake is one of many different forms.
func intake(i int) handoff.Submission {
	first, last := []string{"Ada", "Bea", "Chidi", "Dana", "Émile"}[i%5], fmt.Sprint("Family", i*7919%5003)
	return handoff.Submission{
		Site: site, Service: "boiler", Form: fmt.Sprint("form", i), Name: first + " " + last,
		Email: fmt.Sprintf("%s.%s.%d@example%d.com", first, last, i, i%100), Phone: fmt.Sprintf("+44 20 %08d", i*104729%100000000), Message: "Please call me.",
		Context: handoff.Context{Campaign: map[string]string{"utm_source": fmt.Sprint("source", i%20)}},
	}
}
