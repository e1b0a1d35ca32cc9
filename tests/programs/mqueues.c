// POSIX message queues: names, priorities, waiting, times, notices, limits.
#include "expect.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static char name[64], buffer[8192];
static int end_of(pid_t pid) {
    int status;
    expect(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
static void wake(int signal) { (void)signal; }

int main(void) {
    sprintf(name, "/chestnut-%d", getpid());
    struct mq_attr attributes = {.mq_maxmsg = 3, .mq_msgsize = 16}, got;
    expect(mq_open(name, O_RDWR) == -1 && errno == ENOENT && mq_unlink(name) == -1 && errno == ENOENT);
    expect(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL) == -1 && errno == EACCES);
    umask(022);
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0666, &attributes);
    expect(queue != -1 && fcntl(queue, F_GETFD) == FD_CLOEXEC && mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL) == -1 && errno == EEXIST);
    expect(mq_getattr(queue, &got) == 0 && got.mq_maxmsg == 3 && got.mq_msgsize == 16 && got.mq_curmsgs == 0 && got.mq_flags == O_NONBLOCK);
    attributes.mq_maxmsg = 0;
    expect(mq_open("/chestnut-none", O_RDWR | O_CREAT, 0600, &attributes) == -1 && errno == EINVAL);

    // The most urgent first, and of those the oldest.
    expect(mq_send(queue, "low", 4, 1) == 0 && mq_send(queue, "high", 5, 9) == 0 && mq_send(queue, "lower", 6, 1) == 0);
    expect(mq_send(queue, "more", 5, 1) == -1 && errno == EAGAIN && mq_send(queue, "x", 17, 1) == -1 && errno == EMSGSIZE);
    expect(mq_send(queue, "x", 1, 32768) == -1 && errno == EINVAL && mq_receive(queue, buffer, 15, NULL) == -1 && errno == EMSGSIZE);
    struct pollfd entry = {queue, POLLIN | POLLOUT, 0};
    expect(poll(&entry, 1, 0) == 1 && entry.revents == POLLIN);
    unsigned priority = 0;
    expect(mq_receive(queue, buffer, 16, &priority) == 5 && priority == 9 && strcmp(buffer, "high") == 0);
    expect(mq_receive(queue, buffer, 16, &priority) == 4 && priority == 1 && strcmp(buffer, "low") == 0 && mq_getattr(queue, &got) == 0 && got.mq_curmsgs == 1);
    expect(mq_receive(queue, buffer, 16, NULL) == 6 && mq_receive(queue, buffer, 16, NULL) == -1 && errno == EAGAIN);
    expect(poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT);

    // For one direction only; something that is no queue.
    mqd_t reader = mq_open(name, O_RDONLY), writer = mq_open(name, O_WRONLY);
    expect(mq_send(reader, "x", 1, 0) == -1 && errno == EBADF && mq_receive(writer, buffer, 16, NULL) == -1 && errno == EBADF);
    expect(mq_send(1, "x", 1, 0) == -1 && errno == EBADF && mq_getattr(0, &got) == -1 && errno == EBADF);

    // Blocking: times, another process, a signal.
    got.mq_flags = 0;
    expect(mq_setattr(queue, &got, NULL) == 0 && mq_getattr(queue, &got) == 0 && got.mq_flags == 0);
    got.mq_flags = O_APPEND;
    expect(syscall(SYS_mq_getsetattr, queue, &got, NULL) == -1 && errno == EINVAL);
    struct timespec until, wrong = {0, 1000000000};
    clock_gettime(CLOCK_REALTIME, &until);
    expect(mq_timedreceive(queue, buffer, 16, NULL, &until) == -1 && errno == ETIMEDOUT && mq_timedreceive(queue, buffer, 16, NULL, &wrong) == -1 && errno == EINVAL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(mq_receive(queue, buffer, 16, NULL) == 3 && strcmp(buffer, "to") == 0 ? 3 : 4);
    usleep(10000);
    expect(mq_send(queue, "to", 3, 0) == 0 && end_of(pid) == 3);
    for (int i = 0; i < 3; i++)
        expect(mq_send(queue, "full", 5, 0) == 0);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += until.tv_nsec < 900000000 ? 20000000 : 0;
    expect(mq_timedsend(queue, "x", 1, 0, &until) == -1 && errno == ETIMEDOUT);
    pid = fork();
    if (pid == 0)
        _exit(mq_send(queue, "urgent", 7, 5) == 0 ? 5 : 6);
    usleep(10000);
    expect(mq_receive(queue, buffer, 16, NULL) == 5 && end_of(pid) == 5 && mq_receive(queue, buffer, 16, &priority) == 7 && priority == 5);
    expect(mq_receive(queue, buffer, 16, NULL) == 5 && mq_receive(queue, buffer, 16, NULL) == 5);
    int told[2];
    expect(pipe(told) == 0);
    struct sigaction action = {.sa_handler = wake};
    sigaction(SIGUSR1, &action, NULL);
    pid = fork();
    if (pid == 0) {
        expect(mq_receive(queue, buffer, 16, NULL) == -1 && errno == EINTR && signal(SIGUSR1, SIG_IGN) != SIG_ERR && write(told[1], "x", 1) == 1);
        _exit(7);
    }
    struct pollfd ended = {told[0], POLLIN, 0};
    do
        expect(kill(pid, SIGUSR1) == 0);
    while (poll(&ended, 1, 10) == 0);
    expect(end_of(pid) == 7);

    // A signal for the first message, once, to one process.
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2), sigprocmask(SIG_BLOCK, &set, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 42};
    expect(mq_notify(queue, &event) == 0 && mq_notify(queue, &event) == -1 && errno == EBUSY);
    pid = fork();
    if (pid == 0)
        _exit(mq_notify(queue, &event) == -1 && errno == EBUSY && mq_notify(queue, NULL) == 0 && mq_send(queue, "note", 5, 0) == 0 && mq_send(queue, "note", 5, 0) == 0 ? 8 : 9);
    siginfo_t info;
    expect(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_code == SI_MESGQ && info.si_value.sival_int == 42 && info.si_pid == pid && end_of(pid) == 8);
    struct timespec none = {0, 0};
    expect(sigtimedwait(&set, NULL, &none) == -1 && errno == EAGAIN && mq_notify(queue, &event) == 0 && mq_notify(queue, NULL) == 0);
    event.sigev_notify = SIGEV_NONE;
    expect(mq_notify(queue, &event) == 0 && mq_notify(queue, NULL) == 0 && mq_notify(1, &event) == -1 && errno == EBADF);
    event.sigev_notify = 77;
    expect(mq_notify(queue, &event) == -1 && errno == EINVAL);

    // The name goes at once, the queue with its last descriptor.
    expect(mq_unlink(name) == 0 && mq_open(name, O_RDONLY) == -1 && errno == ENOENT && mq_receive(reader, buffer, 16, NULL) == 5);
    struct rlimit limit = {100, 100};
    attributes = (struct mq_attr){.mq_maxmsg = 10, .mq_msgsize = 100};
    expect(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
    expect(mq_open(name, O_RDWR | O_CREAT, 0600, &attributes) == -1 && errno == EMFILE);
    expect(mq_close(queue) == 0 && mq_close(reader) == 0 && mq_close(writer) == 0);
    printf("done\n");
    return 0;
}
