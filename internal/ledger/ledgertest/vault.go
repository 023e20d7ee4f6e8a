package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"kentongan/internal/ledger"
)

// Vault runs the suite; open returns a fresh, empty vault.
func Vault(t *testing.T, open func(t *testing.T) ledger.Vault) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, ledger.Vault)
	}{
		{"values are put, got and deleted", putGetDelete},
		{"create writes once, and again after a delete", create},
		{"of many who change at once each sees what was there", change},
		{"bad keys are refused", badKeys},
		{"follow gives what is there, then what changes", follow},
		{"walk gives what is there and when it was put, also after a rewrite", walk},
	} {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, open(t)) })
	}
}

func putGetDelete(t *testing.T, v ledger.Vault) {
	ctx := t.Context()
	if _, err := v.Get(ctx, "person.p1"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	for _, want := range []string{"one", "two", ""} {
		if err := v.Put(ctx, "person.p1", []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Get(ctx, "person.p1"); err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	for range 2 {
		if err := v.Delete(ctx, "person.p1"); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Get(ctx, "person.p1"); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("after Delete: got %v, want ErrNotFound", err)
		}
	}
}

func create(t *testing.T, v ledger.Vault) {
	ctx := t.Context()
	if err := v.Create(ctx, "token.a", []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := v.Create(ctx, "token.a", []byte("second")); !errors.Is(err, ledger.ErrAlready) {
		t.Errorf("got %v, want ErrAlready", err)
	}
	if got, _ := v.Get(ctx, "token.a"); string(got) != "first" {
		t.Errorf("got %q, want the first", got)
	}
	if err := v.Delete(ctx, "token.a"); err != nil {
		t.Fatal(err)
	}
	if err := v.Create(ctx, "token.a", []byte("third")); err != nil {
		t.Errorf("after Delete: %v", err)
	}
}

// change counts up from many sides: nothing that was counted is lost.
func change(t *testing.T, v ledger.Vault) {
	ctx := t.Context()
	if err := v.Change(ctx, "count.a", nil, []byte("1")); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("what is not there: got %v, want ErrChanged", err)
	}
	if err := v.Put(ctx, "count.a", []byte("0")); err != nil {
		t.Fatal(err)
	}
	if err := v.Change(ctx, "count.a", []byte("7"), []byte("8")); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("what is another: got %v, want ErrChanged", err)
	}
	const sides, each = 4, 5
	var all sync.WaitGroup
	for range sides {
		all.Go(func() {
			for done := 0; done < each; {
				was, err := v.Get(ctx, "count.a")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(was))
				switch err := v.Change(ctx, "count.a", was, []byte(strconv.Itoa(n+1))); {
				case err == nil:
					done++
				case !errors.Is(err, ledger.ErrChanged):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got, _ := v.Get(ctx, "count.a"); string(got) != strconv.Itoa(sides*each) {
		t.Errorf("got %s, want %d", got, sides*each)
	}
}

func badKeys(t *testing.T, v ledger.Vault) {
	for _, key := range []string{"", ".", "person.", ".p1", "person.*", "person.>", "a b"} {
		if err := v.Put(t.Context(), key, nil); err == nil {
			t.Errorf("Put took key %q", key)
		}
		if err := v.PutAll(t.Context(), map[string][]byte{key: nil}); err == nil {
			t.Errorf("PutAll took key %q", key)
		}
	}
}

func follow(t *testing.T, v ledger.Vault) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	want := map[string]string{}
	values := map[string][]byte{"token.x": []byte("not asked for"), "person.gone": []byte("gone")}
	for n := range 2345 {
		key := fmt.Sprintf("person.p%d", n)
		values[key], want[key] = []byte(key), key
	}
	if err := v.PutAll(ctx, values); err != nil {
		t.Fatal(err)
	}
	if err := v.Delete(ctx, "person.gone"); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	got, readies := map[string]string{}, 0
	ready, deleted := make(chan struct{}), make(chan struct{})
	go func() {
		_ = v.Follow(ctx, "person.", func(key string, value []byte) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case value != nil:
				got[key] = string(value)
			case readies == 0:
				t.Errorf("%s was told as deleted before ready", key)
			default:
				delete(got, key)
				close(deleted)
			}
		}, func() {
			mu.Lock()
			defer mu.Unlock()
			readies++
			close(ready)
		})
	}()
	wait := func(c chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-ctx.Done():
			t.Fatal("nothing came")
		}
	}
	wait(ready)
	mu.Lock()
	if !maps.Equal(got, want) {
		t.Errorf("got %d values at ready, want %d", len(got), len(want))
	}
	mu.Unlock()
	if err := v.Put(ctx, "person.new", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := v.Delete(ctx, "person.p7"); err != nil {
		t.Fatal(err)
	}
	wait(deleted)
	delete(want, "person.p7")
	want["person.new"] = "new"
	mu.Lock()
	defer mu.Unlock()
	if !maps.Equal(got, want) {
		t.Errorf("got %d values, want %d", len(got), len(want))
	}
}

func walk(t *testing.T, v ledger.Vault) {
	ctx := t.Context()
	before := time.Now().Truncate(time.Millisecond)
	want := map[string]string{}
	for i := range 1200 {
		key := fmt.Sprintf("person.p%d", i)
		for _, value := range []string{"old", fmt.Sprint("of ", i)} {
			if err := v.Put(ctx, key, []byte(value)); err != nil {
				t.Fatal(err)
			}
			want[key] = value
		}
	}
	for _, key := range []string{"person.p3", "person.p1100"} {
		if err := v.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
		delete(want, key)
	}
	if err := v.Put(ctx, "persons.other", []byte("not asked for")); err != nil {
		t.Fatal(err)
	}
	var first map[string]time.Time
	for n := range 3 {
		got, put := map[string]string{}, map[string]time.Time{}
		err := v.Walk(ctx, "person.", func(key string, value []byte, at time.Time) error {
			got[key], put[key] = string(value), at
			if at.Before(before) || at.After(time.Now()) {
				t.Errorf("%s was put at %v", key, at)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("after %d rewrites: got %d values, want the %d that are there", n, len(got), len(want))
		}
		if first == nil {
			first = put
		} else if !maps.EqualFunc(put, first, time.Time.Equal) {
			t.Errorf("a rewrite made values younger")
		}
		if err := v.Rewrite(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Get(ctx, "person.p3"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a rewrite brought back what was deleted: %v", err)
	}
	if err := v.Create(ctx, "person.p3", []byte("new")); err != nil {
		t.Errorf("create after a rewrite: %v", err)
	}
	stop := errors.New("enough")
	if err := v.Walk(ctx, "person.", func(string, []byte, time.Time) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("walk went on after a fault: %v", err)
	}
}
