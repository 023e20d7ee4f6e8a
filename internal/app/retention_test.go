package app

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
	"kentongan/templates"
)

// notKinds are texts of the code that look like the beginning of a key and are none.
var notKinds = map[string]string{
	"announcement": "a topic of the hub", "text": "a field of a form", "words": "a field of a form", "vault": "the vault's own", "delivery": "a subject of the queue",
	"report": "a file of the evidence", "people": "a file of the evidence", "restore": "a file in the data folder",
	"kentongan": "an attribute of a trace", "http": "an attribute of a trace", "service": "an attribute of a trace", "runtime": "where a program came from, in Go's own words",
}

// A kind of key that no table names would be kept for ever, and nobody would know.
func TestEveryKindIsNamed(t *testing.T) {
	t.Parallel()
	shape, found := regexp.MustCompile(`^([a-z]+)\.(?:$|[a-z%]+$|%s)`), map[string]bool{}
	for _, folder := range []string{".", "../directory", "../ledger", "../tracker", "../dispatch"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != gotoken.STRING {
					return true
				}
				text, _ := strconv.Unquote(literal.Value)
				if m := shape.FindStringSubmatch(text); m != nil {
					found[m[1]] = true
					if _, known := holdingOf(m[1]); !known && notKinds[m[1]] == "" && !strings.Contains(path, "ledger/") && !strings.Contains(text, ".json") {
						t.Errorf("%s: keys of the kind %q are in no table: say in holdings what they hold, whose it is and how long", path, m[1])
					}
				}
				return true
			})
		}
	}
	for _, h := range holdings {
		if !found[h.Kind] {
			t.Errorf("the table names %q, which nothing writes", h.Kind)
		}
		if h.Days == nil && h.due != nil || h.Until == "" || h.Holds == "" || h.Whose == "" {
			t.Errorf("%s: the table does not say what, whose and how long", h.Kind)
		}
	}
	b, err := templates.Files.ReadFile("web/words.json")
	if err != nil {
		t.Fatal(err)
	}
	var words map[string]string
	if err := json.Unmarshal(b, &words); err != nil {
		t.Fatal(err)
	}
	for _, h := range holdings {
		for _, english := range []string{h.Holds, h.Until, string(h.Whose)} {
			if words[english] == "" {
				t.Errorf("%s: %q has no Indonesian", h.Kind, english)
			}
		}
	}
}

// present are the keys of a kind.
func (h *rehearsal) present(kind string) (keys []string) {
	h.t.Helper()
	err := h.house.vault.Walk(h.t.Context(), kind+".", func(key string, _ []byte, _ time.Time) error {
		keys = append(keys, key)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return keys
}

// in is the keeper of a rehearsal so long from now: what it looks after takes years.
func (h *rehearsal) in(d time.Duration) *keeper {
	k := *h.house.keeper
	k.now = func() time.Time { return time.Now().Add(d) }
	return &k
}

// Each kind goes on its day, and not a day sooner.
func TestWhatIsDueIsErased(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		ctx := h.t.Context()
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").hear("SM1", "2 kaki terjepit -6.17539, 106.82715 (±9 m)")
		h.Phone("agus").hear("SM2", "1")
		h.ExpectClosed(fire, announcement.AsAccounted)
		if _, err := h.house.desk.hear(ctx, sms.Inbound{SID: "SM3", From: "+628999999999", Body: "siapa ini"}); err != nil {
			t.Fatal(err)
		}
		hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Roles...)}
		for _, text := range h.house.desk.whole().Inbox(ctx) {
			if err := h.house.desk.HandleText(ctx, hr, text.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.house.vault.Put(ctx, "codespent.x.1", []byte("1")); err != nil {
			t.Fatal(err)
		}
		words := h.recipient(fire, "siti").Words
		if !strings.Contains(words, "106.82715") || !strings.Contains(words, "terjepit") {
			t.Fatalf("the board says %q, want the words and the place", words)
		}
		for _, tt := range []struct {
			kind string
			days int
		}{{"codespent", 1}, {"inbox", 7}, {"place", 30}, {"note", 90}} {
			due := time.Duration(tt.days) * day
			if len(h.present(tt.kind)) == 0 {
				t.Fatalf("nothing of %s.* is kept", tt.kind)
			}
			if err := h.in(due - time.Hour).sweepDay(ctx); err != nil {
				t.Fatal(err)
			}
			if len(h.present(tt.kind)) == 0 {
				t.Errorf("%s.* is gone before day %d", tt.kind, tt.days)
			}
			if err := h.in(due + day).sweepDay(ctx); err != nil {
				t.Fatal(err)
			}
			if left := h.present(tt.kind); len(left) > 0 {
				t.Errorf("%s.* is still there after day %d: %v", tt.kind, tt.days, left)
			}
			if tt.kind == "place" {
				if words := h.recipient(fire, "siti").Words; words != "2 kaki terjepit" {
					t.Errorf("after 30 days the board says %q, want the words without the place", words)
				}
			}
		}
		h.ExpectState(fire, "siti", announcement.NeedsHelp)
		h.ExpectState(fire, "agus", announcement.Confirmed)

		kept, err := h.house.keeper.Kept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		erased := map[string]int{}
		for _, s := range kept.Sweeps {
			if s.Ended.IsZero() || s.Fault || s.Unnamed > 0 {
				t.Errorf("a day's record: %+v", s)
			}
			for _, e := range s.Erased {
				erased[e.Name] += e.People
			}
		}
		if erased["place"] != 1 || erased["note"] < 1 || erased["heard"] < 3 || erased["inbox"] != 1 {
			t.Errorf("the record says that %v were erased", erased)
		}
	})
}

