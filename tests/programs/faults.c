// Faults handled: SIGSEGV, SIGFPE, SIGILL, SIGTRAP with their siginfo, recovery by siglongjmp and by changing the context.
#include "expect.h"
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf back;
static siginfo_t last;
static unsigned long fault_ip;
static long page;

static void escape(int signal, siginfo_t *info, void *context) {
    last = *info;
    fault_ip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(back, signal);
}
// Makes the page accessible and lets the instruction run again.
static void repair(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    last = *info;
    expect(mprotect((void *)((unsigned long)info->si_addr & ~(page - 1)), page, PROT_READ | PROT_WRITE) == 0);
}
// Skips the two bytes of ud2.
static void skip(int signal, siginfo_t *info, void *context) {
    (void)signal;
    last = *info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}
static void install(int signal, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    expect(sigaction(signal, &action, NULL) == 0);
}

static long seen[23];
static sigset_t during;
static int on_alternate, depth;
static struct _libc_xmmreg sixth;
static char alternate[65536] __attribute__((aligned(4096)));

static void inspect(int signal, siginfo_t *info, void *context) {
    ucontext_t *before = context;
    last = *info;
    on_alternate = (char *)&before > alternate && (char *)&before < alternate + sizeof alternate;
    for (int i = 0; i < 23; i++)
        seen[i] = before->uc_mcontext.gregs[i];
    sixth = before->uc_mcontext.fpregs->_xmm[6];
    expect(sigprocmask(SIG_BLOCK, NULL, &during) == 0 && !sigismember(&before->uc_sigmask, signal));
    // What the handler changes is what the program goes on with.
    before->uc_mcontext.gregs[REG_RBX] = 0x999;
    before->uc_mcontext.fpregs->_xmm[7].element[0] = 0x777;
    __asm__ volatile("pxor %%xmm6, %%xmm6" ::: "xmm6");
    if (depth-- > 0)
        __asm__ volatile("int3");
}
// An exception with a value of its own in every register, and what is in them afterwards.
static void trap(const char *how) {
    int nested = depth > 0;
    long ax, bx, r15;
    unsigned sixth_after, seventh;
    char carry;
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpush %%rbp\n\t"
                     "mov $0x106, %%ebp\n\tmov $0x101, %%eax\n\tmov $0x102, %%ebx\n\tmov $0x103, %%ecx\n\tmov $0x104, %%edx\n\t"
                     "mov $0x107, %%esi\n\tmov $0x108, %%edi\n\tmov $8, %%r8d\n\tmov $9, %%r9d\n\tmov $10, %%r10d\n\tmov $11, %%r11d\n\t"
                     "mov $12, %%r12d\n\tmov $13, %%r13d\n\tmov $14, %%r14d\n\tmov $15, %%r15d\n\t"
                     "movd %%esi, %%xmm6\n\tmovd %%edi, %%xmm7\n\tstc\n\tint3\n\tsetc %5\n\t"
                     "movd %%xmm6, %3\n\tmovd %%xmm7, %4\n\tpop %%rbp\n\tlea 128(%%rsp), %%rsp"
                     : "=a"(ax), "=b"(bx), "=S"(r15), "=c"(sixth_after), "=d"(seventh), "=D"(carry)
                     :
                     : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm6", "xmm7", "memory", "cc");
    printf("%s: a %lx, b %lx, si %lx, carry %d, xmm6 %x, xmm7 %x; seen", how, ax, bx, r15, carry, sixth_after, seventh);
    for (int i = REG_R8; i <= REG_RCX && !nested; i++)
        printf(" %lx", seen[i]);
    printf(", carry %ld, xmm6 %x, stack %d, blocked %d %d\n", seen[REG_EFL] & 1, sixth.element[0], on_alternate, sigismember(&during, SIGTRAP),
           sigismember(&during, SIGUSR1));
}
static void user(int signal) { printf("%s\n", signal == SIGUSR1 ? "user" : "?"); }

