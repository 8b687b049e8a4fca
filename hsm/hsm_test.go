package hsm_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

var ctx = context.Background()

func open(t testing.TB) *hsm.Token {
	t.Helper()
	tok, err := hsm.Open(hsmtest.Token(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tok.Close(); err != nil {
			t.Error(err)
		}
	})
	return tok
}

func check(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, want hsm.Kind) {
	t.Helper()
	if got := hsm.KindOf(err); got != want {
		t.Errorf("error %v is of kind %q, want %q", err, got, want)
	}
}

var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

func TestSigner(t *testing.T) {
	t.Parallel()
	tok := open(t)
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.P384, hsm.RSA2048, hsm.RSA3072, hsm.Ed25519} {
		t.Run(string(kt), func(t *testing.T) {
			t.Parallel()
			made, err := tok.GenerateSigner(ctx, string(kt), kt)
			check(t, err)
			key, err := tok.Signer(string(kt))
			check(t, err)
			if !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(made.Public()) || key.Label() != string(kt) {
				t.Error("the key found is not the key made")
			}
			for _, h := range hashes {
				verify(t, key, h)
			}
		})
	}
}

// verify makes signatures over random digests in all schemes of the key and
// verifies them with the standard library.
func verify(t testing.TB, key crypto.Signer, h crypto.Hash) {
	t.Helper()
	digest := make([]byte, h.Size())
	rand.Read(digest)
	switch pub := key.Public().(type) {
	case *ecdsa.PublicKey:
		sig, err := key.Sign(nil, digest, h)
		if err != nil || !ecdsa.VerifyASN1(pub, digest, sig) {
			t.Errorf("ECDSA with %v: %v, %x", h, err, sig)
		}
	case *rsa.PublicKey:
		sig, err := key.Sign(nil, digest, h)
		if err == nil {
			err = rsa.VerifyPKCS1v15(pub, h, digest, sig)
		}
		if err != nil {
			t.Errorf("PKCS #1 v1.5 with %v: %v", h, err)
		}
		for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, 20} {
			sig, err := key.Sign(nil, digest, &rsa.PSSOptions{SaltLength: salt, Hash: h})
			if err == nil {
				err = rsa.VerifyPSS(pub, h, digest, sig, &rsa.PSSOptions{SaltLength: salt})
			}
			if err != nil {
				t.Errorf("PSS with %v and salt %d: %v", h, salt, err)
			}
		}
	case ed25519.PublicKey:
		for _, n := range []int{0, 1, h.Size(), 300, 64 << 10} {
			message := make([]byte, n)
			rand.Read(message)
			sig, err := key.Sign(nil, message, crypto.Hash(0))
			if err != nil || !ed25519.Verify(pub, message, sig) {
				t.Errorf("Ed25519 of %d bytes: %v, %x", n, err, sig)
			}
		}
	default:
		t.Errorf("public key is a %T", pub)
	}
}

type noHash struct{}

func (noHash) HashFunc() crypto.Hash { return 0 }

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	tok := open(t)
	ec, err := tok.GenerateSigner(ctx, "ec", hsm.P256)
	check(t, err)
	r, err := tok.GenerateSigner(ctx, "rsa", hsm.RSA2048)
	check(t, err)
	ed, err := tok.GenerateSigner(ctx, "ed", hsm.Ed25519)
	check(t, err)
	digest := make([]byte, 32)
	tests := []struct {
		name   string
		key    crypto.Signer
		digest []byte
		opts   crypto.SignerOpts
	}{
		{"no options", ec, digest, nil},
		{"no hash", r, digest, noHash{}},
		{"raw", r, digest, crypto.Hash(0)},
		{"SHA-1", r, digest[:20], crypto.SHA1},
		{"SHA-224", ec, digest[:28], crypto.SHA224},
		{"short digest", ec, digest[:31], crypto.SHA256},
		{"long digest", r, make([]byte, 33), crypto.SHA256},
		{"digest of another hash", r, digest, crypto.SHA384},
		{"empty digest", ec, nil, crypto.SHA256},
		{"PSS with an EC key", ec, digest, &rsa.PSSOptions{Hash: crypto.SHA256}},
		{"PSS without a hash", r, digest, &rsa.PSSOptions{}},
		{"PSS salt too long", r, digest, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 223}},
		{"a digest with an Ed25519 key", ed, digest, crypto.SHA256},
		{"a very long message", ed, make([]byte, 64<<10+1), crypto.Hash(0)},
		{"PSS salt negative", r, digest, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: -2}},
	}
	for _, test := range tests {
		sig, err := test.key.Sign(nil, test.digest, test.opts)
		if sig != nil || hsm.KindOf(err) != hsm.Unsupported {
			t.Errorf("%s: %x, %v", test.name, sig, err)
		}
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	tok := open(t)
	check(t, tok.GenerateMaster(ctx, "master"), tok.GenerateMACKey(ctx, "mac"), tok.GenerateSealKey(ctx, "seal"))
	_, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	for _, label := range []string{"master", "mac", "seal", "key"} {
		if has, err := tok.Has(label); !has || err != nil {
			t.Errorf("Has(%q) = %v, %v", label, has, err)
		}
		// A label is good once, whatever the key is for.
		wantKind(t, tok.GenerateMaster(ctx, label), hsm.Conflict)
		wantKind(t, tok.GenerateMACKey(ctx, label), hsm.Conflict)
		wantKind(t, tok.GenerateSealKey(ctx, label), hsm.Conflict)
		_, err := tok.GenerateSigner(ctx, label, hsm.P256)
		wantKind(t, err, hsm.Conflict)
	}
	if has, err := tok.Has("nobody"); has || err != nil {
		t.Errorf("Has of a key that is not there: %v, %v", has, err)
	}
	// Each key does its own job only, cached or not.
	for range 2 {
		_, err = tok.Signer("nobody")
		wantKind(t, err, hsm.NotFound)
		_, err = tok.Signer("mac")
		if k := hsm.KindOf(err); k != hsm.NotFound && k != hsm.Conflict {
			t.Errorf("a MAC key as signer: %v", err)
		}
		_, err = tok.MAC(ctx, "seal", nil)
		wantKind(t, err, hsm.Conflict)
		_, err = tok.MAC(ctx, "master", nil)
		wantKind(t, err, hsm.Conflict)
		_, err = tok.Seal(ctx, "master", nil, []byte("x"))
		wantKind(t, err, hsm.Conflict)
		_, err = tok.MAC(ctx, "mac", nil)
		check(t, err)
		_, err = tok.GenerateWrapped(ctx, "seal", [32]byte{}, hsm.P256, nil)
		wantKind(t, err, hsm.Conflict)
	}
	_, err = tok.GenerateSigner(ctx, "other", "p521")
	wantKind(t, err, hsm.Unsupported)
	wantKind(t, tok.GenerateMaster(ctx, ""), hsm.Unsupported)
	wantKind(t, tok.GenerateMaster(ctx, strings.Repeat("x", 256)), hsm.Unsupported)
}

