package main

import (
	"context"
	"crypto"
	_ "crypto/sha512" // for imprints
	"encoding/asn1"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/legible"
)

// The exit codes of `sigillo stamp`: exitGood when everything was written,
// exitFailed when the time-stamp was refused or could not be got or written,
// exitBad when the answer is not right, exitUnreadable when one of the files cannot
// be read, exitUsage also when one that an option names cannot. Nothing is written but with exitGood; of
// several files with stamps of their own, those before the first that fails are.

// stampUsage is the beginning of the help, in Italian and English.
var stampUsage = [2]string{`uso: sigillo stamp [opzioni] FILE…
     sigillo stamp --query FILE… | --answer A.tsr --query-file Q.tsq [FILE]
     sigillo stamp --renew --trust RADICE.pem FILE.tsd|FILE.ers…
     sigillo stamp split|extract FILE.tsd|FILE.m7m, join FILE MARCA.tsr, show FILE…
Esce con 0 se tutto è scritto, 1 se la marca è rifiutata o non si ottiene, 2 se la
risposta non è giusta, 3 se un file non si può leggere, 64 se le opzioni non vanno.

`, `usage: sigillo stamp [options] FILE…
       sigillo stamp --query FILE… | --answer A.tsr --query-file Q.tsq [FILE]
       sigillo stamp --renew --trust ROOT.pem FILE.tsd|FILE.ers…
       sigillo stamp split|extract FILE.tsd|FILE.m7m, join FILE STAMP.tsr, show FILE…
Exits with 0 when all is written, 1 when the time-stamp is refused or cannot be got,
2 when the answer is not right, 3 when a file cannot be read, 64 for wrong options.

`}

// stampError is what went wrong, in both languages.
type stampError struct {
	exit   int
	it, en string
	err    error // the cause; may be nil
}

