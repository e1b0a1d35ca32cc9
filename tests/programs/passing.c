// Files and credentials in messages: SCM_RIGHTS, SCM_CREDENTIALS, cut control messages, circles of sockets in flight.
#include "expect.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }

static long pass(int socket, const char *text, const int *fds, int count) {
    char control[CMSG_SPACE(sizeof(int) * 300)] = {0};
    struct iovec piece = {(void *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    return sendmsg(socket, &message, 0);
}
// Receives, and says what came: how many files, which go into `fds`.
static int take(int socket, int room, int flags, int *fds, const char *what) {
    char control[1024] = {0}, text[100] = {0};
    struct iovec piece = {text, sizeof text - 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    long count = recvmsg(socket, &message, flags);
    int files = 0;
    printf("%s: %ld \"%s\" flags %x", what, count, text, message.msg_flags & ~MSG_CMSG_CLOEXEC);
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        int bytes = header->cmsg_len - CMSG_LEN(0);
        if (header->cmsg_type == SCM_RIGHTS) {
            files = bytes / sizeof(int);
            memcpy(fds, CMSG_DATA(header), bytes);
            printf(", %d files", files);
        } else if (header->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
            printf(", credentials %d %d %d", credentials.pid == getpid() || credentials.pid == getppid(), credentials.uid == getuid(), credentials.gid == getgid());
        }
    }
    printf(", control %d\n", (int)message.msg_controllen);
    return files;
}

int main(void) {
    int pair[2], fds[300], pipes[2];
    char buffer[100];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipes) == 0);

    // To a child, which has them already, and to a relative made before they were opened.
    if (fork() == 0) {
        close(pair[0]);
        expect(take(pair[1], 1024, 0, fds, "child") == 2);
        close(pipes[0]), close(pipes[1]);
        expect(write(fds[1], "through the pipe", 16) == 16);
        struct stat status;
        expect(fstat(fds[0], &status) == 0 && S_ISREG(status.st_mode) && read(fds[0], buffer, 100) == 4);
        printf("child read %.4s\n", buffer);
        _exit(0);
    }
    char name[] = "/tmp/chestnut-passing-XXXXXX";
    int file = mkstemp(name);
    expect(unlink(name) == 0 && write(file, "contents", 8) == 8 && lseek(file, 4, SEEK_SET) == 4);
    int both[2] = {file, pipes[1]};
    expect(pass(pair[0], "two", both, 2) == 3);
    expect(read(pipes[0], buffer, 100) == 16 && wait(NULL) > 0);
    printf("%.16s\n", buffer);
    printf("the offset is shared: %d\n", (int)lseek(file, 0, SEEK_CUR));

    // In a stream, files mark a place.
    expect(write(pair[0], "before ", 7) == 7 && pass(pair[0], "with", both, 1) == 4 && write(pair[0], "after", 5) == 5);
    int got = take(pair[1], 1024, MSG_CMSG_CLOEXEC, fds, "up to the files");
    expect(got == 1 && fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
    close(fds[0]);
    take(pair[1], 1024, 0, fds, "the rest");

    // No room, for all or for some; and none asked for.
    int four[4] = {file, file, file, file};
    expect(pass(pair[0], "a", four, 4) == 1);
    got = take(pair[1], CMSG_SPACE(2 * sizeof(int)), 0, fds, "room for two");
    for (int i = 0; i < got; i++)
        close(fds[i]);
    expect(pass(pair[0], "b", four, 2) == 1);
    take(pair[1], 0, 0, fds, "no room");
    expect(pass(pair[0], "c", four, 2) == 1 && read(pair[1], buffer, 10) == 1);
    int next = dup(file);
    printf("nothing leaked: %d\n", next == dup2(next, next) && close(next) == 0);

    // Peeking doesn't take them away.
    expect(pass(pair[0], "peek", four, 1) == 4);
    expect(take(pair[1], 1024, MSG_PEEK, fds, "peek") == 1 && close(fds[0]) == 0);
    expect(take(pair[1], 1024, 0, fds, "taken") == 1 && close(fds[0]) == 0);

    // What is refused.
    int bad = 77;
    refuse("not open", pass(pair[0], "x", &bad, 1));
    for (int i = 0; i < 300; i++)
        fds[i] = file;
    refuse("too many", pass(pair[0], "x", fds, 254));
    struct iovec piece = {"x", 1};
    char control[64] = {0};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 32};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = 100;
    refuse("length", sendmsg(pair[0], &message, 0));
    header->cmsg_type = 17, header->cmsg_len = CMSG_LEN(4);
    refuse("type", sendmsg(pair[0], &message, 0));
    message.msg_control = (void *)8;
    refuse("bad place", sendmsg(pair[0], &message, 0));

    // Credentials: asked for, and given.
    int on = 1;
    expect(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    expect(write(pair[0], "who", 3) == 3);
    take(pair[1], 1024, 0, fds, "asked for");
    expect(pass(pair[0], "both", four, 1) == 4);
    got = take(pair[1], 1024, 0, fds, "with a file");
    expect(got == 1 && close(fds[0]) == 0);
    if (fork() == 0) {
        expect(write(pair[0], "child's", 7) == 7);
        _exit(0);
    }
    wait(NULL);
    take(pair[1], 1024, 0, fds, "a child's");
    struct ucred credentials = {getpid(), getuid(), getgid()};
    message.msg_control = control, message.msg_controllen = CMSG_SPACE(sizeof credentials);
    header->cmsg_type = SCM_CREDENTIALS, header->cmsg_len = CMSG_LEN(sizeof credentials);
    memcpy(CMSG_DATA(header), &credentials, sizeof credentials);
    expect(sendmsg(pair[0], &message, 0) == 1);
    take(pair[1], 1024, 0, fds, "given");

    // A socket in its own queue, and circles: closed, they must go, or the files in flight would run out.
    for (int i = 0; i < 3000; i++) {
        int circle[2];
        expect(socketpair(AF_UNIX, SOCK_STREAM, 0, circle) == 0);
        expect(pass(circle[0], "x", &circle[1], 1) == 1 && pass(circle[1], "y", &circle[0], 1) == 1);
        close(circle[0]), close(circle[1]);
    }
    printf("circles are broken\n");
    // A deep chain: a socket in a socket in a socket …
    int inner = dup(file);
    for (int i = 0; i < 500; i++) {
        int link[2];
        expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, link) == 0);
        expect(pass(link[0], "x", &inner, 1) == 1);
        close(inner), close(link[0]);
        inner = link[1];
    }
    close(inner);
    printf("a chain is closed\n");
    return 0;
}
