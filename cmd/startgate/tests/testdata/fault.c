/*
 * The application in the tests of faults, linked without anything that it would
 * have to load:
 *
 *   fault app               says "ready", its limit of open files and whether it has
 *                           a 1; ends with 42 on TERM, and says so
 *   fault limits            says all of its resource limits; ends with 42
 *   fault limits spin       the same, and does not end
 *   fault clock PROGRAM [ARG...]
 *                           runs a program whose CLOCK_REALTIME is what the kernel says
 *                           and an hour more for each USR1 that this process got, an
 *                           hour less for each USR2. Ends with the program's code.
 *
 * For the clock, the program is started without the vDSO, by which it would read
 * the time without a system call; so each reading is one, and is answered here.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
	fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
	exit(98);
}

static int app(void) {
	struct rlimit files;
	sigset_t set;
	int sig;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	getrlimit(RLIMIT_NOFILE, &files);
	dprintf(1, "ready, and may open %lu of %lu files\n", (unsigned long)files.rlim_cur, (unsigned long)files.rlim_max);
	sigwait(&set, &sig);
	dprintf(1, "got TERM\n");
	return 42;
}

static int limits(int spins) {
	struct rlimit limit;
	for (int resource = 0; getrlimit(resource, &limit) == 0; resource++)
		dprintf(1, "%d: %lu of %lu\n", resource, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
	while (spins) __asm__ volatile ("");
	return 42;
}

static int nofork(char **argv) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | atoi(*argv++)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) fail("seccomp");
	execv(*argv, argv);
	fail(*argv);
	return 0;
}

/* makes each reading of CLOCK_REALTIME a question to the holder of a descriptor */
static int ask_for_time(void) {
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("no_new_privs");
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (fd < 0) fail("seccomp");
	return fd;
}

/* takes the vDSO from a process that has just called execve: argc, the arguments,
 * the environment and then the vector are on its stack */
static void take_vdso(pid_t pid, unsigned long stack) {
	struct { unsigned long type, value; } entry;
	unsigned long at = stack + sizeof(long) * (ptrace(PTRACE_PEEKDATA, pid, stack, 0) + 2);
	while (ptrace(PTRACE_PEEKDATA, pid, at, 0)) at += sizeof at;
	for (at += sizeof at;; at += sizeof entry) {
		struct iovec here = { &entry, sizeof entry }, there = { (void *)at, sizeof entry };
		if (process_vm_readv(pid, &here, 1, &there, 1, 0) != sizeof entry || entry.type == AT_NULL) fail("no vDSO");
		if (entry.type != AT_SYSINFO_EHDR) continue;
		if (ptrace(PTRACE_POKEDATA, pid, at, AT_IGNORE)) fail("poke");
		return;
	}
}

static void answer(int listener, long ahead) {
	struct seccomp_notif question = { 0 };
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question)) return; /* it is gone already */
	struct seccomp_notif_resp response = { .id = question.id };
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += ahead;
	struct iovec here = { &now, sizeof now }, there = { (void *)question.data.args[1], sizeof now };
	if (process_vm_writev(question.pid, &here, 1, &there, 1, 0) < 0) response.error = -EFAULT;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static unsigned long stack_of(pid_t pid) {
	struct __ptrace_syscall_info info; /* the same on every architecture */
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0) fail("stack");
	return info.stack_pointer;
}

static int serve(pid_t pid, int listener) {
	sigset_t set;
	long ahead = 0;
	int status;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	struct pollfd ready[] = { { listener, POLLIN, 0 }, { signalfd(-1, &set, 0), POLLIN, 0 } };
	while (poll(ready, 2, -1) >= 0) {
		struct signalfd_siginfo info;
		if (ready[0].revents & POLLIN) answer(listener, ahead);
		if (ready[0].revents & POLLHUP) ready[0].fd = -1;
		if (!(ready[1].revents & POLLIN) || read(ready[1].fd, &info, sizeof info) < 0) continue;
		if (info.ssi_signo == SIGUSR1) ahead += 3600;
		if (info.ssi_signo == SIGUSR2) ahead -= 3600;
		if (info.ssi_signo == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid && !WIFSTOPPED(status))
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return 97;
}

static int clock_of(char **argv) {
	volatile int *number = mmap(NULL, sizeof *number, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigset_t all, none;
	int status;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &none);
	pid_t pid = fork();
	if (pid < 0) fail("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_TRACEME, 0, 0, 0)) fail("trace");
		*number = ask_for_time();
		raise(SIGSTOP);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(*argv, argv);
		fail(*argv);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) fail("stop");
	int listener = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, pid, 0), *number, 0);
	if (listener < 0) fail("listener");
	if (ptrace(PTRACE_CONT, pid, 0, 0) || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) fail("execve");
	take_vdso(pid, stack_of(pid));
	if (ptrace(PTRACE_DETACH, pid, 0, 0)) fail("detach");
	return serve(pid, listener);
}

int main(int argc, char **argv) {
	if (argc == 2 && strcmp(argv[1], "app") == 0) return app();
	if (argc > 1 && strcmp(argv[1], "limits") == 0) return limits(argc > 2);
	if (argc > 2 && strcmp(argv[1], "clock") == 0) return clock_of(argv + 2);
	if (argc > 3 && strcmp(argv[1], "nofork") == 0) return nofork(argv + 2);
	fprintf(stderr, "usage: fault app|limits|clock|nofork ...\n");
	return 98;
}
