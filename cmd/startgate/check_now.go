package main

import (
	"context"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/startgate/startgate/wait"
)

// probed is what came of asking a target once.
type probed struct {
	target wait.Target
	answer wait.Answer
	took   time.Duration
	hint   hint
}

// checkNow asks each target once, all at the same time, and prints what they answer. The
// exit code is 0 when all are ready, as that of --wait would be, and else 124.
func (g *gate) checkNow() (code int, err error) {
	var all []probed
	err = g.signals.Do(context.Background(), func(ctx context.Context) error {
		all = g.probeAll(ctx)
		return context.Cause(ctx)
	})
	if err != nil {
		return 0, err
	}
	table := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nTARGET\tNOW\tTOOK\tANSWER\n")
	for _, p := range all {
		fmt.Fprintf(table, "%s\t%v\t%v\t%s\n", p.target.Name, p.answer.Outcome, p.took.Round(100*time.Microsecond), p.answer.Detail)
		if p.answer.Outcome != wait.Ready {
			code = codeTimeout
		}
	}
	for _, p := range all {
		if p.hint.text != "" {
			fmt.Fprintf(table, "\n%s: %s\n%s\n", p.target.Name, p.hint.text, p.hint.docs())
		} else if p.hint.anchor != "" {
			fmt.Fprintf(table, "\n%s: see %s\n", p.target.Name, p.hint.docs())
		}
	}
	return code, table.Flush()
}

// probeAll asks all targets that would be waited for.
func (g *gate) probeAll(ctx context.Context) []probed {
	var asking sync.WaitGroup
	all := make([]probed, len(g.current().targets))
	for i, target := range g.current().targets {
		asking.Go(func() { all[i] = g.probeOnce(ctx, target) })
	}
	asking.Wait()
	return all
}

func (g *gate) probeOnce(ctx context.Context, target wait.Target) probed {
	timed, cancel := context.WithTimeout(ctx, time.Duration(g.settings.AttemptTimeout))
	defer cancel()
	p := probed{target: target}
	began := time.Now()
	p.answer = target.Prober.Probe(timed)
	p.took = time.Since(began)
	if p.answer.Outcome != wait.Ready {
		p.hint = (&progress{gate: g, target: target, last: p.answer}).state().hint(ctx)
	}
	return p
}
