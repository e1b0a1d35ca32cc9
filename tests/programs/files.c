// Files: offsets, appending, truncation, holes, vectors, shared and separate open files, permissions, times.
#include "expect.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define fails(call, error) expect((call) == -1 && errno == (error))

static void show(const char *what, int fd) {
    char text[64] = "";
    long n = pread(fd, text, sizeof text - 1, 0);
    expect(n >= 0);
    for (long i = 0; i < n; i++)
        if (text[i] == 0)
            text[i] = '.';
    printf("%s: %s\n", what, text);
}

#define PAGE 4096

// Whole pages from and to memory that is there, in part, not at all, shared with a child, or the file itself.
// Looked at even if no byte is moved.
static void nowhere(void) {
    char *volatile low = (char *)16, *beyond = (char *)-4096l, *last = (char *)0x7fffffffeff8;
    int fd = open("nowhere", O_RDWR | O_CREAT | O_TRUNC, 0600);
    expect(fd >= 0 && write(fd, "0123456789", 10) == 10);
    expect(read(fd, beyond, 10) == -1 && errno == EFAULT && read(fd, beyond, 0) == -1 && errno == EFAULT);
    expect(pread(fd, beyond, 10, 20) == -1 && errno == EFAULT && pread(fd, last, 16, 10) == -1 && errno == EFAULT);
    expect(write(fd, beyond, 0) == -1 && errno == EFAULT && pwrite(fd, beyond, 1, 0) == -1 && errno == EFAULT);
    expect(read(fd, low, 10) == 0 && read(fd, low, 0) == 0 && write(fd, low, 0) == 0);
    expect(pread(fd, low, 10, 0) == -1 && errno == EFAULT && close(fd) == 0 && unlink("nowhere") == 0);
}

static void pages(void) {
    char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static char zeros[PAGE];
    struct stat status;
    int fd = open("pages", O_RDWR | O_CREAT | O_EXCL, 0600), pair[2], ended;
    expect(memory != MAP_FAILED && fd >= 0 && pipe(pair) == 0);
    for (int i = 0; i < 2 * PAGE; i++)
        memory[i] = 'a' + i % 23;
    expect(munmap(memory + 2 * PAGE, PAGE) == 0);
    expect(write(fd, memory + 104, 2 * PAGE - 104) == 2 * PAGE - 104 && lseek(fd, 0, SEEK_CUR) == 2 * PAGE - 104);
    expect(pwrite(fd, memory + PAGE, 2 * PAGE, 3 * PAGE) == PAGE && fstat(fd, &status) == 0 && status.st_size == 4 * PAGE);
    fails(pwrite(fd, memory + 2 * PAGE, 10, 5 * PAGE), EFAULT);
    expect(pread(fd, memory + PAGE, 2 * PAGE, 2 * PAGE) == PAGE && memcmp(memory + PAGE, zeros, PAGE) == 0);
    expect(mprotect(memory, PAGE, PROT_READ) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    fails(read(fd, memory, PAGE), EFAULT);
    expect(lseek(fd, 0, SEEK_CUR) == 0 && memory[0] == 'a' && mprotect(memory, PAGE, PROT_READ | PROT_WRITE) == 0);

    int pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        char byte;
        expect(read(pair[0], &byte, 1) == 1 && memory[0] == 'a' && memory[PAGE] == 0);
        _exit(0);
    }
    expect(read(fd, memory, 2 * PAGE - 104) == 2 * PAGE - 104 && memory[0] == 'a' + 104 % 23);
    expect(write(pair[1], "", 1) == 1 && waitpid(pid, &ended, 0) == pid && ended == 0);

    char *shown = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    expect(shown != MAP_FAILED && pwrite(fd, shown, PAGE, 2 * PAGE) == PAGE && memcmp(shown, shown + 2 * PAGE, PAGE) == 0);
    expect(pread(fd, shown + PAGE, PAGE, 3 * PAGE) == PAGE && memcmp(shown + PAGE, shown + 3 * PAGE, PAGE) == 0);
    expect(ftruncate(fd, PAGE + 10) == 0 && pread(fd, memory, PAGE, PAGE) == 10 && pread(fd, memory, PAGE, 2 * PAGE) == 0);
    expect(ftruncate(fd, 2 * PAGE) == 0 && pread(fd, memory, PAGE, PAGE) == PAGE && memcmp(memory + 10, zeros, PAGE - 10) == 0);
    expect(pwrite(fd, "behind", 6, 3 * PAGE) == 6 && pread(fd, memory, PAGE, 2 * PAGE) == PAGE && memcmp(memory, zeros, PAGE) == 0);
    expect(memcmp(shown + 3 * PAGE, "behind", 7) == 0 && shown[2 * PAGE] == 0);
    expect(munmap(shown, 4 * PAGE) == 0 && munmap(memory, 2 * PAGE) == 0 && munmap(memory + 3 * PAGE, PAGE) == 0);
    expect(close(fd) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0 && unlink("pages") == 0);
    printf("pages are right\n");
}

