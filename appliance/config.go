package appliance

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"sigillo/auth/courier"
	"sigillo/formats/inspect"
	"sigillo/hsm"
	"sigillo/tsa/accounts"
)

// Config is the appliance's configuration file, sigillo.toml in its folder.
// These comments are its manual. Unknown keys are refused.
type Config struct {
	// Listen is the address the service listens on, host:port. Only loopback
	// addresses may be served without TLS.
	Listen string `toml:"listen"`

	// BaseURL is how others reach the service. It is written into every
	// certificate (CRL, OCSP and issuer addresses), so it can't change later
	// without issuing anew.
	BaseURL string `toml:"base_url"`

	// TLSCertificate and TLSKey are PEM files for HTTPS; both or neither.
	TLSCertificate string `toml:"tls_certificate,omitempty"`
	TLSKey         string `toml:"tls_key,omitempty"`

	// TLSClientCertificates asks clients for a certificate, so that customers of the
	// time-stamping authority can be known by theirs. Browsers of people who have
	// certificates then ask which one to send.
	TLSClientCertificates bool `toml:"tls_client_certificates,omitempty"`

	// TrustedProxies are the reverse proxies in front of the service: addresses or
	// networks, such as "10.0.0.5" or "2001:db8:1::/64". A request that comes from one
	// of them is taken to come from where the proxy says, in X-Forwarded-For: for the
	// networks of accounts, lock-outs, journal and log. From anywhere else that header
	// counts for nothing. Whoever can send from these addresses can pretend to be
	// anywhere: name the proxies, never a network with others in it.
	TrustedProxies []string `toml:"trusted_proxies,omitempty"`

	// PasskeyOrigins are from where passkeys may be used besides base_url: sites of its
	// domain ("https://sign.example.org"), and applications for Android that the domain
	// names as its own ("android:apk-key-hash:" and the SHA-256 of the certificate they
	// are signed with, in base64url). Applications for iOS come as the domain.
	PasskeyOrigins []string `toml:"passkey_origins,omitempty"`

	// MaxUploadMB is the largest document taken, in MB (10^6 bytes), at most 256: a
	// larger one cannot be inspected.
	MaxUploadMB int64 `toml:"max_upload_mb"`

	// VaultUser is the user, by name or number, that the vault runs as when root starts
	// the service. Empty: sigillo-vault, if the system has that user, else root itself.
	// Its folder (vault) is given to it; it must be able to pass through those above.
	VaultUser string `toml:"vault_user,omitempty"`
	// VaultPeers are the users, by name or number, whose processes the vault answers.
	// Empty: the owner of this file.
	VaultPeers []string `toml:"vault_peers,omitempty"`

	// BreachedPasswords is a list of passwords that were stolen elsewhere and that
	// nobody may choose: a file, relative to this folder, with the SHA-1 of each in
	// order, as Have I Been Pwned gives it out. Empty: none but the well-known ones.
	BreachedPasswords string `toml:"breached_passwords,omitempty"`

	Inspection Inspection `toml:"inspection"`

	Signatures Signatures `toml:"signatures,omitempty"`

	// Cards lets holders sign in with the certificate of a card.
	Cards Cards `toml:"cards,omitempty"`

	// Courier sends one-time codes to telephones; see auth/courier for its keys.
	// Files are relative to this folder.
	Courier courier.Config `toml:"courier,omitempty"`

	HSM HSM `toml:"hsm"`
	TSA TSA `toml:"tsa"`
	PKI PKI `toml:"pki"`

	OAuth OAuth `toml:"oauth,omitempty"`

	// Counter is about the counters where customers sign on tablets.
	Counter Counter `toml:"counter,omitempty"`
}

// OAuth configures what applications of others may do in the name of holders.
type OAuth struct {
	// Off closes the doors of applications: /oauth2 and what needs its tokens.
	Off bool `toml:"off,omitempty"`
}

