package pdf

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
)

// method is how a crypt filter transforms strings and streams (ISO 32000-2 §7.6.6, table 25).
type method byte

const (
	identity method = iota
	rc4Method
	aesV2
	aesV3
)

// security is the standard security handler of a file, with the file's key (§7.6.4).
type security struct {
	version     int // /V
	revision    int // /R
	key         []byte
	owner       bool // the password was the owner's
	permissions Permissions
	metadata    bool // /EncryptMetadata: the metadata streams are encrypted too

	filters                 map[Name]method // /CF
	strings, streams, files method          // /StrF, /StmF, /EFF
}

// Permissions tell what the author of an encrypted file allows to those who open it with the user password
// (ISO 32000-2 §7.6.4.2, table 22). They are asked for, not enforced: the key opens everything.
type Permissions struct {
	bits     uint32
	revision int
}

func (p Permissions) bit(n int) bool { return p.bits>>(n-1)&1 == 1 }

// allPermissions is what a file allows that is not encrypted, or was opened with the owner password.
var allPermissions = Permissions{bits: ^uint32(0), revision: 6}

// Modify tells whether the contents may be changed otherwise than by annotations and form fields.
func (p Permissions) Modify() bool { return p.bit(4) }

// FillFields tells whether existing form fields may be filled in, signature fields included.
func (p Permissions) FillFields() bool { return p.bit(6) || p.revision >= 3 && p.bit(9) }

// AddFields tells whether form fields may be added, signature fields included.
func (p Permissions) AddFields() bool { return p.bit(6) && p.bit(4) }

// Annotate tells whether annotations may be added.
func (p Permissions) Annotate() bool { return p.bit(6) }

// Permissions tells what the file allows to who opened it: everything if it is not encrypted, or if the password was the
// owner's. [Update] does not enforce them; a program that changes documents for others should.
func (f *File) Permissions() Permissions {
	if f.security == nil || f.security.owner {
		return allPermissions
	}
	return f.security.permissions
}

// unlock reads the encryption dictionary and tries the password. A file that stays locked is no error here: locked then
// tells why its strings and streams cannot be read.
func (f *File) unlock(password string) error {
	o, ok := f.trailer["Encrypt"]
	if !ok {
		return nil
	}
	f.encrypted = true
	if ref, ok := o.(Ref); ok {
		f.encryptRef = ref
	}
	d, ok, err := As[Dict](f, o)
	if err != nil {
		return err
	}
	if !ok {
		return malformed("the encryption dictionary that the trailer names is missing")
	}
	s, locked, err := f.readSecurity(d, password)
	if err != nil {
		return err
	}
	f.security, f.locked = s, locked
	f.cache = objectCache{} // what was read so far was not decrypted
	return nil
}

// readSecurity reads the dictionary of the standard security handler. locked says why there is no key.
func (f *File) readSecurity(d Dict, password string) (s *security, locked, err error) {
	if filter, _, err := As[Name](f, d["Filter"]); err != nil {
		return nil, nil, err
	} else if filter != "Standard" {
		return nil, failure(Unsupported, "the file is encrypted by the security handler /%s, which needs more than a password "+
			"(a certificate, mostly); save it without encryption first", filter), nil
	}
	s = &security{metadata: true}
	var v, r, p Integer
	for key, to := range map[Name]*Integer{"V": &v, "R": &r, "P": &p} {
		n, ok, err := As[Integer](f, d[key])
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return nil, nil, malformed("the encryption dictionary has no /%s", key)
		}
		*to = n
	}
	if int64(p) < -1<<31 || int64(p) >= 1<<32 {
		return nil, nil, malformed("/P of the encryption dictionary does not fit 32 bits")
	}
	s.version, s.revision = int(v), int(r)
	s.permissions = Permissions{uint32(p), s.revision}
	if b, ok, err := As[Bool](f, d["EncryptMetadata"]); err != nil {
		return nil, nil, err
	} else if ok {
		s.metadata = bool(b) || v < 4
	}
	length, err := s.keyLength(f, d)
	if err != nil {
		return nil, nil, err
	}
	if length == 0 {
		return nil, failure(Unsupported, "the file is encrypted with version %d, revision %d, which no standard describes", v, r), nil
	}
	if err := s.readFilters(f, d); err != nil {
		return nil, nil, err
	}
	secrets, err := f.readSecrets(d, s.revision)
	if err != nil {
		return nil, nil, err
	}
	if !s.open(secrets, password, length) {
		return nil, failure(Encrypted, "the file is encrypted and this is not its password"), nil
	}
	if err := s.checkPermissions(secrets.perms); err != nil {
		return nil, nil, err
	}
	return s, nil, nil
}

