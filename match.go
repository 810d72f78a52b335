package handoff

import (
	"cmp"
	"maps"
	"slices"
)

// A Tie says which lead a booking belongs to and why, or why to none.
type Tie struct {
	Lead LeadID // empty: unmatched, and Reason says why
	By   TieBy  // what tied it; empty if unmatched
	From string // ID of the observation that tied it

	// Reason is why the booking waits for a person: always set when unmatched,
	// and beside a Lead when a later reference names another lead's submission.
	Reason Reason

	// Chain tells which bookings are one chain: it is the first of their keys.
	Chain BookingKey
}

// TieBy is what tied a booking to a lead.
type TieBy string

const (
	ByReference TieBy = "reference" // a reference of ours on the chain's earliest observation that carries one
	ByOperator  TieBy = "operator"  // a person's decision
)

// Match ties every booking that the observations speak of to a lead, or says why
// it cannot. known maps the submissions that exist to their leads. Like Fold it
// is a function of the set: order and repetition change nothing.
//
// Bookings that follow one another are one chain, and a chain belongs to one
// lead: it is linked by rescheduleUid, and by iCalUID where a follower (sequence
// above 0) names neither a predecessor nor a reference; never by iCalUID in a
// seated event, whose seats share it. First match wins:
//
//  1. the latest operator's decision about a booking of the chain that was not taken
//     back;
//  2. the reference on the chain's earliest observation that carries a valid
//     one, earliest by what replaced what, then iCalSequence, Cal.com's time and
//     digest; from metadata, else from the booking question;
//  3. otherwise none. Never by e-mail, phone or name.
//
// A later reference of another submission does not move the chain, since a
// visitor can put any reference of theirs into a reschedule link; it waits for a
// person. Of a seated event the order of the carriers is turned round, because a
// later seat can inherit the first booker's metadata (calcom.md §2.2): a seat's
// own answer counts first, and metadata only if no other seat of the uid has
// shown the same reference in its answers, or earlier. What somebody brings whose
// seat is not known counts only if no other seat has shown it so.
func Match(observations []Observation, known map[SubmissionID]LeadID) map[BookingKey]Tie {
	m := matcher{folder: newFolder(observations), known: known, withdrawn: map[string]bool{}}
	for _, o := range m.observations {
		if o.Source == FromOperator && o.Withdraws != "" {
			m.withdrawn[o.Withdraws] = true
		}
	}
	m.look()
	m.tieChains()
	m.depth = m.depths()
	out := make(map[BookingKey]Tie, len(m.heard))
	for _, chain := range m.chains() {
		tie := m.tie(chain)
		tie.Chain = chain[0]
		for _, key := range chain {
			out[key] = tie
		}
	}
	return out
}

type matcher struct {
	*folder
	known     map[SubmissionID]LeadID
	withdrawn map[string]bool           // IDs of decisions that were taken back
	parent    map[BookingKey]BookingKey // union-find over the chain links
	links     []move                    // what replaced what, where it is told apart
	depth     map[BookingKey]int
	seen      map[place]map[BookingKey]sighting
}

// tieChains links the bookings that follow one another. An observation that moves
// several seats at once links only the moves that it tells apart: one that it
// does not would make two people's seats one chain.
func (m *matcher) tieChains() {
	m.parent = make(map[BookingKey]BookingKey, len(m.heard))
	for key := range m.heard {
		m.parent[key] = key
	}
	for _, o := range m.observations {
		moves := m.moves(o)
		for _, one := range moves {
			if !slices.ContainsFunc(moves, one.mixesWith) {
				m.join(one.from, one.to)
				m.links = append(m.links, one)
			}
		}
	}
	roots := m.iCalRoots()
	for key := range m.heard {
		if root := roots[m.followsByICal(key)]; root != (BookingKey{}) {
			m.join(key, root)
		}
	}
}

// mixesWith reports that two moves share one end only.
func (m move) mixesWith(other move) bool {
	return m != other && (m.from == other.from || m.to == other.to)
}

