package dispatch

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

// Jobs that wait for a provider go on in this order: emergencies first, and in each
// lane what was decided first. Who comes after the recovery waits for none of them.
func TestOrderOfWhatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(time.Now, func(bool) {})
		down := &channel.Error{Reason: channel.Temporary}
		for range opensAfter {
			done, err := c.turn(t.Context(), &place{lane: announcement.Routine})
			if err != nil {
				t.Fatal(err)
			}
			done(down)
		}
		began := time.Now()
		jobs := map[string]*place{
			"emergency":          {lane: announcement.Emergency, at: began.Add(time.Second)},
			"younger emergency":  {lane: announcement.Emergency, at: began.Add(time.Minute)},
			"its second job":     {lane: announcement.Emergency, at: began.Add(time.Minute), lo: 500},
			"notice":             {lane: announcement.Routine, at: began},
			"younger of notices": {lane: announcement.Routine, at: began.Add(time.Minute)},
		}
		went := make(chan string, len(jobs))
		for name, p := range jobs {
			go func() {
				done, err := c.turn(t.Context(), p)
				if err != nil {
					t.Error(err)
					return
				}
				went <- name
				time.Sleep(time.Second) // it is on its way
				done(nil)
				time.Sleep(time.Minute) // the rest of the job
				c.leave(p)
			}()
		}
		first := <-went
		if first != "emergency" || time.Since(began) < asksEvery {
			t.Errorf("%s is tried first, after %s", first, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		fresh := &place{lane: announcement.Emergency, at: time.Now()}
		if done, err := c.turn(t.Context(), fresh); err != nil || time.Since(began) > asksEvery+3*time.Second {
			t.Errorf("a new job waited for those before it: %v", err)
		} else {
			done(nil)
		}
		var emergencies, routine []string
		for range len(jobs) - 1 {
			if name := <-went; jobs[name].lane == announcement.Emergency {
				emergencies = append(emergencies, name)
			} else {
				routine = append(routine, name)
			}
		}
		if !slices.Equal(emergencies, []string{"younger emergency", "its second job"}) || !slices.Equal(routine, []string{"notice", "younger of notices"}) {
			t.Errorf("got %v and %v", emergencies, routine)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.backlog) != 0 {
			t.Error("somebody still has a place who has left")
		}
	})
}
