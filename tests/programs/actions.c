// Signal actions, set so often that the trampoline sets them: what is told, inherited, shared, forgotten and done is the same as before.
#include "expect.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct action {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
};
static volatile sig_atomic_t first_calls, second_calls;
static void first(int signal) { (void)signal, first_calls++; }
static void second(int signal) { (void)signal, second_calls++; }

static long set(int signal, const void *new, void *old) { return syscall(SYS_rt_sigaction, signal, new, old, 8); }
static struct action now(int signal) {
    struct action action;
    expect(set(signal, NULL, &action) == 0);
    return action;
}
// Both as the C library does it, with its restorer.
static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    expect(sigaction(number, &action, NULL) == 0);
}
static int is(int signal, void (*handler)(int)) { return now(signal).handler == (void *)handler; }
static int calls(int signal) {
    int before = first_calls + 100 * second_calls;
    expect(raise(signal) == 0);
    return first_calls + 100 * second_calls - before;
}
static int ended(int child) {
    int status;
    expect(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
// So often that no server need be asked any more.
static void settle(void) {
    for (int i = 0; i < 5; i++)
        handle(SIGUSR1, i % 2 ? second : first, 0);
}
static void block(int how, int signal) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, signal);
    expect(sigprocmask(how, &set, NULL) == 0);
}
static int is_pending(int signal) {
    sigset_t set;
    expect(sigpending(&set) == 0);
    return sigismember(&set, signal);
}

static void told(void) {
    settle();
    for (int signal = 1; signal <= 64; signal++) {
        struct action new = {(void *)first, SA_SIGINFO | SA_RESTART, (void *)0x1234, ~0ul}, old, again;
        struct action before = now(signal);
        long result = set(signal, &new, &old);
        if (result != 0) {
            printf("%d: %s\n", signal, strerror(errno));
            continue;
        }
        expect(memcmp(&old, &before, sizeof old) == 0 && set(signal, &old, &again) == 0);
        expect(again.handler == new.handler && again.flags == new.flags && again.restorer == new.restorer && again.mask == ~0x40100ul);
    }
    struct action new = {(void *)first, 0, NULL, 0};
    expect(set(0, &new, NULL) == -1 && errno == EINVAL && set(65, &new, NULL) == -1 && errno == EINVAL && set(-1, &new, NULL) == -1 && errno == EINVAL);
    expect(syscall(SYS_rt_sigaction, SIGUSR2, &new, NULL, 4) == -1 && errno == EINVAL && is(SIGUSR2, SIG_DFL));
    expect(set(SIGUSR2, (void *)16, NULL) == -1 && errno == EFAULT && is(SIGUSR2, SIG_DFL));
    expect(set(SIGUSR2, (void *)(1ul << 63), NULL) == -1 && errno == EFAULT && is(SIGUSR2, SIG_DFL));
    // What can't be told has been done.
    expect(set(SIGUSR2, &new, (void *)16) == -1 && errno == EFAULT && is(SIGUSR2, first));
    handle(SIGUSR2, SIG_DFL, 0);
}

static void done(void) {
    settle();
    expect(calls(SIGUSR1) == 1);
    handle(SIGUSR1, second, 0);
    expect(calls(SIGUSR1) == 100);
    handle(SIGUSR1, SIG_IGN, 0);
    expect(calls(SIGUSR1) == 0);
    handle(SIGUSR1, first, SA_RESETHAND);
    expect(calls(SIGUSR1) == 1 && is(SIGUSR1, SIG_DFL));
    // What is pending is forgotten when it is ignored, and kept otherwise.
    for (int known = 0; known < 2; known++) {
        int signal = known ? SIGCHLD : SIGUSR1;
        handle(signal, first, 0);
        block(SIG_BLOCK, signal);
        expect(raise(signal) == 0 && is_pending(signal));
        handle(signal, second, 0);
        expect(is_pending(signal));
        handle(signal, known ? SIG_DFL : SIG_IGN, 0);
        expect(!is_pending(signal));
        // Blocked, it waits though it is ignored.
        expect(raise(signal) == 0 && is_pending(signal));
        block(SIG_UNBLOCK, signal);
        expect(!is_pending(signal));
        handle(signal, first, 0);
        expect(calls(signal) == 1);
    }
    // Children that nobody wants to hear of.
    settle();
    handle(SIGCHLD, SIG_IGN, 0);
    int child = fork(), status;
    if (child == 0)
        _exit(3);
    expect(waitpid(child, &status, 0) == -1 && errno == ECHILD);
    handle(SIGCHLD, first, SA_NOCLDWAIT);
    if ((child = fork()) == 0)
        _exit(3);
    while (waitpid(child, &status, 0) == -1 && errno == EINTR)
        ;
    expect(errno == ECHILD);
    handle(SIGCHLD, SIG_DFL, 0);
    if ((child = fork()) == 0)
        _exit(3);
    expect(ended(child) == 3);
    // As others see it.
    handle(SIGUSR1, first, 0), handle(SIGUSR2, SIG_IGN, 0);
    char line[200];
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "SigIgn", 6) == 0 || strncmp(line, "SigCgt", 6) == 0)
            printf("%.7s %lx\n", line, strtoul(line + 8, NULL, 16) & 0x7fffffff);
    fclose(file);
    handle(SIGUSR2, SIG_DFL, 0);
}

