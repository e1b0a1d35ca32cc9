// Registers under fire: while a timer interrupts every 50 µs, every general register, XMM register, MXCSR and the x87 state are
// compared around getpid, reads and writes of pipes, page faults and plain loops, in several processes at once. A handler that
// uses all of them itself runs in between.
//
//   steady MILLISECONDS    of the machine's time
#define _GNU_SOURCE
#include "expect.h"
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { PROCESSES = 4, PERIOD = 50 };

struct state {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rflags, rip, kind;
    unsigned char xmm[16][16] __attribute__((aligned(16)));
    // FXSAVE's image: x87 state, MXCSR, XMM registers.
    unsigned char fx[512] __attribute__((aligned(16)));
    // How far the stack pointer moved.
    uint64_t rsp;
};
enum { CALL, FAULT, LOOP };
_Static_assert(__builtin_offsetof(struct state, fx) == 400 && __builtin_offsetof(struct state, rsp) == 912, "offsets as below");

// Loads everything from the state, does what `kind` (in RCX) says, stores everything. The loop takes longer than the timer's period at times.
__attribute__((naked)) static void run(struct state *state) {
    (void)state;
    __asm__("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi; push %rdi\n"
            "mov %rsp, 912(%rdi)\n"
            "fxrstor64 400(%rdi)\n"
            "mov 8(%rdi), %rbx; mov 24(%rdi), %rdx; mov 32(%rdi), %rsi; mov 48(%rdi), %rbp; mov 56(%rdi), %r8\n"
            "mov 64(%rdi), %r9; mov 72(%rdi), %r10; mov 80(%rdi), %r11; mov 88(%rdi), %r12; mov 96(%rdi), %r13\n"
            "mov 104(%rdi), %r14; mov 112(%rdi), %r15\n"
            "lea 1f(%rip), %rax; mov %rax, 128(%rdi)\n"
            "mov 136(%rdi), %rcx\n"
            "push 120(%rdi); popfq\n"
            "mov 0(%rdi), %rax; mov 40(%rdi), %rdi\n"
            "jrcxz 2f\n"
            // Which of the other two, flags untouched: a count of 1 is the fault.
            "lea -1(%rcx), %rcx\n"
            "jrcxz 4f\n"
            // The loop: 400 rounds without a flag.
            "mov $400, %ecx\n"
            "5: lea -1(%rcx), %rcx; jrcxz 3f; jmp 5b\n"
            "4: movb (%rsi), %al; jmp 3f\n"
            "2: syscall\n"
            "1:\n"
            "3: mov %rdi, -8(%rsp); mov 8(%rsp), %rdi\n"
            "mov %rax, 0(%rdi); mov %rbx, 8(%rdi); mov %rcx, 16(%rdi); mov %rdx, 24(%rdi); mov %rsi, 32(%rdi)\n"
            "mov -8(%rsp), %rax; mov %rax, 40(%rdi); mov %rbp, 48(%rdi); mov %r8, 56(%rdi); mov %r9, 64(%rdi)\n"
            "mov %r10, 72(%rdi); mov %r11, 80(%rdi); mov %r12, 88(%rdi); mov %r13, 96(%rdi); mov %r14, 104(%rdi)\n"
            "mov %r15, 112(%rdi); pushfq; pop 120(%rdi); cld\n"
            "fxsave64 400(%rdi)\n"
            "fninit; pushq $0x1f80; ldmxcsr (%rsp); lea 8(%rsp), %rsp\n"
            "sub %rsp, 912(%rdi)\n"
            "pop %rdi; pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
            "ret");
}

static volatile sig_atomic_t ticks;

