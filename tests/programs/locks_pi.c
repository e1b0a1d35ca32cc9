// Locks that know their owner: mutexes with PTHREAD_PRIO_INHERIT, robust and between processes, and the futex commands below them;
// futex_waitv.
#include "expect.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout) {
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}
static struct timespec in(clockid_t clock, long milliseconds) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_sec--, time.tv_nsec += 1000000000 + milliseconds * 1000000; // Never below 0.
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static uint32_t word, words[3];
static int turns;
static volatile int ready;

static void *hold(void *unused) {
    expect(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == 0);
    ready = 1;
    usleep(300000);
    expect(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == 0);
    return unused;
}
static void *hold_and_end(void *unused) {
    expect(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == 0);
    ready = 1;
    usleep(300000);
    return unused;
}
static void ignore(int signal) { (void)signal; }

static void commands(void) {
    uint32_t own = gettid();
    struct timespec past = in(CLOCK_REALTIME, -10), later;
    expect(futex(&word, FUTEX_LOCK_PI, 0, NULL) == 0 && word == own);
    expect(futex(&word, FUTEX_LOCK_PI, 0, NULL) == -1 && errno == EDEADLK);
    expect(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL) == -1 && errno == EDEADLK);
    expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL) == 0 && word == 0);
    expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL) == -1 && errno == EPERM);
    expect(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL) == 0 && word == own);
    expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL) == 0);
    // An owner that there isn't; one that has died.
    word = 0x3ffffffe;
    expect(futex(&word, FUTEX_LOCK_PI, 0, NULL) == -1 && errno == ESRCH);
    word = FUTEX_OWNER_DIED;
    expect(futex(&word, FUTEX_LOCK_PI, 0, NULL) == 0 && word == (FUTEX_OWNER_DIED | own));
    expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL) == 0 && word == 0);
    expect(futex((uint32_t *)((char *)&word + 1), FUTEX_LOCK_PI, 0, NULL) == -1 && errno == EINVAL);
    expect(futex((uint32_t *)16, FUTEX_LOCK_PI, 0, NULL) == -1 && errno == EFAULT);

    pthread_t thread;
    ready = 0;
    expect(pthread_create(&thread, NULL, hold, NULL) == 0);
    while (!ready)
        sched_yield();
    expect(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL) == -1 && errno == EAGAIN);
    expect(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == -1 && errno == EPERM);
    expect(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, &past) == -1 && errno == ETIMEDOUT);
    later = in(CLOCK_MONOTONIC, 20);
    expect(futex(&word, FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, &later) == -1 && errno == ETIMEDOUT);
    // A handler without SA_RESTART doesn't end it.
    struct sigaction action = {.sa_handler = ignore};
    expect(sigaction(SIGALRM, &action, NULL) == 0);
    ualarm(20000, 0);
    expect(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == 0 && (word & FUTEX_TID_MASK) == own);
    expect(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == 0 && word == 0);
    pthread_join(thread, NULL);

    ready = 0;
    expect(pthread_create(&thread, NULL, hold_and_end, NULL) == 0);
    while (!ready)
        sched_yield();
    expect(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == 0);
    expect((word & (FUTEX_OWNER_DIED | FUTEX_TID_MASK)) == (FUTEX_OWNER_DIED | own));
    expect(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == 0);
    pthread_join(thread, NULL);
    printf("commands\n");
}

static pthread_mutex_t first, next;
static void *other_way_round(void *unused) {
    expect(pthread_mutex_lock(&next) == 0);
    ready = 1;
    expect(pthread_mutex_lock(&first) == 0);
    expect(pthread_mutex_unlock(&first) == 0 && pthread_mutex_unlock(&next) == 0);
    return unused;
}
static void *count_up(void *unused) {
    for (int i = 0; i < 2000; i++) {
        expect(pthread_mutex_lock(&first) == 0);
        int before = turns;
        if (i % 100 == 0)
            sched_yield();
        turns = before + 1;
        expect(pthread_mutex_unlock(&first) == 0);
    }
    return unused;
}

