package dispatch

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

// Jobs that wait for a provider go on in this order: emergencies first, and in each
// lane what was decided first. One of each lane stays with its worker, the others are
// given back. Who comes after the recovery waits for none of them.
func TestOrderOfWhatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(time.Now, func(bool) {})
		down := &channel.Error{Reason: channel.Temporary}
		began := time.Now()
		for range opensAfter {
			done, _ := c.turn(t.Context(), &place{job: "first", lane: announcement.Routine}, 0)
			done(down)
		}
		jobs := map[string]*place{
			"emergency":          {lane: announcement.Emergency, at: began.Add(time.Second)},
			"younger emergency":  {lane: announcement.Emergency, at: began.Add(time.Minute)},
			"its second job":     {lane: announcement.Emergency, at: began.Add(time.Minute), lo: 500},
			"notice":             {lane: announcement.Routine, at: began},
			"younger of notices": {lane: announcement.Routine, at: began.Add(time.Minute)},
		}
		went, tries := make(chan string, len(jobs)), atomic.Int64{}
		for name, p := range jobs {
			p.job = name
			go func() {
				done, after := c.turn(t.Context(), p, 0)
				for done == nil { // back in the queue
					c.leave(p)
					time.Sleep(after)
					done, after = c.turn(t.Context(), p, 0)
				}
				if time.Since(began) < time.Minute {
					tries.Add(1)
					time.Sleep(time.Second)
					done(down)
					done, _ = c.turn(t.Context(), p, 0)
				}
				for n := 1; time.Since(began) < time.Minute; n++ {
					tries.Add(1)
					time.Sleep(time.Second)
					done(down)
					if done, _ = c.turn(t.Context(), p, n); done == nil {
						t.Error("the first has to give its place away")
						return
					}
				}
				went <- name
				time.Sleep(time.Second) // it is on its way
				done(nil)
				time.Sleep(time.Minute) // the rest of the job
				c.leave(p)
			}()
		}
		time.Sleep(30 * time.Second)
		c.mu.Lock()
		if len(c.backlog) != 2 {
			t.Errorf("%d jobs keep their workers, want one of each lane", len(c.backlog))
		}
		c.mu.Unlock()
		if first := <-went; first != "emergency" || tries.Load() > 5 {
			t.Errorf("%s goes first, after %d tries in a minute", first, tries.Load())
		}
		back := time.Now()
		time.Sleep(2 * time.Second)
		fresh := &place{job: "fresh", lane: announcement.Emergency, at: time.Now()}
		if done, _ := c.turn(t.Context(), fresh, 0); done == nil || time.Since(back) > 3*time.Second {
			t.Error("a new job waited for those before it")
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
		if len(c.backlog) != 0 || len(c.met) != 0 {
			t.Error("somebody still has a place who has left")
		}
	})
}
