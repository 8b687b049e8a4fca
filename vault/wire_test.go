package vault

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestFrame(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", maxFrame-2)
	for _, s := range []string{"", "x", strings.Repeat("y", 70<<10), big} {
		f, err := frame(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []io.Reader{bytes.NewReader(f), iotest.HalfReader(bytes.NewReader(f)), iotest.DataErrReader(bytes.NewReader(f))} {
			b, err := readFrame(r)
			var got string
			if err != nil || json.Unmarshal(b, &got) != nil || got != s {
				t.Fatalf("%d bytes: %v", len(s), err)
			}
		}
		for _, n := range []int{1, 3, 4, len(f) - 1} {
			if _, err := readFrame(bytes.NewReader(f[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d of %d bytes: %v", n, len(f), err)
			}
		}
	}
	if _, err := readFrame(bytes.NewReader(nil)); err != io.EOF {
		t.Errorf("nothing: %v", err)
	}
	_, err := frame(big + "x")
	want(t, err, BadRequest)
	for _, n := range []uint32{0, maxFrame + 1, 1<<32 - 1} {
		_, err := readFrame(bytes.NewReader(binary.BigEndian.AppendUint32(nil, n)))
		want(t, err, BadRequest)
	}
}

func TestErrorsOverTheWire(t *testing.T) {
	t.Parallel()
	for k := range kinds {
		in := &Error{Kind: k, Msg: "do this", Err: errors.New("secret inside"), RetryAfter: 1500 * time.Millisecond}
		b, err := json.Marshal(toWire(in))
		if err != nil || bytes.Contains(b, []byte("inside")) {
			t.Fatalf("%s, %v", b, err)
		}
		var w wireError
		if err := json.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		out, ok := fromWire(&w).(*Error)
		if !ok || out.Kind != k || out.Msg != "do this" || out.RetryAfter != in.RetryAfter {
			t.Errorf("%+v", out)
		}
	}
	want(t, fromWire(&wireError{Kind: "Unheard"}), Failed)
	if toWire(nil) != nil || fromWire(nil) != nil {
		t.Error("no error became one")
	}
	if w := toWire(errors.New("secret inside")); w.Kind != Failed || strings.Contains(w.Msg, "inside") {
		t.Errorf("%+v", w)
	}
}

// FuzzFrame plays a client that sends anything: the frame, the outer layer and
// every body are read without a panic, and what is read says what was sent.
func FuzzFrame(f *testing.F) {
	for _, op := range []string{opStatus, opEnrol, opAuthorise, opSign, opCreateKey, opSignDigest, "x"} {
		b, err := frame(request{ID: "id", Op: op, Body: []byte(`{"holder":"h","digests":["AAAA"],"factors":{"version":1}}`)})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := readFrame(bytes.NewReader(in))
		if err != nil {
			return
		}
		if !bytes.Equal(b, in[4:4+len(b)]) {
			t.Fatal("the frame is not what was sent")
		}
		q, err := parseRequest(b)
		if err != nil {
			want(t, err, BadRequest)
			return
		}
		read := func(body any) { _ = json.Unmarshal(q.Body, body) }
		var a Authorisation
		for _, body := range []any{&a, &keyRequest{}, &digestRequest{}, &Enrolment{}, &NewCredential{}, &Authentication{}, &Activation{},
			&NewCapture{}, &FinishEnrolment{}, &NewTablet{}, &RollBack{}} {
			read(body)
		}
		if _, err := checkDigests(a.Hash, a.Digests, MaxDigests); err == nil && len(a.Digests) > MaxDigests {
			t.Fatal("too many digests pass")
		}
		if s := a.Capture; s != nil && s.check() == nil {
			_, _ = s.digest(), s.verify(s.Sealed, s.Nonce)
		}
		_ = factorsMessage(&a.Factors)
		_ = credentialMessage(&a.Credential)
	})
}

// TestManyValues: a frame cannot be made to take many times its size by what stands in
// it. The longest request there is passes.
func TestManyValues(t *testing.T) {
	t.Parallel()
	for _, list := range []string{`"credentials":[{}%s]`, `"factors":{"devices":[{}%s]}`, `"digests":[""%s]`} {
		one := list[strings.Index(list, "[")+1 : strings.Index(list, "%")]
		body := fmt.Sprintf("{"+list+"}", strings.Repeat(","+one, (maxFrame-200)/(len(one)+1)))
		_, err := parseRequest([]byte(`{"id":"x","op":"factors-change-password","body":` + body + `}`))
		if KindOf(err) != BadRequest {
			t.Errorf("%s: %v", list, err)
		}
	}
	a := Authorisation{Factors: Factors{Devices: make([]Device, MaxDevices)}, Hash: "SHA-512"}
	for range MaxDigests {
		a.Digests = append(a.Digests, make([]byte, 64))
	}
	inner, err1 := json.Marshal(a)
	body, err2 := json.Marshal(challengeRequest{Op: opAuthorise, Request: inner})
	b, err3 := json.Marshal(request{ID: "x", Op: opChallenge, Body: body})
	if err := firstError(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if _, err := parseRequest(b); err != nil {
		t.Error(err)
	}
}
