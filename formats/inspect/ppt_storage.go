package inspect

import (
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// storage reads an ExOleObjStg ([MS-PPT] §2.10.34 to §2.10.37): a compound file,
// mostly compressed, with the presentation's Visual Basic project, a control or
// an object of another program. Any of them refuses the presentation; a project
// is named by its modules.
func (p *pptScan) storage(start int64, instance uint16, length int64) error {
	body := &io.LimitedReader{R: p.r, N: length}
	data, err := p.inflate(instance, body)
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if p.at += length; body.N > 0 {
		return io.ErrUnexpectedEOF
	}
	where := fmt.Sprintf("object at %d", start)
	notes, project := vbaProject(data)
	switch {
	case err != nil:
		p.add("cfb.embedded", where, "unreadable: "+err.Error())
	case !project:
		p.add("cfb.embedded", where, fmt.Sprintf("record %#04x", pptObjectStg))
	case len(notes) == 0:
		p.add("cfb.macro", where, "")
	}
	for _, n := range notes {
		p.add("cfb.macro", where+" "+n.where, n.quote)
	}
	return nil
}

// inflate reads the compound file; instance 1 says that it is compressed and
// begins with its size. What all of them expand to is bounded.
func (p *pptScan) inflate(instance uint16, body io.Reader) ([]byte, error) {
	size := int64(-1)
	if instance == 1 {
		var head [4]byte
		if _, err := io.ReadFull(body, head[:]); err != nil {
			return nil, errShort
		}
		size = int64(binary.LittleEndian.Uint32(head[:]))
		z, err := zlib.NewReader(body)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		body = z
	}
	data, err := io.ReadAll(io.LimitReader(body, maxVBAProject-p.inflated+1))
	if p.inflated += int64(len(data)); p.inflated > maxVBAProject {
		p.inflated = maxVBAProject
		return nil, errTooLong
	}
	if err == nil && size >= 0 && size != int64(len(data)) {
		err = errors.New("it is not of the size it says")
	}
	return data, err
}