func TestKeysOutliveTheToken(t *testing.T) {
	t.Parallel()
	cfg := hsmtest.Token(t)
	first, err := hsm.Open(cfg)
	check(t, err)
	made, err := first.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err, first.GenerateMACKey(ctx, "mac"))
	mac, err := first.MAC(ctx, "mac", []byte("data"))
	check(t, err, first.Close(), first.Close())

	_, err = made.Sign(nil, make([]byte, 32), crypto.SHA256)
	wantKind(t, err, hsm.TokenGone)

	second, err := hsm.Open(cfg)
	check(t, err)
	defer second.Close()
	key, err := second.Signer("key")
	check(t, err)
	if !key.Public().(*ecdsa.PublicKey).Equal(made.Public()) {
		t.Error("another public key after reopening")
	}
	verify(t, key, crypto.SHA256)
	if ok, err := second.CheckMAC(ctx, "mac", []byte("data"), mac); !ok || err != nil {
		t.Errorf("the MAC does not hold after reopening: %v", err)
	}
}

func TestMAC(t *testing.T) {
	t.Parallel()
	tok := open(t)
	check(t, tok.GenerateMACKey(ctx, "a"), tok.GenerateMACKey(ctx, "b"))
	seen := make(map[string]string)
	for _, key := range []string{"a", "b"} {
		for _, data := range []string{"", "x", strings.Repeat("x", 100000)} {
			name := fmt.Sprintf("%s over %d bytes", key, len(data))
			mac, err := tok.MAC(ctx, key, []byte(data))
			check(t, err)
			if len(mac) != 32 {
				t.Errorf("%s: %d bytes", name, len(mac))
			}
			if other := seen[string(mac)]; other != "" {
				t.Errorf("%s and %s are the same", name, other)
			}
			seen[string(mac)] = name
			for _, c := range []struct {
				mac  []byte
				want bool
			}{{mac, true}, {mac[:31], false}, {nil, false}, {append(bytes.Clone(mac[:31]), mac[31]^1), false}} {
				if ok, err := tok.CheckMAC(ctx, key, []byte(data), c.mac); err != nil || ok != c.want {
					t.Errorf("%s: CheckMAC(%x) = %v, %v", name, c.mac, ok, err)
				}
			}
		}
	}
	_, err := tok.MAC(ctx, "a", make([]byte, 1<<20+1))
	wantKind(t, err, hsm.Unsupported)
	_, err = tok.MAC(ctx, "nobody", nil)
	wantKind(t, err, hsm.NotFound)
}

