package vault

import (
	"context"
	"time"

	"sigillo/hsm"
)

const (
	// CaptureLife is how long after it was opened a capture can be used.
	CaptureLife = 15 * time.Minute
	// ArmedLife is how long after it was armed a capture takes a signature.
	ArmedLife = 2 * time.Minute
	// MaxAttempts is how many signatures of one capture are compared with a profile.
	MaxAttempts = 3
	// maxCaptured bounds the encrypted signature: as many points as a signature may have take
	// 240 kB when every number has all its digits.
	maxCaptured = 320 << 10
)

// What a capture is for.
const (
	ToEnrol = "enrol"
	ToSign  = "sign"
)

// NewCapture opens a capture of a handwritten signature: the person stands before the
// tablet, and the operator beside it says so with a fresh second factor. Presence has a
// code of one of the operator's devices or the answer of a passkey to [Client.Challenge];
// no password, since the operator signed in with one, and no recovery code. It is used up,
// failures are counted and lock the operator out like all others.
//
// With [ToSign] the credential must be graphometric, and Hash, Digests and Confirmed are
// those that the [Authorisation] will have: the signature that is captured releases the
// key for these and no others. With [ToEnrol] they are empty.
//
// A tablet has one open capture, and so has a credential: a new one closes the one before.
// Request names the transaction, as in Authorisation.
type NewCapture struct {
	Purpose    string     `json:"purpose"`
	Operator   Factors    `json:"operator"`
	Presence   Evidence   `json:"presence"`
	Holder     string     `json:"holder"`
	Tablet     string     `json:"tablet"`
	Credential Credential `json:"credential,omitzero"`
	Hash       string     `json:"hash,omitempty"`
	Digests    [][]byte   `json:"digests,omitempty"`
	Confirmed  []byte     `json:"confirmed,omitempty"`
	Client     string     `json:"client"`
	Request    string     `json:"request"`
}

// Capture is one that is open.
type Capture struct {
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"` // [CaptureLife] after it was opened
}

// Armed is what a tablet needs to send one signature, once. All of it is public.
type Armed struct {
	Nonce     []byte `json:"nonce"`     // 32 bytes
	PublicKey []byte `json:"publicKey"` // the vault's for this signature: P-256, uncompressed point
	// Context is a SHA-256 over capture, purpose, holder, operator, tablet, key and digests.
	Context []byte `json:"context"`
	// Expires is [ArmedLife] after the vault's now. The tablet counts from there: its own
	// clock need not be right, see Captured.Started.
	Expires time.Time `json:"expires"`
}

// Captured is one signature as a tablet sends it. Nobody but the vault can read it.
//
//	Sealed    = AES-256-GCM(key, 12 zero bytes, AAD = Context, JSON of graphometric.ParseCapture)
//	key       = HKDF-SHA-256(ECDH(ephemeral, PublicKey), salt = Nonce, info = "sigillo capture v1" ‖ Context), 32 bytes
//	Signature = ECDSA P-256 with the tablet's key over SHA-256 of
//	            "sigillo capture v1" ‖ Nonce ‖ Context ‖ Started (8 bytes, big-endian) ‖ SHA-256(Ephemeral ‖ Sealed)
//
// The key is used once, so that the IV may be constant. All of it is what WebCrypto does.
type Captured struct {
	Capture   string `json:"capture"`
	Nonce     []byte `json:"nonce"`
	Ephemeral []byte `json:"ephemeral"` // the tablet's P-256 point, uncompressed
	Sealed    []byte `json:"sealed"`
	Signature []byte `json:"signature"` // r ‖ s, 64 bytes
	// Started is when the pen first touched, Unix milliseconds on the vault's clock: Expires
	// less ArmedLife, and what a monotonic clock counted since.
	Started int64 `json:"started"`
}

// EnrolStep is what became of a signature that is to be enrolled, in words for the
// operator: Reasons are those of graphometric.Advice.
type EnrolStep struct {
	Accepted bool     `json:"accepted"`
	Reasons  []string `json:"reasons,omitempty"`
	Count    int      `json:"count"` // accepted so far
	Ready    bool     `json:"ready"` // enough for FinishEnrolment
	Pause    bool     `json:"pause"` // before the next one: the person stands up, or sits anew
	Weak     bool     `json:"weak"`  // easily imitated; the operator decides
	// Odd is the number, from 1, of an accepted one that stands apart from the others: it is
	// to be removed before the enrolment is Ready. 0: none does.
	Odd    int  `json:"odd,omitempty"`
	Failed bool `json:"failed"` // too many tries: this person cannot be enrolled today
}

// FinishEnrolment makes a credential out of an enrolment that is Ready. It takes a second
// member of the staff: other factors than the operator's, and not the holder's, with a
// fresh presence as in [NewCapture].
type FinishEnrolment struct {
	Capture        string      `json:"capture"`
	Second         Factors     `json:"second"`
	SecondPresence Evidence    `json:"secondPresence"`
	Consent        []byte      `json:"consent"` // SHA-256 of the text the person has agreed to
	ID             string      `json:"id"`      // of the credential: the CN of the CSR, at most 64 characters
	Type           hsm.KeyType `json:"type"`
	MaxDigests     int         `json:"maxDigests"`
	Client         string      `json:"client"`
	Request        string      `json:"request"`
}

// OpenCapture checks the operator's presence and opens a capture. NotAllowed when the
// tablet is not registered or was revoked, or the credential is not graphometric; Locked
// when the signature was not recognised too often today, RetryAfter says how long.
func (c *Client) OpenCapture(ctx context.Context, n NewCapture) (o Capture, err error) {
	return o, c.call(ctx, opOpenCapture, n, &o)
}

// ArmCapture makes a capture ready for one signature, when the person is about to sign.
// What it was armed with before is void.
func (c *Client) ArmCapture(ctx context.Context, id string) (a Armed, err error) {
	return a, c.call(ctx, opArmCapture, captureRequest{ID: id}, &a)
}

// EnrolCapture adds a signature to an enrolment. StaleCapture: arm and sign again.
func (c *Client) EnrolCapture(ctx context.Context, s Captured) (e EnrolStep, err error) {
	return e, c.call(ctx, opEnrolCapture, s, &e)
}

// RemoveCapture takes one of the accepted signatures out of an enrolment; index counts
// from 0.
func (c *Client) RemoveCapture(ctx context.Context, capture string, index int) (e EnrolStep, err error) {
	return e, c.call(ctx, opRemoveCapture, captureRequest{ID: capture, Index: index}, &e)
}

// FinishEnrolment makes the holder's key and profile, and a PKCS#10 request (subject:
// CN=ID). The key is released by a match and an operator's presence; it hangs from a
// secret that rests in the sealed profile (escrow: the vault can use it, with the token).
func (c *Client) FinishEnrolment(ctx context.Context, f FinishEnrolment) (Credential, []byte, error) {
	var a credentialAnswer
	err := c.call(ctx, opFinishEnrolment, f, &a)
	return a.Credential, a.CSR, err
}

// CloseCapture ends a capture before its time; its signatures are wiped. One that is over,
// or forgotten, is no error.
func (c *Client) CloseCapture(ctx context.Context, id, reason string) error {
	return c.call(ctx, opCloseCapture, captureRequest{ID: id, Reason: reason}, nil)
}

type captureRequest struct {
	ID     string `json:"id"`
	Index  int    `json:"index,omitempty"`
	Reason string `json:"reason,omitempty"`
}
