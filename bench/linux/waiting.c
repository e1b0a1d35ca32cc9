/* Signals, and waiting for many descriptors at once. */
#include "bench.h"
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TIMES 100
#define MANY 100

static volatile int handled;

static void handler(int signal)
{
    handled = signal;
}

static void signal_install(void)
{
    struct sigaction action = {.sa_handler = handler};
    repeat(TIMES) {
        begin();
        int result = sigaction(SIGUSR1, &action, NULL);
        end();
        need(result == 0, "sigaction");
    }
}

static void signal_deliver(void)
{
    struct sigaction action = {.sa_handler = handler};
    need(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
    pid_t self = getpid();
    repeat(TIMES) {
        handled = 0;
        begin();
        kill(self, SIGUSR1);
        end();
        need(handled == SIGUSR1, "kill");
    }
}

static void signal_fault(void)
{
    struct sigaction action = {.sa_handler = handler};
    need(sigaction(SIGTRAP, &action, NULL) == 0, "sigaction");
    repeat(TIMES) {
        handled = 0;
        begin();
        __asm__ volatile("int3");
        end();
        need(handled == SIGTRAP, "int3");
    }
}

static void signal_mask(void)
{
    sigset_t set;
    sigemptyset(&set);
    repeat(TIMES) {
        begin();
        int result = sigprocmask(SIG_SETMASK, &set, NULL);
        end();
        need(result == 0, "sigprocmask");
    }
}

/* Reading ends of as many pipes; the last one can be read. */
static void make_pipes(int *ends)
{
    int pair[2];
    for (int i = 0; i < MANY; i++) {
        need(pipe(pair) == 0, "pipe");
        ends[i] = pair[0];
    }
    need(write(pair[1], "", 1) == 1, "write");
}

static void select_100(void)
{
    int ends[MANY];
    make_pipes(ends);
    repeat(TIMES) {
        fd_set set;
        FD_ZERO(&set);
        for (int i = 0; i < MANY; i++)
            FD_SET(ends[i], &set);
        begin();
        int ready = select(ends[MANY - 1] + 1, &set, NULL, NULL, NULL);
        end();
        need(ready == 1, "select");
    }
}

static void poll_100(void)
{
    int ends[MANY];
    struct pollfd wanted[MANY];
    make_pipes(ends);
    for (int i = 0; i < MANY; i++)
        wanted[i] = (struct pollfd){.fd = ends[i], .events = POLLIN};
    repeat(TIMES) {
        begin();
        int ready = poll(wanted, MANY, -1);
        end();
        need(ready == 1, "poll");
    }
}

static void epoll_100(void)
{
    int ends[MANY], set = epoll_create1(0);
    struct epoll_event found[MANY];
    need(set >= 0, "epoll_create1");
    make_pipes(ends);
    for (int i = 0; i < MANY; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = ends[i]};
        need(epoll_ctl(set, EPOLL_CTL_ADD, ends[i], &event) == 0, "epoll_ctl");
    }
    repeat(TIMES) {
        begin();
        int ready = epoll_wait(set, found, MANY, -1);
        end();
        need(ready == 1, "epoll_wait");
    }
}

const struct row waiting[] = {
    {"signal-install", signal_install, "sigaction"},
    {"signal-mask", signal_mask, "sigprocmask"},
    {"signal-deliver", signal_deliver, "kill of oneself, the handler, its return"},
    {"signal-trap", signal_fault, "int3, the handler, its return"},
    {"select-100", select_100, "select of 100 pipes, one of them ready"},
    {"poll-100", poll_100, "poll of 100 pipes, one of them ready"},
    {"epoll-100", epoll_100, "epoll_wait of 100 pipes, one of them ready"},
    {0},
};
