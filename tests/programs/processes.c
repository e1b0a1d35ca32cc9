// fork, wait, exec: a tree of processes, their statuses, what exec keeps and drops.
#include "expect.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void describe(const char *who, int status) {
    if (WIFEXITED(status))
        printf("%s: exit %d\n", who, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: signal %d\n", who, WTERMSIG(status));
    else
        printf("%s: status %x\n", who, status);
}

// Number of processes in a binary tree of this depth, counted by exit statuses.
static int tree(int depth) {
    if (depth == 0)
        return 1;
    int sum = 1, children = 2;
    for (int i = 0; i < children; i++) {
        pid_t pid = fork();
        expect(pid >= 0);
        if (pid == 0)
            _exit(tree(depth - 1));
    }
    for (int i = 0; i < children; i++) {
        int status;
        expect(wait(&status) > 0 && WIFEXITED(status));
        sum += WEXITSTATUS(status);
    }
    return sum;
}

static int executed(int argc, char **argv) {
    printf("executed as %s with %d arguments, last %s, variable %s\n", argv[0], argc, argv[argc - 1], getenv("PASSED"));
    printf("kept descriptor: %s, closed on exec: %s\n", fcntl(atoi(argv[2]), F_GETFD) >= 0 ? "open" : "closed",
           fcntl(atoi(argv[3]), F_GETFD) >= 0 ? "open" : "closed");
    struct sigaction action;
    expect(sigaction(SIGUSR1, NULL, &action) == 0);
    printf("ignored signal: %s\n", action.sa_handler == SIG_IGN ? "still ignored" : "default");
    expect(sigaction(SIGUSR2, NULL, &action) == 0);
    printf("handled signal: %s\n", action.sa_handler == SIG_DFL ? "default again" : "kept");
    sigset_t set;
    expect(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
    printf("blocked signal: %s\n", sigismember(&set, SIGHUP) ? "still blocked" : "not blocked");
    return 42;
}

static void nothing(int signal) { (void)signal; }

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "executed") == 0)
        return executed(argc, argv);
    int status;
    pid_t pid, self = getpid();

    expect((pid = fork()) >= 0);
    if (pid == 0) {
        expect(getppid() == self && getpid() != self);
        _exit(7);
    }
    expect(waitpid(pid, &status, 0) == pid);
    describe("child", status);
    expect(waitpid(pid, &status, 0) == -1 && errno == ECHILD);

    printf("processes in the tree: %d\n", tree(4));

    for (int signal = 1; signal <= 15; signal++) {
        if (signal == SIGQUIT || signal == SIGILL || signal == SIGTRAP || signal == SIGABRT || signal == SIGBUS ||
            signal == SIGFPE || signal == SIGSEGV)
            continue;
        if ((pid = fork()) == 0) {
            kill(getpid(), signal);
            _exit(0);
        }
        expect(waitpid(pid, &status, 0) == pid);
        describe("killed", status);
    }

    // A child that waits is found by WNOHANG not to have ended.
    int gate[2];
    expect(pipe(gate) == 0);
    if ((pid = fork()) == 0) {
        char byte;
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 0 ? 3 : 4);
    }
    expect(waitpid(pid, &status, WNOHANG) == 0);
    siginfo_t info = {0};
    expect(waitid(P_PID, pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
    close(gate[0]);
    close(gate[1]);
    expect(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    printf("waitid: code %d, status %d, right child %d\n", info.si_code == CLD_EXITED, info.si_status, info.si_pid == pid);
    struct rusage usage;
    expect(wait4(pid, &status, 0, &usage) == pid);
    describe("after waitid", status);

    // exec
    int kept = open("/dev/null", O_RDONLY), dropped = open("/dev/null", O_RDONLY | O_CLOEXEC);
    expect(kept >= 0 && dropped >= 0);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, nothing);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if ((pid = fork()) == 0) {
        char first[16], second[16];
        snprintf(first, sizeof first, "%d", kept);
        snprintf(second, sizeof second, "%d", dropped);
        char *arguments[] = {"another-name", "executed", first, second, "last", NULL};
        char *environment[] = {"PASSED=through exec", NULL};
        execve("/proc/self/exe", arguments, environment);
        execve(argv[0], arguments, environment);
        _exit(98);
    }
    expect(waitpid(pid, &status, 0) == pid);
    describe("executed", status);

    // Failing exec leaves the program as it was.
    char *arguments[] = {"x", NULL};
    expect(execve("/nowhere/at-all", arguments, arguments) == -1 && errno == ENOENT);
    expect(execve("/", arguments, arguments) == -1 && errno == EACCES);
    printf("failed exec leaves us alive\n");

    // vfork: the parent goes on only when the child has ended or executed.
    volatile int shared = 1;
    if ((pid = vfork()) == 0) {
        shared = 2;
        _exit(5);
    }
    expect(waitpid(pid, &status, 0) == pid);
    printf("vfork's child wrote %d, ", shared);
    describe("and ended", status);

    expect(wait(&status) == -1 && errno == ECHILD);
    return 0;
}
