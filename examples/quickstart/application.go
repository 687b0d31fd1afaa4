package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// patience is how long the application waits for Redis to answer.
const patience = 5 * time.Second

// application does what many applications do: it needs Redis at its start, and gives up
// when the first connection fails.
func application(redis string) error {
	fmt.Printf("starts as process %d\n", os.Getpid())
	conn, err := net.DialTimeout("tcp", redis, patience)
	if err != nil {
		return fmt.Errorf("cannot reach Redis: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return fmt.Errorf("cannot ask Redis: %w", err)
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("cannot read the answer of Redis: %w", err)
	}
	fmt.Printf("asked Redis PING, and the answer is %s\n", strings.TrimSpace(answer))
	return nil
}
