package content

import (
	"embed"
	"io/fs"
)

//go:embed brightwater
var brightwater embed.FS

// Demo returns the content folder of Brightwater Plumbing, a made-up business
// that shows what Handoff does. It is also the model for a folder of one's own.
func Demo() fs.FS {
	sub, err := fs.Sub(brightwater, "brightwater")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}
