// Package secret carries credential bytes through the program without letting them out by accident.
//
// A Text hides its bytes from fmt, log/slog, encoding/json, encoding.TextMarshaler and reflection-based printers: the
// bytes sit behind a pointer to an unexported struct, so even "%+v" of a struct that holds a Text in an unexported
// field, where Go calls no formatting method, prints an address and not the bytes. Reading them needs a reveal.Key,
// and only a short, tested list of packages may import that.
package secret