int main(void) {
    char top[] = "/tmp/chestnut-files-XXXXXX", text[100];
    struct stat status;
    umask(022);
    expect(mkdtemp(top) != NULL && chdir(top) == 0);

    nowhere();
    pages();
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0666);
    expect(fd >= 0 && write(fd, "hello world", 11) == 11);
    expect(lseek(fd, 6, SEEK_SET) == 6 && write(fd, "there", 5) == 5 && lseek(fd, -5, SEEK_END) == 6);
    expect(read(fd, text, 100) == 5 && memcmp(text, "there", 5) == 0 && read(fd, text, 100) == 0);
    expect(lseek(fd, 3, SEEK_END) == 14 && write(fd, "end", 3) == 3);
    show("with a hole", fd);
    fails(lseek(fd, -1, SEEK_SET), EINVAL);
    fails(lseek(fd, 0, 99), EINVAL);
    expect(ftruncate(fd, 5) == 0 && fstat(fd, &status) == 0 && status.st_size == 5);
    expect(ftruncate(fd, 8) == 0);
    show("cut and grown", fd);
    expect(lseek(fd, 0, SEEK_CUR) == 17);

    int append = open("f", O_WRONLY | O_APPEND), other = open("f", O_RDONLY), copy = dup(other);
    expect(append >= 0 && other >= 0 && copy >= 0);
    expect(write(append, "++", 2) == 2 && pwrite(fd, "J", 1, 0) == 1 && write(append, "--", 2) == 2);
    expect(lseek(append, 0, SEEK_CUR) == 12);
    show("appended", fd);
    expect(read(other, text, 3) == 3 && read(copy, text + 3, 3) == 3 && memcmp(text, "Jello", 5) == 0);
    expect(lseek(other, 0, SEEK_CUR) == 6);
    fails(write(other, "x", 1), EBADF);
    fails(read(append, text, 1), EBADF);
    expect((fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND));

    // The offset is shared with a child.
    int pid = fork(), ended;
    expect(pid >= 0);
    if (pid == 0) {
        expect(lseek(other, 1, SEEK_SET) == 1);
        _exit(0);
    }
    expect(waitpid(pid, &ended, 0) == pid && ended == 0);
    expect(read(other, text, 4) == 4 && memcmp(text, "ello", 4) == 0);

    // An unlinked file lives as long as it is open.
    expect(unlink("f") == 0 && access("f", F_OK) == -1 && errno == ENOENT);
    expect(fstat(fd, &status) == 0 && status.st_nlink == 0);
    show("unlinked", fd);

    struct iovec parts[3] = {{"ab", 2}, {NULL, 0}, {"cde", 3}}, into[2] = {{text, 1}, {text + 50, 10}};
    expect(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && writev(fd, parts, 3) == 5);
    expect(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, into, 2) == 5 && text[0] == 'a' && memcmp(text + 50, "bcde", 4) == 0);
    expect(pwritev(fd, parts, 3, 10) == 5 && preadv(fd, into, 2, 12) == 3 && text[0] == 'c');
    show("vectors", fd);
    volatile int minus_one = -1;
    fails(readv(fd, into, minus_one), EINVAL);

    int target = open("copy", O_RDWR | O_CREAT | O_EXCL, 0600);
    off_t from = 2;
    expect(target >= 0 && sendfile(target, fd, &from, 100) == 13 && from == 15);
    show("sent", target);

    // A sparse file of a gigabyte.
    int sparse = open("sparse", O_RDWR | O_CREAT, 0600);
    expect(sparse >= 0 && pwrite(sparse, "far", 3, 1 << 30) == 3 && fstat(sparse, &status) == 0);
    expect(status.st_size == (1 << 30) + 3 && pread(sparse, text, 3, 1 << 29) == 3 && text[0] == 0 && text[2] == 0);
    expect(pread(sparse, text, 9, 1 << 30) == 3 && memcmp(text, "far", 3) == 0);
    printf("sparse: %ld bytes\n", (long)status.st_size);

    // Modes and times.
    expect(chmod("copy", 0751) == 0 && stat("copy", &status) == 0 && (status.st_mode & 07777) == 0751);
    expect(fchmod(target, 04600) == 0 && fstat(target, &status) == 0 && (status.st_mode & 07777) == 04600);
    struct timespec times[2] = {{1000000000, 5}, {1200000000, 7}};
    expect(utimensat(AT_FDCWD, "copy", times, 0) == 0 && stat("copy", &status) == 0);
    printf("times: %ld.%ld %ld.%ld\n", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec, (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    expect(futimens(target, times) == 0 && fstat(target, &status) == 0 && status.st_atim.tv_sec == 1000000000 && status.st_mtim.tv_sec > 1200000000);
    expect(truncate("copy", 3) == 0 && stat("copy", &status) == 0 && status.st_size == 3 && status.st_blksize > 0);
    struct statfs file_system;
    expect(statfs(".", &file_system) == 0 && file_system.f_bsize > 0 && file_system.f_namelen == 255);

    // Descriptors: the lowest free one, limits, errors.
    expect(close(0) == 0 && open("copy", O_RDONLY) == 0 && close(0) == 0);
    fails(close(0), EBADF);
    fails(dup2(0, 5), EBADF);
    fails(dup3(fd, fd, 0), EINVAL);
    fails(fcntl(fd, F_DUPFD, -1), EINVAL);
    fails(open("copy", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    fails(open("copy/x", O_RDONLY), ENOTDIR);
    void *volatile bad = (void *)8;
    fails(open(bad, O_RDONLY), EFAULT);
    fails(write(fd, bad, 1), EFAULT);
    fails(stat("copy", bad), EFAULT);
    struct rlimit limit = {200, 200};
    expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int opened = 0;
    while (open("copy", O_RDONLY) >= 0)
        opened++;
    expect(errno == EMFILE && opened > 180);
    printf("errors are right\n");
    for (int i = 3; i < 200; i++)
        close(i);

    // Standard input and output of the C library.
    FILE *stream = fopen("text", "w+");
    expect(stream != NULL);
    for (int i = 0; i < 10000; i++)
        fprintf(stream, "line %d\n", i);
    rewind(stream);
    int lines = 0, number;
    while (fscanf(stream, "line %d\n", &number) == 1)
        expect(number == lines++);
    expect(fseek(stream, -5, SEEK_END) == 0 && fgets(text, 100, stream) != NULL && fclose(stream) == 0);
    printf("%d lines, the last ends in %s", lines, text);
    expect(unlink("text") == 0 && unlink("copy") == 0 && unlink("sparse") == 0 && chdir("/") == 0 && rmdir(top) == 0);
    return 0;
}
