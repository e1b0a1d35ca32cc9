// Signals for files: F_SETOWN and its relatives, O_ASYNC on pipes, sockets and terminals, F_SETSIG, F_NOTIFY; pidfd_send_signal by
// a directory of /proc.
#include "expect.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static siginfo_t last;
static volatile sig_atomic_t count;
static volatile pid_t taker;

static void record(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    last = *info;
    taker = gettid();
    count++;
}
static void catch(int signal) {
    struct sigaction action = {.sa_sigaction = record, .sa_flags = SA_SIGINFO | SA_RESTART};
    expect(sigaction(signal, &action, NULL) == 0);
}
static void say(const char *what, int descriptor) {
    printf("%s: %d", what, count);
    if (count) {
        printf(" signal %d code %d", last.si_signo - (last.si_signo >= SIGRTMIN ? SIGRTMIN : 0), last.si_code);
        if (last.si_code > 0 && last.si_code < 128)
            printf(" band %lx own descriptor %d", last.si_band, last.si_fd == descriptor);
    }
    printf("\n");
    count = 0;
}
static void asynchronous(int descriptor, int on) {
    int flags = fcntl(descriptor, F_GETFL);
    expect(flags != -1 && fcntl(descriptor, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC) == 0);
}

static void owners(void) {
    int ends[2];
    struct f_owner_ex owner = {7, 7};
    expect(pipe(ends) == 0 && fcntl(ends[0], F_GETOWN) == 0 && fcntl(ends[0], F_GETSIG) == 0);
    expect(fcntl(ends[0], F_GETOWN_EX, &owner) == 0);
    printf("nobody: %d %d\n", owner.type, owner.pid);
    expect(fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_GETOWN) == getpid());
    expect(fcntl(ends[0], F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PID && owner.pid == getpid());
    expect(fcntl(ends[0], F_SETOWN, -getpgrp()) == 0 && fcntl(ends[0], F_GETOWN) == -getpgrp());
    owner = (struct f_owner_ex){F_OWNER_TID, gettid()};
    expect(fcntl(ends[0], F_SETOWN_EX, &owner) == 0 && fcntl(ends[0], F_GETOWN) == gettid());
    owner.type = 3;
    expect(fcntl(ends[0], F_SETOWN_EX, &owner) == -1 && errno == EINVAL);
    expect(fcntl(ends[0], F_SETOWN, 4000000) == -1 && errno == ESRCH);
    expect(fcntl(ends[0], F_SETOWN, -4000000) == -1 && errno == ESRCH);
    expect(fcntl(ends[0], F_SETSIG, 65) == -1 && errno == EINVAL);
    expect(fcntl(ends[0], F_SETSIG, SIGUSR1) == 0 && fcntl(ends[0], F_GETSIG) == SIGUSR1 && fcntl(ends[1], F_GETSIG) == 0);
    // An owner that has gone is no owner.
    pid_t child = fork();
    if (child == 0)
        pause();
    expect(fcntl(ends[0], F_SETOWN, child) == 0 && fcntl(ends[0], F_GETOWN) == child);
    expect(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    expect(fcntl(ends[0], F_GETOWN_EX, &owner) == 0);
    printf("gone: %d\n", owner.pid);
    asynchronous(ends[0], 1);
    expect(write(ends[1], "x", 1) == 1);
    say("to nobody", ends[0]);
    int place = open("/tmp", O_PATH);
    expect(fcntl(place, F_SETOWN, getpid()) == -1 && errno == EBADF);
    close(ends[0]), close(ends[1]), close(place);
}

static void pipes(void) {
    int ends[2];
    char byte;
    expect(pipe(ends) == 0);
    asynchronous(ends[0], 1);
    expect(write(ends[1], "x", 1) == 1);
    say("no owner", ends[0]);
    expect(fcntl(ends[0], F_SETOWN, getpid()) == 0 && write(ends[1], "x", 1) == 1);
    say("plain", ends[0]);
    expect(fcntl(ends[0], F_SETSIG, SIGRTMIN) == 0 && write(ends[1], "x", 1) == 1);
    say("queued", ends[0]);
    expect(fcntl(ends[0], F_SETSIG, SIGIO) == 0 && write(ends[1], "x", 1) == 1);
    say("by name", ends[0]);
    asynchronous(ends[0], 0);
    expect(write(ends[1], "x", 1) == 1);
    say("off", ends[0]);
    expect(fcntl(ends[0], F_SETSIG, SIGRTMIN + 1) == 0);
    asynchronous(ends[0], 1);
    close(ends[1]);
    say("closed", ends[0]);
    while (read(ends[0], &byte, 1) == 1)
        ;
    close(ends[0]);
    // Room after the pipe was full.
    static char much[65536];
    expect(pipe(ends) == 0 && write(ends[1], much, sizeof much) == sizeof much);
    expect(fcntl(ends[1], F_SETOWN, getpid()) == 0 && fcntl(ends[1], F_SETSIG, SIGRTMIN) == 0);
    asynchronous(ends[1], 1);
    expect(read(ends[0], much, sizeof much) == sizeof much);
    say("room", ends[1]);
    close(ends[0]), close(ends[1]);
}

static void others(void) {
    int pair[2], master, slave, on = 1;
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    int own = getpid();
    expect(ioctl(pair[0], FIOSETOWN, &own) == 0 && ioctl(pair[0], FIOASYNC, &on) == 0);
    own = 0;
    expect(ioctl(pair[0], FIOGETOWN, &own) == 0 && own == getpid() && fcntl(pair[0], F_GETFL) & O_ASYNC);
    expect(fcntl(pair[0], F_SETSIG, SIGRTMIN) == 0 && write(pair[1], "x", 1) == 1);
    count = count > 0;
    say("socket", pair[0]);
    close(pair[0]), close(pair[1]);

    expect(openpty(&master, &slave, NULL, NULL, NULL) == 0);
    expect(fcntl(slave, F_SETOWN, getpid()) == 0 && fcntl(slave, F_SETSIG, SIGRTMIN) == 0);
    asynchronous(slave, 1);
    expect(write(master, "line\n", 5) == 5);
    // The line goes through the terminal first, where Linux lets another thread do that.
    for (int tries = 0; tries < 500 && !count; tries++)
        usleep(10000);
    count = count > 0;
    say("terminal", slave);
    asynchronous(slave, 0);
    close(master), close(slave);
    usleep(100000);
    count = 0;

    // These give no notice, whatever is asked for.
    int counter = eventfd(0, 0), file = open("/tmp/notice", O_CREAT | O_RDWR, 0600);
    for (int which = 0; which < 2; which++) {
        int descriptor = which ? file : counter;
        expect(fcntl(descriptor, F_SETOWN, getpid()) == 0);
        asynchronous(descriptor, 1);
        expect(write(descriptor, "12345678", 8) == 8 && !(fcntl(descriptor, F_GETFL) & O_ASYNC));
        expect(ioctl(descriptor, FIOASYNC, &on) == -1 && errno == ENOTTY);
    }
    say("silent", counter);
    close(counter), close(file), unlink("/tmp/notice");

    int watch = inotify_init();
    expect(inotify_add_watch(watch, "/tmp", IN_CREATE) > 0 && fcntl(watch, F_SETOWN, getpid()) == 0);
    asynchronous(watch, 1);
    close(open("/tmp/notice", O_CREAT | O_RDWR, 0600));
    say("inotify", watch);
    unlink("/tmp/notice"), close(watch);
}

static pid_t second;
static int two[2];
static void *other_thread(void *unused) {
    __atomic_store_n(&second, gettid(), __ATOMIC_RELEASE);
    poll(NULL, 0, 60000);
    return unused;
}
static void threads(void) {
    pthread_t thread;
    expect(pthread_create(&thread, NULL, other_thread, NULL) == 0);
    while (!__atomic_load_n(&second, __ATOMIC_ACQUIRE))
        usleep(1000);
    struct f_owner_ex owner = {F_OWNER_TID, second};
    expect(pipe(two) == 0 && fcntl(two[0], F_SETOWN_EX, &owner) == 0 && fcntl(two[0], F_SETSIG, SIGRTMIN) == 0);
    asynchronous(two[0], 1);
    expect(write(two[1], "x", 1) == 1 && pthread_join(thread, NULL) == 0);
    printf("thread: %d, its own %d\n", count, taker == second);
    count = 0;
    close(two[0]), close(two[1]);

    // The child's write signals the whole group.
    int ends[2], status;
    pid_t leader = fork();
    if (leader != 0) {
        expect(waitpid(leader, &status, 0) == leader && status == 0);
        return;
    }
    expect(pipe(ends) == 0 && setpgid(0, 0) == 0 && fcntl(ends[0], F_SETOWN, -getpid()) == 0);
    asynchronous(ends[0], 1);
    pid_t child = fork();
    if (child == 0) {
        expect(write(ends[1], "x", 1) == 1);
        _exit(count);
    }
    while (waitpid(child, &status, 0) == -1)
        expect(errno == EINTR);
    printf("group: parent %d, child %d\n", count, WEXITSTATUS(status));
    _exit(0);
}

static void directories(void) {
    expect(mkdir("/tmp/noticed", 0700) == 0);
    int folder = open("/tmp/noticed", O_RDONLY), file = open("/tmp/noticed/one", O_CREAT | O_RDWR, 0600);
    expect(fcntl(file, F_NOTIFY, DN_CREATE) == -1 && errno == ENOTDIR);
    expect(fcntl(folder, F_SETSIG, SIGRTMIN) == 0 && fcntl(folder, F_NOTIFY, DN_CREATE) == 0);
    expect(fcntl(folder, F_GETOWN) == getpid());
    expect(write(file, "x", 1) == 1);
    say("not asked for", folder);
    close(open("/tmp/noticed/two", O_CREAT | O_RDWR, 0600));
    say("created", folder);
    close(open("/tmp/noticed/three", O_CREAT | O_RDWR, 0600));
    say("once only", folder);
    expect(fcntl(folder, F_NOTIFY, DN_MODIFY | DN_DELETE | DN_MULTISHOT) == 0);
    expect(write(file, "x", 1) == 1);
    say("modified", folder);
    unlink("/tmp/noticed/two"), unlink("/tmp/noticed/three");
    say("deleted", folder);
    expect(fcntl(folder, F_NOTIFY, 0) == 0);
    unlink("/tmp/noticed/one");
    say("ended", folder);
    close(file), close(folder);
    expect(rmdir("/tmp/noticed") == 0);
}

static void by_directory(void) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", getpid());
    int process = open(path, O_DIRECTORY | O_CLOEXEC);
    expect(process >= 0 && syscall(SYS_pidfd_send_signal, process, SIGUSR1, NULL, 0) == 0);
    say("by directory", -1);
    close(process);
    process = open("/proc", O_DIRECTORY);
    expect(syscall(SYS_pidfd_send_signal, process, SIGUSR1, NULL, 0) == -1 && errno == EBADF);
    close(process);
    cpu_set_t set;
    expect(sched_getaffinity(-1, sizeof set, &set) == -1 && errno == ESRCH);
    expect(sched_setaffinity(-1, sizeof set, &set) == -1 && errno == ESRCH);
}

int main(void) {
    catch(SIGIO), catch(SIGUSR1), catch(SIGRTMIN), catch(SIGRTMIN + 1);
    owners();
    pipes();
    others();
    threads();
    directories();
    by_directory();
    return 0;
}
