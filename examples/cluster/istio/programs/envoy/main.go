// Envoy stands in for Envoy in Istio's proxy image: Envoy itself is no Go module. Istio's
// agent starts it with the bootstrap that it writes, and cannot tell the two apart.
//
// It opens the ADS stream at the agent's socket, so it is istiod's clusters and listeners
// that it accepts or rejects. It counts them on the admin port 15000, where the agent
// looks. Then it listens on 15021, which it forwards to the agent, and on 15001 and 15006,
// which it forwards to where the redirected connection was going. It knows no HTTP, no
// routes and no mTLS: this is what a proxy does whose policy allows any traffic.
//
// These variables slow it down or break it. In a pod they are set as proxyMetadata:
//
//	ENVOY_BOOT         how long after its start the admin port opens
//	ENVOY_INIT         how long it initializes after the configuration has come
//	ENVOY_LISTEN       how long its ports listen before the workers start
//	ENVOY_CRASH_AFTER  it exits with 7 this long after its start
//	ENVOY_REJECT       true: it rejects every listener
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.LUTC | log.Ldate | log.Lmicroseconds)
	log.SetPrefix("envoy: ")
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

// run plays Envoy until a signal or a quit request ends the process.
func run(args []string) error {
	bootstrap, err := readBootstrap(configFlag(args))
	if err != nil {
		return err
	}
	delays, err := readDelays()
	if err != nil {
		return err
	}
	go exitOnSignal()
	if delays.crash > 0 {
		time.AfterFunc(delays.crash, func() { log.Print("crashes"); os.Exit(7) })
	}
	time.Sleep(delays.boot)
	state := &state{}
	state.server.Store(preInitializing)
	if err := serveAdmin(state); err != nil {
		return err
	}
	configured := make(chan struct{})
	go receive(bootstrap.node, state, configured)
	<-configured
	time.Sleep(delays.init)
	return serve(bootstrap.agent, state, delays.listen)
}

// configFlag returns the value of -c. All other flags of Envoy's are without effect here.
func configFlag(args []string) string {
	for i, arg := range args {
		if arg == "-c" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

type delays struct{ boot, init, listen, crash time.Duration }

func readDelays() (d delays, err error) {
	for name, delay := range map[string]*time.Duration{
		"ENVOY_BOOT": &d.boot, "ENVOY_INIT": &d.init, "ENVOY_LISTEN": &d.listen, "ENVOY_CRASH_AFTER": &d.crash,
	} {
		if value := os.Getenv(name); value != "" {
			if *delay, err = time.ParseDuration(value); err != nil {
				return d, fmt.Errorf("cannot read %s: %w", name, err)
			}
		}
	}
	return d, nil
}

func rejects() bool {
	value, _ := strconv.ParseBool(os.Getenv("ENVOY_REJECT"))
	return value
}

func exitOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	log.Printf("%v: exits", <-signals)
	os.Exit(0)
}
