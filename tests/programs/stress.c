// Everything at once, again and again: forks, programs executed, pipes, signals, memory, threads, files; a third of the
// processes killed at some moment of what they do. What the system holds afterwards (/proc/chestnut/resources, where there is one) must
// be what it held after the first run.
//
//   stress SECONDS SEED    of the machine's time for each of the four runs
#define _GNU_SOURCE
#include "expect.h"
#include "random.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { AT_ONCE = 6, RUNS = 3 };

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

// ---- What a process may do. Nothing here may fail, however it is interrupted. ----
static void do_forks(void) {
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        expect(pid >= 0);
        if (pid == 0) {
            if (below(3) == 0)
                pause();
            _exit(i);
        }
        if (below(2))
            kill(pid, SIGKILL);
        else
            kill(pid, SIGTERM);
        expect(waitpid(pid, NULL, 0) == pid);
    }
}
static void do_exec(void) {
    pid_t pid = vfork();
    expect(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "stress", (char *)NULL);
        _exit(99);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
static void do_pipes(void) {
    int fds[2];
    expect(pipe(fds) == 0);
    pid_t pid = fork();
    expect(pid >= 0);
    char bytes[5000];
    if (pid == 0) {
        close(fds[0]);
        memset(bytes, 1, sizeof bytes);
        for (int i = 0; i < 40; i++)
            if (write(fds[1], bytes, sizeof bytes) < 0)
                _exit(1);
        _exit(0);
    }
    close(fds[1]);
    int stop = below(50);
    for (int i = 0; i < stop; i++)
        if (read(fds[0], bytes, sizeof bytes) <= 0)
            break;
    close(fds[0]);
    expect(waitpid(pid, NULL, 0) == pid);
}
static volatile sig_atomic_t signals;
static void on_signal(int signal) {
    (void)signal;
    signals++;
}
static void do_signals(void) {
    signal(SIGALRM, on_signal);
    signal(SIGUSR1, on_signal);
    struct itimerval often = {{0, 300}, {0, 300}};
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 200; i++) {
        raise(SIGUSR1);
        usleep(50);
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1});
}
static void do_memory(void) {
    for (int i = 0; i < 10; i++) {
        size_t length = (1 + below(300)) * 4096;
        char *place = mmap(NULL, length, PROT_READ | PROT_WRITE, (below(3) ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS, -1, 0);
        expect(place != MAP_FAILED);
        for (size_t at = 0; at < length; at += 4096 * (1 + below(3)))
            place[at] = 1;
        mprotect(place, length / 2 & -4096ul, PROT_READ);
        if (below(2))
            madvise(place, length, MADV_DONTNEED);
        if (below(2)) {
            mprotect(place, length, PROT_READ | PROT_WRITE);
            place = mremap(place, length, length + 40960, MREMAP_MAYMOVE);
            expect(place != MAP_FAILED);
            length += 40960;
        }
        if (below(3))
            munmap(place, length);
    }
}
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turns;
static void *take_turns(void *argument) {
    (void)argument;
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&mutex);
        turns++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}
