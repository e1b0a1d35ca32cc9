// Runs out of memory: malloc gives NULL under RLIMIT_AS, everything freed is usable again, and the program goes on.
#include "expect.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

int main(void) {
    struct rlimit limit = {64 << 20, 64 << 20};
    expect(setrlimit(RLIMIT_AS, &limit) == 0);
    expect(getrlimit(RLIMIT_AS, &limit) == 0);
    printf("limit %lu MB\n", (unsigned long)limit.rlim_cur >> 20);
    for (int round = 1; round <= 3; round++) {
        static char *blocks[1000];
        int count = 0;
        errno = 0;
        while (count < 1000 && (blocks[count] = malloc(300000)) != NULL) {
            memset(blocks[count], round, 300000);
            count++;
        }
        printf("round %d: %s, errno ENOMEM %d\n", round, count > 150 && count < 1000 ? "out of memory" : "wrong number", errno == ENOMEM);
        while (count > 0) {
            expect(blocks[count - 1][299999] == round);
            free(blocks[--count]);
        }
    }
    expect(mmap(NULL, 1ul << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    expect(malloc(1ul << 46) == NULL);
    void *top = sbrk(0);
    expect(sbrk(100 << 20) == (void *)-1 && errno == ENOMEM && sbrk(0) == top);
    printf("still alive\n");
    return 0;
}
