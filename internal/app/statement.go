package app

import (
	"context"
	"fmt"
	"time"

	"handoff"
)

// A StatementView is the statement of a site and a day as it is printed. Its JSON is
// stable; lists are arrays, also when empty.
type StatementView struct {
	Site      string     `json:"site"`
	Day       string     `json:"day"`  // in the site's zone, such as 2026-11-25
	Zone      string     `json:"zone"` // IANA name
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Complete  bool       `json:"complete"` // nothing that was booked on that day can still be missing
	AsOf      *time.Time `json:"as_of"`    // when Cal.com's list was read last; null: never
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
// days, the last of which is named, or is the one of a moment. The first comes first.
func (a *App) Statements(ctx context.Context, site string, now time.Time, day string, days int) ([]StatementView, error) {
	var out []StatementView
	for _, s := range a.sites {
		if s.ID != site {
			continue
		}
		zone := s.Content.Location()
		last := now.In(zone)
		if day != "" {
			var err error
			if last, err = time.ParseInLocation(time.DateOnly, day, zone); err != nil {
				return nil, fmt.Errorf("%q is no day such as 2026-11-25: %w", day, handoff.ErrInvalid)
			}
		}
		y, m, d := last.Date()
		for i := days - 1; i >= 0; i-- {
			from, to := time.Date(y, m, d-i, 0, 0, 0, 0, zone), time.Date(y, m, d-i+1, 0, 0, 0, 0, zone)
			st, err := a.db.Statement(ctx, site, from, to, s.Rules)
			if err != nil {
				return nil, err
			}
			out = append(out, viewStatement(&st, zone, s.Ignore))
		}
		return out, nil
	}
	return nil, fmt.Errorf("there is no site %q: %w", site, handoff.ErrNotFound)
}

// SiteIDs lists the sites, in the order of the configuration.
func (a *App) SiteIDs() []string {
	var out []string
	for _, s := range a.sites {
		out = append(out, s.ID)
	}
	return out
}

func viewStatement(s *handoff.Statement, zone *time.Location, rules []handoff.IgnoreRule) StatementView {
	v := StatementView{
		Site: s.Site, Day: s.From.In(zone).Format(time.DateOnly), Zone: zone.String(), From: s.From.UTC(), To: s.To.UTC(),
		Complete: s.Complete(), AsOf: known(s.AsOf), Says: s.Sentence(), Notes: append([]string{}, s.Notes(zone)...),
		Bookings: s.Bookings(), Accounted: s.Accounted(), Tied: s.Count(handoff.AccountTied), Queued: s.Count(handoff.AccountQueued),
		Dismissed: s.Count(handoff.AccountDismissed), OtherType: s.Count(handoff.AccountOtherType), Open: s.Count(handoff.AccountOpen),
		Late: s.Untold(handoff.ToldLate), Never: s.Untold(handoff.ToldNever),
		Ignored: []RuleView{}, List: []ListedView{}, Unlisted: []UnlistedView{},
	}
	counts := s.ByRule()
	for _, r := range rules {
		if n := counts[r.Name]; n > 0 {
			v.Ignored = append(v.Ignored, RuleView{r.Name, r.Reason, n})
			delete(counts, r.Name)
		}
	}
	for name, n := range counts {
		v.Ignored = append(v.Ignored, RuleView{name, "", n})
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
