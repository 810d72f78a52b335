package public

import "handoff/internal/content"

// A thing is a node of structured data (schema.org, written as JSON-LD). Only
// types and properties of that vocabulary are used, and only what the page shows.
type thing map[string]any

// graph puts nodes together, the business first: others refer to it.
func graph(s *content.Site, nodes ...thing) thing {
	return thing{"@context": "https://schema.org", "@graph": append([]thing{business(s)}, nodes...)}
}

func ref(s *content.Site, fragment string) thing { return thing{"@id": s.URL + "/#" + fragment} }

func business(s *content.Site) thing {
	t := thing{
		"@type": s.Type, "@id": s.URL + "/#business",
		"name": s.Name, "url": s.URL + "/", "description": s.Description, "slogan": s.Tagline,
	}
	t.set("legalName", s.LegalName)
	t.set("telephone", s.Phone)
	t.set("email", s.Email)
	address := thing{"@type": "PostalAddress"}
	address.set("streetAddress", s.Address.Street)
	address.set("addressLocality", s.Address.Locality)
	address.set("addressRegion", s.Address.Region)
	address.set("postalCode", s.Address.Postcode)
	address.set("addressCountry", s.Address.Country)
	if len(address) > 1 {
		t["address"] = address
	}
	var hours []thing
	for _, h := range s.Hours {
		var days []string
		for _, d := range h.Days {
			days = append(days, "https://schema.org/"+d)
		}
		hours = append(hours, thing{"@type": "OpeningHoursSpecification", "dayOfWeek": days, "opens": h.Opens, "closes": h.Closes})
	}
	if hours != nil {
		t["openingHoursSpecification"] = hours
	}
	if areas := places(s); areas != nil {
		t["areaServed"] = areas
	}
	if len(s.Social) > 0 {
		t["sameAs"] = s.Social
	}
	return t
}

func places(s *content.Site) []thing {
	var list []thing
	for _, a := range s.AreasServed {
		list = append(list, thing{"@type": "Place", "name": a})
	}
	return list
}

func website(s *content.Site) thing {
	return thing{
		"@type": "WebSite", "@id": s.URL + "/#website",
		"name": s.Name, "url": s.URL + "/", "inLanguage": s.Language, "publisher": ref(s, "business"),
	}
}

func service(s *content.Site, v *content.Service) thing {
	t := thing{
		"@type": "Service", "@id": s.URL + v.Path() + "#service",
		"name": v.Title, "serviceType": v.Short, "description": v.Summary, "url": s.URL + v.Path(), "provider": ref(s, "business"),
	}
	if areas := places(s); areas != nil {
		t["areaServed"] = areas
	}
	return t
}

func faq(s *content.Site, v *content.Service) thing {
	var list []thing
	for _, q := range v.FAQ {
		list = append(list, thing{
			"@type": "Question", "name": q.Question, "acceptedAnswer": thing{"@type": "Answer", "text": q.Answer},
		})
	}
	return thing{"@type": "FAQPage", "@id": s.URL + v.Path() + "#faq", "mainEntity": list, "inLanguage": s.Language}
}

func page(s *content.Site, p *content.Page) thing {
	return thing{
		"@type": p.Kind, "@id": s.URL + p.Path() + "#page",
		"name": p.Title, "description": p.MetaDescription, "url": s.URL + p.Path(), "inLanguage": s.Language, "about": ref(s, "business"),
	}
}

func blog(s *content.Site) thing {
	var posts []thing
	for _, p := range s.Posts {
		posts = append(posts, thing{"@type": "BlogPosting", "headline": p.Title, "url": s.URL + p.Path(), "datePublished": p.Date.Format("2006-01-02")})
	}
	return thing{
		"@type": "Blog", "@id": s.URL + content.PostsPath + "#blog",
		"name": "Notes", "url": s.URL + content.PostsPath, "inLanguage": s.Language, "publisher": ref(s, "business"), "blogPost": posts,
	}
}

func posting(s *content.Site, p *content.Post) thing {
	t := thing{
		"@type": "BlogPosting", "@id": s.URL + p.Path() + "#post",
		"headline": p.Title, "description": p.Summary, "url": s.URL + p.Path(), "mainEntityOfPage": s.URL + p.Path(), "inLanguage": s.Language,
		"datePublished": p.Date.Format("2006-01-02"), "author": ref(s, "business"), "publisher": ref(s, "business"),
	}
	if p.Author != "" {
		t["author"] = thing{"@type": "Person", "name": p.Author}
	}
	if !p.Updated.IsZero() {
		t["dateModified"] = p.Updated.Format("2006-01-02")
	}
	return t
}

func breadcrumbs(s *content.Site, crumbs []content.Link) thing {
	var list []thing
	for i, c := range crumbs {
		list = append(list, thing{"@type": "ListItem", "position": i + 1, "name": c.Label, "item": s.URL + c.Href})
	}
	return thing{"@type": "BreadcrumbList", "itemListElement": list}
}

// set adds a property unless its value is empty.
func (t thing) set(property, value string) {
	if value != "" {
		t[property] = value
	}
}
