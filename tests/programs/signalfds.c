// signalfd: signals that are read, what they carry, waiting for them by poll.
#include "expect.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

int main(void) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGRTMIN + 1);
    expect(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
    expect(signalfd(-1, &mask, 0x100) == -1 && errno == EINVAL);
    expect(signalfd(0, &mask, 0) == -1 && errno == EINVAL);
    expect(signalfd(77, &mask, 0) == -1 && errno == EBADF);
    int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    expect(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_NONBLOCK));

    struct signalfd_siginfo infos[4];
    expect(read(fd, infos, sizeof infos) == -1 && errno == EAGAIN);
    expect(read(fd, infos, 127) == -1 && errno == EINVAL);
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    expect(poll(&entry, 1, 0) == 0);

    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 5});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 6});
    expect(poll(&entry, 1, 0) == 1 && entry.revents == POLLIN);
    expect(read(fd, infos, sizeof infos) == 3 * sizeof *infos);
    for (int i = 0; i < 3; i++)
        printf("signal %d, code %d, value %d, own %d\n", infos[i].ssi_signo, infos[i].ssi_code, infos[i].ssi_int,
               infos[i].ssi_pid == (unsigned)getpid());
    expect(poll(&entry, 1, 0) == 0);

    // A child's end wakes who polls.
    pid_t pid = fork();
    if (pid == 0) {
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        _exit(9);
    }
    expect(poll(&entry, 1, 10000) == 1);
    expect(read(fd, infos, sizeof infos) == sizeof *infos);
    printf("child: signal %d, code %d, status %d, right %d\n", infos[0].ssi_signo, infos[0].ssi_code,
           infos[0].ssi_status, infos[0].ssi_pid == (unsigned)pid);
    expect(waitpid(pid, NULL, 0) == pid);

    // Other signals on the same descriptor; a blocking read.
    sigdelset(&mask, SIGUSR1);
    expect(signalfd(fd, &mask, 0) == fd);
    kill(getpid(), SIGUSR1);
    expect(poll(&entry, 1, 0) == 0);
    expect(fcntl(fd, F_SETFL, 0) == 0);
    if ((pid = fork()) == 0) {
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        sigqueue(getppid(), SIGRTMIN + 1, (union sigval){.sival_int = 7});
        pause();
    }
    expect(read(fd, infos, sizeof *infos) == sizeof *infos);
    printf("waited: signal %d, value %d\n", infos[0].ssi_signo, infos[0].ssi_int);
    kill(pid, SIGKILL);
    expect(waitpid(pid, NULL, 0) == pid);
    expect(write(fd, infos, sizeof *infos) == -1 && errno == EINVAL);
    return 0;
}
