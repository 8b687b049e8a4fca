package web

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// stampCounts are the counts of stampDoor, by status. They are apart from
// those of the other routes because a lock and a map would be felt here.
type stampCounts [len(stampStatuses)]struct{ n, nanos atomic.Int64 }

// stampStatuses are those that stampDoor answers with; what is none of them
// counts as the last.
var stampStatuses = [...]int{http.StatusOK, http.StatusUnauthorized, http.StatusRequestEntityTooLarge, http.StatusRequestTimeout, http.StatusBadRequest}

func (s *stampCounts) add(status int, took time.Duration) {
	i := 0
	for i < len(stampStatuses)-1 && stampStatuses[i] != status {
		i++
	}
	s[i].n.Add(1)
	s[i].nanos.Add(int64(took))
}

// write adds the counts to those of the other routes.
func (s *stampCounts) write(b *strings.Builder) {
	for i, status := range stampStatuses {
		n := s[i].n.Load()
		if n == 0 {
			continue
		}
		labels := fmt.Sprintf("{method=\"POST\",route=%q,status=\"%d\"}", stampPath, status)
		fmt.Fprintf(b, "sigillo_http_request_seconds_count%s %d\n", labels, n)
		fmt.Fprintf(b, "sigillo_http_request_seconds_sum%s %g\n", labels, time.Duration(s[i].nanos.Load()).Seconds())
	}
}
