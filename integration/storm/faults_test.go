package storm_test

import "testing"

func (w *world) together(t *testing.T) {}

func (w *world) broken(t *testing.T) {}

func (w *world) killed(t *testing.T) {}