// Inspection configures what is done about content that can change what a document
// shows.
type Inspection struct {
	// Policy is "standard", "strict", or the file of a policy of one's own, relative
	// to this folder. Empty: standard. It is read when the service starts.
	Policy string `toml:"policy,omitempty"`
	// ClamdSocket is the Unix socket of ClamAV's daemon, such as
	// "/run/clamav/clamd.ctl". It is asked for a second opinion on each document that
	// the inspection would let pass: what it finds is refused; when it has no answer,
	// which the journal tells, the inspection alone decides. Empty: nobody is asked.
	ClamdSocket string `toml:"clamd_socket,omitempty"`
}

// HSM names the token that holds the keys.
type HSM struct {
	// Module is the PKCS#11 library, loaded by `sigillo vault` alone.
	Module string `toml:"module"`
	// Arguments is the text given to the module when it starts, for the few that take
	// one. Empty: none.
	Arguments string `toml:"arguments,omitempty"`
	// Token is the label of the token.
	Token string `toml:"token"`
	// Node is the name of this node, given at provisioning. What the vault has made
	// is bound to it: never change it.
	Node string `toml:"node"`
	// PINFile holds the token's user PIN; readable by the vault's user only.
	PINFile string `toml:"pin_file"`
	// Environment is given to the vault's process, for modules that read
	// their configuration from there ("SOFTHSM2_CONF=/path").
	Environment []string `toml:"environment,omitempty"`
	// Network lets the module reach what is outside of the vault's process: a network
	// HSM, or a service on this machine that has the token (pcscd, pkcsslotd). False
	// shuts the vault in: no connection leaves it.
	Network bool `toml:"network,omitempty"`
	// Files are the folders and files that the module works in, besides libraries: the
	// vault can reach no others. Those of SoftHSM and NSS are known.
	Files []string `toml:"files,omitempty"`
}

// TSA configures the time-stamping authority.
type TSA struct {
	// Clock is "system": the clock must be shown to be right, by the kernel and,
	// where they are named, by chronyd and a second chronyd, or no stamp is made;
	// or "unverified": the clock is believed, for demonstrations only. Stamps are
	// then made under UnverifiedPolicy alone.
	Clock string `toml:"clock"`
	// Chrony is the chronyd that sets the clock: the path of its command socket or
	// a loopback address and port. SecondChrony is another one, on other servers,
	// that only watches (chronyd -x). Empty: there is none.
	Chrony       string `toml:"chrony,omitempty"`
	SecondChrony string `toml:"second_chrony,omitempty"`
	// GraceSeconds is how long the kernel may say that the clock is not
	// synchronised, after it was, before the clock is stopped: a restart of chronyd
	// takes some seconds. No stamp is made meanwhile.
	GraceSeconds int `toml:"grace_seconds"`
	// AccuracyMS is the declared accuracy in milliseconds, at most 1000.
	AccuracyMS int `toml:"accuracy_ms"`
	// Node is the number of this node, 0 to 127. It is part of every serial
	// number: no other node may ever have it.
	Node uint32 `toml:"node"`
	// Key is the type of the keys of new units: p256, p384, rsa2048, rsa3072,
	// rsa4096, ed25519.
	Key string `toml:"key"`
	// PSS has RSA units sign with RSASSA-PSS.
	PSS bool `toml:"pss,omitempty"`
	// RollDays is how many days before the end of its three months a unit's
	// successor takes over. 0: units are replaced by hand only.
	RollDays int `toml:"roll_days"`
	// PassphraseFile holds the passphrase that starts the units, for machines that
	// nobody attends; readable by the vault's user only. Empty: an operator starts
	// the units with `sigillo tsa start` each time the machine was started.
	PassphraseFile string `toml:"passphrase_file,omitempty"`
	// Anonymous lets anybody on the network ask for time-stamps, on the account
	// "anonymous". It is active while this is true and suspended while it is false,
	// from the next start of the service; commands change its terms, not its state.
	Anonymous bool `toml:"anonymous"`
	// Page opens the page that stamps a file without uploading it: "" to nobody,
	// "holders" to holders who have signed in, "public" to everybody (which needs
	// anonymous).
	Page string `toml:"page"`
	// LooseTrue accepts requests whose TRUE is not written as DER wants it, such as
	// those of LibreOffice.
	LooseTrue bool `toml:"loose_true,omitempty"`
	// UnverifiedPolicy is the policy that stamps state whose time nobody vouches
	// for.
	UnverifiedPolicy string `toml:"unverified_policy"`
	// Policies are those stamped under. The first is for requests that name none.
	Policies []StampPolicy `toml:"policies"`
}

