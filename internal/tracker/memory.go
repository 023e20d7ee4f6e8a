package tracker

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
)

// MemoryStore is the Go twin of RedisStore, for one node without a Redis and
// for tests on a fake clock. Its fold is lua/apply.lua, line by line.
type MemoryStore struct {
	mu     sync.Mutex
	folds  map[announcement.ID]*fold
	timers map[announcement.ID]int64
	epoch  string
	cursor uint64
}

// fold is the state of one announcement.
type fold struct {
	applied  uint64
	closed   bool
	version  int64
	channels []string
	bits     map[string]Bitmap
	fields   map[string]string
	refs     map[string]bool
	counters map[string]int
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{folds: map[announcement.ID]*fold{}, timers: map[announcement.ID]int64{}}
}

// Flush empties the store, as FLUSHALL does.
func (m *MemoryStore) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.folds, m.timers, m.epoch, m.cursor = map[announcement.ID]*fold{}, map[announcement.ID]int64{}, "", 0
}

func (m *MemoryStore) Apply(_ context.Context, id announcement.ID, prev uint64, changes []Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, applied := m.folds[id], uint64(0)
	if f != nil {
		applied = f.applied
	}
	from := 0
	for i, c := range changes {
		if c.Seq <= applied {
			from = i + 1
		}
	}
	switch {
	case from == len(changes):
		return nil
	case from == 0 && applied != prev, from > 0 && applied != changes[from-1].Seq:
		return ErrLost
	case f == nil:
		f = &fold{version: 1, bits: map[string]Bitmap{}, fields: map[string]string{}, refs: map[string]bool{}, counters: map[string]int{}}
		m.folds[id] = f
	}
	for _, c := range changes[from:] {
		for _, o := range c.Ops {
			f.apply(strings.Split(string(o), unit))
		}
		f.applied = c.Seq
	}
	return nil
}

func (f *fold) set(name string, n int, on bool) { f.bits[name] = f.bits[name].with(n, on) }

func (f *fold) apply(a []string) {
	n, _ := strconv.Atoi(a[1])
	switch a[0] {
	case "open":
		f.channels = strings.Split(a[1], ",")
		f.bits[bitNoContact], _ = hex.DecodeString(a[2])
	case "call": // number round channel recipient rank failure at taken version alert text
		f.set("settled:"+a[2]+":"+a[3], n, true)
		if a[4] == "1" {
			if a[8] == "1" {
				f.set(bitCalled, n, true)
				if a[3] == string(announcement.SMS) {
					if was := strings.Split(f.fields[a[1]+":t"], unit); was[0] != a[11] { // when it was first handed over, and which one before
						f.fields[a[1]+":t"] = strings.Join([]string{a[11], a[7], was[0]}, unit)
					}
				}
			}
			f.climb(n, a[9], a[10], a[3], a[5], a[6], a[7])
		} else if a[8] == "1" {
			f.fields["t:"+a[2]+":"+a[1]] = "1"
		}
	case "receipt": // number round channel rank failure at version alert
		f.climb(n, a[7], a[8], a[3], a[4], a[5], a[6])
	case "opened": // number at
		if !f.bits[bitOpened].Get(n) {
			f.set(bitOpened, n, true)
			if !f.bits[bitSafe].Get(n) && !f.bits[bitHelp].Get(n) && !f.bits[bitOffSite].Get(n) {
				f.fields[a[1]+":s"] = a[2]
			}
		}
	case "answer": // number answer said ref at cause via fromwords note version
		if f.refs[a[4]] {
			return
		}
		f.refs[a[4]] = true
		if f.fields[a[1]+":f"] == "" {
			f.fields[a[1]+":f"] = a[3]
		}
		was := strings.Split(f.fields[a[1]+":o"], unit)
		said, version := a[3], number(a[10])
		if a[2] == "2" { // a call for help counts whatever it was an answer to,
			version = f.version
		}
		if was[0] != "" && (version < versionIn(was, ownVersion) || version < f.version && was[1] == "2") {
			return
		}
		if was[0] != "" && version == versionIn(was, ownVersion) && number(said) < number(was[0]) {
			if a[2] != "2" { // and however wrong the phone's clock is
				return
			}
			said = was[0]
		}
		late := "0"
		if f.closed {
			late = "1"
		}
		if resolved := f.resolved(a[1]); a[2] == "2" && (len(was) < 2 || was[1] != "2" || resolved) {
			f.fields[a[1]+":h"] = a[6]
			if resolved || !f.bits[bitHelp].Get(n) { // nobody handles this call yet
				f.fields[a[1]+":c"], f.fields[a[1]+":s"] = "", a[5]
			}
		}
		f.fields[a[1]+":o"] = strings.Join([]string{said, a[2], late, a[7], a[8], a[9], a[4], strconv.FormatInt(version, 10)}, unit)
		f.reckon(n, a[1], a[5])
	case "vouch": // number answer said ref at by actor how note cause version
		if f.refs[a[4]] {
			return
		}
		f.refs[a[4]] = true
		was := strings.Split(f.fields[a[1]+":v"], unit)
		version := number(a[11])
		if a[2] == "2" {
			version = f.version
		}
		if was[0] != "" && (version < versionIn(was, vouchVersion) || version < f.version && was[1] == "2" || version == versionIn(was, vouchVersion) && number(a[3]) < number(was[0])) {
			return
		}
		f.fields[a[1]+":v"] = strings.Join([]string{a[3], a[2], a[6], a[7], a[8], a[9], strconv.FormatInt(version, 10)}, unit)
		if f.reckon(n, a[1], a[5]) {
			f.fields[a[1]+":h"], f.fields[a[1]+":c"] = a[10], ""
		}
	case "excuse":
		f.set(bitExcused, n, true)
	case "join": // number unreachable
		f.set(bitExcused, n, false)
		f.set(bitNoContact, n, a[2] == "1")
	case "claim": // number by actor at resolved
		f.fields[a[1]+":c"] = strings.Join(a[2:6], unit)
	case "close":
		f.closed = true
	case "revise": // version
		if v := number(a[1]); v > f.version {
			f.version = v
			for _, name := range revisedBits {
				delete(f.bits, name)
			}
			for _, c := range f.channels {
				delete(f.bits, "failed:"+c)
			}
			help := f.bits[bitHelp]
			for i := range f.bits[bitVouched] {
				if i < len(help) {
					f.bits[bitVouched][i] &= help[i]
				} else {
					f.bits[bitVouched][i] = 0
				}
			}
			clear(f.counters)
		}
	}
}

