package web

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
)

// DelegationInfo is what a holder has given to an application.
type DelegationInfo struct {
	ID          string    `json:"id"`
	Credential  string    `json:"credential"`
	State       string    `json:"state" enum:"active,used-up,expired,revoked"`
	Count       int       `json:"count" doc:"How many signatures it is for"`
	Used        int       `json:"used" doc:"How many of them were authorised, whether they were made or not"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	Certificate string    `json:"client_certificate" doc:"SHA-256 of the application's TLS certificate, hex"`
	Kinds       []string  `json:"kinds" doc:"Of documents"`
}

func delegationInfo(d vault.Delegation) DelegationInfo {
	return DelegationInfo{ID: d.ID, Credential: d.Credential, State: d.State, Count: d.Count, Used: d.Used, Created: d.Created,
		Expires: d.Expires, Certificate: hex.EncodeToString(d.ClientCertificate), Kinds: d.Kinds}
}

type delegateInput struct {
	Body struct {
		Credential  string    `json:"credential" minLength:"1" maxLength:"100" doc:"One of the automatic procedure"`
		Count       int       `json:"count" minimum:"1" maximum:"1000000" doc:"Signatures"`
		Expires     time.Time `json:"expires" doc:"At most 366 days from now"`
		Certificate string    `json:"client_certificate" minLength:"1" maxLength:"16384" doc:"The TLS certificate of the application: in PEM, or its SHA-256 in hex"`
		Kinds       []string  `json:"kinds" minItems:"1" maxItems:"16" doc:"Of documents: names that holder and application have agreed on"`
		Password    secret    `json:"password"`
		OTP         string    `json:"otp" minLength:"6" maxLength:"40" doc:"A fresh one-time password"`
	}
}

func (s *Server) apiDelegations(api huma.API) {
	huma.Register(api, operation("listDelegations", http.MethodGet, "/delegations", "What the holder has delegated to applications: first what is in force"),
		func(ctx context.Context, _ *struct{}) (*listOutput[DelegationInfo], error) {
			ds, err := s.cfg.Delegations.Delegations(ctx, holderOf(ctx))
			out := make([]DelegationInfo, len(ds))
			for i, d := range ds {
				out[i] = delegationInfo(d)
			}
			return list(ctx, out, err)
		})
	op := operation("createDelegation", http.MethodPost, "/delegations", "Delegate signatures to an application, with password and one-time password",
		http.StatusBadRequest, http.StatusNotFound, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests, http.StatusUnprocessableEntity)
	op.DefaultStatus = http.StatusCreated
	huma.Register(api, op, s.apiDelegate)
	huma.Register(api, operation("revokeDelegation", http.MethodPost, "/delegations/{id}/revoke", "Take a delegation back, at once", http.StatusNotFound),
		func(ctx context.Context, in *idInput) (*oneOutput[DelegationInfo], error) {
			d, err := s.revoked(ctx, holderOf(ctx), in.ID)
			return one(ctx, delegationInfo(d), err)
		})
}

func (s *Server) apiDelegate(ctx context.Context, in *delegateInput) (*createdOutput[DelegationInfo], error) {
	b := &in.Body
	defer clear(b.Password)
	sum, err := applicationCertificate(b.Certificate)
	if err != nil {
		return nil, apiFail(ctx, err)
	}
	d, err := s.cfg.Delegations.Delegate(ctx, holderOf(ctx), remote.Delegation{ID: remote.NewDelegationID(), Credential: b.Credential, Count: b.Count,
		Expires: b.Expires, ClientCertificate: sum, Kinds: b.Kinds}, signing.Evidence{Password: b.Password, OTP: digits(b.OTP), Client: clientOf(ctx)})
	if err != nil {
		return nil, apiFail(ctx, err)
	}
	return &createdOutput[DelegationInfo]{apiBase + "/delegations", delegationInfo(d)}, nil
}

// revoked ends a delegation and gives it as it then is.
func (s *Server) revoked(ctx context.Context, holder, id string) (vault.Delegation, error) {
	if err := s.cfg.Delegations.RevokeDelegation(ctx, holder, id, holder, byHolder); err != nil {
		return vault.Delegation{}, err
	}
	ds, err := s.cfg.Delegations.Delegations(ctx, holder)
	for _, d := range ds {
		if d.ID == id {
			return d, nil
		}
	}
	if err == nil { // it is behind a hundred others now
		err = fail(Kind(signing.NotFound), "no such delegation", nil)
	}
	return vault.Delegation{}, err
}
