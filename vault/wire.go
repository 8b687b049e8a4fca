package vault

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"time"

	"sigillo/hsm"
)

// The protocol. A connection carries requests and answers in turn, one at a
// time. Each is a frame: a length of four bytes, big-endian, then as many bytes
// of JSON. A request names its operation and carries an identifier that the
// answer repeats. Byte strings are base64.

const (
	maxFrame = 1 << 20
	maxID    = 64 // bytes of a frame's identifier
	// maxValues bounds what a request becomes in memory: of each of two bytes, such as an
	// empty record in a list, a hundred and more can be made. The longest request has some
	// thousand digests.
	maxValues = 1 << 13
)

// The operations.
const (
	opStatus             = "status"
	opSelfTest           = "self-test"
	opCreateKey          = "create-key"
	opPublicKey          = "public-key"
	opSignDigest         = "sign-digest"
	opEnrol              = "enrol"
	opCreateCredential   = "create-credential"
	opAuthenticate       = "authenticate"
	opAuthorise          = "authorise"
	opSign               = "sign"
	opExtendSAD          = "extend-sad"
	opDestroyCredential  = "destroy-credential"
	opDelegate           = "delegate"
	opDelegations        = "delegations"
	opRevokeDelegation   = "revoke-delegation"
	opAuthoriseDelegated = "authorise-delegated"
	opWitnessJournal     = "witness-journal"
	opTSAPassphrase      = "tsa-passphrase"
	opTSAMake            = "tsa-make-unit"
	opTSAInstall         = "tsa-install-unit"
	opTSAActivate        = "tsa-activate-unit"
	opTSAStop            = "tsa-stop-unit"
	opTSARetire          = "tsa-retire-unit"
	opTSAStatus          = "tsa-status"
	opTSALift            = "tsa-lift-clock"
	opTSAWitness         = "tsa-witness"
	opStampStream        = "stamp-stream" // see orders.go

	opRegisterTablet     = "counter-register-tablet"
	opRevokeTablet       = "counter-revoke-tablet"
	opTablets            = "counter-tablets"
	opOpenCapture        = "counter-open-capture"
	opArmCapture         = "counter-arm-capture"
	opEnrolCapture       = "counter-enrol-capture"
	opRemoveCapture      = "counter-remove-capture"
	opFinishEnrolment    = "counter-finish-enrolment"
	opCloseCapture       = "counter-close-capture"
	opProfiles           = "counter-profiles"
	opRollBackProfile    = "counter-roll-back-profile"
	opDestroyProfile     = "counter-destroy-profile"
	opGraphometricReport = "counter-report"

	opMeans          = "factors-means"
	opAdoptFactors   = "factors-adopt"
	opAddDevice      = "factors-add-device"
	opConfirmDevice  = "factors-confirm-device"
	opRemoveDevice   = "factors-remove-device"
	opResynchronise  = "factors-resynchronise"
	opRecoveryCodes  = "factors-recovery-codes"
	opChangePassword = "factors-change-password"
	opRecover        = "factors-recover"
	opSendActivation = "factors-send-activation"
	opForgetBrowsers = "factors-forget-browsers"
	opChallenge      = "factors-challenge"
	opPasskeyOptions = "factors-passkey-options"
	opSendCode       = "factors-send-code"
)

type request struct {
	ID   string          `json:"id"`
	Op   string          `json:"op"`
	Body json.RawMessage `json:"body,omitempty"`
}

