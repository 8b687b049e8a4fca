package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigillo/appliance"
	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/store"
	"sigillo/vault"
)

// demoHolder is an invented person of a demonstration appliance. The password
// and the OTP secret are random, made anew for each appliance, and kept in a
// file beside it, as no real holder's ever are.
type demoHolder struct {
	Username   string `json:"username"`
	Password   string `json:"password"`
	OTPURI     string `json:"otp_uri"`
	Credential string `json:"credential"`
}

// demoPeople are invented.
var demoPeople = []appliance.NewHolder{
	{Username: "ada", GivenName: "Ada", Surname: "Esempio", FiscalCode: "SMPDAA80A41H501X", Email: "ada@example.org", Locale: "it", KeyType: hsm.P256},
	{Username: "bruno", GivenName: "Bruno", Surname: "Campione", FiscalCode: "CMPBRN75C15F205C", Email: "bruno@example.org", Locale: "it", KeyType: hsm.RSA2048},
}

func demoFile(dir string) string { return filepath.Join(dir, "demo-holders.json") }

// addDemoHolders registers invented holders.
func addDemoHolders(ctx context.Context, e env, dir string, people []appliance.NewHolder) error {
	a, err := openBeside(ctx, dir)
	if err != nil {
		return err
	}
	defer a.Close()
	var holders []demoHolder
	for _, n := range people {
		h, err := addDemoHolder(ctx, a, n)
		if err != nil {
			return err
		}
		holders = append(holders, h)
		fmt.Fprintf(e.out, "Holder      %s %s, %s key made in the token, certificate issued\n", n.GivenName, n.Surname, n.KeyType)
	}
	data, err := json.MarshalIndent(holders, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(demoFile(dir), data, 0o600)
}

// addDemoHolder plays the holder at registration. It proves the authenticator
// with the OTP of the step before, which the vault still accepts, so that the
// current one is left for signing in.
func addDemoHolder(ctx context.Context, a *appliance.Appliance, n appliance.NewHolder) (demoHolder, error) {
	password := randomWords()
	n.Password = []byte(password)
	reg, err := a.Register(ctx, n)
	if err != nil {
		return demoHolder{}, err
	}
	secret, err := otpSecret(reg.OTPURI)
	if err != nil {
		return demoHolder{}, err
	}
	var cred store.Credential
	for range 3 { // the step before may be over by the time the vault looks
		cred, err = a.Complete(ctx, reg, auth.TOTP(secret, time.Now().Add(-30*time.Second)))
		if vault.KindOf(err) != vault.WrongOTP {
			break
		}
	}
	if err != nil {
		return demoHolder{}, err
	}
	return demoHolder{Username: n.Username, Password: password, OTPURI: reg.OTPURI, Credential: cred.ID}, nil
}

func readDemoHolders(dir string) ([]demoHolder, error) {
	data, err := os.ReadFile(demoFile(dir))
	if err != nil {
		return nil, err
	}
	var holders []demoHolder
	return holders, json.Unmarshal(data, &holders)
}

// showDemoHolders prints the sign-ins of a demonstration.
func showDemoHolders(e env, dir string) {
	holders, err := readDemoHolders(dir)
	if err != nil {
		return // not a demonstration appliance
	}
	fmt.Fprintf(e.out, "\nDemonstration sign-ins (in %s):\n", demoFile(dir))
	for _, h := range holders {
		fmt.Fprintf(e.out, "  %-6s password %s\n         code     %s otp '%s'\n", h.Username, h.Password, os.Args[0], h.OTPURI)
	}
	fmt.Fprintln(e.out)
}

// randomWords makes a password of 120 random bits that is easy to type.
func randomWords() string {
	var b [15]byte
	rand.Read(b[:])
	s := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	return s[:6] + "-" + s[6:12] + "-" + s[12:18] + "-" + s[18:]
}

func base32Secret(s string) ([]byte, error) {
	return base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(s, "=")))
}
