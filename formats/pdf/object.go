package pdf

import "maps"

// Object is one of the types of ISO 32000-1 §7.3: [Null], [Bool], [Integer], [Real], [String], [Name], [Array],
// [Dict], [*Stream] or [Ref]; for an [Update] also [*NewStream] and [Verbatim].
type Object interface{ isObject() }

type (
	// Null is also what a reference to a missing object resolves to (§7.3.10).
	Null struct{}
	// Bool is true or false.
	Bool bool
	// Integer is a number without a decimal point that fits 64 bits.
	Integer int64
	// Real is any other number.
	Real float64
	// String holds the bytes of a literal or hexadecimal string, escapes resolved. In an encrypted file they are
	// still encrypted.
	String []byte
	// Name is a name without its solidus, #xx sequences resolved (§7.3.5).
	Name string
	// Array is an array; its elements may be references.
	Array []Object
	// Dict is a dictionary. Entries whose value is null are left out, as §7.3.7 makes them equal to missing ones.
	Dict map[Name]Object
	// Ref is a reference to an indirect object.
	Ref struct {
		Num int // object number, 1 or more
		Gen int // generation number
	}
	// Stream is a stream whose data lies in the file; see [File.Raw] and [File.Decoded].
	Stream struct {
		Dict   Dict
		Ref    Ref   // the object that it is
		Offset int64 // of the first byte of data in the file
		Length int64 // of the data in the file, verified against endstream
	}
)

func (Null) isObject()    {}
func (Bool) isObject()    {}
func (Integer) isObject() {}
func (Real) isObject()    {}
func (String) isObject()  {}
func (Name) isObject()    {}
func (Array) isObject()   {}
func (Dict) isObject()    {}
func (Ref) isObject()     {}
func (*Stream) isObject() {}

// Clone copies the dictionary, one level deep, so that entries can be changed.
func (d Dict) Clone() Dict { return maps.Clone(d) }

// As resolves o and returns it as a T. A null or missing object is not an error: ok is false then. An object of
// another type is an error of kind Malformed.
func As[T Object](f *File, o Object) (v T, ok bool, err error) {
	if o == nil {
		return v, false, nil
	}
	resolved, err := f.Resolve(o)
	if err != nil {
		return v, false, err
	}
	if _, null := resolved.(Null); null {
		return v, false, nil
	}
	v, ok = resolved.(T)
	if !ok {
		return v, false, malformed("%s is %s where %s is expected", describe(o), typeName(resolved), typeName(v))
	}
	return v, true, nil
}

func describe(o Object) string {
	if ref, ok := o.(Ref); ok {
		return "object " + ref.String()
	}
	return "a value"
}

func typeName(o Object) string {
	switch o.(type) {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Integer:
		return "an integer"
	case Real:
		return "a real number"
	case String:
		return "a string"
	case Name:
		return "a name"
	case Array:
		return "an array"
	case Dict:
		return "a dictionary"
	case *Stream, *NewStream:
		return "a stream"
	case Ref:
		return "a reference"
	}
	return "something else"
}
