package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// ApplicationGrant is what a holder has granted to an application.
type ApplicationGrant struct {
	ID      string     `json:"id" doc:"Names the grant; it opens nothing"`
	Client  string     `json:"client_id" doc:"The application"`
	Name    string     `json:"name" doc:"What the application is called here"`
	Scope   string     `json:"scope" enum:"service" doc:"service: it sees the certificates and asks for signatures, which the holder authorises each time"`
	Created time.Time  `json:"created"`
	Used    *time.Time `json:"used,omitempty" doc:"Last use, noted once a minute; missing when there was none"`
	Expires time.Time  `json:"expires" doc:"When it ends in any case"`
}

// apiApplications describes what a holder can do about applications that have access.
func (s *Server) apiApplications(api huma.API) {
	huma.Register(api, operation("listApplications", http.MethodGet, "/applications", "The applications that the holder has let in, the newest first"),
		func(ctx context.Context, _ *struct{}) (*listOutput[ApplicationGrant], error) {
			all, err := s.cfg.Applications.Grants(ctx, holderOf(ctx))
			var out []ApplicationGrant
			for _, g := range all {
				one := ApplicationGrant{ID: g.ID, Client: g.Application, Name: g.Name, Scope: g.Scope, Created: g.Created.UTC(), Expires: g.Expires.UTC()}
				if !g.Used.IsZero() {
					used := g.Used.UTC()
					one.Used = &used
				}
				out = append(out, one)
			}
			return list(ctx, out, err)
		})
	op := operation("endApplication", http.MethodDelete, "/applications/{id}", "End what was granted to an application, and all its tokens, at once; what is not there is no error")
	op.DefaultStatus = http.StatusNoContent
	huma.Register(api, op, func(ctx context.Context, in *idInput) (*struct{}, error) {
		if err := s.cfg.Applications.EndGrant(ctx, holderOf(ctx), in.ID); err != nil {
			return nil, apiFail(ctx, err)
		}
		return nil, nil
	})
}
