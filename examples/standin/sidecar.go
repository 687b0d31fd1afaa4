package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// moment is a moment in the life of a sidecar.
type moment int

const (
	atStart moment = iota // its process listens
	atReady               // it carries traffic
)

// sidecar is a sidecar that is played.
type sidecar struct {
	kind

	startAfter, readyAfter time.Duration
	holdStart, holdReady   bool

	asked   sync.Once
	quits   chan struct{} // closed when it is asked to shut down
	reached [2]chan struct{}
}

// parse reads the flags. Other arguments, such as the name of an instance, are accepted
// and ignored.
func (s *sidecar) parse(args []string) error {
	flags := flag.NewFlagSet(s.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.DurationVar(&s.startAfter, "start-after", 0, "listen after this time, as if the image were being pulled")
	flags.DurationVar(&s.readyAfter, "ready-after", 0, "be ready this long after that")
	flags.BoolVar(&s.holdStart, "hold-start", false, "listen when USR1 comes")
	flags.BoolVar(&s.holdReady, "hold-ready", false, "be ready when USR2 comes")
	flags.DurationVar(&s.drain, "drain", s.drain, "take this long to exit when asked to")
	if s.flags != nil {
		s.flags(flags)
	}
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("cannot play %s: %w", s.name, err)
	}
	s.quits = make(chan struct{})
	for i := range s.reached {
		s.reached[i] = make(chan struct{})
	}
	return nil
}

// live runs the sidecar to its end and returns its exit code.
func (s *sidecar) live() (code int, err error) {
	terms, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go s.age(arrival(syscall.SIGUSR1), arrival(syscall.SIGUSR2))
	s.log("starts")
	failed := make(chan error, 1)
	for _, server := range s.servers(s) {
		go func() { failed <- s.serve(server) }()
	}
	select {
	case err := <-failed:
		return 1, err
	case <-s.quits:
		s.log("was asked to shut down")
	case <-terms.Done():
		s.log("got TERM")
		if s.onTerm != nil {
			code = s.onTerm()
		}
	}
	time.Sleep(s.drain)
	s.log("exits")
	return code, nil
}

// age goes through the moments.
func (s *sidecar) age(start, ready <-chan os.Signal) {
	time.Sleep(s.startAfter)
	if s.holdStart {
		<-start
	}
	s.log("listens")
	close(s.reached[atStart])
	time.Sleep(s.readyAfter)
	if s.holdReady {
		<-ready
	}
	s.log("is ready")
	close(s.reached[atReady])
}

// arrival returns a channel that receives the signal.
func arrival(sig os.Signal) <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, sig)
	return c
}

// serve waits for the server's moment, then listens.
func (s *sidecar) serve(server server) error {
	<-s.reached[server.when]
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", server.port))
	if err != nil {
		return fmt.Errorf("cannot play %s: %w", s.name, err)
	}
	if server.carry != nil {
		return s.carryAll(listener, server.carry)
	}
	err = (&http.Server{Handler: server.handler, ReadHeaderTimeout: time.Minute}).Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// carryAll carries each connection to where connect connects it.
func (s *sidecar) carryAll(listener net.Listener, connect func(*net.TCPConn) (net.Conn, error)) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			from := conn.(*net.TCPConn)
			to, err := connect(from)
			if err != nil {
				s.log("cannot carry a connection: " + err.Error())
				return
			}
			defer to.Close()
			join(from, to)
		}()
	}
}

// ready answers 200 when the sidecar is ready, and before that 503 with this reason.
func (s *sidecar) ready(reason string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-s.reached[atReady]:
		default:
			http.Error(w, reason, http.StatusServiceUnavailable)
		}
	}
}

// quit answers, then makes the sidecar exit.
func (s *sidecar) quit(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, answer)
		_ = http.NewResponseController(w).Flush()
		s.asked.Do(func() { close(s.quits) })
	}
}

func (s *sidecar) log(text string) {
	fmt.Printf("%s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), s.name, text)
}
