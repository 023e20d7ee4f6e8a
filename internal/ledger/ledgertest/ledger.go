// Package ledgertest judges whether a Ledger or a Vault keeps its promises. One
// suite serves every implementation, so that what is tested in memory holds on
// JetStream.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// patience is how long the suite waits for something that must happen.
const patience = 20 * time.Second

// Answered returns an answer of recipient n, recognisable by its ref.
func Answered(id announcement.ID, n int) announcement.Fact {
	return announcement.Fact{Announcement: id, Kind: announcement.KindAnswered, At: time.Unix(int64(n), 0).UTC(),
		Answered: &announcement.Answered{Number: n, Answer: announcement.Safe, Via: announcement.ViaPage, Ref: fmt.Sprint("r", n)}}
}

// Acceptance returns the facts of a new announcement with recipients in chunks of 2.
func Acceptance(id announcement.ID, recipients int) []announcement.Fact {
	fact := func(k announcement.Kind) announcement.Fact {
		return announcement.Fact{Announcement: id, Kind: k, At: time.Unix(1, 0).UTC()}
	}
	f := fact(announcement.KindAnnounced)
	f.Announced = &announcement.Announcement{ID: id, Mode: announcement.Drill}
	facts, chunks := []announcement.Fact{f}, 0
	for first := 0; first < recipients; first += 2 {
		c := &announcement.Chunk{First: first}
		for n := first; n < min(first+2, recipients); n++ {
			c.Recipients = append(c.Recipients, announcement.Recipient{Person: announcement.PersonID(fmt.Sprint("p", n)), Line: -1})
		}
		f := fact(announcement.KindRecipients)
		f.Recipients = c
		facts = append(facts, f)
		chunks++
	}
	f = fact(announcement.KindCommitted)
	f.Committed = &announcement.Committed{Recipients: recipients, Chunks: chunks}
	return append(facts, f)
}

// Ledger runs the suite; open returns a fresh, empty ledger.
func Ledger(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, ledger.Ledger)
	}{
		{"facts come back in order and whole", order},
		{"a thousand concurrent callers are all durable", groupCommit},
		{"of fifty racers exactly one writes once", race},
		{"accept can be repeated", acceptRepeat},
		{"follow resumes without gap or repeat", followResume},
		{"follow gets what is written later", followLive},
		{"share gives a record again after a failure", shareAgain},
		{"share gives each record to one node and filters kinds", shareBetween},
		{"read is bounded to one announcement and to now", readBounded},
		{"a bad fact is refused", badFacts},
		{"a closed ledger writes nothing", closed},
		{"verify finds what is wrong", verify},
		{"verify takes changes of people and text as they are", verifyChanged},
		{"what was noted is read backwards, of all or of one person", noted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := open(t)
			t.Cleanup(func() { _ = l.Close() })
			tc.test(t, l)
		})
	}
}