// root finds the chain of a booking, and shortens the way for the next time.
func (m *matcher) root(key BookingKey) BookingKey {
	for m.parent[key] != key {
		m.parent[key] = m.parent[m.parent[key]]
		key = m.parent[key]
	}
	return key
}

// join makes two chains one. Which of their bookings becomes the root tells nothing.
func (m *matcher) join(a, b BookingKey) { m.parent[m.root(b)] = m.root(a) }

// iCalRoots finds, for each iCalUID, the one chain that has it; the zero key
// where there are several, and for seated events, whose seats share it.
func (m *matcher) iCalRoots() map[string]BookingKey {
	roots := map[string]BookingKey{}
	for key, heard := range m.heard {
		if m.followsByICal(key) != "" {
			continue
		}
		for _, o := range heard {
			if o.ICalUID == "" {
				continue
			}
			root, seen := roots[o.ICalUID]
			if m.seats[key.UID].seated() || (seen && root != m.root(key)) {
				roots[o.ICalUID] = BookingKey{}
			} else {
				roots[o.ICalUID] = m.root(key)
			}
		}
	}
	return roots
}

// followsByICal returns the iCalUID by which a booking that says it is a
// follower, and names neither its predecessor nor any reference, can be linked.
// Empty if the booking is none such, or may be somebody else's seat.
func (m *matcher) followsByICal(key BookingKey) string {
	if m.seats[key.UID].seated() {
		return ""
	}
	uid := ""
	for _, o := range m.heard[key] {
		if o.Predecessor != "" || len(o.Carried) > 0 || m.decides(o) {
			return ""
		}
		if o.Sequence > 0 && o.ICalUID != "" {
			uid = max(uid, o.ICalUID)
		}
	}
	return uid
}

// chains groups the bookings by their links, each chain in the order of its keys.
func (m *matcher) chains() [][]BookingKey {
	byRoot := map[BookingKey][]BookingKey{}
	for key := range m.heard {
		root := m.root(key)
		byRoot[root] = append(byRoot[root], key)
	}
	chains := slices.Collect(maps.Values(byRoot))
	for _, chain := range chains {
		slices.SortFunc(chain, compareKeys)
	}
	return chains
}

// A claim is a valid reference on an observation of a chain.
type claim struct {
	by         *Observation
	submission SubmissionID
	depth      int // how many bookings its own one replaced
}

// byClaim orders claims by their place in the chain. What replaced what counts
// before anything that only tells it: an answer of the API about the first booking
// is newer than the webhook of the second, and has no sequence.
func byClaim(a, b claim) int { return cmp.Or(cmp.Compare(a.depth, b.depth), byChain(a.by, b.by)) }

// depths says how many bookings each booking replaced, one after the other. What
// goes round in a circle, which Cal.com cannot make, is deeper than all else.
func (m *matcher) depths() map[BookingKey]int {
	waits := make(map[BookingKey]int, len(m.heard))
	next := map[BookingKey][]BookingKey{}
	for _, l := range m.links {
		if !slices.Contains(next[l.from], l.to) {
			next[l.from] = append(next[l.from], l.to)
			waits[l.to]++
		}
	}
	depths := make(map[BookingKey]int, len(m.heard))
	var free []BookingKey
	for key := range m.heard {
		if waits[key] == 0 {
			free = append(free, key)
		}
	}
	for ; len(free) > 0; free = free[1:] {
		for _, to := range next[free[0]] {
			depths[to] = max(depths[to], depths[free[0]]+1)
			if waits[to]--; waits[to] == 0 {
				free = append(free, to)
			}
		}
	}
	for key, n := range waits {
		if n > 0 {
			depths[key] = len(m.heard)
		}
	}
	return depths
}

