package vault

import (
	"time"

	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/store"
	"sigillo/tsa/clock"
)

const (
	// MaxDigests is the most digests one SAD may be for: as many as fit, with
	// signatures of the longest key, in one frame.
	MaxDigests = 1024
	// SADLife is how long a SAD is good for.
	SADLife = 5 * time.Minute
)

// Factors is what the vault needs to check a holder. It is opaque to everybody
// else: keep its JSON and give it back unchanged. It holds no secret in the
// clear, and a change of any field is noticed. A holder has one Factors record
// at a time; an older one is refused.
type Factors struct {
	Version  int         `json:"version"`
	Holder   string      `json:"holder"`
	Username string      `json:"username"`
	Salt     []byte      `json:"salt"`
	Argon    auth.Argon2 `json:"argon2"`
	// Verifier is the token's MAC over a value derived from the stretched
	// password. Without the token it cannot be tried against a dictionary.
	Verifier []byte `json:"verifier"`
	// Devices are the holder's second factors, in the order they were added.
	Devices []Device `json:"devices,omitempty"`
	// OTP are the secrets of the devices, sealed together by the token.
	OTP []byte `json:"otp"`
	MAC []byte `json:"mac"`
}

// Credential is a holder's key as it rests: wrapped, with its policy. A change
// of any field is noticed.
type Credential struct {
	ID         string      `json:"id"`
	Holder     string      `json:"holder"`
	Epoch      int         `json:"epoch"` // rises when the wrapping is renewed
	Type       hsm.KeyType `json:"type"`
	PublicKey  []byte      `json:"publicKey"`  // SubjectPublicKeyInfo, DER
	MaxDigests int         `json:"maxDigests"` // most digests in one SAD
	// Automatic: for the automatic procedure. Only such a credential can be delegated,
	// and the policy of its certificate says so.
	Automatic bool `json:"automatic,omitempty"`
	// Graphometric: released by a match of the holder's handwritten signature and the
	// presence of an operator, instead of password and second factor.
	Graphometric bool   `json:"graphometric,omitempty"`
	Wrapped      []byte `json:"wrapped"`
	MAC          []byte `json:"mac"`
}

// Enrolment asks for the factors of a new holder. The password must pass
// [auth.CheckPassword]. The client wipes Password after sending it.
type Enrolment struct {
	Holder   string `json:"holder"`
	Username string `json:"username"`
	Password []byte `json:"password"`
	// Activation is the code of a holder who was recovered, see [Client.Recover].
	Activation string `json:"activation,omitempty"`
}

// Evidence is what a holder presents to be recognised: the password and one second
// factor. The second factor is used up by being right. The client wipes Password
// after sending it.
type Evidence struct {
	Password []byte `json:"password"`
	// OTP is the code of one of the holder's devices, one that was sent, or a recovery
	// code.
	OTP string `json:"otp,omitempty"`
	// Passkey is what the holder's passkey answered to [Client.Challenge], instead of an
	// OTP: the JSON of PublicKeyCredential.
	Passkey []byte `json:"passkey,omitempty"`
	// Browser is what the vault gave a browser when the holder signed in, see
	// [Recognition]. Empty for one it does not know.
	Browser string `json:"browser,omitempty"`
	// Client names the face or application that asks, and from where: for the journal.
	Client string `json:"client,omitempty"`
	// Capture is the holder's handwritten signature, instead of all the above but Client:
	// for an [Authorisation] with a graphometric credential, and nothing else.
	Capture *Captured `json:"capture,omitempty"`
}

// NewCredential asks for a key of a holder. MaxDigests is 1 to [MaxDigests].
type NewCredential struct {
	Factors Factors `json:"factors"`
	Evidence
	ID         string      `json:"id"` // at most 64 characters: it is the CN of the CSR
	Type       hsm.KeyType `json:"type"`
	MaxDigests int         `json:"maxDigests"`
	Automatic  bool        `json:"automatic,omitempty"` // for the automatic procedure
}

// Authentication asks whether the holder is who they say they are. The zero
// Factors stand for a user who does not exist: the answer is WrongPassword, after
// the same stretching.
type Authentication struct {
	Factors Factors `json:"factors"`
	Evidence
}

// Authorisation asks for a SAD over exactly these digests with this credential.
// Hash is "SHA-256", "SHA-384" or "SHA-512". Request names the transaction: sent
// again with the same content and the same OTP it gets the same SAD, with other
// content it is refused. Confirmed is a SHA-256 over what the holder was shown about the
// documents and has confirmed; empty where there was nothing to confirm. The SAD says
// it, and the journal.
type Authorisation struct {
	Factors    Factors    `json:"factors"`
	Credential Credential `json:"credential"`
	Evidence
	Hash      string   `json:"hash"`
	Digests   [][]byte `json:"digests"`
	Confirmed []byte   `json:"confirmed,omitempty"`
	// Documents: the digests are of documents, not of data to be signed. See [Activation].
	Documents bool `json:"documents,omitempty"`
	// Application is the outside application that asks; empty: the service itself. A
	// code that is sent, or a challenge, for an Authorisation that names one and has no
	// Digests is good for any digests that this application has authorised with this
	// credential, see [Client.SendCode].
	Application string `json:"application,omitempty"`
	Request     string `json:"request"`
}

