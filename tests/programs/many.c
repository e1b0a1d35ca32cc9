// More processes at once than one ASID pool of the microkernel has room for, each with memory of its own.
#include "expect.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { COUNT = 700 };

int main(void) {
    static pid_t children[COUNT];
    static volatile int number;
    int go[2], ready[2];
    expect(pipe(go) == 0 && pipe(ready) == 0);
    for (int i = 0; i < COUNT; i++) {
        number = i;
        children[i] = fork();
        if (children[i] < 0) {
            dprintf(1, "only %d processes (errno %d)\n", i, errno);
            return 1;
        }
        if (children[i] == 0) {
            char byte;
            close(go[1]);
            number += 1;
            expect(write(ready[1], "x", 1) == 1);
            expect(read(go[0], &byte, 1) == 0);
            _exit(number == i + 1 ? i % 100 : 101);
        }
    }
    char byte;
    for (int i = 0; i < COUNT; i++)
        expect(read(ready[0], &byte, 1) == 1);
    close(go[1]);
    int right = 0, status;
    for (int i = 0; i < COUNT; i++)
        right += waitpid(children[i], &status, 0) == children[i] && WEXITSTATUS(status) == i % 100;
    printf("%d processes at once\n", right);
    return 0;
}
