// For every program here: a check that names what failed, and line-buffered output, so that fork doesn't print twice.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define expect(condition)                                                                      \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            dprintf(1, "%s:%d: not so: %s (errno %d)\n", __FILE_NAME__, __LINE__, #condition, errno); \
            _exit(99);                                                                         \
        }                                                                                      \
    } while (0)

__attribute__((constructor)) static void buffer_lines(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
