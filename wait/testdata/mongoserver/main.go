// Mongoserver is a server of MongoDB's protocol that uses
// github.com/FerretDB/FerretDB/ferretdb, for the tests of package wait. It is a separate
// module, so that startgate does not require FerretDB.
//
//	mongoserver [-cert FILE -key FILE] DIRECTORY
//
// It keeps its data in DIRECTORY. It prints its address, and exits when standard input is
// closed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"strings"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	cert := flag.String("cert", "", "certificate, for TLS")
	key := flag.String("key", "", "its key")
	flag.Parse()

	listener := ferretdb.ListenerConfig{TCP: "127.0.0.1:0"}
	if *cert != "" {
		listener = ferretdb.ListenerConfig{TLS: "127.0.0.1:0", TLSCertFile: *cert, TLSKeyFile: *key}
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener: listener, Handler: "sqlite", SQLiteURL: "file:" + strings.TrimSuffix(flag.Arg(0), "/") + "/",
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	at, err := url.Parse(server.MongoDBURI())
	if err != nil {
		return err
	}
	fmt.Println(at.Host)
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	return <-ended
}
