// memfd_create and seals: what each seal forbids, mappings, what is refused.
#include "expect.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#define FLAGS_NOEXEC 8u

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static int made(const char *name, unsigned flags) { return syscall(SYS_memfd_create, name, flags); }

int main(void) {
    int fd = made("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char text[200], link[200];
    expect(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    sprintf(text, "/proc/self/fd/%d", fd);
    int length = readlink(text, link, sizeof link);
    printf("%.*s\n", length, link);
    struct stat status;
    struct statfs system;
    expect(fstat(fd, &status) == 0 && fstatfs(fd, &system) == 0);
    printf("mode %o, links %d, size %d, type %lx, flags %x\n", status.st_mode, (int)status.st_nlink, (int)status.st_size, (long)system.f_type,
           fcntl(fd, F_GETFL) & O_ACCMODE);
    expect(write(fd, "contents", 8) == 8 && ftruncate(fd, 8192) == 0);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    expect(map != MAP_FAILED && memcmp(map, "contents", 8) == 0);
    map[100] = 'x';
    expect(pread(fd, text, 1, 100) == 1 && text[0] == 'x');

    printf("seals %d\n", fcntl(fd, F_GET_SEALS));
    refuse("sealed while mapped", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    expect(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    refuse("shrink", ftruncate(fd, 100));
    expect(ftruncate(fd, 10000) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
    refuse("grow", ftruncate(fd, 20000));
    refuse("grow by writing", pwrite(fd, "xy", 2, 9999));
    refuse("grow by allocating", fallocate(fd, 0, 0, 20000));
    expect(pwrite(fd, "xy", 2, 9998) == 2);
    if (fork() == 0) {
        map[0] = 'C';
        _exit(0);
    }
    wait(NULL);
    expect(munmap(map, 8192) == 0);
    char *reading = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    expect(reading != MAP_FAILED && reading[0] == 'C');
    refuse("sealed", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    refuse("write", write(fd, "x", 1));
    refuse("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    refuse("map for writing", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    expect(private != MAP_FAILED);
    private[0] = 'p';
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    expect(shared != MAP_FAILED && shared[0] == 'C');
    refuse("made writable", mprotect(shared, 4096, PROT_READ | PROT_WRITE));
    expect(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == 0);
    refuse("no more seals", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    printf("seals %d\n", fcntl(fd, F_GET_SEALS));

    int plain = made("", 0);
    refuse("none allowed", fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
    printf("seals %d\n", fcntl(plain, F_GET_SEALS));
    int future = made("future", MFD_ALLOW_SEALING);
    expect(ftruncate(future, 4096) == 0);
    map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0);
    expect(map != MAP_FAILED && fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
    map[0] = 'f';
    refuse("future write", write(future, "x", 1));
    refuse("future mapping", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0) == MAP_FAILED ? -1 : 0);
    int strict = made("strict", FLAGS_NOEXEC);
    expect(fstat(strict, &status) == 0);
    printf("mode %o, seals %x\n", status.st_mode, fcntl(strict, F_GET_SEALS));
    refuse("executable", fchmod(strict, 0777));
    refuse("not executable", fchmod(strict, 0644));

    char longest[300];
    memset(longest, 'n', sizeof longest);
    longest[249] = 0;
    refuse("a long name", made(longest, 0) >= 0 ? 0 : -1);
    longest[249] = 'n', longest[250] = 0;
    refuse("too long a name", made(longest, 0));
    refuse("flags", made("x", 0x100));
    refuse("both", made("x", 0x18));
    refuse("bad name", made((char *)8, 0));
    int pipes[2];
    expect(pipe(pipes) == 0);
    refuse("a pipe's seals", fcntl(pipes[0], F_GET_SEALS));
    refuse("unknown seal", fcntl(future, F_ADD_SEALS, 0x1000));
    // Beyond the end there is nothing.
    int hole = made("hole", 0);
    expect(ftruncate(hole, 100) == 0);
    map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, hole, 0);
    if (fork() == 0) {
        char byte = *(volatile char *)(map + 4096);
        _exit(byte);
    }
    int ended;
    expect(wait(&ended) > 0);
    printf("past the end: signal %d\n", WTERMSIG(ended));
    return 0;
}
