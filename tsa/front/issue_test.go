package front

import (
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// The order is the promise: nothing is asked before it is paid for, nothing leaves
// before it is recorded.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	out, err := r.Answer(t.Context(), accounts.Caller{}, query(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.steps.list, " "); got != "take stamp append" {
		t.Errorf("order: %s", got)
	}
	e := r.ledger.entries[0]
	if !bytes.Equal(out, cms.MarshalResponse(e.Token)) || !bytes.Contains(out, e.Imprint) {
		t.Errorf("answered %x, recorded %x", out, e.Token)
	}
	if e.Account != "a-1" || e.Lot != "lot-1" || e.Unit != "u1" || e.Serial != 1 || e.Hash != crypto.SHA256 || !bytes.Equal(e.Nonce, []byte{0x12, 0x34}) {
		t.Errorf("recorded %+v", e)
	}
}

// Every refusal says in a TimeStampResp what to do, and never what is inside.
func TestRefusals(t *testing.T) {
	t.Parallel()
	good := query(t, nil)
	for name, c := range map[string]struct {
		change  func(*rig)
		request []byte
		info    cms.FailureInfo
		text    string
		steps   string
		count   string
		logged  bool
	}{
		"noise": {nil, []byte("GET / HTTP/1.1"), cms.BadDataFormat, "TimeStampReq", "", "bad-request", false},
		"empty": {nil, nil, cms.BadDataFormat, "", "", "bad-request", false},
		"no stamps left": {func(r *rig) { r.book.empty = &accounts.Error{Kind: accounts.Exhausted, Msg: "x"} }, good,
			cms.BadRequest, "no stamps left", "take", "exhausted", false},
		"too fast": {func(r *rig) { r.book.empty = &accounts.Error{Kind: accounts.RateLimited, Msg: "x"} }, good,
			cms.BadRequest, "slow down", "take", "rate-limited", false},
		"suspended": {func(r *rig) {
			r.book.refuse = &accounts.Error{Kind: accounts.NotPermitted, Msg: "the account is suspended"}
		}, good, cms.BadRequest, "the account is suspended", "", "not-permitted", false},
		"accounts fail": {func(r *rig) { r.book.refuse = &accounts.Error{Kind: accounts.Failed, Msg: "secret", Err: errDisk} }, good,
			cms.SystemFailure, "try again later", "", "unavailable", true},
		"unknown policy": {nil, query(t, asn1.ObjectIdentifier{1, 2, 3}), cms.UnacceptedPolicy, "leave it out", "", "unaccepted-policy", false},
		"clock": {func(r *rig) { r.backend.err = &tsa.Error{Kind: tsa.TimeNotAvailable, Msg: "no time"} }, good,
			cms.TimeNotAvailable, "no time", "take stamp", "time-not-available", true},
		"back end away": {func(r *rig) { r.backend.err = errDisk }, good, cms.SystemFailure, "try again later", "take stamp", "unavailable", true},
		"mixed up":      {func(r *rig) { r.backend.mixed = true }, good, cms.SystemFailure, "another request", "take stamp", "unavailable", true},
		"ledger full": {func(r *rig) { r.ledger.err = &ledger.Error{Kind: ledger.Full, Msg: "secret", Err: errDisk} }, good,
			cms.SystemFailure, "could not be recorded", "take stamp append", "not-recorded", true},
		"ledger not ready": {func(r *rig) { r.ledger.unready = &ledger.Error{Kind: ledger.Full, Msg: "secret", Err: errDisk} }, good,
			cms.SystemFailure, "could not be recorded", "", "not-recorded", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.change != nil {
				c.change(r)
			}
			out, err := r.Answer(t.Context(), accounts.Caller{Username: "a"}, c.request)
			if err != nil {
				t.Fatal(err)
			}
			got := answered(t, out)
			if got.FailureInfo != c.info || !strings.Contains(got.Text, c.text) || strings.Contains(got.Text, "secret") {
				t.Errorf("refused with %v, %q", got.FailureInfo, got.Text)
			}
			if steps := strings.Join(r.steps.list, " "); steps != c.steps || len(r.ledger.entries) != 0 {
				t.Errorf("steps %q, %d recorded", steps, len(r.ledger.entries))
			}
			var m strings.Builder
			r.WriteMetrics(&m)
			if !strings.Contains(m.String(), `sigillo_tsa_refused_total{reason="`+c.count+`"} 1`) {
				t.Errorf("not counted as %s:\n%s", c.count, m.String())
			}
			if logged := r.log.Len() > 0; logged != c.logged {
				t.Errorf("logged: %s", r.log)
			}
		})
	}
}

