// Ids in all their ways, limits of each kind, single capabilities, and what only administrators may set. Needs user 0, and changes the
// machine's name and clock: in the guest only.
#include "expect.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

enum { USER = 1000, OTHER = 2000, THIRD = 3000 };

static void in_child(const char *what, void (*child)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(0);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid);
    printf("%s: status %x\n", what, status);
}
static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
// Only this one capability is effective from here on.
static void keep(int capability) {
    struct __user_cap_data_struct data[2] = {{0}};
    expect(syscall(SYS_capget, &header, data) == 0);
    data[0].effective = data[1].effective = 0;
    data[capability / 32].effective = 1u << capability % 32;
    expect(syscall(SYS_capset, &header, data) == 0);
}

static void ids_of_users(void) {
    uid_t real, effective, saved;
    expect(setreuid(USER, OTHER) == 0 && getresuid(&real, &effective, &saved) == 0 && real == USER && effective == OTHER && saved == OTHER);
    expect(setreuid(OTHER, USER) == 0 && getuid() == OTHER && geteuid() == USER && setreuid(THIRD, -1) == -1 && errno == EPERM);
    expect(setuid(OTHER) == 0 && geteuid() == OTHER && setuid(THIRD) == -1 && errno == EPERM);
    expect(setresuid(-1, USER, -1) == 0 && geteuid() == USER && setresuid(-1, THIRD, -1) == -1 && errno == EPERM);
    expect(getresuid((void *)16, &effective, &saved) == -1 && errno == EFAULT);
}
static void ids_of_groups(void) {
    gid_t real, effective, saved, list[4] = {7, 8, 9};
    expect(setgroups(3, list) == 0 && memset(list, 0, sizeof list) && getgroups(4, list) == 3 && list[2] == 9 && getgroups(0, NULL) == 3);
    expect(getgroups(2, list) == -1 && errno == EINVAL && setgroups(70000, list) == -1 && errno == EINVAL);
    expect(setregid(USER, OTHER) == 0 && getresgid(&real, &effective, &saved) == 0 && real == USER && effective == OTHER && saved == OTHER);
    expect(getgid() == USER && getegid() == OTHER && setresgid(-1, THIRD, -1) == 0 && getegid() == THIRD);
    expect(setuid(USER) == 0 && setregid(-1, USER) == 0 && getegid() == USER && setgid(77) == -1 && errno == EPERM);
    expect(setresgid(77, -1, -1) == -1 && errno == EPERM && setregid(77, -1) == -1 && errno == EPERM);
}
static void ids_for_files(void) {
    int fd = open("/tmp/users-secret", O_CREAT | O_WRONLY, 0600);
    expect(fd >= 0 && setfsuid(USER) == 0 && setfsuid(-1) == USER && setfsgid(OTHER) == 0 && setfsgid(-1) == OTHER);
    expect(geteuid() == 0 && open("/tmp/users-secret", O_RDONLY) == -1 && errno == EACCES);
    struct stat status;
    expect(close(open("/tmp/users-own", O_CREAT | O_WRONLY, 0600)) == 0 && stat("/tmp/users-own", &status) == 0);
    expect(status.st_uid == USER && status.st_gid == OTHER && unlink("/tmp/users-own") == 0);
    expect(setfsuid(0) == USER && open("/tmp/users-secret", O_RDONLY) >= 0 && unlink("/tmp/users-secret") == 0);
}

