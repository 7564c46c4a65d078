package sqs

import (
	"encoding/json"
	"fmt"
)

type queueRecord struct {
	Name       string
	Attributes map[string]string
}

type messageRecord struct {
	Queue   string
	Message *Message
}

type goneRecord struct{ Queue, ID string }

// Restore applies one journal record.
func (s *Service) Restore(kind string, data []byte) error {
	var r struct {
		Name, Queue, ID string
		Attributes      map[string]string
		Message         *Message
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("restore %s: %w", kind, err)
	}
	if kind == "queue" {
		held := s.opt.Journal
		s.opt.Journal = func(string, any) {}
		_, err := s.create(r.Name, r.Attributes)
		s.opt.Journal = held
		return err
	}
	q := s.queues[r.Queue]
	if q == nil {
		return nil
	}
	if r.Message != nil {
		r.ID = r.Message.ID
	}
	for i, m := range q.messages {
		if m.ID != r.ID {
			continue
		}
		if kind == "message" {
			q.messages[i] = r.Message
		} else {
			q.messages = append(q.messages[:i:i], q.messages[i+1:]...)
		}
		return nil
	}
	if kind == "message" {
		q.messages = append(q.messages, r.Message)
	}
	return nil
}

// Snapshot emits records that restore the present state.
func (s *Service) Snapshot(emit func(kind string, record any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		emit("queue", queueRecord{q.name, q.attrs})
		for _, m := range q.messages {
			emit("message", messageRecord{q.name, m})
		}
	}
}
