/*
 * Runs a program on a terminal of its own and plays what is in a file of steps, so that what it does there can be compared.
 *
 *     onterminal STEPS PROGRAM ARGUMENTS...
 *
 * A step a line:
 *     expect TEXT     waits until the program has written this (after what was found before)
 *     until TEXT      the same, and prints what it has written up to and with this
 *     send TEXT       types this; \r \n \t \e \\ \xHH as in C
 *     resize R C      changes the window's size
 *     pause MS        waits, for what shows nothing that could be expected
 *     close           hangs up
 *     end             waits for the program's end and prints how it ended (and what is left of its output: "rest")
 *     rest            what was written and not yet waited for, at the end
 * Waiting has a limit; then the program's output so far is printed and the status is 98.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 40000, MOST = 1 << 20 };

static char seen[MOST];
static size_t length, found;
static int master, ended;

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void show(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = text[i];
        if (c == '\n')
            printf("\\n\n");
        else if (c == '\r')
            printf("\\r");
        else if (c == '\033')
            printf("\\e");
        else if (c < ' ' || c >= 127)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

static int fail(const char *what)
{
    printf("\nfailed: %s; the program wrote:\n", what);
    show(seen + found, length - found);
    printf("\n");
    exit(98);
}

/* Reads what is there within so many milliseconds; false if nothing came. */
static int read_some(long wait)
{
    struct pollfd poll_master = { .fd = master, .events = POLLIN };
    if (ended || poll(&poll_master, 1, wait) <= 0)
        return 0;
    ssize_t count = read(master, seen + length, MOST - length);
    if (count <= 0) {
        ended = 1;
        return 0;
    }
    length += count;
    return 1;
}

static void wait_for(const char *text, size_t bytes, int print)
{
    long deadline = now() + LIMIT_MS;
    for (;;) {
        char *at = memmem(seen + found, length - found, text, bytes);
        if (at != NULL) {
            size_t end = at + bytes - seen;
            if (print) {
                show(seen + found, end - found);
                printf("|\n");
            }
            found = end;
            return;
        }
        long left = deadline - now();
        if (left <= 0)
            fail("waited for too long");
        if (!read_some(left) && ended && memmem(seen + found, length - found, text, bytes) == NULL)
            fail("the terminal's other side was closed before");
    }
}

/* Resolves escapes in place; returns the length. */
static size_t unescape(char *text)
{
    char *out = text;
    for (char *in = text; *in != 0; in++) {
        if (*in != '\\') {
            *out++ = *in;
            continue;
        }
        char hex[3] = { 0 };
        switch (*++in) {
        case 'r': *out++ = '\r'; break;
        case 'n': *out++ = '\n'; break;
        case 't': *out++ = '\t'; break;
        case 'e': *out++ = '\033'; break;
        case 'x':
            hex[0] = *++in;
            hex[1] = *++in;
            *out++ = strtol(hex, NULL, 16);
            break;
        default: *out++ = *in;
        }
    }
    return out - text;
}

static pid_t start(char **arguments)
{
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        perror("a pseudo-terminal");
        exit(97);
    }
    struct winsize size = { .ws_row = 24, .ws_col = 80 };
    ioctl(master, TIOCSWINSZ, &size);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        int slave = open(ptsname(master), O_RDWR);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
            _exit(97);
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        if (slave > 2)
            close(slave);
        setenv("TERM", "vt100", 1);
        setenv("PS1", "$ ", 1);
        execvp(arguments[0], arguments);
        perror(arguments[0]);
        _exit(127);
    }
    return child;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    FILE *steps = fopen(argv[1], "r");
    if (steps == NULL) {
        perror(argv[1]);
        return 2;
    }
    pid_t child = start(argv + 2);
    char line[1000];
    while (fgets(line, sizeof line, steps) != NULL) {
        line[strcspn(line, "\n")] = 0;
        char *text = strchr(line, ' ');
        if (text != NULL)
            *text++ = 0;
        else
            text = line + strlen(line);
        if (strcmp(line, "resize") == 0) {
            struct winsize size = { 0 };
            sscanf(text, "%hu %hu", &size.ws_row, &size.ws_col);
            ioctl(master, TIOCSWINSZ, &size);
        } else if (strcmp(line, "pause") == 0) {
            long until = now() + atol(text);
            for (long left; (left = until - now()) > 0 && !ended;)
                read_some(left);
        } else if (strcmp(line, "close") == 0) {
            close(master);
            ended = 1;
        } else if (strcmp(line, "end") == 0) {
            long deadline = now() + LIMIT_MS;
            int status;
            pid_t done;
            while ((done = waitpid(child, &status, WNOHANG)) == 0 && now() < deadline)
                ended ? (void)usleep(10000) : (void)read_some(10);
            if (done != child)
                fail("the program didn't end");
            while (read_some(0)) {
            }
            if (WIFEXITED(status))
                printf("ended with status %d\n", WEXITSTATUS(status));
            else
                printf("ended by signal %d\n", WTERMSIG(status));
        } else if (strcmp(line, "rest") == 0) {
            show(seen + found, length - found);
            printf("|\n");
            found = length;
        } else {
            size_t bytes = unescape(text);
            if (strcmp(line, "expect") == 0)
                wait_for(text, bytes, 0);
            else if (strcmp(line, "until") == 0)
                wait_for(text, bytes, 1);
            else if (strcmp(line, "send") == 0) {
                if (write(master, text, bytes) != (ssize_t)bytes)
                    fail("typing");
            } else if (*line != 0 && *line != '#') {
                printf("no such step: %s\n", line);
                return 2;
            }
        }
    }
    kill(child, SIGKILL);
    return 0;
}
