// Null and zero, whose reads and writes need nothing but their arguments, through everything that makes a number lead to them or away from
// them: what is written must be gone exactly when it went there.
#include "expect.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define TEN 10
static char buffer[10000];
static int ends[2]; // A pipe's, which doesn't wait.

static long get(int fd, void *to, size_t count) {
    errno = 0;
    return syscall(SYS_read, fd, to, count);
}
static long put(int fd, const void *from, size_t count) {
    errno = 0;
    return syscall(SYS_write, fd, from, count);
}
// Nothing has come through the pipe.
static int silent(void) { return read(ends[0], buffer, 100) == -1 && errno == EAGAIN; }
static int heard(void) { return read(ends[0], buffer, 100) == 4 && memcmp(buffer, "text", 4) == 0; }
static int discards(int fd) { return put(fd, "text", 4) == 4 && silent(); }
static int carries(int fd) { return put(fd, "text", 4) == 4 && heard(); }
static int is_closed(int fd) { return put(fd, "text", 4) == -1 && errno == EBADF && get(fd, buffer, 1) == -1 && errno == EBADF; }
static int gives_zeros(int fd) {
    memset(buffer, 'x', 100);
    return get(fd, buffer, 50) == 50 && buffer[0] == 0 && buffer[49] == 0 && buffer[50] == 'x';
}
static int ended(int child) {
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void arguments(void) {
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(munmap(map + 4096, 4096) == 0);
    for (int from = 0; from < 20; from++) {
        memset(map, 'x', 4096);
        expect(get(zero, map + from, 30 + from) == 30 + from);
        expect(memchr(map, 0, 4096) == map + from && memchr(map + from, 'x', 4096) == map + 30 + 2 * from);
        // Up to where memory ends.
        memset(map, 'x', 4096);
        long count = get(zero, map + 4096 - from * 3, 5000);
        expect(from ? count == from * 3 : count == -1 && errno == EFAULT);
        expect(from == 0 || (map[4095] == 0 && map[4096 - from * 3] == 0 && map[4095 - from * 3] == 'x'));
    }
    expect(mprotect(map, 4096, PROT_READ) == 0);
    expect(get(zero, map, 1) == -1 && errno == EFAULT && get(zero, map, 0) == 0 && get(null, map, 1) == 0);
    expect(get(null, NULL, 100) == 0 && put(null, NULL, 100) == 100 && put(zero, map + 4096, 77) == 77);
    expect(get(zero, NULL, 100) == -1 && errno == EFAULT);
    uintptr_t wild[] = {UINTPTR_MAX, UINTPTR_MAX - 7, (uintptr_t)1 << 63, (uintptr_t)1 << 48};
    for (int i = 0; i < 4; i++) {
        expect(put(null, (void *)wild[i], 100) == -1 && errno == EFAULT);
        expect(get(null, (void *)wild[i], 100) == -1 && errno == EFAULT);
        expect(get(zero, (void *)wild[i], 100) == -1 && errno == EFAULT);
    }
    expect(put(null, map, SIZE_MAX) == -1 && get(null, map, SIZE_MAX) == -1);
    // More than one call moves.
    const void *low = (void *)65536;
    expect(put(null, low, 0x7ffff000) == 0x7ffff000 && put(null, low, 0x7ffff001) == 0x7ffff000 && put(zero, low, 0xffffffff) == 0x7ffff000);
    expect(munmap(map, 4096) == 0 && close(null) == 0 && close(zero) == 0 && is_closed(null) && is_closed(zero));
}

static void modes(void) {
    static const struct {
        const char *name;
        int flags;
    } ways[] = {{"/dev/null", O_RDONLY}, {"/dev/null", O_WRONLY | O_APPEND}, {"/dev/null", O_RDWR | O_NONBLOCK},   {"/dev/null", O_PATH},
                {"/dev/zero", O_RDONLY}, {"/dev/zero", O_WRONLY | O_TRUNC},  {"/dev/zero", O_RDWR | O_CLOEXEC}, {"/dev/full", O_RDWR},
                {"/dev/full", O_WRONLY}};
    for (int i = 0; i < 9; i++) {
        int fd = open(ways[i].name, ways[i].flags);
        for (int again = 0; again < 2; again++) {
            int got = get(fd, buffer, 9), error = errno, wrote = put(fd, "text", 4);
            printf("%s %o: read %d (%s), write %d (%s)\n", ways[i].name, ways[i].flags, got, strerror(error), wrote, strerror(errno));
            expect(ways[i].flags & O_PATH || fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND) == 0);
        }
        char name[40], line[40];
        snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
        FILE *info = fopen(name, "r");
        expect(info && fgets(line, sizeof line, info));
        printf("%s", line);
        fclose(info);
        // By another name, with another mode.
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        int other = open(name, O_RDONLY);
        expect(get(other, buffer, 9) == (ways[i].name[5] == 'n' ? 0 : 9) && put(other, "text", 4) == -1 && errno == EBADF);
        expect(close(other) == 0 && close(fd) == 0);
    }
}

