package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" // #nosec: ISO 32000-1 §7.6.3 knows no other
	"crypto/rc4" // #nosec: as md5
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// secrets are the entries of the encryption dictionary that a password is tried on (ISO 32000-2 §7.6.4.2, table 21), and
// the first part of the file's /ID.
type secrets struct {
	o, u, oe, ue, perms, id []byte
}

func (f *File) readSecrets(d Dict, revision int) (s secrets, err error) {
	type entry struct {
		to  *[]byte
		len int
	}
	want := map[Name]entry{"O": {&s.o, 32}, "U": {&s.u, 32}}
	if revision >= 5 {
		want = map[Name]entry{"O": {&s.o, 48}, "U": {&s.u, 48}, "OE": {&s.oe, 32}, "UE": {&s.ue, 32}, "Perms": {&s.perms, 16}}
	}
	for key, e := range want {
		v, _, err := As[String](f, d[key])
		if err != nil {
			return s, err
		}
		// Some programs fill /O and /U up with zeros to the 127 bytes of an older draft.
		if len(v) < e.len || len(bytes.Trim(v[e.len:], "\x00")) > 0 {
			return s, malformed("/%s of the encryption dictionary does not have %d bytes", key, e.len)
		}
		*e.to = v[:e.len]
	}
	id, ok := f.trailer["ID"].(Array)
	if _, there := f.trailer["ID"]; !there {
		return s, nil // the keys of revision 5 and 6 need none, and for others no ID is an empty one
	}
	if ok = ok && len(id) == 2; ok {
		s.id, ok = id[0].(String)
	}
	if !ok {
		return s, malformed("/ID of an encrypted file is not an array of two direct strings") // ISO 32000-2 table 15
	}
	return s, nil
}

// open tries the password, as the owner's first, and keeps the key it gives. Programs differ in how they write a password
// that is not ASCII, so each way is tried.
func (s *security) open(x secrets, password string, length int) bool {
	for _, pw := range encodings(password, s.revision) {
		if s.revision >= 5 {
			if s.open6(x, pw) {
				return true
			}
			continue
		}
		if user := ownerOpens(x, pw, s.revision, length); s.open4(x, user, length) {
			s.owner = true
			return true
		}
		if s.open4(x, pw, length) {
			return true
		}
	}
	return false
}

// encodings are the bytes that a password may stand for: in PDFDocEncoding up to revision 4 (algorithm 2), prepared as a
// stored string in UTF-8 from revision 5 (algorithm 2.A), or just UTF-8.
func encodings(password string, revision int) (out [][]byte) {
	add := func(b []byte, most int) {
		b = b[:min(len(b), most)]
		for _, o := range out {
			if bytes.Equal(o, b) {
				return
			}
		}
		out = append(out, b)
	}
	if revision >= 5 {
		add([]byte(saslPrepared(password)), 127)
		add([]byte(password), 127)
		return out
	}
	if b, ok := docEncode(password); ok {
		add(b, 32)
	}
	add([]byte(password), 32)
	return out
}

// saslPrepared maps a password as RFC 4013 §2 does. What that RFC prohibits is let through: it cannot have been set.
func saslPrepared(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == 0xA0 || r == 0x1680 || r >= 0x2000 && r <= 0x200A || r == 0x202F || r == 0x205F || r == 0x3000:
			return ' '
		case r == 0xAD || r == 0x34F || r == 0x1806 || r >= 0x180B && r <= 0x180D || r >= 0x200B && r <= 0x200D ||
			r == 0x2060 || r >= 0xFE00 && r <= 0xFE0F || r == 0xFEFF:
			return -1
		}
		return r
	}, s)
	return norm.NFKC.String(s)
}

// padding fills a password up to 32 bytes (algorithm 2, step a).
var padding = []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")

func padded(password []byte) []byte { return append(bytes.Clone(password), padding...)[:32] }

// open4 is algorithms 2 and 6: the key from the user password, tried on /U.
func (s *security) open4(x secrets, password []byte, length int) bool {
	h := md5.New()
	h.Write(padded(password))
	h.Write(x.o)
	_ = binary.Write(h, binary.LittleEndian, s.permissions.bits)
	h.Write(x.id)
	if s.revision >= 4 && !s.metadata {
		h.Write([]byte{0xFF, 0xFF, 0xFF, 0xFF})
	}
	key := h.Sum(nil)
	if s.revision >= 3 {
		for range 50 {
			sum := md5.Sum(key[:length])
			key = sum[:]
		}
	}
	key = key[:length]
	if s.revision == 2 {
		if !bytes.Equal(rc4With(key, padding), x.u) {
			return false
		}
	} else {
		sum := md5.Sum(append(bytes.Clone(padding), x.id...))
		if !bytes.Equal(rc4Rounds(key, sum[:], 0, 19), x.u[:16]) {
			return false
		}
	}
	s.key = key
	return true
}

// ownerOpens is algorithm 7: the user password that /O holds for the owner password.
func ownerOpens(x secrets, password []byte, revision, length int) []byte {
	sum := md5.Sum(padded(password))
	if revision == 2 {
		return rc4With(sum[:length], x.o)
	}
	for range 50 {
		sum = md5.Sum(sum[:])
	}
	return rc4Rounds(sum[:length], x.o, 19, 0)
}

func rc4With(key, data []byte) []byte {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic("pdf: no key of RC4 has this length") // all lengths are checked
	}
	out := make([]byte, len(data))
	c.XORKeyStream(out, data)
	return out
}

// rc4Rounds encrypts twenty times, each time with the key and the number of the round.
func rc4Rounds(key, data []byte, from, to int) []byte {
	step := 1
	if from > to {
		step = -1
	}
	for i := from; ; i += step {
		k := bytes.Clone(key)
		for j := range k {
			k[j] ^= byte(i)
		}
		data = rc4With(k, data)
		if i == to {
			return data
		}
	}
}

// open6 is algorithms 2.A, 11 and 12: the key of revisions 5 and 6.
func (s *security) open6(x secrets, password []byte) bool {
	hash := hash6
	if s.revision == 5 {
		hash = hash5
	}
	try := func(entry, wrapped, user []byte) bool {
		if !bytes.Equal(hash(password, entry[32:40], user), entry[:32]) {
			return false
		}
		block, err := aes.NewCipher(hash(password, entry[40:48], user))
		if err != nil {
			return false
		}
		s.key = make([]byte, 32)
		cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(s.key, wrapped)
		return true
	}
	if try(x.o, x.oe, x.u) {
		s.owner = true
		return true
	}
	return try(x.u, x.ue, nil)
}

func hash5(password, salt, user []byte) []byte {
	h := sha256.New()
	h.Write(password)
	h.Write(salt)
	h.Write(user)
	return h.Sum(nil)
}

// hash6 is algorithm 2.B. It ends after 64 to 287 rounds, whatever the input: a byte is at most 255.
func hash6(password, salt, user []byte) []byte {
	k := hash5(password, salt, user)
	for round := 1; ; round++ {
		k1 := bytes.Repeat(append(append(bytes.Clone(password), k...), user...), 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			panic("pdf: no key of AES has this length")
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(k1, k1)
		mod := 0
		for _, b := range k1[:16] {
			mod += int(b) // 256 is 1 modulo 3
		}
		switch mod % 3 {
		case 0:
			sum := sha256.Sum256(k1)
			k = sum[:]
		case 1:
			sum := sha512.Sum384(k1)
			k = sum[:]
		default:
			sum := sha512.Sum512(k1)
			k = sum[:]
		}
		if round >= 64 && int(k1[len(k1)-1]) <= round-32 {
			return k[:32]
		}
	}
}
