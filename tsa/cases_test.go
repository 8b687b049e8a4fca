package tsa_test

import (
	"crypto"
	"encoding/asn1"
	"strings"

	"sigillo/formats/cms"
)

// A request of the conformance suite and the answer it must get.
type conformance struct {
	name string
	req  string
	// want is "granted", or the one failure bit of the refusal (RFC 3161 §2.4.2).
	want string
	// openssl is what `openssl ts -reply` says where it says something else, and why
	// the difference is right; "-" where it cannot be asked.
	openssl, because string
}

// el builds elements by hand, also wrong ones: the length is always right, except
// where a case spoils it.
func el(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	switch n := len(body); {
	case n < 0x80:
		return string([]byte{tag, byte(n)}) + body
	case n < 0x100:
		return string([]byte{tag, 0x81, byte(n)}) + body
	default:
		return string([]byte{tag, 0x82, byte(n >> 8), byte(n)}) + body
	}
}

func oid(id asn1.ObjectIdentifier) string {
	b, err := asn1.Marshal(id)
	if err != nil {
		panic(err) // the tests name valid identifiers only
	}
	return string(b)
}

const (
	v1    = "\x02\x01\x01"
	null  = "\x05\x00"
	yes   = "\x01\x01\xff"
	no    = "\x01\x01\x00"
	nonce = "\x02\x08\x11\x22\x33\x44\x55\x66\x77\x88"
)

func seq(parts ...string) string    { return el(0x30, parts...) }
func octets(parts ...string) string { return el(0x04, parts...) }

// im is a MessageImprint; params come after the identifier.
func im(h crypto.Hash, params string) string {
	return seq(seq(oid(cms.HashOID(h)), params), octets(strings.Repeat("\xd5", h.Size())))
}

// imOf is a MessageImprint of another identifier or length.
func imOf(id string, params string, n int) string {
	return seq(seq(id, params), octets(strings.Repeat("\xd5", n)))
}

func num(content string) string { return el(0x02, content) }

var (
	sha256ID = oid(cms.HashOID(crypto.SHA256))
	good     = im(crypto.SHA256, null)
	extID    = "\x06\x03\x2a\x03\x05"
	ext      = seq(extID, octets("x"))
	critical = seq(extID, yes, octets("x"))
	other    = seq("\x06\x03\x2a\x03\x06", octets(""))
	least    = seq(v1, good)
)

const (
	lenient = "reads BER: a length or value that DER writes in one way only"
	ignores = "has no opinion on what follows the fields it knows"
)

// granted are the requests that get a token; the test looks for all of them in it.
var granted = []conformance{
	{name: "least", req: least},
	{name: "everything", req: seq(v1, good, oid(policy), nonce, yes)},
	{name: "SHA-256, parameters absent", req: seq(v1, im(crypto.SHA256, ""))},
	{name: "SHA-384, NULL", req: seq(v1, im(crypto.SHA384, null))},
	{name: "SHA-384, parameters absent", req: seq(v1, im(crypto.SHA384, ""))},
	{name: "SHA-512, NULL", req: seq(v1, im(crypto.SHA512, null))},
	{name: "SHA-512, parameters absent", req: seq(v1, im(crypto.SHA512, ""))},
	{name: "default policy by name", req: seq(v1, good, oid(policy))},
	{name: "policy of 2013, SHA-1", req: seq(v1, im(crypto.SHA1, null), oid(policyOld))},
	{name: "policy of 2013, SHA-1, parameters absent", req: seq(v1, im(crypto.SHA1, ""), oid(policyOld), nonce)},
	{name: "policy of 2013, SHA-256", req: seq(v1, good, oid(policyOld))},
	{name: "policy with SHA-3, SHA3-256", req: seq(v1, im(crypto.SHA3_256, ""), oid(policySHA3))},
	{name: "policy with SHA-3, SHA3-384", req: seq(v1, im(crypto.SHA3_384, null), oid(policySHA3))},
	{name: "policy with SHA-3, SHA3-512", req: seq(v1, im(crypto.SHA3_512, ""), oid(policySHA3), yes)},
	{name: "policy with SHA-3, SHA-256", req: seq(v1, good, oid(policySHA3))},
	{name: "qualified policy", req: seq(v1, good, oid(policyQualified), nonce)},
	{name: "certReq only", req: seq(v1, good, yes)},
	{name: "nonce only", req: seq(v1, good, nonce)},
	{name: "nonce and certReq", req: seq(v1, good, nonce, yes)},
	{name: "policy and nonce", req: seq(v1, good, oid(policy), nonce)},
	{name: "policy and certReq", req: seq(v1, good, oid(policy), yes)},
	{name: "nonce of zero", req: seq(v1, good, num("\x00"))},
	{name: "nonce of one", req: seq(v1, good, num("\x01"))},
	{name: "nonce of 127", req: seq(v1, good, num("\x7f"))},
	{name: "nonce of 128, with its sign octet", req: seq(v1, good, num("\x00\x80"))},
	{name: "nonce of -1", req: seq(v1, good, num("\xff"))},
	{name: "nonce of -128", req: seq(v1, good, num("\x80"))},
	{name: "nonce of -129", req: seq(v1, good, num("\xff\x7f"))},
	{name: "negative nonce of 16 octets", req: seq(v1, good, num("\x80"+strings.Repeat("\x00", 15)))},
	{name: "nonce of 64 bits with its sign octet", req: seq(v1, good, num("\x00"+strings.Repeat("\xff", 8)))},
	{name: "nonce of 20 octets", req: seq(v1, good, num("\x5a"+strings.Repeat("n", 19)))},
	{name: "nonce of 32 octets", req: seq(v1, good, num("\x5a"+strings.Repeat("n", 31)), yes)},
	{name: "nonce of 64 octets", req: seq(v1, good, num("\x5a"+strings.Repeat("n", 63)))},
	{name: "nonce of 127 octets, the last with a short length", req: seq(v1, good, num("\x5a"+strings.Repeat("n", 126)))},
	{name: "nonce of 128 octets, the longest", req: seq(v1, good, num("\x5a"+strings.Repeat("n", 127)))},
	{name: "imprint of zeros", req: seq(v1, seq(seq(sha256ID, null), octets(strings.Repeat("\x00", 32))))},
}

