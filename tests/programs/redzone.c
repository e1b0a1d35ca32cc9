// Leaf functions keep values in the red zone, below the stack pointer, and in all registers, while signals come at any moment.
#include "expect.h"
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t taken;

static void spoil(int signal, siginfo_t *info, void *context) {
    (void)info;
    (void)context;
    // Uses stack and vector registers of its own.
    volatile char space[512];
    memset((char *)space, signal, sizeof space);
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm15, %%xmm15\n\tstd\n\tcld" ::: "xmm0", "xmm1", "xmm15", "cc");
    taken++;
}

// Fills the red zone and 12 registers with a pattern, runs a while, counts what has changed.
__attribute__((naked)) static uint64_t leaf(uint64_t seed, uint64_t rounds) {
    (void)seed;
    (void)rounds;
    __asm__("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
            "mov %rdi, %rbx; lea 1(%rdi), %rbp; lea 2(%rdi), %r8; lea 3(%rdi), %r9; lea 4(%rdi), %r10; lea 5(%rdi), %r11\n"
            "lea 6(%rdi), %r12; lea 7(%rdi), %r13; lea 8(%rdi), %r14; lea 9(%rdi), %r15\n"
            "movq %rdi, %xmm0; movq %rbp, %xmm1; movq %r8, %xmm15\n"
            "mov $-128, %rcx\n"
            "1: mov %rdi, (%rsp, %rcx); add $8, %rcx; jnz 1b\n"
            "2: stc; dec %rsi; jnz 2b\n"
            "xor %eax, %eax\n"
            "mov $-128, %rcx\n"
            "3: cmp %rdi, (%rsp, %rcx); je 4f; inc %rax\n"
            "4: add $8, %rcx; jnz 3b\n"
            ".macro same register offset\n"
            "lea \\offset(%rdi), %rdx; cmp %rdx, \\register; je 5f; inc %rax\n"
            "5:\n"
            ".endm\n"
            "same %rbx 0; same %rbp 1; same %r8 2; same %r9 3; same %r10 4; same %r11 5\n"
            "same %r12 6; same %r13 7; same %r14 8; same %r15 9\n"
            "movq %xmm0, %rcx; same %rcx 0; movq %xmm1, %rcx; same %rcx 1; movq %xmm15, %rcx; same %rcx 2\n"
            "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
            "ret");
}

int main(void) {
    struct sigaction action = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO | SA_RESTART};
    expect(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    pid_t parent = getpid(), child = fork();
    expect(child >= 0);
    if (child == 0) {
        // Ends with its parent, whom it would otherwise outlive.
        while (getppid() == parent && kill(parent, SIGUSR1) == 0)
            usleep(500);
        _exit(0);
    }
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    expect(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    uint64_t changed = 0, seed = 0x0123456789abcdef;
    while (taken < 200)
        changed += leaf(seed++, 20000);
    memset(&timer, 0, sizeof timer);
    expect(setitimer(ITIMER_REAL, &timer, NULL) == 0 && kill(child, SIGKILL) == 0);
    expect(waitpid(child, NULL, 0) == child);
    printf("changed by 200 signals: %llu values\n", (unsigned long long)changed);
    return changed != 0;
}
