package catalog

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
)

// maxXMLDepth is how deep a token response is read.
const maxXMLDepth = 16

// decodeXML reads a token response that is XML as if it were JSON: paths begin below the root element, text becomes text, and
// of elements with one name the first counts. Attributes and names' prefixes are not read; nil when it is no XML. Entities
// beside the five that XML has, and so anything outside the document, are refused by the decoder.
func decodeXML(body []byte) any {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		tok, err := d.Token()
		if err != nil {
			return nil
		}
		if _, ok := tok.(xml.StartElement); ok {
			v, err := xmlElement(d, 0)
			if _, more := d.Token(); err != nil || more != io.EOF {
				return nil
			}
			return v
		}
	}
}

func xmlElement(d *xml.Decoder, depth int) (any, error) {
	if depth > maxXMLDepth {
		return nil, io.ErrUnexpectedEOF
	}
	members := map[string]any{}
	var text strings.Builder
	for {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			v, err := xmlElement(d, depth+1)
			if err != nil {
				return nil, err
			}
			if _, twice := members[t.Name.Local]; !twice {
				members[t.Name.Local] = v
			}
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if len(members) > 0 {
				return members, nil
			}
			return strings.TrimSpace(text.String()), nil
		}
	}
}
