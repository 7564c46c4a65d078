// Package journal keeps the state of the local stack on disk: an append-only file of JSON
// lines, one per applied change, rewritten as a snapshot at each start.
//
// Every record is handed to the operating system before the answer leaves, so a killed process
// loses nothing; fsync is not used, so a power failure may. A torn last line is dropped.
package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// fileName is the journal inside its directory.
const fileName = "localaws.jsonl"

type line struct {
	Service string          `json:"s"`
	Kind    string          `json:"k"`
	Data    json.RawMessage `json:"d"`
}

// Emit writes one record.
type Emit func(service, kind string, record any)

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	mu  sync.Mutex
	f   *os.File
	err error // first failed write
}

// Open creates dir if needed, replays the journal through load, then compacts it with the
// records that snapshot emits and opens it for appending.
func Open(dir string, load func(service, kind string, data []byte) error, snapshot func(Emit)) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create journal directory: %w", err)
	}
	path := filepath.Join(dir, fileName)
	if err := replay(path, load); err != nil {
		return nil, err
	}
	if err := compact(path, snapshot); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal{f: f}, nil
}

func replay(path string, load func(service, kind string, data []byte) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line without its end was never acknowledged
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if err := load(l.Service, l.Kind, l.Data); err != nil {
			return fmt.Errorf("replay journal: %w", err)
		}
	}
}

func compact(path string, snapshot func(Emit)) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create journal: %w", err)
	}
	w := bufio.NewWriter(f)
	var failed error
	snapshot(func(service, kind string, record any) {
		b, err := encode(service, kind, record)
		if err == nil {
			_, err = w.Write(b)
		}
		failed = errors.Join(failed, err)
	})
	if err := errors.Join(failed, w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("compact journal: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("replace journal: %w", err)
	}
	return nil
}

func encode(service, kind string, record any) ([]byte, error) {
	data, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", service, kind, err)
	}
	b, err := json.Marshal(line{service, kind, data})
	return append(b, '\n'), err
}

// Append writes one record. A failure sticks and is reported by Close.
func (j *Journal) Append(service, kind string, record any) {
	b, err := encode(service, kind, record)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil && j.err == nil {
		_, err = j.f.Write(b)
	}
	if j.err == nil {
		j.err = err
	}
}

// Close closes the file and returns the first error of the journal's life.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.err, j.f.Close())
}
