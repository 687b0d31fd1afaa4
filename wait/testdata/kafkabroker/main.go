// Kafkabroker is a Kafka broker that uses github.com/twmb/franz-go/pkg/kfake, for the tests
// of package wait. It is a separate module, so that startgate does not require kfake.
//
//	kafkabroker [-cert FILE -key FILE] [-sasl]
//
// It prints its address, and exits when standard input is closed.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	cert := flag.String("cert", "", "certificate, for TLS")
	key := flag.String("key", "", "its key")
	sasl := flag.Bool("sasl", false, "let in only clients that authenticate")
	flag.Parse()

	options := []kfake.Opt{kfake.NumBrokers(1)}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return err
		}
		options = append(options, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	}
	if *sasl {
		options = append(options, kfake.EnableSASL())
	}
	options = append(options, kfake.WithLogger(kfake.BasicLogger(os.Stderr, kfake.LogLevelInfo)))
	broker, err := kfake.NewCluster(options...)
	if err != nil {
		return err
	}
	defer broker.Close()
	fmt.Println(broker.ListenAddrs()[0])
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
