// /sys: what it says of processors agrees with itself and with what else tells of them, and nobody can change it.
#include "expect.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static void contents(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY);
    expect(fd >= 0);
    ssize_t length = read(fd, text, size - 1);
    expect(length > 0 && text[length - 1] == '\n');
    text[length - 1] = 0;
    close(fd);
}

// The number of processors in a list such as 0-3,6.
static long count(const char *list) {
    long all = 0;
    for (char *end; *list; list = *end == ',' ? end + 1 : end) {
        long first = strtol(list, &end, 10), last = first;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        all += last - first + 1;
    }
    return all;
}

int main(void) {
    char text[200], path[300];
    struct statfs system;
    expect(statfs("/sys", &system) == 0 && system.f_type == 0x62656572);

    contents("/sys/devices/system/cpu/possible", text, sizeof text);
    expect(count(text) == sysconf(_SC_NPROCESSORS_CONF));
    contents("/sys/devices/system/cpu/online", text, sizeof text);
    long online = count(text);
    expect(online == sysconf(_SC_NPROCESSORS_ONLN));

    long found = 0;
    DIR *folder = opendir("/sys/devices/system/cpu");
    expect(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder));) {
        int number, length = 0;
        if (sscanf(entry->d_name, "cpu%d%n", &number, &length) != 1 || entry->d_name[length])
            continue;
        expect(entry->d_type == DT_DIR);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_id", number);
        contents(path, text, sizeof text);
        expect(atoi(text) >= 0);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", number);
        contents(path, text, sizeof text);
        expect(count(text) >= 1);
        found++;
    }
    closedir(folder);
    expect(found >= online);

    struct stat status;
    expect(stat("/sys/devices/system/cpu/online", &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0444);
    expect(stat("/sys/class", &status) == 0 && S_ISDIR(status.st_mode));
    expect(open("/sys/devices/system/cpu/none", O_RDONLY) == -1 && errno == ENOENT);
    expect(mkdir("/sys/mine", 0777) == -1);
    printf("mkdir: %s\n", strerror(errno));
    expect(unlink("/sys/devices/system/cpu/online") == -1);
    printf("unlink: %s\n", strerror(errno));
    return 0;
}
