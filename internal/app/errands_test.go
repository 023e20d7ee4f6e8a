package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// node opens errands on a vault that others share; it works until stop.
func node(t *testing.T, vault ledger.Vault, do work) (e *errands, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e, err := openErrands(ctx, vault, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e.work["test"] = do
	ended := make(chan struct{})
	go func() { defer close(ended); _ = e.run(ctx) }()
	return e, func() { cancel(); <-ended }
}

// Whoever waits sees on any node how far it is, and when the node that does it
// dies, another begins it anew.
func TestErrandOutlivesItsNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault := ledger.NewMemoryVault()
		var done atomic.Int32 // by b
		a, kill := node(t, vault, func(ctx context.Context, _ string, e errand, progress func(int)) (errand, error) {
			progress(40)
			<-ctx.Done()
			return e, ctx.Err()
		})
		if err := a.begin(t.Context(), "e1", "test", "hr", "x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		b, stop := node(t, vault, func(_ context.Context, _ string, e errand, _ func(int)) (errand, error) {
			done.Add(1)
			e.Result = "made by b"
			return e, nil
		})
		defer stop()
		time.Sleep(30 * time.Second)
		if got, err := b.under("e1"); err != nil || got.Percent != 40 || got.Done || done.Load() > 0 {
			t.Fatalf("while the first node works, got %+v %v, done %v", got, err, done.Load())
		}
		kill()
		time.Sleep(errandSilent - 5*time.Second)
		if done.Load() > 0 {
			t.Error("it was begun anew before the first node was silent for long")
		}
		time.Sleep(10 * time.Second)
		if got, err := b.under("e1"); err != nil || !got.Done || got.Result != "made by b" || done.Load() != 1 {
			t.Errorf("got %+v %v, done %v", got, err, done.Load())
		}
		// The same press again comes to the same place.
		if err := b.begin(t.Context(), "e1", "test", "hr", "x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if done.Load() != 1 {
			t.Errorf("done %v times", done.Load())
		}
		time.Sleep(errandLife)
		if _, err := b.under("e1"); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("after a week: got %v", err)
		}
	})
}

// Of two nodes one does it.
func TestErrandIsDoneByOneNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault := ledger.NewMemoryVault()
		times := make(chan string, 100)
		do := func(_ context.Context, id string, e errand, _ func(int)) (errand, error) {
			times <- id
			time.Sleep(20 * time.Second)
			return e, nil
		}
		a, stopA := node(t, vault, do)
		defer stopA()
		_, stopB := node(t, vault, do)
		defer stopB()
		for i := range 6 {
			if err := a.begin(t.Context(), fmt.Sprint("e", i), "test", "hr", i); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Minute)
		if len(times) != 6 {
			t.Errorf("six errands were begun %d times", len(times))
		}
		for i := range 6 {
			if got, err := a.under(fmt.Sprint("e", i)); err != nil || !got.Done || got.Fault != "" {
				t.Errorf("got %+v %v", got, err)
			}
		}
	})
}

// An errand that panics is one that failed; one that takes its node down every time is
// given up, and may be ordered again.
func TestErrandThatPanicsEndsNoHouse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries, begun atomic.Int32
		vault := ledger.NewMemoryVault()
		e, stop := node(t, vault, func(context.Context, string, errand, func(int)) (errand, error) {
			tries.Add(1)
			panic("a fault of ours")
		})
		if err := e.begin(t.Context(), "e1", "test", "hr", 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if got, _ := e.under("e1"); !got.Done || got.Fault == "" || tries.Load() != errandTurns {
			t.Errorf("got %+v after %d tries", got, tries.Load())
		}
		stop()

		for range errandTurns + 2 { // nodes that die of it
			n, kill := node(t, vault, func(ctx context.Context, _ string, e errand, _ func(int)) (errand, error) {
				begun.Add(1)
				<-ctx.Done()
				return e, ctx.Err()
			})
			if begun.Load() == 0 {
				if err := n.begin(t.Context(), "e1", "test", "hr", 1); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(errandSilent + 5*time.Second)
			kill()
			e = n
		}
		if got, _ := e.under("e1"); !got.Done || got.Fault == "" || begun.Load() != errandTurns {
			t.Errorf("got %+v after %d nodes had begun it", got, begun.Load())
		}
	})
}

// A check of a file that panics has failed, and the next who asks tries again.
func TestCheckThatPanicsEndsNoHouse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files, err := openUploads(t.Context(), ledger.NewMemoryVault(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = files.check(t.Context(), "k", true, func(context.Context, func(int)) (directory.ImportReport, error) { panic("a fault of ours") })
		if err == nil {
			t.Error("a check that panicked found nothing to say")
		}
		again := func(context.Context, func(int)) (directory.ImportReport, error) { return directory.ImportReport{}, nil }
		if _, err := files.check(t.Context(), "k", true, again); err != nil {
			t.Error(err)
		}
	})
}

