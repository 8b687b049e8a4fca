package appearance

import (
	"bytes"
	"encoding/binary"
)

// maxScans bounds the times that a progressive JPEG goes over the whole image; encoders make about ten.
const maxScans = 64

// strip copies a JPEG without its metadata: of the application segments only those stay that tell how the colours
// are coded (JFIF's APP0, Adobe's APP14); comments go too, and all that follows the end of the image. It returns how
// the camera was held, 1 to 8 (Exif 2.3 §4.6.4, tag Orientation).
func strip(file []byte) (out []byte, orientation int, err error) {
	damaged := failure(BadImage, "the JPEG is damaged")
	out, orientation = append(out, 0xFF, 0xD8), 1
	for at, scans := 2, 0; ; {
		for at+1 < len(file) && file[at] == 0xFF && file[at+1] == 0xFF {
			at++ // fill bytes before a marker
		}
		if at+4 > len(file) || file[at] != 0xFF {
			return nil, 0, damaged
		}
		marker := file[at+1]
		if marker == 0xD9 {
			return nil, 0, damaged
		}
		end := at + 2 + int(binary.BigEndian.Uint16(file[at+2:]))
		if end < at+4 || end > len(file) {
			return nil, 0, damaged
		}
		segment := file[at:end]
		switch body := segment[4:]; {
		case marker == 0xE0 && bytes.HasPrefix(body, []byte("JFIF\x00")) && len(body) >= 14:
			out = append(out, 0xFF, 0xE0, 0, 16)
			out = append(out, body[:12]...)
			out = append(out, 0, 0) // no thumbnail
		case marker == 0xEE && bytes.HasPrefix(body, []byte("Adobe")):
			out = append(out, segment...)
		case marker == 0xE1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			orientation = exifOrientation(body[6:])
		case marker == 0xFE || marker >= 0xE0 && marker <= 0xEF:
		default:
			out = append(out, segment...)
		}
		at = end
		if marker != 0xDA {
			continue
		}
		if scans++; scans > maxScans {
			return nil, 0, failure(Limit, "the JPEG has more than %d scans", maxScans)
		}
		stop := scanEnd(file, at)
		out = append(out, file[at:stop]...)
		if at = stop; at+1 < len(file) && file[at+1] == 0xD9 {
			return append(out, 0xFF, 0xD9), orientation, nil
		}
	}
}

// scanEnd finds the marker that ends the entropy-coded data at from: any but a stuffed zero and a restart.
func scanEnd(file []byte, from int) int {
	for at := from; at+1 < len(file); at++ {
		if c := file[at+1]; file[at] == 0xFF && c != 0 && c != 0xFF && (c < 0xD0 || c > 0xD7) {
			return at
		}
	}
	return len(file)
}

// exifOrientation finds the tag Orientation in the first directory of a TIFF structure; 1 if it is not there.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	n := int64(order.Uint16(tiff[at:]))
	for i := range n {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(tiff)) {
			return 1
		}
		const orientationTag, short = 0x0112, 3
		if order.Uint16(tiff[entry:]) == orientationTag && order.Uint16(tiff[entry+2:]) == short {
			if v := int(order.Uint16(tiff[entry+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}
