package tracker

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// words is a Bitmap, 64 recipients to a word: to count fifty thousand people a
// thousand times a second, they are counted 64 at a time. Recipient 0 is the
// highest bit of the first word, as in a Bitmap.
type words []uint64

// words returns the first n words of the bitmap; what it lacks is 0.
func (b Bitmap) words(n int) words {
	out := make(words, n)
	for i := range out {
		if i*8+8 <= len(b) {
			out[i] = binary.BigEndian.Uint64(b[i*8:])
		} else if i*8 < len(b) {
			var last [8]byte
			copy(last[:], b[i*8:])
			out[i] = binary.BigEndian.Uint64(last[:])
		}
	}
	return out
}

func (w words) get(n int) bool { return n >= 0 && n>>6 < len(w) && w[n>>6]&(1<<63>>(n&63)) != 0 }

// and returns what is set in both, which are equally long.
func (w words) and(other words) words {
	out := make(words, len(w))
	for i := range w {
		out[i] = w[i] & other[i]
	}
	return out
}

// part returns word i without what is outside of [lo, hi).
func (w words) part(i, lo, hi int) uint64 {
	v := w[i]
	if i == lo>>6 {
		v &= ^uint64(0) >> (lo & 63)
	}
	if i == hi>>6 {
		v &^= ^uint64(0) >> (hi & 63)
	}
	return v
}

// count returns how many of [lo, hi) are set. hi is at most what w holds.
func (w words) count(lo, hi int) (n int) {
	if lo >= hi {
		return 0
	}
	for i := lo >> 6; i <= (hi-1)>>6; i++ {
		n += bits.OnesCount64(w.part(i, lo, hi))
	}
	return n
}

// in returns those of [lo, hi) that are set, in order.
func (w words) in(lo, hi int) iter.Seq[int] {
	return func(yield func(int) bool) {
		lo := max(lo, 0)
		if lo >= hi {
			return
		}
		for i := lo >> 6; i <= (hi-1)>>6; i++ {
			for v := w.part(i, lo, hi); v != 0; {
				first := bits.LeadingZeros64(v)
				v &^= 1 << 63 >> first
				if !yield(i<<6 + first) {
					return
				}
			}
		}
	}
}
