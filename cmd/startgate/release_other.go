//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

// releasable returns ctx: only Linux knows who connects to a socket, and from where.
func (g *gate) releasable(ctx context.Context) (context.Context, func()) { return ctx, func() {} }

func release(context.Context, io.Writer) error { return errors.New("--release works in Linux only") }
