package vault

import (
	"bytes"
	"crypto"
	"reflect"
	"sync"
	"testing"
	"time"

	"sigillo/hsm"
)

func TestSign(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct {
		kt     hsm.KeyType
		hash   string
		scheme string
	}{
		{"p256", "SHA-256", "ecdsa"},
		{"p384", "SHA-384", "ecdsa"},
		{"rsa2048", "SHA-256", "pkcs1"},
		{"rsa2048", "SHA-512", "pss"},
	} {
		id := string(c.kt) + c.scheme
		h := r.newHolder(id, c.kt)
		a := h.authorisation("tx-"+id, 3)
		a.Hash = c.hash
		for i, d := range a.Digests {
			a.Digests[i] = hashes[c.hash].New().Sum(nil)
			copy(a.Digests[i], d)
		}
		a.Digests[2] = a.Digests[0] // one document twice is a multiset, not a set
		s, err := r.c.Authorise(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Expires.Equal(r.clock.now().Add(SADLife)) {
			t.Errorf("the SAD expires at %v", s.Expires)
		}
		act := h.activation(a, s)
		act.Scheme = c.scheme
		sigs, err := r.c.Sign(t.Context(), act)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		h.checkSignatures(act, sigs)
	}
	n := r.events()
	if n["signature.authorised"] != 4 || n["signature.intent"] != 4 || n["signature.done"] != 4 || n["credential.created"] != 4 {
		t.Errorf("journal: %v", n)
	}
}

// TestOneUse: a SAD is good for one request and gives it one answer.
func TestOneUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 2)
	first, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.c.Sign(t.Context(), act)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Fatalf("the repetition got another answer: %v", err)
	}
	other := act
	other.Request = "tx-other"
	_, err = r.c.Sign(t.Context(), other)
	want(t, err, SpentSAD)
	swapped := act
	swapped.Digests = [][]byte{act.Digests[1], act.Digests[0]}
	_, err = r.c.Sign(t.Context(), swapped)
	want(t, err, SpentSAD)
	r.restart()
	again, err = r.c.Sign(t.Context(), act)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Fatalf("after a restart the repetition got another answer: %v", err)
	}
	_, err = r.c.Sign(t.Context(), other)
	want(t, err, SpentSAD)
	r.clock.move(SADLife)
	if again, err = r.c.Sign(t.Context(), act); err != nil || !reflect.DeepEqual(first, again) {
		t.Fatalf("a stored answer must be given after the SAD expired: %v", err)
	}
	_, err = r.c.Sign(t.Context(), other)
	want(t, err, SpentSAD)
}

// TestSignRace: many copies of one activation get one answer, and one signature
// is journalled as done.
func TestSignRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 8 {
		wg.Go(func() {
			sigs, err := r.c.Sign(t.Context(), act)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[string(sigs[0])]++
		})
	}
	wg.Wait()
	if len(seen) != 1 || r.events()["signature.done"] != 1 {
		t.Errorf("%d different answers, journal %v", len(seen), r.events())
	}
}

func TestSADIsBound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	first, key := h.cred, h.key
	h.newCredential("cred-2", "p256")
	second := h.cred
	h.cred, h.key = first, key
	other := r.newHolder("other", "p256")
	act := h.authorised("tx", 2)
	for _, c := range []struct {
		name   string
		change func(*Activation)
		kind   Kind
	}{
		{"a digest replaced", func(a *Activation) { a.Digests = [][]byte{a.Digests[0], digests(1)[0]} }, BadSAD},
		{"a digest more", func(a *Activation) { a.Digests = append(a.Digests[:2:2], a.Digests[0]) }, BadSAD},
		{"a digest twice", func(a *Activation) { a.Digests = [][]byte{a.Digests[0], a.Digests[0]} }, BadSAD},
		{"no digest", func(a *Activation) { a.Digests = nil }, NotAllowed},
		{"another hash", func(a *Activation) { a.Hash = "SHA-384" }, BadRequest},
		{"SHA-1", func(a *Activation) { a.Hash = "SHA-1" }, BadRequest},
		{"another scheme", func(a *Activation) { a.Scheme = "pkcs1" }, BadRequest},
		{"no scheme", func(a *Activation) { a.Scheme = "" }, BadRequest},
		{"another credential of the holder", func(a *Activation) { a.Credential = second }, BadSAD},
		{"another holder's credential", func(a *Activation) { a.Credential = other.cred }, BadSAD},
		{"no request", func(a *Activation) { a.Request = "" }, BadRequest},
		{"no SAD", func(a *Activation) { a.SAD = "" }, BadSAD},
		{"a SAD cut short", func(a *Activation) { a.SAD = a.SAD[:len(a.SAD)-1] }, BadSAD},
		{"a SAD changed", func(a *Activation) { a.SAD = "A" + a.SAD[1:] }, BadSAD},
	} {
		a := act
		c.change(&a)
		if _, err := r.c.Sign(t.Context(), a); KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", c.name, err, c.kind)
		}
	}
	if n := r.events(); n["signature.intent"] != 0 {
		t.Errorf("a refused activation left an intent: %v", n)
	}
	if sigs, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatalf("after all that the true one: %v", err)
	} else {
		h.checkSignatures(act, sigs)
	}
}

func TestSADExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	late := h.authorised("late", 1)
	r.clock.move(SADLife)
	_, err := r.c.Sign(t.Context(), late)
	want(t, err, ExpiredSAD)
	justInTime := h.authorised("in time", 1)
	r.clock.move(SADLife - time.Second)
	if _, err := r.c.Sign(t.Context(), justInTime); err != nil {
		t.Fatal(err)
	}
	early := h.authorised("early", 1)
	r.clock.move(-time.Hour)
	_, err = r.c.Sign(t.Context(), early)
	want(t, err, ExpiredSAD)
}

// TestSADOfAnotherNode: same token, same state, other node.
func TestSADOfAnotherNode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.cfg.Node = "node-2"
	r.cfg.StateDB += "2"
	r.start()
	_, err := r.c.Sign(t.Context(), act)
	want(t, err, BadSAD)
}

// TestUnfinishedIntents: what a fault leaves open is journalled at the next
// start, can be resumed while the SAD is good, and is closed afterwards.
func TestUnfinishedIntents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act, act2 := h.authorised("tx", 1), h.authorised("tx2", 1)
	r.fault = func(step string) {
		if step == "intent" {
			panic("the test stops here")
		}
	}
	for _, a := range []Activation{act, act2} {
		_, err := r.c.Sign(t.Context(), a)
		want(t, err, Failed)
	}
	r.fault = func(string) {}
	if s, err := r.c.Status(t.Context()); err != nil || s.Unfinished != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	r.restart()
	if n := r.events(); n["signature.unfinished"] != 2 {
		t.Errorf("journal: %v", n)
	}
	other := act
	other.Request = "other"
	_, err := r.c.Sign(t.Context(), other)
	want(t, err, SpentSAD)
	sigs, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
	r.clock.move(SADLife)
	_, err = r.c.Sign(t.Context(), act2)
	want(t, err, ExpiredSAD)
	r.clock.move(keepResults + time.Second)
	r.restart()
	if n := r.events(); n["signature.abandoned"] != 1 {
		t.Errorf("journal: %v", n)
	}
	if s, err := r.c.Status(t.Context()); err != nil || s.Unfinished != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	_, err = r.c.Sign(t.Context(), act2)
	want(t, err, ExpiredSAD)
}

// TestSpentRowTampered: who edits the row of a consumed SAD gains nothing.
func TestSpentRowTampered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql string
		other     Kind // what another request is told
	}{
		{"request", "UPDATE spent SET request = 'other'", Tampered},
		{"back to intent with another binding", "UPDATE spent SET state = 'intent', binding = zeroblob(64)", Tampered},
		{"signatures", `UPDATE spent SET signatures = '{"signatures":["AAAA"],"mac":""}'`, SpentSAD},
		{"signatures gone", "UPDATE spent SET signatures = NULL", SpentSAD},
		{"binding gone", "UPDATE spent SET binding = zeroblob(0)", Tampered},
		{"holder", "UPDATE spent SET holder = 'x'", Tampered},
		{"later", "UPDATE spent SET expires = expires + 1", Tampered},
		{"less taken", "UPDATE spent SET taken = zeroblob(1)", Tampered},
		{"nothing taken", "UPDATE spent SET taken = zeroblob(0)", Tampered},
		{"number", "UPDATE spent SET seq = 2", Tampered},
		{"gone", "DELETE FROM spent WHERE request = 'tx'", Tampered},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			h := r.newHolder("h", "p256")
			act := h.authorised("tx", 1)
			if _, err := r.c.Sign(t.Context(), act); err != nil {
				t.Fatal(err)
			}
			editState(t, r, c.sql)
			_, err := r.c.Sign(t.Context(), act)
			want(t, err, Tampered)
			act.Request = "other"
			_, err = r.c.Sign(t.Context(), act)
			want(t, err, c.other)
			if n := r.events(); n["sad.tampered"] != 1 || n["signature.intent"] != 1 {
				t.Errorf("journal: %v", n)
			}
			r.clock.move(time.Hour)
			r.restart() // what was edited must not keep the vault from starting
		})
	}
}

// lyingToken wraps a token and returns signatures over something else, as a
// faulty one would.
type lyingToken struct{ token }

func (l lyingToken) UseWrapped(ctx ctx, master string, d [32]byte, w hsm.Wrapped, use func(crypto.Signer) error) error {
	return l.token.UseWrapped(ctx, master, d, w, func(k crypto.Signer) error { return use(lyingKey{k}) })
}

type lyingKey struct{ crypto.Signer }

func (l lyingKey) Sign(r reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	d := bytes.Clone(digest)
	d[0] ^= 1
	return l.Signer.Sign(r, d, o)
}

// TestFaultyToken: a wrong signature is not released.
func TestFaultyToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "rsa2048")
	act := h.authorised("tx", 1)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	v, unlock, err := start(t.Context(), r.cfg, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	v.tok = lyingToken{v.tok}
	_, err = v.sign(t.Context(), &act)
	want(t, err, Failed)
	v.tok = v.tok.(lyingToken).token
	sigs, err := v.sign(t.Context(), &act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	if n := r.events(); n["signature.failed"] != 1 || n["signature.intent"] != 2 || n["signature.done"] != 1 {
		t.Errorf("journal: %v", n)
	}
	r.stop = func() error { return nil }
}

// editState runs SQL on the vault's state as somebody with the file would, while
// the vault is stopped.
func editState(t *testing.T, r *rig, sql string) {
	t.Helper()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	rawExec(t, r.cfg.StateDB, sql)
	r.start()
}
