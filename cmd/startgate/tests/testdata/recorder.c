/*
 * The two faces of a program for the tests of handing over:
 *
 *   recorder set STATE [ARG...]... -- PROGRAM [ARG...]
 *     launches: brings its own process into odd states, in this order, and then
 *     executes the program as execvp(3) does. Code 127 or 126 as env(1).
 *   recorder record FILE [ARG...]
 *     writes into the file all that it sees of itself, one "name<TAB>value" a
 *     line; bytes that are not printable are \xNN, and PIDs are told relative to
 *     its own.
 *   recorder handle MILLISECONDS
 *     handles TERM, INT, HUP, QUIT and USR1: says "ready", then "got N", code 40. When
 *     none comes in that time: code 99.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what) {
	fprintf(stderr, "recorder: %s: %s\n", what, strerror(errno));
	exit(98);
}

static long num(const char *s) { return strtol(s, NULL, 0); }

/* ---- the launcher: one function for each state ---- */

static void env_at(size_t at, char *entry) {
	size_t n = 0;
	while (environ[n]) n++;
	char **bigger = calloc(n + 2, sizeof *bigger);
	for (size_t i = 0, from = 0; i <= n; i++)
		bigger[i] = i == at ? entry : environ[from++];
	environ = bigger;
}

static void set_env(char **a) {
	size_t n = 0;
	while (environ[n]) n++;
	env_at(n, a[0]);
}

static void set_env_first(char **a) { env_at(0, a[0]); }
static void set_env_none(char **a) { (void)a; environ = calloc(1, sizeof *environ); }

/* open FD PATH FLAGS */
static void set_open(char **a) {
	int fd = open(a[1], num(a[2]), 0644);
	if (fd < 0) fail(a[1]);
	if (fd != num(a[0])) {
		if (dup2(fd, num(a[0])) < 0) fail("dup2");
		close(fd);
	}
}

static void set_seek(char **a) { if (lseek(num(a[0]), num(a[1]), SEEK_SET) < 0) fail("seek"); }
static void set_flags(char **a) { if (fcntl(num(a[0]), F_SETFL, num(a[1])) < 0) fail("flags"); }
static void set_close(char **a) { close(num(a[0])); }
static void set_umask(char **a) { umask(num(a[0])); }
static void set_chdir(char **a) { if (chdir(a[0])) fail(a[0]); }

/* gone DIR: a current directory that does not exist any more */
static void set_gone(char **a) { if (mkdir(a[0], 0700) || chdir(a[0]) || rmdir(a[0])) fail(a[0]); }

static void set_session(char **a) { (void)a; if (setsid() < 0) fail("setsid"); }
static void set_group(char **a) { (void)a; if (setpgid(0, 0)) fail("setpgid"); }

/* terminal: a new session whose controlling terminal is 0, 1 and 2 */
static void set_terminal(char **a) {
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	(void)a;
	if (master < 0 || grantpt(master) || unlockpt(master) || setsid() < 0) fail("terminal");
	if ((slave = open(ptsname(master), O_RDWR)) < 0) fail("terminal");
	for (int fd = 0; fd < 3; fd++) dup2(slave, fd);
	close(slave);
	dup2(master, 60);
	close(master);
}

/* background: the terminal belongs to the process group of a child */
static void set_background(char **a) {
	set_terminal(a);
	signal(SIGTTOU, SIG_IGN);
	pid_t child = fork();
	if (child == 0) { pause(); _exit(0); }
	if (setpgid(child, child) || tcsetpgrp(0, child)) fail("background");
	signal(SIGTTOU, SIG_DFL);
}

/* limit RESOURCE SOFT HARD */
static void set_limit(char **a) {
	struct rlimit l = { strtoul(a[1], NULL, 0), strtoul(a[2], NULL, 0) };
	if (setrlimit(num(a[0]), &l)) fail("setrlimit");
}

static void set_nice(char **a) { if (setpriority(PRIO_PROCESS, 0, num(a[0]))) fail("nice"); }

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

/* sched POLICY PRIORITY FLAGS; policy 6, deadline, runs 10 ms of 100 ms */
static void set_sched(char **a) {
	struct attr at = { sizeof at, num(a[0]), num(a[2]), 0, num(a[1]), 0, 0, 0, 0, 0 };
	if (at.policy == 6) at.runtime = 10000000, at.deadline = at.period = 100000000;
	if (syscall(SYS_sched_setattr, 0, &at, 0)) fail("sched_setattr");
}

