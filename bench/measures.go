package main

// A measure is one thing that is measured of every program.
type measure struct {
	name string
	what string
	take func(*bench) error
}

// measures are all of them, in the order of the table.
var measures []measure

func init() { // a literal would be a cycle: the flags name the measures
	measures = []measure{
		{"check", "every program does what it is measured for", (*bench).takeCheck},
		{"rate", "durable acknowledgements a second at saturation", (*bench).takeRate},
		{"latency", "how long an acknowledgement takes at 50, 200 and 1,000 a second", (*bench).takeLatency},
		{"visible", "how long until a lead shows its booking, at 50 and 200 a second", (*bench).takeVisible},
		{"forms", "intake forms a second at saturation", (*bench).takeForms},
		{"memory", "resident memory, idle and loaded", (*bench).takeMemory},
		{"start", "from start to first answer", (*bench).takeStart},
		{"disk", "what 10,000 events take on the disk", (*bench).takeDisk},
		{"growth", "all of this with few and with many leads in the store", (*bench).takeGrowth},
	}
}

func measureNames() []string {
	var out []string
	for _, m := range measures {
		out = append(out, m.name)
	}
	return out
}

func (b *bench) takeCheck() error {
	runs := b.runs
	defer func() { b.runs = runs }()
	b.runs = 1
	return b.everyProgram(func(*program) bool { return true }, check)
}
