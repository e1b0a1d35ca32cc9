// openat2, O_TMPFILE, O_PATH, AT_EMPTY_PATH, linkat, renameat2, statx, faccessat2, extended attributes, handles.
#include "expect.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static void opened(const char *what, long fd) {
    printf("%s: %s\n", what, fd < 0 ? strerror(errno) : "open");
    if (fd >= 0)
        close(fd);
}
static long by_how(int at, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {flags, mode, resolve};
    return syscall(SYS_openat2, at, path, &how, sizeof how);
}
static void touch(const char *name, const char *text) {
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    expect(fd >= 0 && write(fd, text, strlen(text)) == (long)strlen(text) && close(fd) == 0);
}
static void show(const char *name) {
    char text[100] = {0};
    int fd = open(name, O_RDONLY);
    if (fd < 0)
        printf("%s: %s\n", name, strerror(errno));
    else
        printf("%s: %d %s\n", name, (int)read(fd, text, 99), text), close(fd);
}

static void restricted(void) {
    expect(mkdir("in", 0755) == 0 && mkdir("in/deep", 0755) == 0 && symlink("../out", "in/up") == 0 && symlink("/etc/passwd", "in/absolute") == 0);
    expect(symlink("deep", "in/beside") == 0);
    touch("out", "outside");
    touch("in/file", "inside");
    int at = open("in", O_PATH | O_DIRECTORY);
    expect(at >= 0);
    opened("plain", by_how(at, "file", O_RDONLY, 0, 0));
    opened("up", by_how(at, "up", O_RDONLY, 0, 0));
    opened("up beneath", by_how(at, "up", O_RDONLY, 0, RESOLVE_BENEATH));
    opened("dots beneath", by_how(at, "../in/file", O_RDONLY, 0, RESOLVE_BENEATH));
    opened("inner dots", by_how(at, "deep/../file", O_RDONLY, 0, RESOLVE_BENEATH));
    opened("absolute beneath", by_how(at, "absolute", O_RDONLY, 0, RESOLVE_BENEATH));
    opened("absolute path", by_how(at, "/file", O_RDONLY, 0, RESOLVE_BENEATH));
    opened("in root", by_how(at, "/file", O_RDONLY, 0, RESOLVE_IN_ROOT));
    opened("dots in root", by_how(at, "../../file", O_RDONLY, 0, RESOLVE_IN_ROOT));
    opened("absolute in root", by_how(at, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT));
    opened("no links", by_how(at, "beside", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
    opened("a link itself", by_how(at, "beside", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
    opened("no magic links", by_how(at, "/proc/self/fd/1", O_WRONLY, 0, RESOLVE_NO_MAGICLINKS));
    opened("no crossing", by_how(AT_FDCWD, "/proc/version", O_RDONLY, 0, RESOLVE_NO_XDEV));
    opened("made", by_how(at, "made", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH));
    opened("mode without making", by_how(at, "file", O_RDONLY, 0600, 0));
    opened("mode", by_how(at, "x", O_CREAT, 0100600, 0));
    opened("flags", by_how(at, "file", 1ull << 40, 0, 0));
    opened("resolve", by_how(at, "file", 0, 0, 0x1000));
    opened("both", by_how(at, "file", 0, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
    uint64_t how[4] = {0, 0, 0, 1};
    refuse("newer", syscall(SYS_openat2, at, "file", how, 32));
    refuse("older", syscall(SYS_openat2, at, "file", how, 16));
    refuse("bad place", syscall(SYS_openat2, at, "file", 8, 24));
    expect(unlink("in/made") == 0 && unlink("in/up") == 0 && unlink("in/absolute") == 0 && unlink("in/beside") == 0 && unlink("in/file") == 0);
    expect(rmdir("in/deep") == 0 && rmdir("in") == 0 && unlink("out") == 0 && close(at) == 0);
}

static void nameless(void) {
    struct stat status;
    char path[100];
    int fd = open(".", O_TMPFILE | O_RDWR, 0640);
    expect(fd >= 0 && write(fd, "temporary", 9) == 9 && fstat(fd, &status) == 0);
    printf("links %d, size %d, mode %o\n", (int)status.st_nlink, (int)status.st_size, status.st_mode);
    sprintf(path, "/proc/self/fd/%d", fd);
    expect(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0 && fstat(fd, &status) == 0);
    printf("links %d\n", (int)status.st_nlink);
    show("named");
    close(fd);
    fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0640);
    sprintf(path, "/proc/self/fd/%d", fd);
    refuse("exclusive", linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
    close(fd);
    refuse("for reading", open(".", O_TMPFILE | O_RDONLY, 0640));
    refuse("no directory", open("named", O_TMPFILE | O_RDWR, 0640));

    int place = open("named", O_PATH), link;
    expect(place >= 0);
    printf("flags %o\n", fcntl(place, F_GETFL));
    refuse("read", read(place, path, 1));
    refuse("lseek", lseek(place, 0, SEEK_SET));
    refuse("fchmod", fchmod(place, 0600));
    refuse("ftruncate", ftruncate(place, 0));
    refuse("fsync", fsync(place));
    refuse("F_SETFL", fcntl(place, F_SETFL, O_NONBLOCK));
    expect(fstat(place, &status) == 0 && status.st_size == 9);
    expect(fstatat(place, "", &status, AT_EMPTY_PATH) == 0 && status.st_size == 9);
    refuse("empty without the flag", fstatat(place, "", &status, 0));
    sprintf(path, "/proc/self/fd/%d", place);
    opened("opened through it", open(path, O_RDONLY));
    expect(symlink("named", "link") == 0 && (link = open("link", O_PATH | O_NOFOLLOW)) >= 0);
    memset(path, 0, sizeof path);
    expect(readlinkat(link, "", path, 99) == 5 && fstat(link, &status) == 0);
    printf("link to %s, mode %o\n", path, status.st_mode);
    refuse("followed", open("link", O_RDONLY | O_NOFOLLOW));
    expect(fchownat(link, "", -1, -1, AT_EMPTY_PATH) == 0);
    expect(linkat(AT_FDCWD, "link", AT_FDCWD, "second", 0) == 0 && lstat("second", &status) == 0);
    printf("a second link: %d\n", (int)status.st_nlink);
    expect(unlink("second") == 0 && unlink("link") == 0);
    refuse("fchmodat2", syscall(452, place, "", 0600, AT_EMPTY_PATH));
    expect(fstat(place, &status) == 0);
    printf("mode %o\n", status.st_mode);
    expect(unlink("named") == 0 && close(place) == 0 && close(link) == 0);
}

static void renames(void) {
    touch("a", "A"), touch("b", "B");
    refuse("no replace", renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
    expect(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE) == 0);
    show("a"), show("b");
    refuse("exchange with nothing", renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_EXCHANGE));
    refuse("both", renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE | RENAME_NOREPLACE));
    refuse("flags", renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0x10));
    expect(mkdir("d", 0755) == 0 && renameat2(AT_FDCWD, "a", AT_FDCWD, "d", RENAME_EXCHANGE) == 0);
    show("d");
    expect(rename("d", "b") == 0);
    show("b");
    refuse("file over directory", rename("b", "a"));
    expect(rmdir("a") == 0 && unlink("b") == 0);
}

static void described(void) {
    struct statx all;
    touch("file", "twelve bytes");
    int fd = open("file", O_RDONLY);
    expect(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS | STATX_BTIME, &all) == 0);
    printf("%o %d %d, nanoseconds %d\n", all.stx_mode, (int)all.stx_size, all.stx_nlink, all.stx_mtime.tv_nsec < 1000000000);
    expect(all.stx_btime.tv_sec > 0 && (all.stx_mask & (STATX_BASIC_STATS | STATX_BTIME)) == (STATX_BASIC_STATS | STATX_BTIME));
    expect(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &all) == 0 && all.stx_size == 12);
    refuse("reserved", syscall(SYS_statx, AT_FDCWD, "file", 0, 0x80000000, &all));
    refuse("sync types", syscall(SYS_statx, AT_FDCWD, "file", 0x6000, 0, &all));
    refuse("flags", syscall(SYS_statx, AT_FDCWD, "file", 1, 0, &all));
    refuse("bad place", syscall(SYS_statx, AT_FDCWD, "file", 0, 0, 8));
    expect(chmod("file", 0400) == 0);
    refuse("faccessat2", syscall(439, fd, "", R_OK, AT_EMPTY_PATH | AT_EACCESS));
    refuse("execute", syscall(439, AT_FDCWD, "file", X_OK, 0));
    refuse("mode", syscall(439, AT_FDCWD, "file", 8, 0));
    refuse("flags", syscall(439, AT_FDCWD, "file", R_OK, 0x10000));

    char value[100] = {0};
    expect(chmod("file", 0600) == 0);
    refuse("absent", getxattr("file", "user.name", value, 100));
    expect(setxattr("file", "user.name", "value", 5, 0) == 0 && setxattr("file", "user.empty", "", 0, XATTR_CREATE) == 0);
    printf("%d %d %s\n", (int)getxattr("file", "user.name", NULL, 0), (int)fgetxattr(fd, "user.name", value, 100), value);
    refuse("create", fsetxattr(fd, "user.name", "x", 1, XATTR_CREATE));
    refuse("replace", setxattr("file", "user.other", "x", 1, XATTR_REPLACE));
    refuse("small", getxattr("file", "user.name", value, 3));
    refuse("flags", setxattr("file", "user.name", "x", 1, 7));
    refuse("prefix", setxattr("file", "nonsense.name", "x", 1, 0));
    refuse("no name", setxattr("file", "user.", "x", 1, 0));
    refuse("empty name", setxattr("file", "", "x", 1, 0));
    refuse("too large", syscall(SYS_setxattr, "file", "user.name", value, 65537, 0));
    int count = listxattr("file", value, 100), names = 0;
    for (int i = 0; i < count; i++)
        names += value[i] == 0;
    printf("%d bytes, %d names\n", count, names);
    expect(removexattr("file", "user.empty") == 0);
    refuse("removed", fremovexattr(fd, "user.empty"));
    printf("%d\n", (int)llistxattr("file", NULL, 0));
    expect(symlink("file", "link") == 0);
    refuse("on a link", lsetxattr("link", "user.name", "x", 1, 0));
    expect(unlink("link") == 0 && unlink("file") == 0 && close(fd) == 0);
}

int main(void) {
    char folder[] = "/tmp/chestnut-opening-XXXXXX";
    expect(mkdtemp(folder) != NULL && chdir(folder) == 0);
    restricted();
    nameless();
    renames();
    described();
    expect(chdir("/") == 0 && rmdir(folder) == 0);
    return 0;
}
