package tracker

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"kentongan/internal/announcement"
)

var (
	//go:embed lua/apply.lua
	applySource string
	//go:embed lua/due.lua
	dueSource string
	//go:embed lua/forget.lua
	forgetSource string

	applyScript  = redis.NewScript(applySource)
	dueScript    = redis.NewScript(dueSource)
	forgetScript = redis.NewScript(forgetSource)
)

// Keys that belong to no announcement.
const (
	keyTimers = "kentongan:due"
	keyCursor = "kentongan:cursor"
)

// RedisStore keeps the working state in Redis 7.0 or newer: single, Sentinel or
// Cluster (all keys of one announcement share a hash tag). go-redis was chosen
// because its Script falls back to EVAL after a restart by itself, and because
// one client type serves all three shapes of Redis.
type RedisStore struct{ c redis.UniversalClient }

// NewRedisStore returns a store on c; the caller closes c.
func NewRedisStore(c redis.UniversalClient) *RedisStore { return &RedisStore{c} }

var majorVersion = regexp.MustCompile(`(?m)^redis_version:(\d+)\.`)
var memoryPolicy = regexp.MustCompile(`(?m)^maxmemory_policy:(\S+)`)

// ErrAway is returned by CheckRedis when nobody answers, which says nothing against
// the one who will.
var ErrAway = errors.New("redis does not answer")

