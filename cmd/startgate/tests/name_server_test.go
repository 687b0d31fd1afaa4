//go:build linux

package tests

// Name servers of Debian, names with several addresses, and connections that nobody
// answers.

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// nameServers are commands that serve these names on 127.0.0.1, each with its IPv4
// addresses, and say so with a word.
var nameServers = map[string]func(dir string, names map[string][]string) (argv []string, ready string){
	"dnsmasq": func(_ string, names map[string][]string) ([]string, string) {
		argv := words("dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--pid-file", "--user=root",
			"--no-resolv", "--no-hosts", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/")
		for name, addrs := range names {
			for _, addr := range addrs {
				argv = append(argv, "--host-record="+name+","+addr)
			}
		}
		return argv, "started"
	},
	"unbound": func(dir string, names map[string][]string) ([]string, string) {
		conf := "server:\n username: \"\"\n chroot: \"\"\n pidfile: \"\"\n directory: \"" + dir + "\"\n interface: 127.0.0.1\n use-syslog: no\n" +
			" verbosity: 1\n do-not-query-localhost: no\n rrset-roundrobin: no\n module-config: \"iterator\"\n local-zone: \"test.\" static\n"
		for name, addrs := range names {
			for _, addr := range addrs {
				conf += fmt.Sprintf(" local-data: \"%s. A %s\"\n", name, addr)
			}
		}
		file := filepath.Join(dir, "unbound.conf")
		_ = os.WriteFile(file, []byte(conf), 0o600)
		return []string{"unbound", "-d", "-p", "-c", file}, "start of service"
	},
}

// alive, dead1 and dead2 are addresses of the network outbound. Nobody answers at the
// dead ones.
const (
	alive, dead1, dead2 = "10.255.255.13", "10.255.255.11", "10.255.255.12"
	aliveAddress        = "ip address add " + alive + "/32 dev lo\n"
)

// inEachNetwork runs a test in a network of its own for each name server, which serves
// these names. through is a command that becomes startgate, with this resolv.conf.
func inEachNetwork(t *testing.T, resolv string, names map[string][]string, test func(t *testing.T, through []string)) {
	t.Helper()
	needRoot(t)
	need(t, "unshare", "mount")
	for name, server := range nameServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, name)
			enterNetwork(t)
			setUp(t, outbound+aliveAddress)
			argv, ready := server(t.TempDir(), names)
			start(t, exec.Command(argv[0], argv[1:]...)).untilLog(ready)
			file := filepath.Join(t.TempDir(), "resolv.conf")
			if err := os.WriteFile(file, []byte(resolv), 0o600); err != nil {
				t.Fatal(err)
			}
			test(t, []string{"unshare", "--mount", "sh", "-ec", `mount --bind "$0" /etc/resolv.conf; exec "$@"`, file})
		})
	}
}

// startsWithin waits for date, which must have started after so long.
func (p *process) startsWithin(least, most time.Duration) {
	p.Helper()
	if took := p.startedAt().Sub(p.began); took < least || took > most+soon {
		p.Errorf("it started after %v, want %v to %v", took, least, most)
	}
}

// A name server that is dead costs the resolver five seconds, and not every probe anew.
func TestFirstNameServerIsDead(t *testing.T) {
	for _, attempt := range []string{"3s", "1s"} {
		t.Run(attempt, func(t *testing.T) {
			inEachNetwork(t, "nameserver 10.255.255.53\nnameserver 127.0.0.1\n", map[string][]string{"db.test": {alive}}, func(t *testing.T, through []string) {
				listenOn(t, alive+":7000")
				p := startDate(t, []string{"WAIT_FOR=tcp://db.test:7000", "ATTEMPT_TIMEOUT=" + attempt, "TIMEOUT=30s"}, through...)
				p.untilLog("cannot resolve db.test: the name server does not answer")
				p.startsWithin(4*time.Second, 10*time.Second)
			})
		})
	}
}

// A name server that drops the questions for IPv6 addresses costs nothing.
func TestNameServerDropsAAAA(t *testing.T) {
	inEachNetwork(t, "nameserver 127.0.0.1\n", map[string][]string{"db.test": {alive}}, func(t *testing.T, through []string) {
		setUp(t, `iptables -A INPUT -p udp --dport 53 -m string --algo bm --hex-string '|00001c0001|' -j DROP`)
		listenOn(t, alive+":7000")
		p := startDate(t, []string{"WAIT_FOR=tcp://db.test:7000", "TIMEOUT=20s"}, through...)
		p.startsWithin(0, 0)
		p.logHasNot("not ready yet")
	})
}

// Of the addresses of a name, all are tried within one probe.
func TestLastAddressIsAlive(t *testing.T) {
	addrs := map[string][]string{"db.test": {dead1, dead2, alive}}
	inEachNetwork(t, "nameserver 127.0.0.1\n", addrs, func(t *testing.T, through []string) {
		listenOn(t, alive+":7000")
		p := startDate(t, []string{"WAIT_FOR=tcp://db.test:7000", "ATTEMPT_TIMEOUT=1s", "TIMEOUT=20s"}, through...)
		p.startsWithin(0, time.Second)
		p.logHasNot("not ready yet")
	})
}

// A connection that is dropped is neither refused nor accepted, nor heard of later.
func TestConnectIsDropped(t *testing.T) {
	needRoot(t)
	t.Parallel()
	enterNetwork(t)
	const drop = " INPUT -p tcp --dport 7000 -j DROP"
	setUp(t, "iptables -A"+drop)
	settings := []string{"WAIT_FOR=tcp://127.0.0.1:7000", "ATTEMPT_TIMEOUT=200ms", "TIMEOUT=3s"}
	const hint = "Nobody accepts or refuses the connection: a NetworkPolicy or a firewall drops it"
	dropped := startDate(t, settings)
	dropped.waitsInVain()
	dropped.logHas("no answer to the connect", hint)
	dropped.logHasNot("The connection is accepted")

	later := startDate(t, settings)
	later.untilLog("no answer to the connect")
	setUp(t, "iptables -D"+drop)
	later.waitsInVain()
	later.logHas("connection refused", "Nothing listens there")
	later.logHasNot("It answered before", hint)
}