// Only who must first say who he is gets an error, for the transport to ask.
func TestUnknownCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.book.refuse = &accounts.Error{Kind: accounts.Unknown, Msg: "nobody"}
	out, err := r.Answer(t.Context(), accounts.Caller{}, query(t, nil))
	if out != nil || accounts.KindOf(err) != accounts.Unknown || len(r.steps.list) != 0 {
		t.Fatalf("%x, %v, %v", out, err, r.steps.list)
	}
}

// The account, the address and the request each have a word about the policy.
func TestPolicy(t *testing.T) {
	t.Parallel()
	one, two := query(t, oidOne), query(t, oidTwo)
	none := query(t, nil)
	for name, c := range map[string]struct {
		allowed []asn1.ObjectIdentifier
		address string
		request []byte
		want    asn1.ObjectIdentifier // nil with ok: handed on as it came
		ok      bool
	}{
		"default":                     {nil, "", none, nil, true},
		"named in the request":        {nil, "", two, oidTwo, true},
		"named by the address":        {nil, "second", none, oidTwo, true},
		"address of the default":      {nil, "default", none, nil, true},
		"both, the same":              {nil, "second", two, oidTwo, true},
		"both, another":               {nil, "second", one, nil, false},
		"no such address":             {nil, "third", none, nil, false},
		"allowed":                     {[]asn1.ObjectIdentifier{oidTwo}, "", two, oidTwo, true},
		"not allowed":                 {[]asn1.ObjectIdentifier{oidTwo}, "", one, nil, false},
		"address not allowed":         {[]asn1.ObjectIdentifier{oidTwo}, "2013", none, nil, false},
		"the only one it may have":    {[]asn1.ObjectIdentifier{oidTwo}, "", none, oidTwo, true},
		"default among those it may":  {[]asn1.ObjectIdentifier{oidTwo, oidOne}, "", none, nil, true},
		"may have nothing that is on": {[]asn1.ObjectIdentifier{{1, 2, 3}}, "", none, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.book.account.Policies = c.allowed
			out, err := r.AnswerUnder(t.Context(), c.address, accounts.Caller{}, c.request)
			if err != nil {
				t.Fatal(err)
			}
			if !c.ok {
				if got := answered(t, out); got.FailureInfo != cms.UnacceptedPolicy || len(r.steps.list) != 0 {
					t.Errorf("%v after %v", got, r.steps.list)
				}
				return
			}
			asked, refusal := cms.ParseTimestampRequest(r.backend.last)
			came, _ := cms.ParseTimestampRequest(c.request)
			if refusal != nil || !asked.Policy.Equal(c.want) {
				t.Fatalf("asked for %v, refusal %v", asked, refusal)
			}
			if !bytes.Equal(asked.HashAlgorithmRaw, came.HashAlgorithmRaw) || !bytes.Equal(asked.Imprint, came.Imprint) ||
				!bytes.Equal(asked.NonceRaw, came.NonceRaw) || asked.CertReq != came.CertReq {
				t.Errorf("asked %+v, came %+v", asked, came)
			}
		})
	}
}

