package service

import (
	"crypto/ed25519"
	"fmt"
	"io"

	"github.com/waypost/waypost/edge/snapshot/wire"
)

// KeyCommand is waypost key.
type KeyCommand struct {
	File string `arg:"" type:"path" help:"The file of a key that signs snapshots, for signing_key_file. It is made if it is not there."`
}

// Run prints the public half of a key, for the public_keys of edges, and makes
// the key if it is not there: so edges can know a new key before it signs.
func (c *KeyCommand) Run(out io.Writer) error {
	key, err := signingKey(c.File)
	if err != nil {
		return err
	}
	public, _ := key.Public().(ed25519.PublicKey)
	_, err = fmt.Fprintln(out, wire.FormatPublicKey(public))
	return err
}
