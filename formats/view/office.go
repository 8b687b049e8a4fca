package view

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// settings is the user profile of every conversion: no macros, no links
// followed, no content fetched or updated on loading.
const settings = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="MacroSecurityLevel" oor:op="fuse"><value>3</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableMacrosExecution" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="BlockUntrustedRefererLinks" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Security/Scripting"><prop oor:name="DisableActiveContent" oor:op="fuse"><value>true</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update"><prop oor:name="Link" oor:op="fuse"><value>2</value></prop></item>
<item oor:path="/org.openoffice.Office.Writer/Content/Update"><prop oor:name="Field" oor:op="fuse"><value>false</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Content/Update"><prop oor:name="Link" oor:op="fuse"><value>2</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>1</value></prop></item>
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="ODFRecalcMode" oor:op="fuse"><value>1</value></prop></item>
<item oor:path="/org.openoffice.Office.Common/Java"><prop oor:name="Enable" oor:op="fuse"><value>false</value></prop></item>
</oor:items>
`

// converted hands use the PDF that LibreOffice makes of the document. It is
// made once per content, format and version, however many ask at the same time:
// the account of a view names the version that made it.
func (r *Renderer) converted(ctx context.Context, path, format string, use func(string) error) error {
	if r.Soffice == "" {
		return &Error{Missing, "LibreOffice is not installed; install libreoffice-writer-nogui and libreoffice-calc-nogui", nil}
	}
	if r.Cache == "" {
		dir, err := os.MkdirTemp("", "sigillo-view-")
		if err != nil {
			return &Error{Failed, "no room for temporary files", err}
		}
		defer os.RemoveAll(dir)
		converted := filepath.Join(dir, "converted.pdf")
		if err := r.convert(ctx, path, conversion{format: format, filter: "pdf"}, converted); err != nil {
			return err
		}
		return use(converted)
	}
	digest, err := fileDigest(path)
	if err != nil {
		return err
	}
	version := sha256.Sum256([]byte(r.version(ctx, libreOffice)))
	converted := filepath.Join(r.Cache, hex.EncodeToString(digest)+"-"+hex.EncodeToString(version[:4])+"."+format+".pdf")
	_, err, _ = r.converts.Do(converted, func() (any, error) {
		if _, err := os.Stat(converted); !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		// The first to ask must not decide for the others by going away.
		return nil, r.convert(context.WithoutCancel(ctx), path, conversion{format: format, filter: "pdf"}, converted)
	})
	if err != nil {
		return err
	}
	return use(converted)
}

func fileDigest(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Unreadable, "the document cannot be opened", err}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, &Error{Unreadable, "the document cannot be read", err}
	}
	return h.Sum(nil), nil
}

// conversion is what LibreOffice is to do.
type conversion struct {
	format  string   // of the document
	filter  string   // that writes
	options []string // for reading
}

// convert has LibreOffice write the document as PDF to target, which appears
// only when it is complete.
func (r *Renderer) convert(ctx context.Context, path string, c conversion, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return &Error{Failed, "the cache folder cannot be made", err}
	}
	out, err := os.MkdirTemp(filepath.Dir(target), "converting-")
	if err != nil {
		return &Error{Failed, "no room for temporary files", err}
	}
	defer os.RemoveAll(out)
	ending := endings[c.format]
	if ending == "" {
		ending = c.format
	}
	args := []string{"-env:UserInstallation=file://{profile}", "--headless", "--norestore", "--nolockcheck",
		"--nodefault", "--nofirststartwizard"}
	args = append(append(args, c.options...), "--convert-to", c.filter, "--outdir", "{out}", "{document}")
	err = r.run(ctx, &job{
		program: r.Soffice, args: args,
		document: path, as: "document." + ending, out: out, profile: []byte(settings),
		memory: 4 << 30, time: convertTime,
	})
	if err != nil {
		return err
	}
	// LibreOffice ends well even when it could not load the document.
	made := filepath.Join(out, "document.pdf")
	if info, err := os.Lstat(made); err != nil || !info.Mode().IsRegular() {
		return &Error{Failed, "LibreOffice could not convert the document; convert it to PDF yourself", nil}
	}
	if err := os.Rename(made, target); err != nil {
		return &Error{Failed, "the converted document cannot be kept", err}
	}
	return nil
}
