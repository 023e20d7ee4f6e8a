package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/directory"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// What stands for a person in the test of their erasure. Each has to be found
// before, and nowhere after.
var canary = struct{ number, name, mobile, email, endpoint, words, said, place, photo, text, draft, where string }{
	number: "NIK-48151623", name: "Ratna Cakrawala Dewantari", mobile: "+6281298765432", email: "ratna.cakrawala@contoh.example",
	endpoint: "https://push.example/send/canary-endpoint-7731", words: "kaki saya terjepit mesin bubut", said: "Rekan melihatnya di ruang genset",
	place: "-6.17539, 106.82715 (±9 m)", photo: "JPEG-OF-A-CANARY-WITH-A-FACE", text: "ini pesan rahasia burung kenari", draft: "Rapat tentang Ratna Cakrawala Dewantari", where: "lorong burung kenari",
}

func canaries() []string {
	return []string{canary.number, canary.name, canary.mobile, strings.TrimPrefix(canary.mobile, "+62"), canary.email, canary.endpoint, canary.words, canary.said,
		canary.place, "-6.17539", canary.photo, canary.text, canary.where}
}

// disguises are the ways in which a text can stand in a file unsealed.
func disguises(s string) [][]byte {
	out := [][]byte{[]byte(s)}
	for skip := range 3 { // base64 depends on where it begins
		coded := base64.RawStdEncoding.EncodeToString(append(make([]byte, skip), s...))
		out = append(out, []byte(coded[(skip*8+5)/6+1:len(coded)-2]))
	}
	return out
}

// realHouse opens a house with NATS on a folder and lets it run.
func realHouse(t *testing.T, folder string) (*House, func()) {
	t.Helper()
	c := Config{Listen: "127.0.0.1:0", PublicURL: "http://kentongan.example", Data: folder, OrgName: "PT Contoh", BootstrapToken: "rehearsal-token-0001", Zone: "Asia/Jakarta",
		SMSProvider: "none", InFlight: 8, Replicas: 1}
	h, err := Open(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	end := sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the house: %v", err)
		}
		h.Close()
	})
	t.Cleanup(end)
	return h, end
}

