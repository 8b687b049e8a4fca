package appliance

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

// androidOrigin begins the origin that Android gives an application: what follows is the
// SHA-256 of the certificate it is signed with, in base64url.
const androidOrigin = "android:apk-key-hash:"

// checkOrigins refuses origins that are neither an application's nor a site's below the
// domain that passkeys are bound to.
func (c Config) checkOrigins() error {
	domain, _ := c.RelyingParty()
	if domain == "" && len(c.PasskeyOrigins) > 0 {
		return fmt.Errorf("appliance: passkey_origins: there are no passkeys, because base_url names an address and not a domain")
	}
	for _, o := range c.PasskeyOrigins {
		if hash, ok := strings.CutPrefix(o, androidOrigin); ok {
			if sum, err := base64.RawURLEncoding.Strict().DecodeString(hash); err == nil && len(sum) == 32 {
				continue
			}
			return fmt.Errorf("appliance: passkey_origins: %q has no SHA-256 in base64url after %s", o, androidOrigin)
		}
		u, err := url.Parse(o)
		if err != nil || o != "https://"+u.Host || u.Hostname() != domain && !strings.HasSuffix(u.Hostname(), "."+domain) {
			return fmt.Errorf("appliance: passkey_origins: %q is neither https://host of %s nor %sHASH", o, domain, androidOrigin)
		}
	}
	return nil
}