static void do_threads(void) {
    pthread_t threads[4];
    turns = 0;
    for (int i = 0; i < 4; i++)
        expect(pthread_create(&threads[i], NULL, take_turns, NULL) == 0);
    pthread_mutex_lock(&mutex);
    while (turns < 200)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 4; i++)
        expect(pthread_join(threads[i], NULL) == 0);
}
static void *end_process(void *argument) {
    usleep((uintptr_t)argument);
    _exit(0);
}
static void do_end_among_threads(void) {
    pid_t pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, take_turns, NULL);
        pthread_create(&thread, NULL, end_process, (void *)(uintptr_t)below(500));
        for (;;)
            pause();
    }
    expect(waitpid(pid, NULL, 0) == pid);
}
static void do_files(void) {
    char name[64], other[64], bytes[3000];
    memset(bytes, 7, sizeof bytes);
    for (int i = 0; i < 10; i++) {
        sprintf(name, "/tmp/stress/%d.%d", getpid(), i);
        sprintf(other, "/tmp/stress/%d.other", getpid());
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        expect(fd >= 0);
        for (int j = 0; j < 10; j++)
            expect(write(fd, bytes, sizeof bytes) == sizeof bytes);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 50};
        fcntl(fd, F_SETLK, &lock);
        flock(fd, LOCK_SH);
        char *place = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        expect(place != MAP_FAILED);
        place[5000] = 1;
        ftruncate(fd, 100);
        rename(name, other);
        symlink("nowhere", name);
        unlink(name);
        unlink(other);
        if (below(2))
            close(fd);
        if (below(2))
            munmap(place, 8192);
    }
}
static void do_sockets(void) {
    int fds[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    char bytes[1000] = "x";
    for (int i = 0; i < 30; i++)
        expect(write(fds[0], bytes, sizeof bytes) == sizeof bytes);
    if (below(2))
        (void)!read(fds[1], bytes, sizeof bytes);
    if (below(2))
        close(fds[0]);
}
static void do_reading(void) {
    char path[64], bytes[4096];
    static const char *const names[] = {"maps", "stat", "status", "cmdline", "fd", "environ", "statm", "auxv"};
    for (int i = 0; i < 8; i++) {
        sprintf(path, "/proc/%d/%s", below(2) ? getpid() : getppid(), names[i]);
        int fd = open(path, O_RDONLY);
        if (fd >= 0)
            while (read(fd, bytes, sizeof bytes) > 0)
                ;
        if (fd >= 0)
            close(fd);
    }
}
static void do_orphans(void) {
    pid_t pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        if (fork() == 0)
            usleep(below(3000));
        _exit(0);
    }
    expect(waitpid(pid, NULL, 0) == pid);
}
static void do_waiting(void) {
    // For something that doesn't come, until somebody kills it.
    int fds[2];
    expect(pipe(fds) == 0);
    struct itimerval soon = {{0, 20000}, {0, 1 + below(20000)}};
    // Without SA_RESTART, and again and again: the first one may come before the call.
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    char byte;
    static uint32_t word;
    switch (below(4)) {
    case 0: (void)!read(fds[0], &byte, 1); break;
    case 1: syscall(SYS_futex, &word, 0, 0, NULL, NULL, 0); break;
    case 2: pause(); break;
    case 3: usleep(1000000); break;
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
}

static void (*const deeds[])(void) = {do_forks, do_exec, do_pipes, do_signals, do_memory, do_threads, do_end_among_threads, do_files, do_sockets, do_reading, do_orphans, do_waiting};

static void work(uint64_t seed) {
    state = seed;
    setpgid(0, 0);
    for (int i = 0; i < 4; i++)
        deeds[below(sizeof deeds / sizeof *deeds)]();
    _exit(0);
}

static int started, killed;

static void run(int64_t length) {
    int64_t end = now() + length;
    pid_t workers[AT_ONCE] = {0};
    int64_t deadlines[AT_ONCE] = {0};
    int live = 0;
    while (now() < end || live > 0) {
        for (int i = 0; i < AT_ONCE; i++) {
            int status;
            if (workers[i] == 0 && now() < end) {
                started++;
                uint64_t seed = any();
                workers[i] = fork();
                expect(workers[i] >= 0);
                if (workers[i] == 0)
                    work(seed);
                live++;
                // Half of them are to be killed, at any time in what they do; a third, about, is not done before.
                deadlines[i] = below(2) == 0 ? now() + below(15000000) : 0;
            } else if (workers[i] != 0 && waitpid(workers[i], &status, WNOHANG) == workers[i]) {
                expect(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
                // What it had started and, killed, couldn't wait for.
                kill(-workers[i], SIGKILL);
                workers[i] = 0;
                live--;
            } else if (workers[i] != 0 && deadlines[i] != 0 && now() > deadlines[i]) {
                deadlines[i] = 0;
                killed++;
                expect(kill(workers[i], SIGKILL) == 0);
            }
        }
        usleep(500);
    }
    // What they left: orphans that sleep, and names.
    usleep(100000);
    DIR *folder = opendir("/tmp/stress");
    struct dirent *entry;
    char name[600];
    while (folder && (entry = readdir(folder))) {
        snprintf(name, sizeof name, "/tmp/stress/%s", entry->d_name);
        unlink(name);
    }
    closedir(folder);
}

enum { LINES = 32 };
struct holdings {
    int count;
    char name[LINES][32];
    long used[LINES], made[LINES];
};

static void look(struct holdings *holdings) {
    static char text[4096];
    memset(holdings, 0, sizeof *holdings);
    int fd = open("/proc/chestnut/resources", O_RDONLY);
    if (fd < 0)
        return;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    expect(length > 0);
    text[length] = 0;
    for (char *line = strtok(text, "\n"); line && holdings->count < LINES; line = strtok(NULL, "\n")) {
        int i = holdings->count++;
        expect(sscanf(line, "%31s %ld %ld", holdings->name[i], &holdings->used[i], &holdings->made[i]) >= 2);
    }
}

// What may grow without a leak: stores of things that wait for their next use. What is in use may not.
static int is_store(const char *name) { return strcmp(name, "untyped_bytes") == 0 || strcmp(name, "heap_claimed") == 0; }

// A page of a file has memory from its first use on, and a process a mapping of it: all of this program's come before anything is counted.
static void touch_everything(void) {
    extern const char __executable_start, end;
    for (uintptr_t at = (uintptr_t)&__executable_start & -4096ul; at < (uintptr_t)&end; at += 4096) {
        unsigned char present;
        // Between the segments there is nothing.
        if (mincore((void *)at, 4096, &present) == 0)
            (void)*(volatile char *)at;
    }
}

int main(int argc, char **argv) {
    // What `do_exec` starts.
    if (argc == 1)
        return 0;
    expect(argc == 3);
    int64_t length = atof(argv[1]) * 1e9;
    state = strtoull(argv[2], NULL, 0);
    mkdir("/tmp/stress", 0700);
    touch_everything();
    // Nothing is printed meanwhile: the system keeps what was printed until it has come out. The run with number 0 warms up.
    static struct holdings after[RUNS + 1];
    for (int i = 0; i <= RUNS; i++) {
        run(length);
        look(&after[i]);
    }
    const struct holdings *first = &after[0];
    int leaks = 0;
    for (int i = 1; i <= RUNS; i++) {
        const struct holdings *later = &after[i];
        expect(later->count == first->count);
        for (int j = 0; j < first->count; j++) {
            const char *name = first->name[j];
            fprintf(stderr, "run %d: %s %ld, before %ld; made %ld, before %ld\n", i, name, later->used[j], first->used[j], later->made[j], first->made[j]);
            // Maps on the heap fill their nodes less evenly the longer they are in use, which levels out after minutes: what is found
            // is a piece lost with every third process, or some hundred bytes with each.
            long slack = strcmp(name, "heap_bytes") == 0 ? 32768 : strcmp(name, "heap_pieces") == 0 ? 16 + started * i / (RUNS + 1) / 3 : 0;
            if (later->used[j] - first->used[j] > slack && !is_store(name)) {
                printf("run %d: %s has grown\n", i, name);
                leaks++;
            }
        }
    }
    rmdir("/tmp/stress");
    fprintf(stderr, "%d processes, %d of them killed\n", started, killed);
    expect(killed > started / 6);
    printf("%d runs, %d leaks\n", RUNS, leaks);
    return leaks ? 1 : 0;
}
