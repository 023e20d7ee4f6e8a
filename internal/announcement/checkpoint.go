package announcement

import "time"

// Checkpoint seals the ledger up to a record: whoever holds one, and the public key,
// can tell whether a record before it was changed, taken away or put in since.
type Checkpoint struct {
	Number int       `json:"number"` // 1 and on, without a gap
	Seq    uint64    `json:"seq"`    // the last record that it covers
	Chain  string    `json:"chain"`  // the hash chain at that record, in hex
	Prints []byte    `json:"prints"` // the first 8 bytes of the hash of each record since the checkpoint before
	Stream string    `json:"stream"` // which ledger this is: the first 8 bytes of the hash of its first record, in hex
	At     time.Time `json:"at"`

	Key       []byte `json:"key"`       // public, Ed25519
	Signature []byte `json:"signature"` // of everything above
}
