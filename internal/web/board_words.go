package web

import (
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// Picked reports whether a box was ticked before.
func (v composeView) Picked(chosen []string, name string) bool { return slices.Contains(chosen, name) }

// Join writes employee numbers back into their field.
func (v composeView) Join(numbers []string) string { return strings.Join(numbers, " ") }

// States lists the groups in the order in which people need to see them.
func (v teamView) States() []announcement.State { return announcement.States }
