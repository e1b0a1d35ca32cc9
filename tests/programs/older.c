// Calls that C libraries no longer make, because newer ones do more: by number, each with its effect.
#include "expect.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <utime.h>

static int folder;

static void files(void) {
    struct stat one, two;
    int fd = syscall(SYS_creat, "made", 0640);
    expect(fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY && write(fd, "abc", 3) == 3);
    expect(syscall(SYS_fstat, fd, &one) == 0 && one.st_size == 3 && S_ISREG(one.st_mode));
    expect(syscall(SYS_creat, "made", 0640) >= 0 && syscall(SYS_stat, "made", &two) == 0);
    expect(two.st_size == 0 && two.st_ino == one.st_ino);
    fd = syscall(SYS_open, "made", O_RDONLY | O_CLOEXEC);
    expect(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    expect(syscall(SYS_open, "none", O_RDONLY) == -1 && errno == ENOENT);
    expect(symlink("made", "pointer") == 0);
    expect(syscall(SYS_lstat, "pointer", &one) == 0 && S_ISLNK(one.st_mode) && one.st_size == 4);
    expect(syscall(SYS_stat, "pointer", &one) == 0 && one.st_ino == two.st_ino);
    expect(syscall(SYS_access, "made", R_OK | W_OK) == 0);
    expect(syscall(SYS_access, "none", F_OK) == -1 && errno == ENOENT);

    struct utimbuf old = {1000, 2000};
    expect(syscall(SYS_utime, "made", &old) == 0 && stat("made", &one) == 0 && one.st_atime == 1000 && one.st_mtime == 2000);
    struct timeval times[2] = {{3000, 250000}, {4000, 500000}};
    expect(syscall(SYS_utimes, "made", times) == 0 && stat("made", &one) == 0 && one.st_mtim.tv_nsec == 500000000);
    times[0].tv_sec = 5000;
    expect(syscall(SYS_futimesat, folder, "made", times) == 0 && stat("made", &one) == 0 && one.st_atime == 5000);
    times[0].tv_usec = 1000000;
    expect(syscall(SYS_utimes, "made", times) == -1 && errno == EINVAL);

    expect(syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0) == 0 && stat("fifo", &one) == 0 && S_ISFIFO(one.st_mode));
    expect(syscall(SYS_mknodat, folder, "plain", S_IFREG | 0600, 0) == 0 && stat("plain", &one) == 0 && S_ISREG(one.st_mode));
    expect(syscall(SYS_mknodat, folder, "plain", S_IFREG | 0600, 0) == -1 && errno == EEXIST);
    expect(syscall(SYS_mknodat, folder, "socket", S_IFSOCK | 0600, 0) == 0 && stat("socket", &one) == 0 && S_ISSOCK(one.st_mode));
    expect(syscall(SYS_mknodat, folder, "no", S_IFDIR | 0600, 0) == -1 && errno == EPERM);

    // The type of an entry is its record's last byte here.
    char buffer[1024];
    int here = syscall(SYS_open, ".", O_RDONLY | O_DIRECTORY), found = 0;
    for (long length; (length = syscall(SYS_getdents, here, buffer, sizeof buffer)) > 0;)
        for (long at = 0; at < length; at += *(unsigned short *)(buffer + at + 16)) {
            unsigned short record = *(unsigned short *)(buffer + at + 16);
            if (strcmp(buffer + at + 18, "fifo") == 0)
                found += buffer[at + record - 1] == DT_FIFO;
            if (strcmp(buffer + at + 18, "pointer") == 0)
                found += buffer[at + record - 1] == DT_LNK;
        }
    expect(found == 2);
    expect(syscall(SYS_getdents, here, buffer, 8) == 0);
    expect(lseek(here, 0, SEEK_SET) == 0 && syscall(SYS_getdents, here, buffer, 8) == -1 && errno == EINVAL);
    printf("files\n");
}

