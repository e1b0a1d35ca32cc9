// What mounts don't let through: read-only, nosuid, nodev, noexec; remounting, binding. Only in the guest, as the build machine's
// tree is to stay as it is.
#include "expect.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void tell(const char *what, long result) { printf("%s: %s\n", what, result < 0 ? strerror(errno) : "done"); }
static void opened(const char *what, int descriptor) {
    tell(what, descriptor);
    close(descriptor);
}
static void copy(const char *from, const char *to) {
    static char bytes[4 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0755);
    long size = read(in, bytes, sizeof bytes);
    expect(size > 0 && size < (long)sizeof bytes && write(out, bytes, size) == size);
    close(in), close(out);
}
static void flags(const char *place) {
    struct statvfs system;
    char line[1000], *here = NULL;
    expect(statvfs(place, &system) == 0);
    FILE *mounts = fopen("/proc/mounts", "r");
    char wanted[100], last[1000] = "";
    snprintf(wanted, sizeof wanted, " /tmp/restricted/%s tmpfs ", place);
    while (fgets(line, sizeof line, mounts))
        if ((here = strstr(line, wanted)))
            strcpy(last, here + strlen(wanted));
    fclose(mounts);
    printf("%s: flags %lx, listed %s\n", place, system.f_flag & 0xf, strtok(last, " "));
}
static int run(const char *program) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, "child", NULL);
        _exit(errno);
    }
    expect(waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
}

int main(int count, char **names) {
    (void)names;
    if (count > 1)
        return geteuid() == 0 ? 200 : 201;
    expect(mkdir("/tmp/restricted", 0755) == 0 && chdir("/tmp/restricted") == 0);
    expect(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mount("none", "a", "tmpfs", 0, NULL) == 0);
    copy("/proc/self/exe", "a/program");
    expect(mkdir("a/folder", 0755) == 0 && symlink("program", "a/link") == 0 && mknod("a/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
    expect(mkfifo("a/pipe", 0600) == 0);
    flags("a");

    // Read-only, once nobody writes any more.
    int file = open("a/written", O_CREAT | O_RDWR, 0600);
    tell("busy", mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    expect(ftruncate(file, 4096) == 0);
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    tell("mapped", mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    expect(memory != MAP_FAILED && munmap(memory, 4096) == 0);
    tell("read-only", mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    flags("a");
    opened("open", open("a/written", O_WRONLY)), opened("truncate by open", open("a/written", O_RDONLY | O_TRUNC));
    opened("read", open("a/written", O_RDONLY)), opened("create", open("a/new", O_CREAT | O_RDWR, 0600));
    opened("create what is there", open("a/written", O_CREAT | O_RDONLY, 0600)), opened("temporary", open("a", O_TMPFILE | O_RDWR, 0600));
    opened("device", open("a/null", O_RDWR)), opened("pipe", open("a/pipe", O_RDWR));
    tell("mkdir", mkdir("a/new", 0700)), tell("mkdir what is there", mkdir("a/folder", 0700)), tell("rmdir", rmdir("a/folder"));
    tell("unlink", unlink("a/link")), tell("unlink nothing", unlink("a/none")), tell("rename", rename("a/link", "a/other"));
    tell("link", link("a/written", "a/other")), tell("symlink", symlink("x", "a/other"));
    tell("mknod", mknod("a/other", S_IFIFO | 0600, 0)), tell("chmod", chmod("a/written", 0644)), tell("chown", chown("a/written", 1, 1));
    tell("utimes", utimensat(AT_FDCWD, "a/written", NULL, 0)), tell("truncate", truncate("a/written", 1));
    tell("setxattr", setxattr("a/written", "trusted.x", "y", 1, 0)), tell("access", access("a/written", W_OK));
    tell("access device", access("a/null", W_OK)), tell("access to read", access("a/written", R_OK));
    file = open("a/written", O_RDONLY);
    tell("fchmod", fchmod(file, 0600)), close(file);
    printf("run: %d\n", run("a/program"));

    // A binding has flags of its own; those of the file system stay.
    expect(mount(NULL, "a", NULL, MS_REMOUNT, NULL) == 0 && mount("a", "b", NULL, MS_BIND, NULL) == 0);
    expect(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC | MS_NODEV | MS_NOSUID, NULL) == 0);
    flags("a"), flags("b");
    tell("write here", truncate("a/written", 1)), tell("write there", truncate("b/written", 1));
    opened("device here", open("a/null", O_RDWR)), opened("device there", open("b/null", O_RDWR));
    printf("run here: %d, there: %s\n", run("a/program"), strerror(run("b/program")));
    tell("may run", access("a/program", X_OK)), tell("may run there", access("b/program", X_OK)), tell("may search", access("b/folder", X_OK));
    file = open("b/program", O_RDONLY);
    tell("map to run", mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED ? -1 : 0);
    memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    tell("map", memory == MAP_FAILED ? -1 : 0), tell("protect", mprotect(memory, 4096, PROT_READ | PROT_EXEC));
    munmap(memory, 4096), close(file);
    expect(umount("b") == 0);

    // Set-id bits.
    expect(chown("a/program", 7, 7) == 0 && chmod("a/program", 04755) == 0);
    expect(chmod("/tmp/restricted", 0755) == 0);
    printf("set-id: %d", run("a/program"));
    expect(mount(NULL, "a", NULL, MS_REMOUNT | MS_NOSUID, NULL) == 0);
    printf(", without: %d\n", run("a/program"));
    expect(umount("a") == 0);

    // From the start.
    expect(mount("none", "a", "tmpfs", MS_RDONLY | MS_NODEV, "") == 0);
    flags("a");
    opened("create", open("a/new", O_CREAT | O_RDWR, 0600));
    expect(umount("a") == 0);
    tell("shared", mount(NULL, "a", NULL, MS_SHARED | MS_RDONLY, NULL));
    expect(rmdir("a") == 0 && rmdir("b") == 0 && chdir("/") == 0 && rmdir("/tmp/restricted") == 0);
    return 0;
}
