// Programs that take all they can get of one thing. They end by an error that Linux would give, or are killed for want of memory; the
// system and everybody else go on.
//
//   bombs KIND    see the table at the end
//   bombs check   whether the system still does what it should
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <grp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 10000000 };

// The last word: how the bomb ended. Only errors that say "no more of this" are right.
static void stopped(const char *what, long count, int error) {
    static const int fine[] = {ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC, ENOBUFS, EMLINK, ENAMETOOLONG, ELOOP, E2BIG, EFBIG, EDQUOT, ETOOMANYREFS, EINTR};
    for (unsigned i = 0; i < sizeof fine / sizeof *fine; i++)
        if (error == fine[i]) {
            fprintf(stderr, "%s: %ld, then %s\n", what, count, strerror(error));
            printf("stopped\n");
            exit(0);
        }
    printf("%s: wrong error after %ld: %s\n", what, count, strerror(error));
    exit(99);
}
static void raise_limit(int which) {
    struct rlimit limit;
    getrlimit(which, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(which, &limit);
}

static void forks(void) {
    for (long i = 0; i < MANY; i++) {
        pid_t pid = fork();
        if (pid < 0)
            stopped("forks", i, errno);
        if (pid == 0)
            for (;;)
                pause();
    }
}
// Each child does as its parent.
static void fork_tree(void) {
    for (long i = 0; i < MANY; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            if (errno != EAGAIN && errno != ENOMEM)
                stopped("fork tree", i, errno);
            sleep(1);
            stopped("fork tree", i, EAGAIN);
        }
    }
}
__attribute__((noreturn)) static void *wait_here(void *argument) {
    (void)argument;
    for (;;)
        pause();
}
static void threads(void) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    for (long i = 0; i < MANY; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, &small, wait_here, NULL);
        if (error)
            stopped("threads", i, error);
    }
}
static uint32_t words[1 << 16];
static void *wait_for_word(void *argument) {
    syscall(SYS_futex, (uint32_t *)argument, 0, 0, NULL, NULL, 0);
    return NULL;
}
static void futexes(void) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    for (long i = 0; i < MANY; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, &small, wait_for_word, &words[i % (1 << 16)]);
        if (error)
            stopped("futex waiters", i, error);
    }
}
static void touched_memory(void) {
    for (long i = 0; i < MANY; i++) {
        char *pages = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED)
            stopped("megabytes", i, errno);
        for (int j = 0; j < 256; j++)
            pages[4096 * j] = 1;
    }
}
// Areas that can't be one.
static void areas(void) {
    for (long i = 0; i < MANY; i++) {
        void *page = mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            stopped("areas", i, errno);
    }
}
// The same, in many processes at once.
static void areas_of_many(void) {
    for (int i = 0; i < 5; i++)
        if (fork() == 0) {
            areas();
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    stopped("areas of many", 5, ENOMEM);
}
// Read pages here and there: page tables and the server's records, but no frames.
static void sparse_reads(void) {
    char *space = mmap(NULL, 1ul << 44, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED)
        stopped("space", 0, errno);
    volatile char sum = 0;
    for (uint64_t i = 0; i < 1 << 17; i++)
        sum += space[i << 21];
    stopped("sparse reads", 1 << 17, ENOMEM);
}
static void dense_reads(void) {
    char *space = mmap(NULL, 1ul << 40, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED)
        stopped("space", 0, errno);
    volatile char sum = 0;
    for (uint64_t i = 0; i < 1 << 21; i++)
        sum += space[i << 12];
    stopped("dense reads", 1 << 21, ENOMEM);
}
static void descriptors(void) {
    raise_limit(RLIMIT_NOFILE);
    for (long i = 0; i < 100000; i++)
        if (open("/dev/null", O_RDWR) < 0)
            stopped("descriptors", i, errno);
    stopped("descriptors", 100000, EMFILE);
}
static void descriptors_of_many(void) {
    raise_limit(RLIMIT_NOFILE);
    for (long i = 0; i < 30000; i++)
        if (open("/dev/null", O_RDWR) < 0)
            break;
    for (long j = 0; j < MANY; j++) {
        pid_t pid = fork();
        if (pid < 0)
            stopped("descriptors of many", j, errno);
        if (pid == 0)
            for (;;)
                pause();
    }
}
// Pipes full of bytes.
static void pipes(void) {
    static char bytes[65536];
    raise_limit(RLIMIT_NOFILE);
    for (long i = 0; i < MANY; i++) {
        int fds[2];
        if (pipe2(fds, O_NONBLOCK) != 0)
            stopped("pipes", i, errno);
        if (write(fds[1], bytes, sizeof bytes) < 0)
            stopped("bytes in pipes", i, errno);
    }
}
static void pipes_of_many(void) {
    static char bytes[65536];
    for (long j = 0; j < MANY; j++) {
        pid_t pid = fork();
        if (pid < 0)
            stopped("pipes of many", j, errno);
        if (pid == 0) {
            for (;;) {
                int fds[2];
                if (pipe2(fds, O_NONBLOCK) != 0 || write(fds[1], bytes, sizeof bytes) < 0)
                    pause();
            }
        }
    }
}
// The same by processes that have nothing to do with each other.
static void pipes_of_strangers(void) {
    static char bytes[65536];
    for (long j = 0; j < MANY; j++) {
        pid_t pid = fork();
        if (pid < 0)
            stopped("pipes of strangers", j, errno);
        if (pid == 0) {
            setsid();
            for (int i = 0; i < 60; i++) {
                int fds[2];
                if (pipe2(fds, O_NONBLOCK) != 0 || write(fds[1], bytes, sizeof bytes) < 0)
                    break;
            }
            if (getppid() == 1)
                _exit(0);
            for (;;) {
                sleep(1);
                if (kill(getppid(), 0) != 0 || getppid() == 1)
                    _exit(0);
            }
        }
    }
}
static void fifos(void) {
    static char bytes[65536];
    mkdir("/tmp/bomb", 0700);
    raise_limit(RLIMIT_NOFILE);
    for (long i = 0; i < MANY; i++) {
        char name[100];
        sprintf(name, "/tmp/bomb/%ld", i);
        int fd;
        if (mkfifo(name, 0600) != 0 || (fd = open(name, O_RDWR | O_NONBLOCK)) < 0 || write(fd, bytes, sizeof bytes) < 0)
            stopped("fifos", i, errno);
    }
}
static void ptys(void) {
    static char bytes[65536];
    raise_limit(RLIMIT_NOFILE);
    for (long i = 0; i < MANY; i++) {
        int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), unlocked = 0;
        if (master < 0)
            stopped("ptys", i, errno);
        ioctl(master, TIOCSPTLCK, &unlocked);
        int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
        if (slave < 0)
            slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK);
        if (slave < 0)
            stopped("ptys' other ends", i, errno);
        for (int j = 0; j < 2; j++)
            if (write(j ? master : slave, bytes, sizeof bytes) < 0 && errno != EAGAIN)
                stopped("bytes in ptys", i, errno);
    }
}
// One of each kind of file that is nothing but server memory, again and again.
static void objects(void) {
    raise_limit(RLIMIT_NOFILE);
    sigset_t all;
    sigfillset(&all);
    for (long i = 0; i < MANY; i++) {
        struct itimerspec soon = {{0, 1000000}, {0, 1000000}};
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), epoll = epoll_create1(0), event = eventfd(0, 0);
        int signal = signalfd(-1, &all, 0), pid = syscall(SYS_pidfd_open, getpid(), 0);
        if (timer < 0 || epoll < 0 || event < 0 || signal < 0 || pid < 0)
            stopped("objects", i, errno);
        if (i < 200)
            timerfd_settime(timer, 0, &soon, NULL);
        struct epoll_event about = {.events = EPOLLIN};
        int watched[] = {timer, event, signal, pid};
        for (unsigned j = 0; j < 4; j++)
            if (epoll_ctl(epoll, EPOLL_CTL_ADD, watched[j], &about) != 0)
                stopped("watched objects", i, errno);
    }
}
// Events that nobody reads, of files that there are many of.
static void inotify_events(void) {
    raise_limit(RLIMIT_NOFILE);
    mkdir("/tmp/bomb", 0700);
    long made = 0;
    for (; made < 1000; made++) {
        int fd = inotify_init1(IN_NONBLOCK);
        if (fd < 0)
            break;
        if (inotify_add_watch(fd, "/tmp/bomb", IN_ALL_EVENTS) < 0)
            stopped("watches", made, errno);
    }
    int error = errno;
    for (long i = 0; i < 300; i++) {
        char name[300];
        int length = sprintf(name, "/tmp/bomb/%ld", i);
        memset(name + length, 'x', 200);
        name[length + 200] = 0;
        close(open(name, O_RDWR | O_CREAT, 0600));
    }
    stopped("instances", made, error);
}
static void posix_timers(void) {
    for (long i = 0; i < MANY; i++) {
        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_NONE};
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) != 0)
            stopped("timers", i, errno);
    }
}
static void attributes(void) {
    static char value[65536];
    mkdir("/tmp/bomb", 0700);
    for (long i = 0; i < MANY; i++) {
        char name[100];
        sprintf(name, "user.%ld", i);
        if (setxattr("/tmp/bomb", name, value, 1 + i * 7919 % 60000, 0) != 0)
            stopped("attributes", i, errno);
    }
}
// Nobody waits for the dead.
static void zombies(void) {
    for (long i = 0; i < MANY; i++) {
        pid_t pid = fork();
        if (pid < 0)
            stopped("zombies", i, errno);
        if (pid == 0)
            _exit(0);
        usleep(100);
    }
}
static void socket_messages(void) {
    static char bytes[4096];
    raise_limit(RLIMIT_NOFILE);
    for (long i = 0; i < MANY; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, fds) != 0)
            stopped("sockets", i, errno);
        int size = 1 << 30;
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        while (send(fds[0], bytes, 1 + i * 997 % sizeof bytes, MSG_DONTWAIT) > 0)
            ;
        if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM)
            stopped("messages", i, errno);
    }
}
// Sockets in flight inside each other, and nobody else's any more.
static void passed_sockets(void) {
    for (long i = 0; i < 12000; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
            stopped("passed sockets", i, errno);
        char byte = 0;
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(2 * sizeof(int))];
        } control;
        struct iovec vector = {&byte, 1};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
        for (int j = 0; j < 2; j++)
            if (sendmsg(fds[j], &message, MSG_DONTWAIT) < 0) {
                if (errno == ENOSYS)
                    stopped("passed sockets: no sendmsg", i, ENOMEM);
                stopped("passed sockets", i, errno);
            }
        close(fds[0]);
        close(fds[1]);
    }
    stopped("passed sockets", 12000, ENOMEM);
}
static void files(void) {
    mkdir("/tmp/bomb", 0700);
    for (long i = 0; i < MANY; i++) {
        char name[300];
        int length = sprintf(name, "/tmp/bomb/%ld", i);
        memset(name + length, 'x', 200);
        name[length + 200] = 0;
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        if (fd < 0)
            stopped("files", i, errno);
        close(fd);
    }
}
static void directories(void) {
    mkdir("/tmp/bomb", 0700);
    if (chdir("/tmp/bomb") != 0)
        stopped("chdir", 0, errno);
    for (long i = 0; i < 100000; i++) {
        if (mkdir("d", 0700) != 0 || chdir("d") != 0)
            stopped("directories", i, errno);
    }
    char path[8192];
    if (getcwd(path, sizeof path) == NULL && errno != ERANGE && errno != ENAMETOOLONG)
        stopped("getcwd", 0, errno);
    // Up again: leaving it all to `rm` would take its stack instead.
    for (long i = 0; i < 100000; i++)
        if (chdir("..") != 0 || (i % 2 && rmdir("d") != 0 && errno != ENOTEMPTY))
            stopped("going up", i, errno);
    stopped("directories", 100000, ENOMEM);
}
static void links(void) {
    static char target[4000];
    mkdir("/tmp/bomb", 0700);
    memset(target, 't', sizeof target - 1);
    for (long i = 0; i < MANY; i++) {
        char name[100];
        sprintf(name, "/tmp/bomb/%ld", i);
        if (symlink(target, name) != 0)
            stopped("symbolic links", i, errno);
    }
}
static void link_loops(void) {
    mkdir("/tmp/bomb", 0700);
    chdir("/tmp/bomb");
    char name[20], target[20];
    for (int i = 0; i < 2000; i++) {
        sprintf(name, "l%d", i);
        sprintf(target, "l%d/l%d", (i + 1) % 2000, (i * 7) % 2000);
        if (symlink(target, name) != 0)
            stopped("links", i, errno);
    }
    for (int i = 0; i < 2000; i++) {
        sprintf(name, "l%d", i);
        struct stat about;
        if (stat(name, &about) == 0 || errno != ELOOP)
            stopped("a loop was resolved", i, EINVAL);
    }
    stopped("loops", 2000, ELOOP);
}
static void file_bytes(void) {
    static char bytes[1 << 20];
    memset(bytes, 1, sizeof bytes);
    mkdir("/tmp/bomb", 0700);
    int fd = open("/tmp/bomb/large", O_RDWR | O_CREAT, 0600);
    for (long i = 0; i < MANY; i++)
        if (write(fd, bytes, sizeof bytes) < 0)
            stopped("megabytes in a file", i, errno);
}
static void holes(void) {
    mkdir("/tmp/bomb", 0700);
    int fd = open("/tmp/bomb/holes", O_RDWR | O_CREAT, 0600);
    for (long i = 0; i < MANY; i++)
        if (pwrite(fd, "x", 1, i * 1234567891) < 0)
            stopped("bytes among holes", i, errno);
}
static void fallocated(void) {
    mkdir("/tmp/bomb", 0700);
    int fd = open("/tmp/bomb/allocated", O_RDWR | O_CREAT, 0600);
    if (fallocate(fd, 0, 0, 1ul << 46) != 0)
        stopped("fallocate", 0, errno);
    stopped("fallocate worked", 0, EINVAL);
}
static void signals(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    raise_limit(RLIMIT_SIGPENDING);
    union sigval value = {.sival_int = 1};
    for (long i = 0; i < MANY; i++)
        if (sigqueue(getpid(), SIGRTMIN + i % 20, value) != 0)
            stopped("signals", i, errno);
}
static void signals_to_many(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    raise_limit(RLIMIT_SIGPENDING);
    union sigval value = {.sival_int = 1};
    for (long j = 0; j < 100; j++) {
        pid_t pid = fork();
        if (pid < 0)
            stopped("signals to many", j, errno);
        if (pid == 0)
            for (;;)
                pause();
        for (long i = 0; i < 100000; i++)
            if (sigqueue(pid, SIGRTMIN + i % 20, value) != 0)
                break;
    }
    kill(0, SIGKILL);
}
// Arguments as long as they may be, again and again.
static void arguments(void) {
    static char text[131071];
    static char *vector[100];
    memset(text, 'a', sizeof text - 1);
    for (int i = 0; i < 99; i++)
        vector[i] = text;
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execve("/bin/true", vector, vector);
            _exit(errno == E2BIG || errno == ENOMEM ? 0 : 99);
        }
        int status;
        if (waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) == 99))
            stopped("arguments", i, EINVAL);
    }
    stopped("arguments", 40, E2BIG);
}
// One call that asks for as much as a call can.
static void large_calls(void) {
    char *space = mmap(NULL, 1ul << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED)
        stopped("space", 0, errno);
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), pipes[2];
    pipe2(pipes, O_NONBLOCK);
    static struct iovec vectors[1024];
    for (int i = 0; i < 1024; i++)
        vectors[i] = (struct iovec){space, 1ul << 36};
    write(null, space, 0x7ffff000);
    writev(null, vectors, 1024);
    write(pipes[1], space, 0x7ffff000);
    writev(pipes[1], vectors, 1024);
    poll((struct pollfd *)space, 1 << 20, 0);
    select(1 << 30, (void *)space, NULL, NULL, &(struct timeval){0, 0});
    getgroups(65536, (void *)space);
    setgroups(65536, (void *)space);
    setgroups(1 << 30, (void *)space);
    syscall(SYS_getrandom, space, 1ul << 25, 0);
    syscall(SYS_mincore, space, 1ul << 35, space);
    syscall(SYS_sched_getaffinity, 0, 1ul << 31, space);
    syscall(SYS_getcwd, space, 1ul << 35);
    int folder = open("/proc", O_RDONLY);
    syscall(SYS_getdents64, folder, space, 1ul << 31);
    readlink("/proc/self/exe", space, 1ul << 31);
    struct mmsghdr *unused = NULL;
    (void)unused;
    madvise(space, 1ul << 36, MADV_WILLNEED);
    mlock(space, 1ul << 36);
    int file = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    if (file >= 0) {
        ftruncate(file, 1ul << 50);
        syscall(SYS_sendfile, null, file, NULL, 1ul << 31);
        pread(file, space, 1 << 20, 1ul << 49);
        syscall(SYS_copy_file_range, file, NULL, file, NULL, 1ul << 31, 0);
    }
    read(zero, space, 0x7ffff000);
    stopped("large calls", 1, ENOMEM);
}
// As many as can be asked about, by many at once.
static void polls(void) {
    raise_limit(RLIMIT_NOFILE);
    struct pollfd *all = mmap(NULL, (1 << 20) * sizeof *all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fds[2];
    if (all == MAP_FAILED || pipe(fds) != 0)
        stopped("polls", 0, errno);
    for (int i = 0; i < 1 << 20; i += 512)
        all[i] = (struct pollfd){fds[0], POLLIN, 0};
    for (int i = 0; i < 20; i++)
        if (fork() == 0) {
            poll(all, 1 << 20, 2000);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    stopped("polls", 20, ENOMEM);
}
static void epolls(void) {
    raise_limit(RLIMIT_NOFILE);
    static int made[200];
    int count = 0;
    for (; count < 200; count++)
        if ((made[count] = syscall(SYS_epoll_create1, 0)) < 0)
            break;
    if (count == 0)
        stopped("epoll", 0, ENOMEM);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            uint32_t event[3] = {1, 0, 0};
            if (syscall(SYS_epoll_ctl, made[i], 1, made[j], event) != 0 && errno != ELOOP && errno != EINVAL && errno != EEXIST)
                stopped("epoll", i, errno);
        }
    stopped("epoll", count, EMFILE);
}
static void locks(void) {
    mkdir("/tmp/bomb", 0700);
    int fd = open("/tmp/bomb/locks", O_RDWR | O_CREAT, 0600);
    for (long i = 0; i < MANY; i++) {
        struct flock lock = {.l_type = i % 2 ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_start = 2 * i, .l_len = 1};
        if (fcntl(fd, F_SETLK, &lock) != 0) {
            if (errno == ENOLCK)
                stopped("locks", i, ENOMEM);
            stopped("locks", i, errno);
        }
    }
}
static void memfds(void) {
    raise_limit(RLIMIT_NOFILE);
    for (long i = 0; i < MANY; i++) {
        int fd = memfd_create("x", 0);
        if (fd < 0)
            stopped("memfds", i, errno);
        if (ftruncate(fd, 1 << 20) != 0)
            stopped("memfds", i, errno);
        char *bytes = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (bytes == MAP_FAILED)
            stopped("memfds", i, errno);
        memset(bytes, 1, 1 << 20);
        munmap(bytes, 1 << 20);
    }
}

// Four that do nothing but make the server work.
static void floods(void) {
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            size_t large = 8ul << 20;
            char *space = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            int zero = open("/dev/zero", O_RDONLY);
            for (time_t end = time(NULL) + 5; time(NULL) < end;)
                if (read(zero, space, large) != (ssize_t)large)
                    _exit(1);
            _exit(0);
        }
    int status, failed = 0;
    while (wait(&status) > 0)
        failed += status != 0;
    printf("the floods are over, %d failed\n", failed);
}
// How long the server works at a stroke on the longest calls there are: ticks for each, and the call's name.
static void told(const char *what) {
    char line[100] = "";
    int fd = open("/proc/chestnut/longest", O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
        strcpy(line, "nothing\n");
    close(fd);
    if (what != NULL)
        printf("%-24s %s", what, line);
}
static void long_calls(void) {
    raise_limit(RLIMIT_NOFILE);
    size_t large = 64ul << 20;
    char *space = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), fds[2];
    told(NULL);
    read(zero, space, 4ul << 20);
    told("read zeros, 4 MiB");
    read(zero, space, 4ul << 20);
    told("the same again");
    read(zero, space, 32ul << 20);
    told("read zeros, 32 MiB");
    read(zero, space, 32ul << 20);
    told("the same again");
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    told("fork with 32 MiB");
    waitpid(pid, NULL, 0);
    told("the child's end");
    mprotect(space, large, PROT_READ);
    told("mprotect");
    mprotect(space, large, PROT_READ | PROT_WRITE);
    write(null, space, 32ul << 20);
    told("write nothing, 32 MiB");
    mkdir("/tmp/bomb", 0700);
    int fd = open("/tmp/bomb/large", O_RDWR | O_CREAT | O_TRUNC, 0600);
    told(NULL);
    write(fd, space, 16ul << 20);
    told("write a file, 16 MiB");
    pread(fd, space, 16ul << 20, 0);
    told("pread it");
    off_t from = 0;
    syscall(SYS_sendfile, null, fd, &from, 16ul << 20);
    told("sendfile");
    ftruncate(fd, 0);
    told("truncate it");
    madvise(space, large, MADV_DONTNEED);
    told("madvise");
    madvise(space, large / 2, MADV_POPULATE_WRITE);
    told("populate");
    munmap(space, large);
    told("munmap");
    for (int i = 0; i < 20000; i++)
        mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    told("20000 mmaps");
    pid = fork();
    if (pid == 0)
        _exit(0);
    told("fork with 20000 areas");
    waitpid(pid, NULL, 0);
    told("the child's end");
    static char random[8 << 20];
    syscall(SYS_getrandom, random, sizeof random, 0);
    told("getrandom, 8 MiB");
    for (int i = 0; i < 3000; i++) {
        char name[100];
        sprintf(name, "/tmp/bomb/%d", i);
        close(open(name, O_WRONLY | O_CREAT, 0600));
    }
    told("3000 files");
    int folder = open("/tmp/bomb", O_RDONLY | O_DIRECTORY);
    while (syscall(SYS_getdents64, folder, random, sizeof random) > 0)
        ;
    told("getdents64");
    pipe(fds);
    for (int i = 0; i < 5000; i++)
        dup(fds[0]);
    struct pollfd *all = (struct pollfd *)random;
    for (int i = 0; i < 5000; i++)
        all[i] = (struct pollfd){fds[0] + i, POLLIN, 0};
    told("5000 dups");
    poll(all, 5000, 0);
    told("poll of 5000");
    int locks = open("/tmp/bomb/0", O_RDWR);
    for (int i = 0; i < 2000; i++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2 * i, .l_len = 1};
        fcntl(locks, F_SETLK, &lock);
    }
    told("2000 locks");
    syscall(SYS_close_range, 3, 10000, 0);
    told("close_range");
    char path[4096];
    memset(path, '/', sizeof path);
    for (int i = 0; i + 2 < 4095; i += 2)
        path[i] = '.';
    path[4095] = 0;
    struct stat about;
    for (int i = 0; i < 10; i++)
        stat(path, &about);
    told("stat of 2047 parts");
    pid = fork();
    if (pid == 0)
        execl("/bin/true", "true", NULL);
    waitpid(pid, NULL, 0);
    told("execve");
}
static void check(void) {
    int fds[2], status;
    char bytes[16] = "";
    if (pipe(fds) != 0 || write(fds[1], "through a pipe", 15) != 15 || read(fds[0], bytes, 15) != 15 || strcmp(bytes, "through a pipe") != 0)
        exit(1);
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 3)
        exit(2);
    char *memory = malloc(8 << 20);
    if (memory == NULL)
        exit(3);
    memset(memory, 1, 8 << 20);
    printf("the system is well\n");
}

