// clone, clone3, unshare and setns with each of their flags, what waiting tells apart, thread words, and futex commands one by one.
#include "expect.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#ifndef PIDFD_NONBLOCK
#define PIDFD_NONBLOCK O_NONBLOCK
#endif
// <sched.h> has clone(), too, but not beside <linux/sched.h>.
int clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
enum { STACK = 65536 };
static char stack[STACK] __attribute__((aligned(16)));
static volatile int word, seen, child_word;
static int pipes[2];

static int leave(void *argument) { return (int)(intptr_t)argument; }
static int change(void *argument) {
    (void)argument;
    word = 7;
    close(pipes[0]);
    return 5;
}
static long make(int flags, int (*function)(void *), void *argument) {
    return clone(function, stack + STACK, flags, argument, &seen, NULL, &child_word);
}
static int end_of(pid_t pid, int options) {
    int status = -1;
    expect(waitpid(pid, &status, options) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void shared(void) {
    expect(pipe(pipes) == 0);
    word = 0;
    expect(end_of(make(SIGCHLD, change, NULL), 0) == 5 && word == 0 && fcntl(pipes[0], F_GETFD) == 0);
    expect(end_of(make(CLONE_VM | CLONE_VFORK | SIGCHLD, change, NULL), 0) == 5 && word == 7 && fcntl(pipes[0], F_GETFD) == 0);
    expect(end_of(make(CLONE_FILES | SIGCHLD, change, NULL), 0) == 5);
    expect(fcntl(pipes[0], F_GETFD) == -1 && errno == EBADF);
    close(pipes[1]);

    // Both sides' words, and the one that is cleared at the end.
    seen = 0, child_word = 9;
    pid_t pid = make(CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, leave, (void *)3);
    expect(seen == pid && end_of(pid, 0) == 3 && child_word == 0);
    child_word = 0;
    pid = make(CLONE_VM | CLONE_CHILD_SETTID | CLONE_VFORK | SIGCHLD, leave, (void *)4);
    expect(child_word == pid && end_of(pid, 0) == 4);
    // They concern what a child of these has none of.
    expect(end_of(make(CLONE_IO | CLONE_SYSVSEM | CLONE_UNTRACED | CLONE_PTRACE | SIGCHLD, leave, (void *)6), 0) == 6);

    // Without a signal at its end it is a clone: waited for when asked for.
    pid = make(0, leave, (void *)8);
    int status;
    expect(waitpid(pid, &status, WNOHANG) == -1 && errno == ECHILD && end_of(pid, __WCLONE) == 8);
    expect(end_of(make(0, leave, (void *)9), __WALL) == 9);
    expect(end_of(make(SIGCHLD, leave, (void *)10), __WNOTHREAD) == 10);
    expect(waitpid(-1, &status, 0x100) == -1 && errno == EINVAL);
    // Impossible combinations.
    expect(make(CLONE_THREAD | SIGCHLD, leave, NULL) == -1 && errno == EINVAL);
    expect(make(CLONE_SIGHAND | SIGCHLD, leave, NULL) == -1 && errno == EINVAL);
    expect(make(CLONE_FS | CLONE_NEWNS | SIGCHLD, leave, NULL) == -1 && errno == EINVAL);
    printf("shared\n");
}

static void in_structures(void) {
    struct clone_args arguments = {.flags = CLONE_CHILD_SETTID | CLONE_PARENT_SETTID, .exit_signal = SIGCHLD};
    arguments.parent_tid = (uintptr_t)&seen, arguments.child_tid = (uintptr_t)&child_word;
    child_word = 0;
    pid_t pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0)
        _exit(child_word == getpid() ? 11 : 12);
    expect(seen == pid && child_word == 0 && end_of(pid, 0) == 11);

    // A sibling: the parent's parent waits for it.
    pid = fork();
    if (pid == 0) {
        struct clone_args sibling = {.flags = CLONE_PARENT};
        long other = syscall(SYS_clone3, &sibling, sizeof sibling);
        if (other == 0)
            _exit(14);
        int status;
        _exit(waitpid(other, &status, 0) == -1 && errno == ECHILD ? 13 : 99);
    }
    int one, other;
    expect(wait(&one) > 0 && wait(&other) > 0 && WEXITSTATUS(one) + WEXITSTATUS(other) == 27);

    // Handlers go, what is ignored stays.
    signal(SIGUSR1, (void (*)(int))leave), signal(SIGUSR2, SIG_IGN);
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = CLONE_CLEAR_SIGHAND | CLONE_UNTRACED | CLONE_IO | CLONE_SYSVSEM, arguments.exit_signal = SIGCHLD;
    pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one), sigaction(SIGUSR2, NULL, &two);
        _exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 15 : 16);
    }
    expect(end_of(pid, 0) == 15);
    arguments.flags |= CLONE_SIGHAND | CLONE_VM;
    expect(syscall(SYS_clone3, &arguments, sizeof arguments) == -1 && errno == EINVAL);
    arguments.flags = SIGCHLD;
    expect(syscall(SYS_clone3, &arguments, sizeof arguments) == -1 && errno == EINVAL);
    expect(syscall(SYS_clone3, &arguments, 63) == -1 && errno == EINVAL);
    printf("in structures\n");
}

