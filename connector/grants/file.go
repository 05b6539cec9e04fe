package grants

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-chat/parley/schema/strict"
)

// MaxFile is the longest file of grants that is read, in bytes: more than any
// that holds only what is read of it.
const MaxFile = 1 << 20

var (
	errLong     = errors.New("the text has more than 1 MiB: a file of grants takes 64 grants of 16 patterns")
	errPersonal = errors.New("has {user}, and hooks are for all users: write * in its place")
)

// File is what a file of grants says. Immutable.
type File struct {
	Grants List
	Hooks  Channels // in which texts are screened
}

// Channels are all that patterns stand for; the zero value are all there are.
type Channels struct{ of *Matcher }

// Has reports whether a channel is one of them. It does not allocate.
func (c Channels) Has(channel string) bool {
	return c.of == nil || c.of.Allows(Join, channel, time.Time{})
}

// ParseFile reads a file of grants, {"grants": […], "hooks": […]}, and which actions
// in it are unknown, so ignored. Its error is one sentence with the line that is
// wrong, and what to write there.
func ParseFile(text []byte) (file File, unknown []string, err error) {
	if len(text) > MaxFile {
		return File{}, nil, errLong
	}
	var written struct {
		Grants []written `json:"grants"`
		Hooks  []struct {
			Channels []*string `json:"channels"`
		} `json:"hooks"`
	}
	if err = strict.Unmarshal(text, &written); err != nil {
		return File{}, nil, inFile(text, err)
	}
	if written.Grants == nil {
		return File{}, nil, inFile(text, &strict.Error{Pointer: "/grants", Err: errMissing})
	}
	if file.Grants, unknown, err = listOf(written.Grants, actionOf); err != nil {
		return File{}, nil, inFile(text, under("/grants", err))
	}
	if written.Hooks == nil {
		return file, unknown, nil
	}
	var hooked List
	for i, hook := range written.Hooks {
		g, err := hookIn(hook.Channels)
		if err != nil {
			return File{}, nil, inFile(text, under(fmt.Sprintf("/hooks/%d", i), err))
		}
		hooked.grants = append(hooked.grants, g)
	}
	if len(hooked.grants) > MaxGrants {
		return File{}, nil, inFile(text, &strict.Error{Pointer: "/hooks", Err: errGrants})
	}
	file.Hooks = Channels{Compile("", hooked)}
	return file, unknown, nil
}

// hookIn is where a hook applies, as a grant of joining.
func hookIn(patterns []*string) (Grant, error) {
	channels, err := stringsOf("/channels", patterns)
	if err != nil {
		return Grant{}, err
	}
	g, err := New(channels, []string{Join.String()})
	for i, p := range g.patterns {
		if p.personal() {
			return Grant{}, &strict.Error{Pointer: fmt.Sprintf("/channels/%d", i), Err: errPersonal}
		}
	}
	return g, err
}

// inFile is what is wrong with a file, and in which line.
func inFile(text []byte, err error) error {
	var wrong *strict.Error
	if !errors.As(err, &wrong) {
		return err
	}
	switch wrong.Err {
	case strict.ErrSyntax:
		line := brokenLine(text, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		return fmt.Errorf("line %d: %w: check the commas, quotes and brackets there", line, err)
	case strict.ErrDepth, strict.ErrDuplicate, strict.ErrUnicode:
		return fmt.Errorf("line %d: %w", brokenLine(text), err)
	}
	line := lineOf(text, jsontext.Pointer(wrong.Pointer))
	if wrong.Err == strict.ErrType || wrong.Err == errMissing {
		return fmt.Errorf(`line %d: %w; the file has the form {"grants": [{"channels": ["room-*"], "allow": ["join", "chat"]}]}`, line, err)
	}
	return fmt.Errorf("line %d: %w", line, err)
}
