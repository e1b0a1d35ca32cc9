// Ends by an undefined instruction: SIGILL.
#include "expect.h"
int main(void) {
    printf("about to execute ud2\n");
    __asm__ volatile("ud2");
    return 0;
}
