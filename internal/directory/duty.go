package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"kentongan/internal/announcement"
)

// setting is the duty list as stored: employee numbers, so that it survives
// somebody leaving and coming back.
type setting struct {
	Numbers []string `json:"numbers"`
	Version int64    `json:"version"` // see Directory.apply
}

func (d *Directory) applyDuty(value []byte) error {
	var s setting
	if value == nil {
		d.duty = s
		return nil
	}
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	if s.Version >= d.duty.Version {
		d.duty = s
	}
	return nil
}

// SetDuty sets who is called when a reporting line ends, by employee number; no
// numbers mean the people without a manager. Unknown and inactive people are
// refused as FieldErrors.
func (d *Directory) SetDuty(ctx context.Context, numbers []string) error {
	d.writing.Lock()
	defer d.writing.Unlock()

	next := setting{}
	var bad announcement.FieldErrors
	d.mu.RLock()
	for i, n := range numbers {
		r, known := d.byNumber(n)
		switch {
		case !known:
			bad = append(bad, unknownNumber(fmt.Sprintf("duty[%d]", i), n))
		case !r.Active:
			bad = append(bad, inactiveNumber(fmt.Sprintf("duty[%d]", i), n))
		case !slices.Contains(next.Numbers, r.Number):
			next.Numbers = append(next.Numbers, r.Number)
		}
	}
	next.Version = d.duty.Version + 1
	d.mu.RUnlock()
	if len(bad) > 0 {
		return bad
	}
	return d.putSetting(ctx, dutyKey, next)
}

// renumberDuty keeps somebody on the duty list whose number becomes another. d.writing
// is held.
func (d *Directory) renumberDuty(ctx context.Context, from, to string) error {
	d.mu.RLock()
	next := setting{Numbers: slices.Clone(d.duty.Numbers), Version: d.duty.Version + 1}
	d.mu.RUnlock()
	i := slices.IndexFunc(next.Numbers, func(n string) bool { return fold(n) == fold(from) })
	if i < 0 {
		return nil
	}
	next.Numbers[i] = to
	return d.putSetting(ctx, dutyKey, next)
}

// Duty returns the people called when a reporting line ends: the list that was
// set, without those who left. When that leaves nobody, it is the active people
// who have no active manager above them, because somebody must be called: the ones who
// lead the most, where a list without managers would make it everybody.
func (d *Directory) Duty() []announcement.PersonID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.onDuty(nil)
}

// mostRoots is how many people are called where no duty list says whom.
const mostRoots = 20

// onDuty needs d.mu. A forest at hand saves building one.
func (d *Directory) onDuty(f *forest) []announcement.PersonID {
	var ids []announcement.PersonID
	for _, n := range d.duty.Numbers {
		if r, known := d.byNumber(n); known && r.Active {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) > 0 {
		return ids
	}
	if f == nil {
		f = d.forest()
	}
	roots := f.roots
	if len(roots) > mostRoots {
		roots = slices.DeleteFunc(slices.Clone(roots), func(i int) bool { return len(f.reports[i]) == 0 })
		slices.SortStableFunc(roots, func(a, b int) int { return cmp.Compare(len(f.reports[b]), len(f.reports[a])) })
		roots = roots[:min(len(roots), mostRoots)]
	}
	for _, i := range roots {
		ids = append(ids, f.people[i].ID)
	}
	return ids
}

// DutyNumbers returns the duty list as it was set.
func (d *Directory) DutyNumbers() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.duty.Numbers)
}