// StampPolicy is a policy of the time-stamping authority.
type StampPolicy struct {
	// Name stands in addresses (/tsa/NAME) and on pages.
	Name string `toml:"name"`
	// OID is what requests ask for and tokens state.
	OID string `toml:"oid"`
	// Profile "2013" accepts SHA-1 and SHA-256 digests and no others, as the rules
	// of 2013 had it. Empty: today's.
	Profile string `toml:"profile,omitempty"`
	// Hashes are the digests that are accepted: SHA-256, SHA-384, SHA-512,
	// SHA3-256, SHA3-384, SHA3-512. None: the first three.
	Hashes []string `toml:"hashes,omitempty"`
	// Qualified says in the tokens that they are qualified time-stamps. It needs
	// pki.qualified and a verified clock.
	Qualified bool `toml:"qualified,omitempty"`
	// Series names the row of units that stamp under this policy.
	Series string `toml:"series,omitempty"`
}

// PKI configures the certification authority.
type PKI struct {
	Country        string `toml:"country"`
	Organisation   string `toml:"organisation"`
	OrganisationID string `toml:"organisation_id"`
	// Qualified makes certificates claim what a qualified provider may claim
	// (QcCompliance, QcSSCD). Leave it false anywhere else.
	Qualified bool `toml:"qualified"`
	// Witnesses are the names put in the record of the key ceremony.
	Witnesses []string `toml:"witnesses"`
}

// DefaultConfig is a demonstration on loopback with SoftHSM.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:8080", BaseURL: "http://127.0.0.1:8080", MaxUploadMB: 200,
		HSM: HSM{Module: "/usr/lib/softhsm/libsofthsm2.so", Token: "sigillo"},
		TSA: TSA{Clock: "unverified", GraceSeconds: 30, AccuracyMS: 1000, Key: string(hsm.P256), RollDays: 10, Anonymous: true, Page: "holders",
			UnverifiedPolicy: "1.3.6.1.4.1.99999.1.3.99",
			Policies:         []StampPolicy{{Name: "default", OID: "1.3.6.1.4.1.99999.1.3"}}},
		PKI: PKI{Country: "IT", Organisation: "Sigillo Dimostrazione", OrganisationID: "VATIT-00000000000",
			Witnesses: []string{"Primo Testimone", "Seconda Testimone"}},
	}
}

// Layout is where the appliance keeps its things below its folder.
type Layout struct{ Dir string }

func (l Layout) join(parts ...string) string {
	return filepath.Join(append([]string{l.Dir}, parts...)...)
}

// within is a path that may be relative to the folder; "" stays "".
func (l Layout) within(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return l.join(path)
}

func (l Layout) Config() string    { return l.join("sigillo.toml") }
func (l Layout) Database() string  { return l.join("appliance.db") }
func (l Layout) Documents() string { return l.join("documents") }
func (l Layout) Pages() string     { return l.join("pages") }
func (l Layout) Lock() string      { return l.join("appliance.lock") }
func (l Layout) Record() string    { return l.join("ceremony.txt") }
func (l Layout) Ledger() string    { return l.join("stamps") }

// StampIndex is the index of the ledger: it can be removed while nothing runs, and
// is made anew.
func (l Layout) StampIndex() string { return l.join("stamps.db") }

func (l Layout) Root() string     { return l.join("root.pem") }
func (l Layout) VaultDir() string { return l.join("vault") }
func (l Layout) VaultDB() string  { return l.join("vault", "vault.db") }
func (l Layout) Socket() string   { return l.join("vault", "vault.sock") }

// ErrNotProvisioned means that the folder holds no appliance.
var ErrNotProvisioned = errors.New("appliance: this folder is not provisioned; run `sigillo init` first")

