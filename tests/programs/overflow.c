// Overflows its stack: first in a child without a handler, then with one on the alternate stack.
#include "expect.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char alternate[65536];

static __attribute__((noinline)) int deep(int depth) {
    volatile char use[512];
    memset((char *)use, depth, sizeof use);
    return depth == 0 ? use[0] : deep(depth - 1) + use[17];
}
#pragma GCC diagnostic ignored "-Winfinite-recursion"
static __attribute__((noinline)) int endless(int depth) {
    volatile char use[512];
    use[depth % 512] = depth;
    return endless(depth + 1) + use[depth % 511];
}
static void on_overflow(int signal) {
    dprintf(1, "the handler runs, signal %d\n", signal);
    _exit(17);
}

int main(void) {
    printf("%s\n", deep(3000) ? "1.5 MB of stack used" : "");
    int status;
    for (int handled = 0; handled < 2; handled++) {
        pid_t pid = fork();
        expect(pid >= 0);
        if (pid == 0) {
            expect(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) == 0);
            if (handled) {
                stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
                struct sigaction action = {.sa_handler = on_overflow, .sa_flags = SA_ONSTACK};
                expect(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
            }
            _exit(endless(0));
        }
        expect(waitpid(pid, &status, 0) == pid);
        printf("child: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return 0;
}
