/* Two threads. The main one blocks all signals, as a handler of Go's does, the other one none. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sigprocmask(3) leaves 32 and 33 out. */
static long set_mask(unsigned long mask) {
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

static void *other(void *unused) {
	set_mask(0);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
	return unused;
}

int main(void) {
	pthread_t thread;
	set_mask(~0ul);
	if (pthread_create(&thread, NULL, other, NULL) != 0)
		return 1;
	for (;;)
		pause();
}
