package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// schemas are those of Go types, by the names of these.
type schemas object

var anyJSON = reflect.TypeFor[json.RawMessage]()

// of is a reference to the schema of a struct, which is made where there is none yet.
func (s schemas) of(v any) object { return s.typed(reflect.TypeOf(v)) }

func (s schemas) typed(t reflect.Type) object {
	switch {
	case t == anyJSON:
		return object{}
	case t.Kind() == reflect.Pointer:
		return s.typed(t.Elem())
	case t.Kind() == reflect.Struct:
		if _, made := s[t.Name()]; !made {
			s[t.Name()] = object{} // a type may be part of itself
			properties, required := s.fields(t)
			schema := object{"type": "object", "properties": properties}
			if len(required) > 0 {
				schema["required"] = required
			}
			s[t.Name()] = schema
		}
		return ref(t.Name())
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": s.typed(t.Elem())}
	case t.Kind() == reflect.Array:
		return object{"type": "array", "items": s.typed(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case t.Kind() == reflect.Map:
		return object{"type": "object", "additionalProperties": s.typed(t.Elem())}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return object{"type": "integer", "format": "int64"}
	}
	panic("api: no schema for " + t.String())
}

// properties are the fields of a struct as JSON has them, and which must be there.
func (s schemas) properties(v any) (properties object, required []string) {
	return s.fields(reflect.TypeOf(v))
}

func (s schemas) fields(t reflect.Type) (properties object, required []string) {
	properties = object{}
	for f := range fieldsOf(t) {
		if f.Anonymous {
			inner := f.Type
			optional := inner.Kind() == reflect.Pointer
			if optional {
				inner = inner.Elem()
			}
			more, needed := s.fields(inner)
			for name, schema := range more {
				properties[name] = schema
			}
			if !optional {
				required = append(required, needed...)
			}
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = s.typed(f.Type)
		if !slices.Contains(strings.Split(options, ","), "omitempty") {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	return properties, required
}

func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
