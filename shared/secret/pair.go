package secret

import (
	"encoding/binary"
	"errors"
)

// Pair is two secrets as one, for whoever seals one text: a client's secret and its private key. Either may be zero.
func Pair(a, b Text) Text {
	out := binary.AppendUvarint(nil, uint64(len(a.bytes())))
	return New(append(append(out, a.bytes()...), b.bytes()...))
}

// Split takes apart what Pair made. The error tells nothing of the content.
func Split(p Text) (a, b Text, err error) {
	raw := p.bytes()
	n, used := binary.Uvarint(raw)
	if used <= 0 || n > uint64(len(raw)-used) {
		return a, b, errors.New("these are not two secrets")
	}
	rest := raw[used:]
	return FromString(string(rest[:n])), FromString(string(rest[n:])), nil
}
