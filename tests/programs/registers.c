// A system call changes RAX, RCX and R11 and nothing else; a page fault changes nothing at all.
#include "expect.h"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct state {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rflags, rip;
    unsigned char xmm[16][16] __attribute__((aligned(16)));
    // Before: anything. After: how far the stack pointer moved.
    uint64_t rsp;
};

// Loads everything from the state, executes `syscall` (or a byte's load from RSI), stores everything.
__attribute__((naked)) static void run(struct state *state, int call) {
    (void)state;
    (void)call;
    __asm__(
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi; push %rsi\n"
        "mov %rsp, 400(%rdi)\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "movaps 144+16*\\n(%rdi), %xmm\\n\n"
        ".endr\n"
        "mov 8(%rdi), %rbx; mov 24(%rdi), %rdx; mov 32(%rdi), %rsi; mov 48(%rdi), %rbp; mov 56(%rdi), %r8\n"
        "mov 64(%rdi), %r9; mov 72(%rdi), %r10; mov 80(%rdi), %r11; mov 88(%rdi), %r12; mov 96(%rdi), %r13\n"
        "mov 104(%rdi), %r14; mov 112(%rdi), %r15; mov 16(%rdi), %rcx\n"
        "lea 1f(%rip), %rax; mov %rax, 128(%rdi)\n"
        "push 120(%rdi); popfq\n"
        "mov 0(%rdi), %rax; mov 40(%rdi), %rdi\n"
        // Which of the two: without touching a flag.
        "jrcxz 2f\n"
        "syscall\n"
        "1: jmp 3f\n"
        "2: movb (%rsi), %al\n"
        "3: mov %rdi, -8(%rsp); mov 8(%rsp), %rdi\n"
        "mov %rax, 0(%rdi); mov %rbx, 8(%rdi); mov %rcx, 16(%rdi); mov %rdx, 24(%rdi); mov %rsi, 32(%rdi)\n"
        "mov -8(%rsp), %rax; mov %rax, 40(%rdi); mov %rbp, 48(%rdi); mov %r8, 56(%rdi); mov %r9, 64(%rdi)\n"
        "mov %r10, 72(%rdi); mov %r11, 80(%rdi); mov %r12, 88(%rdi); mov %r13, 96(%rdi); mov %r14, 104(%rdi)\n"
        "mov %r15, 112(%rdi); pushfq; pop 120(%rdi); cld\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "movaps %xmm\\n, 144+16*\\n(%rdi)\n"
        ".endr\n"
        "sub %rsp, 400(%rdi)\n"
        "pop %rsi; pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "ret");
}
_Static_assert(__builtin_offsetof(struct state, xmm) == 144 && __builtin_offsetof(struct state, rsp) == 400, "offsets as above");

static void fill(struct state *state, int pattern) {
    uint64_t *words = (uint64_t *)state;
    for (unsigned i = 0; i < sizeof *state / 8; i++)
        words[i] = 0x9e3779b97f4a7c15u * (i + 1 + 100 * pattern);
    // Carry, parity, adjust, zero, sign, overflow and direction, in all patterns.
    static const int bits[] = {0, 2, 4, 6, 7, 11, 10};
    state->rflags = 0x202;
    for (int i = 0; i < 7; i++)
        state->rflags |= (uint64_t)(pattern >> i & 1) << bits[i];
}
// Number of differences between what came back and what a system call may leave.
static int differences(struct state before, struct state after, int is_call) {
    int count = 0;
    if (is_call) {
        count += after.rcx != after.rip || after.r11 != before.rflags;
        after.rcx = before.rcx;
        after.r11 = before.r11;
    }
    count += after.rsp != 0;
    after.rax = before.rax;
    after.rip = before.rip;
    after.rsp = before.rsp;
    for (unsigned i = 0; i < sizeof before / 8; i++)
        count += ((uint64_t *)&before)[i] != ((uint64_t *)&after)[i];
    return count;
}

static int fds[2];

static int call(int pattern, long number, uint64_t first, uint64_t second, uint64_t third, int64_t *result) {
    struct state before, after;
    fill(&before, pattern);
    before.rax = number;
    before.rdi = first;
    before.rsi = second;
    before.rdx = third;
    after = before;
    run(&after, 1);
    *result = after.rax;
    return differences(before, after, 1);
}

int main(void) {
    int64_t result;
    int wrong = 0;
    for (int i = 0; i < 128; i++) {
        wrong += call(i, SYS_getpid, 1, 2, 3, &result);
        expect(result == getpid());
    }
    printf("getpid: %d registers differ\n", wrong);
    wrong = 0;
    for (int i = 0; i < 128; i++) {
        wrong += call(i, SYS_pipe, (uint64_t)fds, 2, 3, &result);
        expect(result == 0 && write(fds[1], "a", 1) == 1 && close(fds[0]) == 0 && close(fds[1]) == 0);
    }
    printf("pipe: %d registers differ\n", wrong);
    wrong = 0;
    char byte[2];
    expect(pipe(fds) == 0);
    for (int i = 0; i < 16; i++) {
        // The reader waits for its child.
        pid_t pid = fork();
        if (pid == 0) {
            usleep(3000);
            expect(write(fds[1], "b", 1) == 1);
            _exit(0);
        }
        wrong += call(i, SYS_read, fds[0], (uint64_t)byte, 1, &result);
        expect(result == 1 && waitpid(pid, NULL, 0) == pid);
    }
    printf("blocking read: %d registers differ\n", wrong);
    wrong = 0;
    for (int i = 0; i < 128; i++) {
        wrong += call(i, 3000 + i, 1, 2, 3, &result);
        expect(result == -ENOSYS);
        wrong += call(i, SYS_close, 99, 2, 3, &result);
        expect(result == -EBADF);
        wrong += call(i, SYS_sched_yield, 1, 2, 3, &result);
        expect(result == 0);
    }
    printf("unknown, failing and yielding calls: %d registers differ\n", wrong);
    // In a child of fork everything is as in its parent, vector registers too.
    wrong = call(77, SYS_fork, 1, 2, 3, &result);
    if (result == 0)
        _exit(wrong);
    int status;
    expect(waitpid(result, &status, 0) == result && WIFEXITED(status));
    printf("fork: %d registers differ, in the child %d\n", wrong, WEXITSTATUS(status));

    wrong = 0;
    char *pages = mmap(NULL, 128 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(pages != MAP_FAILED);
    for (int i = 0; i < 128; i++) {
        struct state before, after;
        fill(&before, i);
        before.rcx = 0;
        before.rsi = (uint64_t)pages + 4096 * i;
        after = before;
        run(&after, 0);
        expect((after.rax & 0xff) == 0);
        wrong += differences(before, after, 0);
    }
    printf("page fault: %d registers differ\n", wrong);
    return 0;
}
