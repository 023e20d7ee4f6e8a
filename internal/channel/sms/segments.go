package sms

import (
	"unicode/utf16"
)

// Measurement says what a text costs on the network. One character outside the
// GSM-7 alphabet turns the whole text into UCS-2, with less than half the room.
type Measurement struct {
	Encoding string   // "GSM-7" or "UCS-2"
	Segments int      // messages on the network; 0 for an empty text
	Units    int      // septets (GSM-7) or UTF-16 code units (UCS-2) used
	Limit    int      // units that fit in this number of segments
	Awkward  []string // characters outside the GSM-7 basic alphabet, each once: they cost two units, or the whole encoding
}

// The alphabets of 3GPP TS 23.038, sections 6.2.1 and 6.2.1.1.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€" // each takes an escape and a septet, never split across segments
)

// Room in a text of one segment, and in each segment of a longer one, where
// six octets hold the concatenation header (3GPP TS 23.040, 9.2.3.24.1).
const (
	gsmAlone, gsmPart   = 160, 153
	ucs2Alone, ucs2Part = 70, 67
)

var gsmCost = gsmCosts()

func gsmCosts() map[rune]int {
	cost := make(map[rune]int)
	for _, r := range gsmBasic {
		cost[r] = 1
	}
	for _, r := range gsmExtension {
		cost[r] = 2
	}
	return cost
}

// Measure returns the encoding and the number of segments of text.
func Measure(text string) Measurement {
	m := Measurement{Encoding: "GSM-7"}
	alone, part := gsmAlone, gsmPart
	cost := func(r rune) int { return gsmCost[r] }
	seen := make(map[rune]bool)
	for _, r := range text {
		c, known := gsmCost[r]
		if c == 1 {
			continue
		}
		if !known {
			m.Encoding, alone, part, cost = "UCS-2", ucs2Alone, ucs2Part, utf16.RuneLen
		}
		if !seen[r] {
			seen[r] = true
			m.Awkward = append(m.Awkward, string(r))
		}
	}
	inPart := part // so that the first character opens a segment
	for _, r := range text {
		c := cost(r)
		m.Units += c
		if inPart+c > part { // neither an escape sequence nor a surrogate pair is split
			m.Segments++
			inPart = 0
		}
		inPart += c
	}
	if m.Units <= alone {
		m.Limit = alone
		m.Segments = min(m.Segments, 1)
		return m
	}
	m.Limit = m.Segments * part
	return m
}
