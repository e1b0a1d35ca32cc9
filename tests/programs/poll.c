// poll and select on pipes: what is ready, what hangs up, how long it takes.
#include "expect.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}
static const char *events(short bits) {
    static char text[64];
    snprintf(text, sizeof text, "%s%s%s%s%s", bits & POLLIN ? " IN" : "", bits & POLLOUT ? " OUT" : "", bits & POLLHUP ? " HUP" : "",
             bits & POLLERR ? " ERR" : "", bits & POLLNVAL ? " NVAL" : "");
    return text;
}
static void show(const char *what, int fd) {
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    int ready = poll(&entry, 1, 0);
    printf("%s: %d%s\n", what, ready, events(entry.revents));
}
static void nothing(int signal) { (void)signal; }

int main(void) {
    int fds[2], more[2];
    char buffer[65536];
    expect(pipe2(fds, O_NONBLOCK) == 0);
    show("empty pipe, reader", fds[0]);
    show("empty pipe, writer", fds[1]);
    expect(write(fds[1], "x", 1) == 1);
    show("a byte, reader", fds[0]);
    memset(buffer, 'f', sizeof buffer);
    while (write(fds[1], buffer, 4096) > 0)
        ;
    show("full pipe, writer", fds[1]);
    close(fds[1]);
    show("writer closed, bytes left", fds[0]);
    while (read(fds[0], buffer, sizeof buffer) > 0)
        ;
    show("writer closed, empty", fds[0]);
    close(fds[0]);
    expect(pipe(fds) == 0);
    close(fds[0]);
    show("reader closed, writer", fds[1]);
    close(fds[1]);
    show("closed descriptor", 99);
    show("null", open("/dev/null", O_RDWR));
    char name[] = "/tmp/chestnut-poll-XXXXXX";
    show("file", mkstemp(name));
    expect(unlink(name) == 0);
    struct pollfd skipped = {-1, POLLIN, POLLIN};
    expect(poll(&skipped, 1, 0) == 0 && skipped.revents == 0);

    // Time: not too early, and the event ends it.
    expect(pipe(fds) == 0 && pipe(more) == 0);
    struct pollfd entries[2] = {{fds[0], POLLIN, 0}, {more[0], POLLIN, 0}};
    long long start = now();
    expect(poll(entries, 2, 40) == 0 && now() - start >= 40);
    expect(poll(NULL, 0, 10) == 0);
    if (fork() == 0) {
        usleep(30000);
        expect(write(more[1], "m", 1) == 1);
        _exit(0);
    }
    expect(poll(entries, 2, -1) == 1);
    printf("first%s, second%s\n", events(entries[0].revents), entries[1].revents == POLLIN ? " IN" : " nonsense");
    wait(NULL);

    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(fds[0], &readable);
    FD_SET(more[0], &readable);
    FD_SET(fds[1], &writable);
    struct timeval time = {1, 0};
    int ready = select(100, &readable, &writable, NULL, &time);
    printf("select: %d ready, first %d, second %d, writer %d\n", ready, FD_ISSET(fds[0], &readable) != 0, FD_ISSET(more[0], &readable) != 0,
           FD_ISSET(fds[1], &writable) != 0);
    FD_ZERO(&readable);
    FD_SET(fds[0], &readable);
    time.tv_sec = 0;
    time.tv_usec = 20000;
    start = now();
    expect(select(fds[0] + 1, &readable, NULL, NULL, &time) == 0 && now() - start >= 20 && !FD_ISSET(fds[0], &readable));
    // Below 64: Linux looks at no descriptor beyond the process's table, whose least size that is, and would wait for ever.
    FD_SET(63, &readable);
    expect(select(64, &readable, NULL, NULL, NULL) == -1 && errno == EBADF);

    // Signals: ppoll lets in what is blocked, and is never restarted.
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    expect(sigaction(SIGUSR1, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    raise(SIGUSR1);
    struct timespec second = {5, 0};
    expect(ppoll(entries, 1, &second, &none) == -1 && errno == EINTR);
    raise(SIGUSR1);
    FD_ZERO(&readable);
    FD_SET(fds[0], &readable);
    expect(pselect(fds[0] + 1, &readable, NULL, NULL, &second, &none) == -1 && errno == EINTR);
    printf("signals end ppoll and pselect\n");

    // Two processes play through a pair of pipes, each waiting by poll.
    int there[2], back[2], rounds = 300;
    expect(pipe(there) == 0 && pipe(back) == 0);
    if (fork() == 0) {
        struct pollfd entry = {there[0], POLLIN, 0};
        for (int i = 0; i < rounds; i++) {
            unsigned char ball;
            expect(poll(&entry, 1, -1) == 1 && read(there[0], &ball, 1) == 1);
            ball++;
            expect(write(back[1], &ball, 1) == 1);
        }
        _exit(0);
    }
    unsigned char ball = 0;
    struct pollfd entry = {back[0], POLLIN, 0};
    for (int i = 0; i < rounds; i++) {
        expect(write(there[1], &ball, 1) == 1 && poll(&entry, 1, -1) == 1 && read(back[0], &ball, 1) == 1);
        ball++;
    }
    int status;
    expect(wait(&status) > 0 && status == 0);
    printf("the ball says %d\n", ball);
    return 0;
}
