package csc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// secret is a string of a request that is wiped after use.
type secret []byte

// blob is a string of a request that may be long.
type blob []byte

// object is a JSON object, its values not read yet.
type object map[string]json.RawMessage

// What a request may consist of: small things take many times their length in memory.
const (
	maxNames    = 200    // of an object
	maxElements = 10_000 // of an array; far more than any credential signs at once
)

var errJSON = invalid("The body is not a JSON object")

// readObject reads one JSON object (RFC 8259). Names that occur twice are refused: two
// readers could take two different values for what was asked. Nothing at all is an
// empty object.
func readObject(data []byte) (object, error) {
	o := object{}
	if len(bytes.TrimSpace(data)) == 0 {
		return o, nil
	}
	if !utf8.Valid(data) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errJSON
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errJSON
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, errJSON
		}
		if _, twice := o[name]; twice {
			return nil, invalid("A parameter is given twice")
		}
		if len(o) >= maxNames {
			return nil, invalid("Too many parameters")
		}
		o[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errJSON
	}
	return o, nil
}

// decode fills a struct from an object. Parameters are named by the tag json; those
// that are not named are passed over, as the specification wants (§10, clients may
// send more). null is as good as nothing. A parameter tagged required that is missing
// or of another type, and any other of another type, is an error in the words of the
// specification; the tag bad has the words where they are others.
func decode(o object, into any) error {
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		raw := o[f.Tag.Get("json")]
		absent := len(raw) == 0 || string(raw) == "null"
		if absent && f.Tag.Get("required") == "" {
			continue
		}
		if absent {
			return wrongType(f)
		}
		if err := decodeField(raw, v.Field(i), f); err != nil {
			return err
		}
	}
	return nil
}

// wrongType is the error of a parameter that is missing or not of its type.
func wrongType(f reflect.StructField) error {
	name := f.Tag.Get("json")
	switch {
	case f.Tag.Get("bad") != "":
		return invalid(f.Tag.Get("bad"))
	case f.Tag.Get("required") == "":
		return bad(name)
	}
	return missing(typeName(f.Type), name)
}

// typeName is what the specification calls a type.
func typeName(t reflect.Type) string {
	if t == reflect.TypeFor[secret]() || t == reflect.TypeFor[blob]() {
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Int:
		return "integer"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "array"
	}
	return "string"
}

func decodeField(raw json.RawMessage, v reflect.Value, f reflect.StructField) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case v.Type() == reflect.TypeFor[secret](), v.Type() == reflect.TypeFor[blob]():
		text, ok := unquote(raw)
		if !ok {
			return wrongType(f)
		}
		v.SetBytes(text)
	case v.Kind() == reflect.Slice && elements(raw) > maxElements:
		return wrongType(f)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		return decodeStrings(raw, v, f)
	case v.Kind() == reflect.Slice:
		return decodeObjects(raw, v, f)
	default: // string, bool, int
		if json.Unmarshal(raw, v.Addr().Interface()) != nil {
			return wrongType(f)
		}
	}
	return nil
}

// elements says how many elements an array has, before any is read: one more than there
// are commas at its own depth. raw is valid JSON.
func elements(raw []byte) int {
	depth, commas, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			commas++
		}
	}
	return commas + 1
}

// decodeStrings reads an array of strings; the tag element has the words for one that
// is none. Where the tag single allows it, a string is an array of one: the samples
// of the specification have both.
func decodeStrings(raw json.RawMessage, v reflect.Value, f reflect.StructField) error {
	var list []json.RawMessage
	if f.Tag.Get("single") != "" && raw[0] == '"' {
		list = []json.RawMessage{raw}
	} else if json.Unmarshal(raw, &list) != nil {
		return wrongType(f)
	}
	out := make([]string, len(list))
	for i, r := range list {
		if len(r) == 0 || r[0] != '"' || json.Unmarshal(r, &out[i]) != nil {
			if words := f.Tag.Get("element"); words != "" {
				return invalid(words)
			}
			return wrongType(f)
		}
	}
	v.Set(reflect.ValueOf(out))
	return nil
}

// decodeObjects reads an array of objects.
func decodeObjects(raw json.RawMessage, v reflect.Value, f reflect.StructField) error {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return wrongType(f)
	}
	out := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, r := range list {
		o, err := readObject(r)
		if err != nil || len(r) == 0 || r[0] != '{' {
			return wrongType(f)
		}
		if err := decode(o, out.Index(i).Addr().Interface()); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

// unquote reads a JSON string without making a string of it, so that it can be wiped.
func unquote(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	in := raw[1 : len(raw)-1]
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			out = append(out, in[i])
			continue
		}
		i++ // valid JSON has something after a backslash
		switch in[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hexRune(in[i+1:])
			if !ok {
				return nil, false
			}
			i += 4
			if r >= 0xd800 && r < 0xdc00 && i+6 < len(in)+0 && in[i+1] == '\\' && in[i+2] == 'u' {
				if low, ok := hexRune(in[i+3:]); ok && low >= 0xdc00 && low < 0xe000 {
					r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default: // " \ /
			out = append(out, in[i])
		}
	}
	return out, true
}

func hexRune(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 32)
	return rune(n), err == nil
}

// fromBase64 reads base64 and base64url, padded or not.
func fromBase64[T string | blob](text T) ([]byte, bool) {
	s := bytes.Clone([]byte(text))
	for i, c := range s {
		switch c {
		case '-':
			s[i] = '+'
		case '_':
			s[i] = '/'
		case '\r', '\n': // Go's decoder would skip them
			return nil, false
		}
	}
	s = bytes.TrimRight(s, "=")
	n, err := base64.RawStdEncoding.Decode(s, s) // in place: what is written is behind what is read
	return s[:max(n, 0)], err == nil
}

func toBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// allToBase64 never gives nil: a list is [] and not null.
func allToBase64(list [][]byte) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = toBase64(b)
	}
	return out
}
