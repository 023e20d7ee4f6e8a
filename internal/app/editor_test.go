package app

import (
	"strings"
	"testing"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// Whoever reads the versions of a text later sees what each of them changed.
func TestVersionsOfATextSayWhatTheyChanged(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief", func(h *rehearsal) {
		editor, boss := h.house.server.People, web.Principal{Actor: announcement.ByConsole, Name: "console", Grant: web.As(web.Sender)}
		publish := func(edit func(*announcement.Text)) {
			t.Helper()
			e, err := editor.Edition(h.t.Context(), "fire")
			if err != nil {
				t.Fatal(err)
			}
			words := map[announcement.Language]announcement.Text{}
			for lang, text := range e.Published {
				edit(&text)
				words[lang] = text
			}
			if err := editor.SaveWords(h.t.Context(), boss, "fire", words, e.Revision); err != nil {
				t.Fatal(err)
			}
			if err := editor.Publish(h.t.Context(), boss, "fire"); err != nil {
				t.Fatal(err)
			}
			h.settle()
		}
		publish(func(text *announcement.Text) { text.PushBody = "Use the east stairs." })
		publish(func(text *announcement.Text) { text.PushBody = "Use the west stairs." })

		e, err := editor.Edition(h.t.Context(), "fire")
		if err != nil || len(e.Versions) != 2 {
			t.Fatalf("got %d versions, %v, want two", len(e.Versions), err)
		}
		second, first := e.Versions[0], e.Versions[1]
		if was, is := second.Before["en"].PushBody, second.Texts["en"].PushBody; was != "Use the east stairs." || is != "Use the west stairs." {
			t.Errorf("the second version went from %q to %q", was, is)
		}
		if was := first.Before["en"].PushBody; was == "" || strings.Contains(was, "east") {
			t.Errorf("the first version came after %q, want the words of the product", was)
		}

		c := h.clerk()
		c.shows(c.get("/templates/fire"), "What changed", "<del>− Use the east stairs.</del>", "<ins>+ Use the west stairs.</ins>")
	})
}
