// Directories, links, names: what is made is found, by its right type, and errors are Linux's.
#include "expect.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *kind(mode_t mode) {
    return S_ISDIR(mode) ? "directory" : S_ISREG(mode) ? "file" : S_ISLNK(mode) ? "link" : S_ISFIFO(mode) ? "fifo" : "other";
}
// Prints the tree below a directory, sorted.
static void walk(const char *path, int depth) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    expect(count >= 2);
    for (int i = 0; i < count; i++) {
        char name[PATH_MAX];
        struct stat status;
        if (strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0) {
            free(entries[i]);
            continue;
        }
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        expect(lstat(name, &status) == 0 && status.st_ino == entries[i]->d_ino);
        expect(entries[i]->d_type == DT_UNKNOWN || entries[i]->d_type == IFTODT(status.st_mode));
        printf("%*s%s: %s, mode %03o", depth * 2, "", entries[i]->d_name, kind(status.st_mode), status.st_mode & 07777);
        if (S_ISREG(status.st_mode))
            printf(", %ld bytes, %d names", (long)status.st_size, (int)status.st_nlink);
        if (S_ISLNK(status.st_mode)) {
            char target[PATH_MAX] = "";
            expect(readlink(name, target, sizeof target - 1) == status.st_size);
            printf(", to %s", target);
        }
        printf("\n");
        if (S_ISDIR(status.st_mode))
            walk(name, depth + 1);
        free(entries[i]);
    }
    free(entries);
}
static void make(const char *name, const char *contents, mode_t mode) {
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, mode);
    expect(fd >= 0 && write(fd, contents, strlen(contents)) == (long)strlen(contents) && close(fd) == 0);
}
#define fails(call, error) expect((call) == -1 && errno == (error))

int main(void) {
    char top[] = "/tmp/chestnut-directories-XXXXXX", here[PATH_MAX], path[PATH_MAX];
    umask(022);
    expect(mkdtemp(top) != NULL && chdir(top) == 0);
    expect(getcwd(here, sizeof here) != NULL && strcmp(here, top) == 0);

    expect(mkdir("a", 0777) == 0 && mkdir("a/b", 0700) == 0 && mkdir("a/b/c", 0755) == 0 && mkdir("empty", 0755) == 0);
    make("a/one", "1", 0666);
    make("a/b/two", "22", 0640);
    make("a/b/c/three", "333", 0600);
    expect(link("a/one", "a/b/one-again") == 0);
    expect(symlink("../one", "a/b/up") == 0 && symlink("nowhere", "dangling") == 0 && symlink("loop", "loop") == 0);
    expect(mkfifo("fifo", 0644) == 0);
    walk(".", 0);

    struct stat first, second;
    expect(stat("a/one", &first) == 0 && stat("a/b/up", &second) == 0 && first.st_ino == second.st_ino);
    expect(stat("a/b/one-again", &second) == 0 && first.st_ino == second.st_ino && second.st_nlink == 2);
    expect(stat("a/b/c/../../one", &second) == 0 && stat("a//b/./c/", &second) == 0);
    expect(realpath("a/b/up", path) != NULL && strcmp(path + strlen(top), "/a/one") == 0);

    fails(mkdir("a", 0777), EEXIST);
    fails(mkdir("no/a", 0777), ENOENT);
    fails(mkdir("a/one/x", 0777), ENOTDIR);
    fails(rmdir("a"), ENOTEMPTY);
    fails(rmdir("a/one"), ENOTDIR);
    fails(unlink("a"), EISDIR);
    fails(unlink("none"), ENOENT);
    fails(stat("dangling", &first), ENOENT);
    fails(stat("loop", &first), ELOOP);
    fails(open("loop", O_RDONLY), ELOOP);
    fails(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    fails(open("a/b/up", O_RDONLY | O_NOFOLLOW), ELOOP);
    fails(open("a", O_WRONLY), EISDIR);
    fails(open("a/one", O_RDONLY | O_DIRECTORY), ENOTDIR);
    fails(open("a/one/", O_RDONLY), ENOTDIR);
    fails(open("", O_RDONLY), ENOENT);
    fails(readlink("a/one", path, sizeof path), EINVAL);
    fails(link("a", "a2"), EPERM);
    fails(rename("a", "a/b/inside"), EINVAL);
    fails(rename("a/one", "empty"), EISDIR);
    fails(rename("a/b", "a/one"), ENOTDIR);
    fails(rename("empty", "a"), ENOTEMPTY);
    fails(chdir("a/one"), ENOTDIR);
    memset(path, 'n', 256);
    path[256] = 0;
    fails(open(path, O_RDONLY | O_CREAT, 0600), ENAMETOOLONG);
    printf("errors are right\n");

    expect(rename("a/b/c", "empty") == 0 && rename("a/b/two", "a/one") == 0);
    expect(chmod("a/b", 0511) == 0);
    int directory = open("a", O_RDONLY | O_DIRECTORY);
    expect(directory >= 0 && openat(directory, "one", O_RDONLY) >= 0 && faccessat(directory, "b", R_OK, 0) == 0);
    expect(mkdirat(directory, "at", 0750) == 0 && renameat(directory, "at", AT_FDCWD, "was-at") == 0);
    expect(fchdir(directory) == 0 && access("one", R_OK | W_OK) == 0 && chdir("..") == 0);
    walk(".", 0);

    // A directory with many entries is read in several portions, each name once.
    expect(mkdir("many", 0755) == 0 && chdir("many") == 0);
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "entry-with-a-rather-long-name-%d", i);
        make(path, "", 0600);
    }
    static char found[500];
    DIR *stream = opendir(".");
    struct dirent *entry;
    int count = 0, number;
    expect(stream != NULL);
    while ((entry = readdir(stream)) != NULL)
        if (sscanf(entry->d_name, "entry-with-a-rather-long-name-%d", &number) == 1) {
            count++;
            expect(number >= 0 && number < 500 && !found[number]++);
        }
    rewinddir(stream);
    expect(readdir(stream) != NULL && closedir(stream) == 0);
    printf("found %d of 500\n", count);
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "entry-with-a-rather-long-name-%d", i);
        expect(unlink(path) == 0);
    }
    expect(chdir("..") == 0);

    // A removed current directory.
    expect(mkdir("doomed", 0755) == 0 && chdir("doomed") == 0 && rmdir("../doomed") == 0);
    expect(getcwd(here, sizeof here) == NULL && errno == ENOENT);
    fails(open("x", O_WRONLY | O_CREAT, 0600), ENOENT);
    expect(chdir(top) == 0);

    expect(unlink("empty/three") == 0 && rmdir("empty") == 0 && unlink("a/b/one-again") == 0 && unlink("a/b/up") == 0);
    expect(rmdir("a/b") == 0 && unlink("a/one") == 0 && rmdir("a") == 0 && unlink("dangling") == 0 && unlink("loop") == 0);
    expect(unlink("fifo") == 0 && rmdir("was-at") == 0 && rmdir("many") == 0);
    expect(chdir("/") == 0 && rmdir(top) == 0);
    printf("all is removed\n");
    return 0;
}
