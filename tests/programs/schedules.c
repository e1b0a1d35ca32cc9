// Priorities and scheduling policies, limits and capabilities, as far as they are the same for every user.
#include "expect.h"
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

int main(void) {
    errno = 0;
    expect(getpriority(PRIO_PROCESS, 0) == 0 && errno == 0);
    expect(setpriority(PRIO_PROCESS, 0, 7) == 0 && getpriority(PRIO_PROCESS, 0) == 7);
    expect(setpriority(PRIO_PROCESS, getpid(), 99) == 0 && getpriority(PRIO_PGRP, 0) <= 19);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpriority(PRIO_PROCESS, 0));
    int status;
    expect(waitpid(pid, &status, 0) == pid);
    printf("inherited nice value: %d\n", WEXITSTATUS(status));
    expect(getpriority(PRIO_PROCESS, 4000000) == -1 && errno == ESRCH);
    expect(getpriority(9, 0) == -1 && errno == EINVAL);

    struct sched_param param = {0};
    expect(sched_getscheduler(0) == SCHED_OTHER);
    expect(sched_setscheduler(0, SCHED_BATCH, &param) == 0 && sched_getscheduler(0) == SCHED_BATCH);
    expect(sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &param) == 0);
    expect(sched_getscheduler(0) == (SCHED_IDLE | SCHED_RESET_ON_FORK));
    if ((pid = fork()) == 0)
        _exit(sched_getscheduler(0));
    expect(waitpid(pid, &status, 0) == pid);
    printf("policy after fork: %d\n", WEXITSTATUS(status));
    param.sched_priority = 5;
    expect(sched_setscheduler(0, SCHED_OTHER, &param) == -1 && errno == EINVAL);
    expect(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){0}) == -1 && errno == EINVAL);
    expect(sched_setscheduler(0, 77, &param) == -1 && errno == EINVAL);
    expect(sched_setscheduler(4000000, SCHED_OTHER, &(struct sched_param){0}) == -1 && errno == ESRCH);
    expect(sched_getparam(0, &param) == 0 && param.sched_priority == 0);
    expect(sched_get_priority_max(SCHED_RR) == 99 && sched_get_priority_min(SCHED_FIFO) == 1);
    expect(sched_get_priority_max(SCHED_OTHER) == 0 && sched_get_priority_max(77) == -1);

    cpu_set_t set;
    expect(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_ISSET(0, &set));
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    expect(sched_setaffinity(0, sizeof set, &set) == 0);
    CPU_ZERO(&set);
    expect(sched_setaffinity(0, sizeof set, &set) == -1 && errno == EINVAL);
    expect(sched_getaffinity(4000000, sizeof set, &set) == -1 && errno == ESRCH);

    // Who is nicer gets less: two that want all they can get, for a while.
    int results[2];
    expect(pipe(results) == 0);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            CPU_ZERO(&set);
            CPU_SET(0, &set);
            sched_setaffinity(0, sizeof set, &set);
            sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
            setpriority(PRIO_PROCESS, 0, i == 0 ? 0 : 19);
            struct timespec start, now;
            clock_gettime(CLOCK_MONOTONIC, &start);
            do
                clock_gettime(CLOCK_MONOTONIC, &now);
            while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 600);
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
            long used[2] = {i, now.tv_sec * 1000 + now.tv_nsec / 1000000};
            expect(write(results[1], used, sizeof used) == sizeof used);
            _exit(0);
        }
    }
    long used[2] = {0}, pair[2];
    for (int i = 0; i < 2; i++) {
        expect(read(results[0], pair, sizeof pair) == sizeof pair);
        used[pair[0]] = pair[1];
        wait(&status);
    }
    printf("the nicer one gets less: %d\n", used[0] > 2 * used[1]);

    // Limits of another process.
    if ((pid = fork()) == 0) {
        for (;;)
            sched_yield();
    }
    struct rlimit new = {50, 60}, old;
    expect(prlimit(pid, RLIMIT_NOFILE, &new, &old) == 0 && old.rlim_cur > 60);
    expect(prlimit(pid, RLIMIT_NOFILE, NULL, &old) == 0 && old.rlim_cur == 50 && old.rlim_max == 60);
    new.rlim_cur = 70;
    expect(prlimit(pid, RLIMIT_NOFILE, &new, NULL) == -1 && errno == EINVAL);
    expect(prlimit(4000000, RLIMIT_NOFILE, NULL, &old) == -1 && errno == ESRCH);
    kill(pid, SIGKILL);
    expect(waitpid(pid, &status, 0) == pid);
    return 0;
}
