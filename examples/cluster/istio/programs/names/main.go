// Names is the cluster's name server. It knows the names in its arguments, and those by
// which Kubernetes names pods. All others do not exist.
//
//	names LISTEN NAME=ADDRESS...
package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "names:", err)
		os.Exit(1)
	}
}

func run(listen string, args []string) error {
	known := map[string]netip.Addr{}
	for _, arg := range args {
		name, text, _ := strings.Cut(arg, "=")
		address, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		known[name+"."] = address
	}
	conn, err := net.ListenPacket("udp", listen)
	if err != nil {
		return err
	}
	fmt.Println("names: listens on", listen)
	var query [512]byte
	for {
		n, from, err := conn.ReadFrom(query[:])
		if err != nil {
			return err
		}
		if reply, err := answer(query[:n], known); err == nil {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

// answer returns the reply to a query of one question.
func answer(query []byte, known map[string]netip.Addr) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	message.Response, message.Authoritative, message.RecursionAvailable = true, true, true
	message.Additionals = nil
	if len(message.Questions) != 1 {
		message.RCode = dnsmessage.RCodeFormatError
		return message.Pack()
	}
	question := message.Questions[0]
	name := strings.ToLower(question.Name.String())
	address, ok := known[name]
	if !ok {
		address, ok = podAddress(name)
	}
	switch {
	case !ok:
		message.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		message.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 5},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	return message.Pack()
}

// podAddress returns the address in a name such as 10-232-0-5.default.pod.cluster.local.
func podAddress(name string) (netip.Addr, bool) {
	labels := strings.Split(name, ".")
	if len(labels) != 6 || strings.Join(labels[2:], ".") != "pod.cluster.local." {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(strings.ReplaceAll(labels[0], "-", "."))
	return address, err == nil && address.Is4()
}