// A thread made by hand shares all there is, a local of its own thread area among them.
static __thread int own = 1;
static void *as_thread(void *argument) {
    own = 2;
    chdir("/tmp");
    umask(027);
    *(int *)argument = getpid();
    return NULL;
}

static void threads(void) {
    // pthread_create's flags: CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | …
    pthread_t thread;
    int pid = 0;
    char where[100];
    mode_t before = umask(022);
    expect(chdir("/") == 0 && pthread_create(&thread, NULL, as_thread, &pid) == 0 && pthread_join(thread, NULL) == 0);
    expect(pid == getpid() && own == 1 && strcmp(getcwd(where, 100), "/tmp") == 0 && umask(before) == 027);
    int flags[] = {CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_SETTLS};
    int all = 0;
    for (int i = 0; i < 6; i++)
        all |= flags[i];
    // A thread area beyond the lower half.
    expect(syscall(SYS_clone, all, stack + STACK, NULL, NULL, 1ul << 63) == -1 && errno == EPERM);
    printf("threads\n");
}

static int wait_for_gate(void *gate) {
    char byte;
    return read(*(int *)gate, &byte, 1) == 1 ? 77 : 78;
}
static void *part(void *argument) {
    long *result = argument;
    *result = syscall(SYS_unshare, CLONE_FILES);
    if (*result == 0)
        close(pipes[0]);
    return NULL;
}

static void parted(void) {
    expect(syscall(SYS_unshare, 0) == 0 && syscall(SYS_unshare, CLONE_FS | CLONE_SYSVSEM) == 0);
    expect(syscall(SYS_unshare, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD) == 0 && syscall(SYS_unshare, 1) == -1 && errno == EINVAL);
    // Descriptors are shared with this child, and then are not.
    int gate[2];
    expect(pipe(gate) == 0 && pipe(pipes) == 0);
    pid_t pid = make(CLONE_FILES | SIGCHLD, wait_for_gate, &gate[0]);
    expect(pid > 0 && syscall(SYS_unshare, CLONE_FILES) == 0 && close(gate[0]) == 0);
    expect(write(gate[1], "x", 1) == 1 && end_of(pid, 0) == 77);
    // Of one thread only, or refused.
    pthread_t thread;
    long result = 9;
    expect(pthread_create(&thread, NULL, part, &result) == 0 && pthread_join(thread, NULL) == 0);
    expect(fcntl(pipes[0], F_GETFD) == 0);
    close(pipes[0]), close(pipes[1]), close(gate[1]);

    expect(syscall(SYS_setns, 99, 0) == -1 && errno == EBADF);
    int null = open("/dev/null", O_RDONLY);
    expect(syscall(SYS_setns, null, 0) == -1 && errno == EINVAL);
    printf("parted\n");
}