// keyLength is the number of bytes of the key (table 20); 0 for a version and revision that do not go together.
func (s *security) keyLength(f *File, d Dict) (int, error) {
	switch {
	case s.version == 1 && (s.revision == 2 || s.revision == 3):
		return 5, nil
	case s.version == 2 && s.revision == 3:
		bits, ok, err := As[Integer](f, d["Length"])
		if err != nil {
			return 0, err
		}
		if !ok {
			return 5, nil
		}
		if bits < 40 || bits > 128 || bits%8 != 0 {
			return 0, malformed("the encryption dictionary states a key of %d bits", bits)
		}
		return int(bits) / 8, nil
	case s.version == 4 && s.revision == 4:
		return 16, nil
	case s.version == 5 && (s.revision == 5 || s.revision == 6):
		return 32, nil
	}
	return 0, nil
}

const maxCryptFilters = 50

// readFilters reads the crypt filters of versions 4 and 5 (§7.6.6).
func (s *security) readFilters(f *File, d Dict) error {
	if s.version < 4 {
		s.strings, s.streams, s.files = rc4Method, rc4Method, rc4Method
		return nil
	}
	cf, _, err := As[Dict](f, d["CF"])
	if err != nil {
		return err
	}
	if len(cf) > maxCryptFilters {
		return failure(Limit, "the file has more than %d crypt filters", maxCryptFilters)
	}
	s.filters = map[Name]method{"Identity": identity}
	for name, o := range cf {
		filter, _, err := As[Dict](f, o)
		if err != nil {
			return err
		}
		cfm, _, err := As[Name](f, filter["CFM"])
		if err != nil {
			return err
		}
		switch {
		case name == "Identity":
			return malformed("the crypt filter /Identity may not be defined anew")
		case cfm == "V2" && s.version == 4:
			s.filters[name] = rc4Method
		case cfm == "AESV2" && s.version == 4:
			s.filters[name] = aesV2
		case cfm == "AESV3" && s.version == 5:
			s.filters[name] = aesV3
		default:
			return failure(Unsupported, "the crypt filter /%s has the method /%s, which encryption of version %d does not have", name, cfm, s.version)
		}
	}
	named := func(key Name, def method) (method, error) {
		name, ok, err := As[Name](f, d[key])
		if err != nil || !ok {
			return def, err
		}
		return s.filter(name)
	}
	if s.strings, err = named("StrF", identity); err != nil {
		return err
	}
	if s.streams, err = named("StmF", identity); err != nil {
		return err
	}
	s.files, err = named("EFF", s.streams)
	return err
}

func (s *security) filter(name Name) (method, error) {
	m, ok := s.filters[name]
	if !ok {
		return 0, malformed("the crypt filter /%s is not defined", name)
	}
	return m, nil
}

// checkPermissions compares /P with its encrypted copy (algorithm 13): /P is not protected otherwise.
func (s *security) checkPermissions(perms []byte) error {
	if s.version < 5 {
		return nil
	}
	block, err := aes.NewCipher(s.key)
	if err != nil {
		return malformed("the key of the file is damaged")
	}
	plain := make([]byte, 16)
	block.Decrypt(plain, perms)
	metadata := byte('F')
	if s.metadata {
		metadata = 'T'
	}
	if binary.LittleEndian.Uint32(plain) != s.permissions.bits || plain[8] != metadata || subtle.ConstantTimeCompare(plain[9:12], []byte("adb")) != 1 {
		return malformed("the permissions of the encrypted file were changed: /P and /Perms do not agree")
	}
	return nil
}

// streamMethod tells how the data of a stream is encrypted. names and parms are its filters: a first filter /Crypt
// decides (§7.4.10), else what the stream is.
func (s *security) streamMethod(d Dict, names []Name, parms []Dict) (method, error) {
	switch {
	case d["Type"] == Name("XRef"):
		return identity, nil
	case len(names) > 0 && names[0] == "Crypt":
		if s.version < 4 {
			return 0, malformed("a filter /Crypt in a file whose encryption has no crypt filters")
		}
		o, ok := parms[0]["Name"]
		if !ok {
			return identity, nil
		}
		name, ok := o.(Name)
		if !ok {
			return 0, malformed("the name of a crypt filter is not a name")
		}
		return s.filter(name)
	case d["Type"] == Name("Metadata") && !s.metadata:
		return identity, nil
	case d["Type"] == Name("EmbeddedFile"):
		return s.files, nil
	}
	return s.streams, nil
}
