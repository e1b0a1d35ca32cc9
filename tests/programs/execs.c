// execve from where it is unusual: by descriptor, from a thread that isn't the leader, without address-space randomisation; orphans.
#include "expect.h"
#include <asm/prctl.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char *program;
static pid_t leader;

static int run(void (*child)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(98);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void by_descriptor(void) {
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *arguments[] = {"by-descriptor", "report", NULL}, *environment[] = {NULL};
    syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
}

static void *from_thread(void *unused) {
    (void)unused;
    expect(gettid() != getpid());
    char pid[16];
    snprintf(pid, sizeof pid, "%d", leader);
    char *arguments[] = {"from-a-thread", "report", pid, NULL}, *environment[] = {NULL};
    execve("/proc/self/exe", arguments, environment);
    return NULL;
}
static void by_thread(void) {
    leader = getpid();
    pthread_t threads[3];
    sigset_t all;
    sigfillset(&all);
    for (int i = 0; i < 3; i++)
        expect(pthread_create(&threads[i], NULL, i == 2 ? from_thread : (void *(*)(void *))pause, NULL) == 0);
    for (;;)
        pause();
}

static void fixed(void) {
    expect(personality(ADDR_NO_RANDOMIZE) != -1);
    char *arguments[] = {"fixed", "addresses", NULL}, *environment[] = {NULL};
    execve("/proc/self/exe", arguments, environment);
}

int main(int argc, char **argv);

// Where things are, as one number.
static unsigned long addresses(void) {
    int local;
    return (unsigned long)&local * 3 + (unsigned long)sbrk(0) * 5 + (unsigned long)&main * 7 + getauxval(AT_SYSINFO_EHDR);
}
static unsigned long ask(int with_personality) {
    int answer[2];
    expect(pipe(answer) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(answer[1], 1);
        if (with_personality)
            fixed();
        char *arguments[] = {"random", "addresses", NULL}, *environment[] = {NULL};
        execve("/proc/self/exe", arguments, environment);
        _exit(98);
    }
    close(answer[1]);
    char text[32] = {0};
    expect(read(answer[0], text, sizeof text - 1) > 0);
    close(answer[0]);
    expect(waitpid(pid, NULL, 0) == pid);
    return strtoul(text, NULL, 16);
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc > 1 && strcmp(argv[1], "report") == 0) {
        int status;
        expect(wait(&status) == -1 && errno == ECHILD);
        printf("%s: leader %d, pid kept %d, secure %lu\n", argv[0], gettid() == getpid(),
               argc < 3 || atoi(argv[2]) == getpid(), getauxval(AT_SECURE));
        return 7;
    }
    if (argc > 1) {
        printf("%lx\n", addresses());
        return 0;
    }
    printf("status %d\n", run(by_descriptor));
    printf("status %d\n", run(by_thread));
    printf("same addresses: %d\n", ask(1) == ask(1));
    printf("other addresses: %d\n", ask(0) != ask(0));
    int before = personality(0xffffffff);
    expect(before != -1 && personality(before | ADDR_NO_RANDOMIZE) == before);
    printf("personality: %d\n", (personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0);

    // A segment of one's own, which children inherit.
    static long own = 4711, found;
    expect(syscall(SYS_arch_prctl, ARCH_SET_GS, &own) == 0);
    expect(syscall(SYS_arch_prctl, ARCH_GET_GS, &found) == 0 && found == (long)&own);
    if (fork() == 0) {
        __asm__ volatile("mov %%gs:0, %0" : "=r"(found));
        _exit(found == 4711 ? 17 : 18);
    }
    int inherited;
    expect(wait(&inherited) > 0);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(found));
    printf("by GS: %ld, child %d\n", found, WEXITSTATUS(inherited));
    expect(syscall(SYS_arch_prctl, ARCH_SET_GS, 1UL << 60) == -1 && errno == EPERM);

    int fd = open("/dev/null", O_RDONLY);
    char *none[] = {NULL};
    expect(syscall(SYS_execveat, fd, "", none, none, 0) == -1 && errno == ENOENT);
    expect(syscall(SYS_execveat, fd, "", none, none, AT_EMPTY_PATH) == -1 && errno == EACCES);
    expect(syscall(SYS_execveat, fd, "x", none, none, 0x10000000) == -1 && errno == EINVAL);
    expect(symlink("/proc/self/exe", "link-to-self") == 0);
    expect(syscall(SYS_execveat, AT_FDCWD, "link-to-self", none, none, AT_SYMLINK_NOFOLLOW) == -1 && errno == ELOOP);

    // Orphans come to the nearest ancestor that wants them.
    expect(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    int reaper = 0;
    expect(prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0 && reaper == 1);
    int answer[2];
    expect(pipe(answer) == 0);
    pid_t self = getpid(), child = fork();
    if (child == 0) {
        if (fork() == 0) {
            expect(prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0 && reaper == 0);
            while (getppid() != self)
                usleep(1000);
            expect(write(answer[1], "adopted", 7) == 7);
            _exit(11);
        }
        _exit(12);
    }
    int status;
    expect(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 12);
    expect(wait(&status) > 0);
    char text[8] = {0};
    expect(read(answer[0], text, 7) == 7);
    printf("orphan: %s, status %d\n", text, WEXITSTATUS(status));

    // The signal that a parent's end brings.
    if ((child = fork()) == 0) {
        if (fork() == 0) {
            expect(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
            int found = 0;
            expect(prctl(PR_GET_PDEATHSIG, &found) == 0 && found == SIGUSR1);
            expect(write(answer[1], "y", 1) == 1);
            for (;;)
                pause();
        }
        expect(read(answer[0], text, 1) == 1);
        _exit(0);
    }
    expect(waitpid(child, &status, 0) == child);
    expect(wait(&status) > 0);
    printf("after its parent's end: signal %d\n", WTERMSIG(status));
    return 0;
}
