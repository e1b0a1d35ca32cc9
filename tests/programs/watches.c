// inotify: what is told of files and directories, in which order, with which names; limits and refusals.
#include "expect.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int watcher;
static uint32_t cookies[100];
static int cookie_count;

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static void show(const char *what) {
    char buffer[4096] __attribute__((aligned(8)));
    long count = read(watcher, buffer, sizeof buffer);
    printf("%s:\n", what);
    for (char *at = buffer; at < buffer + count; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) {
        struct inotify_event *event = (void *)at;
        int cookie = 0;
        if (event->cookie) {
            for (cookie = 1; cookie <= cookie_count && cookies[cookie] != event->cookie; cookie++)
                ;
            if (cookie > cookie_count)
                cookies[cookie_count = cookie] = event->cookie;
        }
        printf("  %d %08x cookie %d %s\n", event->wd, event->mask, cookie, event->len ? event->name : "");
    }
}
static void touch(const char *name) { close(open(name, O_CREAT | O_WRONLY, 0644)); }

int main(void) {
    char folder[] = "/tmp/chestnut-watches-XXXXXX";
    expect(mkdtemp(folder) != NULL && chdir(folder) == 0);
    watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    expect(watcher >= 0 && fcntl(watcher, F_GETFD) == FD_CLOEXEC);
    refuse("nothing", read(watcher, folder, 16));
    int all = inotify_add_watch(watcher, ".", IN_ALL_EVENTS);
    printf("watch %d\n", all);
    touch("file");
    show("created");
    int fd = open("file", O_RDWR);
    char byte;
    expect(write(fd, "abc", 3) == 3 && pread(fd, &byte, 1, 0) == 1 && ftruncate(fd, 1) == 0 && fchmod(fd, 0600) == 0);
    int count;
    expect(ioctl(watcher, FIONREAD, &count) == 0);
    printf("to be read: %d\n", count);
    close(fd);
    show("used");
    expect(rename("file", "renamed") == 0 && mkdir("inner", 0755) == 0 && link("renamed", "inner/link") == 0 && symlink("x", "symlink") == 0);
    show("names");
    int inner = inotify_add_watch(watcher, "inner", IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF);
    int file = inotify_add_watch(watcher, "renamed", IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
    printf("watches %d %d\n", inner, file);
    expect(rename("renamed", "inner/moved") == 0 && rename("inner", "other") == 0);
    show("moved");
    expect(unlink("other/link") == 0 && unlink("other/moved") == 0 && rmdir("other") == 0);
    show("deleted");
    closedir(opendir("."));
    expect(unlink("symlink") == 0);
    show("folder");
    refuse("gone", inotify_rm_watch(watcher, inner));
    // A mask that is changed, added to, made anew only.
    expect(inotify_add_watch(watcher, ".", IN_CREATE) == all);
    touch("second");
    show("created only");
    expect(inotify_add_watch(watcher, ".", IN_DELETE | IN_MASK_ADD) == all);
    touch("second"), unlink("second"), touch("second");
    show("and deleted");
    refuse("again", inotify_add_watch(watcher, ".", IN_OPEN | IN_MASK_CREATE));
    // Once only; an open file's end; coalescing.
    int once = inotify_add_watch(watcher, "second", IN_MODIFY | IN_ONESHOT);
    fd = open("second", O_WRONLY);
    expect(once > 0 && write(fd, "x", 1) == 1 && write(fd, "x", 1) == 1);
    show("once");
    int twice = inotify_add_watch(watcher, "second", IN_MODIFY | IN_DELETE_SELF);
    expect(twice > once && write(fd, "x", 1) == 1 && write(fd, "x", 1) == 1);
    show("equal ones are one");
    expect(inotify_add_watch(watcher, ".", IN_MODIFY | IN_DELETE) == all && unlink("second") == 0);
    show("unlinked, open");
    expect(write(fd, "x", 1) == 1);
    show("written still");
    close(fd);
    struct pollfd entry = {watcher, POLLIN, 0};
    expect(poll(&entry, 1, 1000) == 1);
    show("closed");
    expect(inotify_rm_watch(watcher, all) == 0);
    char small[20];
    refuse("small buffer", read(watcher, small, 10));
    show("removed");
    // What is refused.
    refuse("no watch", inotify_rm_watch(watcher, 77));
    refuse("no mask", inotify_add_watch(watcher, ".", 0));
    refuse("not there", inotify_add_watch(watcher, "nothing", IN_OPEN));
    touch("plain");
    refuse("only directories", inotify_add_watch(watcher, "plain", IN_OPEN | IN_ONLYDIR));
    refuse("no inotify", inotify_add_watch(fd = open("plain", O_RDONLY), ".", IN_OPEN));
    refuse("flags", inotify_init1(1));
    refuse("bad path", syscall(SYS_inotify_add_watch, watcher, 8, IN_OPEN));
    refuse("write", write(watcher, "x", 1));
    expect(symlink("plain", "symlink") == 0);
    expect(inotify_add_watch(watcher, "symlink", IN_DELETE_SELF | IN_DONT_FOLLOW) > 0 && unlink("symlink") == 0);
    show("a link itself");
    expect(unlink("plain") == 0 && chdir("/") == 0 && rmdir(folder) == 0);
    return 0;
}