func all(t *testing.T, l ledger.Ledger, after uint64) []ledger.Record {
	t.Helper()
	last, err := l.Last(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var records []ledger.Record
	if last <= after {
		return nil
	}
	end := errors.New("end")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = l.Follow(ctx, after, func(r ledger.Record) error {
		records = append(records, r)
		if r.Seq == last {
			return end
		}
		return nil
	})
	if !errors.Is(err, end) {
		t.Fatalf("Follow returned %v", err)
	}
	return records
}

func refs(records []ledger.Record) (got []string) {
	for _, r := range records {
		for _, f := range r.Facts {
			if f.Answered != nil {
				got = append(got, f.Answered.Ref)
			} else {
				got = append(got, string(f.Kind))
			}
		}
	}
	return got
}

func order(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	var want []string
	var facts []announcement.Fact
	for n := range 2*ledger.MaxPack + 1 {
		facts = append(facts, Answered(id, n))
		want = append(want, fmt.Sprint("r", n))
	}
	closing := announcement.Fact{Announcement: id, Kind: announcement.KindClosed, Closed: &announcement.Closed{As: announcement.AsExpired}}
	facts = append(facts, closing, Answered(id, 7_000))
	want = append(want, "closed", "r7000")
	seq, err := l.Append(t.Context(), facts...)
	if err != nil {
		t.Fatal(err)
	}
	if last, _ := l.Last(t.Context()); last != seq {
		t.Errorf("Append returned %d, Last is %d", seq, last)
	}
	records := all(t, l, 0)
	if got := refs(records); !slices.Equal(got, want) {
		t.Errorf("facts came back in another order: got %d, want %d", len(got), len(want))
	}
	for i, r := range records {
		if r.Seq != uint64(i+1) || r.Announcement != id || len(r.Facts) > ledger.MaxPack {
			t.Errorf("record %d: position %d, %d facts", i, r.Seq, len(r.Facts))
		}
		for _, f := range r.Facts {
			if f.At.IsZero() || f.At.Location() != time.UTC {
				t.Errorf("position %d: At is %v", r.Seq, f.At)
			}
		}
	}
}

func groupCommit(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	const callers = 1000
	seqs := make([]uint64, callers)
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			seq, err := l.Append(t.Context(), Answered(id, n))
			if err != nil {
				t.Errorf("caller %d: %v", n, err)
			}
			seqs[n] = seq
		})
	}
	wg.Wait()
	at := map[string]uint64{}
	for _, r := range all(t, l, 0) {
		for _, f := range r.Facts {
			if at[f.Answered.Ref] != 0 {
				t.Errorf("%s stored twice", f.Answered.Ref)
			}
			at[f.Answered.Ref] = r.Seq
		}
	}
	for n, seq := range seqs {
		if got := at[fmt.Sprint("r", n)]; got != seq {
			t.Errorf("caller %d was told position %d, it is at %d", n, seq, got)
		}
	}
}

func race(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	var mu sync.Mutex
	won, already := 0, 0
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			_, err := l.Once(t.Context(), "step-1", Answered(id, n))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, ledger.ErrAlready):
				already++
			default:
				t.Errorf("racer %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	if won != 1 || already != 49 {
		t.Errorf("got %d winners and %d losers, want 1 and 49", won, already)
	}
	if got := len(all(t, l, 0)); got != 1 {
		t.Errorf("%d records stored, want 1", got)
	}
	for _, other := range []struct {
		key string
		id  announcement.ID
	}{{"step-2", id}, {"step-1", announcement.NewID()}} {
		if _, err := l.Once(t.Context(), other.key, Answered(other.id, 1)); err != nil {
			t.Errorf("another key or announcement: %v", err)
		}
	}
}

func acceptRepeat(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	facts := Acceptance(id, 2501) // more messages than one atomic batch takes
	first, err := l.Accept(t.Context(), facts)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Accept(t.Context(), facts)
	if err != nil || again != first {
		t.Errorf("repeat: got %d, %v; want %d", again, err, first)
	}
	var got, want []string
	for _, f := range facts {
		want = append(want, string(f.Kind))
	}
	if got = refs(all(t, l, 0)); !slices.Equal(got, want) {
		t.Errorf("stored %d facts, want %d", len(got), len(want))
	}
	// A repeat whose content was made anew neither fails nor adds anything.
	if again, err = l.Accept(t.Context(), Acceptance(id, 7)); err != nil || again != first {
		t.Errorf("repeat with other content: got %d, %v; want %d", again, err, first)
	}
	if r, err := ledger.Verify(t.Context(), l); err != nil || len(r.Faults) > 0 || r.Announcements != 1 {
		t.Errorf("Verify: %+v, %v", r, err)
	}
}