static void waited_for(void) {
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        raise(SIGSTOP);
        for (;;)
            pause();
    }
    expect(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT) == 0 && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    expect(waitid(P_PGID, pid, &info, WSTOPPED) == 0 && info.si_pid == pid);
    expect(kill(pid, SIGCONT) == 0 && waitid(P_ALL, 0, &info, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED);
    expect(kill(pid, SIGTERM) == 0);
    expect(waitid(P_PGID, pid, &info, WEXITED | __WALL) == 0 && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
    expect(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD && waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL);
    pid = make(0, leave, (void *)22);
    expect(waitid(P_PID, pid, &info, WEXITED) == -1 && errno == ECHILD);
    expect(waitid(P_PID, pid, &info, WEXITED | __WCLONE) == 0 && info.si_status == 22);
    expect(waitid(7, pid, &info, WEXITED) == -1 && errno == EINVAL);
    int status, self = syscall(SYS_pidfd_open, getpid(), PIDFD_NONBLOCK);
    expect(self >= 0 && (fcntl(self, F_GETFL) & O_NONBLOCK));
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    self = syscall(SYS_pidfd_open, pid, PIDFD_NONBLOCK);
    expect(waitid(P_PIDFD, self, &info, WEXITED) == -1 && errno == EAGAIN);
    expect(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid && WSTOPSIG(status) == SIGSTOP);
    expect(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
    printf("waited for\n");
}

static uint32_t words[3];
static long futex(uint32_t *at, int operation, uint32_t value, const void *timeout, uint32_t *second, uint32_t third) {
    return syscall(SYS_futex, at, operation, value, timeout, second, third);
}
static volatile int woken, waiting;
static void *sleeper(void *argument) {
    __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
    long result = (intptr_t)argument == 0 ? futex(&words[0], FUTEX_WAIT, 0, NULL, NULL, 0)
                                          : futex(&words[0], FUTEX_WAIT_BITSET, 0, NULL, NULL, (intptr_t)argument);
    expect(result == 0);
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}
static void start(pthread_t *thread, intptr_t bits, int many) {
    woken = waiting = 0;
    for (int i = 0; i < many; i++)
        expect(pthread_create(&thread[i], NULL, sleeper, (void *)bits) == 0);
    while (waiting < many)
        sched_yield();
}
// Until that many had been asleep: what moves or wakes them says so.
static long until(long count, int operation, uint32_t value, void *timeout, uint32_t *second, uint32_t third) {
    long done = 0;
    for (int i = 0; i < 10000 && done < count; i++) {
        done += futex(&words[0], operation, value, timeout, second, third);
        usleep(1000);
    }
    return done;
}

static void words_of_futexes(void) {
    pthread_t threads[3];
    struct timespec brief = {0, 2000000}, past = {1, 0};
    expect(futex(&words[0], FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EAGAIN);
    expect(futex(&words[0], FUTEX_WAIT, 0, &brief, NULL, 0) == -1 && errno == ETIMEDOUT);
    expect(futex(&words[0], FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 1) == -1 && errno == ETIMEDOUT);
    expect(futex(&words[0], FUTEX_WAIT_BITSET, 0, &past, NULL, 0) == -1 && errno == EINVAL);
    expect(futex(&words[0], FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
    start(threads, 0, 1);
    expect(until(1, FUTEX_WAKE, 1, NULL, NULL, 0) == 1 && pthread_join(threads[0], NULL) == 0);
    start(threads, 2, 1);
    expect(futex(&words[0], FUTEX_WAKE_BITSET, 9, NULL, NULL, 4) == 0 && until(1, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2) == 1);
    pthread_join(threads[0], NULL);
    // Two sleepers go to another word, where they are woken.
    start(threads, 0, 2);
    expect(futex(&words[0], FUTEX_CMP_REQUEUE, 0, (void *)9, &words[1], 5) == -1 && errno == EAGAIN);
    expect(until(1, FUTEX_CMP_REQUEUE, 0, (void *)1, &words[1], 0) == 1);
    expect(until(1, FUTEX_REQUEUE, 0, (void *)9, &words[1], 0) == 1);
    expect(woken == 0 && futex(&words[1], FUTEX_WAKE, 9, NULL, NULL, 0) == 2);
    pthread_join(threads[0], NULL), pthread_join(threads[1], NULL);
    // Adds 3 to the second word, and wakes of it too if it was 0.
    start(threads, 0, 1);
    expect(until(1, FUTEX_WAKE_OP, 1, (void *)1, &words[2], FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0)) == 1);
    pthread_join(threads[0], NULL);
    expect(words[2] >= 3 && words[2] % 3 == 0 && woken == 1);
    expect(futex(&words[0], 99, 0, NULL, NULL, 0) == -1 && errno == ENOSYS);
    printf("words of futexes\n");
}

int main(void) {
    shared();
    in_structures();
    threads();
    parted();
    waited_for();
    words_of_futexes();
    return 0;
}
