// Prints what the time-stamp counter says, which began at 0 with the machine.
#include <stdio.h>
#include <x86intrin.h>

int main(void) {
    printf("%llu", (unsigned long long)__rdtsc());
    return 0;
}
