package hsm_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log"

	"sigillo/hsm"
)

// A key that stays in the token is a crypto.Signer like any other.
func ExampleToken_Signer() {
	tok, err := hsm.Open(hsm.Config{
		Module: "/usr/lib/softhsm/libsofthsm2.so",
		Token:  "sigillo",
		PIN:    []byte("the PIN, from a file"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tok.Close()

	key, err := tok.Signer("tsu-1")
	if err != nil {
		log.Fatal(err)
	}
	digest := sha256.Sum256([]byte("what is to be signed"))
	signature, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", signature)
}

// A holder's key lives outside the token, under a key that only the holder's
// secret brings back.
func ExampleToken_UseWrapped() {
	var tok *hsm.Token // from Open
	ctx := context.Background()

	var d [32]byte // from the holder's password, by Argon2id and HKDF
	rand.Read(d[:])
	wrapped, err := tok.GenerateWrapped(ctx, "holders", d, hsm.P256, nil)
	if err != nil {
		log.Fatal(err)
	}
	// Keep wrapped wherever you like. Later:
	digest := sha256.Sum256([]byte("what is to be signed"))
	var signature []byte
	err = tok.UseWrapped(ctx, "holders", d, wrapped, func(key crypto.Signer) (err error) {
		signature, err = key.Sign(nil, digest[:], crypto.SHA256)
		return err
	})
	if hsm.KindOf(err) == hsm.WrongSecret {
		log.Fatal("wrong password")
	}
	fmt.Printf("%x %v\n", signature, err)
}

func ExampleKindOf() {
	_, err := hsm.Open(hsm.Config{Module: "/nowhere/libpkcs11.so", Token: "sigillo", PIN: []byte("1234")})
	fmt.Println(hsm.KindOf(err))
	fmt.Println(err)
	// Output:
	// token-gone
	// hsm: cannot load the PKCS#11 module /nowhere/libpkcs11.so; check that the file exists and is a PKCS#11 library
}
