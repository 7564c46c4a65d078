package events

// KeysCall is the payload by which the schedule starts the keys function.
type KeysCall struct {
	Schedule bool `json:"schedule,omitempty"`
}

// KeysAnswer counts what one run of the schedule did.
type KeysAnswer struct {
	// Tenants were looked at, the deployment among them; Failed of them could not be looked after.
	Tenants int `json:"tenants"`
	Failed  int `json:"failed"`
	// Rotated counts tenants, Resealed records, Retired versions.
	Rotated  int `json:"rotated"`
	Resealed int `json:"resealed"`
	Retired  int `json:"retired"`
	// Unfinished tells that the time was over first; the next run goes on.
	Unfinished bool `json:"unfinished"`
}
