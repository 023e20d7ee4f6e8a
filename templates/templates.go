// Package templates carries the files that ship inside the binary: the pages
// and their assets, the prepared messages and the sample company.
//
// They are embedded so that an installation is one file: a page cannot be
// missing, or of another version than the code that fills it.
package templates

import "embed"

// Files holds web (html/template pages), static (assets served under /static/)
// and sample (a made-up company to practise with).
//
//go:embed all:web all:static all:sample messages.json
var Files embed.FS

//go:embed messages.json
var messages []byte

// Messages returns the prepared messages, read by announcement.LoadCatalogue.
// The caller must not change the bytes.
func Messages() []byte { return messages }
