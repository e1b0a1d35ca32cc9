// AF_UNIX sockets: streams, datagrams and sequences of packets; names in the tree and abstract ones; options; what is refused.
#include "expect.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static char folder[] = "/tmp/chestnut-sockets-XXXXXX";

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static socklen_t name(struct sockaddr_un *address, const char *path) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (path[0] == '@') {
        // Abstract names belong to the whole host: this process's own.
        int length = snprintf(address->sun_path + 1, 100, "chestnut-%d-%s", getpid(), path + 1);
        return offsetof(struct sockaddr_un, sun_path) + 1 + length;
    }
    snprintf(address->sun_path, sizeof address->sun_path, "%s/%s", folder, path);
    return offsetof(struct sockaddr_un, sun_path) + strlen(address->sun_path) + 1;
}
static int bound(int type, const char *path) {
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, type, 0);
    expect(fd >= 0);
    expect(bind(fd, (void *)&address, name(&address, path)) == 0);
    return fd;
}
static int joined(int type, const char *path) {
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, type, 0);
    expect(fd >= 0);
    return connect(fd, (void *)&address, name(&address, path)) == 0 ? fd : -1;
}
static void nothing(int signal) { (void)signal; }
static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}

static void streams(void) {
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    char buffer[1000];
    int listener = bound(SOCK_STREAM, "stream");
    refuse("connect before listen", joined(SOCK_STREAM, "stream"));
    expect(listen(listener, 5) == 0);
    struct stat status;
    name(&address, "stream");
    expect(stat(address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode));
    refuse("open a socket's node", open(address.sun_path, O_RDWR));
    refuse("bind again", bind(listener, (void *)&address, name(&address, "other")));
    int second = socket(AF_UNIX, SOCK_STREAM, 0);
    refuse("name in use", bind(second, (void *)&address, name(&address, "stream")));
    refuse("nobody there", connect(second, (void *)&address, name(&address, "none")));
    refuse("wrong type", joined(SOCK_DGRAM, "stream"));
    if (fork() == 0) {
        int client = joined(SOCK_STREAM, "stream");
        expect(client >= 0 && write(client, "hello", 5) == 5 && read(client, buffer, 100) == 3);
        expect(getpeername(client, (void *)&address, &length) == 0);
        printf("client: %.3s, peer has a name of %d bytes\n", buffer, (int)(length - sizeof(sa_family_t) - strlen(folder)));
        length = sizeof address;
        expect(getsockname(client, (void *)&address, &length) == 0);
        printf("client's own name: %d bytes, family %d\n", (int)length, address.sun_family);
        _exit(0);
    }
    struct pollfd entry = {listener, POLLIN | POLLOUT, 0};
    expect(poll(&entry, 1, -1) == 1 && entry.revents == POLLIN);
    memset(&address, 1, sizeof address);
    int server = accept4(listener, (void *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    expect(server >= 0 && (fcntl(server, F_GETFL) & O_NONBLOCK) && fcntl(server, F_GETFD) == FD_CLOEXEC);
    printf("accepted from a name of %d bytes, family %d\n", (int)length, address.sun_family);
    entry.fd = server, entry.events = POLLIN;
    expect(poll(&entry, 1, -1) == 1);
    expect(fcntl(server, F_SETFL, 0) == 0 && read(server, buffer, 100) == 5);
    printf("server: %.5s\n", buffer);
    expect(send(server, "you", 3, 0) == 3 && wait(NULL) > 0);
    refuse("the end", read(server, buffer, 1));
    refuse("EPIPE", send(server, "x", 1, MSG_NOSIGNAL));
    expect(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    refuse("EPIPE by write", write(server, "x", 1));
    entry.events = POLLIN | POLLOUT | POLLRDHUP;
    expect(poll(&entry, 1, 0) == 1);
    printf("hung up: %x\n", entry.revents);
    close(server);
    expect(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    refuse("nobody waits", accept(listener, NULL, NULL));
    refuse("accept of a client", accept(second, NULL, NULL));
    refuse("accept's flags", accept4(listener, NULL, NULL, 1));
    close(listener);
    refuse("listener gone", joined(SOCK_STREAM, "stream"));

    // A pair: no boundaries, parts of a big write, peeking, waiting for all.
    int pair[2], count, total = 0;
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    expect(write(pair[0], "abc", 3) == 3 && write(pair[0], "defgh", 5) == 5);
    expect(recv(pair[1], buffer, 2, MSG_PEEK) == 2 && recv(pair[1], buffer, 100, MSG_PEEK) >= 3 && ioctl(pair[1], FIONREAD, &count) == 0);
    printf("to be read: %d\n", count);
    expect(read(pair[1], buffer, 100) == 8);
    printf("%.8s\n", buffer);
    refuse("don't wait", recv(pair[1], buffer, 1, MSG_DONTWAIT));
    refuse("out of band", recv(pair[1], buffer, 1, MSG_OOB | MSG_DONTWAIT) < 0 ? -1 : 0);
    if (fork() == 0) {
        usleep(20000);
        expect(write(pair[0], "1234", 4) == 4);
        usleep(20000);
        expect(write(pair[0], "56789", 5) == 5);
        _exit(0);
    }
    expect(recv(pair[1], buffer, 9, MSG_WAITALL) == 9);
    printf("all: %.9s\n", buffer);
    wait(NULL);
    if (fork() == 0) {
        static char big[1 << 20];
        expect(write(pair[0], big, sizeof big) == sizeof big);
        _exit(0);
    }
    while (total < 1 << 20 && (count = read(pair[1], buffer, sizeof buffer)) > 0)
        total += count;
    printf("a big write: %d\n", total);
    wait(NULL);
    struct iovec pieces[2] = {{"one ", 4}, {"two", 3}};
    expect(writev(pair[0], pieces, 2) == 7 && read(pair[1], buffer, 100) == 7);
    expect(shutdown(pair[0], SHUT_WR) == 0 && read(pair[1], buffer, 1) == 0 && write(pair[1], "back", 4) == 4 && read(pair[0], buffer, 9) == 4);
    refuse("written after shutdown", write(pair[0], "x", 1));
    refuse("shutdown how", shutdown(pair[0], 3));
    expect(write(pair[1], "unread", 6) == 6);
    close(pair[0]);
    refuse("reset", read(pair[1], buffer, 1));
    refuse("then the end", read(pair[1], buffer, 1));
}

static void datagrams(void) {
    struct sockaddr_un address, from;
    socklen_t length;
    char buffer[100];
    int server = bound(SOCK_DGRAM, "@datagrams"), client = bound(SOCK_DGRAM, "client"), third = socket(AF_UNIX, SOCK_DGRAM, 0);
    length = name(&address, "@datagrams");
    expect(sendto(client, "one", 3, 0, (void *)&address, length) == 3 && sendto(third, "", 0, 0, (void *)&address, length) == 0);
    expect(sendto(client, "three", 5, 0, (void *)&address, length) == 5);
    length = sizeof from;
    expect(recvfrom(server, buffer, 100, 0, (void *)&from, &length) == 3);
    printf("from %s\n", from.sun_path + strlen(folder));
    length = sizeof from;
    expect(recvfrom(server, buffer, 100, 0, (void *)&from, &length) == 0);
    printf("from a name of %d bytes\n", (int)length);
    length = 4;
    expect(recvfrom(server, buffer, 2, MSG_TRUNC, (void *)&from, &length) == 5 && length > 4);
    printf("cut: %.2s\n", buffer);
    refuse("nothing more", recv(server, buffer, 1, MSG_DONTWAIT));
    refuse("no address", send(third, "x", 1, 0));
    expect(connect(third, (void *)&address, name(&address, "@datagrams")) == 0);
    expect(send(third, "x", 1, 0) == 1 && read(server, buffer, 10) == 1);
    expect(connect(server, (void *)&address, name(&address, "client")) == 0);
    refuse("another's", send(third, "x", 1, 0));
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    expect(connect(server, &none, sizeof none) == 0 && send(third, "x", 1, 0) == 1);
    refuse("listen", listen(server, 1));
    refuse("accept", accept(server, NULL, NULL));
    int sent = 0;
    while (send(third, "fill", 4, MSG_DONTWAIT) == 4)
        sent++;
    printf("a full queue stops the sender: %d, %s\n", sent > 0 && sent < 1000, strerror(errno));
    close(server);
    refuse("receiver gone", send(third, "x", 1, 0));
    // A name chosen by the system.
    int automatic = socket(AF_UNIX, SOCK_DGRAM, 0);
    address.sun_family = AF_UNIX;
    expect(bind(automatic, (void *)&address, sizeof(sa_family_t)) == 0);
    length = sizeof address;
    expect(getsockname(automatic, (void *)&address, &length) == 0);
    printf("a chosen name has %d bytes\n", (int)(length - sizeof(sa_family_t)));
}

static void sequences(void) {
    int listener = bound(SOCK_SEQPACKET, "sequence");
    char buffer[100];
    expect(listen(listener, 1) == 0);
    int client = joined(SOCK_SEQPACKET, "sequence"), server = accept(listener, NULL, NULL);
    expect(client >= 0 && server >= 0);
    expect(send(client, "first", 5, 0) == 5 && send(client, "2", 1, 0) == 1 && write(client, "third", 5) == 5);
    expect(recv(server, buffer, 3, 0) == 3 && recv(server, buffer + 3, 10, 0) == 1);
    struct iovec piece = {buffer + 4, 50};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    expect(recvmsg(server, &message, 0) == 5);
    printf("%.9s, flags %x\n", buffer, message.msg_flags);
    struct pollfd entry = {client, POLLOUT | POLLIN, 0};
    close(server);
    expect(poll(&entry, 1, 0) == 1);
    printf("closed: %x\n", entry.revents);
    refuse("write", write(client, "x", 1));
    refuse("unconnected", read(socket(AF_UNIX, SOCK_SEQPACKET, 0), buffer, 1));
}

static void options(void) {
    int pair[2], value = 0;
    socklen_t length = sizeof value;
    char buffer[100];
    expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    int names[] = {SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN, SO_PASSCRED, SO_REUSEADDR, SO_SNDBUF, SO_RCVBUF};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        length = sizeof value;
        expect(getsockopt(pair[0], SOL_SOCKET, names[i], &value, &length) == 0);
        printf("option %d: %d\n", names[i], value);
    }
    value = 10000;
    expect(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof value) == 0 && getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, &length) == 0);
    printf("send buffer: %d\n", value);
    struct ucred credentials;
    length = sizeof credentials;
    expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0);
    printf("peer: %d %d\n", credentials.pid == getpid(), credentials.uid == geteuid());
    struct timeval time = {0, 30000};
    expect(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
    long long start = now();
    refuse("timeout", read(pair[0], buffer, 1));
    expect(now() - start >= 29);
    refuse("unknown", getsockopt(pair[0], SOL_SOCKET, 999, &value, &length));
    refuse("level", getsockopt(pair[0], 6, 1, &value, &length));
    refuse("short", setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, 2));
    refuse("bad place", setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, (void *)8, 4));
    refuse("no socket", getsockopt(1, SOL_SOCKET, SO_TYPE, &value, &length));
    refuse("family", socket(AF_INET6 + 40, SOCK_STREAM, 0));
    refuse("type", socket(AF_UNIX, 9, 0));
    refuse("protocol", socket(AF_UNIX, SOCK_STREAM, 7));
    refuse("pair's place", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    refuse("long address", connect(pair[0], (void *)&address, 200));
    refuse("short address", bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, 1));
    refuse("connected already", connect(pair[0], (void *)&address, name(&address, "sequence")));
    refuse("bad buffer", send(pair[0], (void *)8, 4, 0));
    expect(write(pair[0], "x", 1) == 1);
    refuse("bad target", recv(pair[1], (void *)8, 4, 0));
    // A signal ends what waits, and with SA_RESTART begins it anew.
    struct sigaction action = {.sa_handler = nothing};
    expect(sigaction(SIGALRM, &action, NULL) == 0 && read(pair[1], buffer, 1) == 1);
    ualarm(20000, 20000);
    refuse("interrupted", recv(pair[1], buffer, 1, 0));
    ualarm(0, 0);
}

