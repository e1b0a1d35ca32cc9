// What /proc tells of the process that asks, beside its status: maps with pages, descriptors, limits of System V.
#include "expect.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { PAGE = 4096 };

// Kilobytes of a row of the area that begins at `start` (0: of all), −1 if there is none.
static long row(const char *path, const void *start, const char *name) {
    char line[400];
    long value = -1;
    int inside = start == NULL;
    FILE *file = fopen(path, "r");
    expect(file != NULL);
    while (fgets(line, sizeof line, file)) {
        unsigned long from, to;
        if (strchr(line, '-') && sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = start == NULL || from == (unsigned long)start;
        else if (inside && strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = atol(line + strlen(name) + 1);
    }
    fclose(file);
    return value;
}
static int has_flag(const void *start, const char *flag) {
    char line[400];
    int inside = 0, found = 0;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof line, file)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from == (unsigned long)start;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    fclose(file);
    return found;
}

static void maps(void) {
    // Apart from its neighbours: nothing is joined to it.
    char *room = mmap(NULL, 20 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *area = mmap(room + PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(area, 1, 8 * PAGE);
    const char *smaps = "/proc/self/smaps";
    expect(row(smaps, area, "Size") == 32 && row(smaps, area, "Rss") == 32 && row(smaps, area, "Pss") == 32);
    expect(row(smaps, area, "Private_Dirty") == 32 && row(smaps, area, "Anonymous") == 32 && row(smaps, area, "Locked") == 0);
    expect(has_flag(area, " rd wr") && !has_flag(area, " sh") && mlock(area, 8 * PAGE) == 0 && has_flag(area, " lo") && row(smaps, area, "Locked") == 32);
    // All of it is a child's, too, but what is written then.
    int gate[2], status;
    char byte;
    expect(munlock(area, 8 * PAGE) == 0 && pipe(gate) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(read(gate[0], &byte, 1) == 1 ? 3 : 4);
    area[0] = 2;
    long shared = row(smaps, area, "Shared_Dirty"), own = row(smaps, area, "Private_Dirty"), part = row(smaps, area, "Pss");
    expect(shared + own == 32 && own >= 4 && own <= 16 && part == own + shared / 2 && row(smaps, area, "Rss") == 32);
    expect(write(gate[1], "x", 1) == 1 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
    expect(row("/proc/self/smaps_rollup", NULL, "Rss") >= 32 && row("/proc/self/smaps_rollup", NULL, "Anonymous") >= 32);
    expect(munmap(room, 20 * PAGE) == 0);
    printf("maps\n");
}

static long number(int fd, const char *name, int base) {
    char path[64], line[200];
    long value = -2;
    sprintf(path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    if (!file)
        return -3;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, base);
    fclose(file);
    return value;
}

static void descriptors(void) {
    int fd = open("words.txt", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    expect(fd >= 0 && lseek(fd, 17, SEEK_SET) == 17);
    expect(number(fd, "pos:", 10) == 17 && (number(fd, "flags:", 8) & ~O_LARGEFILE & ~0100000) == (O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    expect(number(fd, "mnt_id:", 10) > 0 && number(999, "pos:", 10) == -3);
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    expect(self >= 0 && number(self, "Pid:", 10) == getpid());
    char limits[100] = {0};
    int sem = open("/proc/sys/kernel/sem", O_RDONLY);
    expect(sem >= 0 && read(sem, limits, 99) > 0 && strtol(limits, NULL, 10) >= 32000);
    printf("descriptors\n");
}

int main(void) {
    maps();
    descriptors();
    return 0;
}
