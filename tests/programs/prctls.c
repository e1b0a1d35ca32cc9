// prctl, arch_prctl, personality, priorities of requests and turns: each word that can be set and asked for.
#include "expect.h"
#include <asm/prctl.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#define MFD_EXEC 16
#endif

static void words(void) {
    char name[16] = {0};
    expect(prctl(PR_SET_NAME, "a name that is too long") == 0 && prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a name that is ") == 0);
    int signal = 9;
    expect(prctl(PR_SET_PDEATHSIG, SIGHUP) == 0 && prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == SIGHUP);
    expect(prctl(PR_SET_PDEATHSIG, 99) == -1 && errno == EINVAL && prctl(PR_SET_PDEATHSIG, 0) == 0);
    expect(prctl(PR_GET_DUMPABLE) == 1 && prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    expect(prctl(PR_SET_DUMPABLE, 2) == -1 && errno == EINVAL);
    int word = 0;
    expect(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && prctl(PR_GET_CHILD_SUBREAPER, &word) == 0 && word == 1);
    expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1 && errno == EINVAL);
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    // The address that is cleared at the thread's end.
    int place, *found;
    expect(syscall(SYS_set_tid_address, &place) > 0);
    expect(prctl(PR_GET_TID_ADDRESS, &found) == -1 ? errno == EINVAL : found == &place);
    // What can be asked for.
    expect(prctl(PR_GET_TIMERSLACK) == 50000 && prctl(PR_GET_TIMING) == PR_TIMING_STATISTICAL && prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL) == 0);
    expect(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP) == -1 && errno == EINVAL);
    expect(prctl(PR_GET_TSC, &word) == 0 && word == PR_TSC_ENABLE && prctl(PR_SET_TSC, PR_TSC_ENABLE) == 0);
    expect(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0 && prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT);
    expect(prctl(PR_GET_SECCOMP) == 0 && prctl(PR_GET_KEEPCAPS) == 0 && prctl(9999) == -1 && errno == EINVAL);
    printf("words\n");
}

static void slack(void) {
    expect(prctl(PR_SET_TIMERSLACK, 1000) == 0 && prctl(PR_GET_TIMERSLACK) == 1000);
    pid_t pid = fork();
    if (pid == 0)
        _exit(prctl(PR_GET_TIMERSLACK) == 1000 ? 3 : 4);
    int status;
    expect(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
    expect(prctl(PR_SET_TIMERSLACK, 0) == 0 && prctl(PR_GET_TIMERSLACK) == 50000);
    printf("slack\n");
}

static void segments(void) {
    unsigned long fs = 0, gs = 1, before;
    expect(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0 && fs == (unsigned long)__builtin_thread_pointer());
    expect(syscall(SYS_arch_prctl, ARCH_GET_GS, &before) == 0 && syscall(SYS_arch_prctl, ARCH_SET_GS, &fs) == 0);
    expect(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0 && gs == (unsigned long)&fs);
    unsigned long seen;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(seen));
    expect(seen == fs && syscall(SYS_arch_prctl, ARCH_SET_GS, before) == 0 && syscall(SYS_arch_prctl, ARCH_SET_FS, fs) == 0);
    expect(syscall(SYS_arch_prctl, ARCH_SET_FS, 1ul << 63) == -1 && errno == EPERM && syscall(SYS_arch_prctl, 0x9999, 0) == -1 && errno == EINVAL);
    int old = personality(0xffffffff);
    expect(personality(old | ADDR_NO_RANDOMIZE) == old && personality(0xffffffff) == (old | ADDR_NO_RANDOMIZE) && personality(old) >= 0);
    printf("segments\n");
}

static long get_io(int who) { return syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, who); }
static void requests(void) {
    int best = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6), idle = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);
    expect(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, best) == 0 && get_io(0) == best && get_io(getpid()) == best);
    pid_t pid = fork();
    if (pid == 0) {
        expect(get_io(0) == best && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, idle) == 0 && get_io(0) == idle);
        _exit(0);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid && status == 0 && get_io(0) == best);
    setpgid(0, 0);
    expect(syscall(SYS_ioprio_set, IOPRIO_WHO_PGRP, 0, idle) == 0 && get_io(0) == idle && syscall(SYS_ioprio_get, IOPRIO_WHO_PGRP, 0) == idle);
    expect(syscall(SYS_ioprio_set, 9, 0, best) == -1 && errno == EINVAL && get_io(4000000) == -1 && errno == ESRCH);
    expect(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(5, 0)) == -1 && errno == EINVAL);
    printf("requests\n");
}

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
static void turns(void) {
    struct attributes set = {.size = 48, .policy = SCHED_BATCH, .nice = 5, .flags = 1 /* SCHED_FLAG_RESET_ON_FORK */}, got = {0};
    expect(syscall(SYS_sched_setattr, 0, &set, 0) == 0 && syscall(SYS_sched_getattr, 0, &got, sizeof got, 0) == 0);
    expect(got.size == 48 && got.policy == SCHED_BATCH && got.nice == 5 && got.flags == 1 && got.priority == 0);
    expect(getpriority(PRIO_PROCESS, 0) == 5 && sched_getscheduler(0) == (SCHED_BATCH | SCHED_RESET_ON_FORK));
    set.size = 40;
    expect(syscall(SYS_sched_setattr, 0, &set, 0) == -1 && errno == E2BIG && set.size >= 48);
    set.size = 48, set.policy = 77;
    expect(syscall(SYS_sched_setattr, 0, &set, 0) == -1 && errno == EINVAL && syscall(SYS_sched_setattr, 0, &set, 1) == -1 && errno == EINVAL);
    expect(syscall(SYS_sched_getattr, 0, &got, 40, 0) == -1 && errno == EINVAL && syscall(SYS_sched_getattr, 4000000, &got, 48, 0) == -1 && errno == ESRCH);
    struct sched_param none = {0}, some = {3};
    expect(sched_setparam(0, &none) == 0 && sched_setparam(0, &some) == -1 && errno == EINVAL);
    expect(sched_setscheduler(0, SCHED_IDLE, &none) == 0 && sched_getscheduler(0) == SCHED_IDLE);
    printf("turns\n");
}

static void filters(void) {
    unsigned action = SECCOMP_RET_ALLOW;
    expect(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, NULL) == -1 && errno != 0);
    int file = syscall(SYS_memfd_create, "x", MFD_EXEC | MFD_NOEXEC_SEAL);
    expect(file == -1 && errno == EINVAL);
    printf("filters\n");
}

int main(void) {
    segments();
    words();
    slack();
    requests();
    turns();
    filters();
    return 0;
}