static void many(void) {
    int pair[2];
    expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    char texts[3][8] = {"one", "two", "three"}, got[4][8] = {{0}};
    struct iovec out[3], in[4];
    struct mmsghdr headers[4] = {{{0}}};
    for (int i = 0; i < 3; i++) {
        out[i] = (struct iovec){texts[i], strlen(texts[i])};
        headers[i].msg_hdr.msg_iov = &out[i], headers[i].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(pair[0], headers, 3, 0);
    printf("sent %d: %d %d %d\n", sent, headers[0].msg_len, headers[1].msg_len, headers[2].msg_len);
    for (int i = 0; i < 4; i++) {
        in[i] = (struct iovec){got[i], 7};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    int received = recvmmsg(pair[1], headers, 4, MSG_WAITFORONE, NULL);
    printf("received %d: %s %s %s\n", received, got[0], got[1], got[2]);
    refuse("none", recvmmsg(pair[1], headers, 4, MSG_DONTWAIT, NULL));
    headers[0].msg_hdr.msg_iovlen = 2000;
    refuse("long vector", sendmmsg(pair[0], headers, 1, 0));
    refuse("long vector", sendmsg(pair[0], &headers[0].msg_hdr, 0));
}

int main(void) {
    expect(mkdtemp(folder) != NULL);
    streams();
    datagrams();
    sequences();
    options();
    many();
    const char *names[] = {"stream", "client", "sequence"};
    struct sockaddr_un address;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        name(&address, names[i]);
        expect(unlink(address.sun_path) == 0);
    }
    expect(rmdir(folder) == 0);
    return 0;
}
