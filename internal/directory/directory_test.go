package directory

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"

	"kentongan/internal/announcement"
)

// memory is a Store that tells its followers before a write returns, unless
// echo is held back.
type memory struct {
	mu        sync.Mutex
	values    map[string][]byte
	followers []follower
	fail      error
}

type follower struct {
	prefix string
	fn     func(string, []byte)
}

func newMemory() *memory { return &memory{values: map[string][]byte{}} }

func (m *memory) Put(ctx context.Context, key string, value []byte) error {
	return m.PutAll(ctx, map[string][]byte{key: value})
}

func (m *memory) PutAll(_ context.Context, values map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for key, value := range values {
		m.values[key] = value
		m.tell(key, value)
	}
	return nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if value, ok := m.values[key]; ok {
		return value, nil
	}
	return nil, errors.New("not found")
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	m.tell(key, nil)
	return nil
}

func (m *memory) tell(key string, value []byte) {
	for _, f := range m.followers {
		if strings.HasPrefix(key, f.prefix) {
			f.fn(key, value)
		}
	}
}

func (m *memory) Follow(ctx context.Context, prefix string, fn func(string, []byte), ready func()) error {
	m.mu.Lock()
	for key, value := range maps.Clone(m.values) {
		if strings.HasPrefix(key, prefix) {
			fn(key, value)
		}
	}
	m.followers = append(m.followers, follower{prefix, fn})
	m.mu.Unlock()
	ready()
	<-ctx.Done()
	return ctx.Err()
}

// deaf is a store that never tells of changes, as one whose news are slow.
type deaf struct{ *memory }

func (m deaf) Follow(ctx context.Context, _ string, _ func(string, []byte), ready func()) error {
	ready()
	<-ctx.Done()
	return ctx.Err()
}

func open(t testing.TB, store Store) *Directory {
	t.Helper()
	d, err := Open(t.Context(), store, Options{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return d
}

// imported returns a directory with the people of a CSV text.
func imported(t testing.TB, csv string) *Directory {
	t.Helper()
	d := open(t, newMemory())
	mustImport(t, d, csv)
	return d
}

func mustImport(t testing.TB, d *Directory, csv string) ImportReport {
	t.Helper()
	report, err := d.Import(t.Context(), strings.NewReader(csv), ImportOptions{})
	if err != nil || len(report.Errors) > 0 {
		t.Fatalf("Import: %v, faults %+v", err, report.Errors)
	}
	return report
}

func id(t testing.TB, d *Directory, number string) announcement.PersonID {
	t.Helper()
	p, ok := d.ByNumber(number)
	if !ok {
		t.Fatalf("nobody has number %s", number)
	}
	return p.ID
}

func TestOwnNodeSeesItsChangesAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t, deaf{newMemory()})
	mustImport(t, d, "nip,nama,hp\n1,Sri,081234567890\n")
	p := id(t, d, "1")
	if err := d.StopSMS(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	if err := d.SetDuty(t.Context(), []string{"1"}); err != nil {
		t.Fatal(err)
	}
	if !d.Contact(p).SMSStopped {
		t.Error("STOP is not seen on the node that took it")
	}
	if got := d.Duty(); len(got) != 1 || got[0] != p {
		t.Errorf("duty = %v, want the one set", got)
	}
}

func TestOtherNodeSeesChangesAndReload(t *testing.T) {
	t.Parallel()
	store := newMemory()
	a, b := open(t, store), open(t, store)
	mustImport(t, a, "nip,nama,hp\nA1,Sri,081234567890\n")
	p := id(t, a, "a1")
	if err := a.WrongNumber(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]*Directory{"other node": b, "restarted node": open(t, store)} {
		if got, ok := d.ByNumber("a1"); !ok || got.ID != p {
			t.Errorf("%s: person not found", name)
		}
		if !d.Contact(p).WrongNumber {
			t.Errorf("%s: wrong number not known", name)
		}
	}
	if err := store.Delete(t.Context(), personKey+string(p)); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.ByNumber("a1"); ok {
		t.Error("an erased person is still found by number")
	}
	if got := b.ByMobile("+6281234567890"); len(got) != 0 {
		t.Error("an erased person is still found by mobile")
	}
}

func TestEchoOfAnOlderChangeIsPassedOver(t *testing.T) {
	t.Parallel()
	store := newMemory()
	d := open(t, deaf{store})
	mustImport(t, d, "nip,nama,hp\n1,Sri,081234567890\n")
	p := id(t, d, "1")
	for _, s := range []string{"one", "two"} {
		if err := d.Subscribe(t.Context(), p, announcement.Subscription{ID: s, Endpoint: "https://push.example/" + s}); err != nil {
			t.Fatal(err)
		}
		if s == "one" {
			first := store.values[contactKey+string(p)]
			defer func() {
				d.apply(contactKey+string(p), first)
				if got := len(d.Contact(p).Subscriptions); got != 2 {
					t.Errorf("after an echo %d subscriptions, want 2", got)
				}
			}()
		}
	}
}

func TestStoreFailureChangesNothing(t *testing.T) {
	t.Parallel()
	store := newMemory()
	store.fail = errors.New("disk full")
	d := open(t, store)
	if _, err := d.Import(t.Context(), strings.NewReader("nip,nama,hp\n1,Sri,\n"), ImportOptions{}); !errors.Is(err, store.fail) {
		t.Errorf("Import error = %v, want that of the store", err)
	}
	if len(d.Everybody()) != 0 {
		t.Error("people appeared that are not stored")
	}
}

func TestOpenFailsWithTheStore(t *testing.T) {
	t.Parallel()
	want := errors.New("no bucket")
	if _, err := Open(t.Context(), broken{err: want}, Options{}); !errors.Is(err, want) {
		t.Errorf("Open error = %v, want %v", err, want)
	}
}

type broken struct {
	Store
	err error
}

func (b broken) Follow(context.Context, string, func(string, []byte), func()) error { return b.err }