// The appliance's own signatures take the same way.
func TestStampForTheHouse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, err := r.Stamp(t.Context(), crypto.SHA256, make([]byte, 32), "a-1")
	if err != nil || !bytes.Equal(token, r.ledger.entries[0].Token) {
		t.Fatalf("%x, %v", token, err)
	}
	for name, c := range map[string]struct {
		digest  []byte
		account string
		change  func()
		want    tsa.Kind
	}{
		"short digest": {make([]byte, 31), "a-1", nil, tsa.BadRequest},
		"no account":   {make([]byte, 32), "b-1", nil, tsa.NotPermitted},
		"no time":      {make([]byte, 32), "a-1", func() { r.backend.err = &tsa.Error{Kind: tsa.TimeNotAvailable} }, tsa.TimeNotAvailable},
	} {
		if c.change != nil {
			c.change()
		}
		if token, err := r.Stamp(t.Context(), crypto.SHA256, c.digest, c.account); token != nil || tsa.KindOf(err) != c.want {
			t.Errorf("%s: %x, %v", name, token, err)
		}
	}
}

// A stamp goes back to the account only when it is certain that the ledger does
// not have it.
func TestUnrecorded(t *testing.T) {
	t.Parallel()
	for kind, want := range map[ledger.Kind]bool{ledger.BadEntry: true, ledger.Repeated: true, ledger.Busy: true, ledger.Full: true,
		ledger.Failed: true, ledger.Stopped: false, ledger.Damaged: false} {
		if unrecorded(&ledger.Error{Kind: kind}) != want {
			t.Errorf("%s", kind)
		}
	}
	if unrecorded(context.DeadlineExceeded) {
		t.Error("an error of unknown make")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, change := range map[string]func(*Config){
		"no back end":  func(c *Config) { c.Backend = nil },
		"no book":      func(c *Config) { c.Book = nil },
		"no ledger":    func(c *Config) { c.Ledger = nil },
		"no policy":    func(c *Config) { c.Policies = nil },
		"no name":      func(c *Config) { c.Policies = []tsa.Policy{{OID: oidOne}} },
		"no OID":       func(c *Config) { c.Policies = []tsa.Policy{{Name: "a"}} },
		"slash":        func(c *Config) { c.Policies = []tsa.Policy{{Name: "a/b", OID: oidOne}} },
		"reserved":     func(c *Config) { c.Policies = []tsa.Policy{{Name: "account", OID: oidOne}} },
		"same twice":   func(c *Config) { c.Policies = []tsa.Policy{testPolicies[0], testPolicies[0]} },
		"only letters": func(c *Config) { c.Policies = []tsa.Policy{{Name: "è", OID: oidOne}} },
	} {
		cfg := r.cfg
		change(&cfg)
		if _, err := New(cfg); tsa.KindOf(err) != tsa.BadConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A request with a policy put in is the same request in all else, whatever came.
func FuzzWithPolicy(f *testing.F) {
	f.Add(query(f, nil))
	f.Add(query(f, oidTwo))
	f.Add([]byte{0x30, 0})
	policy, err := asn1.Marshal(oidTwo)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		r, refusal := cms.ReadRequest(der)
		if refusal != nil {
			return
		}
		out, refusal := cms.ReadRequest(withPolicy(&r, policy))
		if refusal != nil || !bytes.Equal(out.Policy, policy) || !bytes.Equal(out.Imprint, r.Imprint) || out.Hash != r.Hash ||
			!bytes.Equal(out.HashAlgorithm, r.HashAlgorithm) || !bytes.Equal(out.Nonce, r.Nonce) || out.CertReq != r.CertReq {
			t.Fatalf("%x became %+v, %v", der, out, refusal)
		}
		if r.Nonce != nil && !bytes.HasSuffix(r.Nonce, content(r.Nonce)) {
			t.Fatalf("content of %x is %x", r.Nonce, content(r.Nonce))
		}
	})
}

func TestMeter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, d := range []time.Duration{0, 500 * time.Microsecond, 501 * time.Microsecond, time.Minute} {
		r.meter.grant(d)
	}
	var m strings.Builder
	r.WriteMetrics(&m)
	for _, want := range []string{"sigillo_tsa_granted_total 4\n", `sigillo_tsa_seconds_bucket{le="0.0005"} 2`, `sigillo_tsa_seconds_bucket{le="0.001"} 3`,
		`sigillo_tsa_seconds_bucket{le="5"} 3`, `sigillo_tsa_seconds_bucket{le="+Inf"} 4`, "sigillo_tsa_seconds_count 4\n"} {
		if !strings.Contains(m.String(), want) {
			t.Errorf("%s is missing in\n%s", want, m.String())
		}
	}
}

