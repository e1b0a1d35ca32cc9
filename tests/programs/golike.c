/*
 * What Go's runtime does to be preemptive: signal handlers that move RIP and RSP of what they interrupted.
 *
 * First, calls are put into the middle of running code: the handler pushes the interrupted RIP onto the interrupted stack and
 * returns to a stub that keeps all registers. Then, tasks on stacks of their own share one thread: a timer's handler keeps
 * all registers of one (with its floating-point state) and returns into another. Then the same on four threads at once, with
 * signals sent by another thread. At the end every task has computed what it would have alone.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "expect.h"

enum { RED_ZONE = 128, TASKS = 5, STACK = 16384, FP_LEGACY = 512, FP_MOST = 8192, THREADS = 4 };

/* --- calls put into running code --- */

static volatile long injected;

__attribute__((used, target("general-regs-only"))) static void count_injected(void)
{
    injected++;
}

void preempted(void);
__asm__(
    ".text\n"
    "preempted:\n"
    "pushfq\n"
    "push %rax\n push %rcx\n push %rdx\n push %rbx\n push %rbp\n push %rsi\n push %rdi\n"
    "push %r8\n push %r9\n push %r10\n push %r11\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, %rbx\n"
    "and $-16, %rsp\n"
    "cld\n"
    "call count_injected\n"
    "mov %rbx, %rsp\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %r11\n pop %r10\n pop %r9\n pop %r8\n"
    "pop %rdi\n pop %rsi\n pop %rbp\n pop %rbx\n pop %rdx\n pop %rcx\n pop %rax\n"
    "popfq\n"
    "ret $128\n");

extern char __executable_start, etext;

static void inject(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t rip = registers[REG_RIP];
    /* As in Go, only code that is known to be able to bear it. */
    if (rip < (uintptr_t)&__executable_start || rip >= (uintptr_t)&etext || rip == (uintptr_t)preempted)
        return;
    registers[REG_RSP] -= RED_ZONE + sizeof(uintptr_t);
    *(uintptr_t *)registers[REG_RSP] = rip;
    registers[REG_RIP] = (uintptr_t)preempted;
}

/* Integers and doubles mixed, so that flags, general and vector registers are alive everywhere. */
__attribute__((noinline)) static uint64_t compute(uint64_t seed, int rounds)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;
    double a = 1.0 + seed, b = 0.5;
    for (int i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        a = a * 0.999 + (double)(x & 0xff) * b;
        b = b > 0.9 ? 0.1 : b + 0.001;
    }
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    return x ^ bits;
}

/* --- tasks on one thread --- */

struct task {
    greg_t registers[NGREG];
    char fp[FP_MOST] __attribute__((aligned(64)));
    char *stack;
    uint64_t result;
    volatile int done;
};

struct scheduler {
    struct task tasks[TASKS];
    int current;
    volatile long switches;
    volatile int finished;
};

static __thread struct scheduler *here;

/* How many bytes of floating-point state the frame holds. */
static size_t fp_bytes(const char *fp)
{
    uint32_t magic, size;
    memcpy(&magic, fp + 464, sizeof magic);
    memcpy(&size, fp + 468, sizeof size);
    return magic == 0x46505853 && size <= FP_MOST ? size : FP_LEGACY;
}

static void switch_task(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ucontext_t *interrupted = context;
    struct scheduler *scheduler = here;
    if (scheduler == NULL)
        return;
    int next = scheduler->current;
    do
        next = (next + 1) % TASKS;
    while (scheduler->tasks[next].done && next != scheduler->current);
    if (next == scheduler->current)
        return;
    struct task *old = &scheduler->tasks[scheduler->current], *new = &scheduler->tasks[next];
    char *fp = (char *)interrupted->uc_mcontext.fpregs;
    size_t bytes = fp_bytes(fp);
    memcpy(old->registers, interrupted->uc_mcontext.gregs, sizeof old->registers);
    memcpy(old->fp, fp, bytes);
    static const int moved[] = { REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RDI, REG_RSI,
        REG_RBP, REG_RBX, REG_RDX, REG_RAX, REG_RCX, REG_RSP, REG_RIP, REG_EFL };
    if (new->registers[REG_RIP] != 0) {
        for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
            interrupted->uc_mcontext.gregs[moved[i]] = new->registers[moved[i]];
        memcpy(fp, new->fp, bytes);
    }
    scheduler->current = next;
    scheduler->switches++;
}

