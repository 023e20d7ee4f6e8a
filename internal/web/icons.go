package web

import (
	"html/template"
	"strings"

	"kentongan/internal/announcement"
)

// loadIcons reads the drawings, one a line: a name, a tab, what stands in the
// SVG. How they are drawn (colour, width of the line) is said once, in CSS.
func loadIcons(text string) map[string]template.HTML {
	icons := map[string]template.HTML{}
	for line := range strings.Lines(text) {
		name, drawing, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && !strings.HasPrefix(name, "#") {
			icons[name] = template.HTML(`<svg class="i" viewBox="0 0 24 24" aria-hidden="true">` + drawing + `</svg>`) // #nosec G203 -- ours, embedded
		}
	}
	return icons
}

// Icon draws a picture beside a word. It never stands alone.
func (p page) Icon(name string) template.HTML { return p.icons[name] }

// BandIcon is the picture of a severity, or of a drill.
func (p page) BandIcon(m announcement.Mode, sev announcement.Severity) template.HTML {
	if m == announcement.Drill {
		return p.Icon("flag")
	}
	switch sev {
	case announcement.Extreme:
		return p.Icon("octagon-alert")
	case announcement.Severe:
		return p.Icon("triangle-alert")
	case announcement.Moderate:
		return p.Icon("diamond")
	}
	return p.Icon("info")
}

// templateIcons are the pictures of the prepared announcements.
var templateIcons = map[string]string{
	"earthquake": "activity", "tsunami": "waves", "fire": "flame", "flood": "droplets", "active_threat": "shield-alert",
	"chemical": "flask-conical", "cyber": "monitor-x", "closure": "door-closed", "roll_call": "list-checks",
}

// TemplateIcon is the picture of a prepared announcement, or of one's own text.
func (p page) TemplateIcon(key string) template.HTML {
	if name, ok := templateIcons[key]; ok {
		return p.Icon(name)
	}
	return p.Icon("pencil-line")
}