// null gives always the same: what is left of the time is the front end's own.
type null struct{ stamp tsa.Stamp }

func (n *null) Stamp(context.Context, []byte) (tsa.Stamp, error) { return n.stamp, nil }
func (n *null) Take(a *accounts.Account) (accounts.Ticket, error) {
	return accounts.Ticket{Account: a.ID}, nil
}
func (n *null) Append(context.Context, ledger.Entry) error   { return nil }
func (n *null) Account(id string) (*accounts.Account, error) { return nullAccount, nil }
func (n *null) Identify(context.Context, accounts.Caller) (*accounts.Account, error) {
	return nullAccount, nil
}

var nullAccount = &accounts.Account{ID: "a-1"}

type nullLedger struct {
	Ledger
	*null
}

func (n nullLedger) Ready() error                               { return nil }
func (n nullLedger) Append(context.Context, ledger.Entry) error { return nil }

// The cost of the front end alone, with a token of 1,500 octets.
func BenchmarkAnswer(b *testing.B) {
	request := query(b, nil)
	r, refusal := cms.ReadRequest(request)
	if refusal != nil {
		b.Fatal(refusal)
	}
	token := make([]byte, 1500)
	copy(token[120:], r.Imprint)
	copy(token[180:], r.Nonce)
	n := &null{tsa.Stamp{Unit: "u1", Serial: 1, Policy: oidOne, Token: token}}
	f, err := New(Config{Backend: n, Book: n, Ledger: nullLedger{null: n}, Policies: testPolicies})
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	began := cpu(b)
	for b.Loop() {
		if _, err := f.Answer(ctx, accounts.Caller{}, request); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
}

// TRUE in another way than DER's is refused, or where the configuration has it so
// handed on as DER has it; nothing else is mended.
func TestLooseTrue(t *testing.T) {
	t.Parallel()
	good := query(t, nil)
	end := func(b ...byte) []byte { return append(bytes.Clone(good[:len(good)-len(b)]), b...) }
	for name, c := range map[string]struct {
		request []byte
		granted bool // when it is loose
	}{
		"as DER has it": {good, true},
		"01":            {end(1), true},
		"fe":            {end(0xfe), true},
		"FALSE":         {end(0), false},
		"two octets":    {append(end(1, 2, 1), 1), false},
		"no BOOLEAN":    {end(2, 1, 1), false},
		"and more":      {append(end(1), 0), false},
		"version 2":     {bytes.Replace(end(1), []byte{2, 1, 1, 0x30}, []byte{2, 1, 2, 0x30}, 1), false},
		"cut":           {good[:4], false},
		"nothing":       {nil, false},
		"BOOLEAN alone": {[]byte{1, 1, 1}, false},
	} {
		for _, loose := range []bool{false, true} {
			r := newRig(t)
			r.Front.cfg.LooseTrue = loose
			out, err := r.Answer(t.Context(), accounts.Caller{}, bytes.Clone(c.request))
			if err != nil {
				t.Fatal(err)
			}
			granted := r.backend.n > 0
			if want := c.granted && (loose || name == "as DER has it"); granted != want {
				t.Errorf("%s, loose %v: granted %v", name, loose, granted)
			}
			if granted && !bytes.Equal(r.backend.last, good) {
				t.Errorf("%s: handed on %x", name, r.backend.last)
			}
			if !granted {
				answered(t, out)
			}
		}
	}
}
