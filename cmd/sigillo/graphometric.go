package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/evaluate"
)

// The beginnings of the help, in Italian and English.
var (
	graphometricUsage = [2]string{`uso: sigillo graphometric eval --format svc2004 [opzioni] CARTELLA
     sigillo graphometric convert --to FORMA [opzioni] FILE

`, `usage: sigillo graphometric eval --format svc2004 [options] FOLDER
       sigillo graphometric convert --to FORM [options] FILE

`}
	evalUsage = [2]string{`uso: sigillo graphometric eval --format svc2004 [--enrol 5] [--seed N] [--json] CARTELLA
Misura quante volte il confronto delle firme sbaglia, su un insieme di firme con
falsificazioni. CARTELLA contiene, per ogni persona, U<u>S<k>.TXT con k da 1 a 40: da 1
a 10 autentiche della prima sessione, da 11 a 20 della seconda, da 21 a 40 falsificazioni.
Esce con 0 se gli obiettivi sono raggiunti, 1 se non del tutto o se le persone sono meno
di 10, 2 se gli errori sono troppi, 3 se l'insieme non si può leggere, 64 se le opzioni
non vanno.

`, `usage: sigillo graphometric eval --format svc2004 [--enrol 5] [--seed N] [--json] FOLDER
Measures how often the comparison of signatures errs, on a set of signatures with
forgeries. FOLDER has, of each person, U<u>S<k>.TXT with k from 1 to 40: 1 to 10 genuine
of the first session, 11 to 20 of the second, 21 to 40 skilled forgeries. Exits with 0
when the goals are reached, 1 when not wholly or with fewer than 10 people, 2 when the
errors are too many, 3 when the set cannot be read, 64 for wrong options.

`}
)

var assessmentExit = map[evaluate.Assessment]int{evaluate.Good: exitGood, evaluate.Doubtful: exitDoubtful, evaluate.Bad: exitBad}

func runGraphometric(ctx context.Context, e env, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "eval":
			return runGraphometricEval(ctx, e, args[1:])
		case "convert":
			return runGraphometricConvert(e, args[1:])
		case "help", "--help", "-h":
			fmt.Fprint(e.out, say(graphometricUsage[0], graphometricUsage[1]))
			return exitGood
		}
	}
	fmt.Fprint(e.err, say(graphometricUsage[0], graphometricUsage[1]))
	return exitUsage
}

// runGraphometricEval measures the comparison on a set.
func runGraphometricEval(ctx context.Context, e env, args []string) int {
	fs := flags(e, "graphometric eval")
	format := fs.String("format", "", say("forma dell'insieme: svc2004", "form of the set: svc2004"))
	o := evaluate.Options{}
	fs.IntVar(&o.Enrol, "enrol", 5, say("firme da cui si fa il profilo, da 2 a 10", "signatures that a profile is made of, 2 to 10"))
	fs.Uint64Var(&o.Seed, "seed", 1, say("seme di ogni scelta a caso", "seed of all chance"))
	asJSON := fs.Bool("json", false, say("un oggetto JSON", "one JSON object"))
	fs.Usage = func() {
		fmt.Fprint(e.err, say(evalUsage[0], evalUsage[1]))
		fs.PrintDefaults()
	}
	if code, ok := parse(fs, args); !ok {
		return code
	}
	switch {
	case *format != "svc2004":
		return endStamp(e, badUsage("indicare la forma dell'insieme: --format svc2004", "name the form of the set: --format svc2004"))
	case fs.NArg() != 1:
		return endStamp(e, badUsage("indicare una CARTELLA", "name one FOLDER"))
	case o.Enrol < 2 || o.Enrol > 10:
		return endStamp(e, badUsage("--enrol va da 2 a 10", "--enrol is 2 to 10"))
	}
	folder := fs.Arg(0)
	r, err := evaluateFolder(ctx, folder, o)
	if err != nil {
		return endStamp(e, &stampError{exitUnreadable, folder + ": l'insieme non si può misurare", folder + ": the set cannot be measured", err})
	}
	if *asJSON {
		err = printJSON(e.out, r)
	} else {
		err = showEvaluation(e.out, r)
	}
	if err != nil {
		return endStamp(e, err)
	}
	return assessmentExit[r.Assessment]
}

func evaluateFolder(ctx context.Context, folder string, o evaluate.Options) (*evaluate.Report, error) {
	if info, err := os.Stat(folder); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", folder)
	}
	people, err := evaluate.ReadSVC2004(os.DirFS(folder))
	if err != nil {
		return nil, err
	}
	return evaluate.Run(ctx, people, o)
}