static int change(void *unused) {
    (void)unused;
    settle();
    handle(SIGUSR1, SIG_IGN, 0), handle(SIGUSR2, second, 0);
    expect(is(SIGUSR1, SIG_IGN) && is(SIGUSR2, second));
    return 7;
}
static void *in_thread(void *unused) {
    expect(is(SIGUSR1, first) && is(SIGUSR2, second));
    return (void *)(long)change(unused);
}

static void shared(void) {
    settle();
    handle(SIGUSR2, second, 0);
    // fork and vfork copy.
    int child = fork();
    if (child == 0) {
        expect(is(SIGUSR1, first) && is(SIGUSR2, second) && calls(SIGUSR2) == 100);
        change(NULL);
        handle(SIGUSR2, SIG_DFL, 0);
        raise(SIGUSR2);
    }
    expect(ended(child) == 1000 + SIGUSR2 && is(SIGUSR1, first) && is(SIGUSR2, second));
    if ((child = vfork()) == 0) {
        for (int i = 0; i < 5; i++)
            signal(SIGUSR1, i % 2 ? first : SIG_IGN);
        _exit(is(SIGUSR1, SIG_IGN) ? 4 : 99);
    }
    expect(ended(child) == 4 && is(SIGUSR1, first) && calls(SIGUSR1) == 1);
    // execve keeps what is ignored.
    handle(SIGHUP, SIG_IGN, 0);
    if ((child = vfork()) == 0) {
        execl("/proc/self/exe", "actions", "again", NULL);
        _exit(98);
    }
    expect(ended(child) == 5 && is(SIGHUP, SIG_IGN) && is(SIGUSR1, first));
    handle(SIGHUP, SIG_DFL, 0);
    // Threads share.
    pthread_t thread;
    void *result;
    expect(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, &result) == 0 && result == (void *)7);
    expect(is(SIGUSR1, SIG_IGN) && is(SIGUSR2, second) && calls(SIGUSR2) == 100);
    settle();
    expect(calls(SIGUSR1) == 1 && is(SIGUSR2, second));
    // Processes may.
    static char stack[65536] __attribute__((aligned(16)));
    child = clone(change, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | SIGCHLD, NULL);
    expect(ended(child) == 7 && is(SIGUSR1, SIG_IGN) && calls(SIGUSR2) == 100);
    settle();
    expect(calls(SIGUSR1) == 1);
    // Or copy what isn't handled.
    child = clone(change, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    expect(ended(child) == 7 && is(SIGUSR1, first));
}

static void filtered(void) {
    settle();
    int child = fork();
    if (child == 0) {
        settle();
        struct sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigaction, 0, 1),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        struct sock_fprog program = {4, steps};
        struct action new = {(void *)second, 0, NULL, 0};
        expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
        for (int i = 0; i < 5; i++)
            expect(set(SIGUSR1, &new, NULL) == -1 && errno == EXDEV);
        _exit(calls(SIGUSR1) == 1 ? 6 : 99);
    }
    expect(ended(child) == 6);
}

// Signals that come while their action changes: each finds one of the two.
static void changing(void) {
    settle();
    int sender = fork(), parent = getppid();
    if (sender == 0) {
        parent = getppid();
        for (int i = 0; i < 2000; i++)
            if (kill(parent, SIGUSR1) != 0)
                break;
        _exit(8);
    }
    int status;
    while (waitpid(sender, &status, WNOHANG) == 0)
        for (int i = 0; i < 20; i++)
            handle(SIGUSR1, i % 3 == 0 ? first : i % 3 == 1 ? second : SIG_IGN, i % 3 == 0 ? SA_RESTART : SA_NODEFER);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 8);
}

// By the server, and by the process itself: bits that mean nothing are cleared, and a handler that is reset keeps its flags.
static void kept(void) {
    for (int round = 0; round < 4; round++) {
        handle(SIGUSR2, first, SA_RESETHAND | SA_NODEFER | 0x2340400);
        expect(is(SIGUSR2, first) && (now(SIGUSR2).flags & ~0x4000000ul) == ((unsigned)SA_RESETHAND | SA_NODEFER));
        expect(raise(SIGUSR2) == 0 && is(SIGUSR2, SIG_DFL));
        expect((now(SIGUSR2).flags & ~0x4000000ul) == ((unsigned)SA_RESETHAND | SA_NODEFER));
        handle(SIGUSR2, SIG_DFL, 0);
    }
}

int main(int count, char **words) {
    (void)words;
    if (count > 1) {
        expect(is(SIGHUP, SIG_IGN) && is(SIGUSR1, SIG_DFL) && now(SIGUSR1).flags == 0 && is(SIGUSR2, SIG_DFL));
        settle();
        return calls(SIGUSR1) == 1 && is(SIGHUP, SIG_IGN) ? 5 : 99;
    }
    told();
    done();
    shared();
    filtered();
    changing();
    kept();
    printf("done\n");
    return 0;
}
