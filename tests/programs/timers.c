// POSIX timers and interval timers: signals, what they carry, overruns, processor time.
#include "expect.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count, code, value, overrun, first_overrun;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    count++;
    code = info->si_code;
    value = info->si_value.sival_int;
    overrun = info->si_overrun;
    if (count == 1)
        first_overrun = overrun;
}

static void catch(int signal) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    expect(sigaction(signal, &action, NULL) == 0);
}

static timer_t make(clockid_t clock, int notify, int signal, int value) {
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = signal, .sigev_value.sival_int = value};
    timer_t timer;
    expect(timer_create(clock, &event, &timer) == 0);
    return timer;
}

static void set(timer_t timer, long first_ms, long interval_ms) {
    struct itimerspec setting = {
        .it_value = {first_ms / 1000, first_ms % 1000 * 1000000},
        .it_interval = {interval_ms / 1000, interval_ms % 1000 * 1000000},
    };
    expect(timer_settime(timer, 0, &setting, NULL) == 0);
}

static void burn(long milliseconds) {
    struct timespec start, now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < milliseconds);
}

static void *thread_main(void *tid) {
    *(volatile pid_t *)tid = gettid();
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN + 3);
    siginfo_t info;
    expect(sigwaitinfo(&mask, &info) == SIGRTMIN + 3);
    printf("a thread's own timer: code %d, value %d\n", info.si_code == SI_TIMER, info.si_value.sival_int);
    return NULL;
}

int main(void) {
    catch(SIGUSR1);
    timer_t once = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 77);
    struct itimerspec left;
    expect(timer_gettime(once, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    set(once, 20, 0);
    expect(timer_gettime(once, &left) == 0 && (left.it_value.tv_nsec > 0 || left.it_value.tv_sec > 0));
    while (count == 0)
        usleep(1000);
    printf("once: code %d, value %d, overrun %d\n", code == SI_TIMER, value, overrun);
    expect(timer_gettime(once, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    expect(timer_delete(once) == 0);
    expect(timer_delete(once) == -1 && errno == EINVAL);
    expect(timer_gettime(once, &left) == -1 && errno == EINVAL);

    // Blocked for several periods: one signal, and the others are counted.
    sigset_t mask, old;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &mask, &old);
    count = 0;
    timer_t periodic = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 5);
    set(periodic, 5, 5);
    nanosleep(&(struct timespec){0, 60000000}, NULL);
    sigset_t pending;
    expect(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    struct itimerspec off = {0}, before;
    expect(timer_settime(periodic, 0, &off, &before) == 0 && before.it_interval.tv_nsec == 5000000);
    printf("periodic: signals %d, overruns %d\n", count >= 1, first_overrun >= 5);
    expect(timer_getoverrun(periodic) >= 0);
    expect(timer_delete(periodic) == 0);

    // No notice at all, only time.
    timer_t silent = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
    set(silent, 10, 0);
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    expect(timer_gettime(silent, &left) == 0);
    printf("silent: %ld left\n", (long)left.it_value.tv_nsec);
    timer_delete(silent);

    // To one thread.
    sigprocmask(SIG_BLOCK, &mask, NULL);
    volatile pid_t tid = 0;
    pthread_t thread;
    expect(pthread_create(&thread, NULL, thread_main, (void *)&tid) == 0);
    while (tid == 0)
        sched_yield();
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 8};
    event._sigev_un._tid = tid;
    timer_t own;
    expect(timer_create(CLOCK_MONOTONIC, &event, &own) == 0);
    set(own, 10, 0);
    pthread_join(thread, NULL);
    event._sigev_un._tid = getppid();
    expect(timer_create(CLOCK_MONOTONIC, &event, &own) == -1 && errno == EINVAL);
    sigprocmask(SIG_SETMASK, &old, NULL);

    // Absolute times, on clocks that exist.
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    count = 0;
    timer_t absolute = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR1, 9);
    struct itimerspec at = {.it_value = now};
    expect(timer_settime(absolute, TIMER_ABSTIME, &at, NULL) == 0);
    while (count == 0)
        usleep(1000);
    printf("absolute: value %d\n", value);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 99;
    expect(timer_create(CLOCK_MONOTONIC, &event, &own) == -1 && errno == EINVAL);
    expect(timer_create(12345, NULL, &own) == -1 && errno == EINVAL);

    // Interval timers.
    int signals[] = {SIGALRM, SIGVTALRM, SIGPROF}, kinds[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    for (int i = 0; i < 3; i++) {
        catch(signals[i]);
        count = 0;
        struct itimerval interval = {{0, 10000}, {0, 10000}}, found;
        expect(setitimer(kinds[i], &interval, NULL) == 0);
        expect(getitimer(kinds[i], &found) == 0 && found.it_interval.tv_usec == 10000);
        while (count < 3)
            ;
        struct itimerval none = {0};
        expect(setitimer(kinds[i], &none, &found) == 0 && found.it_interval.tv_usec == 10000);
        printf("interval timer %d: several signals, code %d\n", i, code == SI_KERNEL);
    }
    struct itimerval wrong = {{0, 0}, {0, 1000000}};
    expect(setitimer(ITIMER_REAL, &wrong, NULL) == -1 && errno == EINVAL);
    expect(setitimer(3, &wrong, NULL) == -1 && errno == EINVAL);

    // A timer of processor time stands still while the process sleeps.
    count = 0;
    timer_t busy = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 3);
    set(busy, 50, 0);
    nanosleep(&(struct timespec){0, 80000000}, NULL);
    int early = count;
    burn(80);
    printf("processor time: %d early, %d in time\n", early, count);
    timer_delete(busy);

    // Timers are not inherited; what children used is counted when they are waited for.
    alarm(100);
    pid_t pid = fork();
    if (pid == 0) {
        expect(alarm(0) == 0);
        burn(60);
        _exit(0);
    }
    int status;
    struct rusage usage;
    expect(wait4(pid, &status, 0, &usage) == pid && status == 0);
    long micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec + (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000;
    printf("alarm left %d, child's time %d\n", alarm(0) > 90, micros >= 50000);
    struct tms tms;
    expect(times(&tms) != (clock_t)-1);
    expect(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    printf("times: own %d, children's %d\n", tms.tms_utime + tms.tms_stime > 5, tms.tms_cutime + tms.tms_cstime >= 5);

    // The clock tells of itself.
    struct timex timex = {0};
    expect(adjtimex(&timex) >= 0 && timex.tick > 0 && labs(timex.time.tv_sec - time(NULL)) <= 1);

    // The limit of processor time. The hard one is far away: if this machine is busy, much time may go by between two looks at it.
    if ((pid = fork()) == 0) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){1, 60});
        for (;;)
            ;
    }
    expect(waitpid(pid, &status, 0) == pid);
    printf("limit of processor time: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return 0;
}
