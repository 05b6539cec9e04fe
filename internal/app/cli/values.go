package cli

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/parley-chat/parley/internal/quote"
)

// takes is what a flag takes, for a value that is something else. It quotes
// nothing of the value: that is decided in one place, for all flags.
type takes string

// Error implements error.
func (t takes) Error() string { return "it takes " + string(t) }

// guarded reads a value of a flag or an argument. Its errors say what it takes,
// and quote what was given only where that certainly holds no password.
type guarded struct {
	kong.Mapper
	of *kong.Value
}

// guardedSwitch is guarded for flags that take no value.
type guardedSwitch struct{ guarded }

// IsBool implements kong's BoolMapper.
func (guardedSwitch) IsBool() bool { return true }

// guard makes the errors of all flags and arguments of a command line quote no
// password.
func guard(node *kong.Node) {
	for _, flag := range node.Flags {
		guardValue(flag.Value)
	}
	for _, argument := range node.Positional {
		guardValue(argument)
	}
	for _, child := range node.Children {
		guard(child)
	}
}

func guardValue(v *kong.Value) {
	g := guarded{v.Mapper, v}
	if v.IsBool() {
		v.Mapper = guardedSwitch{g}
	} else {
		v.Mapper = g
	}
}

// Decode implements kong's Mapper.
func (g guarded) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	given := fmt.Sprint(ctx.Scan.Peek().Value)
	err := g.Mapper.Decode(ctx, target)
	if err == nil && g.of.Enum != "" && !g.known(target) {
		err = takes("one of " + strings.Join(slices.DeleteFunc(g.of.EnumSlice(), func(s string) bool { return s == "" }), ", "))
	}
	if err == nil {
		return nil
	}
	var says takes
	if !errors.As(err, &says) {
		says = takesOf(target.Type())
	}
	if given == "" || given == "<nil>" {
		return says
	}
	return errors.New(says.Error() + quote.Not(given))
}

// known reports whether what was read is a known value.
func (g guarded) known(target reflect.Value) bool {
	values := []reflect.Value{target}
	if target.Kind() == reflect.Slice {
		values = nil
		for i := range target.Len() {
			values = append(values, target.Index(i))
		}
	}
	return !slices.ContainsFunc(values, func(v reflect.Value) bool { return !g.of.EnumMap()[fmt.Sprint(v.Interface())] })
}

// takesOf is what flags of a type take that the parser reads.
func takesOf(t reflect.Type) takes {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a time such as 500ms, 30s or 24h"
	case t.Kind() == reflect.Bool:
		return "no value, or true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a whole number"
	}
	return "a value; one that begins with - takes a ="
}

// The parser adds the value of a variable to an error.
var fromEnvironment = regexp.MustCompile(`\(from envar (\w+)=".*"\)`)

// flagName is what --name=value may begin with.
var flagName = regexp.MustCompile(`^--?[a-z][a-z0-9-]*$`)

// oneLine makes an error of the parser one line that quotes no argument that may
// hold a password.
func oneLine(err error, args []string) error {
	line := strings.Join(strings.Fields(err.Error()), " ")
	line = fromEnvironment.ReplaceAllString(line, "(from the environment variable $1)")
	for _, arg := range args {
		name, value, cut := strings.Cut(arg, "=")
		flag := cut && flagName.MatchString(name)
		if quote.Safe(arg) || flag && quote.Safe(value) {
			continue
		}
		pieces := []string{arg, value}
		if !flag {
			pieces = append(pieces, name)
		}
		for _, piece := range pieces {
			if len(piece) > 2 {
				line = without(line, piece)
			}
		}
	}
	return errors.New(line)
}

// without is a line in which a text is left out, in each form that the parser
// may have given it.
func without(line, text string) string {
	quoted := strconv.Quote(text)
	for _, form := range []string{text, strings.Join(strings.Fields(text), " "), quoted[1 : len(quoted)-1]} {
		if form != "" {
			line = strings.ReplaceAll(line, form, "…")
		}
	}
	return line
}
