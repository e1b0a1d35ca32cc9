// mmap, munmap, mprotect, mremap, brk, copy on write after fork, shared memory, mappings of files.
#include "expect.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
enum { RW = PROT_READ | PROT_WRITE };

static int probe[2];

static int is_mapped(void *address) {
    char byte;
    long n = write(probe[1], address, 1);
    expect((n == 1 && read(probe[0], &byte, 1) == 1) || (n == -1 && errno == EFAULT));
    return n == 1;
}

int main(void) {
    const long page = sysconf(_SC_PAGESIZE);
    unsigned char *map = mmap(NULL, 1 << 20, RW, ANONYMOUS, -1, 0);
    expect(map != MAP_FAILED && (uintptr_t)map % page == 0);
    long sum = 0;
    expect(pipe(probe) == 0);
    for (int i = 0; i < 1 << 20; i++)
        sum += map[i];
    printf("fresh memory adds up to %ld\n", sum);
    for (int i = 0; i < 1 << 20; i += page)
        map[i] = i / page;

    // Holes, and what is beside them.
    expect(munmap(map + 16 * page, 16 * page) == 0);
    expect(is_mapped(map + 15 * page) && is_mapped(map + 32 * page));
    printf("the hole is %s\n", is_mapped(map + 16 * page) ? "mapped" : "gone");
    expect(map[15 * page] == 15 && map[32 * page] == 32);
    unsigned char *fixed = mmap(map + 20 * page, page, RW, ANONYMOUS | MAP_FIXED, -1, 0);
    expect(fixed == map + 20 * page && fixed[0] == 0);
    expect(mmap(map + 20 * page, page, RW, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
    expect(munmap(map, 1 << 20) == 0);
    printf("all of it is %s\n", is_mapped(map + 40 * page) ? "mapped" : "gone");

    // Errors.
    expect(mmap(NULL, 0, RW, ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    expect(mmap((void *)1, page, RW, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
    expect(mmap(NULL, page, RW, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF);
    expect(munmap((void *)1, page) == -1 && errno == EINVAL);
    expect(mprotect(map, page, RW) == -1 && errno == ENOMEM);
    expect(msync(map, page, MS_ASYNC) == -1 && errno == ENOMEM);

    // System calls see protections.
    map = mmap(NULL, 2 * page, RW, ANONYMOUS, -1, 0);
    expect(map != MAP_FAILED && mprotect(map + page, page, PROT_NONE) == 0);
    int null = open("/dev/zero", O_RDONLY), fds[2];
    expect(null >= 0 && pipe(fds) == 0);
    expect(read(null, map + page, 1) == -1 && errno == EFAULT);
    expect(write(fds[1], map + page, 1) == -1 && errno == EFAULT);
    expect(read(null, map + page - 10, 10) == 10);
    expect(mprotect(map, page, PROT_READ) == 0);
    expect(read(null, map, 1) == -1 && errno == EFAULT);
    expect(write(fds[1], map, 1) == 1);

    // Much that may be written again.
    unsigned char *much = mmap(NULL, 5000 * page, RW, ANONYMOUS, -1, 0);
    expect(much != MAP_FAILED);
    for (int i = 0; i < 5000; i++)
        much[i * page] = i;
    expect(mprotect(much, 5000 * page, PROT_READ) == 0 && read(null, much + 4999 * page, 1) == -1 && errno == EFAULT);
    expect(mprotect(much, 5000 * page, RW) == 0 && read(null, much + 4999 * page + 1, 1) == 1);
    sum = 0;
    for (int i = 0; i < 5000; i++)
        sum += much[i * page]++ + much[i * page];
    printf("much of it: %ld\n", sum);
    expect(munmap(much, 5000 * page) == 0);

    // mremap grows in place or moves, and keeps the contents.
    char *grow = mmap(NULL, 4 * page, RW, ANONYMOUS, -1, 0);
    expect(grow != MAP_FAILED);
    memset(grow, 'g', 4 * page);
    grow = mremap(grow, 4 * page, 400 * page, MREMAP_MAYMOVE);
    expect(grow != MAP_FAILED && grow[4 * page - 1] == 'g' && grow[4 * page] == 0 && grow[400 * page - 1] == 0);
    expect(mremap(grow, 400 * page, 2 * page, 0) == grow);
    printf("mremap keeps %c\n", grow[page]);

    // brk
    char *heap = sbrk(0);
    expect(sbrk(10 * page) == heap && sbrk(0) == heap + 10 * page);
    memset(heap, 'h', 10 * page);
    expect(sbrk(-5 * page) == heap + 10 * page && sbrk(5 * page) == heap + 5 * page);
    printf("brk: kept %c, fresh %d\n", heap[0], heap[5 * page + 1]);

    // After fork private memory is a copy, shared memory isn't.
    int *private_numbers = mmap(NULL, 64 * page, RW, ANONYMOUS, -1, 0);
    int *shared_numbers = mmap(NULL, page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(private_numbers != MAP_FAILED && shared_numbers != MAP_FAILED);
    for (int i = 0; i < 64; i++)
        private_numbers[i * page / 4] = i;
    int status;
    for (int child = 0; child < 4; child++) {
        pid_t pid = fork();
        expect(pid >= 0);
        if (pid == 0) {
            for (int i = child; i < 64; i += 4) {
                expect(private_numbers[i * page / 4] == i);
                private_numbers[i * page / 4] = 1000 + 100 * child;
            }
            int own = 0;
            for (int i = 0; i < 64; i++)
                own += private_numbers[i * page / 4];
            shared_numbers[child] = own;
            _exit(0);
        }
        private_numbers[0] = 0;
        expect(waitpid(pid, &status, 0) == pid && status == 0);
    }
    sum = 0;
    for (int i = 0; i < 64; i++)
        sum += private_numbers[i * page / 4];
    printf("parent's pages: %ld, children's: %d %d %d %d\n", sum, shared_numbers[0], shared_numbers[1], shared_numbers[2],
           shared_numbers[3]);

    // A file mapped privately and shared.
    char name[] = "/tmp/chestnut-memory-XXXXXX";
    int file = mkstemp(name);
    expect(file >= 0 && write(file, "written before", 14) == 14 && ftruncate(file, 2 * page) == 0);
    char *private_map = mmap(NULL, 2 * page, RW, MAP_PRIVATE, file, 0);
    char *shared_map = mmap(NULL, 2 * page, RW, MAP_SHARED, file, 0);
    expect(private_map != MAP_FAILED && shared_map != MAP_FAILED);
    memcpy(private_map, "P", 1);
    memcpy(shared_map + 8, "mapped", 6);
    char text[15] = "";
    expect(pread(file, text, 14, 0) == 14);
    printf("file: %s, private map: %.8s, beyond the end: %d\n", text, private_map, shared_map[page + 3]);
    expect(pwrite(file, "WRITTEN", 7, 0) == 7);
    printf("shared map: %.14s\n", shared_map);
    expect(close(file) == 0 && unlink(name) == 0);
    expect(munmap(shared_map, 2 * page) == 0 && munmap(private_map, 2 * page) == 0);
    return 0;
}
