// epoll: levels, edges, one-shots, nesting, what is refused, what happens to closed files, waiting with a mask.
#include "expect.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}
static int control(int epoll, int operation, int fd, unsigned events, unsigned long long data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epoll, operation, fd, &event);
}
static void show(const char *what, int epoll, int most) {
    struct epoll_event events[16];
    int count = epoll_wait(epoll, events, most, 0);
    printf("%s: %d", what, count);
    for (int i = 0; i < count; i++)
        printf(" %llx:%x", (unsigned long long)events[i].data.u64, events[i].events);
    printf("%s\n", count < 0 ? strerror(errno) : "");
}
static void refuse(const char *what, int result) { printf("%s: %d %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static void nothing(int signal) { (void)signal; }

static void *write_later(void *fd) {
    usleep(30000);
    expect(write((int)(long)fd, "x", 1) == 1);
    return NULL;
}

int main(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC), fds[2], more[2];
    char buffer[4096];
    expect(epoll >= 0 && fcntl(epoll, F_GETFD) == FD_CLOEXEC);
    expect(pipe2(fds, O_NONBLOCK) == 0 && pipe2(more, O_NONBLOCK) == 0);

    // Levels.
    expect(control(epoll, EPOLL_CTL_ADD, fds[0], EPOLLIN, 0x1122334455667788) == 0);
    show("nothing", epoll, 16);
    expect(write(fds[1], "ab", 2) == 2);
    show("level", epoll, 16);
    show("level again", epoll, 16);
    expect(read(fds[0], buffer, 1) == 1);
    show("a byte left", epoll, 16);
    expect(read(fds[0], buffer, 1) == 1);
    show("empty", epoll, 16);

    // Edges.
    expect(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET, 2) == 0);
    expect(write(fds[1], "ab", 2) == 2);
    show("edge", epoll, 16);
    show("edge again", epoll, 16);
    expect(write(fds[1], "c", 1) == 1);
    show("another edge", epoll, 16);
    expect(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET, 3) == 0);
    show("changed, so looked at", epoll, 16);
    expect(read(fds[0], buffer, sizeof buffer) == 3);

    // One-shots.
    expect(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT, 4) == 0);
    expect(write(fds[1], "a", 1) == 1);
    show("one-shot", epoll, 16);
    expect(write(fds[1], "b", 1) == 1);
    show("silent", epoll, 16);
    expect(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT, 5) == 0);
    show("armed again", epoll, 16);

    // Many members, in turn.
    expect(control(epoll, EPOLL_CTL_ADD, fds[1], EPOLLOUT, 6) == 0 && control(epoll, EPOLL_CTL_ADD, more[1], EPOLLOUT | EPOLLHUP, 7) == 0);
    show("first of two", epoll, 1);
    show("second of two", epoll, 1);
    show("first again", epoll, 1);
    int copy = dup(more[1]);
    expect(control(epoll, EPOLL_CTL_ADD, copy, EPOLLOUT, 8) == 0);
    close(more[0]);
    struct epoll_event events[16];
    int count = epoll_wait(epoll, events, 16, 0), errors = 0;
    for (int i = 0; i < count; i++)
        errors += (events[i].events & EPOLLERR) != 0;
    printf("reader closed: %d events, %d errors\n", count, errors);
    close(copy);
    count = epoll_wait(epoll, events, 16, 0);
    printf("a copy closed, still there: %d\n", count);
    close(more[1]);
    show("both closed", epoll, 16);

    // What is refused.
    refuse("again", control(epoll, EPOLL_CTL_ADD, fds[0], EPOLLIN, 0));
    refuse("unknown", control(epoll, EPOLL_CTL_MOD, more[0], EPOLLIN, 0));
    refuse("not there", control(epoll, EPOLL_CTL_DEL, dup(fds[0]), 0, 0));
    refuse("itself", control(epoll, EPOLL_CTL_ADD, epoll, EPOLLIN, 0));
    refuse("operation", control(epoll, 17, fds[0], EPOLLIN, 0));
    refuse("no epoll", control(fds[0], EPOLL_CTL_ADD, fds[1], EPOLLIN, 0));
    refuse("bad event", syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_MOD, fds[0], 8));
    refuse("no room", epoll_wait(epoll, events, 0, 0));
    refuse("too much room", syscall(SYS_epoll_wait, epoll, events, 0x7fffffff, 0));
    refuse("wait on a pipe", epoll_wait(fds[0], events, 1, 0));
    refuse("size", syscall(SYS_epoll_create, 0));
    refuse("flags", epoll_create1(1));
    refuse("bad place", syscall(SYS_epoll_wait, epoll, 8, 1, 0));
    char name[] = "/tmp/chestnut-epoll-XXXXXX";
    int file = mkstemp(name);
    expect(unlink(name) == 0);
    refuse("regular file", control(epoll, EPOLL_CTL_ADD, file, EPOLLIN, 0));
    refuse("directory", control(epoll, EPOLL_CTL_ADD, open("/", O_RDONLY | O_DIRECTORY), EPOLLIN, 0));
    refuse("exclusive, changed", control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLEXCLUSIVE, 0));
    refuse("exclusive one-shot", control(epoll, EPOLL_CTL_ADD, more[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0));

    // Nesting.
    int outer = epoll_create1(0), event = eventfd(0, EFD_NONBLOCK);
    expect(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[1], NULL) == 0);
    expect(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[0], NULL) == 0);
    expect(control(epoll, EPOLL_CTL_ADD, event, EPOLLIN, 9) == 0);
    expect(control(outer, EPOLL_CTL_ADD, epoll, EPOLLIN, 10) == 0);
    show("outer, nothing", outer, 16);
    expect(eventfd_write(event, 1) == 0);
    show("outer", outer, 16);
    show("inner", epoll, 16);
    refuse("circle", control(epoll, EPOLL_CTL_ADD, outer, EPOLLIN, 0));
    int chain = outer;
    for (int i = 0; i < 6; i++) {
        int next = epoll_create1(0), result = control(next, EPOLL_CTL_ADD, chain, EPOLLIN, i);
        printf("chain %d: %d\n", i, result);
        chain = next;
    }
    eventfd_t value;
    expect(eventfd_read(event, &value) == 0);

    // Time, and somebody else's write.
    long long start = now();
    expect(epoll_wait(epoll, events, 16, 40) == 0 && now() - start >= 40);
    struct timespec time = {0, 30000000};
    start = now();
    expect(syscall(SYS_epoll_pwait2, epoll, events, 16, &time, NULL, 8) == 0 && now() - start >= 30);
    expect(read(fds[0], buffer, sizeof buffer) > 0);
    expect(control(epoll, EPOLL_CTL_ADD, fds[0], EPOLLIN | EPOLLET, 11) == 0);
    pthread_t writer;
    expect(pthread_create(&writer, NULL, write_later, (void *)(long)fds[1]) == 0);
    count = epoll_wait(epoll, events, 16, -1);
    printf("woken: %d %llu %x\n", count, (unsigned long long)events[0].data.u64, events[0].events);
    expect(pthread_join(writer, NULL) == 0);

    // Signals.
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    sigset_t none, blocked;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    expect(sigaction(SIGUSR1, &action, NULL) == 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    raise(SIGUSR1);
    refuse("blocked", epoll_wait(epoll, events, 16, 10));
    refuse("let in", epoll_pwait(epoll, events, 16, 5000, &none));
    raise(SIGUSR1);
    refuse("bad room with a mask", epoll_pwait(epoll, events, 0, 0, &none));
    sigset_t pending;
    expect(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    refuse("mask's size", syscall(SYS_epoll_pwait, epoll, events, 16, 0, &none, 4));

    // Across fork: the set is the same.
    if (fork() == 0) {
        expect(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN, 12) == 0);
        _exit(0);
    }
    int status;
    expect(wait(&status) > 0 && status == 0);
    show("changed by the child", epoll, 16);
    // A thousand members, each with an event.
    int many = epoll_create1(0);
    for (int i = 0; i < 200; i++)
        expect(control(many, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN | EPOLLET, i) == 0);
    unsigned long long sum = 0, total = 0;
    while ((count = epoll_wait(many, events, 16, 0)) > 0)
        for (int i = 0; i < count; i++, total++)
            sum += events[i].data.u64;
    printf("many: %llu events, sum %llu\n", total, sum);
    return 0;
}