static void single_capabilities(void) {
    struct __user_cap_data_struct data[2];
    expect(syscall(SYS_capget, &header, data) == 0 && data[0].permitted == 0xffffffff);
    keep(CAP_SETGID);
    expect(setgid(USER) == 0 && setuid(USER) == -1 && errno == EPERM);
    keep(CAP_DAC_OVERRIDE);
    expect(setgid(OTHER) == -1 && errno == EPERM && sethostname("x", 1) == -1 && errno == EPERM);
    keep(CAP_SYS_ADMIN);
    expect(sethostname("admin", 5) == 0 && syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_ON, 0) == -1 && errno == EPERM);
    keep(CAP_SYS_BOOT);
    expect(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_ON, 0) == 0);
    expect(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0) == 0);
    expect(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, 1, LINUX_REBOOT_CMD_CAD_OFF, 0) == -1 && errno == EINVAL);
    expect(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, 5, 0) == -1 && errno == EINVAL);
    expect(setpriority(PRIO_PROCESS, 0, -3) == -1 && errno == EACCES);
    keep(CAP_SYS_NICE);
    expect(setpriority(PRIO_PROCESS, 0, -3) == 0 && getpriority(PRIO_PROCESS, 0) == -3);
    struct rlimit limit;
    expect(getrlimit(RLIMIT_CORE, &limit) == 0 && (limit.rlim_max = 5, limit.rlim_cur = 5, setrlimit(RLIMIT_CORE, &limit)) == 0);
    limit.rlim_max = 6;
    expect(setrlimit(RLIMIT_CORE, &limit) == -1 && errno == EPERM);
    keep(CAP_SYS_RESOURCE);
    expect(setrlimit(RLIMIT_CORE, &limit) == 0 && prctl(PR_CAPBSET_DROP, CAP_KILL) == -1 && errno == EPERM);
    keep(CAP_SETPCAP);
    expect(prctl(PR_CAPBSET_DROP, CAP_KILL) == 0 && prctl(PR_CAPBSET_READ, CAP_KILL) == 0);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    expect(clock_settime(CLOCK_REALTIME, &now) == -1 && errno == EPERM);
    keep(CAP_SETUID);
    expect(setuid(USER) == 0);
}
static void killing(void) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    struct __user_cap_data_struct data[2];
    expect(syscall(SYS_capget, &header, data) == 0 && prctl(PR_SET_KEEPCAPS, 1) == 0 && setuid(USER) == 0);
    data[0].effective = 0;
    expect(syscall(SYS_capset, &header, data) == 0 && kill(pid, SIGTERM) == -1 && errno == EPERM);
    keep(CAP_KILL);
    expect(kill(pid, SIGTERM) == 0);
}

