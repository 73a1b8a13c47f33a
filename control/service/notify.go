package service

import (
	"context"
	"encoding/json"

	"github.com/waypost/waypost/control/notify"
	"github.com/waypost/waypost/control/store"
)

// jobNotify is the kind of jobs that tell people something.
const jobNotify = "notify"

// tell queues a message: it is sent once it can be, and survives a restart.
func (s *Service) tell(ctx context.Context, m notify.Message) error {
	payload, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.store.Enqueue(ctx, store.Task{Kind: jobNotify, Key: string(m.Event) + " " + m.About, Payload: string(payload), Attempts: 8})
}

// deliver sends a message.
func (s *Service) deliver(_ context.Context, m notify.Message) (string, error) {
	s.log.Info("told", "event", m.Event, "about", m.About, "subject", m.Subject)
	return "logged", nil
}
