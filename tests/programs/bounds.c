// Limits and odd calls on descriptors: RLIMIT_FSIZE, RLIMIT_NOFILE, close_range, fallocate, preadv2, the sync family, fcntl's others.
#include "expect.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

static volatile sig_atomic_t exceeded;
static void note(int signal) { exceeded += signal == SIGXFSZ; }
static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static void limited(const char *what, long result) {
    printf("%s: %ld %s, signals %d\n", what, result, result < 0 ? strerror(errno) : "", exceeded);
    exceeded = 0;
}
static char name[] = "/tmp/chestnut-bounds-XXXXXX";

static void sizes(void) {
    int fd = mkstemp(name), other = open(name, O_RDONLY);
    char buffer[200] = {0};
    struct rlimit limit = {100, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    struct sigaction action = {.sa_handler = note};
    expect(fd >= 0 && sigaction(SIGXFSZ, &action, NULL) == 0 && setrlimit(RLIMIT_FSIZE, &limit) == 0);
    limited("up to it", write(fd, buffer, 90));
    limited("cut", write(fd, buffer, 90));
    limited("at it", write(fd, buffer, 1));
    limited("nothing", write(fd, buffer, 0));
    limited("before it", pwrite(fd, buffer, 10, 95));
    limited("beyond it", pwrite(fd, buffer, 10, 150));
    limited("truncate up", ftruncate(fd, 101));
    limited("truncate to it", ftruncate(fd, 100));
    limited("by name", truncate(name, 1000));
    limited("allocate", fallocate(fd, 0, 0, 200));
    off_t offset = 0;
    limited("sendfile", sendfile(fd, other, &offset, 10));
    int pipes[2];
    expect(pipe(pipes) == 0);
    limited("a pipe has none", write(pipes[1], buffer, 200));
    loff_t out = 100;
    limited("splice", splice(pipes[0], NULL, fd, &out, 10, 0));
    expect(setrlimit(RLIMIT_FSIZE, &none) == 0);
    limited("no limit", pwrite(fd, buffer, 10, 150));
    close(fd), close(other), close(pipes[0]), close(pipes[1]);
}

static void numbers(void) {
    struct rlimit limit, few;
    int fds[2];
    expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int next = dup(0);
    expect(close(next) == 0);
    few = limit, few.rlim_cur = next + 1;
    expect(setrlimit(RLIMIT_NOFILE, &few) == 0);
    refuse("two", pipe(fds));
    refuse("a pair", socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    expect(dup(0) == next);
    refuse("one more", dup(0));
    refuse("open", open(name, O_RDONLY));
    refuse("not made", open("/tmp/chestnut-bounds-never", O_CREAT | O_WRONLY, 0600));
    refuse("and isn't there", access("/tmp/chestnut-bounds-never", F_OK));
    refuse("socket", socket(AF_UNIX, SOCK_STREAM, 0));
    refuse("dup2", dup2(0, next + 1));
    refuse("F_DUPFD", fcntl(0, F_DUPFD, next + 1));
    refuse("epoll", syscall(SYS_epoll_create1, 0));
    refuse("eventfd", syscall(SYS_eventfd2, 0, 0));
    refuse("memfd", syscall(SYS_memfd_create, "x", 0));
    refuse("timerfd", syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0));
    refuse("inotify", syscall(SYS_inotify_init1, 0));
    expect(setrlimit(RLIMIT_NOFILE, &limit) == 0 && close(next) == 0);

    for (int i = 0; i < 10; i++)
        expect(dup2(1, 50 + i) == 50 + i);
    expect(syscall(SYS_close_range, 52, 54, 0) == 0);
    expect(syscall(SYS_close_range, 55, 56, CLOSE_RANGE_CLOEXEC) == 0);
    for (int i = 50; i < 60; i++)
        printf(" %d", fcntl(i, F_GETFD));
    printf("\n");
    expect(syscall(SYS_close_range, 50, ~0u, CLOSE_RANGE_UNSHARE) == 0);
    refuse("backwards", syscall(SYS_close_range, 9, 8, 0));
    refuse("flags", syscall(SYS_close_range, 50, 60, 8));
}

static void contents(void) {
    int fd = open(name, O_RDWR | O_TRUNC), pipes[2];
    char buffer[100] = {0};
    struct stat status;
    struct iovec piece = {"abcdef", 6}, back = {buffer, 100};
    expect(fd >= 0 && pipe(pipes) == 0);
    expect(write(fd, "0123456789", 10) == 10);
    refuse("keep the size", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
    expect(fstat(fd, &status) == 0);
    printf("size %d\n", (int)status.st_size);
    refuse("grow", fallocate(fd, 0, 5, 5000));
    expect(fstat(fd, &status) == 0);
    printf("size %d\n", (int)status.st_size);
    refuse("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3));
    refuse("zero", fallocate(fd, FALLOC_FL_ZERO_RANGE, 8, 1));
    expect(pread(fd, buffer, 10, 0) == 10);
    for (int i = 0; i < 10; i++)
        printf("%c", buffer[i] ? buffer[i] : '.');
    printf("\n");
    refuse("punch and grow", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));
    refuse("no length", fallocate(fd, 0, 0, 0));
    refuse("negative", fallocate(fd, 0, -1, 5));
    refuse("pipe", fallocate(pipes[1], 0, 0, 1));
    refuse("reader", fallocate(open(name, O_RDONLY), 0, 0, 1));
    refuse("unknown", fallocate(fd, 0x1000, 0, 1));

    expect(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    refuse("pwritev2", pwritev2(fd, &piece, 1, 2, 0));
    refuse("at the offset", pwritev2(fd, &piece, 1, -1, RWF_SYNC));
    refuse("append", pwritev2(fd, &piece, 1, 0, RWF_APPEND));
    refuse("preadv2", preadv2(fd, &back, 1, 1, RWF_HIPRI));
    printf("%s, at %d\n", buffer, (int)lseek(fd, 0, SEEK_CUR));
    refuse("from the offset", preadv2(fd, &back, 1, -1, 0));
    refuse("flags", preadv2(fd, &back, 1, 0, 0x100000));
    refuse("negative", preadv2(fd, &back, 1, -2, 0));
    refuse("pipe at an offset", preadv2(pipes[0], &back, 1, 0, 0));
    refuse("not now", preadv2(pipes[0], &back, 1, -1, RWF_NOWAIT));
    refuse("too many", preadv(fd, &back, 1025, 0));

    sync();
    refuse("fsync", fsync(fd));
    refuse("fdatasync", fdatasync(fd));
    refuse("a directory", fsync(open("/tmp", O_RDONLY)));
    refuse("a pipe", fsync(pipes[0]));
    refuse("syncfs", syncfs(fd));
    refuse("range", sync_file_range(fd, 0, 10, SYNC_FILE_RANGE_WRITE));
    refuse("range's flags", sync_file_range(fd, 0, 10, 8));
    refuse("range of a pipe", sync_file_range(pipes[0], 0, 10, 0));
    refuse("fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
    refuse("advice", posix_fadvise(fd, 0, 0, 77) > 0 ? (errno = EINVAL, -1) : 0);
    refuse("readahead", readahead(fd, 0, 100));
    refuse("readahead of a writer", readahead(pipes[1], 0, 100));

    refuse("the same file", fcntl(fd, 1027, dup(fd)));
    refuse("another", fcntl(fd, 1027, open(name, O_RDONLY)));
    refuse("lease", fcntl(fd, F_GETLEASE));
    refuse("owner", fcntl(fd, F_GETOWN));
    refuse("command", fcntl(fd, 5000));
    refuse("pipe's size", fcntl(fd, F_GETPIPE_SZ));
    refuse("pipe's size", fcntl(pipes[0], F_SETPIPE_SZ, 5000));
    refuse("seals", fcntl(pipes[0], F_GET_SEALS));
    close(pipes[0]), close(pipes[1]);
}

int main(void) {
    sizes();
    numbers();
    contents();
    expect(unlink(name) == 0);
    return 0;
}