// ForgetRedis removes the working state: it is made anew from the ledger.
func ForgetRedis(ctx context.Context, c redis.UniversalClient) error {
	for cursor := uint64(0); ; {
		keys, next, err := c.Scan(ctx, cursor, "kentongan:*", 1000).Result()
		if err == nil && len(keys) > 0 {
			err = c.Unlink(ctx, keys...).Err()
		}
		if err != nil {
			return fmt.Errorf("forget the working state: %w", err)
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// CheckRedis refuses a Redis that would break a promise: older than 7.0, or one
// that may evict keys when memory is short. It reads INFO, because providers
// often forbid CONFIG.
func CheckRedis(ctx context.Context, c redis.UniversalClient) error {
	server, err := c.Info(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("%w: ask for its version: %w", ErrAway, err)
	}
	m := majorVersion.FindStringSubmatch(server)
	if m == nil {
		return errors.New("redis does not say its version")
	}
	if major, _ := strconv.Atoi(m[1]); major < 7 {
		return fmt.Errorf("redis %s is too old: use 7.0 or newer", m[1])
	}
	memory, err := c.Info(ctx, "memory").Result()
	if err != nil {
		return fmt.Errorf("%w: ask for its memory policy: %w", ErrAway, err)
	}
	if m := memoryPolicy.FindStringSubmatch(memory); m == nil || m[1] != "noeviction" {
		return errors.New("redis may evict keys: set maxmemory-policy noeviction")
	}
	return mayRead(ctx, c)
}

// mayRead asks for nothing by each command that reads outside of the scripts. A user who
// may not would otherwise look like a Redis that comes and goes.
func mayRead(ctx context.Context, c redis.UniversalClient) error {
	const none = "kentongan:none"
	for _, command := range [][]any{{"get", none}, {"mget", none}, {"getbit", none, 0}, {"hmget", none, ""}, {"hgetall", none}, {"bitfield_ro", none, "get", "u1", 0}} {
		err := c.Do(ctx, command...).Err()
		switch {
		case err == nil, errors.Is(err, redis.Nil):
		case strings.HasPrefix(err.Error(), "NOPERM"):
			return fmt.Errorf("redis does not allow %s: give its user what deploy/redis-users.acl does", command[0])
		default:
			return fmt.Errorf("%w: %s: %w", ErrAway, command[0], err)
		}
	}
	return nil
}

func prefix(id announcement.ID) string { return "kentongan:{" + string(id) + "}:" }

func keys(id announcement.ID) []string {
	p := prefix(id)
	return []string{p + "meta", p + "fields", p + "refs", p + "counters", p + "bits"}
}

func (s *RedisStore) Apply(ctx context.Context, id announcement.ID, prev uint64, changes []Change) error {
	args := []any{prefix(id), prev}
	for _, c := range changes {
		args = append(args, "record"+unit+strconv.FormatUint(c.Seq, 10))
		for _, o := range c.Ops {
			args = append(args, string(o))
		}
	}
	n, err := applyScript.Run(ctx, s.c, keys(id), args...).Int()
	if err != nil {
		return fmt.Errorf("apply records from %d: %w", changes[0].Seq, err)
	}
	if n < 0 {
		return ErrLost
	}
	return nil
}

func (s *RedisStore) Snapshot(ctx context.Context, id announcement.ID) (Snapshot, error) {
	k := keys(id)
	names := make([]string, len(bitmapNames))
	for i, n := range bitmapNames {
		names[i] = prefix(id) + n
	}
	pipe := s.c.TxPipeline()
	meta := pipe.HMGet(ctx, k[0], "applied", "closed")
	counters := pipe.HGetAll(ctx, k[3])
	bits := pipe.MGet(ctx, names...)
	if _, err := pipe.Exec(ctx); err != nil {
		return Snapshot{}, fmt.Errorf("read standing: %w", err)
	}
	out := Snapshot{Applied: position(meta.Val()[0]), Closed: meta.Val()[1] != nil, Bits: map[string]Bitmap{}, Counters: map[string]int{}}
	for i, v := range bits.Val() {
		b, _ := v.(string)
		out.Bits[bitmapNames[i]] = Bitmap(b)
	}
	for name, v := range counters.Val() {
		out.Counters[name] = int(number(v))
	}
	return out, nil
}

// position reads a stream position from a reply; 0 when there is none.
func position(v any) uint64 {
	s, _ := v.(string)
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

// Look reads in one transaction, as Peek and Settled do: somebody may empty
// Redis between two commands.
func (s *RedisStore) Look(ctx context.Context, id announcement.ID, numbers []int, names []string) (Look, error) {
	out := Look{Bits: map[string][]bool{}, Fields: make([]string, len(names))}
	at := make([]any, 0, 2*len(numbers))
	for _, n := range numbers {
		at = append(at, "u1", n)
	}
	pipe := s.c.TxPipeline()
	meta := pipe.HMGet(ctx, keys(id)[0], "applied")
	fields := pipe.HMGet(ctx, keys(id)[1], append(names, "")...) // Redis wants at least one
	bits := make([]*redis.IntSliceCmd, len(stateBits))
	for i, name := range stateBits {
		bits[i] = pipe.BitFieldRO(ctx, prefix(id)+name, at...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return Look{}, fmt.Errorf("read details: %w", err)
	}
	out.Applied = position(meta.Val()[0])
	for i := range out.Fields {
		out.Fields[i], _ = fields.Val()[i].(string)
	}
	for i, name := range stateBits {
		for _, bit := range bits[i].Val() {
			out.Bits[name] = append(out.Bits[name], bit == 1)
		}
	}
	return out, nil
}

func (s *RedisStore) Peek(ctx context.Context, id announcement.ID, n int, round int64, c announcement.Channel) (Peek, error) {
	pipe := s.c.TxPipeline()
	meta := pipe.HMGet(ctx, keys(id)[0], "applied", "closed")
	bits := make([]*redis.IntCmd, 0, 6)
	for _, name := range []string{bitSafe, bitHelp, bitOffSite, bitExcused, bitCalled, settledBits(round, c)} {
		bits = append(bits, pipe.GetBit(ctx, prefix(id)+name, int64(n)))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return Peek{}, fmt.Errorf("look before a call: %w", err)
	}
	is := func(i int) bool { return bits[i].Val() == 1 }
	return Peek{Applied: position(meta.Val()[0]), Closed: meta.Val()[1] != nil,
		Answered: is(0) || is(1) || is(2), Help: is(1), Excused: is(3), Called: is(4), Settled: is(5)}, nil
}

func (s *RedisStore) Settled(ctx context.Context, id announcement.ID, round int64, c announcement.Channel) (Bitmap, uint64, error) {
	pipe := s.c.TxPipeline()
	meta := pipe.HMGet(ctx, keys(id)[0], "applied")
	bits := pipe.Get(ctx, prefix(id)+settledBits(round, c))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, 0, fmt.Errorf("read settled calls: %w", err)
	}
	return Bitmap(bits.Val()), position(meta.Val()[0]), nil
}

func (s *RedisStore) Forget(ctx context.Context, id announcement.ID) error {
	if err := forgetScript.Run(ctx, s.c, keys(id), prefix(id)).Err(); err != nil {
		return fmt.Errorf("forget working state: %w", err)
	}
	return nil
}

func (s *RedisStore) Arm(ctx context.Context, id announcement.ID, due time.Time, keep bool) error {
	err := s.c.ZAddArgs(ctx, keyTimers, redis.ZAddArgs{NX: keep, Members: []redis.Z{{Score: float64(due.UnixMilli()), Member: string(id)}}}).Err()
	if err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	return nil
}

func (s *RedisStore) Disarm(ctx context.Context, id announcement.ID) error {
	if err := s.c.ZRem(ctx, keyTimers, string(id)).Err(); err != nil {
		return fmt.Errorf("remove timer: %w", err)
	}
	return nil
}

func (s *RedisStore) Due(ctx context.Context, now, until time.Time, limit int) ([]announcement.ID, error) {
	ids, err := dueScript.Run(ctx, s.c, []string{keyTimers}, now.UnixMilli(), until.UnixMilli(), limit).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("lease due timers: %w", err)
	}
	out := make([]announcement.ID, len(ids))
	for i, id := range ids {
		out[i] = announcement.ID(id)
	}
	return out, nil
}

func (s *RedisStore) Cursor(ctx context.Context) (string, uint64, error) {
	v, err := s.c.HMGet(ctx, keyCursor, "epoch", "seq").Result()
	if err != nil {
		return "", 0, fmt.Errorf("read cursor: %w", err)
	}
	epoch, _ := v[0].(string)
	return epoch, position(v[1]), nil
}

func (s *RedisStore) SetCursor(ctx context.Context, epoch string, seq uint64) error {
	if err := s.c.HSet(ctx, keyCursor, "epoch", epoch, "seq", seq).Err(); err != nil {
		return fmt.Errorf("store cursor: %w", err)
	}
	return nil
}
