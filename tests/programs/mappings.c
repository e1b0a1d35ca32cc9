// What flags of mmap and its relatives bring about: advice, growing, locking in memory, populating, barriers.
#include "expect.h"
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
enum { RW = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS, PAGE = 4096 };

static unsigned char *map(int pages, int flags) {
    unsigned char *start = mmap(NULL, pages * PAGE, RW, PRIVATE | flags, -1, 0);
    expect(start != MAP_FAILED);
    return start;
}
static int present(void *start, int pages) {
    unsigned char each[64];
    int count = 0;
    expect(mincore(start, pages * PAGE, each) == 0);
    for (int i = 0; i < pages; i++)
        count += each[i] & 1;
    return count;
}
// Kilobytes that a line of /proc/self/status has.
static long status(const char *line) {
    char text[200];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(text, sizeof text, file))
        if (strncmp(text, line, strlen(line)) == 0)
            value = strtol(text + strlen(line) + 1, NULL, 10);
    fclose(file);
    return value;
}

static void placed(void) {
    unsigned char *low = map(4, MAP_32BIT);
    expect((uintptr_t)low + 4 * PAGE <= 0x80000000u);
    unsigned char *stack = map(4, MAP_STACK | MAP_NORESERVE);
    expect(stack[PAGE] == 0);
    // It grows when what is below is touched, up to the next area's guard.
    unsigned char *room = map(600, MAP_NORESERVE);
    expect(munmap(room, 600 * PAGE) == 0);
    unsigned char *grows = mmap(room + 590 * PAGE, PAGE, RW, PRIVATE | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    expect(grows == room + 590 * PAGE);
    grows[-1] = 1, grows[-3 * PAGE] = 2;
    expect(grows[-1] == 1 && grows[0] == 0);
    expect(mprotect(grows, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP) == -1 && errno == EINVAL);
    expect(mprotect(stack, PAGE, PROT_READ | PROT_GROWSUP) == -1 && errno == EINVAL);

    expect(present(map(4, MAP_POPULATE), 4) == 4 && present(map(4, MAP_LOCKED), 4) == 4);
    expect(mmap(NULL, 3 << 20, RW, PRIVATE | MAP_HUGETLB | (60 << 26), -1, 0) == MAP_FAILED);
    int file = memfd_create("shown", MFD_CLOEXEC);
    expect(file >= 0 && ftruncate(file, 8 * PAGE) == 0);
    expect(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0) == MAP_FAILED && errno == EOPNOTSUPP);
    unsigned char *shared = mmap(NULL, 8 * PAGE, RW, MAP_SHARED_VALIDATE | MAP_POPULATE | MAP_NONBLOCK, file, 0);
    expect(shared != MAP_FAILED);
    shared[0] = 7;
    char byte;
    expect(pread(file, &byte, 1, 0) == 1 && byte == 7);
    printf("placed\n");
}