static void waiting(void) {
    int fds[2];
    char byte = 'x';
    expect(syscall(SYS_pipe, fds) == 0 && fcntl(fds[0], F_GETFD) == 0);
    expect(syscall(SYS_pipe, (void *)16) == -1 && errno == EFAULT);
    struct pollfd entry = {fds[0], POLLIN, 0};
    expect(syscall(SYS_poll, &entry, 1, 0) == 0);
    expect(write(fds[1], &byte, 1) == 1 && syscall(SYS_poll, &entry, 1, -1) == 1 && entry.revents == POLLIN);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    struct timeval most = {5, 0};
    expect(syscall(SYS_select, fds[0] + 1, &set, NULL, NULL, &most) == 1 && FD_ISSET(fds[0], &set));
    expect(most.tv_sec == 5 || (most.tv_sec == 4 && most.tv_usec > 0));
    int copy = syscall(SYS_dup2, fds[0], 77);
    expect(copy == 77 && read(copy, &byte, 1) == 1 && syscall(SYS_dup2, 999, 78) == -1 && errno == EBADF);

    int events = syscall(SYS_eventfd, 3);
    uint64_t count;
    expect(events >= 0 && read(events, &count, 8) == 8 && count == 3);
    events = syscall(SYS_eventfd2, 2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
    expect(events >= 0 && fcntl(events, F_GETFD) == FD_CLOEXEC);
    expect(read(events, &count, 8) == 8 && count == 1 && read(events, &count, 8) == 8 && read(events, &count, 8) == -1 && errno == EAGAIN);
    expect(syscall(SYS_eventfd2, 0, 0x10) == -1 && errno == EINVAL);

    expect(syscall(SYS_epoll_create, 0) == -1 && errno == EINVAL);
    int set_of_files = syscall(SYS_epoll_create, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 42}, got;
    expect(set_of_files >= 0 && fcntl(set_of_files, F_GETFD) == 0);
    expect(syscall(SYS_epoll_ctl, set_of_files, EPOLL_CTL_ADD, fds[0], &event) == 0);
    expect(syscall(SYS_epoll_wait, set_of_files, &got, 1, 0) == 0 && write(fds[1], &byte, 1) == 1);
    expect(syscall(SYS_epoll_wait, set_of_files, &got, 1, -1) == 1 && got.events == EPOLLIN && got.data.u64 == 42);

    int watch = syscall(SYS_inotify_init);
    expect(watch >= 0 && fcntl(watch, F_GETFD) == 0 && inotify_add_watch(watch, ".", IN_CREATE) >= 0);
    expect(syscall(SYS_creat, "new", 0600) >= 0);
    struct { struct inotify_event event; char name[32]; } told;
    expect(read(watch, &told, sizeof told) > 16 && told.event.mask == IN_CREATE && strcmp(told.event.name, "new") == 0);

    uint64_t mask = 1ul << (SIGUSR1 - 1);
    expect(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8) == 0);
    int signals = syscall(SYS_signalfd, -1, &mask, 8);
    expect(signals >= 0 && syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1) == 0);
    char info[128];
    expect(read(signals, info, 128) == 128 && *(int *)info == SIGUSR1 && *(int *)(info + 8) == -6);
    expect(syscall(SYS_tkill, 4000000, 0) == -1 && errno == ESRCH && syscall(SYS_tkill, 0, 0) == -1 && errno == EINVAL);
    printf("waiting\n");
}

static volatile sig_atomic_t rang;
static void ring(int signal) { rang = signal; }

static void times_and_limits(void) {
    signal(SIGALRM, ring);
    expect(syscall(SYS_alarm, 100) == 0);
    long left = syscall(SYS_alarm, 1);
    expect(left == 100 || left == 99);
    expect(syscall(SYS_pause) == -1 && errno == EINTR && rang == SIGALRM && syscall(SYS_alarm, 0) == 0);
    struct timespec past = {-1, 0}, brief = {0, 1000000}, now, later;
    expect(syscall(SYS_nanosleep, &past, NULL) == -1 && errno == EINVAL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    expect(syscall(SYS_nanosleep, &brief, NULL) == 0 && clock_gettime(CLOCK_MONOTONIC, &later) == 0);
    expect((later.tv_sec - now.tv_sec) * 1000000000 + later.tv_nsec - now.tv_nsec >= 1000000);
    now.tv_sec += 0, now.tv_nsec = 0;
    expect(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL) == 0);

    // Clocks by the call and not by the vDSO agree.
    struct timeval day;
    struct timespec real;
    time_t seconds;
    long said = syscall(SYS_time, &seconds);
    expect(said == seconds && syscall(SYS_gettimeofday, &day, NULL) == 0 && syscall(SYS_clock_gettime, CLOCK_REALTIME, &real) == 0);
    expect(day.tv_sec - said <= 2 && real.tv_sec - said <= 2 && day.tv_sec >= said && real.tv_sec >= day.tv_sec);
    expect(syscall(SYS_clock_getres, CLOCK_MONOTONIC, &real) == 0 && real.tv_sec == 0 && real.tv_nsec == 1);
    expect(syscall(SYS_clock_gettime, 99, &real) == -1 && errno == EINVAL);
    struct timex state = {0};
    expect(syscall(SYS_adjtimex, &state) >= 0 && state.tick == 10000);
    memset(&state, 0, sizeof state);
    expect(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &state) >= 0 && state.tick == 10000);
    expect(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &real) == -1 && errno == EINVAL);
    real.tv_nsec = 1000000000;
    expect(syscall(SYS_clock_settime, CLOCK_REALTIME, &real) == -1 && (errno == EINVAL || errno == EPERM));
    day.tv_usec = 1000000;
    expect(syscall(SYS_settimeofday, &day, NULL) == -1 && (errno == EINVAL || errno == EPERM));

    struct rlimit limit, same;
    expect(syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit) == 0 && getrlimit(RLIMIT_NOFILE, &same) == 0);
    expect(limit.rlim_cur == same.rlim_cur && limit.rlim_max == same.rlim_max);
    limit.rlim_cur = 200;
    expect(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit) == 0 && fcntl(0, F_DUPFD, 200) == -1 && errno == EINVAL);
    expect(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &same) == 0 && same.rlim_cur == 200);
    expect(syscall(SYS_getrlimit, 16, &limit) == -1 && errno == EINVAL);
    limit.rlim_cur = limit.rlim_max + 1;
    if (limit.rlim_max != RLIM_INFINITY)
        expect(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit) == -1 && errno == EINVAL);
    printf("times and limits\n");
}