static int rounds_of(int task)
{
    return 400000 + 100000 * task;
}

static void run_task(struct scheduler *scheduler, int number)
{
    scheduler->tasks[number].result = compute(number, rounds_of(number));
    scheduler->tasks[number].done = 1;
    /* Until the next signal takes the thread away for good. */
    for (;;)
        __asm__ volatile("pause");
}

static void prepare(struct scheduler *scheduler)
{
    memset(scheduler, 0, sizeof *scheduler);
    for (int i = 1; i < TASKS; i++) {
        struct task *task = &scheduler->tasks[i];
        task->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(task->stack != MAP_FAILED);
        greg_t *registers = task->registers;
        registers[REG_RIP] = (uintptr_t)run_task;
        registers[REG_RSP] = ((uintptr_t)task->stack + STACK) - 8;
        registers[REG_RDI] = (uintptr_t)scheduler;
        registers[REG_RSI] = i;
        registers[REG_EFL] = 0x202;
        /* The control words of a fresh state. */
        uint16_t control = 0x37f;
        uint32_t mxcsr = 0x1f80;
        memcpy(task->fp, &control, sizeof control);
        memcpy(task->fp + 24, &mxcsr, sizeof mxcsr);
    }
}

/* Task 0 is the thread itself, on its own stack. */
static void run_all(struct scheduler *scheduler)
{
    here = scheduler;
    scheduler->tasks[0].result = compute(0, rounds_of(0));
    for (int i = 1; i < TASKS; i++)
        while (!scheduler->tasks[i].done)
            __asm__ volatile("pause");
    here = NULL;
    scheduler->finished = 1;
}

static void check(struct scheduler *scheduler)
{
    for (int i = 0; i < TASKS; i++) {
        expect(scheduler->tasks[i].result == compute(i, rounds_of(i)));
        if (i > 0)
            munmap(scheduler->tasks[i].stack, STACK);
    }
    expect(scheduler->switches >= TASKS);
}

static void own_signal_stack(void)
{
    stack_t stack = { .ss_size = 65536 };
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(stack.ss_sp != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
}

static void *machine(void *argument)
{
    own_signal_stack();
    run_all(argument);
    return NULL;
}

int main(void)
{
    own_signal_stack();
    struct sigaction action = { .sa_sigaction = inject, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
    expect(sigaction(SIGURG, &action, NULL) == 0);
    uint64_t alone[3];
    for (int i = 0; i < 3; i++)
        alone[i] = compute(i, 2000000);
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG };
    expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec often = { { 0, 500000 }, { 0, 500000 } }, never = { { 0 } };
    expect(timer_settime(timer, 0, &often, NULL) == 0);
    do
        for (int i = 0; i < 3; i++)
            expect(compute(i, 2000000) == alone[i]);
    while (injected < 20);
    expect(timer_settime(timer, 0, &never, NULL) == 0 && timer_delete(timer) == 0);
    printf("calls were put into running code\n");

    action.sa_sigaction = switch_task;
    expect(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGURG, &action, NULL) == 0);
    static struct scheduler one;
    prepare(&one);
    struct itimerval tick = { { 0, 1000 }, { 0, 1000 } }, off = { { 0 } };
    expect(setitimer(ITIMER_REAL, &tick, NULL) == 0);
    run_all(&one);
    expect(setitimer(ITIMER_REAL, &off, NULL) == 0);
    check(&one);
    printf("%d tasks took turns on one thread\n", TASKS);

    static struct scheduler many[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        prepare(&many[i]);
        expect(pthread_create(&threads[i], NULL, machine, &many[i]) == 0);
    }
    for (int running = THREADS; running > 0;) {
        running = 0;
        for (int i = 0; i < THREADS; i++) {
            if (!many[i].finished) {
                running++;
                pthread_kill(threads[i], SIGURG);
            }
        }
        usleep(1000);
    }
    for (int i = 0; i < THREADS; i++) {
        expect(pthread_join(threads[i], NULL) == 0);
        check(&many[i]);
    }
    printf("%d tasks took turns on each of %d threads\n", TASKS, THREADS);
    return 0;
}