static void foreign_memory(void) {
    // Another user's segment, and more locked memory than the limit allows.
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    struct rlimit none = {0, 0};
    expect(id >= 0 && prctl(PR_SET_KEEPCAPS, 1) == 0 && setrlimit(RLIMIT_MEMLOCK, &none) == 0 && setuid(USER) == 0);
    keep(CAP_KILL);
    expect(shmat(id, NULL, 0) == (void *)-1 && errno == EACCES && shmctl(id, IPC_RMID, NULL) == -1 && errno == EPERM);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(mlock(page, 4096) == -1 && errno == EPERM);
    keep(CAP_IPC_LOCK);
    expect(mlock(page, 4096) == 0);
    keep(CAP_IPC_OWNER);
    expect(shmat(id, NULL, 0) != (void *)-1);
    keep(CAP_SYS_ADMIN);
    expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void clocks(void) {
    // A day ahead, by each of the ways, and back.
    struct timespec start, now, set;
    struct timeval day;
    clock_gettime(CLOCK_REALTIME, &start);
    keep(CAP_SYS_TIME);
    set = start, set.tv_sec += 86400;
    expect(clock_settime(CLOCK_REALTIME, &set) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec - set.tv_sec < 30 && now.tv_sec >= set.tv_sec);
    day = (struct timeval){start.tv_sec + 2 * 86400, 0};
    expect(syscall(SYS_settimeofday, &day, NULL) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec - day.tv_sec < 30 && now.tv_sec >= day.tv_sec);
    struct timex change = {.modes = ADJ_SETOFFSET, .time = {-86400, 0}};
    expect(adjtimex(&change) >= 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec < start.tv_sec + 86400 + 60);
    change = (struct timex){.modes = ADJ_SETOFFSET, .time = {-86400, 0}};
    expect(clock_adjtime(CLOCK_REALTIME, &change) >= 0 && clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec < start.tv_sec + 60);
    change = (struct timex){.modes = ADJ_SETOFFSET, .time = {1, 0}};
    expect(syscall(SYS_adjtimex, &change) >= 0 && (change.time = (struct timeval){-1, 0}, syscall(SYS_clock_adjtime, CLOCK_REALTIME, &change)) >= 0);
    expect(clock_settime(CLOCK_MONOTONIC, &now) == -1 && errno == EINVAL);
    // Timers that would wake a machine: for the privileged.
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    keep(CAP_WAKE_ALARM);
    expect(timer_create(CLOCK_BOOTTIME_ALARM, &none, &timer) == 0 && timer_delete(timer) == 0);
    expect(timer_create(CLOCK_TAI, &none, &timer) == 0 && timer_delete(timer) == 0);
    expect(timer_create(CLOCK_BOOTTIME, &none, &timer) == 0 && timer_delete(timer) == 0);
    keep(CAP_KILL);
    expect(timer_create(CLOCK_REALTIME_ALARM, &none, &timer) == -1 && errno == EPERM);
}

static void names(void) {
    char long_name[70] = "x";
    struct utsname before, name;
    expect(uname(&before) == 0 && sethostname("somewhere", 9) == 0 && setdomainname("example.org", 11) == 0 && uname(&name) == 0);
    expect(strcmp(name.nodename, "somewhere") == 0 && strcmp(name.domainname, "example.org") == 0);
    expect(sethostname(long_name, 65) == -1 && errno == EINVAL && setdomainname(long_name, 65) == -1 && errno == EINVAL);
    expect(sethostname(before.nodename, strlen(before.nodename)) == 0 && setdomainname(before.domainname, strlen(before.domainname)) == 0);
    expect(personality(PER_LINUX32) == 0 && uname(&name) == 0 && strcmp(name.machine, "i686") == 0 && personality(0xffffffff) == PER_LINUX32);
    expect(personality(ADDR_NO_RANDOMIZE) == PER_LINUX32 && uname(&name) == 0 && strcmp(name.machine, "x86_64") == 0);
}

static volatile sig_atomic_t exceeded;
static void note(int signal) { exceeded = signal; }
static void limits(void) {
    struct rlimit limit, old;
    expect(setuid(USER) == 0);
    // Memory of each kind.
    expect(getrlimit(RLIMIT_DATA, &old) == 0);
    limit = old, limit.rlim_cur = 4 << 20;
    expect(setrlimit(RLIMIT_DATA, &limit) == 0 && mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    expect(mmap(NULL, 8 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED && setrlimit(RLIMIT_DATA, &old) == 0);
    expect(getrlimit(RLIMIT_AS, &old) == 0);
    limit = old, limit.rlim_cur = 40 << 20;
    expect(setrlimit(RLIMIT_AS, &limit) == 0 && mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    expect(setrlimit(RLIMIT_AS, &old) == 0);
    limit = (struct rlimit){8192, 16384};
    expect(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    char *page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(mlock(page, 8192) == 0 && mlock(page, 8192) == 0 && mlock(page, 12288) == -1 && errno == ENOMEM);
    expect(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED && errno == EAGAIN);
    expect(mlockall(MCL_CURRENT) == -1 && errno == ENOMEM && munlock(page, 4096) == 0);
    expect(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) != MAP_FAILED);
    expect(setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){100, 100}) == 0);
    expect(syscall(SYS_mq_open, "users", O_RDWR | O_CREAT, 0600, NULL) == -1 && errno == EMFILE);
    limit.rlim_cur = 0;
    expect(munlockall() == 0 && setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && mlock(page, 1) == -1 && errno == EPERM && mlockall(MCL_FUTURE) == -1 && errno == EPERM);
    // Processes of a user, signals that wait, files.
    limit = (struct rlimit){1, 5};
    expect(setrlimit(RLIMIT_NPROC, &limit) == 0 && fork() == -1 && errno == EAGAIN);
    limit = (struct rlimit){1, 5};
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGRTMIN), sigprocmask(SIG_BLOCK, &set, NULL);
    expect(setrlimit(RLIMIT_SIGPENDING, &limit) == 0 && sigqueue(getpid(), SIGRTMIN, (union sigval){1}) == 0);
    expect(sigqueue(getpid(), SIGRTMIN, (union sigval){1}) == -1 && errno == EAGAIN);
    limit = (struct rlimit){4, 4};
    expect(setrlimit(RLIMIT_NOFILE, &limit) == 0 && dup2(0, 4) == -1 && errno == EBADF);
    // Raised by up to a limit, lowered, and no more.
    limit = (struct rlimit){22, 22};
    expect(setrlimit(RLIMIT_NICE, &limit) == -1 && errno == EPERM && setpriority(PRIO_PROCESS, 0, -1) == -1);
    limit = (struct rlimit){3, 3};
    expect(setrlimit(RLIMIT_RTPRIO, &limit) == -1 && errno == EPERM && sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}) == -1 && errno == EPERM);
    struct rlimit stack;
    expect(prlimit(0, RLIMIT_STACK, &(struct rlimit){1 << 20, 2 << 20}, NULL) == 0 && getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur == 1 << 20);
    // A second of processor time, and the file size.
    signal(SIGXCPU, note);
    limit = (struct rlimit){1, 10};
    expect(setrlimit(RLIMIT_CPU, &limit) == 0);
    while (!exceeded)
        ;
    expect(exceeded == SIGXCPU && setrlimit(RLIMIT_FSIZE, &(struct rlimit){5, 5}) == 0);
}
static void favoured(void) {
    struct rlimit nice = {22, 22}, urgent = {3, 3};
    expect(setrlimit(RLIMIT_NICE, &nice) == 0 && setrlimit(RLIMIT_RTPRIO, &urgent) == 0 && setuid(USER) == 0);
    expect(setpriority(PRIO_PROCESS, 0, -2) == 0 && setpriority(PRIO_PROCESS, 0, -3) == -1 && errno == EACCES);
    struct sched_param param = {3};
    expect(sched_setscheduler(0, SCHED_RR, &param) == 0 && (param.sched_priority = 4, sched_setparam(0, &param)) == -1 && errno == EPERM);
    param.sched_priority = 2;
    expect(sched_setparam(0, &param) == 0 && sched_getparam(0, &param) == 0 && param.sched_priority == 2);
}
static char said[70000];
static int log_has(const char *text) {
    long length = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, said, sizeof said - 1);
    expect(length >= 0);
    said[length] = 0;
    return strstr(said, text) != NULL;
}
static void kernel_log(void) {
    expect(log_has("Linux version ") && klogctl(10, NULL, 0) > 1000 && klogctl(9, NULL, 0) >= 0 && !log_has("first of users"));
    int log = open("/dev/kmsg", O_RDWR | O_NONBLOCK);
    expect(log >= 0 && write(log, "<3>first of users\n", 18) == 18 && log_has("<11>[") && log_has("first of users\n"));
    expect(lseek(log, 0, SEEK_DATA) == 0 && read(log, said, 3) == -1 && errno == EINVAL);
    int found = 0;
    long length;
    while ((length = read(log, said, sizeof said)) > 0) {
        said[length] = 0;
        found += strncmp(said, "11,", 3) == 0 && strstr(said, ",-;first of users\n") != NULL;
    }
    expect(errno == EAGAIN && found == 1 && lseek(log, 1, SEEK_SET) == -1 && errno == ESPIPE);
    // What is cleared is still there for /dev/kmsg from its beginning on.
    expect(klogctl(4, said, sizeof said) > 0 && !log_has("first of users") && write(log, "second", 6) == 6 && log_has("<12>["));
    expect(lseek(log, 0, SEEK_SET) == 0 && read(log, said, sizeof said) > 0 && klogctl(5, NULL, 0) == 0 && !log_has("second"));
    expect(lseek(log, 0, SEEK_END) == 0 && read(log, said, sizeof said) == -1 && errno == EAGAIN);
    // What nobody has read goes to whoever asks first.
    while (klogctl(9, NULL, 0) > 0)
        expect(klogctl(2, said, 50) > 0);
    expect(write(log, "<14>third", 9) == 9 && klogctl(2, said, 1000) > 0 && strstr(said, "] third\n") && klogctl(9, NULL, 0) == 0);
    expect(klogctl(8, NULL, 4) == 0 && klogctl(8, NULL, 9) == -1 && errno == EINVAL && klogctl(6, NULL, 0) == 0 && klogctl(7, NULL, 0) == 0);
    expect(klogctl(3, NULL, 5) == -1 && errno == EINVAL && klogctl(77, said, 5) == -1 && errno == EINVAL);
    expect(setuid(USER) == 0 && klogctl(3, said, sizeof said) >= 0 && klogctl(5, NULL, 0) == -1 && errno == EPERM && klogctl(2, said, 5) == -1 && errno == EPERM);
}
static void securebits(void) {
    expect(prctl(PR_GET_SECUREBITS) == 0 && prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
    expect(setuid(USER) == 0);
    struct __user_cap_data_struct data[2];
    expect(syscall(SYS_capget, &header, data) == 0 && data[0].permitted == 0xffffffff && data[0].effective == 0);
}
static void handles(void) {
    union { char bytes[200]; struct file_handle handle; } space = {0};
    int mount;
    expect(name_to_handle_at(AT_FDCWD, "/tmp", &space.handle, &mount, 0) == -1 && errno == EOPNOTSUPP);
    int tree = open("/tmp", O_RDONLY);
    space.handle.handle_bytes = 8;
    expect(open_by_handle_at(tree, &space.handle, O_RDONLY) == -1 && errno == ESTALE && setuid(USER) == 0);
    expect(open_by_handle_at(tree, &space.handle, O_RDONLY) == -1 && errno == EPERM);
}
int main(void) {
    expect(geteuid() == 0);
    in_child("ids of users", ids_of_users);
    in_child("ids of groups", ids_of_groups);
    in_child("ids for files", ids_for_files);
    in_child("single capabilities", single_capabilities);
    in_child("killing", killing);
    in_child("foreign memory", foreign_memory);
    in_child("clocks", clocks);
    in_child("names", names);
    in_child("limits", limits);
    in_child("favoured", favoured);
    in_child("kernel log", kernel_log);
    in_child("securebits", securebits);
    in_child("handles", handles);
    return 0;
}