static uint32_t robust_words[4];

static void threads_and_ids(void) {
    int status;
    pid_t pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(5);
    expect(syscall(SYS_wait4, pid, &status, 0, NULL) == pid && WEXITSTATUS(status) == 5);
    pid = vfork();
    if (pid == 0)
        _exit(6);
    expect(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 6);

    // The word that a thread's end clears, the list of locks that it breaks.
    void *head;
    size_t length;
    expect(syscall(SYS_get_robust_list, 0, &head, &length) == 0 && length == 24);
    expect(syscall(SYS_set_robust_list, head, 23) == -1 && errno == EINVAL);
    expect(syscall(SYS_get_robust_list, 4000000, &head, &length) == -1 && errno == ESRCH);
    uint32_t *shared = robust_words;
    struct { void *next; long offset; void *pending; } list = {&list, 0, NULL};
    expect(syscall(SYS_set_robust_list, &list, 24) == 0);
    void *own;
    expect(syscall(SYS_get_robust_list, 0, &own, &length) == 0 && own == &list);
    expect(syscall(SYS_set_robust_list, head, 24) == 0 && *shared == 0);
    int word;
    expect(syscall(SYS_set_tid_address, &word) == syscall(SYS_gettid));

    unsigned processor = 9, node = 9;
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    expect(sched_setaffinity(0, sizeof first, &first) == 0);
    expect(syscall(SYS_getcpu, &processor, &node, NULL) == 0 && processor == 0 && node == 0);
    struct sysinfo machine;
    expect(syscall(SYS_sysinfo, &machine) == 0 && machine.totalram > machine.freeram && machine.freeram > 0 && machine.mem_unit > 0);
    expect(machine.procs > 0 && machine.uptime > 0);

    char noise[32] = {0}, silence[32] = {0};
    expect(getrandom(noise, 32, GRND_NONBLOCK) == 32 && memcmp(noise, silence, 32) != 0);
    memcpy(silence, noise, 32);
    expect(getrandom(noise, 32, GRND_RANDOM) == 32 && memcmp(noise, silence, 32) != 0);
    memcpy(silence, noise, 32);
    expect(getrandom(noise, 32, GRND_INSECURE) == 32 && memcmp(noise, silence, 32) != 0);
    expect(getrandom(noise, 32, GRND_INSECURE | GRND_RANDOM) == -1 && errno == EINVAL);
    expect(getrandom(noise, 32, 8) == -1 && errno == EINVAL);
    printf("threads and ids\n");
}

int main(void) {
    char name[] = "/tmp/chestnut-older-XXXXXX";
    expect(mkdtemp(name) && chdir(name) == 0);
    folder = open(".", O_RDONLY);
    files();
    waiting();
    times_and_limits();
    threads_and_ids();
    const char *made[] = {"made", "pointer", "fifo", "plain", "socket", "new"};
    for (int i = 0; i < 6; i++)
        expect(unlink(made[i]) == 0);
    expect(chdir("/") == 0 && syscall(SYS_rmdir, name) == 0);
    return 0;
}
