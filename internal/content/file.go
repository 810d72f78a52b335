package content

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A file is one file of the folder while it is read.
type file struct {
	*loader
	name     string
	meta     []byte // YAML, padded so that its lines are those of the file
	tree     *ast.File
	body     []byte // Markdown
	bodyLine int    // line of the file on which body begins
	broken   bool   // could not be read or split; said already
}

// folder lists the files of a folder with one of the extensions, sorted. A
// missing folder is an empty one; hidden files are skipped.
func (l *loader) folder(dir string, exts ...string) []string {
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.errs = append(l.errs, &Error{File: dir, Message: err.Error()})
		}
		return nil
	}
	if len(entries) > MaxFiles {
		l.errs = append(l.errs, &Error{File: dir, Message: fmt.Sprintf("holds %d files, at most %d are read", len(entries), MaxFiles)})
		return nil
	}
	var names []string
	slugs := map[string]bool{}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		slug, name := strings.TrimSuffix(e.Name(), ext), path.Join(dir, e.Name())
		fault := func(format string, args ...any) {
			l.errs = append(l.errs, &Error{File: name, Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir() || !slices.Contains(exts, ext):
			fault("only files ending in %s belong here", strings.Join(exts, " or "))
		case !slugForm.MatchString(slug) || len(slug) > 64:
			fault("the name becomes an address: lower case letters, digits and single hyphens, at most 64")
		case slugs[slug]:
			fault("the name is used twice")
		default:
			slugs[slug] = true
			names = append(names, name)
		}
	}
	return names
}

// open reads a file and splits off its front matter.
func (l *loader) open(name string) *file {
	f := &file{loader: l, name: name}
	data, err := f.read()
	if err != nil {
		f.fault("", "%v", err)
		f.broken = true
		return f
	}
	if path.Ext(name) == ".yaml" {
		f.meta = data
		return f
	}

	rest, ok := bytes.CutPrefix(data, []byte("---\n"))
	if !ok {
		f.faultAt(1, 1, "", "does not begin with a front matter between two lines \"---\"")
		f.broken = true
		return f
	}
	meta, body, ok := bytes.Cut(append([]byte("\n"), rest...), []byte("\n---\n"))
	if !ok {
		f.faultAt(1, 1, "", "the front matter is not closed by a line \"---\"")
		f.broken = true
		return f
	}
	// meta begins with one empty line in place of the opening "---".
	f.meta, f.body = meta, body
	f.bodyLine = bytes.Count(meta, []byte("\n")) + 3
	return f
}

func (f *file) read() ([]byte, error) {
	r, err := f.fsys.Open(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("is missing")
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()

	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	f.total += len(data)
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxFile:
		return nil, fmt.Errorf("is over %d kB", MaxFile>>10)
	case f.total > MaxTotal:
		return nil, fmt.Errorf("the site is over %d MB", MaxTotal>>20)
	case !utf8.Valid(data):
		return nil, errors.New("is not UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), nil
}

func (f *file) slug() string {
	return strings.TrimSuffix(path.Base(f.name), path.Ext(f.name))
}

// decode reads the YAML into v, strictly: a field that v does not know is a
// fault. It reports whether v can be checked further.
func (f *file) decode(v any) bool {
	if f.broken {
		return false
	}
	tree, err := parser.ParseBytes(f.meta, 0)
	if err == nil {
		tree.Docs = slices.DeleteFunc(tree.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
		switch len(tree.Docs) {
		case 0:
			return true // nothing but comments: the fields are missing, and said to be
		case 1:
			f.tree = tree
		default:
			f.fault("", "holds more than one YAML document")
			return false
		}
		for _, kind := range []ast.NodeType{ast.AnchorType, ast.AliasType} {
			if nodes := ast.FilterFile(kind, tree); len(nodes) > 0 {
				pos := nodes[0].GetToken().Position
				f.faultAt(pos.Line, pos.Column, "", "anchors and aliases are not read; write the value again")
				return false
			}
		}
		err = yaml.NewDecoder(bytes.NewReader(f.meta), yaml.Strict()).Decode(v)
	}
	var e yaml.Error
	switch {
	case errors.As(err, &e) && e.GetToken() != nil:
		pos := e.GetToken().Position
		f.faultAt(pos.Line, pos.Column, "", "%s", e.GetMessage())
	case err != nil:
		f.fault("", "%v", err)
	}
	return err == nil
}

// fault adds a fault at the place of a field, if the file has that field.
func (f *file) fault(field, format string, args ...any) {
	line, column := f.place(field)
	f.faultAt(line, column, field, format, args...)
}

func (f *file) faultAt(line, column int, field, format string, args ...any) {
	f.errs = append(f.errs, &Error{f.name, line, column, field, fmt.Sprintf(format, args...)})
}

// place returns where the value of a field stands, zeros if it is not there.
func (f *file) place(field string) (line, column int) {
	if f.tree == nil || field == "" {
		return 0, 0
	}
	p, err := yaml.PathString("$." + field)
	if err != nil {
		return 0, 0
	}
	node, err := p.FilterFile(f.tree)
	if err != nil || node == nil || node.GetToken() == nil {
		return 0, 0
	}
	pos := node.GetToken().Position
	return pos.Line, pos.Column
}

func (f *file) line(field string) int {
	line, _ := f.place(field)
	return line
}
