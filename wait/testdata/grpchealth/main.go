// Grpchealth is a server of grpc.health.v1 that uses google.golang.org/grpc, for the tests
// of package wait. It is a separate module, so that startgate does not require grpc.
//
//	grpchealth [-cert FILE -key FILE [-clients]] [-without]
//
// It prints its address, and then reads commands from standard input: "SERVICE STATUS" sets
// the status of a service, or of the whole server if SERVICE is ".". It exits when standard
// input is closed.
package main

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	cert := flag.String("cert", "", "certificate, for TLS")
	key := flag.String("key", "", "its key")
	clients := flag.Bool("clients", false, "let in only clients with a certificate")
	without := flag.Bool("without", false, "have no health service")
	flag.Parse()

	var options []grpc.ServerOption
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return err
		}
		config := &tls.Config{Certificates: []tls.Certificate{pair}}
		if *clients {
			config.ClientAuth = tls.RequireAnyClientCert
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server, statuses := grpc.NewServer(options...), health.NewServer()
	if !*without {
		grpc_health_v1.RegisterHealthServer(server, statuses)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go obey(server, statuses)
	return server.Serve(listener)
}

// obey executes the commands from standard input, and prints a line after each.
func obey(server *grpc.Server, statuses *health.Server) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println("done") {
		service, status, _ := strings.Cut(lines.Text(), " ")
		code := grpc_health_v1.HealthCheckResponse_ServingStatus(grpc_health_v1.HealthCheckResponse_ServingStatus_value[status])
		statuses.SetServingStatus(strings.TrimPrefix(service, "."), code)
	}
	server.Stop()
}