// SAD is signature activation data: who has it, together with the digests it
// was made for, can have each of them signed once until Expires. It is kept in
// memory only.
type SAD struct {
	Token   string    `json:"token"`
	ID      string    `json:"id"` // what the journal calls it; no secret
	Expires time.Time `json:"expires"`
}

// Activation asks for the signatures a SAD allows: over all its digests or some of
// them, in the order given here. Scheme is "pkcs1" or "pss" (salt as long as the
// hash) for RSA, "ecdsa" for elliptic curves. Each digest of the SAD's multiset is
// signed once, over any number of activations, until none is left or the SAD
// expires. A Request that is sent again gets the same signatures; another one for
// digests that are signed gets SpentSAD.
type Activation struct {
	SAD        string     `json:"sad"`
	Credential Credential `json:"credential"`
	Hash       string     `json:"hash"`
	Digests    [][]byte   `json:"digests"`
	// Documents are, with a SAD over documents, what is used up of it: the digest of the
	// document for each of Digests, which the service has prepared. Nil with any other.
	Documents [][]byte `json:"documents,omitempty"`
	Scheme    string   `json:"scheme"`
	Request   string   `json:"request"`
}

// Status says how the vault is.
type Status struct {
	Node        string    `json:"node"`
	Since       time.Time `json:"since"`
	Token       hsm.Info  `json:"token"`
	Provision   bool      `json:"provision"`   // infrastructure keys may be created
	Connections int       `json:"connections"` // open at the moment
	Unfinished  int       `json:"unfinished"`  // intents without a result
	MemoryLock  bool      `json:"memoryLock"`  // memory is never swapped out

	// Confinement says what the vault does to be closed to others, and what of it the
	// system does not let it do.
	Confinement []Measure `json:"confinement"`

	// Journal is the last signed checkpoint of the vault's journal, for others to
	// keep: with it they notice a vault whose state was set back. Seq is 0 while
	// there is none.
	Journal store.Checkpoint `json:"journal"`
}

// Config says how a vault runs.
type Config struct {
	// Socket is the path of the Unix socket. Its directory must exist. The
	// socket is made with mode 0600 and answers only processes of Peers.
	Socket string
	// Peers are the users whose processes may connect, by number; none: the vault's
	// own. Others than root need a way to the socket, too.
	Peers []uint32
	// StateDB is the path of the vault's own database. Without it the vault cannot
	// know which OTPs were used and which serial numbers were given, so it refuses
	// to start, with Kind Lost, but in provisioning: put it back from a backup.
	StateDB string
	// Module is the path of the PKCS#11 library, Token the label of the token.
	// Arguments is given to the library when it starts, see [hsm.Config].
	Module, Arguments, Token string
	// PINFile holds the token's user PIN, with or without a line end. Only its
	// owner may be able to read it.
	PINFile string
	// Node names this node. A SAD is good only at the node that minted it.
	Node string
	// Provision lets keys be created: the vault's own at the start, and those
	// of [Client.CreateKey]. For the ceremony only.
	Provision bool
	// Argon is the cost of stretching the passwords of new holders; zero means
	// [auth.DefaultArgon2]. Lower it in tests only.
	Argon auth.Argon2
	// TSA makes the vault the back end of the time-stamping authority; nil: it is
	// not. With it the keys of time-stamping units, tsu-1 and so on, sign nothing
	// but time-stamps: they are out of reach of [Client.CreateKey] and
	// [Client.Signer].
	TSA *TSAConfig
	// Confine has the process give up, for good, all that a vault that serves does not
	// need. Only a process that is a vault and nothing else may ask for it.
	Confine bool
	// Network lets a confined vault reach what is outside of it, for the module of a
	// network HSM, or one that speaks with a service on this machine.
	Network bool
	// Files are the files and folders that the module works in. Those of SoftHSM and
	// NSS are known.
	Files []string
	// Courier carries codes to holders' phones; nil: there are none.
	Courier Courier
	// RPID is the domain passkeys are bound to (WebAuthn Level 3 §5.1.2), and Origins
	// are the web origins they are used from ("https://sign.example.org"). Without them
	// there are no passkeys.
	RPID    string
	Origins []string
	// Signatures names what is demanded of handwritten signatures: "standard" (or empty),
	// "high" or "highest", see [graphometric.Policy].
	Signatures string
	// Impostors has a signature that matched compared with the profile of somebody else,
	// drawn at random, too: what is counted says how often that would match, and nothing is
	// kept of whom. It is a use of people's data of its own, so ask them.
	Impostors bool
	// Breached is the path of a list of passwords nobody may choose, in the form of
	// Have I Been Pwned: sorted lines of SHA-1 in hexadecimal, a colon and a number.
	// Empty: there is none but the short one of package auth.
	Breached string
	// Now is the clock of everything but time-stamps; nil means [time.Now].
	Now func() time.Time

	hangLimit  time.Duration                 // for tests: instead of the constant
	token      token                         // for tests: instead of one that is opened
	boot       string                        // for tests: this start of the machine
	timekeeper func(clock.Config) timekeeper // for tests: instead of a gate
}
