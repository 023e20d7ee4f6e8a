package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"

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
