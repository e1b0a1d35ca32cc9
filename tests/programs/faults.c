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
