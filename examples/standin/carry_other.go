//go:build !linux

package main

import (
	"errors"
	"net"
)

var errLinux = errors.New("only Linux redirects connections")

func outbound(*net.TCPConn) (net.Conn, error) { return nil, errLinux }
func inbound(*net.TCPConn) (net.Conn, error)  { return nil, errLinux }
func join(*net.TCPConn, net.Conn)             {}