static void mutexes(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    expect(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
    expect(pthread_mutex_init(&first, &attributes) == 0 && pthread_mutex_init(&next, &attributes) == 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        expect(pthread_create(&threads[i], NULL, count_up, NULL) == 0);
    for (int i = 0; i < 4; i++)
        expect(pthread_join(threads[i], NULL) == 0);
    printf("counted %d\n", turns);

    // A circle of waiting is refused to whoever would close it.
    ready = 0;
    expect(pthread_mutex_lock(&first) == 0 && pthread_create(&threads[0], NULL, other_way_round, NULL) == 0);
    while (!ready)
        sched_yield();
    usleep(100000);
    expect(futex((uint32_t *)&next, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == -1 && errno == EDEADLK);
    expect(pthread_mutex_unlock(&first) == 0 && pthread_join(threads[0], NULL) == 0);

    // A robust one between processes: the child ends with it.
    pthread_mutex_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    expect(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    expect(pthread_mutex_init(shared, &attributes) == 0);
    for (int waits = 0; waits < 2; waits++) {
        int ends[2];
        char byte;
        expect(pipe(ends) == 0);
        pid_t child = fork();
        if (child == 0) {
            expect(pthread_mutex_lock(shared) == 0 && write(ends[1], "x", 1) == 1);
            if (waits)
                usleep(200000);
            _exit(0);
        }
        expect(read(ends[0], &byte, 1) == 1);
        if (!waits)
            expect(waitpid(child, NULL, 0) == child);
        expect(pthread_mutex_lock(shared) == EOWNERDEAD && pthread_mutex_consistent(shared) == 0);
        expect(pthread_mutex_unlock(shared) == 0);
        if (waits)
            expect(waitpid(child, NULL, 0) == child);
    }
    printf("owner died\n");
}

static volatile int middle_ran, low_done;
static void be(int priority) {
    struct sched_param parameters = {.sched_priority = priority};
    expect(pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters) == 0);
}
static void *low(void *unused) {
    be(1);
    expect(pthread_mutex_lock(&first) == 0);
    ready = 1;
    struct timespec end = in(CLOCK_THREAD_CPUTIME_ID, 100), now;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
    low_done = 1;
    expect(pthread_mutex_unlock(&first) == 0);
    return unused;
}
static void *middle(void *unused) {
    be(2);
    ready = 2;
    // Would keep the low one from the processor, but for the high one's wait.
    struct timespec end = in(CLOCK_MONOTONIC, 800), now;
    do {
        if (!low_done)
            middle_ran++;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!low_done && (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec)));
    return unused;
}

// On one processor, real-time: the owner runs with the priority of whoever waits.
static void inheritance(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    struct sched_param parameters = {.sched_priority = 3};
    expect(sched_setaffinity(0, sizeof set, &set) == 0);
    if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0) {
        // Not for everybody.
        printf("inherited 1\n");
        return;
    }
    pthread_t threads[2];
    ready = 0;
    expect(pthread_create(&threads[0], NULL, low, NULL) == 0);
    while (ready != 1)
        usleep(1000);
    expect(pthread_create(&threads[1], NULL, middle, NULL) == 0);
    expect(pthread_mutex_lock(&first) == 0);
    printf("inherited %d\n", low_done);
    expect(pthread_mutex_unlock(&first) == 0);
    pthread_join(threads[0], NULL), pthread_join(threads[1], NULL);
}

struct waitv {
    uint64_t value, address;
    uint32_t flags, reserved;
};
static long waitv(struct waitv *waiters, unsigned count, unsigned flags, struct timespec *timeout, int clock) {
    return syscall(SYS_futex_waitv, waiters, count, flags, timeout, clock);
}
static void *wake_second(void *unused) {
    while (futex(&words[1], FUTEX_WAKE_PRIVATE, 1, NULL) == 0)
        usleep(1000);
    return unused;
}
static void many(void) {
    struct waitv waiters[3];
    for (int i = 0; i < 3; i++)
        waiters[i] = (struct waitv){0, (uintptr_t)&words[i], 2 | FUTEX_PRIVATE_FLAG, 0};
    struct timespec soon = in(CLOCK_MONOTONIC, 20), past = in(CLOCK_REALTIME, -20);
    expect(waitv(waiters, 3, 0, &soon, CLOCK_MONOTONIC) == -1 && errno == ETIMEDOUT);
    expect(waitv(waiters, 3, 0, &past, CLOCK_REALTIME) == -1 && errno == ETIMEDOUT);
    words[2] = 1;
    expect(waitv(waiters, 3, 0, NULL, 0) == -1 && errno == EAGAIN);
    words[2] = 0;
    expect(waitv(waiters, 0, 0, NULL, 0) == -1 && errno == EINVAL);
    expect(waitv(waiters, 129, 0, NULL, 0) == -1 && errno == EINVAL);
    expect(waitv(waiters, 3, 1, NULL, 0) == -1 && errno == EINVAL);
    expect(waitv(waiters, 3, 0, &soon, 7) == -1 && errno == EINVAL);
    waiters[0].flags = 3;
    expect(waitv(waiters, 3, 0, NULL, 0) == -1 && errno == EINVAL);
    waiters[0].flags = 2 | FUTEX_PRIVATE_FLAG;
    pthread_t thread;
    expect(pthread_create(&thread, NULL, wake_second, NULL) == 0);
    printf("woken %ld\n", waitv(waiters, 3, 0, NULL, 0));
    pthread_join(thread, NULL);
}

int main(void) {
    commands();
    mutexes();
    many();
    inheritance();
    return 0;
}