static void numbers(void) {
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    expect(dup2(null, TEN) == TEN && discards(TEN) && get(TEN, buffer, 9) == 0);
    expect(dup2(ends[1], TEN) == TEN && carries(TEN) && dup2(zero, TEN) == TEN && discards(TEN) && gives_zeros(TEN));
    expect(dup3(null, TEN, O_CLOEXEC) == TEN && get(TEN, buffer, 9) == 0 && close(TEN) == 0 && is_closed(TEN));
    expect(fcntl(zero, F_DUPFD, TEN) == TEN && gives_zeros(TEN) && dup2(TEN, TEN) == TEN && gives_zeros(TEN));
    expect(syscall(SYS_close_range, TEN, TEN, 0) == 0 && is_closed(TEN));
    // Closed in a row with what came before; the number is another file's then.
    for (int round = 0; round < 3; round++) {
        int copies[2] = {dup(zero), dup(null)}, file;
        expect(discards(copies[1]) && gives_zeros(copies[0]) && lseek(copies[0], 0, SEEK_CUR) == 0);
        int again[2] = {dup(null), dup(null)};
        expect(close(again[1]) == 0 && close(again[0]) == 0 && close(copies[1]) == 0 && close(copies[0]) == 0);
        expect(is_closed(again[1]) && is_closed(again[0]) && is_closed(copies[1]) && is_closed(copies[0]));
        file = open("/tmp/number", O_RDWR | O_CREAT | O_TRUNC, 0600);
        expect(file == copies[0] && put(file, "text", 4) == 4 && pread(file, buffer, 9, 0) == 4);
        expect(memcmp(buffer, "text", 4) == 0 && close(file) == 0 && unlink("/tmp/number") == 0);
    }
    // A table of its own.
    expect(dup2(null, TEN) == TEN && syscall(SYS_close_range, 100, 200, CLOSE_RANGE_UNSHARE) == 0 && discards(TEN));
    expect(dup2(ends[1], TEN) == TEN && carries(TEN) && dup2(zero, TEN) == TEN && gives_zeros(TEN));
    expect(unshare(CLONE_FILES) == 0 && gives_zeros(TEN) && close(TEN) == 0 && is_closed(TEN));
    // Numbers above those that anybody has.
    for (int number = 254; number < 259; number++) {
        expect(dup2(null, number) == number && discards(number) && get(number, buffer, 9) == 0);
        expect(dup2(zero, number) == number && gives_zeros(number));
        expect(dup2(ends[1], number) == number && carries(number) && close(number) == 0 && is_closed(number));
    }
    expect(is_closed(-1) && is_closed(1 << 30));
    // What another process could have sent.
    int pair[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    char byte = 1;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), (int[]){null, zero}, 2 * sizeof(int));
    expect(sendmsg(pair[0], &message, 0) == 1 && recvmsg(pair[1], &message, 0) == 1);
    int received[2];
    memcpy(received, CMSG_DATA(&control.header), sizeof received);
    expect(received[0] > zero && discards(received[0]) && get(received[0], buffer, 9) == 0 && gives_zeros(received[1]));
    expect(close(received[0]) == 0 && close(received[1]) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
    expect(close(null) == 0 && close(zero) == 0);
}

static void *replace(void *over) {
    expect(discards(TEN) && dup2(ends[1], TEN) == TEN && carries(TEN));
    return over;
}
static int shared_child(void *unused) {
    (void)unused;
    expect(discards(TEN) && dup2(ends[1], TEN) == TEN && carries(TEN));
    expect(unshare(CLONE_FILES) == 0 && carries(TEN));
    int null = open("/dev/null", O_RDWR);
    expect(dup2(null, TEN) == TEN && discards(TEN) && get(TEN, buffer, 9) == 0);
    _exit(6);
}