type answer struct {
	ID    string          `json:"id"`
	Error *wireError      `json:"error,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
}

type wireError struct {
	Kind  Kind   `json:"kind"`
	Msg   string `json:"msg"`
	Retry int64  `json:"retryAfterMs,omitempty"`
	Left  int    `json:"left,omitempty"`

	Reason string `json:"reason,omitempty"`
}

type keyRequest struct {
	Label string      `json:"label"`
	Type  hsm.KeyType `json:"type,omitempty"`
}

type keyAnswer struct {
	SPKI []byte `json:"spki"`
}

type digestRequest struct {
	Label  string `json:"label"`
	Hash   string `json:"hash"`
	PSS    bool   `json:"pss,omitempty"`
	Digest []byte `json:"digest"`
}

type signatureAnswer struct {
	Signature []byte `json:"signature"`
}

type signaturesAnswer struct {
	Signatures [][]byte `json:"signatures"`
}

type enrolAnswer struct {
	Factors Factors `json:"factors"`
	URI     string  `json:"uri"`
}

type credentialAnswer struct {
	Credential Credential `json:"credential"`
	CSR        []byte     `json:"csr"`
}

type installRequest struct {
	Name        string   `json:"name"`
	Certificate []byte   `json:"certificate"`
	Chain       [][]byte `json:"chain,omitempty"`
}

type unitRequest struct {
	Name    string  `json:"name,omitempty"`
	Reason  string  `json:"reason,omitempty"`
	Consent Consent `json:"consent"`
}

type activatedAnswer struct {
	Unit   Unit   `json:"unit"`
	Ticket []byte `json:"ticket"`
}

type witnessRequest struct {
	Greatest map[string]int64 `json:"greatest"`
	Archive  Archive          `json:"archive"`
}

type streamRequest struct {
	Ticket []byte `json:"ticket,omitempty"`
}

type streamAnswer struct {
	Ticket []byte `json:"ticket,omitempty"` // of the activation that holds, if a unit is in service
}

// readFrame reads one frame. The memory it takes follows what has arrived, not
// what the length promises. io.EOF means that the other side closed between
// two frames.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > maxFrame {
		return nil, failf(BadRequest, "a frame of %d bytes; 1 to %d are allowed", n, maxFrame)
	}
	const step = 64 << 10
	buf := make([]byte, min(n, step))
	for got := 0; ; {
		m, err := io.ReadFull(r, buf[got:])
		if got += m; err != nil {
			clear(buf)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if got == n {
			return buf, nil
		}
		more := make([]byte, min(n, 2*len(buf)))
		copy(more, buf)
		clear(buf) // it may hold a password
		buf = more
	}
}

// frame returns v as a frame, ready to be written in one go.
func frame(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &Error{Kind: BadRequest, Msg: "the request cannot be encoded", Err: err}
	}
	defer clear(b)
	if len(b) > maxFrame {
		return nil, failf(BadRequest, "the message has %d bytes; %d fit in a frame: ask for fewer digests at once", len(b), maxFrame)
	}
	f := make([]byte, 4+len(b))
	binary.BigEndian.PutUint32(f, uint32(len(b)))
	copy(f[4:], b)
	return f, nil
}

// parseRequest reads the outer layer of a request.
func parseRequest(b []byte) (request, error) {
	var q request
	if bytes.Count(b, []byte{','}) > maxValues {
		return request{}, fail(BadRequest, "the request has too many values")
	}
	if err := json.Unmarshal(b, &q); err != nil {
		clear(q.Body)
		return request{}, fail(BadRequest, "the request is not valid JSON")
	}
	if q.ID == "" || len(q.ID) > maxID || q.Op == "" {
		clear(q.Body)
		return request{}, fail(BadRequest, "the request has no identifier or no operation")
	}
	return q, nil
}

// toWire strips an error of what must not leave this side.
func toWire(err error) *wireError {
	if err == nil {
		return nil
	}
	e, ok := err.(*Error)
	if !ok {
		return &wireError{Kind: Failed, Msg: "the vault failed; see its log"}
	}
	return &wireError{Kind: e.Kind, Msg: e.Msg, Retry: e.RetryAfter.Milliseconds(), Left: e.Left, Reason: e.Reason}
}

func fromWire(w *wireError) error {
	if w == nil {
		return nil
	}
	k := w.Kind
	if !kinds[k] {
		k = Failed
	}
	return &Error{Kind: k, Msg: w.Msg, RetryAfter: time.Duration(w.Retry) * time.Millisecond, Left: w.Left, Reason: w.Reason}
}
