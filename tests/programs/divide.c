// Ends by dividing by zero: SIGFPE.
#include "expect.h"
int main(void) {
    volatile int one = 1, zero = 0;
    printf("about to divide by zero\n");
    return one / zero;
}