static void traps(void) {
    struct sigaction action = {.sa_sigaction = inspect, .sa_flags = SA_SIGINFO}, now;
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaddset(&action.sa_mask, SIGUSR1);
    expect(sigaction(SIGTRAP, &action, NULL) == 0);
    trap("plain");
    expect(sigaltstack(&stack, NULL) == 0);
    trap("no other stack");
    action.sa_flags |= SA_ONSTACK;
    expect(sigaction(SIGTRAP, &action, NULL) == 0);
    trap("another stack");
    stack.ss_flags = SS_DISABLE;
    expect(sigaltstack(&stack, NULL) == 0);
    action.sa_flags |= SA_NODEFER;
    sigemptyset(&action.sa_mask);
    expect(sigaction(SIGTRAP, &action, NULL) == 0);
    depth = 2;
    trap("within itself");
    // Another signal comes on top if it may.
    expect(signal(SIGUSR1, user) != SIG_ERR);
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    expect(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR1) == 0);
    trap("one pending");
    expect(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    action.sa_flags |= SA_RESETHAND;
    expect(sigaction(SIGTRAP, &action, NULL) == 0);
    trap("once");
    expect(sigaction(SIGTRAP, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    // Where there is no room the other handler runs, on its own stack.
    stack.ss_flags = 0;
    expect(sigaltstack(&stack, NULL) == 0 && sigaction(SIGTRAP, &action, NULL) == 0);
    struct sigaction other = {.sa_sigaction = escape, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    expect(sigaction(SIGSEGV, &other, NULL) == 0);
    action.sa_flags &= ~SA_ONSTACK;
    expect(sigaction(SIGTRAP, &action, NULL) == 0);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("mov $4096, %%esp\n\tint3" ::: "memory");
    else
        printf("no room: %d %d\n", last.si_signo == SIGSEGV, last.si_code == SI_KERNEL);
    stack.ss_flags = SS_DISABLE;
    expect(sigaltstack(&stack, NULL) == 0);
}

int main(void) {
    page = sysconf(_SC_PAGESIZE);
    for (int signal = 1; signal <= 31; signal++)
        if (signal == SIGSEGV || signal == SIGFPE || signal == SIGILL || signal == SIGBUS || signal == SIGTRAP)
            install(signal, escape);

    volatile int zero = 0, one = 1;
    volatile int *volatile low = (volatile int *)8;
    switch (sigsetjmp(back, 1)) {
    case 0:
        one = *low;
        break;
    case SIGSEGV:
        printf("null: address %p, SEGV_MAPERR %d\n", last.si_addr, last.si_code == SEGV_MAPERR);
    }
    char *map = mmap(NULL, 3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(map != MAP_FAILED);
    if (sigsetjmp(back, 1) == 0)
        map[5] = 1;
    else
        printf("read-only: offset %ld, SEGV_ACCERR %d\n", (long)((char *)last.si_addr - map), last.si_code == SEGV_ACCERR);
    expect(mprotect(map + page, page, PROT_NONE) == 0);
    if (sigsetjmp(back, 1) == 0)
        one = map[page + 7];
    else
        printf("no access: offset %ld, SEGV_ACCERR %d\n", (long)((char *)last.si_addr - map - page), last.si_code == SEGV_ACCERR);
    expect(mprotect(map, page, PROT_READ | PROT_WRITE) == 0);
    memcpy(map, "\xc3", 1);
    if (sigsetjmp(back, 1) == 0)
        ((void (*)(void))map)();
    else
        printf("not executable: offset %ld, SEGV_ACCERR %d, fetched there %d\n", (long)((char *)last.si_addr - map),
               last.si_code == SEGV_ACCERR, fault_ip == (unsigned long)map);
    expect(mprotect(map, page, PROT_READ | PROT_EXEC) == 0);
    ((void (*)(void))map)();
    printf("executable: came back\n");
    if (sigsetjmp(back, 1) == 0)
        one = *(volatile char *)0x8000000000001234;
    else
        printf("non-canonical: address %p, SI_KERNEL %d\n", last.si_addr, last.si_code == SI_KERNEL);
    if (sigsetjmp(back, 1) == 0)
        one = one / zero;
    else
        printf("division: FPE_INTDIV %d, address is the instruction's %d\n", last.si_code == FPE_INTDIV,
               (unsigned long)last.si_addr == fault_ip);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("ud2");
    else
        printf("ud2: ILL_ILLOPN %d, address is the instruction's %d\n", last.si_code == ILL_ILLOPN,
               (unsigned long)last.si_addr == fault_ip);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("hlt");
    else
        printf("hlt: SIGSEGV %d, SI_KERNEL %d\n", last.si_signo == SIGSEGV, last.si_code == SI_KERNEL);
    if (sigsetjmp(back, 1) == 0)
        __asm__ volatile("int3");
    else
        printf("int3: SIGTRAP %d, SI_KERNEL %d\n", last.si_signo == SIGTRAP, last.si_code == SI_KERNEL);

    traps();

    // A handler that repairs: each page's first write faults once.
    install(SIGSEGV, repair);
    char *lazy = mmap(NULL, 64 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(lazy != MAP_FAILED);
    long sum = 0;
    for (int i = 0; i < 64; i++)
        lazy[i * page + i] = i;
    for (int i = 0; i < 64 * page; i++)
        sum += lazy[i];
    printf("repaired pages hold %ld\n", sum);

    install(SIGILL, skip);
    register long kept __asm__("r13") = 0x123456789;
    __asm__ volatile("ud2\n\tud2" : "+r"(kept));
    printf("skipped two instructions, r13 = %lx\n", kept);
    return one == 1 ? 0 : 1;
}
