// Clocks, sleeping, timers: nothing runs backwards, nothing wakes early, the shorter sleep ends first.
#include "expect.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static long long now(clockid_t clock) {
    struct timespec time;
    expect(clock_gettime(clock, &time) == 0 && time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}
static void pause_for(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    expect(nanosleep(&time, NULL) == 0);
}
static volatile sig_atomic_t alarms;
static void on_alarm(int signal) {
    (void)signal;
    alarms++;
}

int main(void) {
    clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (int i = 0; i < 6; i++) {
        long long before = now(clocks[i]);
        for (int j = 0; j < 1000; j++) {
            long long after = now(clocks[i]);
            expect(after >= before);
            before = after;
        }
    }
    printf("six clocks go forwards\n");

    // The C library's way and the system call see the same clock.
    for (int i = 0; i < 100; i++) {
        struct timespec time;
        long long before = now(CLOCK_MONOTONIC);
        expect(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time) == 0);
        long long middle = time.tv_sec * 1000000000ll + time.tv_nsec;
        expect(before <= middle && middle <= now(CLOCK_MONOTONIC));
    }
    struct timeval day;
    expect(gettimeofday(&day, NULL) == 0 && llabs(day.tv_sec - (long long)time(NULL)) <= 1);
    expect(llabs(day.tv_sec - now(CLOCK_REALTIME) / 1000000000) <= 1);
    printf("library and system agree; the year is %s\n", day.tv_sec > 1577836800 ? "after 2019" : "before 2020");
    struct timespec resolution;
    expect(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec == 1);
    expect(clock_gettime(77, &resolution) == -1 && errno == EINVAL);

    long long start = now(CLOCK_MONOTONIC);
    pause_for(30);
    expect(now(CLOCK_MONOTONIC) - start >= 30000000);
    struct timespec until = {(start + 80000000) / 1000000000, (start + 80000000) % 1000000000};
    expect(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    expect(now(CLOCK_MONOTONIC) - start >= 80000000);
    expect(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    struct timespec wrong = {0, 1000000000};
    expect(nanosleep(&wrong, NULL) == -1 && errno == EINVAL);
    printf("sleeps last long enough\n");

    // Sleep sort.
    int delays[] = {240, 60, 180, 0, 120}, fds[2];
    expect(pipe(fds) == 0);
    for (int i = 0; i < 5; i++) {
        if (fork() == 0) {
            char digit = '0' + delays[i] / 60;
            pause_for(delays[i]);
            expect(write(fds[1], &digit, 1) == 1);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    char order[6] = "";
    expect(read(fds[0], order, 5) == 5);
    printf("children woke up as %s\n", order);

    // An interrupted sleep says what is left.
    signal(SIGALRM, on_alarm);
    struct itimerval timer = {.it_value = {0, 20000}}, old;
    expect(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    struct timespec second = {5, 0}, left = {0, 0};
    expect(nanosleep(&second, &left) == -1 && errno == EINTR && alarms == 1);
    expect(left.tv_sec == 4);
    printf("the alarm interrupted a sleep with 4 s and more left\n");

    timer.it_interval.tv_usec = 5000;
    expect(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    while (alarms < 6)
        pause();
    timer.it_value.tv_usec = timer.it_interval.tv_usec = 0;
    expect(setitimer(ITIMER_REAL, &timer, &old) == 0 && old.it_interval.tv_usec == 5000);
    expect(alarm(100) == 0 && alarm(0) == 100 && alarm(0) == 0);
    printf("the interval timer fired again and again\n");

    // Time spent counting is this process's own.
    long long cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (volatile long i = 0; i < 5000000; i++)
        ;
    expect(now(CLOCK_PROCESS_CPUTIME_ID) > cpu);
    struct tm *broken = gmtime(&(time_t){1234567890});
    printf("%04d-%02d-%02d %02d:%02d:%02d\n", broken->tm_year + 1900, broken->tm_mon + 1, broken->tm_mday, broken->tm_hour,
           broken->tm_min, broken->tm_sec);
    return 0;
}
