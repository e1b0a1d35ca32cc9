// Signals in detail: queueing and its limit, si_code, order, sigtimedwait, restarts, alternate stacks that disarm.
#include "expect.h"
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static siginfo_t seen[32];
static volatile sig_atomic_t count, on_stack;
static char *stack;
enum { STACK = 65536 };

static void record(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    char local;
    on_stack = &local >= stack && &local < stack + STACK;
    if (count < 32)
        seen[count] = *info;
    count++;
}
static void catch(int signal, int flags) {
    struct sigaction action = {.sa_sigaction = record, .sa_flags = SA_SIGINFO | flags};
    expect(sigaction(signal, &action, NULL) == 0);
}

// A child sends the signal again and again, until it is stopped: however busy the machine is, one comes in time.
static pid_t sender;
static void keep_sending(int signal) {
    pid_t parent = getpid();
    if ((sender = fork()) == 0)
        for (;;) {
            usleep(20000);
            kill(parent, signal);
        }
}
static void stop_sending(void) {
    kill(sender, SIGKILL);
    while (waitpid(sender, NULL, 0) == -1)
        expect(errno == EINTR);
}

int main(void) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    for (int signal = SIGRTMIN; signal < SIGRTMIN + 3; signal++)
        catch(signal, 0);
    catch(SIGUSR1, 0);
    catch(SIGUSR2, SA_RESTART);
    catch(SIGALRM, 0);

    // Standard signals coalesce, real-time ones queue; the lowest comes first.
    sigprocmask(SIG_SETMASK, &all, NULL);
    union sigval value;
    for (int i = 0; i < 3; i++) {
        value.sival_int = i;
        expect(sigqueue(getpid(), SIGRTMIN + 2 - i, value) == 0);
        expect(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 10 + i}) == 0);
        expect(kill(getpid(), SIGUSR1) == 0);
    }
    expect(raise(SIGUSR2) == 0);
    siginfo_t info;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + 1);
    struct timespec zero = {0};
    expect(sigtimedwait(&one, &info, &zero) == SIGRTMIN + 1);
    printf("taken: value %d, code %d\n", info.si_value.sival_int, info.si_code);
    expect(sigtimedwait(&one, &info, &zero) == -1 && errno == EAGAIN);
    while (sigtimedwait(&all, &info, &zero) > 0)
        printf("signal %d, code %d, value %d, own pid %d\n", info.si_signo, info.si_code,
               info.si_code == SI_QUEUE ? info.si_value.sival_int : 0, info.si_pid == getpid());
    struct timespec bad = {0, 1000000000}, brief = {0, 20000000};
    expect(sigtimedwait(&all, &info, &bad) == -1 && errno == EINVAL);
    expect(sigtimedwait(&one, &info, &brief) == -1 && errno == EAGAIN);

    // Forged codes are for oneself alone; a thread as target.
    siginfo_t forged = {.si_signo = SIGRTMIN, .si_code = SI_KERNEL};
    expect(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &forged) == 0);
    expect(sigtimedwait(&all, &info, &zero) == SIGRTMIN);
    printf("forged for oneself: code %d\n", info.si_code == SI_KERNEL);
    pid_t other = fork();
    if (other == 0)
        for (;;)
            pause();
    expect(syscall(SYS_rt_sigqueueinfo, other, SIGRTMIN, &forged) == -1 && errno == EPERM);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    while (sigtimedwait(&all, &info, &zero) > 0)
        ;
    forged.si_code = SI_QUEUE;
    forged.si_value.sival_int = 3;
    expect(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGRTMIN + 1, &forged) == 0);
    expect(sigwaitinfo(&all, &info) == SIGRTMIN + 1);
    printf("to a thread: value %d\n", info.si_value.sival_int);
    expect(syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN) == 0);
    expect(sigwaitinfo(&all, &info) == SIGRTMIN);
    printf("tgkill: code %d\n", info.si_code == SI_TKILL);

    // The limit of queued signals.
    struct rlimit limit = {300, 300};
    expect(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    int queued = 0;
    while (queued < 1000 && sigqueue(getpid(), SIGRTMIN, value) == 0)
        queued++;
    printf("queued up to the limit: %d, %d\n", queued > 0 && queued <= 300, errno == EAGAIN);
    expect(kill(getpid(), SIGUSR1) == 0);
    int taken = 0;
    while (sigtimedwait(&all, &info, &zero) > 0)
        taken++;
    printf("taken besides: %d\n", taken - queued);

    // What is interrupted, and what begins again.
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct timespec left;
    int status, gate[2];
    char byte;
    expect(pipe(gate) == 0);
    keep_sending(SIGUSR2);
    expect(nanosleep(&(struct timespec){100, 0}, &left) == -1 && errno == EINTR && left.tv_sec >= 50);
    expect(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){100, 0}, &left) == EINTR && left.tv_sec >= 50);
    expect(poll(NULL, 0, 100000) == -1 && errno == EINTR);
    pid_t writer = fork();
    if (writer == 0) {
        sigprocmask(SIG_SETMASK, &all, NULL);
        usleep(200000);
        expect(write(gate[1], "x", 1) == 1);
        _exit(0);
    }
    expect(read(gate[0], &byte, 1) == 1);
    stop_sending();
    keep_sending(SIGUSR1);
    expect(read(gate[0], &byte, 1) == -1 && errno == EINTR);
    stop_sending();
    printf("restarted\n");
    // Stopping and continuing interrupts no sleep and no poll.
    pid_t sleeper = fork();
    if (sleeper == 0) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        expect(nanosleep(&(struct timespec){0, 800000000}, NULL) == 0);
        expect(poll(NULL, 0, 400) == 0);
        clock_gettime(CLOCK_MONOTONIC, &end);
        _exit((end.tv_sec - start.tv_sec) * 10 + (end.tv_nsec - start.tv_nsec) / 100000000 >= 12 ? 21 : 22);
    }
    usleep(50000);
    kill(sleeper, SIGSTOP);
    expect(waitpid(sleeper, &status, WUNTRACED) == sleeper && WIFSTOPPED(status));
    siginfo_t child = {0};
    kill(sleeper, SIGCONT);
    expect(waitid(P_PID, sleeper, &child, WCONTINUED) == 0);
    printf("continued: code %d, status %d\n", child.si_code == CLD_CONTINUED, child.si_status);
    expect(waitpid(sleeper, &status, 0) == sleeper);
    printf("slept on: %d\n", WEXITSTATUS(status));
    while (wait(&status) > 0)
        ;

    // What SIGCHLD says.
    catch(SIGCHLD, 0);
    count = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(77);
    while (count == 0)
        usleep(1000);
    printf("SIGCHLD: code %d, status %d, right %d\n", seen[0].si_code == CLD_EXITED, seen[0].si_status, seen[0].si_pid == pid);
    waitpid(pid, NULL, 0);
    count = 0;
    if ((pid = fork()) == 0) {
        raise(SIGTERM);
        _exit(1);
    }
    while (count == 0)
        usleep(1000);
    printf("SIGCHLD: code %d, status %d\n", seen[0].si_code == CLD_KILLED, seen[0].si_status);
    waitpid(pid, NULL, 0);

    // Faults.
    catch(SIGFPE, SA_RESETHAND);
    if (fork() == 0) {
        struct sigaction action = {.sa_sigaction = (void (*)(int, siginfo_t *, void *))exit, .sa_flags = 0};
        sigaction(SIGSEGV, &action, NULL);
        *(volatile int *)8 = 1;
    }
    wait(&status);
    printf("a handler that exits: %d\n", WEXITSTATUS(status));

    // An alternate stack that is put aside while its handler runs.
    stack = malloc(STACK);
    stack_t alternate = {.ss_sp = stack, .ss_size = STACK, .ss_flags = SS_AUTODISARM}, found;
    expect(sigaltstack(&alternate, NULL) == 0);
    expect(sigaltstack(NULL, &found) == 0);
    printf("flags: %x\n", (unsigned)found.ss_flags);
    catch(SIGUSR1, SA_ONSTACK);
    raise(SIGUSR1);
    printf("on the alternate stack: %d\n", on_stack);
    expect(sigaltstack(NULL, &found) == 0 && found.ss_sp == stack && (unsigned)found.ss_flags == SS_AUTODISARM);
    alternate.ss_size = 100;
    expect(sigaltstack(&alternate, NULL) == -1 && errno == ENOMEM);
    alternate.ss_flags = 77;
    expect(sigaltstack(&alternate, NULL) == -1 && errno == EINVAL);
    alternate.ss_flags = SS_DISABLE;
    expect(sigaltstack(&alternate, NULL) == 0);
    expect(sigaltstack(NULL, &found) == 0 && found.ss_flags == SS_DISABLE);
    return 0;
}
