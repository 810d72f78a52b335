package content

import (
	"fmt"
	"net/mail"
	"net/url"
	"time"
)

// siteFile is site.yaml.
type siteFile struct {
	Name        string   `yaml:"name"`
	LegalName   string   `yaml:"legal_name"`
	Tagline     string   `yaml:"tagline"`
	Description string   `yaml:"description"`
	Language    string   `yaml:"language"`
	TimeZone    string   `yaml:"time_zone"`
	URL         string   `yaml:"url"`
	Phone       string   `yaml:"phone"`
	Email       string   `yaml:"email"`
	Address     Address  `yaml:"address"`
	Hours       []Hours  `yaml:"opening_hours"`
	AreasServed []string `yaml:"areas_served"`
	Type        string   `yaml:"type"`
	Social      []string `yaml:"social"`
	Accent      string   `yaml:"accent"`
	Demo        bool     `yaml:"demo"`
	Navigation  []Link   `yaml:"navigation"`
}

// check reports the file's faults and returns the accent, which is a colour only
// if it can be read.
func (y *siteFile) check(f *file) (accent Color) {
	f.text("name", y.Name, 1, 80)
	f.text("legal_name", y.LegalName, 0, 120)
	f.text("tagline", y.Tagline, 1, 120)
	f.text("description", y.Description, 1, 300)
	f.match("language", y.Language, languageForm, "a language such as en-GB")
	if _, err := time.LoadLocation(y.TimeZone); err != nil || y.TimeZone == "Local" || y.TimeZone == "" {
		f.fault("time_zone", "%q is not a time zone such as Europe/London", y.TimeZone)
	}
	f.siteURL("url", y.URL)
	if y.Phone != "" {
		f.match("phone", y.Phone, phoneForm, "an international number such as +44 20 7946 0812")
	}
	if a, err := mail.ParseAddress(y.Email); err != nil || a.Address != y.Email {
		f.fault("email", "%q is not an e-mail address", y.Email)
	}
	y.checkPlace(f)
	f.list("areas_served", y.AreasServed, 50, 80)
	f.oneOf("type", y.Type, BusinessTypes)
	for i, v := range y.Social {
		if u, err := url.Parse(v); err != nil || u.Scheme != "https" || u.Host == "" || len(v) > 300 {
			f.fault(fmt.Sprintf("social[%d]", i), "%q is not an https address", v)
		}
	}
	accent, err := ParseAccent(y.Accent)
	if err != nil {
		f.fault("accent", "%v", err)
	}
	if len(y.Navigation) > 8 {
		f.fault("navigation", "has %d links, at most 8 fit", len(y.Navigation))
	}
	for i, v := range y.Navigation {
		at := fmt.Sprintf("navigation[%d].", i)
		f.text(at+"label", v.Label, 1, 30)
		f.link(at+"href", v.Href)
	}
	return accent
}

// checkPlace checks address and opening hours.
func (y *siteFile) checkPlace(f *file) {
	for _, v := range []struct{ field, value string }{
		{"street", y.Address.Street}, {"locality", y.Address.Locality}, {"region", y.Address.Region}, {"postcode", y.Address.Postcode},
	} {
		f.text("address."+v.field, v.value, 0, 120)
	}
	if y.Address.Country != "" {
		f.match("address.country", y.Address.Country, countryForm, "a country code such as GB")
	}
	for i, h := range y.Hours {
		at := fmt.Sprintf("opening_hours[%d].", i)
		if len(h.Days) == 0 {
			f.fault(at+"days", "is missing")
		}
		for _, d := range h.Days {
			f.oneOf(at+"days", d, weekdays)
		}
		f.match(at+"opens", h.Opens, clockForm, "a time such as 08:00")
		f.match(at+"closes", h.Closes, clockForm, "a time such as 18:00")
	}
}

// site reads site.yaml.
func (l *loader) site(s *Site) {
	y := siteFile{Language: "en-GB", TimeZone: "UTC", Type: "LocalBusiness", Accent: "#1f5f8b"}
	f := l.open("site.yaml")
	if !f.decode(&y) {
		return
	}
	accent := y.check(f)
	*s = Site{
		Name: y.Name, LegalName: y.LegalName, Tagline: y.Tagline, Description: y.Description, Language: y.Language, TimeZone: y.TimeZone,
		URL: y.URL, Phone: y.Phone, Email: y.Email, Address: y.Address, Hours: y.Hours, AreasServed: y.AreasServed,
		Type: y.Type, Social: y.Social, Accent: accent, Demo: y.Demo, Navigation: y.Navigation,
	}
}

// home reads home.md.
func (l *loader) home(s *Site) {
	var y struct {
		Title           string `yaml:"title"`
		MetaDescription string `yaml:"meta_description"`
		Lead            string `yaml:"lead"`
	}
	f := l.open("home.md")
	if !f.decode(&y) {
		return
	}
	f.text("title", y.Title, 1, 100)
	f.text("meta_description", y.MetaDescription, 1, 200)
	f.text("lead", y.Lead, 1, 300)
	s.Home = Home{y.Title, y.MetaDescription, y.Lead, f.markdown()}
}

var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// BusinessTypes are the schema.org types a site can be: LocalBusiness and those
// of its kinds that book calls.
var BusinessTypes = []string{
	"LocalBusiness", "HomeAndConstructionBusiness", "Electrician", "GeneralContractor", "HVACBusiness", "HousePainter",
	"Locksmith", "MovingCompany", "Plumber", "RoofingContractor",
	"ProfessionalService", "AccountingService", "Attorney", "LegalService", "Notary", "EmploymentAgency", "FinancialService",
	"InsuranceAgency", "RealEstateAgent", "TravelAgency", "AutoRepair", "DryCleaningOrLaundry", "Dentist", "MedicalBusiness",
	"Optician", "VeterinaryCare", "HealthAndBeautyBusiness", "BeautySalon", "HairSalon", "SelfStorage", "ChildCare",
}
