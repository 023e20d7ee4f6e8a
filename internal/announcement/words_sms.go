package announcement

import (
	"strings"
	"unicode/utf16"
)

// Limits of an SMS in the units its encoding counts (3GPP TS 23.038, 23.040).
const (
	oneSegment = 160 // GSM-7 septets in a single SMS
	// wideLimit bounds a text that GSM-7 cannot write, in UTF-16 units: three
	// segments of 67. Providers refuse much longer ones altogether.
	wideLimit = 3 * 67
)

// gsmBasic is the GSM 7-bit default alphabet without its escape, and
// gsmExtended what costs two septets (3GPP TS 23.038 §6.2.1).
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "^{}\\[~]|€\f"
)

// smsUnits returns how many units s takes, and whether GSM-7 can write it.
func smsUnits(s string) (units int, gsm bool) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			units++
		case strings.ContainsRune(gsmExtended, r):
			units += 2
		default:
			return len(utf16.Encode([]rune(s))), false
		}
	}
	return units, true
}

// overflow returns by how many units s is longer than an SMS may be.
func overflow(s string) int {
	units, gsm := smsUnits(s)
	if gsm {
		return units - oneSegment
	}
	return units - wideLimit
}

// plainer writes the marks that word processors put in as GSM-7 can. Letters
// are never folded: that would misspell names.
var plainer = strings.NewReplacer("‘", "'", "’", "'", "‚", "'", "“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`,
	"–", "-", "—", "-", "‑", "-", "−", "-", "…", "...", "•", "-", "\u00a0", " ", "\u202f", " ", "\u2009", " ", "\u200b", "", "\ufeff", "",
	"\r\n", " ", "\n", " ", "\r", " ", "\t", " ")

// plain returns s on one line with plain marks and single spaces.
func plain(s string) string {
	return strings.Join(strings.Fields(plainer.Replace(strings.ToValidUTF8(s, ""))), " ")
}

// shorten cuts s at the end of a word so that it saves at least the units
// asked for, and shows that it was cut.
func shorten(s string, save int) string {
	if save <= 0 {
		return s
	}
	runes := []rune(s)
	total, _ := smsUnits(s)
	for cut := len(runes) - 1; cut > 0; cut-- {
		units, _ := smsUnits(string(runes[:cut]))
		if total-units-len("...") < save {
			continue
		}
		kept := string(runes[:cut])
		if runes[cut] != ' ' { // in the middle of a word: go back, unless the word is most of the text
			if space := strings.LastIndexByte(kept, ' '); space > len(kept)/2 {
				kept = kept[:space]
			}
		}
		return strings.TrimRight(kept, " .,;:-") + "..."
	}
	return ""
}
