package directory

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

// company is chief → (lead → worker, second), left → orphan; alone has nobody.
const company = `nip,nama,hp,atasan,aktif,cabang,bagian
1,Chief,081234567801,,ya,Jakarta HQ,Direksi
2,Lead,081234567802,1,ya,Cikande,K3
3,Worker,081234567803,2,ya,cikande,Produksi
4,Second,,1,ya,Cikande,Produksi
5,Left,081234567805,1,tidak,Cikande,K3
6,Orphan,(021) 3456789,5,ya,Cikupa,Gudang
7,Alone,081234567807,,ya,,
`

func resolve(t testing.TB, d *Directory, a announcement.Audience) *Resolution {
	t.Helper()
	r, err := d.Resolve(a)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	return r
}

func numbersOf(d *Directory, r announcement.Roster) []string {
	var out []string
	for _, rc := range r.Recipients {
		p, _ := d.Person(rc.Person)
		out = append(out, p.Number)
	}
	return out
}

func TestResolve(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	for _, tt := range []struct {
		name string
		in   announcement.Audience
		want []string
	}{
		{"all, in reporting order", announcement.Audience{All: true}, []string{"1", "2", "3", "4", "6", "7"}},
		{"site in any case", announcement.Audience{Sites: []string{"CIKANDE"}}, []string{"2", "3", "4"}},
		{"department", announcement.Audience{Departments: []string{"produksi"}}, []string{"3", "4"}},
		{"union", announcement.Audience{Departments: []string{"Direksi"}, People: []string{"7"}}, []string{"1", "7"}},
		{"under", announcement.Audience{Under: []string{"2"}}, []string{"2", "3"}},
		{"under, through one who left", announcement.Audience{Under: []string{"1"}}, []string{"1", "2", "3", "4", "6"}},
		{"under one who left", announcement.Audience{Under: []string{"5"}}, []string{"6"}},
		{"except", announcement.Audience{All: true, Except: &announcement.Audience{Under: []string{"1"}}}, []string{"7"}},
		{"except one who left", announcement.Audience{People: []string{"7"}, Except: &announcement.Audience{People: []string{"5"}}}, []string{"7"}},
		{"empty except", announcement.Audience{People: []string{"7"}, Except: &announcement.Audience{}}, []string{"7"}},
		{"except within except", announcement.Audience{All: true, Except: &announcement.Audience{All: true, Except: &announcement.Audience{People: []string{"3"}}}}, []string{"3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := numbersOf(d, resolve(t, d, tt.in).Roster); !slices.Equal(got, tt.want) {
				t.Errorf("recipients = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	for _, tt := range []struct {
		name   string
		in     announcement.Audience
		fields []string
	}{
		{"nobody named", announcement.Audience{}, []string{"audience"}},
		{"nobody left", announcement.Audience{All: true, Except: &announcement.Audience{All: true}}, []string{"audience"}},
		{"unknown names, all at once", announcement.Audience{
			All: true, Sites: []string{"Cikande", "Cknd"}, Departments: []string{"HR"}, Under: []string{"99"}, People: []string{"1", "98"},
			Except: &announcement.Audience{Sites: []string{"Bali"}},
		}, []string{"audience.sites[1]", "audience.departments[0]", "audience.under[0]", "audience.people[1]", "audience.except.sites[0]"}},
		{"empty site", announcement.Audience{Sites: []string{""}}, []string{"audience.sites[0]"}},
		{"one who left", announcement.Audience{People: []string{"5"}}, []string{"audience.people[0]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := d.Resolve(tt.in)
			var faults announcement.FieldErrors
			if !errors.As(err, &faults) {
				t.Fatalf("error = %v, want FieldErrors", err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, f.Field)
			}
			if !slices.Equal(got, tt.fields) {
				t.Errorf("fields = %v, want %v", got, tt.fields)
			}
		})
	}
}

func TestResolvedAudienceHoldsIDsOnly(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	got := resolve(t, d, announcement.Audience{Sites: []string{"CIKANDE"}, Under: []string{"1"}, Except: &announcement.Audience{People: []string{"3"}}}).Audience
	if got.Sites[0] != "Cikande" || got.Under[0] != string(id(t, d, "1")) || got.Except.People[0] != string(id(t, d, "3")) {
		t.Errorf("audience = %+v", got)
	}
}

func TestRosterLines(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	// The chief is no recipient, but leads some; the lead of nobody here has no line.
	r := resolve(t, d, announcement.Audience{People: []string{"3", "6", "7"}}).Roster
	chief, lead := announcement.Line{Person: id(t, d, "1"), Up: -1, Number: -1, Lo: 0, Hi: 2}, announcement.Line{Person: id(t, d, "2"), Up: 0, Number: -1, Lo: 0, Hi: 1}
	if !slices.Equal(r.Lines, []announcement.Line{chief, lead}) {
		t.Errorf("lines = %+v", r.Lines)
	}
	// 6 was led by one who left: the chief takes their place.
	if got := []int{r.Recipients[0].Line, r.Recipients[1].Line, r.Recipients[2].Line}; !slices.Equal(got, []int{1, 0, -1}) {
		t.Errorf("recipients' lines = %v, want [1 0 -1]", got)
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	ctx := t.Context()
	check := func(number, reach, why string) {
		t.Helper()
		rc := resolve(t, d, announcement.Audience{People: []string{number}}).Roster.Recipients[0]
		if got := fmt.Sprint(rc.Reach); got != reach || rc.Unreachable != why {
			t.Errorf("%s: reach %s, unreachable %q; want %s, %q", number, got, rc.Unreachable, reach, why)
		}
		to, _, _ := d.ContactPoints(rc.Person)
		if sms := slices.Contains(rc.Reach, announcement.SMS); sms != (to.Mobile != "") {
			t.Errorf("%s: contact points and roster disagree about SMS", number)
		}
	}
	check("3", "[sms]", "")
	check("4", "[]", "no_contact_point")
	check("6", "[]", "landline")
	one, two := id(t, d, "1"), id(t, d, "2")
	if err := errors.Join(d.StopSMS(ctx, one, true), d.WrongNumber(ctx, two, true)); err != nil {
		t.Fatal(err)
	}
	check("1", "[]", "sms_stopped")
	check("2", "[]", "wrong_number")
	if err := d.Subscribe(ctx, one, announcement.Subscription{ID: "s", Endpoint: "https://push.example/1"}); err != nil {
		t.Fatal(err)
	}
	check("1", "[webpush inapp]", "")
	if err := d.StopSMS(ctx, one, false); err != nil {
		t.Fatal(err)
	}
	check("1", "[webpush sms inapp]", "")
	// A corrected number starts clean.
	mustImport(t, d, "nip,nama,hp\n2,Lead,081234567899\n")
	check("2", "[sms]", "")
	if d.Contact(two).WrongNumber {
		t.Error("a corrected number is still called wrong")
	}
}

// TestRosterOfRandomForests holds the ranges against a walk that climbs from
// every recipient, in companies with people who left and with loops.
func TestRosterOfRandomForests(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		d := open(t, newMemory())
		n := 1 + rnd.IntN(40)
		var some []string
		for i := range n {
			r := record{Version: 1}
			r.ID = announcement.PersonID(fmt.Sprintf("p%03d", i))
			r.Number, r.Name, r.Active = fmt.Sprintf("%03d", i), "N", rnd.IntN(5) > 0
			if rnd.IntN(8) > 0 {
				r.Manager = fmt.Sprintf("%03d", rnd.IntN(n)) // loops and themselves included
			}
			if r.Active && rnd.IntN(2) == 0 {
				some = append(some, r.Number)
			}
			d.people[r.ID] = r
			d.numbers.add(r.Number, r.ID)
			d.reports.add(r.Manager, r.ID)
		}
		led := map[announcement.PersonID]bool{} // by climbing
		for _, r := range d.people {
			if m, ok := d.activeManager(r); ok && r.Active {
				led[m.ID] = true
			}
		}
		for id, r := range d.people {
			if r.Active && d.Leads(r.Number) != led[id] {
				t.Fatalf("seed %d: %s leads somebody: got %t, want %t", seed, r.Number, !led[id], led[id])
			}
		}
		if len(some) == 0 {
			continue
		}
		ro := resolve(t, d, announcement.Audience{People: some}).Roster
		if len(ro.Recipients) != len(some) {
			t.Fatalf("seed %d: %d recipients, want %d", seed, len(ro.Recipients), len(some))
		}
		below := make([]map[int]bool, len(ro.Lines)) // by climbing
		for i := range below {
			below[i] = map[int]bool{}
		}
		for k, rc := range ro.Recipients {
			up, want := rc.Line, announcement.PersonID("")
			if m, ok := d.activeManager(d.people[rc.Person]); ok {
				want = m.ID
			}
			if up >= 0 && ro.Lines[up].Person != want {
				t.Fatalf("seed %d: recipient %d is led by the wrong person", seed, k)
			}
			if up < 0 && want != "" && !inLoop(d, rc.Person) {
				t.Fatalf("seed %d: recipient %d lost their manager", seed, k)
			}
			for steps := 0; up >= 0; up = ro.Lines[up].Up {
				below[up][k] = true
				if steps++; steps > n {
					t.Fatalf("seed %d: a reporting line never ends", seed)
				}
			}
		}
		for i, l := range ro.Lines {
			if len(below[i]) == 0 || len(below[i]) != l.Hi-l.Lo {
				t.Fatalf("seed %d: line %d has range [%d, %d), %d below", seed, i, l.Lo, l.Hi, len(below[i]))
			}
			for k := l.Lo; k < l.Hi; k++ {
				if !below[i][k] || ro.Recipients[k].Person == l.Person {
					t.Fatalf("seed %d: recipient %d is not below line %d", seed, k, i)
				}
			}
			if l.Number >= 0 && ro.Recipients[l.Number].Person != l.Person || l.Number < 0 && slices.ContainsFunc(ro.Recipients, func(r announcement.Recipient) bool { return r.Person == l.Person }) {
				t.Fatalf("seed %d: line %d has the wrong recipient number", seed, i)
			}
		}
		if again := resolve(t, d, announcement.Audience{People: some}).Roster; fmt.Sprint(again) != fmt.Sprint(ro) {
			t.Fatalf("seed %d: two walks differ", seed)
		}
	}
}

// inLoop reports whether climbing from a person comes back to them.
func inLoop(d *Directory, p announcement.PersonID) bool {
	at := d.people[p]
	for range len(d.people) {
		m, ok := d.activeManager(at)
		if !ok {
			return false
		}
		if m.ID == p {
			return true
		}
		at = m
	}
	return false
}

func TestDuty(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	one, two, seven := id(t, d, "1"), id(t, d, "2"), id(t, d, "7")
	want := func(ids ...announcement.PersonID) {
		t.Helper()
		if got := d.Duty(); !slices.Equal(got, ids) {
			t.Errorf("duty = %v, want %v", got, ids)
		}
		if got := resolve(t, d, announcement.Audience{All: true}).Roster.Duty; !slices.Equal(got, ids) {
			t.Errorf("duty of the roster = %v, want %v", got, ids)
		}
	}
	want(one, seven)
	if err := d.SetDuty(t.Context(), []string{"2", "2"}); err != nil {
		t.Fatal(err)
	}
	want(two)
	var faults announcement.FieldErrors
	if err := d.SetDuty(t.Context(), []string{"1", "99", "5"}); !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("SetDuty = %v, want two FieldErrors", err)
	}
	want(two)
	mustImport(t, d, "nip,nama,hp,aktif\n2,Lead,081234567802,tidak\n")
	want(one, seven)
}

// Whoever is given another employee number stays on duty.
func TestDutyFollowsANewNumber(t *testing.T) {
	t.Parallel()
	d := imported(t, company)
	if err := d.SetDuty(t.Context(), []string{"1", "2"}); err != nil {
		t.Fatal(err)
	}
	who, _ := d.Account(id(t, d, "2"))
	if _, err := d.Provision(t.Context(), who.ID, Wanted{Values: map[string]string{"employee_id": "A-2", "display_name": who.Name}}, who.Version, false); err != nil {
		t.Fatal(err)
	}
	if got, want := d.Duty(), []announcement.PersonID{id(t, d, "1"), who.ID}; !slices.Equal(got, want) {
		t.Errorf("duty = %v, want %v", got, want)
	}
}

func BenchmarkResolve20000(b *testing.B) {
	d := open(b, newMemory())
	for i := range 20_000 {
		r := record{Version: 1}
		r.ID = announcement.PersonID(fmt.Sprintf("p%05d", i))
		r.Number, r.Active = fmt.Sprintf("%05d", i), true
		if i > 0 {
			r.Manager = fmt.Sprintf("%05d", i/10)
		}
		d.people[r.ID] = r
		d.numbers.add(r.Number, r.ID)
	}
	for b.Loop() {
		resolve(b, d, announcement.Audience{All: true})
	}
}

// A list without managers must not make everybody the duty list.
func TestDutyOfAListWithoutManagers(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("employee_id,display_name,manager_id,mobile_phone\n")
	for n := range 50 {
		fmt.Fprintf(&b, "%d,Person %d,,\n", n, n)
	}
	if got := imported(t, b.String()).Duty(); len(got) != 0 {
		t.Errorf("%d are on duty, want nobody: somebody has to say who", len(got))
	}
	fmt.Fprint(&b, "90,Budi,7,\n91,Siti,7,\n92,Agus,8,\n")
	d := imported(t, b.String())
	if got, want := d.Duty(), []announcement.PersonID{id(t, d, "7"), id(t, d, "8")}; !slices.Equal(got, want) {
		t.Errorf("duty = %v, want those who lead others, %v", got, want)
	}
}
