package webpage

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"strings"

	"behalf.dev/behalf/shared/fault"
)

// Limits of a logo: bytes of the image itself, and pixels a side.
const (
	MaxLogoBytes = 64 << 10
	maxLogoSide  = 1024
)

// CheckLogo accepts a data URL (RFC 2397) of a small PNG, JPEG or WebP whose bytes are what it says. SVG is refused, since it
// is a document that can carry script and references, and an address is, since pages load nothing from third parties.
func CheckLogo(field, s string) error {
	if s == "" {
		return nil
	}
	head, data, ok := strings.Cut(s, ",")
	kind, isImage := strings.CutPrefix(head, "data:image/")
	kind, isBase64 := strings.CutSuffix(kind, ";base64")
	if !ok || !isImage || !isBase64 || kind != "png" && kind != "jpeg" && kind != "webp" {
		return fault.Invalid(field, "a logo is a data URL of a PNG, JPEG or WebP image: data:image/png;base64,…; addresses and SVG are not accepted")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(data)
	if err != nil || strings.ContainsAny(data, "\r\n") { // which Go's decoder skips
		return fault.Invalid(field, "the logo is not base64")
	}
	if len(raw) > MaxLogoBytes {
		return fault.Invalid(field, "the logo has %d bytes, of at most %d", len(raw), MaxLogoBytes)
	}
	w, h, ok := imageSize(kind, raw)
	if !ok {
		return fault.Invalid(field, "the logo's bytes are not those of a %s image", kind)
	}
	if w < 1 || h < 1 || w > maxLogoSide || h > maxLogoSide {
		return fault.Invalid(field, "the logo is %d by %d pixels, of at most %d a side", w, h, maxLogoSide)
	}
	return nil
}

// imageSize reads width and height from the header of an image of this kind; ok is false if it is none.
func imageSize(kind string, raw []byte) (w, h int, ok bool) {
	var c image.Config
	var err error
	switch kind {
	case "png":
		c, err = png.DecodeConfig(bytes.NewReader(raw))
	case "jpeg":
		c, err = jpeg.DecodeConfig(bytes.NewReader(raw))
	default:
		return webpSize(raw)
	}
	return c.Width, c.Height, err == nil
}

// webpSize reads the first chunk of a WebP container (RFC 9649, section 2): VP8, VP8L or VP8X.
func webpSize(b []byte) (w, h int, ok bool) {
	if len(b) < 30 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WEBP" {
		return 0, 0, false
	}
	switch string(b[12:16]) {
	case "VP8 ":
		return int(binary.LittleEndian.Uint16(b[26:]) & 0x3fff), int(binary.LittleEndian.Uint16(b[28:]) & 0x3fff), true
	case "VP8L":
		bits := binary.LittleEndian.Uint32(b[21:])
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, b[20] == 0x2f
	case "VP8X":
		return int(b[24]) + int(b[25])<<8 + int(b[26])<<16 + 1, int(b[27]) + int(b[28])<<8 + int(b[29])<<16 + 1, true
	}
	return 0, 0, false
}

type colour struct{ r, g, b float64 } // sRGB, 0 to 1

// Colours that an accent stands before, and that text on it has: as in style.css.
var (
	white    = colour{1, 1, 1}
	black    = colour{0, 0, 0}
	darkCard = colour{0x1a / 255.0, 0x1e / 255.0, 0x23 / 255.0}
)

// Contrast that WCAG 2.2 asks for: of controls (1.4.11) and of text (1.4.3).
const (
	controlContrast = 3
	textContrast    = 4.5
)

// CheckAccent accepts a colour as #rrggbb that can be seen on a white page. On a dark one we lighten it as far as needed.
func CheckAccent(field, s string) error {
	if s == "" {
		return nil
	}
	c, ok := parseColour(s)
	if !ok {
		return fault.Invalid(field, "a colour is written #rrggbb")
	}
	if got := contrast(c, white); got < controlContrast {
		return fault.Invalid(field, "the colour has a contrast of %.1f to white, and people need %d to see a button; take a darker one", got, controlContrast)
	}
	return nil
}

// style sets the accent for both colour schemes, each with the text colour that reads best on it.
func (b Brand) style() string {
	c, ok := parseColour(b.Accent)
	if !ok {
		return ""
	}
	dark := c
	for contrast(dark, darkCard) < controlContrast+0.2 {
		dark = mix(dark, white, 0.08)
	}
	return fmt.Sprintf(":root{--accent:%s;--on:%s}@media (prefers-color-scheme:dark){:root{--accent:%s;--on:%s}}", c, textOn(c), dark, textOn(dark))
}

// textOn is white where it can be read, which is what people expect on a button, and else black: of the two, one always can.
func textOn(c colour) colour {
	if contrast(c, white) >= textContrast {
		return white
	}
	return black
}

func parseColour(s string) (c colour, ok bool) {
	if len(s) != 7 || s[0] != '#' || strings.Trim(s[1:], "0123456789abcdefABCDEF") != "" {
		return c, false
	}
	var n uint32
	if _, err := fmt.Sscanf(s[1:], "%06x", &n); err != nil {
		return c, false
	}
	return colour{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}, true
}

func (c colour) String() string {
	b := func(x float64) int { return int(math.Round(x * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", b(c.r), b(c.g), b(c.b))
}

// mix moves a towards b, to a colour that can be written.
func mix(a, b colour, part float64) colour {
	f := func(x, y float64) float64 { return math.Ceil((x+(y-x)*part)*255) / 255 }
	return colour{f(a.r, b.r), f(a.g, b.g), f(a.b, b.b)}
}

// luminance is relative luminance (WCAG 2.2, definitions).
func (c colour) luminance() float64 {
	f := func(x float64) float64 {
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*f(c.r) + 0.7152*f(c.g) + 0.0722*f(c.b)
}

// contrast is the contrast ratio (WCAG 2.2, definitions), 1 to 21.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}
