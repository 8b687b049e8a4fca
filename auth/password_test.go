package auth

import (
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode"
)

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pw, name string
		want     Kind
	}{
		{"il gatto suona il flauto", "mario", ""},
		{"Trentatre-Trentini9", "mario", ""},
		{"vX9#qLm2@pRz", "mario", ""},
		{"perché così lontano", "mario", ""},
		{"密码是一只很大的红色风筝吧", "mario", ""},
		{"short1!", "mario", TooShort},
		{"perché così", "mario", TooShort}, // 11 characters, 13 bytes
		{"", "mario", TooShort},
		{strings.Repeat("lungo ", 100), "mario", TooLong},
		{"passwordpassword", "mario", TooWeak},
		{"Password123!", "mario", TooWeak},
		{"P4ssw0rd2026!", "mario", TooWeak},
		{"QWERTYUIOP123", "mario", TooWeak},
		{"correcthorsebatterystaple", "mario", TooWeak},
		{"Juventus1897!!", "mario", TooWeak},
		{"firmadigitale1", "mario", TooWeak},
		{"aaaaaaaaaaaaaaa", "mario", TooWeak},
		{"abababababab", "mario", TooWeak},
		{"123456789012", "mario", TooWeak},
		{"abcdefghijklm", "mario", TooWeak},
		{"zyxwvutsrqponm", "mario", TooWeak},
		{"mario.rossi1970", "mario.rossi", ContainsName},
		{"xxMARIO.ROSSIxx", "mario.rossi", ContainsName},
		{"campanile di bo", "bo", ""}, // a name too short to matter inside
		{"tab\there and there", "mario", NotText},
		{"broken \xff utf-8 text", "mario", NotText},
	} {
		if got := KindOf(CheckPassword(c.pw, c.name)); got != c.want {
			t.Errorf("%q: %q, want %q", c.pw, got, c.want)
		}
	}
}

func TestCheckPasswordLeavesItAlone(t *testing.T) {
	t.Parallel()
	pw := []byte("Il Gatto Suona Il Flauto")
	if err := CheckPasswordBytes(pw); err != nil || string(pw) != "Il Gatto Suona Il Flauto" {
		t.Errorf("%q, %v", pw, err)
	}
}

// TestStretch compares with the argon2 tool, where it is installed, and with
// what must hold anyway.
func TestStretch(t *testing.T) {
	t.Parallel()
	a := Argon2{MemoryKiB: 256, Time: 2, Threads: 2}
	salt := []byte("sixteen bytes ok")
	got := a.Stretch([]byte("perch\u00e9"), salt)
	if got != a.Stretch([]byte("perche\u0301"), salt) {
		t.Error("two forms of one letter are two passwords")
	}
	if got == a.Stretch([]byte("perche"), salt) || got == a.Stretch([]byte("perch\u00e9"), []byte("another 16 bytes")) ||
		got == (Argon2{MemoryKiB: 256, Time: 3, Threads: 2}).Stretch([]byte("perch\u00e9"), salt) {
		t.Error("a change does not change the result")
	}
	if (Argon2{MemoryKiB: 64}).Stretch(nil, salt) == [32]byte{} {
		t.Error("low parameters give nothing")
	}
	if _, err := exec.LookPath("argon2"); err != nil {
		t.Log("missing the Debian package argon2: not compared with the reference implementation")
		return
	}
	cmd := exec.Command("argon2", string(salt), "-id", "-t", "2", "-k", "256", "-p", "2", "-l", "32", "-r")
	cmd.Stdin = strings.NewReader("perch\u00e9")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(out)); hex.EncodeToString(got[:]) != want {
		t.Errorf("%x, the reference says %s", got, want)
	}
}

func TestArgonCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a  Argon2
		ok bool
	}{
		{DefaultArgon2, true}, {Argon2{64, 1, 1}, true}, {Argon2{}, false}, {Argon2{64, 0, 1}, false},
		{Argon2{64, 1, 0}, false}, {Argon2{4, 1, 1}, false}, {Argon2{1 << 21, 1, 1}, false}, {Argon2{64, 1000, 1}, false},
	} {
		if err := c.a.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.a, err)
		}
	}
	if (Argon2{}).OrDefault() != DefaultArgon2 {
		t.Error("zero is not the default")
	}
}

// TestDerive uses RFC 5869 §2 by hand: extract with a zero salt, one expansion.
func TestDerive(t *testing.T) {
	t.Parallel()
	var in [32]byte
	for i := range in {
		in[i] = byte(i)
	}
	a, b := Derive(in, "one"), Derive(in, "two")
	if a == b || a == in || a != Derive(in, "one") {
		t.Error("Derive does not separate purposes")
	}
	// openssl kdf is the other implementation.
	out, err := exec.Command("openssl", "kdf", "-keylen", "32", "-kdfopt", "digest:SHA256",
		"-kdfopt", "hexkey:"+hex.EncodeToString(in[:]), "-kdfopt", "info:one", "-binary", "HKDF").Output()
	if err != nil {
		t.Skipf("missing the Debian package openssl: %v", err)
	}
	if string(out) != string(a[:]) {
		t.Errorf("%x, openssl says %x", a, out)
	}
}

func FuzzCheckPassword(f *testing.F) {
	for _, s := range []string{"il gatto suona il flauto", "P4ssw0rd2026!", "\xff", strings.Repeat("password", 60), "é"} {
		f.Add(s, "mario")
	}
	f.Fuzz(func(t *testing.T, pw, name string) {
		err := CheckPassword(pw, name)
		if err == nil && len([]rune(pw)) < MinPassword && len(pw) < MinPassword {
			t.Errorf("%q passes", pw)
		}
		ours := !strings.ContainsFunc(pw, func(r rune) bool { return !unicode.IsLower(r) && r != ' ' }) // words of the message itself
		if err != nil && len(pw) >= 6 && !ours && strings.Contains(err.Error(), pw) {
			t.Errorf("the message has the password: %v", err)
		}
	})
}

func ExampleCheckPassword() {
	for _, pw := range []string{"Password2026!", "il gatto suona il flauto"} {
		fmt.Printf("%q\n", KindOf(CheckPassword(pw, "mario.rossi")))
	}
	// Output:
	// "TooWeak"
	// ""
}
