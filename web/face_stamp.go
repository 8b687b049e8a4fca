package web

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/formats/cms"
	"sigillo/signing"
	"sigillo/tsa/accounts"
	"sigillo/tsa/front"
)

const stampPagePath = "/stamp"

// routeStampPage opens the page on which a person stamps a file: the digest is
// computed in the browser, and the file stays where it is.
func (s *Server) routeStampPage() {
	if s.cfg.Stamps == nil {
		return
	}
	door := s.signedIn
	switch s.cfg.StampPage {
	case StampPageHolders:
	case StampPagePublic:
		door = s.withHolder
	default:
		return
	}
	s.app.Get(stampPagePath, door(s.stampPage))
	s.app.Post(stampPagePath, door(s.stampFile))
}

// withHolder shows who is signed in on a page that does not ask for it.
func (s *Server) withHolder(next fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if token := s.cookie(c, sessionCookie); token != "" {
			_ = s.session(c, token) // nobody is signed in: the page is shown all the same
		}
		return next(c)
	}
}

type stampPageData struct {
	Hashes []stampHash
	Counts bool  // how many are left is known and told
	Left   int64 // -1: they are not counted
	Policy string
	Base   string // of this server's addresses
	State  string // of the clock
}

type stampHash struct{ Name, Label string }

// pageHashes are the digests that the page computes, by the name that the
// script and the form use.
var pageHashes = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

func (s *Server) newStampPage(c *fiber.Ctx) view {
	s.ensureFormCookie(c)
	p := s.cfg.Stamps.Publication(c.UserContext())
	data := stampPageData{State: clockState(p), Base: s.address(c),
		Hashes: []stampHash{{"sha256", "SHA-256"}, {"sha384", "SHA-384"}, {"sha512", "SHA-512"}}}
	data.Left, data.Counts = s.stampsLeft()
	if len(p.Policies) > 0 {
		data.Policy = p.Policies[0].Name
	}
	return s.newView(c, "stamp", current(c).locale.T("stamp.title"), data)
}

// stampsLeft is what the page's account has left, -1 for unlimited. On a public
// page nobody is told: the account is shared by strangers.
func (s *Server) stampsLeft() (left int64, told bool) {
	if s.cfg.StampPage != StampPageHolders {
		return 0, false
	}
	st, err := s.cfg.Stamps.StatementOf(s.cfg.StampAccount)
	if err != nil {
		return 0, false
	}
	if st.Unlimited {
		return -1, true
	}
	return st.Left, true
}

func (s *Server) stampPage(c *fiber.Ctx) error { return s.render(c, s.newStampPage(c)) }

// stamped is what the script of the page is told.
type stamped struct {
	Response string `json:"response"` // TimeStampResp, base64
	Token    string `json:"token"`    // the token alone, base64
	Time     string `json:"time"`     // for people
	Moment   string `json:"moment"`   // RFC 3339
	Serial   string `json:"serial"`
	Policy   string `json:"policy"`
	Digest   string `json:"digest"`
	Left     *int64 `json:"left"` // null: not counted, or not told
}

// stampFile stamps a digest. The script of the page asks for JSON; a browser
// without it gets the answer as a file.
func (s *Server) stampFile(c *fiber.Ctx) error {
	f, err := s.checkedForm(c)
	if err != nil {
		return err
	}
	h := pageHashes[f.get("hash")]
	digest, err := hex.DecodeString(strings.ToLower(strings.Join(strings.Fields(f.get("digest")), "")))
	if h == 0 || err != nil || len(digest) != h.Size() {
		return s.stampAgain(c, fail(BadDigest, "not a digest of the chosen algorithm", err))
	}
	response, err := s.askStamp(c, h, digest)
	if err != nil {
		return s.stampAgain(c, err)
	}
	parsed, err := cms.ParseResponse(response)
	if err != nil || parsed.Token == nil {
		return s.stampAgain(c, stampRefusal(parsed, err))
	}
	if !wantsJSON(c) {
		c.Set(fiber.HeaderContentType, mediaStampReply)
		c.Set(fiber.HeaderContentDisposition, attachment(hex.EncodeToString(digest[:8])+".tsr"))
		return c.Send(response)
	}
	token, err := cms.ParseToken(parsed.Token)
	if err != nil {
		return fail(Kind(signing.Internal), "a token that we gave cannot be read", err)
	}
	out := stamped{Response: base64.StdEncoding.EncodeToString(response), Token: base64.StdEncoding.EncodeToString(parsed.Token),
		Time: current(c).locale.Time(token.Info.GenTime), Moment: token.Info.GenTime.UTC().Format(time.RFC3339Nano), Serial: token.Info.SerialNumber.String(),
		Policy: token.Info.Policy.String(), Digest: hex.EncodeToString(digest)}
	if left, told := s.stampsLeft(); told && left >= 0 {
		out.Left = &left
	}
	return c.JSON(out)
}

// stampAgain tells a refusal to the script, or on the page.
func (s *Server) stampAgain(c *fiber.Ctx, err error) error {
	if wantsJSON(c) {
		return err
	}
	return s.again(c, s.newStampPage(c), err)
}

// askStamp has the digest stamped: for a holder on the account of the page, for
// others as what they would be at /tsa.
func (s *Server) askStamp(c *fiber.Ctx, h crypto.Hash, digest []byte) ([]byte, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	request, err := cms.MarshalTimestampRequest(h, digest, new(big.Int).SetBytes(random[:]), true)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), stampTimeout)
	defer cancel()
	if s.cfg.StampPage == StampPageHolders {
		return s.cfg.Stamps.AnswerFor(ctx, s.cfg.StampAccount, request), nil
	}
	// Neither credentials nor a certificate: a browser sends those by itself, and
	// the page must not use what its reader did not mean to use.
	addr, _ := s.client(c.Context())
	response, err := s.cfg.Stamps.AnswerUnder(ctx, "", accounts.Caller{Addr: addr}, request)
	if err != nil {
		return nil, fail(NotPermitted, "there are no stamps without an account", err)
	}
	return response, nil
}

// stampRefusal gives the refusal of the authority as a problem of the page.
func stampRefusal(r *cms.Response, err error) error {
	if err != nil || r.Refusal == nil {
		return fail(Kind(signing.Internal), "the answer of the authority cannot be read", err)
	}
	switch r.Refusal.FailureInfo {
	case cms.TimeNotAvailable:
		return fail(StampNoTime, "time-stamp refused", r.Refusal)
	case cms.BadRequest:
		return fail(StampNotPermitted, "time-stamp refused", r.Refusal)
	case cms.BadAlg:
		return fail(BadDigest, "time-stamp refused", r.Refusal)
	}
	return fail(StampFailed, "time-stamp refused", r.Refusal)
}

// StampsLeft says how many stamps are left, in words.
func (v view) StampsLeft(st front.Statement) string {
	if st.Unlimited {
		return v.T("account.unlimited")
	}
	return v.N("account.left", int(st.Left), "count", strconv.FormatInt(st.Left, 10))
}
