// Package signing is the main job: a document comes in, is inspected and
// shown, its holder authorises the signature, and a signed, time-stamped and
// self-verified file goes out.
//
// The walk is one way, and each step is durable before the next begins:
//
//	Upload   bytes on disk, hashed, inspected in a disposable process, every
//	         page drawn for the holder and its image's hash journalled
//	Prepare  data to be signed fixed for every document of the transaction
//	Sign     factors to the vault → SAD → signatures → time-stamps →
//	         assembled files → own validation says TOTAL_PASSED → delivered
//
// A transaction holds one or more documents under one authorisation: the SAD
// that the vault mints binds exactly their digests, so the holder types one
// OTP for all of them and nothing else can be signed with it.
//
// What a crash leaves behind is settled by Resolve at start-up, and what a
// fault leaves behind by Settle every minute: a transaction whose signatures
// are durable is finished, one that was only authorised goes back to prepared
// (the SAD died with the request) and its holder is asked again. One whose
// signed file our own validation refuses is failed. Nothing is dropped
// silently; each outcome is in the journal.
package signing

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base32"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"sigillo/audit"
	"sigillo/formats/inspect"
	"sigillo/signing/clamd"
	"sigillo/store"
	"sigillo/vault"
)

// Activator is the vault as this room uses it.
type Activator interface {
	Authorise(ctx context.Context, a vault.Authorisation) (vault.SAD, error)
	Sign(ctx context.Context, a vault.Activation) ([][]byte, error)
}

// Certificates tells about the certificates we issued.
type Certificates interface {
	Status(ctx context.Context, serial string) (store.CertState, error)
	Chain(cert *x509.Certificate) []*x509.Certificate
	Roots() []*x509.Certificate
	// CRLs gives the current revocation list of every CA of the house.
	CRLs(ctx context.Context) ([][]byte, error)
	// StatusOf gives an OCSPResponse about a certificate we issued, made now.
	StatusOf(ctx context.Context, cert *x509.Certificate) ([]byte, error)
}

// Stamper makes time-stamp tokens (RFC 3161).
type Stamper interface {
	Stamp(ctx context.Context, h crypto.Hash, digest []byte, account string) (token []byte, err error)
	MaxTokenSize() int
}

// Inspector looks for content that can change what a document shows. It can't
// fail: what it can't inspect it refuses.
type Inspector func(ctx context.Context, path, name string) inspect.Report

// Antivirus is a second opinion on a document that the inspection would let pass.
// It can't fail: what it can't say is no answer, and then the inspection decides.
type Antivirus func(ctx context.Context, path string) clamd.Answer

// Config is all that a Service needs.
type Config struct {
	DB           *store.DB
	Vault        Activator
	Certificates Certificates
	Stamper      Stamper
	Viewer       Viewer
	Inspect      Inspector
	Policy       *inspect.Policy // by which reports are judged; nil: the standard one
	Antivirus    Antivirus       // nil: there is none
	Dir          string          // private folder for documents and results
	Scratch      string          // private folder for what its owner may throw away after a day: page images, refused documents; "" for one in Dir
	MaxUpload    int64           // bytes; 0 means DefaultMaxUpload
	Hash         crypto.Hash
	Now          func() time.Time
	Log          *slog.Logger
}

// DefaultMaxUpload is the largest document taken unless configured: 200 MB.
const DefaultMaxUpload = 200_000_000

// Service does the main job. It is safe for concurrent use.
type Service struct {
	cfg       Config
	finishing singleflight.Group // by transaction
	drawing   singleflight.Group // by document
	judges    judgeKeeper
	inFlight  sync.Map // transactions between factors and signature, in this process
	unpassed  sync.Map // transactions whose validation has to be tried later
	turns     *turns   // of inspections, drawings and conversions
}

// New prepares the folders and returns the service. Call Resolve once before
// serving.
func New(cfg Config) (*Service, error) {
	if cfg.MaxUpload == 0 {
		cfg.MaxUpload = DefaultMaxUpload
	}
	if cfg.Hash == 0 {
		cfg.Hash = crypto.SHA256
	}
	if cfg.Policy == nil {
		cfg.Policy = inspect.Standard()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Scratch == "" {
		cfg.Scratch = filepath.Join(cfg.Dir, "scratch")
	}
	for _, d := range []string{"incoming", "documents", "signed"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, d), 0o700); err != nil {
			return nil, &Error{Kind: Internal, Msg: "cannot make the document folder", Err: err}
		}
	}
	return &Service{cfg: cfg, turns: newTurns(2 * runtime.NumCPU())}, nil
}

func (s *Service) path(parts ...string) string {
	return filepath.Join(append([]string{s.cfg.Dir}, parts...)...)
}

// journal writes one entry in a transaction of its own.
func (s *Service) journal(ctx context.Context, ev audit.Event) error {
	return fromStore(s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		return audit.Append(tx, s.cfg.Now(), ev)
	}))
}

// newID makes an unguessable identifier: 130 bits, lower-case base32.
func newID() string {
	var b [17]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:26]
}
