// Signals: handlers, masks, siginfo, restarts, the alternate stack, what is pending.
#include "expect.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t seen[65], order[16], count;
static siginfo_t last;
static char alternate[65536];
static volatile int on_alternate;

static void note(int signal) {
    seen[signal]++;
    if (count < 16)
        order[count++] = signal;
}
static void note_info(int signal, siginfo_t *info, void *context) {
    note(signal);
    last = *info;
    expect(context != NULL);
}
static void where(int signal) {
    char here;
    note(signal);
    stack_t stack;
    expect(sigaltstack(NULL, &stack) == 0);
    on_alternate = &here >= alternate && &here < alternate + sizeof alternate && stack.ss_flags == SS_ONSTACK;
}
static void nested(int signal) {
    note(signal);
    if (signal == SIGUSR1)
        raise(SIGUSR2);
    note(signal);
}
static void change_context(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    // The interrupted code waits for r12 to change.
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_R12] = 4711;
}

static void install(int signal, void *handler, int flags) {
    struct sigaction action = {0};
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    expect(sigaction(signal, &action, NULL) == 0);
}

int main(void) {
    sigset_t set, old;
    int fds[2], status;
    char byte;

    install(SIGUSR1, note, 0);
    expect(raise(SIGUSR1) == 0 && seen[SIGUSR1] == 1);
    printf("a raised signal is taken before raise returns\n");

    // Blocked signals are pending, once each, and come when they are unblocked, the lowest number first.
    install(SIGUSR2, note, 0);
    install(SIGHUP, note, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGHUP);
    expect(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    count = 0;
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGUSR2);
        kill(getpid(), SIGHUP);
        kill(getpid(), SIGUSR1);
    }
    expect(count == 0);
    sigset_t pending;
    expect(sigpending(&pending) == 0);
    printf("pending: HUP %d USR1 %d USR2 %d TERM %d\n", sigismember(&pending, SIGHUP), sigismember(&pending, SIGUSR1),
           sigismember(&pending, SIGUSR2), sigismember(&pending, SIGTERM));
    expect(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    expect(count == 3 && sigpending(&pending) == 0 && !sigismember(&pending, SIGHUP));
    printf("taken after unblocking: %d\n", count);

    // Real-time signals queue, with their values.
    install(SIGRTMIN, note_info, SA_SIGINFO);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 1; i <= 3; i++) {
        union sigval value = {.sival_int = i * 11};
        expect(sigqueue(getpid(), SIGRTMIN, value) == 0);
    }
    count = 0;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("queued: %d, code %d, from us %d\n", count, last.si_code == SI_QUEUE, last.si_pid == getpid());

    // A handler's own signal is blocked while it runs; with SA_NODEFER it isn't.
    install(SIGUSR1, nested, 0);
    install(SIGUSR2, nested, 0);
    count = 0;
    raise(SIGUSR1);
    printf("nested:");
    for (int i = 0; i < count; i++)
        printf(" %s", order[i] == SIGUSR1 ? "USR1" : "USR2");
    printf("\n");

    // SA_RESETHAND
    install(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction action;
    expect(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);

    // siginfo of kill, and of a child's end.
    install(SIGUSR1, note_info, SA_SIGINFO);
    install(SIGCHLD, note_info, SA_SIGINFO | SA_RESTART);
    kill(getpid(), SIGUSR1);
    printf("kill: signal %d, code SI_USER %d, from us %d\n", last.si_signo == SIGUSR1, last.si_code == SI_USER,
           last.si_pid == getpid());
    pid_t pid = fork();
    if (pid == 0)
        _exit(9);
    expect(waitpid(pid, &status, 0) == pid);
    printf("child: %d, code %d, status %d, it %d\n", last.si_signo == SIGCHLD, last.si_code == CLD_EXITED, last.si_status,
           last.si_pid == pid);
    signal(SIGCHLD, SIG_DFL);

    // A blocking read is interrupted, or restarted, when a child signals and then writes.
    for (int restart = 0; restart < 2; restart++) {
        install(SIGUSR1, note, restart ? SA_RESTART : 0);
        expect(pipe(fds) == 0);
        pid_t parent = getpid();
        if ((pid = fork()) == 0) {
            struct timespec pause = {0, 50000000};
            nanosleep(&pause, NULL);
            kill(parent, SIGUSR1);
            nanosleep(&pause, NULL);
            expect(write(fds[1], "r", 1) == 1);
            _exit(0);
        }
        long n = read(fds[0], &byte, 1);
        printf("%s: read gives %s\n", restart ? "SA_RESTART" : "without", n == 1 ? "the byte" : n == -1 && errno == EINTR ? "EINTR" : "nonsense");
        expect(waitpid(pid, &status, 0) == pid && status == 0);
        close(fds[0]);
        close(fds[1]);
    }

    // sigsuspend lets in what was blocked, and only while it waits.
    install(SIGUSR1, note, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    int before = seen[SIGUSR1];
    expect(sigsuspend(&old) == -1 && errno == EINTR && seen[SIGUSR1] == before + 1);
    sigprocmask(SIG_BLOCK, NULL, &pending);
    expect(sigismember(&pending, SIGUSR1));

    // sigwait and sigtimedwait take it without a handler.
    raise(SIGUSR1);
    int signal_number;
    expect(sigwait(&set, &signal_number) == 0 && signal_number == SIGUSR1 && seen[SIGUSR1] == before + 1);
    struct timespec short_time = {0, 1000000};
    expect(sigtimedwait(&set, NULL, &short_time) == -1 && errno == EAGAIN);
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("sigsuspend and sigwait take their signals\n");

    // The alternate stack, and only with SA_ONSTACK.
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, previous;
    expect(sigaltstack(&stack, &previous) == 0 && previous.ss_flags == SS_DISABLE);
    install(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    printf("on the alternate stack: %d\n", on_alternate);
    install(SIGUSR1, where, 0);
    raise(SIGUSR1);
    printf("without SA_ONSTACK: %d\n", on_alternate);
    stack.ss_size = 100;
    expect(sigaltstack(&stack, NULL) == -1 && errno == ENOMEM);

    // Whatever a handler writes into the context is what the program goes on with.
    install(SIGUSR1, change_context, SA_SIGINFO);
    long value, number = 39, result;
    __asm__ volatile("mov $1, %%r12\n\tsyscall\n\tmov %%rax, %%rdi\n\tmov $10, %%esi\n\tmov $62, %%eax\n\tsyscall\n\tmov %%r12, %0"
                     : "=r"(value), "=a"(result)
                     : "1"(number)
                     : "rcx", "r11", "r12", "rdi", "rsi", "memory", "cc");
    expect(result == 0);
    printf("r12 after the handler: %ld\n", value);

    // Errors.
    expect(sigaction(SIGKILL, &action, NULL) == -1 && errno == EINVAL);
    expect(kill(getpid(), 0) == 0 && kill(getpid(), 65) == -1 && errno == EINVAL);
    expect(kill(0x3fffffff, SIGUSR1) == -1 && errno == ESRCH);

    // A default action ends the program although a handler runs for another signal.
    if ((pid = fork()) == 0) {
        install(SIGUSR1, note, 0);
        raise(SIGUSR1);
        raise(SIGTERM);
        _exit(1);
    }
    expect(waitpid(pid, &status, 0) == pid);
    printf("ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);

    // abort with SIGABRT ignored and handled.
    if ((pid = fork()) == 0) {
        signal(SIGABRT, SIG_IGN);
        abort();
    }
    expect(waitpid(pid, &status, 0) == pid);
    printf("abort: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return 0;
}