static void moved(void) {
    unsigned char *from = map(4, 0), *to = map(8, 0);
    memset(from, 5, 4 * PAGE), memset(to, 6, 8 * PAGE);
    expect(mremap(from, 4 * PAGE, 4 * PAGE, MREMAP_FIXED, to) == MAP_FAILED && errno == EINVAL);
    expect(mremap(from, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    expect(to[0] == 5 && to[4 * PAGE - 1] == 5 && to[4 * PAGE] == 0 && to[6 * PAGE] == 6);
    expect(mincore(from, PAGE, (void *)to) == -1 && errno == ENOMEM);
    expect(mremap(to, 6 * PAGE, 6 * PAGE, 16) == MAP_FAILED && errno == EINVAL);

    // The end of the data.
    char *end = (char *)syscall(SYS_brk, 0);
    expect((char *)syscall(SYS_brk, end + 3 * PAGE) == end + 3 * PAGE);
    memset(end, 1, 3 * PAGE);
    expect((char *)syscall(SYS_brk, end) == end && (char *)syscall(SYS_brk, end + PAGE) == end + PAGE && end[PAGE - 1] == 0);
    expect((char *)syscall(SYS_brk, (char *)16) == end + PAGE && (char *)syscall(SYS_brk, end) == end);
    printf("moved\n");
}

static void advised(void) {
    unsigned char *start = map(8, 0);
    expect(madvise(start, 8 * PAGE, MADV_NOHUGEPAGE) == 0);
    expect(present(start, 8) == 0 && madvise(start, 4 * PAGE, MADV_POPULATE_READ) == 0 && present(start, 8) == 4);
    expect(madvise(start, 8 * PAGE, MADV_POPULATE_WRITE) == 0 && present(start, 8) == 8);
    memset(start, 9, 8 * PAGE);
    const int plain[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTDUMP, MADV_DODUMP, MADV_COLD, MADV_PAGEOUT};
    for (unsigned i = 0; i < sizeof plain / sizeof *plain; i++)
        expect(madvise(start, 8 * PAGE, plain[i]) == 0 && start[0] == 9 && start[8 * PAGE - 1] == 9);
    // Without large pages Linux says EINVAL.
    long huge = madvise(start, 8 * PAGE, MADV_HUGEPAGE);
    expect((huge == 0 || errno == EINVAL) && start[PAGE] == 9);
    expect(madvise(start, 2 * PAGE, MADV_DONTNEED) == 0 && start[0] == 0 && start[2 * PAGE] == 9);
    expect(madvise(start + 2 * PAGE, PAGE, MADV_FREE) == 0 && (start[2 * PAGE] == 0 || start[2 * PAGE] == 9));
    start[2 * PAGE] = 8;
    expect(start[2 * PAGE] == 8 && start[3 * PAGE] == 9);
    expect(madvise(start + 1, PAGE, MADV_NORMAL) == -1 && errno == EINVAL && madvise(start, PAGE, 77) == -1 && errno == EINVAL);
    expect(munmap(start + PAGE, PAGE) == 0 && madvise(start, 3 * PAGE, MADV_NORMAL) == -1 && errno == ENOMEM);

    // For a child: none of it, or nothing in it.
    unsigned char *hidden = map(2, 0), *wiped = map(2, 0), *kept = map(2, 0);
    hidden[0] = wiped[0] = kept[0] = 3;
    expect(madvise(hidden, PAGE, MADV_DONTFORK) == 0 && madvise(wiped, PAGE, MADV_WIPEONFORK) == 0);
    wiped[PAGE] = 3;
    int status, probe[2];
    expect(pipe(probe) == 0);
    for (int round = 0; round < 2; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            long gone = write(probe[1], hidden, 1);
            expect(round == 1 ? gone == 1 && wiped[0] == 3 : gone == -1 && errno == EFAULT && wiped[0] == 0);
            expect(wiped[PAGE] == 3 && kept[0] == 3);
            _exit(4);
        }
        expect(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 4);
        expect(hidden[0] == 3 && wiped[0] == 3);
        expect(madvise(hidden, PAGE, MADV_DOFORK) == 0 && madvise(wiped, PAGE, MADV_KEEPONFORK) == 0);
    }
    // A file's pages are taken out of it.
    int file = memfd_create("shown", 0);
    expect(ftruncate(file, 4 * PAGE) == 0);
    unsigned char *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, file, 0);
    expect(shared != MAP_FAILED);
    memset(shared, 2, 4 * PAGE);
    expect(madvise(shared, PAGE, MADV_WIPEONFORK) == -1 && errno == EINVAL);
    expect(madvise(shared + PAGE, PAGE, MADV_REMOVE) == 0 && shared[0] == 2 && shared[PAGE] == 0 && shared[2 * PAGE] == 2);
    char byte = 1;
    expect(pread(file, &byte, 1, PAGE) == 1 && byte == 0);
    expect(madvise(kept, PAGE, MADV_REMOVE) == -1 && errno == EINVAL);
    printf("advised\n");
}

static void advised_from_outside(void) {
    unsigned char *start = map(4, 0);
    memset(start, 1, 4 * PAGE);
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    struct iovec pieces[2] = {{start, PAGE}, {start + 2 * PAGE, PAGE}};
    const int advice[] = {MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED};
    for (int i = 0; i < 3; i++)
        expect(syscall(SYS_process_madvise, self, pieces, 2, advice[i], 0) == 2 * PAGE && start[0] == 1);
    expect(syscall(SYS_process_madvise, self, pieces, 2, 77, 0) == -1 && errno == EINVAL);
    expect(syscall(SYS_process_madvise, self, pieces, 2, MADV_COLD, 1) == -1 && errno == EINVAL);
    expect(syscall(SYS_process_madvise, 99, pieces, 2, MADV_COLD, 0) == -1 && errno == EBADF);
    // Newer systems let a process do more to itself; large pages are there or not.
    long done = syscall(SYS_process_madvise, self, pieces, 1, MADV_DONTNEED, 0);
    expect(done == PAGE ? start[0] == 0 : done == -1 && errno == EINVAL);
    start[0] = 1, done = syscall(SYS_process_madvise, self, pieces, 1, MADV_FREE, 0);
    expect(done == PAGE ? start[0] <= 1 : done == -1 && errno == EINVAL);
    syscall(SYS_process_madvise, self, pieces, 1, MADV_COLLAPSE, 0);
    expect(start[PAGE] == 1 && start[2 * PAGE] == 1);
    close(self);
    printf("advised from outside\n");
}

