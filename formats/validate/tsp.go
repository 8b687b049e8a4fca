package validate

import (
	"io"

	"sigillo/formats/cms"
)

// readResponse reads a TimeStampResp; notCMS is why the file is not CMS.
func (v *validation) readResponse(r io.ReaderAt, size int64, notCMS error) error {
	record := beginsRecord(r, size)
	if size > cms.MaxResponseSize && !record {
		return fail(Unreadable, notCMS, "the file is neither CMS nor a time-stamp")
	}
	der, err := whole(r, size)
	if err != nil {
		return err
	}
	if record && isRecord(der) {
		return v.readRecord(der)
	}
	if _, refusal := cms.ParseTimestampRequest(der); refusal == nil {
		return fail(Unreadable, errRequest, "there is nothing to validate")
	}
	resp, err := cms.ParseResponse(der)
	if err != nil {
		return fail(Unreadable, notCMS, "the file is neither CMS nor a time-stamp")
	}
	token, err := resp.Granted()
	if err != nil {
		return fail(Unreadable, err, "the file is the refusal of a time-stamp")
	}
	return v.readToken(token)
}

// readToken reads a time-stamp that stands alone.
func (v *validation) readToken(der []byte) error {
	given, err := v.content()
	if err != nil {
		return err
	}
	t, err := v.parseToken(der)
	if err != nil {
		return fail(Unreadable, err, "the time-stamp cannot be read")
	}
	s := tokenSubject(t, der)
	if given == nil {
		s.whole = false
		s.findings = append(checkToken(t, nil), doubt(SignedDataNotFound, "content-missing"))
	} else {
		s.findings = v.tokenFindings(t, given.digest())
	}
	v.subjects = append(v.subjects, s)
	return nil
}
