// What a program has written over its arguments, as /proc/PID/cmdline shows it to ps: shorter titles, and longer ones that run into the
// environment; and whether it runs, as /proc/PID/stat has it.
#include "expect.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static void show(const char *what) {
    char text[256];
    int file = open("/proc/self/cmdline", O_RDONLY);
    ssize_t length = read(file, text, sizeof text);
    expect(file >= 0 && length >= 0 && close(file) == 0);
    printf("%s: %zd \"", what, length);
    for (ssize_t at = 0; at < length; at++)
        putchar(text[at] ? text[at] : '|');
    printf("\"\n");
}

static char state(const char *path) {
    char text[256] = "";
    int file = open(path, O_RDONLY);
    expect(file >= 0 && read(file, text, sizeof text - 1) > 0 && close(file) == 0);
    return strrchr(text, ')')[2];
}

int main(int argc, char **argv) {
    if (argc == 1) {
        char *arguments[] = {"titles", "one", "two", NULL};
        char *environment[] = {"A=some words", "B=more of them", NULL};
        execve("/proc/self/exe", arguments, environment);
        execve(argv[0], arguments, environment);
        _exit(98);
    }
    show("as started");
    // "titles", "one", "two" are 15 bytes; then comes the environment.
    expect(argv[2] + 4 == environ[0]);
    strcpy(argv[0], "short");
    show("short");
    memset(argv[0], 0, 15);
    show("empty");
    strcpy(argv[0], "fifteen letters");
    show("longer");
    strcpy(argv[0], "a title that goes on into B=more");
    show("much longer");
    memset(argv[0], 'x', 15 + strlen("A=some words") + 1 + strlen("B=more of them") + 1);
    show("all of it");

    printf("itself: %c\n", state("/proc/self/stat"));
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    while (state(path) != 'S')
        usleep(1000);
    printf("who waits: S\n");
    kill(pid, SIGSTOP);
    expect(waitpid(pid, NULL, WUNTRACED) == pid);
    printf("who is stopped: %c\n", state(path));
    kill(pid, SIGKILL);
    siginfo_t info;
    expect(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    printf("who has ended: %c\n", state(path));
    expect(waitpid(pid, NULL, 0) == pid);
    return 0;
}