static void locked(void) {
    unsigned char *start = map(8, 0);
    long before = status("VmLck:");
    expect(mlock(start + 100, PAGE) == 0 && present(start, 8) == 2 && status("VmLck:") == before + 8);
    expect(syscall(SYS_mlock2, start + 4 * PAGE, 2 * PAGE, MLOCK_ONFAULT) == 0 && present(start, 8) == 2);
    expect(status("VmLck:") == before + 16);
    start[4 * PAGE] = 1;
    expect(present(start, 8) == 3);
    expect(syscall(SYS_mlock2, start, PAGE, 2) == -1 && errno == EINVAL && mlock((void *)PAGE, PAGE) == -1 && errno == ENOMEM);
    expect(madvise(start, PAGE, MADV_DONTNEED) == -1 && errno == EINVAL);
    expect(munlock(start, PAGE) == 0 && status("VmLck:") == before + 12 && madvise(start, PAGE, MADV_DONTNEED) == 0);
    // A child has none of it; unmapping gives it back.
    int how;
    pid_t pid = fork();
    if (pid == 0)
        _exit(status("VmLck:") == 0 ? 3 : 4);
    expect(waitpid(pid, &how, 0) == pid && WEXITSTATUS(how) == 3);
    expect(munmap(start + PAGE, PAGE) == 0 && status("VmLck:") == before + 8);
    expect(munlockall() == 0 && status("VmLck:") == 0);
    expect(mlockall(0) == -1 && errno == EINVAL && mlockall(8) == -1 && errno == EINVAL && mlockall(MCL_ONFAULT) == -1 && errno == EINVAL);
    start = map(4, 0);
    expect(mlockall(MCL_CURRENT) == 0 && present(start, 4) == 4 && status("VmLck:") > 100);
    expect(munlockall() == 0 && mlockall(MCL_FUTURE) == 0 && present(map(4, 0), 4) == 4 && status("VmLck:") >= 16);
    expect(munlockall() == 0 && mlockall(MCL_FUTURE | MCL_ONFAULT) == 0);
    start = map(4, 0);
    expect(present(start, 4) == 0 && status("VmLck:") == 16 && munlockall() == 0);
    start = map(4, 0);
    expect(present(start, 4) == 0 && status("VmLck:") == 0);
    printf("locked\n");
}

static int barrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }

static void barriers(void) {
    int known = barrier(MEMBARRIER_CMD_QUERY);
    int wanted = MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED;
    expect((known & wanted) == wanted);
    expect(barrier(MEMBARRIER_CMD_GLOBAL) == 0 && barrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0);
    expect(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == -1 && errno == EPERM);
    expect(barrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0 && barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0);
    expect(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0);
    expect(barrier(3) == -1 && errno == EINVAL && barrier(1 << 20) == -1 && errno == EINVAL);
    expect(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 4, 0) == -1 && errno == EINVAL);
    printf("barriers\n");
}

static void nameless(void) {
    int exec = memfd_create("x", 8 | MFD_CLOEXEC);
    expect(memfd_create("x", 0x10 | 8) == -1 && errno == EINVAL);
    expect(exec >= 0 || errno == EINVAL);
    enum { EXEC = 0x10 };
    char path[40];
    sprintf(path, "/proc/self/fd/%d", exec);
    expect(exec < 0 || access(path, X_OK) == -1);
    exec = memfd_create("x", EXEC);
    sprintf(path, "/proc/self/fd/%d", exec);
    expect(exec < 0 || access(path, X_OK) == 0);
    printf("nameless\n");
}

int main(void) {
    placed();
    moved();
    advised();
    advised_from_outside();
    locked();
    barriers();
    nameless();
    return 0;
}
