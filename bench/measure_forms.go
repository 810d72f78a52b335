package main

import (
	"log"
	"strings"
)

// formConns is how many visitors send forms at once.
const formConns = 32

// formsASecond bounds how many forms are fetched for a second of load.
const formsASecond = 5000

func (b *bench) takeForms() error {
	return b.everyProgram(func(p *program) bool { return p.later || strings.HasPrefix(p.name, "bare") }, forms)
}

// forms measures how many forms a second become leads. The forms were fetched
// before. The bare limit keeps the same bytes and checks nothing.
func forms(s *session) error {
	n := int(formsASecond * s.duration.Seconds())
	var requests [][]byte
	if s.p.later {
		var err error
		if requests, err = fetchForms(s.ctx, s.addr, n, formConns); err != nil {
			return err
		}
	} else {
		token := strings.Repeat("x", 43)
		for i := range 4 * n {
			requests = append(requests, formRequest("/form", token, i))
		}
	}
	out := load{addr: s.addr, requests: requests, conns: formConns, want: 303, duration: s.duration}.run(s.ctx)
	s.complain(out)
	s.add("forms", out.perSecond())
	log.Printf("    %s: %.0f forms a second", s.label, out.perSecond())
	return nil
}
