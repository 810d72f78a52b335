package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A StatementSummary is the statement of a site and a day as commands print it and the
// API answers. Its JSON is stable; lists are arrays, also when empty.
type StatementSummary struct {
	Site      string     `json:"site"`
	Day       string     `json:"day"`  // in the site's zone, such as 2026-11-25
	Zone      string     `json:"zone"` // IANA name
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Complete  bool       `json:"complete"` // nothing that was booked on that day can still be missing
	AsOf      *time.Time `json:"as_of"`    // until when Cal.com's list was read; null: never
	Says      string     `json:"says"`
	Notes     []string   `json:"notes"`
	Bookings  int        `json:"bookings"` // of the site, at Cal.com
	Accounted int        `json:"accounted"`
	Tied      int        `json:"tied"`
	Queued    int        `json:"queued"`
	Ignored   []RuleView `json:"ignored"`
	Dismissed int        `json:"dismissed"` // a person says that they need nobody
	OtherType int        `json:"other_event_type"`
	Open      int        `json:"open"`
	Late      int        `json:"webhook_late"`
	Never     int        `json:"webhook_never"`
}

// A StatementView is a statement with the bookings behind its numbers.
type StatementView struct {
	StatementSummary
	List     []ListedView   `json:"list"`
	Unlisted []UnlistedView `json:"unlisted"`
}

// A RuleView is how many bookings a rule ignores.
type RuleView struct {
	Rule     string `json:"rule"`
	Reason   string `json:"reason"` // empty for a rule that the configuration no longer has
	Bookings int    `json:"bookings"`
}

// A ListedView is one booking that Cal.com lists.
type ListedView struct {
	UID       string            `json:"uid"` // empty for one of another event type, of which it is not kept
	Made      time.Time         `json:"made"`
	EventType int64             `json:"event_type"`
	Account   handoff.Account   `json:"account"`
	Webhook   handoff.Told      `json:"webhook"`
	Lead      handoff.LeadID    `json:"lead,omitempty"`
	Failure   handoff.FailureID `json:"failure,omitempty"`
	Rule      string            `json:"rule,omitempty"`
}

// An UnlistedView is one booking that only webhooks told of.
type UnlistedView struct {
	UID  string         `json:"uid"`
	Made time.Time      `json:"made"`
	Lead handoff.LeadID `json:"lead,omitempty"`
}

// Statements accounts for a site's bookings day by day, in its own zone: of so many
// days, the last of which a moment is in. The first comes first.
func Statements(ctx context.Context, db *store.DB, s Site, last time.Time, days int) ([]StatementView, error) {
	zone := s.zone()
	day := func(later int) time.Time { return handoff.DayOf(zone, last, later) }
	all, err := db.Statement(ctx, s.ID, day(1-days), day(1), s.Rules)
	if err != nil {
		return nil, err
	}
	out := make([]StatementView, 0, days)
	for later := 1 - days; later <= 0; later++ {
		part := all.Part(day(later), day(later+1))
		out = append(out, viewStatement(&part, zone, s.Ignore))
	}
	return out, nil
}

func viewStatement(s *handoff.Statement, zone *time.Location, rules []handoff.IgnoreRule) StatementView {
	v := StatementView{StatementSummary: StatementSummary{
		Site: s.Site, Day: s.From.In(zone).Format(time.DateOnly), Zone: zone.String(), From: s.From.UTC(), To: s.To.UTC(),
		Complete: s.Complete(), AsOf: known(s.AsOf), Says: s.Sentence(), Notes: append([]string{}, s.Notes(zone)...),
		Bookings: s.Bookings(), Accounted: s.Accounted(), Tied: s.Count(handoff.AccountTied), Queued: s.Count(handoff.AccountQueued),
		Dismissed: s.Count(handoff.AccountDismissed), OtherType: s.Count(handoff.AccountOtherType), Open: s.Count(handoff.AccountOpen),
		Late: s.Untold(handoff.ToldLate), Never: s.Untold(handoff.ToldNever),
		Ignored: []RuleView{},
	}, List: []ListedView{}, Unlisted: []UnlistedView{}}
	counts := s.ByRule()
	for _, r := range rules {
		if n := counts[r.Name]; n > 0 {
			v.Ignored = append(v.Ignored, RuleView{r.Name, r.Reason, n})
			delete(counts, r.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		v.Ignored = append(v.Ignored, RuleView{name, "", counts[name]})
	}
	for i := range s.Listed {
		l := &s.Listed[i]
		v.List = append(v.List, ListedView{l.UID, l.Made, l.EventType, l.Account(), l.Told(), l.Lead(), l.Failure, l.Rule()})
	}
	for _, u := range s.Unlisted {
		v.Unlisted = append(v.Unlisted, UnlistedView(u))
	}
	return v
}