// showEvaluation prints a report for people.
func showEvaluation(w io.Writer, r *evaluate.Report) error {
	var b strings.Builder
	line := func(it, en string, args ...any) { fmt.Fprintf(&b, say(it, en)+"\n", args...) }
	line("%d persone, profili di %d firme della prima sessione (%d scelte a caso, seme %d), algoritmo %s",
		"%d people, profiles of %d signatures of the first session (%d random choices, seed %d), algorithm %s",
		r.People, r.Enrol, r.Choices, r.Seed, r.Algorithm)
	line("confronti: %d con autentiche della seconda sessione, %d con falsificazioni, %d con firme d'altri",
		"comparisons: %d with genuine ones of the second session, %d with skilled forgeries, %d with others' signatures",
		r.Comparisons.Genuine, r.Comparisons.Skilled, r.Comparisons.Random)
	for _, why := range unusableReasons(r) {
		line("in servizio %d firme non sarebbero guardate: %s", "in service %d signatures would not be looked at: %s", r.Samples.Unusable[why], why)
	}
	b.WriteString("\n")
	line("%-34s %12s %12s", "%-34s %12s %12s", "", say("falsificate", "skilled"), say("d'altri", "random"))
	pair := func(it, en string, f func(x *evaluate.Errors) string) {
		line("%-34s %12s %12s", "%-34s %12s %12s", say(it, en), f(&r.Skilled), f(&r.Random))
	}
	pair("EER, una soglia per tutti", "EER, one threshold for all", func(x *evaluate.Errors) string { return percent(x.EER) })
	pair("  intervallo del 95 %", "  interval of 95 %", func(x *evaluate.Errors) string {
		return fmt.Sprintf("%.1f–%.1f %%", x.Interval[0]*100, x.Interval[1]*100)
	})
	pair("  soglia", "  threshold", func(x *evaluate.Errors) string { return fmt.Sprintf("%.3f", x.Threshold) })
	pair("EER, la miglior soglia di ognuno", "EER, the best threshold of each", func(x *evaluate.Errors) string { return percent(x.OwnThreshold) })
	pair("FNMR con FMR 1 %", "FNMR at FMR 1 %", func(x *evaluate.Errors) string { return percent(x.FNMR1) })
	pair("FNMR con FMR 0.1 %", "FNMR at FMR 0.1 %", func(x *evaluate.Errors) string { return percent(x.FNMR01) })
	b.WriteString("\n")
	line("curva DET (FMR: FNMR)", "DET curve (FMR: FNMR)")
	for i, p := range r.Skilled.DET {
		line("%-34s %12s %12s", "%-34s %12s %12s", "  "+percent(p.At), percent(p.FNMR), percent(r.Random.DET[i].FNMR))
	}
	b.WriteString("\n")
	line("%-20s %9s %9s %12s %12s", "%-20s %9s %9s %12s %12s", say("regole", "policy"), say("soglia", "threshold"), "FNMR", say("FMR falsific.", "skilled FMR"), say("FMR d'altri", "random FMR"))
	for _, p := range r.Policies {
		line("%-20s %9.3f %9s %12s %12s", "%-20s %9.3f %9s %12s %12s", p.Name, p.Threshold, percent(p.FNMR), percent(p.SkilledFMR), percent(p.RandomFMR))
	}
	b.WriteString("\n")
	line("un confronto: %.2f ms di processore in media; con l'orologio mediana %.2f ms, 99° percentile %.2f ms", "one match: %.2f ms of a processor on average; by the clock median %.2f ms, 99th percentile %.2f ms", r.Match.Mean, r.Match.Median, r.Match.P99)
	line("%s", "%s", map[evaluate.Assessment]string{
		evaluate.Good:     say("BUONO: gli obiettivi sono raggiunti", "GOOD: the goals are reached"),
		evaluate.Doubtful: say("DUBBIO: gli obiettivi non sono raggiunti del tutto, o le persone sono poche", "DOUBTFUL: the goals are not wholly reached, or the people are few"),
		evaluate.Bad:      say("CATTIVO: gli errori sono troppi", "BAD: the errors are too many"),
	}[r.Assessment])
	_, err := io.WriteString(w, b.String())
	return err
}

func percent(rate float64) string { return fmt.Sprintf("%.2f %%", rate*100) }

// unusableReasons are those that occurred, in order.
func unusableReasons(r *evaluate.Report) (out []graphometric.Reason) {
	for why := range r.Samples.Unusable {
		out = append(out, why)
	}
	slices.Sort(out)
	return out
}
