// POSIX threads: mutexes, conditions, barriers, once, thread-local storage, read-write locks, semaphores, cancellation.
#include "expect.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_key_t key;
static long counter, turn, phases[THREADS], initialised, destroyed, reads;
static __thread long mine = 5;
static sem_t semaphore;

static void initialise(void) { initialised++; }
static void destroy(void *value) { __atomic_add_fetch(&destroyed, (long)value, __ATOMIC_SEQ_CST); }

static void *work(void *argument) {
    long self = (long)argument;
    pthread_once(&once, initialise);
    pthread_setspecific(key, (void *)(self + 1));
    mine += self;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        long value = counter;
        if (i % 100 == 0)
            sched_yield();
        counter = value + 1;
        pthread_mutex_unlock(&mutex);
    }
    // In turn, by the condition variable.
    for (int round = 0; round < 20; round++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != self)
            pthread_cond_wait(&changed, &mutex);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    // In step, by the barrier.
    for (int phase = 0; phase < 10; phase++) {
        phases[self] = phase;
        int last = pthread_barrier_wait(&barrier);
        expect(last == 0 || last == PTHREAD_BARRIER_SERIAL_THREAD);
        for (int other = 0; other < THREADS; other++)
            expect(phases[other] == phase);
        pthread_barrier_wait(&barrier);
    }
    for (int i = 0; i < 100; i++) {
        if (i % 10 == self) {
            pthread_rwlock_wrlock(&lock);
            reads++;
        } else {
            pthread_rwlock_rdlock(&lock);
            expect(reads >= 0);
        }
        pthread_rwlock_unlock(&lock);
    }
    expect(mine == 5 + self);
    return (void *)(mine * 10);
}

static void *wait_forever(void *argument) {
    (void)argument;
    for (;;)
        pause();
    return NULL;
}
static void *post(void *argument) {
    for (long i = 0; i < (long)argument; i++)
        sem_post(&semaphore);
    return NULL;
}
static void *take_signal(void *argument) {
    sigset_t *set = argument;
    int signal;
    expect(sigwait(set, &signal) == 0);
    return (void *)(long)signal;
}
static void *identify(void *argument) {
    *(pid_t *)argument = getpid();
    return (void *)syscall(SYS_gettid);
}
static void *fork_inside(void *argument) {
    (void)argument;
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpid() == syscall(SYS_gettid) ? 6 : 7);
    return (void *)(long)pid;
}
static void *leave_last(void *argument) {
    pthread_join(*(pthread_t *)argument, NULL);
    printf("the first thread has ended before\n");
    exit(3);
}

int main(void) {
    pthread_t threads[THREADS];
    void *result;
    pthread_barrier_init(&barrier, NULL, THREADS);
    pthread_key_create(&key, destroy);
    for (long i = 0; i < THREADS; i++)
        expect(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    long results = 0;
    for (int i = 0; i < THREADS; i++) {
        expect(pthread_join(threads[i], &result) == 0);
        results += (long)result;
    }
    printf("counter %ld, turns %ld, results %ld\n", counter, turn, results);
    printf("initialised %ld times, destroyed %ld, written %ld, own variable %ld\n", initialised, destroyed, reads, mine);

    sem_init(&semaphore, 0, 0);
    expect(pthread_create(&threads[0], NULL, post, (void *)50) == 0);
    for (int i = 0; i < 50; i++)
        sem_wait(&semaphore);
    pthread_join(threads[0], NULL);
    expect(sem_trywait(&semaphore) == -1 && errno == EAGAIN);

    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += 20000000;
    if (time.tv_nsec >= 1000000000)
        time.tv_sec++, time.tv_nsec -= 1000000000;
    pthread_mutex_lock(&mutex);
    expect(pthread_cond_timedwait(&changed, &mutex, &time) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    printf("semaphore and timed wait are right\n");

    expect(pthread_create(&threads[0], NULL, wait_forever, NULL) == 0);
    expect(pthread_cancel(threads[0]) == 0 && pthread_join(threads[0], &result) == 0);
    printf("cancelled: %s\n", result == PTHREAD_CANCELED ? "yes" : "no");

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    expect(pthread_create(&threads[0], NULL, take_signal, &set) == 0);
    expect(pthread_kill(threads[0], SIGUSR1) == 0 && pthread_join(threads[0], &result) == 0);
    printf("directed signal %ld\n", (long)result);

    pid_t pid_inside;
    expect(pthread_create(&threads[0], NULL, identify, &pid_inside) == 0 && pthread_join(threads[0], &result) == 0);
    printf("same process %d, other thread %d\n", pid_inside == getpid(), (long)result != getpid());

    expect(pthread_create(&threads[0], NULL, fork_inside, NULL) == 0 && pthread_join(threads[0], &result) == 0);
    int status;
    expect(waitpid((pid_t)(long)result, &status, 0) == (long)result);
    printf("forked in a thread: exit %d\n", WEXITSTATUS(status));

    // 200 threads one after another: stacks and ids are used again.
    for (int i = 0; i < 200; i++)
        expect(pthread_create(&threads[0], NULL, post, (void *)1) == 0 && pthread_join(threads[0], NULL) == 0);

    static pthread_t self;
    self = pthread_self();
    expect(pthread_create(&threads[1], NULL, leave_last, &self) == 0);
    pthread_exit(NULL);
}