// resolved reports whether the last call for help of a recipient came to its end.
func (f *fold) resolved(field string) bool {
	claim := strings.Split(f.fields[field+":c"], unit)
	return len(claim) == 4 && claim[3] != ""
}

// climb raises the ladder of recipient n on a channel; ranks only rise. Each version
// has ladders of its own: what becomes known later of an earlier one is not told.
func (f *fold) climb(n int, version, alert, channel, rank, failure, at string) {
	if number(version) < f.version {
		return
	}
	field := strconv.Itoa(n) + ":l:" + channel
	was := strings.Split(f.fields[field], unit)
	if was[0] != "" && versionIn(was, rungVersion) < f.version {
		was = []string{""}
	}
	if was[0] == "" || number(rank) > number(was[0]) {
		if was[0] != "" {
			f.counters["r:"+channel+":"+was[0]]--
			if was[2] != "" {
				f.counters["f:"+channel+":"+was[2]]--
			}
		}
		f.counters["r:"+channel+":"+rank]++
		if failure != "" {
			f.counters["f:"+channel+":"+failure]++
		}
		f.fields[field] = strings.Join([]string{rank, at, failure, version}, unit)
	}
	switch {
	case rank == "5":
		f.set("failed:"+channel, n, false)
		f.set(bitFailed, n, false)
	case rank == "4" && alert == "1" && was[0] != "5":
		f.set("failed:"+channel, n, true)
		for _, c := range f.channels {
			if !f.bits["failed:"+c].Get(n) {
				return
			}
		}
		f.set(bitFailed, n, true)
	}
}

// reckon sets the state of recipient n from their own answer, else from what a
// named person says; see outweighs. It returns whether they came to need help.
func (f *fold) reckon(n int, field, at string) bool {
	before := ""
	for i, b := range []string{bitSafe, bitHelp, bitOffSite} {
		if f.bits[b].Get(n) {
			before = strconv.Itoa(i + 1)
		}
	}
	answer, late := "", false
	own := counting(strings.Split(f.fields[field+":o"], unit), ownVersion, f.version)
	vouched := counting(strings.Split(f.fields[field+":v"], unit), vouchVersion, f.version)
	counts := outweighs(vouched, own)
	if counts {
		answer = vouched[1]
	} else if len(own) > 1 {
		answer, late = own[1], own[2] == "1"
	}
	f.set(bitSafe, n, answer == "1")
	f.set(bitHelp, n, answer == "2")
	f.set(bitOffSite, n, answer == "3")
	f.set(bitVouched, n, counts)
	f.set(bitLate, n, late)
	if answer != before {
		f.fields[field+":s"] = at
	}
	return answer == "2" && before != "2"
}

