// mount, umount2, chroot, pivot_root, mknod: only in the guest, as the build machine's tree is to stay as it is.
#include "expect.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
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

int main(void) {
    struct statfs system;
    struct stat status;
    expect(mkdir("/tmp/mounts", 0755) == 0 && chdir("/tmp/mounts") == 0);
    expect(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0);
    touch("a/under", "covered");

    // A tmpfs with options, and its limit.
    expect(mount("none", "a", "tmpfs", 0, "size=64k,mode=750,uid=3") == 0);
    expect(stat("a", &status) == 0 && statfs("a", &system) == 0);
    printf("mode %o, owner %d, type %lx, %ld blocks\n", status.st_mode & 07777, status.st_uid, (long)system.f_type, (long)system.f_blocks);
    show("a/under");
    int fd = open("a/full", O_CREAT | O_RDWR, 0600);
    static char block[4096];
    int written = 0;
    while (write(fd, block, sizeof block) == sizeof block)
        written++;
    printf("%d blocks fit: %s\n", written, strerror(errno));
    refuse("in use", umount("a"));
    close(fd);
    expect(unlink("a/full") == 0);
    touch("a/file", "on the mount");
    refuse("across", rename("a/file", "b/file"));
    refuse("link across", link("a/file", "b/file"));

    // Binding and moving.
    expect(mount("a", "b", NULL, MS_BIND, NULL) == 0);
    show("b/file");
    expect(mkdir("c", 0755) == 0 && mount("b", "c", NULL, MS_MOVE, NULL) == 0);
    show("b/file"), show("c/file");
    refuse("move into itself", mount("c", "c", NULL, MS_MOVE, NULL));
    refuse("move what is no mount", mount("b", "c", NULL, MS_MOVE, NULL));
    refuse("bind a file", mount("c/file", "b", NULL, MS_BIND, NULL));
    touch("target", "");
    expect(mount("c/file", "target", NULL, MS_BIND, NULL) == 0);
    show("target");
    expect(umount("target") == 0 && umount2("c", MNT_FORCE) == 0);
    char text[4000] = {0};
    fd = open("/proc/mounts", O_RDONLY);
    expect(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && close(fd) == 0);
    printf("listed: %d %d\n", strstr(text, " /tmp/mounts/a tmpfs ") != NULL, strstr(text, "/tmp/mounts/c") != NULL);

    // proc, what changes nothing, what is refused.
    expect(mount("proc", "b", "proc", 0, NULL) == 0 && access("b/self/status", R_OK) == 0);
    expect(symlink("b", "to-b") == 0 && umount2("to-b", UMOUNT_NOFOLLOW) == -1 && errno == EINVAL && unlink("to-b") == 0);
    expect(umount2("b", UMOUNT_NOFOLLOW) == 0);
    refuse("remount", mount(NULL, "a", NULL, MS_REMOUNT, NULL));
    refuse("private", mount(NULL, "a", NULL, MS_PRIVATE | MS_REC, NULL));
    refuse("shared", mount(NULL, "a", NULL, MS_SHARED, NULL));
    refuse("type", mount("none", "b", "ext4", 0, NULL));
    refuse("option", mount("none", "b", "tmpfs", 0, "nonsense"));
    refuse("no directory", mount("none", "target", "tmpfs", 0, NULL));
    refuse("no mount", umount("b"));
    refuse("flags", umount2("a", 0x100));
    refuse("expire", umount2("a", MNT_EXPIRE));
    refuse("bad place", syscall(SYS_mount, "none", 8, "tmpfs", 0, NULL));
    // Detached while in use: it stays for who is there.
    fd = open("a/file", O_RDONLY);
    expect(fd >= 0 && umount2("a", MNT_DETACH) == 0 && read(fd, text, 99) == 12);
    show("a/file"), show("a/under");
    close(fd);

    // Nodes.
    refuse("null", mknod("node", S_IFCHR | 0600, makedev(1, 3)));
    fd = open("node", O_RDWR);
    expect(fd >= 0 && write(fd, "x", 1) == 1 && read(fd, text, 1) == 0 && close(fd) == 0);
    refuse("unknown device", mknod("unknown", S_IFBLK | 0600, makedev(240, 7)));
    refuse("opened", open("unknown", O_RDONLY));
    expect(stat("unknown", &status) == 0);
    printf("device %d %d\n", major(status.st_rdev), minor(status.st_rdev));
    refuse("a directory", mknod("never", S_IFDIR | 0700, 0));

    // Another root, for one process and for all.
    expect(mkdir("root", 0755) == 0 && mkdir("root/inner", 0755) == 0);
    touch("root/marker", "inside");
    if (fork() == 0) {
        expect(chroot("root") == 0 && chdir("/") == 0);
        show("/marker"), show("/../../marker"), show("/tmp/mounts/target");
        _exit(0);
    }
    wait(NULL);
    if (fork() == 0) {
        expect(setuid(7) == 0);
        refuse("chroot", chroot("root"));
        refuse("mount", mount("none", "b", "tmpfs", 0, NULL));
        refuse("umount", umount("b"));
        refuse("device", mknod("denied", S_IFCHR | 0600, makedev(1, 3)));
        refuse("pivot_root", syscall(SYS_pivot_root, "root", "root/inner"));
        _exit(0);
    }
    wait(NULL);
    refuse("pivot to no mount", syscall(SYS_pivot_root, "root", "root/inner"));
    expect(mount("root", "root", NULL, MS_BIND, NULL) == 0);
    expect(syscall(SYS_pivot_root, "root", "root/inner") == 0);
    show("/marker"), show("/inner/tmp/mounts/target");
    expect(chdir("/inner") == 0 && syscall(SYS_pivot_root, "/inner", "/inner/tmp/mounts/b") == 0);
    show("/tmp/mounts/b/marker"), show("/tmp/mounts/root/marker");
    expect(chdir("/") == 0 && umount2("/tmp/mounts/b", MNT_DETACH) == 0);
    const char *names[] = {"root/marker", "root/inner", "root", "unknown", "node", "target", "c", "b", "a/under", "a"};
    expect(chdir("/tmp/mounts") == 0);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        expect(remove(names[i]) == 0);
    expect(chdir("/") == 0 && rmdir("/tmp/mounts") == 0);
    return 0;
}
