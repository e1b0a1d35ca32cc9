// timerfd: relative and absolute, repeated, disarmed, polled, refused.
#include "expect.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <stdint.h>
#include <time.h>

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}
static struct itimerspec setting(long value, long interval) {
    struct itimerspec spec = {{interval / 1000, interval % 1000 * 1000000}, {value / 1000, value % 1000 * 1000000}};
    return spec;
}
static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }

int main(void) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    uint64_t count;
    struct itimerspec spec, old;
    expect(timer >= 0 && fcntl(timer, F_GETFD) == FD_CLOEXEC && (fcntl(timer, F_GETFL) & O_NONBLOCK));
    refuse("disarmed", read(timer, &count, 8));
    spec = setting(30, 0);
    long long start = now();
    expect(timerfd_settime(timer, 0, &spec, &old) == 0 && old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    refuse("too early", read(timer, &count, 8));
    expect(timerfd_gettime(timer, &spec) == 0 && spec.it_value.tv_sec == 0 && spec.it_value.tv_nsec > 0 && spec.it_value.tv_nsec <= 30000000);
    struct pollfd entry = {timer, POLLIN, 0};
    expect(poll(&entry, 1, -1) == 1 && entry.revents == POLLIN && now() - start >= 30);
    refuse("short buffer", read(timer, &count, 7));
    expect(read(timer, &count, 8) == 8);
    printf("expired %d time\n", (int)count);
    refuse("read again", read(timer, &count, 8));

    spec = setting(10, 10);
    expect(timerfd_settime(timer, 0, &spec, NULL) == 0);
    usleep(35000);
    expect(read(timer, &count, 8) == 8 && count >= 3);
    expect(fcntl(timer, F_SETFL, 0) == 0 && read(timer, &count, 8) == 8 && count >= 1);
    spec = setting(0, 10);
    expect(timerfd_settime(timer, 0, &spec, &old) == 0 && old.it_interval.tv_nsec == 10000000);
    expect(poll(&entry, 1, 25) == 0);
    printf("disarmed with an interval\n");

    // Absolute, in the past and soon, on both clocks.
    int clocks[2] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    for (int i = 0; i < 2; i++) {
        int absolute = timerfd_create(clocks[i], 0);
        struct itimerspec at = {{0, 0}, {0, 1}};
        expect(timerfd_settime(absolute, TFD_TIMER_ABSTIME, &at, NULL) == 0 && read(absolute, &count, 8) == 8 && count == 1);
        clock_gettime(clocks[i], &at.it_value);
        at.it_value.tv_nsec += 20000000;
        if (at.it_value.tv_nsec >= 1000000000)
            at.it_value.tv_sec++, at.it_value.tv_nsec -= 1000000000;
        start = now();
        expect(timerfd_settime(absolute, TFD_TIMER_ABSTIME, &at, NULL) == 0 && read(absolute, &count, 8) == 8 && count == 1);
        expect(now() - start >= 19);
        close(absolute);
    }
    printf("absolute\n");

    // In an epoll set, by levels and edges.
    int epoll = epoll_create1(0), second = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 1}, found[4];
    expect(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0);
    event.data.u32 = 2, event.events = EPOLLIN | EPOLLET;
    expect(epoll_ctl(epoll, EPOLL_CTL_ADD, second, &event) == 0);
    spec = setting(20, 0);
    expect(timerfd_settime(timer, 0, &spec, NULL) == 0);
    spec = setting(60, 0);
    expect(timerfd_settime(second, 0, &spec, NULL) == 0);
    int ready = epoll_wait(epoll, found, 4, -1);
    printf("epoll: %d, timer %u\n", ready, found[0].data.u32);
    expect(read(timer, &count, 8) == 8);
    ready = epoll_wait(epoll, found, 4, 5000);
    printf("epoll: %d, timer %u\n", ready, found[0].data.u32);
    ready = epoll_wait(epoll, found, 4, 0);
    printf("the edge has passed: %d\n", ready);
    expect(read(second, &count, 8) == 8);

    refuse("clock", timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    refuse("flags", timerfd_create(CLOCK_MONOTONIC, 1));
    spec.it_value.tv_nsec = 1000000000;
    refuse("nanoseconds", timerfd_settime(timer, 0, &spec, NULL));
    spec = setting(1, 0);
    refuse("set flags", timerfd_settime(timer, 8, &spec, NULL));
    refuse("no timer", timerfd_settime(epoll, 0, &spec, NULL));
    refuse("bad setting", syscall(SYS_timerfd_settime, timer, 0, 8, NULL));
    refuse("write", write(timer, &count, 8));
    return 0;
}
