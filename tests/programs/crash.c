/* Programs that go wrong, each in its own way: crash HOW. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int zero = 0, thousand = 1000;
static const char constant[] = "read-only";

#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int overflow(int depth) {
    volatile char frame[4096];
    frame[0] = (char)depth;
    return overflow(depth + 1) + frame[0];
}

static void go_wrong(const char *how) {
    if (strcmp(how, "null") == 0) *(volatile int *)0 = 1;
    if (strcmp(how, "read-null") == 0) printf("%d\n", *(volatile int *)8);
    if (strcmp(how, "jump-null") == 0) ((void (*volatile)(void))0)();
    if (strcmp(how, "kernel") == 0) *(volatile long *)0xffffffff80000000 = 1;
    if (strcmp(how, "non-canonical") == 0) *(volatile long *)0x8000000000000000 = 1;
    if (strcmp(how, "divide") == 0) printf("%d\n", thousand / zero);
    if (strcmp(how, "illegal") == 0) __asm__ volatile("ud2");
    if (strcmp(how, "privileged") == 0) __asm__ volatile("hlt");
    if (strcmp(how, "breakpoint") == 0) __asm__ volatile("int3");
    if (strcmp(how, "constant") == 0) *(volatile char *)constant = 'x';
    if (strcmp(how, "stack") == 0) printf("%d\n", overflow(0));
    if (strcmp(how, "abort") == 0) abort();
    if (strcmp(how, "ports") == 0) __asm__ volatile("out %al, $0x80");
    if (strcmp(how, "memory") == 0) {
        for (;;) {
            char *more = malloc(1 << 20);
            if (more == NULL) kill(getpid(), SIGKILL);
            memset(more, 1, 1 << 20);
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    printf("going wrong: %s\n", argv[1]);
    fflush(stdout);
    if (argc > 2) {
        /* In a child, and then report how it ended. */
        pid_t child = fork();
        if (child == 0) {
            go_wrong(argv[1]);
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        printf("the child ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        return 0;
    }
    go_wrong(argv[1]);
    printf("nothing happened\n");
    return 1;
}
