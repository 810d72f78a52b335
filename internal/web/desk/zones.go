package desk

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"time"
)

// zoneNames are the time zones to choose from, one for each region that a country names.
//
// Source: zone.tab of the IANA time zone database, release 2025b, which is in the public
// domain.
//
//go:embed zones.txt
var zoneNames string

// zoneNamed is the zone that an operator chose; nil: they chose none, or one that this
// version does not know.
func zoneNamed(name string) *time.Location {
	if name == "" {
		return nil
	}
	in, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return in
}

// A zoneGroup is the zones of a part of the world, such as Europe.
type zoneGroup struct {
	Name  string
	Zones []option
}

// zoneChoices are the zones to choose from, and the one that was chosen if it is none of
// these: there are older names for some.
func zoneChoices(chosen string) []zoneGroup {
	groups := []zoneGroup{{"", []option{{"UTC", "UTC", chosen == "UTC"}}}}
	names := strings.Fields(zoneNames)
	if chosen != "" && chosen != "UTC" && !slices.Contains(names, chosen) {
		groups[0].Zones = append(groups[0].Zones, option{chosen, chosen, true})
	}
	for _, name := range names {
		world, place, _ := strings.Cut(name, "/")
		if groups[len(groups)-1].Name != world {
			groups = append(groups, zoneGroup{Name: world})
		}
		if state, city, ok := strings.Cut(place, "/"); ok { // by the city: a letter leads to it
			place = city + " (" + state + ")"
		}
		last := &groups[len(groups)-1]
		last.Zones = append(last.Zones, option{name, strings.ReplaceAll(place, "_", " "), name == chosen})
	}
	return groups
}

// chooseZone says in which zone times are shown to who is signed in.
//
//	303  back to the account
//	400  there is no such zone
func (d *Desk) chooseZone(w http.ResponseWriter, r *http.Request) error {
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	o := operatorOf(r)
	if err := d.Store.SetZone(r.Context(), o.Actor(), o.Email, v.Get("zone")); err != nil {
		return err
	}
	return done(w, r, "/desk/account", "zone")
}