// A fault of the person's is told at once; one of ours is tried again, then told.
func TestErrandThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		var fail error = announcement.FieldErrors{{Field: "typed", Why: "Type how many people leave: 3."}}
		e, stop := node(t, ledger.NewMemoryVault(), func(_ context.Context, _ string, e errand, _ func(int)) (errand, error) {
			tries++
			return e, fail
		})
		defer stop()
		begin := func() {
			if err := e.begin(t.Context(), "e1", "test", "hr", 1); err != nil {
				t.Fatal(err)
			}
		}
		begin()
		time.Sleep(2 * time.Second)
		if got, _ := e.under("e1"); !got.Done || got.Fault != "Type how many people leave: 3." || tries != 1 {
			t.Fatalf("got %+v after %d tries", got, tries)
		}
		fail, tries = web.ErrNotYet, 0
		begin() // what was refused may be ordered again
		time.Sleep(5 * time.Minute)
		if got, _ := e.under("e1"); !got.Done || !strings.HasPrefix(got.Fault, "This could not be done now") || tries < 2 || tries > errandTurns {
			t.Errorf("got %+v after %d tries", got, tries)
		}
	})
}

// A check that takes long says how far it is, goes on without the page that asked,
// and is made once however many ask.
func TestLargeCheckSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u, err := openUploads(t.Context(), ledger.NewMemoryVault(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		made := 0
		do := func(_ context.Context, progress func(int)) (directory.ImportReport, error) {
			made++
			progress(40)
			time.Sleep(10 * time.Second)
			return directory.ImportReport{Rows: 50000}, nil
		}
		begun := time.Now()
		_, err = u.check(t.Context(), "k", false, do)
		var under *web.Underway
		if !errors.As(err, &under) || under.Percent != 40 || time.Since(begun) > 2*time.Second {
			t.Fatalf("got %v after %v, want 40 %% within 2 s", err, time.Since(begun))
		}
		u.forgetChecks() // somebody changes people meanwhile
		time.Sleep(10 * time.Second)
		if r, err := u.check(t.Context(), "k", false, do); err != nil || r.Rows != 50000 || made != 1 {
			t.Errorf("got %v %v, made %d times", r.Rows, err, made)
		}
		time.Sleep(11 * time.Second)
		if _, err := u.check(t.Context(), "k", true, do); err != nil || made != 2 {
			t.Errorf("what changed meanwhile was not checked again: %v, made %d times", err, made)
		}
	})
}

// HR imports a file of a large company: the pages say how far it is, a second
// press imports nothing, and what was done can be undone.
func TestLargeImportGoesOnByItself(t *testing.T) {
	t.Parallel()
	rehearse(t, "siti, budi", func(h *rehearsal) {
		c := h.clerk()
		var file strings.Builder
		file.WriteString("nip,nama,hp\n")
		const people = largeFile + 200
		for i := range people {
			fmt.Fprintf(&file, "%d,Orang %d,0812%08d\n", 10000+i, i, i)
		}
		at := c.upload("besar.csv", []byte(file.String()))
		check := c.goes(at+"/columns", "c0=employee_id&c1=display_name&c2=mobile_phone")
		if to := c.ask("GET", check, "", "").Header().Get("Location"); to != at+"/review" {
			t.Fatalf("the check leads to %q", to)
		}
		if w := c.post(at+"/review", "missing=whole&typed=7"); w.Code != 422 {
			t.Errorf("a wrong number of leaving people: got %d", w.Code)
		}
		going := c.goes(at+"/review", "missing=leave")
		if again := c.goes(at+"/review", "missing=leave"); again != going {
			t.Errorf("the second press leads to %s", again)
		}
		h.After(5 * time.Second)
		done := c.ask("GET", going, "", "").Header().Get("Location")
		c.shows(c.get(done), "Imported", "5,200", "Undo this import")
		if n := len(h.house.directory.Everybody()); n != people+2 {
			t.Errorf("got %d people", n)
		}
		if past := h.house.directory.Imports(); len(past) != 1 {
			t.Errorf("got %d imports", len(past))
		}
		c.goes(done+"/undo", "")
		if n := len(h.house.directory.Everybody()); n != 2 {
			t.Errorf("after the undo %d people are left", n)
		}
	})
}

// The file that is made while nobody waits is the same as the one that is made at
// once, is kept for a week, and is nobody's under another alert.
func TestReportIsMadeForAWeek(t *testing.T) {
	t.Parallel()
	longStory(t)
	rehearse(t, crew, func(h *rehearsal) {
		id, other := h.Announce("Fire in hall 3"), h.Announce("Fire in hall 4")
		h.Phone("siti").Reply("1")
		h.Close(id, announcement.AsAllClear)
		h.Close(other, announcement.AsAllClear)
		ctx := h.t.Context()
		made, err := h.house.desk.whole().OrderReport(ctx, hr, web.ReportOrder{Announcement: id, File: "people.csv", Language: announcement.English})
		if err != nil {
			t.Fatal(err)
		}
		h.After(3 * time.Second)
		c := h.clerk()
		page := "/alerts/" + string(id) + "/report/made/" + made
		c.shows(c.get(page), "The CSV file is ready", "Download CSV")
		_, file, err := h.house.desk.whole().ReportBytes(ctx, id, made)
		if err != nil {
			t.Fatal(err)
		}
		if want := c.get("/alerts/" + string(id) + "/report/people.csv"); string(file) != want || !strings.Contains(want, "siti") {
			t.Errorf("got %q, want %q", file, want)
		}
		if _, _, err := h.house.desk.whole().ReportBytes(ctx, other, made); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("under another alert: got %v", err)
		}
		h.After(errandLife + time.Minute)
		if _, _, err := h.house.desk.whole().ReportBytes(ctx, id, made); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("after a week: got %v", err)
		}
	})
}
