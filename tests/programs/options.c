// Options of sockets, commands of ioctl, and other words that descriptors are told: each set, asked for, and seen to work.
#include "expect.h"
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif
#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif
#ifndef TIOCGPKT
#define TIOCGPKT 0x80045438
#endif

static int value(int fd, int option) {
    int got = -1;
    socklen_t length = sizeof got;
    expect(getsockopt(fd, SOL_SOCKET, option, &got, &length) == 0 && length == sizeof got);
    return got;
}
static int set(int fd, int option, int to) { return setsockopt(fd, SOL_SOCKET, option, &to, sizeof to); }

static void sockets(void) {
    int pair[2], got;
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    const int switches[] = {SO_KEEPALIVE, SO_BROADCAST, SO_DONTROUTE, SO_OOBINLINE, SO_PASSCRED, SO_REUSEADDR};
    for (int i = 0; i < 6; i++) {
        expect(value(pair[0], switches[i]) == 0 && set(pair[0], switches[i], 5) == 0 && value(pair[0], switches[i]) == 1);
        expect(set(pair[0], switches[i], 0) == 0 && value(pair[0], switches[i]) == 0);
    }
    expect(set(pair[0], SO_RCVBUF, 10000) == 0 && value(pair[0], SO_RCVBUF) == 20000);
    expect(set(pair[0], SO_SNDBUF, 10000) == 0 && value(pair[0], SO_SNDBUF) == 20000);
    struct linger linger = {1, 20}, kept = {0, 0};
    socklen_t length = sizeof kept;
    expect(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    expect(getsockopt(pair[0], SOL_SOCKET, SO_LINGER, &kept, &length) == 0 && kept.l_onoff == 1 && kept.l_linger == 20);
    expect(value(pair[0], SO_TYPE) == SOCK_STREAM && value(pair[0], SO_DOMAIN) == AF_UNIX && value(pair[0], SO_PROTOCOL) == 0);
    expect(value(pair[0], SO_ERROR) == 0 && value(pair[0], SO_ACCEPTCONN) == 0);

    // Waiting to send comes to its end, and to receive.
    struct timeval brief = {0, 20000};
    expect(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof brief) == 0);
    expect(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief) == 0);
    char bytes[4096] = {0};
    long sent;
    while ((sent = send(pair[0], bytes, sizeof bytes, MSG_EOR)) > 0)
        ;
    expect(sent == -1 && errno == EAGAIN && recv(pair[0], bytes, 1, 0) == -1 && errno == EAGAIN);
    int whole = setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &(int){300000}, sizeof(int));
    expect(whole == 0 ? value(pair[0], SO_SNDBUF) == 600000 : errno == EPERM);

    // Whose the other end is: groups, and a descriptor for its process.
    gid_t groups[64], own[64];
    length = sizeof groups;
    int count = getgroups(64, own);
    expect(count >= 0);
    expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0 && length == count * sizeof *groups);
    expect(memcmp(groups, own, length) == 0);
    length = 0;
    expect(count == 0 || (getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, groups, &length) == -1 && errno == ERANGE && length == count * sizeof *groups));
    struct ucred peer;
    length = sizeof peer;
    expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == getpid());
    int process = value(pair[0], SO_PEERPIDFD);
    expect(process > 2 && fcntl(process, F_GETFD) == FD_CLOEXEC && syscall(SYS_pidfd_send_signal, process, 0, NULL, 0) == 0);
    close(process);
    length = sizeof bytes;
    expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERSEC, bytes, &length) == -1 && errno == ENOPROTOOPT);
    expect(setsockopt(pair[0], SOL_SOCKET, 999, &got, sizeof got) == -1 && errno == ENOPROTOOPT);
    expect(setsockopt(pair[0], 6, 1, &got, sizeof got) == -1 && errno == EOPNOTSUPP);
    close(pair[0]), close(pair[1]);

    // A descriptor by sendmmsg, received by recvmmsg with MSG_CMSG_CLOEXEC; who sent it.
    expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 && set(pair[1], SO_PASSCRED, 1) == 0);
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr header; } control = {0};
    union { char bytes[256]; struct cmsghdr header; } told = {0};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    *(int *)CMSG_DATA(&control.header) = 1;
    struct iovec piece = {"hello", 5}, room = {bytes, sizeof bytes};
    struct mmsghdr out = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control}};
    struct mmsghdr in = {.msg_hdr = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = &told, .msg_controllen = sizeof told}};
    expect(sendmmsg(pair[0], &out, 1, MSG_EOR | MSG_NOSIGNAL | MSG_DONTWAIT) == 1 && out.msg_len == 5);
    struct msghdr plain = {.msg_iov = &piece, .msg_iovlen = 1};
    struct timespec most = {5, 0};
    expect(recvmmsg(pair[1], &in, 1, MSG_CMSG_CLOEXEC | MSG_WAITFORONE | MSG_DONTWAIT, &most) == 1 && in.msg_len == 5);
    int both = 0;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&in.msg_hdr); each; each = CMSG_NXTHDR(&in.msg_hdr, each)) {
        if (each->cmsg_type == SCM_RIGHTS)
            both += fcntl(*(int *)CMSG_DATA(each), F_GETFD) == FD_CLOEXEC;
        if (each->cmsg_type == SCM_CREDENTIALS)
            both += ((struct ucred *)CMSG_DATA(each))->pid == getpid() ? 10 : 0;
    }
    expect(both == 11);
    expect(sendmsg(pair[0], &plain, MSG_EOR) == 5 && recv(pair[1], bytes, 9, 0) == 5);
    expect(send(pair[0], "abcdef", 6, 0) == 6 && recv(pair[1], bytes, 3, MSG_PEEK | MSG_TRUNC) == 6);
    expect(recvfrom(pair[1], bytes, 3, MSG_TRUNC | MSG_WAITALL, NULL, NULL) == 6 && recv(pair[1], bytes, 3, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    printf("sockets\n");
}

static void on_terminals(void) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0, number, got = 9;
    char path[40], bytes[100];
    expect(master >= 0 && ioctl(master, TIOCSPTLCK, &unlocked) == 0 && ioctl(master, TIOCGPTN, &number) == 0);
    sprintf(path, "/dev/pts/%d", number);
    int slave = open(path, O_RDWR | O_NOCTTY);
    struct termios settings;
    expect(slave >= 0 && ioctl(slave, TCGETS, &settings) == 0 && (settings.c_lflag & ECHO));
    settings.c_lflag &= ~(ECHO | ICANON), settings.c_oflag = 0;
    expect(ioctl(slave, TCSETS, &settings) == 0 && ioctl(slave, TCGETS, &settings) == 0 && !(settings.c_lflag & (ECHO | ICANON)));
    settings.c_cc[VMIN] = 0;
    struct pollfd typed = {slave, POLLIN, 0};
    expect(ioctl(slave, TCSETSW, &settings) == 0 && write(master, "lost", 4) == 4 && poll(&typed, 1, 5000) == 1);
    expect(ioctl(slave, FIONREAD, &got) == 0 && got == 4);
    expect(ioctl(slave, TCSETSF, &settings) == 0 && ioctl(slave, FIONREAD, &got) == 0 && got == 0);
    expect(write(master, "lost", 4) == 4 && poll(&typed, 1, 5000) == 1 && ioctl(slave, TCFLSH, TCIFLUSH) == 0 && ioctl(slave, FIONREAD, &got) == 0 && got == 0);
    expect(ioctl(slave, TCFLSH, 7) == -1 && errno == EINVAL);
    expect(ioctl(slave, TIOCOUTQ, &got) == 0 && ioctl(slave, TCSBRK, 1) == 0 && ioctl(slave, TCSBRKP, 0) == 0);
    expect(ioctl(slave, TIOCGETD, &got) == 0 && got == 0 /* N_TTY */ && ioctl(slave, TIOCSETD, &got) == 0);
    got = N_TTY;
    expect(ioctl(slave, TIOCSETD, &got) == 0 && (got = 77, ioctl(slave, TIOCSETD, &got)) == -1 && errno == EINVAL);
    // Stopped output waits, and comes when it goes on.
    expect(ioctl(slave, TCXONC, TCOOFF) == 0 && fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    // (It is kept, or refused as long as that lasts.)
    long kept = write(slave, "x", 1);
    typed.fd = master;
    expect((kept == 1 || errno == EAGAIN) && poll(&typed, 1, 20) == 0 && ioctl(slave, TCXONC, TCOON) == 0);
    expect((kept == 1 || write(slave, "x", 1) == 1) && poll(&typed, 1, 5000) == 1 && read(master, bytes, 100) == 1 && bytes[0] == 'x');
    expect(ioctl(master, TIOCGPKT, &got) == 0 && got == 0 && (got = 1, ioctl(master, TIOCPKT, &got)) == 0 && ioctl(master, TIOCGPKT, &got) == 0 && got == 1);
    got = 0;
    expect(ioctl(master, TIOCPKT, &got) == 0);
    struct winsize size = {30, 90, 0, 0}, same = {0};
    expect(ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCGWINSZ, &same) == 0 && same.ws_col == 90);

    // With a session of its own.
    pid_t pid = fork();
    if (pid == 0) {
        int id = 0;
        expect(ioctl(slave, TIOCGPGRP, &id) == -1 && errno == ENOTTY);
        expect(setsid() == getpid() && ioctl(slave, TIOCSCTTY, 0) == 0 && ioctl(slave, TIOCGSID, &id) == 0 && id == getpid());
        expect(ioctl(slave, TIOCGPGRP, &id) == 0 && id == getpgrp() && ioctl(slave, TIOCSPGRP, &id) == 0);
        // Nobody types for others.
        char letter = 'a';
        expect(geteuid() == 0 || (ioctl(slave, TIOCSTI, &letter) == -1 && (errno == EIO || errno == EPERM)));
        signal(SIGHUP, SIG_IGN);
        sigset_t set;
        sigemptyset(&set), sigaddset(&set, SIGINT), sigprocmask(SIG_BLOCK, &set, NULL);
        expect(ioctl(master, TIOCSIG, SIGUSR1) == -1 && errno == EINVAL && ioctl(master, TIOCSIG, SIGINT) == 0 && sigwaitinfo(&set, NULL) == SIGINT);
        expect(ioctl(slave, TIOCNOTTY) == 0 && open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
        _exit(31);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid);
    printf("status %x\n", status);
    close(slave), close(master);
    printf("on terminals\n");
}

static void on_descriptors(void) {
    int pair[2], got = 1;
    char byte;
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    expect(ioctl(pair[0], FIOCLEX) == 0 && fcntl(pair[0], F_GETFD) == FD_CLOEXEC && ioctl(pair[0], FIONCLEX) == 0 && fcntl(pair[0], F_GETFD) == 0);
    expect(ioctl(pair[0], FIONBIO, &got) == 0 && read(pair[0], &byte, 1) == -1 && errno == EAGAIN);
    got = getpid();
    expect(ioctl(pair[0], FIOSETOWN, &got) == 0 && fcntl(pair[0], F_GETOWN) == getpid());
    got = -getpgrp();
    expect(ioctl(pair[0], SIOCSPGRP, &got) == 0 && (got = 0, ioctl(pair[0], SIOCGPGRP, &got)) == 0 && got == -getpgrp());
    expect(ioctl(pair[0], FIOGETOWN, &got) == 0 && got == -getpgrp());
    uid_t users[2] = {9, 9};
    expect(fcntl(pair[0], F_GETOWNER_UIDS, users) == 0 && users[0] == getuid() && users[1] == geteuid());
    int copy = fcntl(pair[0], F_DUPFD_CLOEXEC, 30);
    expect(copy >= 30 && fcntl(copy, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_SETFD, 0) == 0 && fcntl(copy, F_GETFD) == 0);
    long same = fcntl(copy, F_DUPFD_QUERY, pair[0]);
    expect((same == 1 && fcntl(copy, F_DUPFD_QUERY, pair[1]) == 0) || errno == EINVAL);
    expect(dup3(pair[1], 40, O_CLOEXEC) == 40 && fcntl(40, F_GETFD) == FD_CLOEXEC && dup3(pair[1], pair[1], 0) == -1 && errno == EINVAL);
    expect(dup3(pair[1], 41, O_APPEND) == -1 && errno == EINVAL);

    int pipes[2];
    char bytes[100];
    expect(pipe2(pipes, 0x10) == -1 && errno == EINVAL);

    // Writes that always append, and one that doesn't; with what is known to be in memory.
    char name[] = "/tmp/chestnut-options-XXXXXX";
    int file = mkstemp(name);
    struct iovec piece = {"xyz", 3}, room = {bytes, 100};
    expect(fcntl(file, F_SETFL, O_APPEND) == 0 && pwritev2(file, &piece, 1, 0, RWF_APPEND | RWF_DSYNC) == 3);
    long done = pwritev2(file, &piece, 1, 0, RWF_NOAPPEND | RWF_SYNC);
    expect((done == 3 && lseek(file, 0, SEEK_END) == 3) || (done == -1 && errno == EOPNOTSUPP));
    expect(preadv2(file, &room, 1, 0, RWF_HIPRI | RWF_DSYNC) == 3 || errno == EOPNOTSUPP);
    expect(preadv2(file, &room, 1, 0, RWF_NOWAIT) == 3 || errno == EOPNOTSUPP || errno == EAGAIN);
    expect(pwritev2(file, &piece, 1, 0, 0x40000000) == -1 && errno == EOPNOTSUPP);
    // Beyond the limit by every kind of write, and a read isn't bound by it.
    struct rlimit limit = {10, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    expect(fcntl(file, F_SETFL, 0) == 0 && setrlimit(RLIMIT_FSIZE, &limit) == 0 && lseek(file, 10, SEEK_SET) == 10);
    expect(writev(file, &piece, 1) == -1 && errno == EFBIG && pwritev(file, &piece, 1, 9) == 1);
    expect(lseek(file, 0, SEEK_SET) == 0 && readv(file, &room, 1) == 10 && read(file, bytes, 1) == 0);
    expect(setrlimit(RLIMIT_FSIZE, &none) == 0);
    // Commands that concern how a disk would be used.
    expect(fallocate(file, 8 /* COLLAPSE_RANGE */, 0, 4096) == -1);
    expect(unlink(name) == 0);
    printf("on descriptors\n");
}

static void on_time(void) {
    int timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec far = {.it_value = {.tv_sec = 4000000000}}, left;
    expect(timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) == 0);
    expect(timerfd_gettime(timer, &left) == 0 && left.it_value.tv_sec > 1000000);
    char bytes[8];
    expect(read(timer, bytes, 8) == -1 && errno == EAGAIN && timerfd_settime(timer, 8, &far, NULL) == -1 && errno == EINVAL);
    close(timer);

    // The end of what the other side sends, and flags that wake one or need privilege.
    int pair[2], set_of_files = epoll_create1(EPOLL_CLOEXEC);
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | EPOLLWAKEUP}, got;
    expect(epoll_ctl(set_of_files, EPOLL_CTL_ADD, pair[0], &event) == 0 && epoll_wait(set_of_files, &got, 1, 0) == 0);
    expect(shutdown(pair[1], SHUT_WR) == 0 && epoll_wait(set_of_files, &got, 1, -1) == 1 && got.events == (EPOLLIN | EPOLLRDHUP));
    expect(epoll_pwait(set_of_files, &got, 1, 0, NULL) == 0);
    event.events = EPOLLOUT | EPOLLONESHOT;
    expect(epoll_ctl(set_of_files, EPOLL_CTL_MOD, pair[0], &event) == 0 && epoll_wait(set_of_files, &got, 1, 0) == 1 && epoll_wait(set_of_files, &got, 1, 0) == 0);
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    expect(epoll_ctl(set_of_files, EPOLL_CTL_MOD, pair[0], &event) == -1 && errno == EINVAL);
    expect(epoll_ctl(set_of_files, EPOLL_CTL_DEL, pair[0], NULL) == 0 && epoll_ctl(set_of_files, EPOLL_CTL_ADD, pair[0], &event) == 0);
    struct timespec none = {0, 0};
    expect(syscall(SYS_epoll_pwait2, set_of_files, &got, 1, &none, NULL, 0) == 1);
    printf("on time\n");
}

int main(void) {
    sockets();
    on_terminals();
    on_descriptors();
    on_time();
    return 0;
}
