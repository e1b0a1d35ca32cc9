/* Page faults and mappings. */
#include "bench.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 64
#define PAGE 4096
#define PAGES 64

static volatile char *map(int flags, int file)
{
    void *address = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, file, 0);
    need(address != MAP_FAILED, "mmap");
    return address;
}

static void unmap(volatile char *address)
{
    need(munmap((void *)address, PAGES * PAGE) == 0, "munmap");
}

/* One page of a mapping of its own, in its middle: neighbours that the system brings along are not counted as others. */
static void fault_anonymous(void)
{
    repeat(TIMES) {
        volatile char *pages = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        begin();
        pages[PAGES / 2 * PAGE] = 1;
        end();
        unmap(pages);
    }
}

static void fault_zero(void)
{
    repeat(TIMES) {
        volatile char *pages = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        begin();
        (void)pages[PAGES / 2 * PAGE];
        end();
        unmap(pages);
    }
}

static int full_file(void)
{
    static char page[PAGE];
    int file = open(FOLDER "/pages", O_RDWR | O_CREAT | O_TRUNC, 0644);
    need(file >= 0, "open");
    memset(page, 1, PAGE);
    for (int i = 0; i < PAGES; i++)
        need(write(file, page, PAGE) == PAGE, "write");
    return file;
}

static void fault_file(void)
{
    int file = full_file();
    repeat(TIMES) {
        volatile char *pages = map(MAP_PRIVATE, file);
        begin();
        (void)pages[PAGES / 2 * PAGE];
        end();
        unmap(pages);
    }
}

static void fault_file_write(void)
{
    int file = full_file();
    repeat(TIMES) {
        volatile char *pages = map(MAP_PRIVATE, file);
        begin();
        pages[PAGES / 2 * PAGE] = 2;
        end();
        unmap(pages);
    }
}

/* The child writes to each page that it shares with its parent. */
static void fault_copy(void)
{
    volatile char *pages = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (int i = 0; i < PAGES; i++)
        pages[i * PAGE] = 1;
    /* The child's samples are the row's: the parent only waits, and prints nothing. */
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child != 0) {
        int status;
        waitpid(child, &status, 0);
        _exit(0);
    }
    repeat(PAGES) {
        begin();
        pages[round * PAGE] = 2;
        end();
    }
}

static void touch(volatile char *pages)
{
    for (int i = 0; i < PAGES; i++)
        pages[i * PAGE] = 1;
}

static void map_unmap(void)
{
    repeat(TIMES) {
        begin();
        volatile char *pages = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        unmap(pages);
        end();
    }
}

static void map_touch_unmap(void)
{
    repeat(TIMES / 2) {
        begin();
        volatile char *pages = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
        touch(pages);
        unmap(pages);
        end();
    }
}

static void map_file_touch_unmap(void)
{
    int file = full_file();
    repeat(TIMES / 2) {
        begin();
        volatile char *pages = map(MAP_SHARED, file);
        touch(pages);
        unmap(pages);
        end();
    }
}

static void protect(void)
{
    volatile char *pages = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    touch(pages);
    repeat(TIMES) {
        begin();
        int first = mprotect((void *)(pages + PAGE), PAGE, PROT_READ);
        int second = mprotect((void *)(pages + PAGE), PAGE, PROT_READ | PROT_WRITE);
        end();
        need(first == 0 && second == 0, "mprotect");
    }
}

const struct row memory[] = {
    {"fault-anonymous", fault_anonymous, "first write to a page"},
    {"fault-zero", fault_zero, "first read of a page of anonymous memory"},
    {"fault-file", fault_file, "first read of a page of a mapped file"},
    {"fault-file-write", fault_file_write, "first write to a page of a privately mapped file"},
    {"fault-copy-on-write", fault_copy, "a forked child's write to a page"},
    {"mmap-munmap", map_unmap, "mmap and munmap of 64 pages"},
    {"mmap-touch-munmap", map_touch_unmap, "mmap, writing to each of 64 pages, munmap"},
    {"mmap-file-touch-munmap", map_file_touch_unmap, "the same with a shared file"},
    {"mprotect", protect, "mprotect of a page, there and back"},
    {0},
};
