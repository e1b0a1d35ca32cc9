// setjmp and longjmp, through many frames and out of handlers, with and without the signal mask.
#include "expect.h"
#include <setjmp.h>
#include <signal.h>

static jmp_buf plain;
static sigjmp_buf with_mask;

#pragma GCC diagnostic ignored "-Winfinite-recursion"
static __attribute__((noinline)) void down(int depth) {
    volatile char frame[100];
    frame[depth % 100] = 1;
    if (depth == 0)
        longjmp(plain, 21);
    down(depth - 1);
    expect(frame[depth % 100] == 2);
}
static void leave(int signal) {
    (void)signal;
    siglongjmp(with_mask, 5);
}

int main(void) {
    volatile int rounds = 0;
    int value = setjmp(plain);
    if (rounds++ < 10)
        down(100 * rounds);
    printf("setjmp gave %d after %d rounds\n", value, rounds);

    signal(SIGUSR1, leave);
    volatile int taken = 0;
    for (volatile int i = 0; i < 20; i++) {
        if (sigsetjmp(with_mask, 1) == 0)
            raise(SIGUSR1);
        else
            taken++;
    }
    printf("left the handler %d times, its signal unblocked each time\n", taken);
    if (sigsetjmp(with_mask, 0) == 0)
        raise(SIGUSR1);
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("without the mask it stays blocked: %d\n", sigismember(&set, SIGUSR1));
    return 0;
}