func (s *stampError) Error() string {
	text := say(s.it, s.en)
	if s.err != nil {
		text += ": " + s.err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (s *stampError) Unwrap() error { return s.err }

// say chooses the user's language.
func say(it, en string) string {
	if language() == "it" {
		return it
	}
	return en
}

func badUsage(it, en string) error { return &stampError{exitUsage, it, en, nil} }

// endStamp tells what went wrong, if anything, and gives the exit code.
func endStamp(e env, err error) int {
	if err == nil {
		return exitGood
	}
	fmt.Fprintln(e.err, "sigillo:", err)
	var s *stampError
	if errors.As(err, &s) {
		return s.exit
	}
	return exitFailed
}

// stampOptions are the options of `sigillo stamp`.
type stampOptions struct {
	url, out, hash, policy        string
	tst, tsd, ers                 bool
	group, force                  bool
	user, passwordFile, tokenFile string
	cert, key, ca, tsu            string
	noCert, nonce                 bool
	query                         bool
	answer, queryFile             string
	renew, rehash, only           bool
	mediaType, uri                string
	protect                       bool
	world                                   // whom to trust, for renewals
	stdout                        io.Writer // for --out -
	algorithm                     crypto.Hash
	oid                           asn1.ObjectIdentifier
}

func (o *stampOptions) register(fs *flag.FlagSet) {
	text := func(p *string, name, value, it, en string) { fs.StringVar(p, name, value, say(it, en)) }
	yes := func(p *bool, name string, value bool, it, en string) { fs.BoolVar(p, name, value, say(it, en)) }
	text(&o.url, "url", "http://127.0.0.1:8080/tsa", "indirizzo dell'autorità di marcatura", "address of the time-stamping authority")
	text(&o.out, "out", "", "file da scrivere, per un solo FILE (altrimenti FILE.tsr, .tst, .tsd, .ers o .tsq); - per l'uscita standard", "file to write, for one FILE (default FILE.tsr, .tst, .tsd, .ers or .tsq); - for standard output")
	yes(&o.force, "force", false, "sovrascrive i file che ci sono già", "write over files that exist")
	yes(&o.tst, "tst", false, "scrive la sola marca (.tst) invece della risposta (.tsr)", "write the bare token (.tst) instead of the answer (.tsr)")
	yes(&o.tsd, "tsd", false, "scrive il documento con la marca (.tsd, RFC 5544)", "write the document with the time-stamp (.tsd, RFC 5544)")
	yes(&o.ers, "ers", false, "una sola marca per tutti i FILE: un evidence record ciascuno (.ers, RFC 4998)", "one time-stamp for all FILEs: an evidence record for each (.ers, RFC 4998)")
	yes(&o.group, "group", false, "con --ers: un solo evidence record per tutti i FILE insieme", "with --ers: one evidence record for all FILEs together")
	text(&o.hash, "hash", "sha256", "algoritmo dell'impronta: sha256, sha384, sha512", "digest algorithm: sha256, sha384, sha512")
	text(&o.policy, "policy", "", "OID della politica di marcatura", "OID of the time-stamp policy")
	text(&o.user, "user", "", "nome utente, con --password-file", "user name, with --password-file")
	text(&o.passwordFile, "password-file", "", "file con la password", "file with the password")
	text(&o.tokenFile, "token-file", "", "file con il token di accesso (Bearer)", "file with the access token (Bearer)")
	text(&o.cert, "cert", "", "certificato client TLS (PEM), con --key", "TLS client certificate (PEM), with --key")
	text(&o.key, "key", "", "chiave del certificato client (PEM)", "key of the client certificate (PEM)")
	text(&o.ca, "ca", "", "radici per HTTPS (PEM); altrimenti quelle del sistema", "roots for HTTPS (PEM); default: the system's")
	yes(&o.noCert, "no-cert", false, "non chiede i certificati nella marca; serve --tsu", "do not ask for certificates in the token; needs --tsu")
	text(&o.tsu, "tsu", "", "certificato dell'unità di marcatura (PEM), se non è nella marca", "certificate of the time-stamping unit (PEM), if it is not in the token")
	yes(&o.nonce, "nonce", true, "mette un numero casuale nella richiesta", "put a random number into the request")
	yes(&o.query, "query", false, "scrive solo la richiesta (.tsq)", "only write the request (.tsq)")
	text(&o.answer, "answer", "", "controlla questa risposta (.tsr), con --query-file", "check this answer (.tsr), with --query-file")
	text(&o.queryFile, "query-file", "", "la richiesta (.tsq) a cui risponde --answer", "the request (.tsq) that --answer answers")
	yes(&o.renew, "renew", false, "rinnova i FILE .ers o .tsd", "renew the FILEs, .ers or .tsd")
	yes(&o.rehash, "rehash", false, "con --renew di .ers: nuovo albero con --hash, dai documenti", "with --renew of .ers: a new tree of --hash, from the documents")
	yes(&o.only, "only-these", false, "con --rehash: gli altri documenti del .ers non ci sono più, o non lo sono", "with --rehash: the other documents of the .ers are no more, or are none")
	text(&o.mediaType, "media-type", "", "tipo del documento, nel .tsd", "media type of the document, in the .tsd")
	text(&o.uri, "uri", "", "il documento resta a questo indirizzo, fuori dal .tsd", "the document stays at this address, outside of the .tsd")
	yes(&o.protect, "protect", false, "nel .tsd anche il nome del documento è coperto dalla marca", "in the .tsd the document's name is under the time-stamp too")
	fs.Var(&o.trust, "trust", say("PEM con i certificati attendibili, per --renew", "PEM file with certificates to trust, for --renew"))
	fs.Var(&o.crls, "crl", say("lista di revoca (DER o PEM), per --renew", "revocation list (DER or PEM), for --renew"))
	fs.Var(&o.ocsp, "ocsp", say("risposta OCSP (DER), per --renew", "OCSP answer (DER), for --renew"))
	yes(&o.offline, "offline", false, "non scarica certificati e liste di revoca, per --renew", "fetch no issuers and revocation data, for --renew")
	fs.Var(&o.detached, "content", say("documento di un .ers o .tsd che non lo contiene", "document of an .ers or a .tsd that does not hold it"))
}

// check refuses options that contradict each other.
func (o *stampOptions) check(files int) error {
	o.algorithm = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}[strings.ReplaceAll(strings.ToLower(o.hash), "-", "")]
	forms, actions := 0, 0
	for _, b := range []bool{o.tst, o.tsd, o.ers} {
		forms += count(b)
	}
	for _, b := range []bool{o.query, o.answer != "", o.renew} {
		actions += count(b)
	}
	policy, err := parseOID(o.policy)
	o.oid = policy
	switch {
	case err != nil:
		return badUsage("--policy non è un OID, come 1.3.6.1.4.1.99999.1", "--policy is no OID, such as 1.3.6.1.4.1.99999.1")
	case o.algorithm == 0:
		return badUsage("--hash è uno tra sha256, sha384 e sha512", "--hash is one of sha256, sha384 and sha512")
	case forms > 1 || actions > 1 || actions == 1 && forms == 1 && (o.query || o.renew || o.ers):
		return badUsage("scegliere una sola azione e una sola forma", "choose one action and one form")
	case files == 0 && o.answer == "":
		return badUsage("indicare i file da marcare", "name the files to stamp")
	case o.out != "" && files > 1 && !o.group:
		return badUsage("--out vale per un solo file", "--out is for one file")
	case o.out == "-" && o.answer != "" && !o.tst && !o.tsd:
		return badUsage("--answer scrive un file solo con --tst o --tsd", "--answer writes a file with --tst or --tsd only")
	case (o.answer == "") != (o.queryFile == "") || o.answer != "" && files > 1:
		return badUsage("--answer vuole --query-file e al più un FILE", "--answer wants --query-file and at most one FILE")
	case o.group && !o.ers || o.rehash && !o.renew || o.only && !o.rehash || !o.tsd && (o.protect || o.uri != "" || o.mediaType != ""):
		return badUsage("--group vale con --ers, --rehash con --renew, --only-these con --rehash, --protect, --uri e --media-type con --tsd", "--group goes with --ers, --rehash with --renew, --only-these with --rehash, --protect, --uri and --media-type with --tsd")
	case (o.user == "") != (o.passwordFile == "") || (o.cert == "") != (o.key == "") || o.user != "" && o.tokenFile != "":
		return badUsage("--user vuole --password-file, --cert vuole --key; --token-file sta al posto di --user", "--user wants --password-file, --cert wants --key; --token-file is instead of --user")
	case o.noCert && o.tsu == "" && !o.query:
		return badUsage("--no-cert vuole --tsu: senza certificato la marca non si può controllare", "--no-cert wants --tsu: without a certificate the time-stamp cannot be checked")
	}
	return nil
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// parseOID reads an object identifier in dots; "" is none.
func parseOID(s string) (oid asn1.ObjectIdentifier, err error) {
	if s == "" {
		return nil, nil
	}
	for arc := range strings.SplitSeq(s, ".") {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil {
			return nil, err
		}
		oid = append(oid, int(n))
	}
	if len(oid) < 2 || oid[0] > 2 || oid[0] < 2 && oid[1] > 39 {
		return nil, errors.New("no object identifier")
	}
	return oid, nil
}

func runStamp(ctx context.Context, e env, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "split", "extract", "join":
			return runStampFiles(e, args[0], args[1:])
		case "show":
			return runStampShow(e, args[1:])
		}
	}
	o := stampOptions{stdout: e.out}
	fs := flags(e, "stamp")
	o.register(fs)
	fs.Usage = func() {
		fmt.Fprint(e.err, say(stampUsage[0], stampUsage[1]))
		fs.PrintDefaults()
	}
	if code, ok := parse(fs, args); !ok {
		return code
	}
	if err := o.check(fs.NArg()); err != nil {
		return endStamp(e, err)
	}
	return endStamp(e, o.run(ctx, e, fs.Args()))
}