/* ioprio CLASS LEVEL */
static void set_ioprio(char **a) {
	if (syscall(SYS_ioprio_set, 1, 0, num(a[0]) << 13 | num(a[1]))) fail("ioprio_set");
}

static void set_affinity(char **a) {
	unsigned long mask = num(a[0]);
	if (syscall(SYS_sched_setaffinity, 0, sizeof mask, &mask) < 0) fail("sched_setaffinity");
}

/* mempolicy MODE NODES */
static void set_mempolicy(char **a) {
	unsigned long nodes = num(a[1]);
	if (syscall(SYS_set_mempolicy, num(a[0]), &nodes, 64)) fail("set_mempolicy");
}

/* prctl OPTION ARG2 ARG3 */
static void set_prctl(char **a) { if (prctl(num(a[0]), num(a[1]), num(a[2]), 0, 0)) fail("prctl"); }
static void set_personality(char **a) { if (personality(num(a[0])) < 0) fail("personality"); }

/* write PATH TEXT */
static void set_write(char **a) {
	int fd = open(a[0], O_WRONLY);
	if (fd < 0 || write(fd, a[1], strlen(a[1])) < 0) fail(a[0]);
	close(fd);
}

/* seccomp NR: a filter under which this system call is not permitted */
static void set_seccomp(char **a) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, num(a[0]), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) fail("seccomp");
}

/* itimer WHICH SECONDS */
static void set_itimer(char **a) {
	struct itimerval t = { { num(a[1]), 0 }, { num(a[1]), 0 } };
	if (setitimer(num(a[0]), &t, NULL)) fail("setitimer");
}

/* The kernel's own calls: the C library keeps signals 32 and 33 from its users. */
static void disposition(int sig, void (*to)(int)) {
	struct { void (*handler)(int); unsigned long flags, restorer, mask; } action = { to, 0, 0, 0 };
	if (syscall(SYS_rt_sigaction, sig, &action, NULL, 8)) fail("sigaction");
}

static void set_ignore(char **a) { disposition(num(a[0]), SIG_IGN); }

static void set_block(char **a) {
	uint64_t mask = 1ULL << (num(a[0]) - 1);
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8)) fail("sigprocmask");
}

static void set_raise(char **a) { syscall(SYS_tgkill, getpid(), getpid(), num(a[0])); }
static void set_kill(char **a) { kill(getpid(), num(a[0])); }

/* queue SIGNAL VALUE */
static void set_queue(char **a) {
	union sigval v = { .sival_int = num(a[1]) };
	if (sigqueue(getpid(), num(a[0]), v)) fail("sigqueue");
}

/* child: one that stays until its parent has gone */
static void set_child(char **a) {
	(void)a;
	pid_t parent = getpid();
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) _exit(0); /* it has gone already */
		pause();
	}
}

/* zombie CODE: a child that has ended, for whom nobody has waited */
static void set_zombie(char **a) {
	siginfo_t info;
	pid_t child = fork();
	if (child == 0) _exit(num(a[0]));
	waitid(P_PID, child, &info, WEXITED | WNOWAIT);
}

static const struct state {
	const char *name;
	int args;
	void (*set)(char **);
} states[] = {
	{ "env", 1, set_env }, { "env-first", 1, set_env_first }, { "env-none", 0, set_env_none },
	{ "open", 3, set_open }, { "seek", 2, set_seek }, { "flags", 2, set_flags }, { "close", 1, set_close },
	{ "umask", 1, set_umask }, { "chdir", 1, set_chdir }, { "gone", 1, set_gone },
	{ "session", 0, set_session }, { "group", 0, set_group },
	{ "terminal", 0, set_terminal }, { "background", 0, set_background },
	{ "limit", 3, set_limit }, { "nice", 1, set_nice }, { "sched", 3, set_sched },
	{ "ioprio", 2, set_ioprio }, { "affinity", 1, set_affinity }, { "mempolicy", 2, set_mempolicy },
	{ "prctl", 3, set_prctl }, { "personality", 1, set_personality }, { "write", 2, set_write },
	{ "seccomp", 1, set_seccomp }, { "itimer", 2, set_itimer },
	{ "ignore", 1, set_ignore }, { "block", 1, set_block },
	{ "raise", 1, set_raise }, { "kill", 1, set_kill }, { "queue", 2, set_queue },
	{ "child", 0, set_child }, { "zombie", 1, set_zombie },
};

static const struct state *state_of(const char *name) {
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i].name, name) == 0) return &states[i];
	errno = EINVAL;
	fail(name);
	return NULL;
}

