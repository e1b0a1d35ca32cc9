// Ends by reading through a null pointer: SIGSEGV.
#include "expect.h"
int main(void) {
    printf("about to read address 0\n");
    volatile int *volatile nothing = NULL;
    return *nothing;
}