static void inherited(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), child;
    expect(dup2(null, TEN) == TEN);
    // fork: a table of its own.
    if ((child = fork()) == 0) {
        expect(discards(TEN) && dup2(ends[1], TEN) == TEN && carries(TEN) && close(null) == 0 && is_closed(null));
        _exit(1);
    }
    expect(ended(child) == 1 && discards(TEN) && discards(null));
    if ((child = vfork()) == 0) {
        if (!(discards(TEN) && dup2(ends[1], TEN) == TEN && carries(TEN)))
            _exit(99);
        _exit(2);
    }
    expect(ended(child) == 2 && discards(TEN));
    // execve: some are closed.
    if ((child = vfork()) == 0) {
        char out[20], closed[20];
        snprintf(out, sizeof out, "%d", ends[0]), snprintf(closed, sizeof closed, "%d", null);
        execl("/proc/self/exe", "devices", out, closed, NULL);
        _exit(98);
    }
    expect(ended(child) == 3 && discards(null));
    // A thread's table is everybody's.
    pthread_t thread;
    expect(pthread_create(&thread, NULL, replace, NULL) == 0 && pthread_join(thread, NULL) == 0 && carries(TEN));
    expect(dup2(null, TEN) == TEN && discards(TEN));
    // So is that of a process that shares it, until it no longer does.
    static char stack[65536] __attribute__((aligned(16)));
    child = clone(shared_child, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL);
    expect(ended(child) == 6 && carries(TEN) && dup2(null, TEN) == TEN && discards(TEN) && get(TEN, buffer, 9) == 0);
    expect(close(TEN) == 0 && is_closed(TEN) && close(null) == 0);
}

static void overheard(void) {
    int fd = open("/dev/zero", O_RDWR), watcher = inotify_init1(IN_NONBLOCK);
    expect(discards(fd) && gives_zeros(fd));
    for (int round = 0; round < 2; round++) {
        int watch = inotify_add_watch(watcher, "/dev/zero", IN_MODIFY | IN_ACCESS);
        expect(watch > 0 && discards(fd));
        struct inotify_event event;
        expect(read(watcher, &event, sizeof event) == sizeof event && event.wd == watch && event.mask == IN_MODIFY);
        expect(gives_zeros(fd));
        expect(read(watcher, &event, sizeof event) == sizeof event && event.wd == watch && event.mask == IN_ACCESS);
        // Closing the instance ends its watches as well.
        if (round == 0)
            expect(inotify_rm_watch(watcher, watch) == 0 && read(watcher, &event, sizeof event) == sizeof event && event.mask == IN_IGNORED);
        else
            expect(close(watcher) == 0);
        expect(discards(fd) && gives_zeros(fd));
    }
    expect(close(fd) == 0);
}

static void filtered(void) {
    int null = open("/dev/null", O_RDWR), child;
    expect(discards(null));
    if ((child = fork()) == 0) {
        struct sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 1),
                                      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
        struct sock_fprog program = {4, steps};
        expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
        _exit(put(null, "text", 4) == -1 && errno == EXDEV && get(null, buffer, 9) == 0 ? 4 : 99);
    }
    expect(ended(child) == 4);
    if ((child = fork()) == 0) {
        expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
        // Neither is refused.
        syscall(SYS_exit, put(null, "text", 4) == 4 && get(null, buffer, 9) == 0 ? 5 : 99);
    }
    expect(ended(child) == 5 && close(null) == 0);
}

static volatile sig_atomic_t rang;
static void ring(int signal) { rang = signal; }

static void interrupted(void) {
    int zero = open("/dev/zero", O_RDONLY);
    size_t size = 4 << 20;
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGALRM, ring);
    struct itimerval soon = {.it_value = {0, 20000}};
    expect(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    while (!rang) {
        map[0] = 'x';
        // All of it, or what was done before the signal; never an error.
        expect(get(zero, map, size) > 0 && map[0] == 0);
    }
    expect(rang == SIGALRM && munmap(map, size) == 0 && close(zero) == 0);
}

int main(int count, char **words) {
    if (count > 1) {
        ends[0] = atoi(words[1]);
        expect(discards(TEN) && get(TEN, buffer, 9) == 0 && is_closed(atoi(words[2])));
        int zero = open("/dev/zero", O_RDWR);
        expect(gives_zeros(zero) && close(TEN) == 0 && is_closed(TEN));
        return 3;
    }
    expect(pipe2(ends, O_NONBLOCK) == 0);
    arguments();
    modes();
    numbers();
    inherited();
    overheard();
    filtered();
    interrupted();
    printf("done\n");
    return 0;
}
