/*
 * The application in the tests of supervising:
 *
 *   supervised die SIGNAL        ends by that signal, or with 77 when it does not
 *   supervised signals           says "ready", then for each signal that it gets
 *                                "signal N code C", until it is killed
 *   supervised terminal          the same with handlers, and for each line that it
 *                                reads "read LINE"; "exit N" ends it with N
 *   supervised orphans N CODE    says "ready" when N orphans live; a line read ends
 *                                them all, and says "released"; the next ends it with CODE
 *   supervised crowd N CODE      ends with CODE at once, and N orphans by that
 *   supervised outlived          leaves an orphan behind, which says "orphan PID"
 *                                and stays; ends with 3
 *   supervised forbid ERRNO NR... -- PROGRAM [ARG...]
 *                                runs a program for which these system calls fail so;
 *                                of NR:ARG, only those with this first argument
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
	fprintf(stderr, "supervised: %s: %s\n", what, strerror(errno));
	exit(98);
}

/* The kernel's own calls: the C library keeps signals 32 and 33 from its users. */
static void mask(int how, uint64_t set) {
	if (syscall(SYS_rt_sigprocmask, how, &set, NULL, 8)) fail("sigprocmask");
}

static int die(int sig) {
	mask(SIG_SETMASK, 0);
	syscall(SYS_kill, getpid(), sig);
	return 77;
}

static void signals(void) {
	siginfo_t info;
	uint64_t all = ~0ULL;
	mask(SIG_SETMASK, all);
	dprintf(1, "ready\n");
	for (;;) {
		int sig = syscall(SYS_rt_sigtimedwait, &all, &info, NULL, 8);
		if (sig > 0) dprintf(1, "signal %d code %d\n", sig, info.si_code);
	}
}

static void tell(int sig, siginfo_t *info, void *context) {
	char line[64];
	int n = snprintf(line, sizeof line, "signal %d code %d\n", sig, info->si_code);
	(void)context;
	if (write(1, line, n) < 0) _exit(97);
}

static int terminal(void) {
	static const int told[] = { SIGINT, SIGQUIT, SIGWINCH, SIGCONT, SIGTERM, SIGHUP, SIGUSR1 };
	char line[256];
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		struct sigaction action = { .sa_sigaction = tell, .sa_flags = SA_SIGINFO };
		sigaction(told[i], &action, NULL);
	}
	dprintf(1, "pid %d is ready, in the %s\n", getpid(), tcgetpgrp(2) == getpgrp() ? "foreground" : "background");
	for (;;) {
		ssize_t n = read(0, line, sizeof line - 1);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) fail("read");
		if (n == 0) return 96;
		line[n] = 0;
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "exit ", 5) == 0) return atoi(line + 5);
		dprintf(1, "read %s\n", line);
	}
}

/* begets n orphans, which live until the write end of the pipe is closed. */
static void beget(int n, int ends[2]) {
	if (pipe(ends)) fail("pipe");
	for (int i = 0; i < n; i++) {
		pid_t child = fork();
		if (child < 0) fail("fork");
		if (child == 0) {
			char byte;
			pid_t orphan = fork();
			if (orphan != 0) _exit(orphan < 0);
			close(ends[1]);
			if (read(ends[0], &byte, 1) < 0) _exit(1);
			_exit(0);
		}
		int status;
		if (waitpid(child, &status, 0) != child || status != 0) fail("cannot beget an orphan");
	}
}

static void line(void) {
	char c = 0;
	while (c != '\n')
		if (read(0, &c, 1) <= 0) exit(96);
}

static int orphans(int n, int code) {
	int ends[2];
	beget(n, ends);
	dprintf(1, "ready\n");
	line();
	close(ends[1]);
	dprintf(1, "released\n");
	line();
	return code;
}

static int crowd(int n, int code) {
	int ends[2];
	beget(n, ends);
	return code;
}

static int outlived(void) {
	int ends[2];
	char byte;
	if (pipe(ends)) fail("pipe");
	if (fork() == 0) {
		if (fork() == 0) {
			dprintf(1, "orphan %d\n", getpid());
			close(ends[1]);
			close(ends[0]);
			pause();
		}
		_exit(0);
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) < 0) fail("read"); /* until it has said so */
	wait(NULL);
	return 3;
}

static int forbid(char **argv) {
	struct sock_filter code[64] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)) };
	struct sock_fprog program = { 1, code };
	int error = atoi(*argv++);
	for (; *argv && strcmp(*argv, "--") != 0; argv++) {
		const char *first = strchr(*argv, ':');
		code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, atoi(*argv), 0, first ? 4 : 1);
		if (first) {
			code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args));
			code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, atoi(first + 1), 0, 1);
		}
		code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
		if (first) code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (!*argv++ || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) fail("seccomp");
	execv(*argv, argv);
	fail(*argv);
	return 0;
}

int main(int argc, char **argv) {
	const char *face = argc > 1 ? argv[1] : "";
	if (strcmp(face, "die") == 0 && argc == 3) return die(atoi(argv[2]));
	if (strcmp(face, "signals") == 0) signals();
	if (strcmp(face, "terminal") == 0) return terminal();
	if (strcmp(face, "orphans") == 0 && argc == 4) return orphans(atoi(argv[2]), atoi(argv[3]));
	if (strcmp(face, "crowd") == 0 && argc == 4) return crowd(atoi(argv[2]), atoi(argv[3]));
	if (strcmp(face, "outlived") == 0) return outlived();
	if (strcmp(face, "forbid") == 0 && argc > 4) return forbid(argv + 2);
	fprintf(stderr, "usage: supervised die|signals|terminal|orphans|crowd|outlived|forbid ...\n");
	return 98;
}