func followResume(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	for n := range 60 {
		if _, err := l.Append(t.Context(), Answered(id, n)); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint64
	stop := errors.New("stop")
	for after := uint64(0); after < 60; {
		err := l.Follow(t.Context(), after, func(r ledger.Record) error {
			got = append(got, r.Seq)
			after = r.Seq
			if r.Seq%17 == 0 || r.Seq == 60 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Fatalf("Follow returned %v, want the error of fn", err)
		}
	}
	for i, seq := range got {
		if seq != uint64(i+1) {
			t.Fatalf("position %d came as number %d", seq, i+1)
		}
	}
	if len(got) != 60 {
		t.Errorf("got %d records, want 60", len(got))
	}
}

func followLive(t *testing.T, l ledger.Ledger) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := make(chan uint64, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, 0, func(r ledger.Record) error { seen <- r.Seq; return nil })
	}()
	for n := range 5 {
		if _, err := l.Append(ctx, Answered(announcement.NewID(), n)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-seen:
			if got != uint64(n+1) {
				t.Fatalf("got position %d, want %d", got, n+1)
			}
		case <-ctx.Done():
			t.Fatal("the follower did not get a new record")
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Follow returned %v, want context.Canceled", err)
	}
}

func shareAgain(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	if _, err := l.Accept(t.Context(), Acceptance(id, 3)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tries := 0
	_ = l.Share(ctx, "work", []announcement.Kind{announcement.KindCommitted}, func(context.Context, ledger.Record) error {
		if tries++; tries < 3 {
			return errors.New("not this time")
		}
		cancel()
		return nil
	})
	if tries != 3 {
		t.Errorf("the record came %d times, want 3", tries)
	}
}

func shareBetween(t *testing.T, l ledger.Ledger) {
	const announcements = 12
	for range announcements {
		id := announcement.NewID()
		if _, err := l.Accept(t.Context(), Acceptance(id, 3)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(t.Context(), Answered(id, 1)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var mu sync.Mutex
	times := map[announcement.ID]int{}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			_ = l.Share(ctx, "work", []announcement.Kind{announcement.KindCommitted, announcement.KindDecided}, func(_ context.Context, r ledger.Record) error {
				mu.Lock()
				defer mu.Unlock()
				if r.Facts[0].Kind != announcement.KindCommitted {
					t.Errorf("got a record of kind %q", r.Facts[0].Kind)
				}
				if times[r.Announcement]++; len(times) == announcements {
					cancel()
				}
				return nil
			})
		})
	}
	wg.Wait()
	if len(times) != announcements {
		t.Errorf("got %d records, want %d", len(times), announcements)
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was given %d times", id, n)
		}
	}
}

func readBounded(t *testing.T, l ledger.Ledger) {
	id, other := announcement.NewID(), announcement.NewID()
	for n := range 3 {
		for _, a := range []announcement.ID{id, other} {
			if _, err := l.Append(t.Context(), Answered(a, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := l.Once(t.Context(), "k", Answered(id, 3)); err != nil {
		t.Fatal(err)
	}
	var got []ledger.Record
	err := l.Read(t.Context(), id, func(r ledger.Record) error {
		got = append(got, r)
		_, err := l.Append(t.Context(), Answered(id, 100)) // must not be chased
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := refs(got); !slices.Equal(r, []string{"r0", "r1", "r2", "r3"}) {
		t.Errorf("got %v", r)
	}
	for _, r := range got[:3] {
		if again, err := l.At(t.Context(), r.Seq); err != nil || again.Announcement != id || !slices.Equal(refs([]ledger.Record{again}), refs([]ledger.Record{r})) {
			t.Errorf("at %d: %v, %v", r.Seq, again, err)
		}
	}
	for _, nowhere := range []uint64{0, 1 << 40} {
		if _, err := l.At(t.Context(), nowhere); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("at %d: %v, want ErrNotFound", nowhere, err)
		}
	}
	if err := l.Read(t.Context(), announcement.NewID(), func(ledger.Record) error { return errors.New("called") }); err != nil {
		t.Errorf("an unknown announcement: %v", err)
	}
	want := errors.New("enough")
	if err := l.Read(t.Context(), id, func(ledger.Record) error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v, want the error of fn", err)
	}
}

func badFacts(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	if _, err := l.Append(t.Context(), announcement.Fact{Kind: announcement.KindOpened}); err == nil {
		t.Error("a fact without announcement was taken")
	}
	if _, err := l.Append(t.Context(), Answered("a.b", 1)); err == nil {
		t.Error("an announcement of two words was taken")
	}
	for _, key := range []string{"", "a.b", "*", ">", "a b"} {
		if _, err := l.Once(t.Context(), key, Answered(id, 1)); err == nil || errors.Is(err, ledger.ErrAlready) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	facts := Acceptance(id, 3)
	if _, err := l.Accept(t.Context(), facts[:len(facts)-1]); err == nil {
		t.Error("an accept without committed was taken")
	}
	facts[1].Announcement = announcement.NewID()
	if _, err := l.Accept(t.Context(), facts); err == nil {
		t.Error("an accept of two announcements was taken")
	}
	if last, _ := l.Last(t.Context()); last != 0 {
		t.Errorf("%d records were stored", last)
	}
}

func closed(t *testing.T, l ledger.Ledger) {
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), Answered(announcement.NewID(), 1)); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func verify(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	if _, err := l.Accept(t.Context(), Acceptance(id, 3)); err != nil {
		t.Fatal(err)
	}
	bad := []announcement.Fact{
		Answered(id, 3), // there are 0, 1 and 2
		Answered(announcement.NewID(), 0),
		{Announcement: id, Kind: announcement.KindCalled, Called: &announcement.Called{Round: 4, Channel: announcement.SMS}},
	}
	if _, err := l.Append(t.Context(), append(bad, Answered(id, 2))...); err != nil {
		t.Fatal(err)
	}
	r, err := ledger.Verify(t.Context(), l)
	if err != nil || len(r.Faults) != len(bad) || r.Announcements != 1 || r.Facts != 8 {
		t.Errorf("got %+v, %v; want %d faults", r, err, len(bad))
	}
}

// verifyChanged is an announcement whose people and text change while it is open: p3
// joins, p0 comes back.
func verifyChanged(t *testing.T, l ledger.Ledger) {
	id := announcement.NewID()
	if _, err := l.Accept(t.Context(), Acceptance(id, 3)); err != nil {
		t.Fatal(err)
	}
	joiner := func(p announcement.PersonID) announcement.Joiner {
		return announcement.Joiner{Recipient: announcement.Recipient{Person: p, Line: -1}}
	}
	facts := []announcement.Fact{
		{Kind: announcement.KindJoined, Joined: &announcement.Joined{People: []announcement.Joiner{joiner("p3"), joiner("p0")}}},
		{Kind: announcement.KindMoved, Moved: &announcement.Moved{People: []announcement.Move{{Person: "p1"}}}},
		{Kind: announcement.KindRevised, Revised: &announcement.Revised{Version: 2, Material: true}},
		{Kind: announcement.KindCalled, Called: &announcement.Called{Channel: announcement.SMS, Number: 3}},
	}
	for i := range facts {
		facts[i].Announcement = id
	}
	if _, err := l.Append(t.Context(), append(facts, Answered(id, 3))...); err != nil {
		t.Fatal(err)
	}
	if r, err := ledger.Verify(t.Context(), l); err != nil || len(r.Faults) > 0 {
		t.Errorf("got %q, %v; want no fault", r.Faults, err)
	}
	if _, err := l.Append(t.Context(), Answered(id, 4)); err != nil {
		t.Fatal(err)
	}
	if r, err := ledger.Verify(t.Context(), l); err != nil || len(r.Faults) != 1 {
		t.Errorf("got %q, %v; want the answer of a fifth, of four", r.Faults, err)
	}
}

// Note is a fact of the house about a person.
func Note(act announcement.Act, person announcement.PersonID, count int) announcement.Fact {
	return announcement.Fact{Announcement: announcement.House, Kind: announcement.KindNoted, Actor: announcement.ByConsole,
		Noted: &announcement.Noted{Act: act, About: announcement.About{Person: person, Count: count}}}
}

// noted buries three looks at one person, and many acts, in the answers of an alert.
func noted(t *testing.T, l ledger.Ledger) {
	read := func(person announcement.PersonID, before uint64, most int) (got []int, first uint64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		last := uint64(0)
		err := l.Noted(ctx, person, before, func(r ledger.Record) bool {
			if last != 0 && r.Seq >= last {
				t.Errorf("position %d comes after %d", r.Seq, last)
			}
			last = r.Seq
			for _, f := range slices.Backward(r.Facts) {
				got = append(got, f.Noted.About.Count)
			}
			return len(got) < most
		})
		if err != nil {
			t.Fatal(err)
		}
		return got, last
	}
	if got, _ := read("", 0, 10); len(got) != 0 {
		t.Errorf("an empty trail holds %v", got)
	}
	id := announcement.NewID()
	write := func(f ...announcement.Fact) {
		t.Helper()
		if _, err := l.Append(t.Context(), f...); err != nil {
			t.Fatal(err)
		}
	}
	const people, gap = 3_000, 2_000
	var want []int
	var dense []announcement.Fact
	for n := range people { // every other about a person of their own, so that nothing is packed
		who := announcement.PersonID("")
		if n%2 == 1 {
			who = announcement.PersonID(fmt.Sprint("p", n))
		}
		dense = append(dense, Note(announcement.PersonViewed, who, n))
		want = append([]int{n}, want...)
	}
	write(dense...)
	var others []announcement.Fact
	for n := range gap { // of two kinds in turn, for the same reason
		others = append(others, Answered(id, n), announcement.Fact{Announcement: id, Kind: announcement.KindOpened, Opened: &announcement.Opened{Number: n}})
	}
	write(others...)
	for n := range 3 {
		write(Note(announcement.PersonViewed, "pseen", people+n), Answered(id, n))
		want = append([]int{people + n}, want...)
	}
	if got, _ := read("", 0, 1<<30); !slices.Equal(got, want) {
		t.Errorf("the whole trail has %d entries, want %d, newest %v", len(got), len(want), got[:min(len(got), 5)])
	}
	// A page at a time gives the same.
	var paged []int
	for before := uint64(0); ; {
		got, at := read("", before, 170)
		if len(got) == 0 {
			break
		}
		paged, before = append(paged, got...), at
	}
	if !slices.Equal(paged, want) {
		t.Errorf("in pages there are %d entries, want %d", len(paged), len(want))
	}
	if got, _ := read("pseen", 0, 10); !slices.Equal(got, []int{people + 2, people + 1, people}) {
		t.Errorf("of one person: %v", got)
	}
	if got, _ := read("p1", 0, 10); !slices.Equal(got, []int{1}) {
		t.Errorf("of a person long ago: %v", got)
	}
	for _, nobody := range []announcement.PersonID{"pnobody", "p.1", ">", "*"} {
		if got, _ := read(nobody, 0, 10); len(got) != 0 {
			t.Errorf("of %q: %v", nobody, got)
		}
	}
	for _, bad := range []announcement.Fact{
		Note("dreamt", "", 0), Note(announcement.PersonViewed, "Siti Aminah", 0), Note(announcement.PersonViewed, "p.1", 0),
		{Announcement: id, Kind: announcement.KindNoted, Noted: &announcement.Noted{Act: announcement.SignedIn}},
		{Announcement: announcement.House, Kind: announcement.KindNoted},
		{Announcement: announcement.House, Kind: announcement.KindNoted, Noted: &announcement.Noted{Act: announcement.SignedIn, About: announcement.About{Account: "+62 812 3456"}}},
	} {
		if _, err := l.Append(t.Context(), bad); err == nil {
			t.Errorf("%+v was written", bad.Noted)
		}
	}
	report, err := ledger.Verify(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Faults {
		if !strings.Contains(f, string(id)) { // that one was never announced
			t.Error(f)
		}
	}
}