// Makes a mess of everything that it may.
static void on_tick(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    (void)context;
    ticks++;
    // 0x5f80 rounds up, flushes nothing; x87: another rounding and a full stack.
    static const uint32_t control = 0x5f80;
    static const uint16_t word = 0x0e7f;
    __asm__ volatile("ldmxcsr %0; fninit; fldcw %1; fldpi; fldl2e; fldz; fld1; fldpi\n"
                     "pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; pcmpeqd %%xmm15, %%xmm15; pxor %%xmm1, %%xmm1; pxor %%xmm8, %%xmm8\n"
                     "mov $-1, %%rbx; mov $-2, %%r12; mov $-3, %%r13; mov $-4, %%r14; mov $-5, %%r15; xor %%eax, %%eax; std; cld; stc"
                     :
                     : "m"(control), "m"(word)
                     : "rax", "rbx", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm7", "xmm8", "xmm15", "cc");
}

static uint64_t sequence = 1;
static uint64_t next(void) {
    sequence = sequence * 6364136223846793005u + 1442695040888963407u;
    return sequence >> 11 ^ sequence << 41;
}

static void fill(struct state *state) {
    uint64_t *words = (uint64_t *)state;
    for (unsigned i = 0; i < sizeof *state / 8; i++)
        words[i] = next();
    static const int bits[] = {0, 2, 4, 6, 7, 10, 11};
    state->rflags = 0x202;
    for (int i = 0; i < 7; i++)
        state->rflags |= (next() & 1) << bits[i];
    // An image that FXRSTOR takes and FXSAVE gives back bit by bit: control word, status with a stack pointer, tags, registers of 80 bits.
    memset(state->fx, 0, 416 - 256);
    uint16_t control = 0x037f & ~(3 << 10);
    control |= (next() & 3) << 10;
    memcpy(state->fx, &control, 2);
    uint16_t status = (next() & 7) << 11 | (next() & 0x4700);
    memcpy(state->fx + 2, &status, 2);
    state->fx[4] = next();
    uint32_t mxcsr = 0x1f80 | (next() & 0x603f);
    memcpy(state->fx + 24, &mxcsr, 4);
    for (int i = 0; i < 8; i++) {
        uint64_t mantissa = next() | 1ul << 63;
        uint16_t exponent = (next() & 0x8000) | (0x3000 + (next() & 0x1fff));
        memcpy(state->fx + 32 + 16 * i, &mantissa, 8);
        memcpy(state->fx + 40 + 16 * i, &exponent, 2);
    }
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j += 8) {
            uint64_t word = next();
            memcpy(state->fx + 160 + 16 * i + j, &word, 8);
        }
    memset(state->fx + 416, 0, 96);
    memset(state->xmm, 0, sizeof state->xmm);
}

static int wrong, rounds;

static void compare(const struct state *before, struct state *after, const char *what) {
    if (before->kind == CALL) {
        expect(after->rcx == after->rip);
        expect(after->r11 == before->rflags);
    } else {
        after->r11 == before->r11 ? (void)0 : (void)wrong++;
    }
    after->r11 = before->r11;
    after->rcx = before->rcx;
    after->rax = before->rax;
    after->rip = before->rip;
    if (after->rsp != 0)
        wrong++;
    after->rsp = before->rsp;
    // What FXSAVE stores beyond its 416 bytes is anything; the MXCSR mask is the processor's.
    memcpy(after->fx + 28, before->fx + 28, 4);
    memcpy(after->fx + 416, before->fx + 416, 96);
    const uint64_t *a = (const uint64_t *)before, *b = (const uint64_t *)after;
    for (unsigned i = 0; i < sizeof *before / 8; i++)
        if (a[i] != b[i]) {
            if (wrong++ < 5)
                fprintf(stderr, "%s, round %d: word %u was %016lx, is %016lx\n", what, rounds, i, a[i], b[i]);
        }
}

static int64_t step(int kind, const char *what, uint64_t number, uint64_t first, uint64_t second, uint64_t third) {
    struct state before, after;
    fill(&before);
    before.kind = kind;
    before.rax = number;
    before.rdi = first;
    before.rsi = second;
    before.rdx = third;
    after = before;
    run(&after);
    int64_t result = after.rax;
    compare(&before, &after, what);
    rounds++;
    return result;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void play(int index, int64_t length) {
    sequence = 12345 + index;
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    expect(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval often = {{0, PERIOD}, {0, PERIOD}};
    expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
    int fds[2];
    char out[64] = "bytes that go through a pipe", in[64];
    expect(pipe(fds) == 0);
    int64_t end = now() + length;
    pid_t self = getpid();
    while (now() < end) {
        expect(step(CALL, "getpid", SYS_getpid, 1, 2, 3) == self);
        expect(step(CALL, "write", SYS_write, fds[1], (uint64_t)out, 29) == 29);
        expect(step(CALL, "read", SYS_read, fds[0], (uint64_t)in, 29) == 29);
        expect(memcmp(in, out, 29) == 0);
        char *pages = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(pages != MAP_FAILED);
        for (int i = 0; i < 16; i++)
            step(FAULT, "fault", 0, 1, (uint64_t)pages + 4096 * i, 3);
        expect(munmap(pages, 16 * 4096) == 0);
        for (int i = 0; i < 10; i++)
            step(LOOP, "loop", 0, 1, 2, 3);
        expect(step(CALL, "yield", SYS_sched_yield, 1, 2, 3) == 0);
        expect(step(CALL, "close", SYS_close, 99, 2, 3) == -EBADF);
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
    fprintf(stderr, "process %d: %d rounds, %d signals, %d wrong\n", index, rounds, (int)ticks, wrong);
    // Every one of them was interrupted at all sorts of places.
    exit(wrong ? 1 : ticks < 100 ? 2 : 0);
}

int main(int argc, char **argv) {
    int64_t length = (argc > 1 ? atoi(argv[1]) : 1000) * 1000000ll;
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        expect(pid >= 0);
        if (pid == 0)
            play(i, length);
    }
    int failed = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        expect(wait(&status) > 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("a process ended with status %x\n", status);
            failed++;
        }
    }
    printf("%d processes, %d failed\n", PROCESSES, failed);
    return failed;
}
