package appliance

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"
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

	// MaxUploadMB is the largest document taken, in MB (10^6 bytes).
	MaxUploadMB int64 `toml:"max_upload_mb"`

	HSM HSM `toml:"hsm"`
	TSA TSA `toml:"tsa"`
	PKI PKI `toml:"pki"`
}

// HSM names the token that holds the keys.
type HSM struct {
	// Module is the PKCS#11 library, loaded by `sigillo vault` alone.
	Module string `toml:"module"`
	// Token is the label of the token.
	Token string `toml:"token"`
	// PINFile holds the token's user PIN; readable by the vault's user only.
	PINFile string `toml:"pin_file"`
	// Environment is given to the vault's process, for modules that read
	// their configuration from there ("SOFTHSM2_CONF=/path").
	Environment []string `toml:"environment,omitempty"`
}

// TSA configures the time-stamping unit.
type TSA struct {
	// Clock is "system": the kernel must show that the clock is disciplined
	// and within Accuracy, or no stamp is made; or "unproven": the clock is
	// believed, for demonstrations only.
	Clock string `toml:"clock"`
	// Policy is the time-stamping policy's object identifier.
	Policy string `toml:"policy"`
	// AccuracyMS is the declared accuracy in milliseconds, at most 1000.
	AccuracyMS int `toml:"accuracy_ms"`
	// Anonymous lets anybody on the network ask for time-stamps.
	Anonymous bool `toml:"anonymous"`
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
		TSA: TSA{Clock: "unproven", Policy: "1.3.6.1.4.1.99999.1.3", AccuracyMS: 1000, Anonymous: true},
		PKI: PKI{Country: "IT", Organisation: "Sigillo Dimostrazione", OrganisationID: "VATIT-00000000000",
			Witnesses: []string{"Primo Testimone", "Seconda Testimone"}},
	}
}

// Layout is where the appliance keeps its things below its folder.
type Layout struct{ Dir string }

func (l Layout) join(parts ...string) string {
	return filepath.Join(append([]string{l.Dir}, parts...)...)
}

func (l Layout) Config() string    { return l.join("sigillo.toml") }
func (l Layout) Database() string  { return l.join("appliance.db") }
func (l Layout) Documents() string { return l.join("documents") }
func (l Layout) Pages() string     { return l.join("pages") }
func (l Layout) Lock() string      { return l.join("appliance.lock") }
func (l Layout) Record() string    { return l.join("ceremony.txt") }
func (l Layout) Root() string      { return l.join("root.pem") }
func (l Layout) VaultDir() string  { return l.join("vault") }
func (l Layout) VaultDB() string   { return l.join("vault", "vault.db") }
func (l Layout) Socket() string    { return l.join("vault", "vault.sock") }

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
	case (c.TLSCertificate == "") != (c.TLSKey == ""):
		return errors.New("appliance: give both tls_certificate and tls_key, or neither")
	case c.TLSCertificate == "" && !loopback(c.Listen):
		return errors.New("appliance: without TLS only a loopback address may be served; set tls_certificate and tls_key")
	case c.MaxUploadMB < 1 || c.MaxUploadMB > 4096:
		return errors.New("appliance: max_upload_mb must be between 1 and 4096")
	case c.TSA.Clock != "system" && c.TSA.Clock != "unproven":
		return errors.New(`appliance: tsa.clock must be "system" or "unproven"`)
	case c.TSA.AccuracyMS < 1 || c.TSA.AccuracyMS > 1000:
		return errors.New("appliance: tsa.accuracy_ms must be between 1 and 1000")
	case c.HSM.Module == "" || c.HSM.Token == "" || c.HSM.PINFile == "":
		return errors.New("appliance: hsm.module, hsm.token and hsm.pin_file must be set")
	}
	return nil
}

// Save writes the configuration, readable by the owner only.
func (c Config) Save(dir string) error {
	data, err := toml.Marshal(c)
	if err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	return os.WriteFile(Layout{dir}.Config(), data, 0o600)
}

func (c TSA) accuracy() time.Duration { return time.Duration(c.AccuracyMS) * time.Millisecond }
