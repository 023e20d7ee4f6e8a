package dispatch

import "context"

// Work is one pass over a job, for tests of what comes before the calls.
func (d *Dispatcher) Work(ctx context.Context, job Job, attempt int) Outcome {
	return d.work(ctx, job, attempt)
}
