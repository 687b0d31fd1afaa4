/* Two threads. The main one blocks all signals, as a handler of Go's does, the other one none. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static sem_t started;

static void *other(void *unused) {
	sem_post(&started);
	for (;;)
		pause();
	return unused;
}

int main(void) {
	unsigned long all = ~0ul; /* sigprocmask(3) leaves 32 and 33 out, pthread_create(3) too */
	pthread_t thread;
	sem_init(&started, 0, 0);
	if (pthread_create(&thread, NULL, other, NULL) != 0 || syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all) != 0)
		return 1;
	sem_wait(&started);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
