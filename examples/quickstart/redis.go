package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
)

// startRedis starts a Redis that knows one command.
func startRedis() (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start the stand-in for Redis: %w", err)
	}
	go serve(listener, redis)
	return listener, nil
}

// redis answers inline commands, the form that a user can type.
func redis(conn net.Conn) {
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		answer := "-ERR unknown command"
		if strings.EqualFold(lines.Text(), "PING") {
			answer = "+PONG"
		}
		fmt.Fprint(conn, answer+"\r\n")
	}
}

// serve handles the connections of listener until it is closed.
func serve(listener net.Listener, handle func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			handle(conn)
		}()
	}
}
