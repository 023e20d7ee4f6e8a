package app

import (
	"sync"
	"testing"
	"time"

	"kentongan/internal/ledger"
)

// TestTwoTestsOfProvidersAtOnceAreBothKept lets the echoes of an SMS and of a push
// come in at the same moment, on one node and on two.
func TestTwoTestsOfProvidersAtOnceAreBothKept(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	for range 200 {
		vault := ledger.NewMemoryVault()
		one, two := &trials{vault: vault}, &trials{vault: vault} // two has not heard of it
		var both sync.WaitGroup
		start := make(chan struct{})
		for _, edit := range []func(*tried){func(t *tried) { t.SMS = now }, func(t *tried) { t.Push = now }} {
			both.Go(func() {
				<-start
				if err := one.change(t.Context(), edit); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		both.Wait()
		if err := two.change(t.Context(), func(t *tried) { t.Asked = now }); err != nil {
			t.Fatal(err)
		}
		if got := two.get(); got.SMS.IsZero() || got.Push.IsZero() || got.Asked.IsZero() {
			t.Fatalf("got %+v, want all three", got)
		}
	}
}
