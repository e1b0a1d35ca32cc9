// Floating-point exceptions that a program has unmasked in the x87 unit: what the signal says of them. (The emulator raises none
// for SSE.)
#include "expect.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

static sigjmp_buf back;
static volatile int code, has_address;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    code = info->si_code;
    has_address = info->si_addr != NULL;
    siglongjmp(back, 1);
}

static const char *name(int code) {
    switch (code) {
    case FPE_INTDIV: return "integer division";
    case FPE_FLTDIV: return "division";
    case FPE_FLTOVF: return "overflow";
    case FPE_FLTUND: return "underflow";
    case FPE_FLTRES: return "inexact";
    case FPE_FLTINV: return "invalid";
    default: return "?";
    }
}

static void x87(unsigned unmasked, long double a, char operation, long double b) {
    uint16_t control = 0x37f & ~unmasked;
    if (sigsetjmp(back, 1) == 0) {
        volatile long double x = a, y = b, result;
        __asm__ volatile("fninit; fldcw %0" ::"m"(control));
        result = operation == '/' ? x / y : x * y;
        __asm__ volatile("fwait");
        __asm__ volatile("fninit");
        printf("x87: no signal, %d\n", result == result);
    } else {
        __asm__ volatile("fninit");
        printf("x87: %s, address %d\n", name(code), has_address);
    }
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    expect(sigaction(SIGFPE, &action, NULL) == 0);
    x87(1 << 2, 1, '/', 0);
    x87(1 << 0, 0, '/', 0);
    x87(1 << 5, 1, '/', 3);
    x87(1 << 1, 1, '/', 0);
    volatile int zero = 0, one = 1;
    if (sigsetjmp(back, 1) == 0)
        printf("%d\n", one / zero);
    else
        printf("%s, address %d\n", name(code), has_address);
    return 0;
}