// LoadConfig reads and checks the configuration of the appliance in dir.
func LoadConfig(dir string) (Config, error) {
	var c Config
	data, err := os.ReadFile(Layout{dir}.Config())
	if errors.Is(err, os.ErrNotExist) {
		return c, ErrNotProvisioned
	}
	if err != nil {
		return c, fmt.Errorf("appliance: %w", err)
	}
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) {
			return c, fmt.Errorf("appliance: unknown key in sigillo.toml:\n%s", strict.String())
		}
		return c, fmt.Errorf("appliance: sigillo.toml: %w", err)
	}
	return c, c.Check()
}

// Check refuses a configuration that can't work or isn't safe.
func (c Config) Check() error {
	u, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("appliance: base_url must be an http or https address")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return errors.New("appliance: base_url has no query, fragment or user name")
	case (c.TLSCertificate == "") != (c.TLSKey == ""):
		return errors.New("appliance: give both tls_certificate and tls_key, or neither")
	case c.TLSCertificate == "" && c.TLSClientCertificates:
		return errors.New("appliance: tls_client_certificates needs tls_certificate and tls_key")
	case c.TLSCertificate == "" && !loopback(c.Listen):
		return errors.New("appliance: without TLS only a loopback address may be served; set tls_certificate and tls_key")
	case c.MaxUploadMB < 1 || c.MaxUploadMB > 256:
		return errors.New("appliance: max_upload_mb must be between 1 and 256")
	case c.Inspection.ClamdSocket != "" && !filepath.IsAbs(c.Inspection.ClamdSocket):
		return errors.New("appliance: inspection.clamd_socket must be the whole path of a Unix socket")
	case c.HSM.Module == "" || c.HSM.Token == "" || c.HSM.PINFile == "" || c.HSM.Node == "":
		return errors.New("appliance: hsm.module, hsm.token, hsm.node and hsm.pin_file must be set")
	}
	if err := c.Signatures.check(); err != nil {
		return err
	}
	if err := c.checkOrigins(); err != nil {
		return err
	}
	if _, err := c.Proxies(); err != nil {
		return err
	}
	if err := c.Cards.check(c.TLSCertificate != ""); err != nil {
		return err
	}
	if err := c.Courier.Check(); err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	if err := c.Counter.check(); err != nil {
		return err
	}
	return c.checkTSA()
}

// RelyingParty is the domain that passkeys are bound to, and the origins they are used
// from (WebAuthn Level 3 §5.1.2): base_url's and PasskeyOrigins. There are none where
// base_url names an address and not a domain, which browsers make no passkeys for.
func (c Config) RelyingParty() (id string, origins []string) {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Hostname() == "" {
		return "", nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "", nil
	}
	return u.Hostname(), append([]string{u.Scheme + "://" + u.Host}, c.PasskeyOrigins...)
}

// courier is the configuration of short messages of the appliance in dir.
func (c Config) courier(dir string) courier.Config {
	out := c.Courier
	for _, name := range out.Files() {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(dir, *name)
		}
	}
	return out
}

// inspectionPolicy is the one that documents are judged by in the appliance in dir.
func (c Config) inspectionPolicy(dir string) (*inspect.Policy, error) {
	name := c.Inspection.Policy
	switch {
	case name == "":
		return inspect.Standard(), nil
	case name != "standard" && name != "strict" && !filepath.IsAbs(name):
		name = filepath.Join(dir, name)
	}
	p, err := inspect.OpenPolicy(name)
	if err != nil {
		return nil, fmt.Errorf("appliance: inspection.policy: %w", err)
	}
	return p, nil
}

// Proxies are the trusted proxies as networks.
func (c Config) Proxies() ([]netip.Prefix, error) {
	nets, err := accounts.Networks(c.TrustedProxies...)
	if err != nil {
		return nil, fmt.Errorf("appliance: trusted_proxies: %w", err)
	}
	for _, p := range nets {
		if p.Bits() == 0 {
			return nil, fmt.Errorf("appliance: trusted_proxies: %v is everybody, and everybody could then pretend to be anywhere; name the proxies", p)
		}
	}
	return nets, nil
}

// Save writes the configuration, readable by the owner only.
func (c Config) Save(dir string) error {
	data, err := toml.Marshal(c)
	if err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	return os.WriteFile(Layout{dir}.Config(), data, 0o600)
}
