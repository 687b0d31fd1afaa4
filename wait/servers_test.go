package wait

// This file starts the real servers that the tests probe, and checks answers.

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is a real server that a test has started.
type daemon struct {
	t      testing.TB
	dir    string // the working directory
	quit   syscall.Signal
	cmd    *exec.Cmd
	exited chan struct{}
}

// skipInShort skips a test with a server that takes a second or more to make or to start.
func skipInShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a slow server")
	}
}

// unprivileged is the uid of servers when the tests run as root: PostgreSQL and MariaDB do
// not start as root.
const unprivileged = 65534

// ownDir returns a directory in which the servers of these tests may write.
func ownDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "startgate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	chownToServer(t, dir)
	return dir
}

// chownToServer makes the user of the servers the owner of a file.
func chownToServer(t testing.TB, path string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(path, unprivileged, unprivileged); err != nil {
		t.Fatal(err)
	}
}

// write writes a file that the servers can read, and returns its path.
func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	chownToServer(t, path)
	return path
}

// command returns a command that runs in dir, as the user of the servers.
func command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: unprivileged, Gid: unprivileged}
	}
	return cmd
}

// start starts a server in dir. When the test ends, the server gets the signal quit.
func start(t testing.TB, dir string, quit syscall.Signal, name string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: dir, quit: quit, cmd: command(dir, name, args...), exited: make(chan struct{})}
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.exited)
	}()
	t.Cleanup(d.stop)
	return d
}

func (d *daemon) logFile() string { return filepath.Join(d.dir, "log") }

// log returns what the server has written so far.
func (d *daemon) log() string {
	text, _ := os.ReadFile(d.logFile())
	return string(text)
}

// stop ends the server and waits until it has exited.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(d.quit)
	select {
	case <-d.exited:
	case <-time.After(30 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.exited
	}
}

// askOnce probes a target once. A real server on a busy machine may take its time.
func askOnce(t testing.TB, at string) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return mustParse(t, at).Prober.Probe(ctx)
}

// matches reports whether an answer has this outcome and, after the request, this detail.
func matches(answer Answer, outcome Outcome, detail string) bool {
	_, got, _ := strings.Cut(answer.Detail, ": ")
	return answer.Outcome == outcome && got == detail
}

// wantAnswer probes a target once and checks the answer.
func wantAnswer(t testing.TB, at string, outcome Outcome, detail string) {
	t.Helper()
	if answer := askOnce(t, at); !matches(answer, outcome, detail) {
		t.Errorf("%s: %v %q, want %v %q", at, answer.Outcome, answer.Detail, outcome, detail)
	}
}

// becomes probes at until the server gives this answer.
func (d *daemon) becomes(at string, outcome Outcome, detail string) {
	d.t.Helper()
	var answer Answer
	defer func() {
		if d.t.Failed() {
			log := d.log()
			d.t.Logf("the last answer is %v; the end of the server's log:\n%s", answer, log[max(0, len(log)-2000):])
		}
	}()
	eventually(d.t, fmt.Sprintf("%s answers %v %q", at, outcome, detail), func() bool {
		select {
		case <-d.exited:
			d.t.Fatalf("%s has exited", d.cmd)
		default:
		}
		answer = askOnce(d.t, at)
		return matches(answer, outcome, detail)
	})
}

// openConn opens a connection that lasts as long as the test.
func openConn(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// certificates holds the paths of files for a server with TLS.
type certificates struct{ ca, cert, key string }

// certify makes a CA in dir, and a certificate for localhost and 127.0.0.1.
func certify(t testing.TB, dir string) certificates {
	t.Helper()
	template := func(serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprintf("startgate %d", serial)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
	}
	sign := func(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	caKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	ca, leaf := template(1), template(2)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	leaf.DNSNames, leaf.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certificates{
		ca:   write(t, dir, "ca.pem", string(sign(ca, ca, caKey, caKey))),
		cert: write(t, dir, "cert.pem", string(sign(leaf, ca, key, caKey))),
		key:  write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))),
	}
}

// startRedis starts redis-server on port; "0" means no port.
func startRedis(t testing.TB, dir, port string, args ...string) *daemon {
	t.Helper()
	need(t, "redis-server")
	return start(t, dir, syscall.SIGKILL, "redis-server", append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--daemonize", "no",
	}, args...)...)
}

// startTwemproxy starts a proxy in front of a Redis server, which need not exist.
func startTwemproxy(t testing.TB, port, serverPort, settings string) *daemon {
	t.Helper()
	need(t, "nutcracker")
	dir := ownDir(t)
	return start(t, dir, syscall.SIGKILL, "nutcracker", "-o", filepath.Join(dir, "nutcracker.log"), "-s", unusedPort(t), "-c", write(t, dir, "nutcracker.yml", `
pool:
  listen: 127.0.0.1:`+port+`
  redis: true
  servers:
   - 127.0.0.1:`+serverPort+`:1
`+settings))
}

// tellRedis sends a command, or several, and returns the last line of their replies, which
// have one line each.
func tellRedis(t testing.TB, addr string, commands ...string) string {
	t.Helper()
	conn := openConn(t, addr)
	defer conn.Close()
	replies := bufio.NewReader(conn)
	line := ""
	for _, command := range commands {
		fmt.Fprintf(conn, "%s\r\n", command)
		var err error
		if line, err = replies.ReadString('\n'); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
	return strings.TrimSpace(line)
}

// postgresProgram returns the path of a program of PostgreSQL. Debian has a directory for
// each version.
func postgresProgram(t testing.TB, name string) string {
	t.Helper()
	path := "/usr/lib/postgresql/15/bin/" + name
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		path = found[len(found)-1]
	}
	need(t, path)
	return path
}