func (o *stampOptions) run(ctx context.Context, e env, files []string) error {
	a, err := o.authority()
	if err != nil {
		return err
	}
	switch {
	case o.query:
		return o.writeQueries(e, a, files)
	case o.answer != "":
		return o.checkAnswer(e, a, files)
	case o.renew:
		return o.renewFiles(ctx, e, a, files)
	case o.ers:
		return o.stampRecords(ctx, e, a, files)
	}
	for _, path := range files {
		if err := o.stampOne(ctx, e, a, path); err != nil {
			return err
		}
	}
	return nil
}

// stampFile asks a TSA to stamp a file, checks the answer against the request
// and stores it.
func stampFile(ctx context.Context, url, path, out string) (time.Time, error) {
	o := stampOptions{url: url, out: out, hash: "sha256", nonce: true, force: true}
	if err := o.check(1); err != nil {
		return time.Time{}, err
	}
	a, err := o.authority()
	if err != nil {
		return time.Time{}, err
	}
	digest, err := fileDigest(path, o.algorithm)
	if err != nil {
		return time.Time{}, err
	}
	answer, token, err := a.ask(ctx, o.algorithm, digest)
	if err != nil {
		return time.Time{}, err
	}
	return token.Info.GenTime, o.write(out, answer)
}

// stampedLine tells that a file was written.
func stampedLine(e env, out string, t *cms.Token) {
	by := "?"
	if t.Certificate != nil {
		by = t.Certificate.Subject.CommonName
	}
	fmt.Fprintf(e.beside(out), say("%s: marcato il %s da %s\n", "%s: stamped at %s by %s\n"), legible.Line(out), t.Info.GenTime.UTC().Format(time.RFC3339Nano), legible.Line(by))
	if d := time.Since(t.Info.GenTime).Abs(); d > 10*time.Minute {
		fmt.Fprintf(e.err, say("sigillo: l'ora della marca è lontana %v da quella di questo computer\n", "sigillo: the time of the time-stamp is %v away from this computer's\n"), d.Round(time.Second))
	}
}

// write puts a file in its place as a whole. What is there already may be the only
// proof of something: it is not written over without being asked to.
func (o *stampOptions) write(path string, data []byte) error {
	if err := o.free(path); err != nil {
		return err
	}
	return o.put(path, writeBytes(data))
}

// put writes a file once it is whole, or to standard output.
func (o *stampOptions) put(path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(o.stdout)
	}
	return writeWhole(path, write)
}

// beside is where a line about what was written goes: not into what goes to standard
// output.
func (e env) beside(out string) io.Writer {
	if out == "-" {
		return e.err
	}
	return e.text()
}

func (o *stampOptions) free(path string) error {
	if _, err := os.Lstat(path); err == nil && !o.force && path != "-" {
		return &stampError{exitFailed, path + " c'è già: usare --force per sovrascriverlo", path + " exists: use --force to write over it", nil}
	}
	return nil
}
