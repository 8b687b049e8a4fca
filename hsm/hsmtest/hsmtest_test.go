package hsmtest_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"testing"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

// The environment in which TestChild is the child and not a test.
const childToken, childPIN = "HSMTEST_CHILD_TOKEN", "HSMTEST_CHILD_PIN"

func TestMain(m *testing.M) {
	if label := os.Getenv(childToken); label != "" {
		child(label)
		return
	}
	os.Exit(m.Run())
}

// child prints a MAC made by the parent's token.
func child(label string) {
	tok, err := hsm.Open(hsm.Config{Module: os.Getenv("MODULE"), Token: label, PIN: []byte(os.Getenv(childPIN))})
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	defer tok.Close()
	mac, err := tok.MAC(context.Background(), "mac", []byte("data"))
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(hex.EncodeToString(mac))
}

func TestTokenInAChildProcess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	cfg := hsmtest.Token(t)
	tok, err := hsm.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer tok.Close()
	if err := tok.GenerateMACKey(ctx, "mac"); err != nil {
		t.Fatal(err)
	}
	want, err := tok.MAC(ctx, "mac", []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childToken+"="+cfg.Token, childPIN+"="+string(cfg.PIN), "MODULE="+cfg.Module)
	cmd.Stderr = os.Stderr
	got, err := cmd.Output()
	if err != nil || string(got) != hex.EncodeToString(want) {
		t.Errorf("the child computed %s, %v; want %x", got, err, want)
	}
}

// Tokens are apart, and a new one can be had after all others have gone.
func TestTokensInTurn(t *testing.T) {
	seen := make(map[string]bool)
	for range 3 {
		t.Run("", func(t *testing.T) {
			cfg := hsmtest.Token(t)
			if seen[cfg.Token] {
				t.Error("the same token twice")
			}
			seen[cfg.Token] = true
			tok, err := hsm.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer tok.Close()
			key, err := tok.GenerateSigner(context.Background(), "key", hsm.P256)
			if err != nil {
				t.Fatal(err)
			}
			digest := sha256.Sum256(nil)
			if _, err := key.Sign(nil, digest[:], crypto.SHA256); err != nil {
				t.Error(err)
			}
		})
	}
}