// initPostgres makes a cluster whose superuser is postgres. If withRole is true, it has a
// role with the name that startgate's probes send.
func initPostgres(t testing.TB, withRole bool) (data string) {
	t.Helper()
	skipInShort(t)
	initdb, postgres := postgresProgram(t, "initdb"), postgresProgram(t, "postgres")
	shared, err := testDir()
	if err != nil {
		t.Fatal(err)
	}
	chownToServer(t, shared)
	template := filepath.Join(shared, "postgres")
	if _, err := os.Stat(template); err != nil { // initdb takes a second, a copy does not
		run(t, command(shared, initdb, "-D", template, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"))
	}
	dir := ownDir(t)
	data = filepath.Join(dir, "data")
	run(t, command(dir, "cp", "-a", template, data))
	if withRole {
		single := command(dir, postgres, "--single", "-D", data, "postgres")
		single.Stdin = strings.NewReader("CREATE ROLE startgate LOGIN\n")
		run(t, single)
	}
	return data
}

// run runs a command, which must succeed.
func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// startPostgres starts a server of that cluster. hba says who may connect.
func startPostgres(t testing.TB, data, port, hba string, settings ...string) *daemon {
	t.Helper()
	write(t, data, "pg_hba.conf", hba+"\n")
	args := []string{"-D", data, "-p", port, "-h", "127.0.0.1", "-k", "", "-F"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return start(t, data, syscall.SIGQUIT, postgresProgram(t, "postgres"), args...)
}

// startMariaDB starts a server. Without --skip-grant-tables it needs a data directory made
// by mariadb-install-db.
func startMariaDB(t testing.TB, port string, args ...string) *daemon {
	t.Helper()
	skipInShort(t)
	need(t, "mariadbd")
	dir := ownDir(t)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	chownToServer(t, data)
	return start(t, dir, syscall.SIGKILL, "mariadbd", append([]string{
		"--no-defaults", "--datadir=" + data, "--port=" + port, "--bind-address=127.0.0.1", "--socket=" + filepath.Join(dir, "socket"),
		"--pid-file=" + filepath.Join(dir, "pid"), "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M",
		"--innodb-fast-shutdown=3", "--performance-schema=0",
	}, args...)...)
}

// startHAProxy starts a proxy with these sections in its configuration.
func startHAProxy(t testing.TB, sections string) *daemon {
	t.Helper()
	need(t, "haproxy")
	dir := ownDir(t)
	return start(t, dir, syscall.SIGKILL, "haproxy", "-db", "-f", write(t, dir, "haproxy.cfg", `
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  retries 0
`+sections+"\n"))
}

// health is a server of grpc.health.v1 that a test controls.
type health struct {
	*module
	addr string
}

// module is a program of testdata that a test has started.
type module struct {
	in    io.Writer
	lines *bufio.Scanner
}

// buildModule builds a module of testdata, once, and returns the path of the binary.
func buildModule(t testing.TB, name string) string {
	t.Helper()
	dir, err := testDir()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, name)
	if _, err := os.Stat(binary); err != nil {
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Dir = filepath.Join("testdata", name)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build of %s: %v\n%s", build.Dir, err, out)
		}
	}
	return binary
}

// startModule starts a module of testdata, which prints its address and exits when its
// standard input is closed.
func startModule(t testing.TB, name string, args ...string) (m *module, addr string) {
	t.Helper()
	skipInShort(t)
	cmd := exec.Command(buildModule(t, name), args...)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	m = &module{in: in, lines: bufio.NewScanner(out)}
	m.lines.Scan()
	return m, m.lines.Text()
}

// startHealth starts testdata/grpchealth.
func startHealth(t testing.TB, args ...string) *health {
	t.Helper()
	m, addr := startModule(t, "grpchealth", args...)
	return &health{m, addr}
}

// set sets the status of a service; "." means the whole server.
func (h *health) set(service, status string) {
	fmt.Fprintln(h.in, service, status)
	h.lines.Scan()
}

// checkReply checks what holds for the answer to every reply that has ended: it is not a
// timeout or a refusal, and its detail fits in a line of the log.
func checkReply(t *testing.T, reply []byte, answer Answer) {
	t.Helper()
	switch answer.Outcome {
	case Ready, NotReady, Failed:
	default:
		t.Errorf("%q is %v", reply, answer)
	}
	if answer.Detail == "" || len(answer.Detail) > 200 || printable(answer.Detail) != answer.Detail {
		t.Errorf("%q has the detail %q", reply, answer.Detail)
	}
}

// replyCase is a reply that a server may send, and the answer that it means.
type replyCase struct {
	text    string
	outcome Outcome
	detail  string
}

func checkReplies(t *testing.T, replies []replyCase, read func(*bufio.Reader) Answer) {
	t.Helper()
	for _, r := range replies {
		answer := read(bufio.NewReaderSize(strings.NewReader(r.text), smallBuffer))
		if answer.Outcome != r.outcome || answer.Detail != r.detail {
			t.Errorf("%.60q: %v %q, want %v %q", r.text, answer.Outcome, answer.Detail, r.outcome, r.detail)
		}
	}
}

// addReplies adds the beginnings of replies to a fuzz corpus.
func addReplies(f *testing.F, replies []replyCase) {
	for _, r := range replies {
		f.Add([]byte(r.text[:min(len(r.text), 1000)]))
	}
}
