package wait

import (
	"context"
	"errors"
	"sync"
)

// beside runs a call of the operating system that may never return and cannot be cut
// short, such as a stat of a file system that does not answer, beside the probes that want
// its result. There is one call at a time.
type beside[T any] struct {
	mu   sync.Mutex
	last *systemCall[T]
}

type systemCall[T any] struct {
	done   chan struct{}
	result T
}

// errHeld is the cause of an answer from a file system that does not answer.
var errHeld = errors.New("no answer from the file system in time")

// do returns the result of f, or errHeld when ctx ends before. While an earlier f is still
// running, do waits for its result instead, which must mean the same.
func (b *beside[T]) do(ctx context.Context, f func() T) (T, error) {
	return b.call(ctx, f, false)
}

// once is do, for an f that is called once only.
func (b *beside[T]) once(ctx context.Context, f func() T) (T, error) {
	return b.call(ctx, f, true)
}

func (b *beside[T]) call(ctx context.Context, f func() T, once bool) (result T, err error) {
	b.mu.Lock()
	if b.last == nil || !once && b.last.isDone() {
		call := &systemCall[T]{done: make(chan struct{})}
		go func() {
			defer close(call.done)
			call.result = f()
		}()
		b.last = call
	}
	call := b.last
	b.mu.Unlock()
	select {
	case <-call.done:
		return call.result, nil
	case <-ctx.Done():
		return result, errHeld
	}
}

// isHeld reports whether a call has not returned.
func (b *beside[T]) isHeld() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last != nil && !b.last.isDone()
}

func (c *systemCall[T]) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