// refused are all others.
var refused = []conformance{
	{"empty", "", "badDataFormat", "", ""},
	{"one octet", "\x30", "badDataFormat", "", ""},
	{"text", "GET / HTTP/1.1\r\n", "badDataFormat", "", ""},
	{"zeros", strings.Repeat("\x00", 64), "badDataFormat", "", ""},
	{"empty SEQUENCE", seq(), "badDataFormat", "", ""},
	{"SET in place of SEQUENCE", el(0x31, v1, good), "badDataFormat", "", ""},
	{"primitive SEQUENCE", el(0x10, v1, good), "badDataFormat", "", ""},
	{"OCTET STRING around it", octets(least), "badDataFormat", "", ""},
	{"SEQUENCE around it", seq(least), "badDataFormat", "", ""},
	{"cut off in the imprint", least[:20], "badDataFormat", "", ""},
	{"cut off by one octet", least[:len(least)-1], "badDataFormat", "", ""},
	{"an octet after the end", least + "\x00", "badDataFormat", "granted", ignores},
	{"two requests", least + least, "badDataFormat", "granted", ignores},
	{"indefinite length", "\x30\x80" + v1 + good + "\x00\x00", "badDataFormat", "granted", lenient},
	{"indefinite length without an end", "\x30\x80" + v1 + good, "badDataFormat", "", ""},
	{"length in long form", "\x30\x81" + least[1:], "badDataFormat", "granted", lenient},
	{"length with a leading zero", "\x30\x82\x00" + least[1:], "badDataFormat", "granted", lenient},
	{"length of four octets", "\x30\x84\x00\x00\x00" + least[1:], "badDataFormat", "granted", lenient},
	{"length of nine octets", "\x30\x89\x00\x00\x00\x00\x00\x00\x00\x00" + least[1:], "badDataFormat", "", ""},
	{"length of four gigabytes", "\x30\x84\xff\xff\xff\xff" + v1 + good, "badDataFormat", "", ""},
	{"reserved length", "\x30\xff" + v1 + good, "badDataFormat", "", ""},
	{"tag of two octets", "\x3f\x10" + least[1:], "badDataFormat", "granted", lenient},
	{"larger than 16 KiB", seq(v1, good, num("\x01"+strings.Repeat("n", 17000))), "badDataFormat", "granted", "sets no limit to what it signs"},

	{"version 0", seq(num("\x00"), good), "badRequest", "", ""},
	{"version 2", seq(num("\x02"), good), "badRequest", "", ""},
	{"version 127", seq(num("\x7f"), good), "badRequest", "", ""},
	{"version 257", seq(num("\x01\x01"), good), "badRequest", "", ""},
	{"version -1", seq(num("\xff"), good), "badRequest", "", ""},
	{"version of 2^160+1", seq(num("\x01"+strings.Repeat("\x00", 19)+"\x01"), good), "badRequest", "", ""},
	{"version 2 and an unknown digest", seq(num("\x02"), imOf("\x06\x03\x2a\x03\x04", null, 32)), "badRequest", "", ""},
	{"version with a leading zero", seq(num("\x00\x01"), good), "badDataFormat", "", ""},
	{"version of no octets", seq(num(""), good), "badDataFormat", "", ""},
	{"version as ENUMERATED", seq("\x0a\x01\x01", good), "badDataFormat", "", ""},
	{"version as BOOLEAN", seq(yes, good), "badDataFormat", "", ""},
	{"no version", seq(good), "badDataFormat", "", ""},
	{"version twice", seq(v1, v1, good), "badDataFormat", "", ""},
	{"version after the imprint", seq(good, v1), "badDataFormat", "", ""},

	{"no imprint", seq(v1), "badDataFormat", "", ""},
	{"imprint is NULL", seq(v1, null), "badDataFormat", "", ""},
	{"imprint is a bare digest", seq(v1, octets(strings.Repeat("\xd5", 32))), "badDataFormat", "", ""},
	{"imprint twice", seq(v1, good, good), "badDataFormat", "", ""},
	{"imprint of no octets", seq(v1, imOf(sha256ID, null, 0)), "badDataFormat", "", ""},
	{"imprint of 31 octets", seq(v1, imOf(sha256ID, null, 31)), "badDataFormat", "", ""},
	{"imprint of 33 octets", seq(v1, imOf(sha256ID, null, 33)), "badDataFormat", "", ""},
	{"imprint of SHA-1's length under SHA-256", seq(v1, imOf(sha256ID, null, 20)), "badDataFormat", "", ""},
	{"imprint of SHA-512's length under SHA-256", seq(v1, imOf(sha256ID, null, 64)), "badDataFormat", "", ""},
	{"SHA-512 with 32 octets", seq(v1, imOf(oid(cms.HashOID(crypto.SHA512)), null, 32)), "badDataFormat", "", ""},
	{"imprint of 8192 octets", seq(v1, imOf(sha256ID, null, 8192)), "badDataFormat", "", ""},
	{"imprint without a digest", seq(v1, seq(seq(sha256ID, null))), "badDataFormat", "", ""},
	{"imprint without an algorithm", seq(v1, seq(octets(strings.Repeat("\xd5", 32)))), "badDataFormat", "", ""},
	{"digest before the algorithm", seq(v1, seq(octets(strings.Repeat("\xd5", 32)), seq(sha256ID, null))), "badDataFormat", "", ""},
	{"digest as BIT STRING", seq(v1, seq(seq(sha256ID, null), el(0x03, "\x00"+strings.Repeat("\xd5", 32)))), "badDataFormat", "", ""},
	{"digest in pieces", seq(v1, seq(seq(sha256ID, null), el(0x24, octets(strings.Repeat("\xd5", 16)), octets(strings.Repeat("\xd5", 16))))), "badDataFormat", "granted", lenient},
	{"digest with a long length", seq(v1, seq(seq(sha256ID, null), "\x04\x81\x20"+strings.Repeat("\xd5", 32))), "badDataFormat", "granted", lenient},
	{"something after the digest", seq(v1, seq(seq(sha256ID, null), octets(strings.Repeat("\xd5", 32)), null)), "badDataFormat", "", ""},
	{"imprint as SET", seq(v1, el(0x31, seq(sha256ID, null), octets(strings.Repeat("\xd5", 32)))), "badDataFormat", "", ""},

	{"MD5", seq(v1, imOf("\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05", null, 16)), "badAlg", "", ""},
	{"RIPEMD-160", seq(v1, imOf("\x06\x05\x2b\x24\x03\x02\x01", null, 20)), "badAlg", "", ""},
	{"SHA-1 under the default policy", seq(v1, im(crypto.SHA1, null)), "badAlg", "", ""},
	{"SHA-1 of a wrong length under the default policy", seq(v1, imOf(oid(cms.HashOID(crypto.SHA1)), null, 32)), "badDataFormat", "badAlg", "both are true of it"},
	{"SHA-224", seq(v1, im(crypto.SHA224, null)), "badAlg", "", ""},
	{"SHA-512/256", seq(v1, imOf("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x06", null, 32)), "badAlg", "", ""},
	{"SHA3-256 under the default policy", seq(v1, im(crypto.SHA3_256, "")), "badAlg", "", ""},
	{"SHA-384 under the policy of 2013", seq(v1, im(crypto.SHA384, null), oid(policyOld)), "badAlg", "", ""},
	{"SHA-512 under the policy of 2013", seq(v1, im(crypto.SHA512, ""), oid(policyOld)), "badAlg", "", ""},
	{"SHA-512 under the policy with SHA-3", seq(v1, im(crypto.SHA512, ""), oid(policySHA3)), "badAlg", "", ""},
	{"unknown digest", seq(v1, imOf("\x06\x03\x2a\x03\x04", null, 32)), "badAlg", "", ""},
	{"a signature algorithm", seq(v1, imOf("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", "", 32)), "badAlg", "", ""},
	{"an arc after SHA-256", seq(v1, imOf("\x06\x0a\x60\x86\x48\x01\x65\x03\x04\x02\x01\x01", null, 32)), "badAlg", "", ""},
	{"parameters are a SEQUENCE", seq(v1, im(crypto.SHA256, seq())), "badAlg", "", ""},
	{"parameters are an INTEGER", seq(v1, im(crypto.SHA256, v1)), "badAlg", "", ""},
	{"parameters are an OCTET STRING", seq(v1, im(crypto.SHA256, octets(""))), "badAlg", "", ""},
	{"NULL that is not empty", seq(v1, im(crypto.SHA256, "\x05\x01\x00")), "badDataFormat", "", ""},
	{"NULL twice", seq(v1, im(crypto.SHA256, null+null)), "badDataFormat", "", ""},
	{"NULL with a long length", seq(v1, im(crypto.SHA256, "\x05\x81\x00")), "badDataFormat", "", ""},
	{"algorithm without an identifier", seq(v1, seq(seq(), octets(strings.Repeat("\xd5", 32)))), "badDataFormat", "", ""},
	{"algorithm is a bare identifier", seq(v1, seq(sha256ID, octets(strings.Repeat("\xd5", 32)))), "badDataFormat", "", ""},
	{"identifier of no octets", seq(v1, imOf("\x06\x00", null, 32)), "badDataFormat", "", ""},
	{"identifier cut off in an arc", seq(v1, imOf("\x06\x03\x2a\x03\x84", null, 32)), "badDataFormat", "", ""},
	{"identifier with a padded arc", seq(v1, imOf("\x06\x0a\x60\x86\x48\x01\x65\x03\x04\x02\x80\x01", null, 32)), "badDataFormat", "", ""},

	{"unknown policy", seq(v1, good, "\x06\x03\x2a\x03\x04"), "unacceptedPolicy", "", ""},
	{"policy of one arc more", seq(v1, good, oid(append(append(asn1.ObjectIdentifier{}, policy...), 1))), "unacceptedPolicy", "", ""},
	{"policy of one arc less", seq(v1, good, oid(policy[:len(policy)-1])), "unacceptedPolicy", "", ""},
	{"policy with an arc of 128 bits", seq(v1, good, el(0x06, "\x69\x83"+strings.Repeat("\xff", 17)+"\x7f")), "unacceptedPolicy", "", ""},
	{"policy is zero arcs", seq(v1, good, "\x06\x00"), "badDataFormat", "", ""},
	{"policy cut off in an arc", seq(v1, good, "\x06\x02\x2a\x83"), "badDataFormat", "", ""},
	{"policy with a padded arc", seq(v1, good, "\x06\x04\x2a\x80\x03\x04"), "badDataFormat", "", ""},
	{"policy twice", seq(v1, good, oid(policy), oid(policy)), "badDataFormat", "", ""},
	{"policy as RELATIVE-OID", seq(v1, good, "\x0d\x02\x03\x04"), "badDataFormat", "", ""},

	{"nonce of 129 octets", seq(v1, good, num("\x5a"+strings.Repeat("n", 128))), "badRequest", "granted", "sets no limit to what it signs"},
	{"nonce of 4096 octets", seq(v1, good, num("\x5a"+strings.Repeat("n", 4095))), "badRequest", "granted", "sets no limit to what it signs"},
	{"nonce of no octets", seq(v1, good, num("")), "badDataFormat", "", ""},
	{"nonce with a leading zero", seq(v1, good, num("\x00\x01")), "badDataFormat", "", ""},
	{"nonce with two leading zeros", seq(v1, good, num("\x00\x00\x80")), "badDataFormat", "", ""},
	{"nonce with leading ones", seq(v1, good, num("\xff\xff")), "badDataFormat", "", ""},
	{"nonce with a long length", seq(v1, good, "\x02\x81\x01\x05"), "badDataFormat", "granted", lenient},
	{"nonce as OCTET STRING", seq(v1, good, octets("12345678")), "badDataFormat", "", ""},
	{"nonce as ENUMERATED", seq(v1, good, el(0x0a, "\x05")), "badDataFormat", "", ""},
	{"nonce constructed", seq(v1, good, el(0x22, num("\x05"))), "badDataFormat", "", ""},
	{"nonce twice", seq(v1, good, nonce, nonce), "badDataFormat", "", ""},
	{"nonce before the policy", seq(v1, good, nonce, oid(policy)), "badDataFormat", "", ""},

	{"certReq FALSE written out", seq(v1, good, no), "badDataFormat", "granted", lenient},
	{"certReq of 1", seq(v1, good, "\x01\x01\x01"), "badDataFormat", "granted", lenient},
	{"certReq of no octets", seq(v1, good, "\x01\x00"), "badDataFormat", "", ""},
	{"certReq of two octets", seq(v1, good, "\x01\x02\xff\xff"), "badDataFormat", "", ""},
	{"certReq twice", seq(v1, good, yes, yes), "badDataFormat", "", ""},
	{"certReq before the nonce", seq(v1, good, yes, nonce), "badDataFormat", "", ""},
	{"certReq before the policy", seq(v1, good, yes, oid(policy)), "badDataFormat", "", ""},

	{"NULL after the last field", seq(v1, good, null), "badDataFormat", "", ""},
	{"NULL after certReq", seq(v1, good, nonce, yes, null), "badDataFormat", "", ""},
	{"end-of-contents in it", seq(v1, good, "\x00\x00"), "badDataFormat", "", ""},
	{"field [1]", seq(v1, good, el(0xa1, v1)), "badDataFormat", "", ""},
	{"primitive [0]", seq(v1, good, el(0x80, "x")), "badDataFormat", "", ""},
	{"application tag", seq(v1, good, el(0x60, v1)), "badDataFormat", "", ""},

	{"an extension", seq(v1, good, el(0xa0, ext)), "unacceptedExtension", "", ""},
	{"a critical extension", seq(v1, good, el(0xa0, critical)), "unacceptedExtension", "", ""},
	{"an extension after all fields", seq(v1, good, oid(policy), nonce, yes, el(0xa0, critical)), "unacceptedExtension", "", ""},
	{"two extensions", seq(v1, good, el(0xa0, ext, other)), "unacceptedExtension", "", ""},
	{"an extension twice", seq(v1, good, el(0xa0, ext, ext)), "unacceptedExtension", "", ""},
	{"an extension of an odd identifier", seq(v1, good, el(0xa0, seq(el(0x06, "\x69\x83"+strings.Repeat("\xff", 17)+"\x7f"), octets("x")))), "unacceptedExtension", "", ""},
	{"no extension in the list", seq(v1, good, el(0xa0)), "badDataFormat", "granted", "takes a list of none for no list; RFC 5280 demands one"},
	{"extension that is not critical and says so", seq(v1, good, el(0xa0, seq(extID, no, octets("x")))), "badDataFormat", "unacceptedExtension", lenient},
	{"extension without a value", seq(v1, good, el(0xa0, seq(extID))), "badDataFormat", "", ""},
	{"extension without an identifier", seq(v1, good, el(0xa0, seq(octets("x")))), "badDataFormat", "", ""},
	{"extension with a value that is no OCTET STRING", seq(v1, good, el(0xa0, seq(extID, v1))), "badDataFormat", "", ""},
	{"extension with something after its value", seq(v1, good, el(0xa0, seq(extID, octets("x"), null))), "badDataFormat", "", ""},
	{"extension after a good one is broken", seq(v1, good, el(0xa0, ext, v1)), "badDataFormat", "", ""},
	{"extensions twice", seq(v1, good, el(0xa0, ext), el(0xa0, ext)), "badDataFormat", "", ""},
	{"extensions before certReq", seq(v1, good, el(0xa0, ext), yes), "badDataFormat", "", ""},
	{"extensions in a SEQUENCE of their own", seq(v1, good, el(0xa0, seq(ext))), "badDataFormat", "", ""},

	{"a policy without a unit", seq(v1, good, oid(policyEmpty)), "systemFailure", "-", "it has one signer for all policies"},
}
