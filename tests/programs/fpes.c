// Floating-point exceptions that a program has unmasked, in SSE and in the old unit: what the signal says of them.
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

// Mask bits as in MXCSR, shifted to the place of the flags.
static void sse(unsigned unmasked, double a, char operation, double b) {
    unsigned plain = 0x1f80, control = 0x1f80 & ~(unmasked << 7);
    if (sigsetjmp(back, 1) == 0) {
        volatile double x = a, y = b, result;
        __asm__ volatile("ldmxcsr %0" ::"m"(control));
        result = operation == '/' ? x / y : operation == '*' ? x * y : x - y;
        __asm__ volatile("ldmxcsr %0" ::"m"(plain));
        printf("sse: no signal, %g\n", result);
    } else {
        __asm__ volatile("ldmxcsr %0" ::"m"(plain));
        printf("sse: %s, address %d\n", name(code), has_address);
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
    sse(0, 1, '/', 0);
    sse(1 << 2, 1, '/', 0);
    sse(1 << 0, 0, '/', 0);
    sse(1 << 3, 1e300, '*', 1e300);
    sse(1 << 4, 1e-300, '*', 1e-300);
    sse(1 << 5, 1, '/', 3);
    sse(1 << 3, 1, '/', 0);
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
