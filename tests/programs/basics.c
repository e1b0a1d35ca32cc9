/* What ordinary C programs ask of a system, one subject per run: basics SUBJECT [ARGUMENT...]. Output must not depend on
   process ids, times or addresses, as it is compared between two systems. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                             \
    do {                                                                             \
        if (!(condition)) {                                                          \
            printf("line %d: %s: %s\n", __LINE__, #condition, strerror(errno));      \
            exit(1);                                                                 \
        }                                                                            \
    } while (0)

static int arguments(int argc, char **argv) {
    for (int i = 0; i < argc; i++) printf("%d: %s\n", i, argv[i]);
    printf("HOME=%s, page size %ld, float %.3f\n", getenv("HOME"), sysconf(_SC_PAGESIZE), 2.0 / 3.0);
    return argc;
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int heap(int argc, char **argv) {
    (void)argc, (void)argv;
    unsigned sum = 0;
    char *blocks[1000];
    for (int i = 0; i < 1000; i++) {
        size_t size = (size_t)(i * 37 % 5000 + 1);
        CHECK((blocks[i] = malloc(size)));
        memset(blocks[i], i, size);
    }
    for (int i = 0; i < 1000; i += 2) free(blocks[i]);
    for (int i = 1; i < 1000; i += 2) sum += (unsigned char)blocks[i][0];
    char *big = calloc(1, 20u << 20);
    CHECK(big && big[12345678] == 0);
    big[20000000] = 1;
    CHECK((big = realloc(big, 30u << 20)));
    printf("sum %u, kept %d\n", sum, big[20000000]);
    return 0;
}

static int processes(int argc, char **argv) {
    (void)argc, (void)argv;
    int value = 1;
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            value += i;
            _exit(value);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child);
        printf("child %d: %d, mine is still %d\n", i, WEXITSTATUS(status), value);
    }
    CHECK(wait(NULL) == -1 && errno == ECHILD);
    pid_t child = vfork();
    if (child == 0) {
        execl("/no/such/program", "program", NULL);
        _exit(errno == ENOENT ? 42 : 43);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    printf("vfork: %d\n", WEXITSTATUS(status));
    return 0;
}

static int pipes(int argc, char **argv) {
    (void)argc, (void)argv;
    int there[2], back[2];
    CHECK(pipe(there) == 0 && pipe2(back, O_CLOEXEC) == 0);
    fflush(stdout);
    if (fork() == 0) {
        close(there[1]), close(back[0]);
        char buffer[4096];
        ssize_t got;
        long total = 0;
        while ((got = read(there[0], buffer, sizeof buffer)) > 0) total += got;
        dprintf(back[1], "%ld", total);
        _exit(0);
    }
    close(there[0]), close(back[1]);
    char block[10000];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 30; i++) CHECK(write(there[1], block, sizeof block) == sizeof block);
    close(there[1]);
    char answer[32] = {0};
    CHECK(read(back[0], answer, sizeof answer - 1) > 0);
    printf("the child read %s bytes\n", answer);
    CHECK(wait(NULL) > 0);
    CHECK(fcntl(back[0], F_SETFL, O_NONBLOCK) == 0);
    int other[2];
    CHECK(pipe2(other, O_NONBLOCK) == 0);
    CHECK(read(other[0], answer, 1) == -1 && errno == EAGAIN);
    struct pollfd both[2] = {{other[0], POLLIN, 0}, {other[1], POLLOUT, 0}};
    int ready = poll(both, 2, 0);
    printf("poll: %d, %d %d\n", ready, both[0].revents, both[1].revents);
    CHECK(write(other[1], "x", 1) == 1);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(other[0], &set);
    printf("select: %d\n", select(other[0] + 1, &set, NULL, NULL, NULL));
    signal(SIGPIPE, SIG_IGN);
    close(other[0]);
    CHECK(write(other[1], "x", 1) == -1 && errno == EPIPE);
    printf("broken pipe\n");
    signal(SIGPIPE, SIG_DFL);
    return write(other[1], "x", 1) == 1;
}

static volatile sig_atomic_t seen;
static void note(int signal) { seen = seen * 100 + signal; }
static void inform(int signal, siginfo_t *info, void *context) {
    (void)context;
    printf("signal %d, code %d, mine %d\n", signal, info->si_code, info->si_pid == getpid());
}

static int signals(int argc, char **argv) {
    (void)argc, (void)argv;
    struct sigaction action = {.sa_handler = note};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    printf("seen %d\n", (int)seen);
    sigset_t blocked, pending, none;
    sigemptyset(&none), sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0 && raise(SIGUSR1) == 0);
    CHECK(sigpending(&pending) == 0);
    printf("seen %d, pending %d\n", (int)seen, sigismember(&pending, SIGUSR1));
    CHECK(sigsuspend(&none) == -1 && errno == EINTR);
    printf("seen %d\n", (int)seen);
    // Blocked until it is waited for: on a busy machine it might come before that.
    struct itimerval soon = {.it_value = {0, 20000}};
    sigaddset(&blocked, SIGALRM);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0 && setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK(sigsuspend(&none) == -1 && errno == EINTR);
    CHECK(sigprocmask(SIG_UNBLOCK, &blocked, NULL) == 0);
    printf("seen %d\n", (int)seen);
    struct sigaction detailed = {.sa_sigaction = inform, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    CHECK(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR2, &detailed, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR2) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (;;) pause();
    }
    int status;
    CHECK(kill(child, SIGTERM) == 0 && waitpid(child, &status, 0) == child);
    printf("child ended by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    fflush(stdout);
    CHECK(kill(getpid(), SIGKILL) == 0);
    return 0;
}

static sigjmp_buf escape;
static void jump(int signal) { siglongjmp(escape, signal); }

static int memory(int argc, char **argv) {
    (void)argc, (void)argv;
    signal(SIGSEGV, jump);
    char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    strcpy(page + 4096, "kept");
    CHECK(mprotect(page + 4096, 4096, PROT_READ) == 0);
    if (sigsetjmp(escape, 1) == 0) {
        page[4096] = 'x';
        printf("the write went through\n");
    } else {
        printf("write to read-only: fault, %s\n", page + 4096);
    }
    CHECK(munmap(page + 4096, 4096) == 0);
    if (sigsetjmp(escape, 1) == 0) {
        printf("%c\n", page[4096]);
    } else {
        printf("read of unmapped: fault\n");
    }
    page[0] = 'a', page[8192] = 'c';
    char *grown = mremap(page + 8192, 4096, 8 * 4096, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED);
    printf("mremap: %c%d\n", grown[0], grown[7 * 4096]);
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    fflush(stdout);
    if (fork() == 0) {
        *shared = 77;
        page[0] = 'z';
        _exit(0);
    }
    CHECK(wait(NULL) > 0);
    printf("shared %d, private %c\n", *shared, page[0]);
    unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
    unsigned char *run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(run, code, sizeof code);
    if (sigsetjmp(escape, 1) == 0) {
        printf("executed: %d\n", ((int (*)(void))run)());
    } else {
        printf("execution of data: fault\n");
    }
    CHECK(mprotect(run, 4096, PROT_READ | PROT_EXEC) == 0);
    printf("executed: %d\n", ((int (*)(void))run)());
    return 0;
}

static int files(int argc, char **argv) {
    (void)argc, (void)argv;
    int file = open("new", O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(file >= 0);
    CHECK(open("new", O_RDWR | O_CREAT | O_EXCL, 0640) == -1 && errno == EEXIST);
    CHECK(write(file, "0123456789", 10) == 10 && lseek(file, 4, SEEK_SET) == 4);
    char buffer[16] = {0};
    CHECK(read(file, buffer, 3) == 3 && pwrite(file, "ab", 2, 8) == 2 && ftruncate(file, 12) == 0);
    struct stat status;
    CHECK(fstat(file, &status) == 0);
    printf("%s, size %ld, mode %o, links %ld\n", buffer, (long)status.st_size, status.st_mode, (long)status.st_nlink);
    CHECK(link("new", "second") == 0 && symlink("second", "third") == 0 && rename("new", "first") == 0);
    CHECK(stat("third", &status) == 0);
    printf("links %ld\n", (long)status.st_nlink);
    CHECK(readlink("third", buffer, sizeof buffer) == 6);
    CHECK(unlink("first") == 0 && unlink("first") == -1 && errno == ENOENT);
    CHECK(mkdir("folder", 0755) == 0 && mkdir("folder/inner", 0755) == 0);
    CHECK(rmdir("folder") == -1 && errno == ENOTEMPTY);
    CHECK(open("folder", O_WRONLY) == -1 && errno == EISDIR);
    CHECK(open("second/x", O_RDONLY) == -1 && errno == ENOTDIR);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(map != MAP_FAILED);
    printf("mapped %.12s|\n", map);
    map[0] = 'M';
    CHECK(pread(file, buffer, 2, 0) == 2);
    printf("read %.2s\n", buffer);
    struct iovec parts[2] = {{"vec", 3}, {"tor\n", 4}};
    CHECK(writev(STDOUT_FILENO, parts, 2) == 7);
    DIR *directory = opendir(".");
    CHECK(directory);
    char *names[64];
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) && count < 64;) names[count++] = strdup(entry->d_name);
    qsort(names, count, sizeof *names, compare);
    for (size_t i = 0; i < count; i++) printf("%s ", names[i]);
    printf("\n");
    int copy = dup2(STDOUT_FILENO, 9);
    fflush(stdout);
    CHECK(copy == 9 && dprintf(9, "by a copy\n") == 10);
    return 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counter;
static __thread int own;

static void *work(void *argument) {
    own = (int)(intptr_t)argument;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&lock);
        counter += own;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return (void *)(intptr_t)(own * 10);
}

static int threads(int argc, char **argv) {
    (void)argc, (void)argv;
    pthread_t all[4];
    for (intptr_t i = 0; i < 4; i++) CHECK(pthread_create(&all[i], NULL, work, (void *)(i + 1)) == 0);
    pthread_mutex_lock(&lock);
    while (counter < 5000) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 4; i++) {
        void *result;
        CHECK(pthread_join(all[i], &result) == 0);
        printf("thread %d: %ld\n", i, (long)(intptr_t)result);
    }
    printf("counter %ld, own %d\n", counter, own);
    return 0;
}

static int times(int argc, char **argv) {
    (void)argc, (void)argv;
    struct timespec before, after, pause = {0, 30 * 1000 * 1000};
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && nanosleep(&pause, NULL) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    long passed = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
    printf("slept at least 30 ms: %d, at most 10 s: %d\n", passed >= 30000000, passed < 10000000000L);
    printf("the year is plausible: %d\n", time(NULL) > 1700000000);
    struct timeval day;
    CHECK(gettimeofday(&day, NULL) == 0 && llabs(day.tv_sec - time(NULL)) <= 1);
    time_t then = 1000000000;
    printf("%s", asctime(gmtime(&then)));
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return 0;
}

static int execute(int argc, char **argv) {
    if (argc > 2) {
        execvp(argv[2], argv + 2);
        printf("%s: %s\n", argv[2], strerror(errno));
        return 127;
    }
    return 1;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int, char **);
    } subjects[] = {{"arguments", arguments}, {"heap", heap},       {"processes", processes}, {"pipes", pipes},
                    {"signals", signals},     {"memory", memory},   {"files", files},         {"threads", threads},
                    {"times", times},         {"execute", execute}};
    /* What was printed must not be lost when a signal ends the program. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof subjects / sizeof *subjects; i++)
        if (strcmp(argv[1], subjects[i].name) == 0) return subjects[i].run(argc, argv);
    fprintf(stderr, "unknown subject\n");
    return 2;
}