static int launch(char **argv) {
	while (*argv && strcmp(*argv, "--") != 0) {
		const struct state *s = state_of(*argv++);
		for (int i = 0; i < s->args; i++)
			if (!argv[i]) { errno = EINVAL; fail(s->name); }
		s->set(argv);
		argv += s->args;
	}
	if (!*argv++ || !*argv) { errno = EINVAL; fail("no program"); }
	execvp(*argv, argv);
	fprintf(stderr, "recorder: %s: %s\n", *argv, strerror(errno));
	return errno == ENOENT ? 127 : 126;
}

/* ---- the recorder ---- */

static FILE *out;

static void escaped(const char *s) {
	for (; *s; s++)
		if (*s < ' ' || *s > '~' || *s == '\\') fprintf(out, "\\x%02x", (unsigned char)*s);
		else putc(*s, out);
}

static void tell(const char *name, const char *format, ...) {
	char *value;
	va_list list;
	va_start(list, format);
	if (vasprintf(&value, format, list) < 0) abort();
	va_end(list);
	fprintf(out, "%s\t", name);
	escaped(value);
	putc('\n', out);
	free(value);
}

/* a PID, told so that it is the same in every run */
static const char *relative(pid_t pid) {
	static char text[32];
	if (pid == getpid()) return "own";
	snprintf(text, sizeof text, "%d", pid);
	return text;
}

static void descriptors(void) {
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	if (!dir) fail("/proc/self/fd");
	while ((entry = readdir(dir))) {
		char name[64], path[64], target[4096];
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] == '.' || fd == dirfd(dir)) continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof target - 1);
		target[n < 0 ? 0 : n] = 0;
		if (strncmp(target, "/dev/pts/", 9) == 0) target[9] = 0; /* the number is chance */
		snprintf(name, sizeof name, "descriptor %d", fd);
		/* what is written to standard error moves on; all else must stay */
		tell(name, "%s flags %o cloexec %d at %ld", target, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD),
			fd == 2 ? 0L : (long)lseek(fd, 0, SEEK_CUR));
	}
	closedir(dir);
}

static void list(const char *name, char **strings) {
	char numbered[64];
	for (int i = 0; strings[i]; i++) {
		snprintf(numbered, sizeof numbered, "%s %04d", name, i);
		tell(numbered, "%s", strings[i]);
	}
}

/* lines of /proc/self/status that are chance */
static const char *const chance[] = {
	"Vm", "Rss", "Huge", "FDSize", "SigQ", "voluntary", "nonvoluntary", "Pid", "Tgid", "PPid", "NS", "State", "Ngid",
};

static void lines(const char *path) {
	FILE *f = fopen(path, "r");
	char *line = NULL, name[128];
	size_t size = 0;
	for (int i = 0; f && getline(&line, &size, f) > 0; i++) {
		int skip = 0;
		line[strcspn(line, "\n")] = 0;
		for (size_t c = 0; c < sizeof chance / sizeof *chance; c++)
			skip |= strncmp(line, chance[c], strlen(chance[c])) == 0;
		if (skip && strcmp(path, "/proc/self/status") == 0) continue;
		char *colon = strchr(line, ':');
		if (colon && strcmp(path, "/proc/self/status") == 0) {
			*colon++ = 0;
			tell(line, "%s", colon + strspn(colon, "\t "));
			continue;
		}
		snprintf(name, sizeof name, "%s %02d", path, i);
		tell(name, "%s", line);
	}
	if (f) fclose(f);
	free(line);
}

static void identity(void) {
	char cwd[4096] = "?", tty[16] = "none";
	int fd;
	tell("pid", "%d", getpid());
	tell("parent", "%d", getppid());
	tell("session", "%s", relative(getsid(0)));
	tell("group", "%s", relative(getpgrp()));
	if ((fd = open("/dev/tty", O_RDWR | O_NOCTTY)) >= 0) {
		snprintf(tty, sizeof tty, "%s", tcgetpgrp(fd) == getpid() ? "foreground" : "background");
		close(fd);
	}
	tell("terminal", "%s", tty);
	if (readlink("/proc/self/cwd", cwd, sizeof cwd - 1) < 0) strcpy(cwd, strerror(errno));
	tell("cwd", "%s", cwd);
	tell("executed", "%s", (char *)getauxval(AT_EXECFN));
	tell("secure", "%lu", getauxval(AT_SECURE));
}