// counting returns what somebody said, or was said of them, if it counts for a version:
// it was said of that one, or that they need help. Else it is as if nothing was said.
func counting(said []string, at int, version int64) []string {
	if len(said) > 1 && said[1] != "2" && versionIn(said, at) < version {
		return []string{""}
	}
	return said
}

// Where the version stands in an answer, in what was vouched and in a rung. What was
// stored before there were versions ends before that, and is of the first.
const (
	ownVersion   = 7
	vouchVersion = 6
	rungVersion  = 3
)

func versionIn(said []string, at int) int64 {
	if len(said) > at {
		return number(said[at])
	}
	return 1
}

// outweighs reports whether what a named person says of somebody is their state:
// it was not taken back, and they have not answered themselves. Against their own
// word it counts in one case: that they need help, said since.
func outweighs(vouched, own []string) bool {
	if len(vouched) < 2 || vouched[1] == "0" {
		return false
	}
	return len(own) < 2 || vouched[1] == "2" && own[1] != "2" && number(vouched[0]) >= number(own[0])
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func (m *MemoryStore) Snapshot(_ context.Context, id announcement.ID) (Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.folds[id]
	if f == nil {
		return Snapshot{}, nil
	}
	s := Snapshot{Applied: f.applied, Closed: f.closed, Bits: map[string]Bitmap{}, Counters: maps.Clone(f.counters)}
	for _, name := range bitmapNames {
		s.Bits[name] = slices.Clone(f.bits[name])
	}
	return s, nil
}

func (m *MemoryStore) Look(_ context.Context, id announcement.ID, numbers []int, names []string) (Look, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.folds[id]
	if f == nil {
		f = &fold{}
	}
	out := Look{Applied: f.applied, Bits: map[string][]bool{}, Fields: make([]string, len(names))}
	for i, name := range names {
		out.Fields[i] = f.fields[name]
	}
	for _, name := range stateBits {
		for _, n := range numbers {
			out.Bits[name] = append(out.Bits[name], f.bits[name].Get(n))
		}
	}
	return out, nil
}

func (m *MemoryStore) Peek(_ context.Context, id announcement.ID, n int, round int64, c announcement.Channel) (Peek, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.folds[id]
	if f == nil {
		return Peek{}, nil
	}
	return Peek{Applied: f.applied, Closed: f.closed,
		Answered: f.bits[bitSafe].Get(n) || f.bits[bitHelp].Get(n) || f.bits[bitOffSite].Get(n), Help: f.bits[bitHelp].Get(n),
		Excused: f.bits[bitExcused].Get(n), Called: f.bits[bitCalled].Get(n), Settled: f.bits[settledBits(round, c)].Get(n)}, nil
}

func (m *MemoryStore) Settled(_ context.Context, id announcement.ID, round int64, c announcement.Channel) (Bitmap, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.folds[id]
	if f == nil {
		return nil, 0, nil
	}
	return slices.Clone(f.bits[settledBits(round, c)]), f.applied, nil
}

// settledBits names the bitmap of the targets of a round that were called on a channel.
func settledBits(round int64, c announcement.Channel) string {
	return "settled:" + strconv.FormatInt(round, 10) + ":" + string(c)
}

func (m *MemoryStore) Forget(_ context.Context, id announcement.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.folds, id)
	return nil
}

func (m *MemoryStore) Arm(_ context.Context, id announcement.ID, due time.Time, keep bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.timers[id]; !found || !keep {
		m.timers[id] = due.UnixMilli()
	}
	return nil
}

func (m *MemoryStore) Disarm(_ context.Context, id announcement.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.timers, id)
	return nil
}

func (m *MemoryStore) Due(_ context.Context, now, until time.Time, limit int) ([]announcement.ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := slices.SortedFunc(maps.Keys(m.timers), func(a, b announcement.ID) int {
		return cmp.Or(cmp.Compare(m.timers[a], m.timers[b]), cmp.Compare(a, b))
	})
	var out []announcement.ID
	for _, id := range ids {
		if m.timers[id] > now.UnixMilli() || len(out) == limit {
			break
		}
		m.timers[id] = until.UnixMilli()
		out = append(out, id)
	}
	return out, nil
}

func (m *MemoryStore) Cursor(context.Context) (string, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch, m.cursor, nil
}

func (m *MemoryStore) SetCursor(_ context.Context, epoch string, seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch, m.cursor = epoch, seq
	return nil
}