// Two nodes do one round a day, and one that was cut off is done again.
func TestOneRoundADay(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		ctx, k := h.t.Context(), h.house.keeper
		for range 3 {
			if err := k.sweepDay(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got := h.present("sweep"); len(got) != 1 {
			t.Errorf("got rounds %v, want one", got)
		}
		tomorrow := h.in(day)
		cut := sweep{At: tomorrow.now().UTC()}
		value, _ := json.Marshal(cut)
		if err := h.house.vault.Put(ctx, sweepKey+cut.At.Format("20060102"), value); err != nil {
			t.Fatal(err)
		}
		ended := func() bool {
			kept, err := k.Kept(ctx)
			return err == nil && !kept.Sweeps[0].Ended.IsZero()
		}
		if err := tomorrow.sweepDay(ctx); err != nil || ended() {
			t.Errorf("a round that another node does was done at once: %v", err)
		}
		if err := h.in(day + sweepAgain).sweepDay(ctx); err != nil || !ended() {
			t.Errorf("a round that was cut off was not done again: %v", err)
		}
	})
}

// Whoever runs the server decides how long data are kept: what they changed is in the
// audit trail before anything goes by it, and once.
func TestOtherDaysAreNotedBeforeTheyCount(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		ctx, c := h.t.Context(), h.house.config
		for i, words := range []int{90, 90, 30, 30} {
			c.RetainWords, c.RetainStrangers, c.RetainLeft = words, 7, 730
			if err := h.in(time.Duration(i+1) * day).sweepDay(ctx); err != nil {
				t.Fatal(err)
			}
		}
		var noted []announcement.Fact
		for _, f := range trail(h.t, h.house.ledger) {
			if f.Noted.Act == announcement.RetentionChanged {
				noted = append(noted, f)
			}
		}
		if len(noted) != 1 || noted[0].Actor != byOperator || noted[0].Noted.About.Object != "30-7-730" {
			t.Errorf("noted %+v", noted)
		}
	})
}

// counted counts how often the whole vault is read.
type counted struct {
	ledger.Vault
	walks int
}

func (c *counted) Walk(ctx context.Context, prefix string, fn func(string, []byte, time.Time) error) error {
	if prefix == "" {
		c.walks++
	}
	return c.Vault.Walk(ctx, prefix, fn)
}

// Many who left are erased together: the vault is read once for what is due, once for who
// is still called for, and once for their traces, however many they are.
func TestLeaversAreErasedTogether(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		vault := &counted{Vault: h.house.vault}
		k := &keeper{desk: &desk{audit: h.house.audit, config: h.house.config, ledger: h.house.ledger, vault: vault, directory: h.house.directory, tracker: h.house.tracker,
			countdowns: h.house.desk.countdowns, errands: h.house.desk.errands, trials: h.house.desk.trials, log: h.house.desk.log}}
		k.now = func() time.Time { return time.Now().Add(732 * day) }
		h.importStaff(func(e employee) bool { return e.name == "chief" || e.name == "dewi" })
		h.house.config.RetainLeft = 730
		if err := k.sweepDay(h.t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"siti", "agus", "budi"} {
			if _, ok := h.house.directory.ByNumber(name); ok {
				t.Errorf("%s is still there", name)
			}
		}
		if vault.walks != 3 {
			t.Errorf("the whole vault was read %d times, want 3", vault.walks)
		}
	})
}

// Whoever left long ago is erased, and how they were reached goes much sooner.
func TestLeaversAreErased(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		ctx := h.t.Context()
		fire := h.Announce("Fire in hall 3", to("siti", "agus"))
		h.Phone("siti").hear("SM1", "1")
		h.Phone("agus").hear("SM2", "1")
		siti, _ := h.house.directory.ByNumber("siti")
		h.Leaves("siti")
		if err := h.house.directory.StopSMS(ctx, siti.ID, true); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			kind string
			days int
		}{{"contact", 30}, {"person", 730}} {
			for _, late := range []time.Duration{-time.Hour, day} {
				if err := h.in(time.Duration(tt.days)*day + late).sweepDay(ctx); err != nil {
					t.Fatal(err)
				}
				has := strings.Contains(fmt.Sprint(h.present(tt.kind)), string(siti.ID))
				if want := late < 0; has != want {
					t.Errorf("%s is kept on day %d %+v: %v, want %v", tt.kind, tt.days, late, has, want)
				}
			}
		}
		if c := h.summary(fire).Counts; c.Confirmed != 2 || c.Recipients != 2 {
			t.Errorf("the old alert counts %+v", c)
		}
	})
}

func TestPlacesAreTakenOutOfWords(t *testing.T) {
	t.Parallel()
	for words, want := range map[string][2]string{
		"kaki, lantai 3 -6.12346, 106.50000 (±20 m)": {"kaki, lantai 3", "-6.12346, 106.50000 (±20 m)"},
		"-6.17539, 106.82715":                        {"", "-6.17539, 106.82715"},
		"lantai 3, ruang 12.5, 4 orang":              {"lantai 3, ruang 12.5, 4 orang", ""},
		"di 1.23456,103.98765 dekat pos":             {"di dekat pos", "1.23456,103.98765"},
	} {
		if rest, place := splitPlace(words); rest != want[0] || place != want[1] {
			t.Errorf("%q: got %q and %q", words, rest, place)
		}
	}
}