static void scheduling(void) {
	struct attr at = { 0 };
	unsigned long mask = 0, nodes = 0;
	int mode = -1;
	syscall(SYS_sched_getattr, 0, &at, sizeof at, 0);
	/* not the runtime: for a fair policy it is the kernel's time slice */
	tell("scheduler", "policy %u priority %u nice %d flags %lx deadline %lu period %lu util %u-%u", at.policy, at.priority,
		at.nice, at.flags, at.deadline, at.period, at.util_min, at.util_max);
	tell("nice", "%d", getpriority(PRIO_PROCESS, 0));
	tell("ioprio", "%ld", syscall(SYS_ioprio_get, 1, 0));
	syscall(SYS_sched_getaffinity, 0, sizeof mask, &mask);
	tell("affinity", "%lx", mask);
	syscall(SYS_get_mempolicy, &mode, &nodes, 64, 0, 0);
	tell("mempolicy", "%d %lx", mode, nodes);
	tell("personality", "%x", personality(0xffffffff));
}

static void controls(void) {
	static const struct { const char *name; int op; } simple[] = {
		{ "dumpable", PR_GET_DUMPABLE }, { "keepcaps", PR_GET_KEEPCAPS }, { "securebits", PR_GET_SECUREBITS },
		{ "timer slack", PR_GET_TIMERSLACK }, { "machine check", PR_MCE_KILL_GET }, { "no_new_privs", PR_GET_NO_NEW_PRIVS },
		{ "no huge pages", PR_GET_THP_DISABLE }, { "io flusher", 58 }, { "no write and execute", 66 }, { "merging", 68 },
	};
	for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
		tell(simple[i].name, "%d", prctl(simple[i].op, 0, 0, 0, 0));
	/* 0 is back to the default, which is a second value of a thread */
	prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
	tell("default timer slack", "%d", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	int death = -1, reaper = -1;
	prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0);
	prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
	tell("parent-death signal", "%d", death);
	tell("subreaper", "%d", reaper);
}

static void timers(void) {
	for (int which = 0; which < 3; which++) {
		struct itimerval t;
		char name[16];
		getitimer(which, &t);
		snprintf(name, sizeof name, "itimer %d", which);
		tell(name, "each %ld s, %s", t.it_interval.tv_sec, t.it_value.tv_sec || t.it_value.tv_usec ? "runs" : "off");
	}
}

/* pending takes the pending signals, in the order of their delivery */
static void pending(void) {
	sigset_t all;
	siginfo_t info;
	struct timespec now = { 0, 0 };
	sigfillset(&all);
	for (int i = 0; sigtimedwait(&all, &info, &now) > 0; i++) {
		char name[32];
		snprintf(name, sizeof name, "pending %02d", i);
		tell(name, "%d code %d value %d", info.si_signo, info.si_code, info.si_value.sival_int);
	}
}

static void children(void) {
	char path[64];
	int living = 0, pid, status;
	for (int i = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0; i++) {
		snprintf(path, sizeof path, "zombie %d", i);
		tell(path, "%x", status);
	}
	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	FILE *f = fopen(path, "r");
	while (f && fscanf(f, "%d", &pid) == 1) living++;
	if (f) fclose(f);
	tell("children", "%d", living);
}

static int record(char **argv) {
	char *text, *path = argv[2];
	size_t size;
	out = open_memstream(&text, &size);
	descriptors(); /* before anything else opens one */
	list("env", environ);
	list("argv", argv);
	identity();
	lines("/proc/self/status");
	lines("/proc/self/limits");
	lines("/proc/self/oom_score_adj");
	lines("/proc/self/coredump_filter");
	lines("/proc/self/cgroup");
	lines("/proc/self/loginuid");
	lines("/proc/self/attr/current");
	scheduling();
	controls();
	timers();
	children();
	pending();
	fclose(out);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || fchmod(fd, 0644) || write(fd, text, size) != (ssize_t)size) fail(path); /* whatever the umask */
	return 0;
}

/* ---- the application that handles signals ---- */

static int handle(long patience) {
	sigset_t set;
	struct timespec time = { patience / 1000, patience % 1000 * 1000000 };
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	dprintf(1, "ready\n");
	int got = sigtimedwait(&set, NULL, &time);
	if (got < 0) return 99;
	dprintf(1, "got %d\n", got);
	return 40;
}

int main(int argc, char **argv) {
	if (argc >= 2 && strcmp(argv[1], "set") == 0) return launch(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "record") == 0) return record(argv);
	if (argc >= 3 && strcmp(argv[1], "handle") == 0) return handle(num(argv[2]));
	fprintf(stderr, "usage: recorder set|record|handle ...\n");
	return 98;
}