// tie decides one chain.
func (m *matcher) tie(chain []BookingKey) Tie {
	var decision *Observation
	var claims []claim
	var rivals []SubmissionID
	reason := NoReference
	for _, key := range chain {
		for _, o := range m.heard[key] {
			if m.decides(o) && (decision == nil || byFact(decision, o) < 0) {
				decision = o
			}
			if id := m.reference(key, o); id != "" {
				claims = append(claims, claim{o, id, m.depth[key]})
			}
			rivals = append(rivals, m.rivals(key, o)...)
			reason = worse(reason, o.Carried)
		}
	}
	if decision != nil {
		return Tie{Lead: decision.Lead, By: ByOperator, From: decision.ID}
	}
	if len(claims) == 0 {
		return Tie{Reason: reason}
	}
	first := slices.MinFunc(claims, byClaim)
	lead, ok := m.known[first.submission]
	if !ok {
		return Tie{Reason: SubmissionUnknown}
	}
	tie := Tie{Lead: lead, By: ByReference, From: first.by.ID}
	for _, id := range rivals {
		if other, ok := m.known[id]; ok && other != lead {
			tie.Reason = OtherLead
		}
	}
	return tie
}

// decides reports that an observation is an operator's decision that stands.
func (m *matcher) decides(o *Observation) bool {
	return o.Source == FromOperator && o.Lead != "" && !m.withdrawn[o.ID]
}

// rivals are the valid references of an observation that may name another lead
// than the chain's: all of them, or, of a seat, which can have inherited one, the
// one that counts.
func (m *matcher) rivals(key BookingKey, o *Observation) []SubmissionID {
	if m.seats[key.UID].seated() {
		return []SubmissionID{m.reference(key, o)}
	}
	return []SubmissionID{o.carried(InMetadata), o.carried(InAnswer)}
}

// worse keeps the reason that tells a person most: a reference of another site,
// else a forged one, else none at all.
func worse(reason Reason, carried []Carried) Reason {
	for _, c := range carried {
		switch {
		case c.Verdict == OtherSite:
			return ReferenceOtherSite
		case c.Verdict == Forged && reason == NoReference:
			reason = ReferenceForged
		}
	}
	return reason
}

// reference is the valid reference that counts of an observation for a booking.
func (m *matcher) reference(key BookingKey, o *Observation) SubmissionID {
	metadata, answer := o.carried(InMetadata), o.carried(InAnswer)
	switch {
	case !m.seats[key.UID].seated():
		return cmp.Or(metadata, answer)
	case key.Seat != "" && o.Seat == "":
		return "" // a word about several seats carries the first booker's reference
	case key.Seat != "" && answer != "":
		return answer
	}
	if id := cmp.Or(answer, metadata); !m.inherited(key, o, id) {
		return id
	}
	return ""
}

// A place is one uid and a submission that a reference in it named.
type place struct {
	uid        string
	submission SubmissionID
}

// A sighting is how one seat showed a reference.
type sighting struct {
	answered bool         // in its own answers
	first    *Observation // the earliest that had it in its metadata; nil if none
}

// look notes where references were seen in seated events.
func (m *matcher) look() {
	m.seen = map[place]map[BookingKey]sighting{}
	for key, heard := range m.heard {
		if !m.seats[key.UID].seated() {
			continue
		}
		for _, o := range heard {
			m.note(key, o.carried(InAnswer), func(s *sighting) { s.answered = true })
			m.note(key, o.carried(InMetadata), func(s *sighting) {
				if s.first == nil || byFact(o, s.first) < 0 {
					s.first = o
				}
			})
		}
	}
}

func (m *matcher) note(key BookingKey, id SubmissionID, change func(*sighting)) {
	if id == "" {
		return
	}
	at := place{key.UID, id}
	if m.seen[at] == nil {
		m.seen[at] = map[BookingKey]sighting{}
	}
	s := m.seen[at][key]
	change(&s)
	m.seen[at][key] = s
}

// inherited reports that another seat of the same uid showed the reference in
// its own answers, or in metadata before this observation did.
func (m *matcher) inherited(key BookingKey, o *Observation, id SubmissionID) bool {
	for other, s := range m.seen[place{key.UID, id}] {
		if other != key && (s.answered || (s.first != nil && byFact(s.first, o) < 0)) {
			return true
		}
	}
	return false
}