// dataFiles are the files of a folder, without the keys.
func dataFiles(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		out[path] = content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sealedIn returns the sealed values of the vault in a folder that nobody uses now.
func sealedIn(t *testing.T, folder string) (out [][]byte) {
	t.Helper()
	nc, closeNATS, err := openNATS(t.Context(), &Config{Data: folder}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeNATS()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "kentongan-people")
	if err != nil {
		t.Fatal(err)
	}
	w, err := kv.WatchAll(t.Context(), jetstream.IgnoreDeletes())
	if err != nil {
		t.Fatal(err)
	}
	for e := range w.Updates() {
		if e == nil {
			return out
		}
		if e.Key() != "vault.filler" && len(e.Value()) > 0 {
			out = append(out, e.Value())
		}
	}
	return out
}

// plantCanary is a company in which Ratna is asked, calls for help, writes, is
// written about, and leaves. It returns the announcement.
func plantCanary(t *testing.T, h *House) announcement.ID {
	t.Helper()
	ctx, d := t.Context(), h.desk
	hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Roles...)}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	company := func(extra string) string {
		return "employee_id,display_name,mobile_phone,email,site,manager_id,active\n" +
			"B1,Budi Santoso,+6281200000001,,Pabrik,,true\n" + extra +
			"S1,Siti Aminah,+6281200000002,,Pabrik," + canary.number + ",true\n"
	}
	ratna := fmt.Sprintf("%s,%s,%s,%s,Pabrik,B1,%%t\n", canary.number, canary.name, canary.mobile, canary.email)
	life, end := context.WithCancel(ctx)
	defer end()
	files, err := openUploads(life, h.vault, h.now)
	must("uploads", err)
	staff := &people{directory: h.directory, links: h.links, desk: d, uploads: files, errands: d.errands}
	for _, line := range []string{ratna, strings.Replace(ratna, "Pabrik", "Gudang", 1)} { // the second can be undone
		id, err := staff.Keep(ctx, hr, "karyawan.csv", []byte(company(fmt.Sprintf(line, true))))
		must("upload", err)
		_, err = staff.Apply(ctx, hr, id, web.ImportChoice{Typed: -1})
		must("import", err)
	}
	who, ok := h.directory.ByNumber(canary.number)
	if !ok {
		t.Fatal("nobody was imported")
	}
	must("connect", h.directory.Connect(ctx, who.ID, directory.Device{ID: "dev1", Name: "Chrome", Seen: time.Now()}))
	must("subscribe", h.directory.Subscribe(ctx, who.ID, announcement.Subscription{ID: "sub1", Endpoint: canary.endpoint, Device: "dev1"}))
	must("duty", h.directory.SetDuty(ctx, []string{canary.number, "B1"}))
	_, err = d.codes.issue(ctx, who.ID, canary.mobile)
	must("code", err)

	device := d.links.credential("device", pair(who.ID, "dev1"))
	report, err := d.ReportEmergency(ctx, device, web.Emergency{Kind: "fire", Where: canary.where, What: canary.text, Photo: []byte(canary.photo), Ref: "r1"})
	must("report", err)
	must("handle the report", d.HandleText(ctx, hr, report))
	_, err = d.hear(ctx, sms.Inbound{SID: "SM0", From: canary.mobile, To: "+15005550006", Body: canary.text})
	must("text", err)

	alarm, _, err := d.Announce(ctx, hr, web.Draft{Mode: announcement.Live, Severity: announcement.Extreme, Answers: announcement.Safety, Channels: announcement.Channels,
		Text: map[announcement.Language]announcement.Text{"en": {Title: "Fire", Body: "Leave."}, "id": {Title: "Api", Body: "Keluar."}}, Audience: announcement.Audience{All: true}}, "k1")
	must("announce", err)
	v, err := d.view(ctx, alarm.ID)
	must("view", err)
	number := slices.IndexFunc(v.Roster.Recipients, func(r announcement.Recipient) bool { return r.Person == who.ID })
	token := d.links.answerToken(alarm.ID, number)
	_, err = d.Answer(ctx, token, web.Press{Answer: announcement.NeedHelp, Ref: "p1"})
	must("answer", err)
	_, err = d.Tell(ctx, token, web.Press{Note: canary.words + " " + canary.place, Ref: "p2"})
	must("tell", err)
	must("mark", d.MarkAt(ctx, hr, alarm.ID, web.Mark{Index: number, Answer: announcement.NeedHelp, How: announcement.SawThem, Note: canary.said}))
	must("name her elsewhere", d.MarkAt(ctx, hr, alarm.ID, web.Mark{Index: (number + 1) % 3, Answer: announcement.Safe, How: announcement.SawThem, Note: "Bersama " + canary.name}))
	must("draft", d.SaveDraft(ctx, hr, web.SavedDraft{ID: "d1", Draft: web.Draft{Text: map[announcement.Language]announcement.Text{"id": {Title: canary.draft}}}}))
	_, err = d.boards(hr.Grant).OrderReport(ctx, hr, web.ReportOrder{Announcement: alarm.ID, File: "people.csv", Language: "id"})
	must("report file", err)
	waitFor(t, "the report file", func() bool {
		return len(d.errands.list(func(_ string, e errand) bool { return !e.Ended.IsZero() && e.Fault == "" && e.Parts > 0 })) == 1
	})

	if err := h.keeper.Erase(ctx, hr, canary.number, canary.number); !strings.Contains(fmt.Sprint(err), "works here") {
		t.Errorf("somebody who works here: got %v, want a refusal", err)
	}
	must("leave", h.directory.Save(ctx, map[string]string{"employee_id": canary.number, "display_name": canary.name, "active": "false"}, versionNow(h, canary.number), false))
	must("close", d.Close(ctx, hr, alarm.ID, announcement.AsAllClear, "Semua aman"))
	for _, id := range d.tracker.IDs() { // those that called the duty list
		if v, _ := d.tracker.View(id); v.Status == announcement.StatusOpen {
			must("close", d.Close(ctx, hr, id, announcement.AsAllClear, "Selesai"))
		}
	}
	return alarm.ID
}

