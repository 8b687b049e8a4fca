package counter

import (
	"bytes"
	"encoding/csv"
	"math"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"sigillo/auth/staff"
	"sigillo/vault"
)

// Rate is a share with its interval of confidence (95 %, Wilson). Name is a key of the texts.
type Rate struct {
	Name      string
	Count, Of int64
	Low, High float64 // in percent
}

// Percent is the share itself.
func (r Rate) Percent() float64 {
	if r.Of == 0 {
		return 0
	}
	return 100 * float64(r.Count) / float64(r.Of)
}

// rate makes one. A share of nothing is no share: its interval is all.
func rate(name string, count, of int64) Rate {
	r := Rate{Name: name, Count: count, Of: of, High: 100}
	if of <= 0 || count < 0 || count > of {
		return r
	}
	const z = 1.959964 // 97.5 % of a normal distribution lie below
	n, p := float64(of), float64(count)/float64(of)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	r.Low, r.High = 100*max(0, middle-half), 100*min(1, middle+half)
	return r
}

// AtReport is the data of the report: what operation itself shows (ISO/IEC 19795-1), with
// the raw counts.
type AtReport struct {
	vault.GraphometricReport
	Rates  []Rate
	Counts []Count
	Tries  []Try
}

// Count is a number with the key of its text.
type Count struct {
	Name  string
	Count int64
}

// Try is what became of the n-th signature of a transaction.
type Try struct {
	Number int
	vault.Outcomes
}

// rates are those that can be known in operation: everybody who signs has been identified
// by the operator, so that who is not recognised counts as falsely not recognised. How often
// somebody else is recognised is known where the vault is told to compare with others'
// profiles, too, see [vault.Config].
func rates(r vault.GraphometricReport) AtReport {
	out := AtReport{GraphometricReport: r}
	var compared, missed, matched int64
	for i, o := range r.Attempts {
		out.Tries = append(out.Tries, Try{i + 1, o})
		compared += o.Match + o.Repeat + o.Refuse
		missed += o.Repeat + o.Refuse
		matched += o.Match
	}
	first := r.Attempts[0]
	begun := first.Match + first.Repeat + first.Refuse
	out.Rates = []Rate{
		rate("fnmr", missed, compared),
		rate("fnmr_first", first.Repeat+first.Refuse, begun),
		rate("frr", begun-matched, begun),
		rate("fta", r.Unusable, r.Unusable+compared),
		rate("fte", r.EnrolFailures, r.EnrolFailures+r.Enrolments),
		rate("enrol_refused", r.EnrolRefused, r.EnrolSamples),
	}
	if r.ImpostorComparisons > 0 {
		out.Rates = slices.Insert(out.Rates, 0, rate("fmr", r.ImpostorMatches, r.ImpostorComparisons))
	}
	out.Counts = []Count{{"profiles", r.ProfilesActive}, {"tablets", r.TabletsActive}, {"enrolments", r.Enrolments}, {"captures", r.Captures},
		{"updates", r.Updates}, {"drift", r.DriftAlarms}, {"rollbacks", r.RollBacks}, {"destroyed", r.Destroyed},
		{"replays", r.Replays}, {"locks", r.Locks}, {"forged", r.ForgedTablets}, {"stale", r.StaleCaptures}}
	return out
}

func (s *Server) report(c *fiber.Ctx, by staff.Member) error {
	r, err := s.cfg.Desk.Counts(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.house.Page(c, Page{Name: "counter_report", Data: rates(r)})
}

// reportFile is the report as CSV (RFC 4180): measure, count, of, percent, low, high.
func (s *Server) reportFile(c *fiber.Ctx, by staff.Member) error {
	r, err := s.cfg.Desk.Counts(c.UserContext(), by)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	percent := func(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
	rows := [][]string{{"measure", "count", "of", "percent", "low_95", "high_95"}}
	all := rates(r)
	for _, m := range all.Rates {
		rows = append(rows, []string{m.Name, whole(m.Count), whole(m.Of), percent(m.Percent()), percent(m.Low), percent(m.High)})
	}
	for _, t := range all.Tries {
		for _, o := range []Count{{"match", t.Match}, {"repeat", t.Repeat}, {"refuse", t.Refuse}} {
			rows = append(rows, []string{"try_" + strconv.Itoa(t.Number) + "_" + o.Name, whole(o.Count), "", "", "", ""})
		}
	}
	for _, n := range all.Counts {
		rows = append(rows, []string{n.Name, whole(n.Count), "", "", "", ""})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="graphometric-report.csv"`)
	return c.Send(b.Bytes())
}
