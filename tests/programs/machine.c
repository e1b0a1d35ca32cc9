// Files of /proc that say what the machine has: pages, swap, disks, mounts.
#include "expect.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// The number behind a name at the beginning of a line; −1 if there is no such line.
static long number(const char *file, const char *name) {
    char line[1000];
    long found = -1;
    FILE *lines = fopen(file, "r");
    expect(lines != NULL);
    while (fgets(line, sizeof line, lines))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ')
            found = atol(line + strlen(name));
    fclose(lines);
    return found;
}
static int has_line(const char *file, const char *text) {
    char line[1000];
    int found = 0;
    FILE *lines = fopen(file, "r");
    expect(lines != NULL);
    while (fgets(line, sizeof line, lines))
        found |= strstr(line, text) != NULL;
    fclose(lines);
    return found;
}

int main(void) {
    enum { PAGES = 512 };
    long before = number("/proc/vmstat", "pgfault");
    char *memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(memory != MAP_FAILED && madvise(memory, PAGES * 4096, MADV_NOHUGEPAGE) == 0);
    for (int page = 0; page < PAGES; page++)
        memory[page * 4096] = 1;
    expect(before > 0 && number("/proc/vmstat", "pgfault") > before);
    expect(number("/proc/vmstat", "nr_free_pages") > 0 && number("/proc/vmstat", "nr_anon_pages") > 0);
    printf("swap %d, partitions %d, devices %d %d\n", has_line("/proc/swaps", "Filename"), has_line("/proc/partitions", "major minor  #blocks  name"),
           has_line("/proc/devices", "Character devices:"), has_line("/proc/devices", "136 pts"));
    printf("mounts %d %d\n", has_line("/proc/self/mountinfo", " / / rw"), has_line("/proc/self/mountinfo", " / /proc rw"));
    return 0;
}
