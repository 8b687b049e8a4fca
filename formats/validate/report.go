package validate

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Indication is the result of a validation (ETSI EN 319 102-1 §5.1.3).
type Indication string

// The indications.
const (
	TotalPassed   Indication = "TOTAL_PASSED"
	Indeterminate Indication = "INDETERMINATE"
	TotalFailed   Indication = "TOTAL_FAILED"
	// NoSignature is not in the standard: the file has nothing to validate.
	NoSignature Indication = "NO_SIGNATURE_FOUND"
)

// rank orders indications from good to bad.
func (i Indication) rank() int {
	switch i {
	case TotalPassed:
		return 0
	case Indeterminate:
		return 1
	case TotalFailed:
		return 2
	}
	return 3
}

// SubIndication says more about a result (ETSI EN 319 102-1 Tables 5 and 6).
type SubIndication string

// The sub-indications this package gives.
const (
	FormatFailure            SubIndication = "FORMAT_FAILURE"
	HashFailure              SubIndication = "HASH_FAILURE"
	SigCryptoFailure         SubIndication = "SIG_CRYPTO_FAILURE"
	SigConstraintsFailure    SubIndication = "SIG_CONSTRAINTS_FAILURE"
	ChainConstraintsFailure  SubIndication = "CHAIN_CONSTRAINTS_FAILURE"
	CryptoConstraintsFailure SubIndication = "CRYPTO_CONSTRAINTS_FAILURE"
	NoSigningCertificate     SubIndication = "NO_SIGNING_CERTIFICATE_FOUND"
	NoCertificateChain       SubIndication = "NO_CERTIFICATE_CHAIN_FOUND"
	NotYetValid              SubIndication = "NOT_YET_VALID"
	OutOfBoundsNoPOE         SubIndication = "OUT_OF_BOUNDS_NO_POE"
	RevokedNoPOE             SubIndication = "REVOKED_NO_POE"
	RevokedCANoPOE           SubIndication = "REVOKED_CA_NO_POE"
	TryLater                 SubIndication = "TRY_LATER"
	TimestampOrderFailure    SubIndication = "TIMESTAMP_ORDER_FAILURE"
	SignedDataNotFound       SubIndication = "SIGNED_DATA_NOT_FOUND"
)

// Reason is one sentence of explanation. Code is stable; the texts may change.
type Reason struct {
	Code string `json:"code"`
	It   string `json:"it"`
	En   string `json:"en"`
}

// SignatureReport is the result for one signature.
type SignatureReport struct {
	Form          string        `json:"form"`
	Level         string        `json:"level"`
	Indication    Indication    `json:"indication"`
	SubIndication SubIndication `json:"sub_indication,omitempty"`
	Signer        string        `json:"signer,omitempty"`
	Issuer        string        `json:"issuer,omitempty"`
	Serial        string        `json:"serial,omitempty"`
	SigningTime   time.Time     `json:"signing_time,omitzero"`
	Timestamp     time.Time     `json:"timestamp,omitzero"`
	Field         string        `json:"field,omitempty"`
	Reasons       []Reason      `json:"reasons"`
}

// Report is the result for a file.
type Report struct {
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Validated  time.Time         `json:"validated"`
	Indication Indication        `json:"indication"`
	Signatures []SignatureReport `json:"signatures"`
}

// Exit is the exit code for commands: 0 good, 1 doubtful, 2 bad, 3 unreadable
// or nothing signed in it.
func (r Report) Exit() int { return r.Indication.rank() }

var verdicts = map[Indication][2]string{
	TotalPassed:   {"VALIDA", "VALID"},
	Indeterminate: {"INCERTA", "UNCERTAIN"},
	TotalFailed:   {"NON VALIDA", "NOT VALID"},
	NoSignature:   {"NESSUNA FIRMA", "NO SIGNATURE"},
}

// Text gives the report for a person to read, in Italian for "it", else in
// English.
func (r Report) Text(lang string) string {
	say := func(it, en string) string {
		if lang == "it" {
			return it
		}
		return en
	}
	verdict := func(i Indication) string {
		v := verdicts[i]
		return say(v[0], v[1]) + " (" + string(i) + ")"
	}
	var b strings.Builder
	line := func(label string, at any) { fmt.Fprintf(&b, "  %s: %v\n", label, at) }
	fmt.Fprintf(&b, "%s: %s\n", printable(r.File), verdict(r.Indication))
	for i, s := range r.Signatures {
		fmt.Fprintf(&b, "%s %d: %s", say("Firma", "Signature"), i+1, verdict(s.Indication))
		if s.SubIndication != "" {
			fmt.Fprintf(&b, " %s", s.SubIndication)
		}
		b.WriteString("\n")
		line(say("Tipo", "Kind"), strings.TrimSuffix(s.Form+" "+s.Level, " "))
		if s.Signer != "" {
			line(say("Firmatario", "Signer"), s.Signer+say(", certificato ", ", certificate ")+s.Serial+say(" di ", " by ")+s.Issuer)
		}
		if !s.SigningTime.IsZero() {
			line(say("Data dichiarata", "Claimed time"), stamped(s.SigningTime))
		}
		if !s.Timestamp.IsZero() {
			line(say("Marca temporale", "Time-stamp"), stamped(s.Timestamp))
		}
		for _, reason := range s.Reasons {
			fmt.Fprintf(&b, "  - %s\n", say(reason.It, reason.En))
		}
	}
	return b.String()
}

func stamped(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// printable takes control characters out of text that comes from a file, so
// that it cannot forge lines of a report or drive a terminal.
func printable(s string) string {
	out := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, s)
	if len(out) > 300 {
		out = strings.ToValidUTF8(out[:300], "") + "…"
	}
	return out
}