func versionNow(h *House, number string) int64 {
	l, _ := h.directory.Listing(number)
	return l.Version
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// holdsCanary names the values of the open vault in which something of the canary is.
func holdsCanary(t *testing.T, h *House) (kinds []string) {
	t.Helper()
	err := h.vault.Walk(t.Context(), "", func(key string, value []byte, _ time.Time) error {
		for _, c := range canaries() {
			for _, d := range disguises(c) {
				if bytes.Contains(value, d) && !slices.Contains(kinds, kindOfKey(key)) {
					kinds = append(kinds, kindOfKey(key))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(kinds)
	return kinds
}

// Erasing a person leaves no trace of them in any file, opened or sealed; the ledger
// is whole and the totals stand.
func TestErasedPersonIsNowhere(t *testing.T) {
	folder := t.TempDir()
	hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Roles...)}
	h, stop := realHouse(t, folder)
	id := plantCanary(t, h)
	// Every kind that can hold something of a person does, or this test proves little.
	want := []string{"code", "draft", "errandpart", "importpart", "inbox", "note", "person", "photo", "place", "setting", "uploadpart", "contact"}
	for _, kind := range want {
		if !slices.Contains(holdsCanary(t, h), kind) {
			t.Errorf("nothing of the canary is in %s.*", kind)
		}
	}
	before, err := h.desk.whole().Summary(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	sealed, files := sealedIn(t, folder), dataFiles(t, folder)
	var pieces [][]byte // of what the vault's files held, also of what was overwritten
	for path, content := range files {
		if strings.Contains(path, "KV_kentongan-people") && strings.HasSuffix(path, ".blk") {
			for at := 0; at+64 <= len(content); at += 131 {
				// Keys are opaque ids, and stay as markers of what was deleted.
				if piece := content[at : at+64]; !bytes.Contains(piece, []byte("$KV")) && bytes.ContainsFunc(piece, func(r rune) bool { return r > unicode.MaxASCII }) {
					pieces = append(pieces, piece)
				}
			}
		}
	}
	if len(sealed) < 20 || len(pieces) < 20 {
		t.Fatalf("%d sealed values and %d pieces of files: this test looks in the wrong place", len(sealed), len(pieces))
	}

	h, stop = realHouse(t, folder)
	waitFor(t, "the tracker", func() bool { ready, _ := h.tracker.Ready(); return ready })
	for _, typed := range []string{"", "ratna", canary.number + "0"} {
		if err := h.keeper.Erase(t.Context(), hr, canary.number, typed); err == nil {
			t.Fatalf("erased after %q was typed", typed)
		}
	}
	if err := h.keeper.Erase(t.Context(), web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Sender, web.Auditor)}, canary.number, canary.number); err == nil {
		t.Fatal("somebody who is no administrator erased a person")
	}
	// What somebody else wrote of her may be a call for help: it is not erased unread.
	if _, err := h.desk.hear(t.Context(), sms.Inbound{SID: "SM1", From: "+6281355500999", To: "+15005550006", Body: "Terjebak di lantai 3:\n" + canary.name}); err != nil {
		t.Fatal(err)
	}
	if err := h.keeper.Erase(t.Context(), hr, canary.number, canary.number); !strings.Contains(fmt.Sprint(err), "nobody has dealt with") {
		t.Fatalf("while a text that names her waits: got %v, want a refusal", err)
	}
	for _, waits := range h.desk.boards(hr.Grant).Inbox(t.Context()) {
		if strings.Contains(waits.Body, canary.name) {
			if err := h.desk.HandleText(t.Context(), hr, waits.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := h.keeper.Erase(t.Context(), hr, canary.number, canary.number); err != nil {
		t.Fatal(err)
	}
	if kinds := holdsCanary(t, h); len(kinds) > 0 {
		t.Errorf("opened, the vault still holds something of the canary: %v", kinds)
	}
	after, err := h.desk.whole().Summary(t.Context(), id)
	if err != nil || after.Counts != before.Counts {
		t.Errorf("the totals were %+v and are %+v, %v", before.Counts, after.Counts, err)
	}
	if siti, _ := h.directory.ByNumber("S1"); siti.Manager != "B1" {
		t.Errorf("who reported to her reports to %q, want the next one up", siti.Manager)
	}
	list, err := h.desk.boards(hr.Grant).Recipients(t.Context(), id, web.RecipientFilter{Limit: 10})
	if err != nil || !slices.ContainsFunc(list.Recipients, func(r web.Recipient) bool { return r.Name.Name == erasedPerson && r.State == announcement.NeedsHelp }) {
		t.Errorf("the board does not show an erased person who needed help: %+v, %v", list, err)
	}
	stop()

	for path, content := range dataFiles(t, folder) {
		rel, _ := filepath.Rel(folder, path)
		for _, c := range canaries() {
			for i, d := range disguises(c) {
				if bytes.Contains(content, d) {
					t.Errorf("%s holds %q (disguise %d)", rel, c, i)
				}
			}
		}
		for _, s := range sealed {
			if bytes.Contains(content, s) {
				t.Errorf("%s holds a sealed value of before", rel)
				break
			}
		}
		if !strings.Contains(path, "KV_kentongan-people") {
			continue
		}
		for _, p := range pieces {
			if bytes.Contains(content, p) {
				t.Errorf("%s holds a piece of a file of before", rel)
				break
			}
		}
	}

	// The whole ledger is read from the folder, as `ledger verify` does.
	verified, err := (&VerifyLedger{Data: folder}).read(t.Context())
	if err != nil || len(verified.Faults) > 0 || verified.Facts == 0 {
		t.Errorf("ledger verify: %+v, %v", verified, err)
	}
	// A node that begins with nothing but the folder counts the same, and whoever comes
	// with her number is somebody new.
	h, stop = realHouse(t, folder)
	defer stop()
	waitFor(t, "the tracker", func() bool { ready, _ := h.tracker.Ready(); return ready })
	if again, err := h.desk.whole().Summary(t.Context(), id); err != nil || again.Counts != before.Counts {
		t.Errorf("after a replay: %+v, %v; want %+v", again.Counts, err, before.Counts)
	}
	if kinds := holdsCanary(t, h); len(kinds) > 0 {
		t.Errorf("after a start: %v", kinds)
	}
	if err := h.directory.Save(t.Context(), map[string]string{"employee_id": canary.number, "display_name": "Joko", "active": "true"}, 0, false); err != nil {
		t.Fatal(err)
	}
	joko, _ := h.directory.ByNumber(canary.number)
	if places := h.tracker.PlacesOf(joko.ID); len(places) > 0 {
		t.Errorf("who has her number now was asked in %d old announcements", len(places))
	}
	kept, err := h.keeper.Kept(t.Context())
	if err != nil || len(kept.Erasures) != 1 || kept.Erasures[0].Ended.IsZero() {
		t.Errorf("the record of the erasure: %+v, %v", kept.Erasures, err)
	}
}

// Nobody is erased by a node that does not know yet what is in the ledger: an open alert
// may ask for them, or their own words call for help.
func TestWhoLagsErasesNobody(t *testing.T) {
	t.Parallel()
	rehearse(t, "chief, siti manager:chief", func(h *rehearsal) {
		h.Announce("Fire in hall 3", to("siti"), steps(2*time.Hour))
		siti, _ := h.house.directory.ByNumber("siti")
		h.Leaves("siti")
		d := h.house.desk
		behind := &keeper{desk: &desk{tracker: tracker.New(tracker.Options{Ledger: d.ledger, Store: tracker.NewMemoryStore()}),
			directory: d.directory, vault: d.vault, errands: d.errands, log: d.log, now: d.now}}
		ctx, stop := context.WithTimeout(h.t.Context(), time.Minute)
		defer stop()
		if _, err := behind.mayErase(ctx, []announcement.PersonID{siti.ID}); !errors.Is(err, web.ErrNotYet) {
			t.Errorf("got %v, want to come again", err)
		}
	})
}
