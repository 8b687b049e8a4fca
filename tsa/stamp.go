package tsa

import (
	"context"
	"crypto"
	"errors"
	"math"
	"slices"
	"time"

	"sigillo/formats/cms"
)

// Respond answers a TimeStampReq with a TimeStampResp, always: with the token, or
// with the reason why there is none (RFC 3161 §2.4.2). account is who asked, for
// the archive.
func (u *Unit) Respond(ctx context.Context, reqDER []byte, account string) []byte {
	req, refusal := cms.ParseTimestampRequest(reqDER)
	if refusal != nil {
		return u.refuse(ctx, account, fail(BadRequest, refusal, "the request is wrong"))
	}
	token, err := u.issue(ctx, req, account)
	if err != nil {
		return u.refuse(ctx, account, err)
	}
	return cms.MarshalResponse(token)
}

// Stamp makes a token over a digest for the appliance itself, with the
// certificates inside.
func (u *Unit) Stamp(ctx context.Context, h crypto.Hash, digest []byte, account string) ([]byte, error) {
	if cms.HashOID(h) == nil || len(digest) != h.Size() {
		err := fail(BadRequest, &cms.Refusal{FailureInfo: cms.BadDataFormat, Text: "not a digest of the algorithm"}, "the digest to stamp is wrong")
		u.note(ctx, account, err)
		return nil, err
	}
	token, err := u.issue(ctx, &cms.TimestampRequest{Hash: h, Imprint: digest, CertReq: true}, account)
	if err != nil {
		u.note(ctx, account, err)
		return nil, err
	}
	return token, nil
}

func (u *Unit) refuse(ctx context.Context, account string, err *Error) []byte {
	u.note(ctx, account, err)
	return cms.MarshalRefusal(Refusal(err))
}

func (u *Unit) note(ctx context.Context, account string, err *Error) {
	if u.cfg.OnRefusal != nil {
		u.cfg.OnRefusal(ctx, account, err)
	}
}

// issue is the one place where a time-stamp is made.
func (u *Unit) issue(ctx context.Context, req *cms.TimestampRequest, account string) ([]byte, *Error) {
	// 1. The request asks for something this unit does (RFC 3161 §2.4.1).
	if !slices.Contains(u.cfg.Hashes, req.Hash) {
		return nil, fail(UnacceptedHash, nil, "this unit does not stamp %v digests", req.Hash)
	}
	if len(req.Policy) > 0 && !req.Policy.Equal(u.cfg.Policy) {
		return nil, fail(UnacceptedPolicy, nil, "this unit stamps under policy %v", u.cfg.Policy)
	}
	// 2. A time that is vouched for and a serial number that nothing else will ever
	// have. Durable: that the number is taken.
	at, serial, refused := u.take(ctx)
	if refused != nil {
		return nil, refused
	}
	// 3. The TSTInfo with imprint and nonce as they came, signed (RFC 3161 §2.4.2).
	p, err := u.prepare(req, at, serial)
	if err != nil {
		return nil, fail(Unavailable, err, "the time-stamp could not be made")
	}
	token, err := u.sign(p)
	if err != nil {
		return nil, fail(Unavailable, err, "the key of the unit is not available")
	}
	// 4. The archive has it. Durable: the token. Only now may anyone see it.
	err = u.cfg.Archive.Put(ctx, Stamped{
		Serial: serial, Unit: u.cfg.Name, Hash: req.Hash, Imprint: req.Imprint, GenTime: at, Account: account, DER: token,
	})
	if err != nil {
		return nil, fail(Unavailable, err, "the archive of the unit is not available")
	}
	return token, nil
}

// take chooses the time and the serial number of the next stamp.
func (u *Unit) take(ctx context.Context) (at time.Time, serial int64, refused *Error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	// The numbers come first: reserving may take a while, and the time is to be the
	// time of the stamp.
	if u.next >= u.end {
		if err := u.reserve(ctx); err != nil {
			return at, 0, fail(Unavailable, err, "the serial numbers of the unit are not available")
		}
	}
	at, err := u.cfg.Clock.Now(ctx)
	if err != nil {
		return at, 0, fail(TimeNotAvailable, err, "the time cannot be shown to be right")
	}
	at = at.UTC().Truncate(time.Millisecond)
	if at.Before(u.last) {
		return at, 0, fail(TimeNotAvailable, nil, "the clock is behind a time that was already stamped")
	}
	if at.Before(u.from) || at.After(u.to) {
		return at, 0, fail(NotValid, nil, "the key of this unit is outside its period of use")
	}
	u.last = at
	serial = u.next
	u.next++
	return at, serial, nil
}

// reserve gets the next block, and does not trust it blindly: a store that was set
// back would give numbers a second time.
func (u *Unit) reserve(ctx context.Context) error {
	first, err := u.cfg.Serials.Reserve(ctx, u.cfg.Name, serialBlock)
	if err != nil {
		return err
	}
	if first < 1 || first < u.end || first > math.MaxInt64-serialBlock {
		return errors.New("the serial numbers that were reserved run backwards; the store was set back")
	}
	u.next, u.end = first, first+serialBlock
	return nil
}