func TestSeal(t *testing.T) {
	t.Parallel()
	tok := open(t)
	check(t, tok.GenerateSealKey(ctx, "a"), tok.GenerateSealKey(ctx, "b"))
	for _, plain := range []string{"", "x", "twenty bytes of text", strings.Repeat("long ", 10000)} {
		for _, aad := range []string{"", "holder 1"} {
			sealed, err := tok.Seal(ctx, "a", []byte(aad), []byte(plain))
			check(t, err)
			if len(sealed) != len(plain)+28 || len(plain) > 8 && bytes.Contains(sealed, []byte(plain)) {
				t.Errorf("%d bytes sealed into %d", len(plain), len(sealed))
			}
			got, err := tok.Unseal(ctx, "a", []byte(aad), sealed)
			if err != nil || string(got) != plain {
				t.Errorf("unsealing %d bytes gave %d, %v", len(plain), len(got), err)
			}
			again, err := tok.Seal(ctx, "a", []byte(aad), []byte(plain))
			if err != nil || bytes.Equal(again[:12], sealed[:12]) {
				t.Errorf("the same IV twice: %v", err)
			}
		}
	}

	sealed, err := tok.Seal(ctx, "a", []byte("holder 1"), []byte("the secret of holder 1"))
	check(t, err)
	refused := func(name, key, aad string, sealed []byte) {
		t.Helper()
		got, err := tok.Unseal(ctx, key, []byte(aad), sealed)
		if got != nil || hsm.KindOf(err) != hsm.WrongSecret {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	refused("another context", "a", "holder 2", sealed)
	refused("no context", "a", "", sealed)
	refused("another key", "b", "holder 1", sealed)
	refused("cut", "a", "holder 1", sealed[:len(sealed)-1])
	refused("cut to the tag", "a", "holder 1", sealed[:28])
	refused("cut below the tag", "a", "holder 1", sealed[:27])
	refused("nothing", "a", "holder 1", nil)
	refused("lengthened", "a", "holder 1", append(bytes.Clone(sealed), 0))
	refused("huge", "a", "holder 1", make([]byte, 2<<20))
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("byte %d changed", i), "a", "holder 1", changed)
	}
	_, err = tok.Seal(ctx, "a", nil, make([]byte, 1<<20+1))
	wantKind(t, err, hsm.Unsupported)
	_, err = tok.Unseal(ctx, "nobody", nil, sealed)
	wantKind(t, err, hsm.NotFound)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	cfg := hsmtest.Token(t)
	tests := []struct {
		name   string
		change func(*hsm.Config)
		want   hsm.Kind
	}{
		{"no module named", func(c *hsm.Config) { c.Module = "" }, hsm.NotFound},
		{"no such module", func(c *hsm.Config) { c.Module = "/nowhere/lib.so" }, hsm.TokenGone},
		{"not a module", func(c *hsm.Config) { c.Module = "/etc/hostname" }, hsm.TokenGone},
		{"no such token", func(c *hsm.Config) { c.Token = "nobody" }, hsm.NotFound},
		{"wrong PIN", func(c *hsm.Config) { c.PIN = []byte("999999999") }, hsm.WrongPIN},
		{"no PIN", func(c *hsm.Config) { c.PIN = nil }, hsm.WrongPIN},
	}
	for _, test := range tests {
		c := cfg
		test.change(&c)
		tok, err := hsm.Open(c)
		if tok != nil {
			t.Errorf("%s: opened", test.name)
			tok.Close()
		}
		if hsm.KindOf(err) != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "999999999") {
			t.Errorf("%s: the PIN is in the message", test.name)
		}
	}
	// The PIN still is the caller's to wipe, and Open has a copy.
	tok, err := hsm.Open(cfg)
	check(t, err)
	check(t, tok.Close())
	if bytes.Equal(cfg.PIN, make([]byte, len(cfg.PIN))) {
		t.Error("Close wiped the caller's PIN")
	}
}

func TestInitToken(t *testing.T) {
	t.Parallel()
	cfg := hsmtest.Token(t)
	so := []byte("0123456789")
	wantKind(t, hsm.InitToken(cfg, so), hsm.Conflict)
	for _, label := range []string{"", "ends in a space ", strings.Repeat("x", 33)} {
		wantKind(t, hsm.InitToken(hsm.Config{Module: cfg.Module, Token: label, PIN: cfg.PIN}, so), hsm.Unsupported)
	}
	wantKind(t, hsm.InitToken(hsm.Config{Module: "/nowhere/lib.so", Token: "x", PIN: cfg.PIN}, so), hsm.TokenGone)
	// A label of full length, a PIN with every byte value.
	pin := make([]byte, 0, 255)
	for b := 255; b > 0; b-- {
		pin = append(pin, byte(b))
	}
	label := strings.Repeat("x", 32)
	check(t, hsm.InitToken(hsm.Config{Module: cfg.Module, Token: label, PIN: pin}, so))
	tok, err := hsm.Open(hsm.Config{Module: cfg.Module, Token: label, PIN: pin})
	check(t, err)
	defer tok.Close()
	if i := tok.Info(); i.Label != label || i.Serial == "" || i.Model == "" || i.Library == "" || i.Firmware == "" || i.Module == "" {
		t.Errorf("info %+v", i)
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	typed := &hsm.Error{Kind: hsm.NotFound, Msg: "no key", Err: errors.New("cause")}
	for _, c := range []struct {
		err  error
		want hsm.Kind
	}{
		{nil, ""},
		{errors.New("other"), hsm.Failed},
		{typed, hsm.NotFound},
		{fmt.Errorf("while signing: %w", typed), hsm.NotFound},
	} {
		wantKind(t, c.err, c.want)
	}
	if typed.Error() != "hsm: no key: cause" {
		t.Error(typed.Error())
	}
}
