// Names and attributes relative to a folder, with each flag: the ...at calls, statx, extended attributes of links and descriptors.
#include "expect.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void opened(int folder) {
    int fd = openat(folder, "file", O_RDWR | O_CREAT | O_EXCL | O_NOATIME | O_SYNC, 0644);
    expect(fd >= 0 && (fcntl(fd, F_GETFL) & (O_NOATIME | O_SYNC)) == (O_NOATIME | O_SYNC));
    expect(openat(folder, "file", O_CREAT | O_EXCL | O_WRONLY, 0644) == -1 && errno == EEXIST);
    expect(write(fd, "text", 4) == 4);
    close(fd);
    fd = openat(folder, "file", O_RDWR | O_DSYNC | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    expect((fcntl(fd, F_GETFL) & (O_SYNC | O_APPEND | O_NONBLOCK)) == (O_DSYNC | O_APPEND | O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    expect(write(fd, "more", 4) == 4 && lseek(fd, 0, SEEK_END) == 8);
    close(fd);
    fd = openat(folder, "file", O_RDONLY | O_DIRECT);
    expect(fd >= 0 && (fcntl(fd, F_GETFL) & O_DIRECT));
    // It can be turned off and on, and others with it.
    expect(fcntl(fd, F_SETFL, O_NOATIME) == 0 && (fcntl(fd, F_GETFL) & (O_NOATIME | O_DIRECT)) == O_NOATIME);
    expect(fcntl(fd, F_SETFL, O_DIRECT) == 0 && (fcntl(fd, F_GETFL) & (O_NOATIME | O_DIRECT)) == O_DIRECT);
    close(fd);
    expect(symlinkat("file", folder, "link") == 0 && symlinkat("none", folder, "dangling") == 0);
    expect(openat(folder, "link", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
    expect(openat(folder, "file", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    fd = openat(folder, ".", O_TMPFILE | O_RDWR, 0600);
    expect(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    fd = openat(folder, "link", O_PATH | O_NOFOLLOW);
    char target[8] = {0};
    expect(fd >= 0 && readlinkat(fd, "", target, 8) == 4 && strcmp(target, "file") == 0);
    expect(read(fd, target, 1) == -1 && errno == EBADF);
    close(fd);
    printf("opened\n");
}

static void looked_at(int folder) {
    struct stat status, other;
    expect(fstatat(folder, "link", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode));
    expect(fstatat(folder, "link", &status, AT_NO_AUTOMOUNT) == 0 && S_ISREG(status.st_mode) && status.st_size == 8);
    expect(fstatat(folder, "", &other, AT_EMPTY_PATH) == 0 && S_ISDIR(other.st_mode));
    expect(fstatat(folder, "", &other, 0) == -1 && errno == ENOENT);
    expect(fstatat(folder, "link", &other, 0x40000000) == -1 && errno == EINVAL);
    struct statx wide;
    int force = AT_STATX_FORCE_SYNC, dont = AT_STATX_DONT_SYNC;
    expect(statx(folder, "link", AT_SYMLINK_NOFOLLOW | force, STATX_BASIC_STATS, &wide) == 0 && S_ISLNK(wide.stx_mode));
    expect(statx(folder, "file", dont | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &wide) == 0);
    expect((wide.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS && wide.stx_size == 8 && wide.stx_ino == status.st_ino);
    expect(!(wide.stx_mask & STATX_BTIME) || wide.stx_btime.tv_sec > 0);
    expect(statx(folder, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, STATX_TYPE, &wide) == 0 && S_ISDIR(wide.stx_mode));
    expect(statx(folder, "file", AT_STATX_SYNC_TYPE, STATX_TYPE, &wide) == -1 && errno == EINVAL);
    expect(statx(folder, "file", 0, 0x80000000, &wide) == -1 && errno == EINVAL);

    expect(syscall(SYS_faccessat, folder, "file", R_OK) == 0 && syscall(SYS_faccessat, folder, "dangling", F_OK) == -1 && errno == ENOENT);
    expect(syscall(SYS_faccessat2, folder, "file", R_OK, AT_EACCESS) == 0);
    expect(syscall(SYS_faccessat2, folder, "dangling", F_OK, 0) == -1 && errno == ENOENT);
    expect(syscall(SYS_faccessat2, folder, "dangling", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    expect(syscall(SYS_faccessat2, folder, "", F_OK, AT_EMPTY_PATH) == 0);
    expect(syscall(SYS_faccessat2, folder, "file", F_OK, 0x40000000) == -1 && errno == EINVAL);
    expect(syscall(SYS_faccessat2, folder, "file", 8, 0) == -1 && errno == EINVAL);

    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_CACHED};
    int fd = syscall(SYS_openat2, folder, "file", &how, sizeof how);
    expect(fd >= 0 || errno == EAGAIN);
    close(fd);
    union { char bytes[200]; struct file_handle handle; } space = {0};
    int mount;

    expect(syscall(SYS_name_to_handle_at, folder, "file", &space, &mount, 0x40000000) == -1 && errno == EINVAL);
    printf("looked at\n");
}

static void changed(int folder) {
    struct stat status;
    mode_t mode;
    expect(syscall(SYS_fchmodat, folder, "link", 0600) == 0 && fstatat(folder, "file", &status, 0) == 0);
    mode = status.st_mode;
    printf("mode %o\n", mode);
    int fd = openat(folder, "file", O_PATH);
    expect(syscall(SYS_fchmodat2, fd, "", 0640, AT_EMPTY_PATH) == 0 && fstat(fd, &status) == 0);
    printf("mode %o\n", status.st_mode);
    expect(syscall(SYS_fchmodat2, folder, "link", 0600, AT_SYMLINK_NOFOLLOW) == -1 && errno == EOPNOTSUPP);
    expect(syscall(SYS_fchmodat2, folder, "file", 0600, 8) == -1 && errno == EINVAL);

    // To the same owner: whoever runs this may do that.
    uid_t user = geteuid();
    gid_t group = getegid();
    expect(fchown(openat(folder, "file", O_RDONLY), user, group) == 0 && fchownat(fd, "", -1, group, AT_EMPTY_PATH) == 0);
    expect(fchownat(folder, "dangling", user, -1, AT_SYMLINK_NOFOLLOW) == 0);
    expect(fchownat(folder, "dangling", user, -1, 0) == -1 && errno == ENOENT);
    expect(fchdir(folder) == 0 && lchown("dangling", user, group) == 0);
    expect(chown("dangling", user, group) == -1 && errno == ENOENT);

    struct timespec times[2] = {{100, 1}, {200, 2}};
    expect(utimensat(folder, "dangling", times, AT_SYMLINK_NOFOLLOW) == 0 && lstat("dangling", &status) == 0 && status.st_mtime == 200);
    expect(utimensat(fd, "", times, AT_EMPTY_PATH) == 0 && fstat(fd, &status) == 0 && status.st_mtim.tv_nsec == 2);
    times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = UTIME_NOW;
    expect(utimensat(folder, "file", times, 0) == 0 && fstat(fd, &status) == 0 && status.st_atime == 100 && status.st_mtime > 1000000);

    expect(linkat(folder, "link", folder, "second", AT_SYMLINK_FOLLOW) == 0);
    expect(fstatat(folder, "second", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 2);
    expect(linkat(folder, "link", folder, "third", 0) == 0);
    expect(fstatat(folder, "third", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode));
    expect(mkdirat(folder, "below", 0700) == 0 && unlinkat(folder, "below", 0) == -1 && errno == EISDIR);
    expect(unlinkat(folder, "file", AT_REMOVEDIR) == -1 && errno == ENOTDIR && unlinkat(folder, "below", AT_REMOVEDIR) == 0);
    expect(unlinkat(folder, "second", 1) == -1 && errno == EINVAL);
    expect(syscall(SYS_renameat2, folder, "second", folder, "third", 0x10) == -1 && errno == EINVAL);
    printf("changed\n");
}

static void extended(int folder) {
    char value[16] = {0};
    int fd = openat(folder, "file", O_RDONLY);
    expect(fchdir(folder) == 0);
    expect(fsetxattr(fd, "user.one", "1", 1, XATTR_CREATE) == 0 && setxattr("link", "user.two", "22", 2, 0) == 0);
    expect(fsetxattr(fd, "user.one", "1", 1, XATTR_CREATE) == -1 && errno == EEXIST);
    expect(fsetxattr(fd, "user.none", "1", 1, XATTR_REPLACE) == -1 && errno == ENODATA);
    expect(lgetxattr("file", "user.two", value, 16) == 2 && strcmp(value, "22") == 0);
    expect(lgetxattr("link", "user.two", value, 16) == -1 && errno == ENODATA);
    char names[64] = {0};
    ssize_t length = flistxattr(fd, names, 64);
    expect(length == 18 && llistxattr("link", names, 64) == 0);
    expect(flistxattr(fd, names, 3) == -1 && errno == ERANGE);
    expect(lremovexattr("link", "user.two") == -1 && (errno == EPERM || errno == ENODATA) && lremovexattr("file", "user.two") == 0);
    expect(getxattr("file", "user.two", value, 16) == -1 && errno == ENODATA && fremovexattr(fd, "user.one") == 0);
    printf("extended\n");
}

int main(void) {
    char name[] = "/tmp/chestnut-attributes-XXXXXX";
    expect(mkdtemp(name));
    umask(022);
    int folder = open(name, O_RDONLY | O_DIRECTORY);
    expect(folder >= 0);
    opened(folder);
    looked_at(folder);
    changed(folder);
    extended(folder);
    const char *made[] = {"file", "link", "dangling", "second", "third"};
    for (int i = 0; i < 5; i++)
        expect(unlinkat(folder, made[i], 0) == 0);
    expect(chdir("/") == 0 && rmdir(name) == 0);
    return 0;
}