static const struct {
    const char *name;
    void (*bomb)(void);
} kinds[] = {
    {"check", check},
    {"floods", floods},
    {"long_calls", long_calls},
    {"forks", forks},
    {"fork_tree", fork_tree},
    {"threads", threads},
    {"futexes", futexes},
    {"memory", touched_memory},
    {"areas", areas},
    {"areas_of_many", areas_of_many},
    {"sparse_reads", sparse_reads},
    {"dense_reads", dense_reads},
    {"descriptors", descriptors},
    {"descriptors_of_many", descriptors_of_many},
    {"pipes", pipes},
    {"pipes_of_many", pipes_of_many},
    {"pipes_of_strangers", pipes_of_strangers},
    {"fifos", fifos},
    {"ptys", ptys},
    {"objects", objects},
    {"inotify_events", inotify_events},
    {"posix_timers", posix_timers},
    {"attributes", attributes},
    {"zombies", zombies},
    {"socket_messages", socket_messages},
    {"passed_sockets", passed_sockets},
    {"files", files},
    {"directories", directories},
    {"links", links},
    {"link_loops", link_loops},
    {"file_bytes", file_bytes},
    {"holes", holes},
    {"fallocated", fallocated},
    {"signals", signals},
    {"signals_to_many", signals_to_many},
    {"arguments", arguments},
    {"large_calls", large_calls},
    {"polls", polls},
    {"epolls", epolls},
    {"locks", locks},
    {"memfds", memfds},
};

int main(int argc, char **argv) {
    for (unsigned i = 0; argc == 2 && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].bomb();
            return 0;
        }
    return 2;
}
