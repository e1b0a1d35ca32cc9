// seccomp: strict mode, filters and what each verdict does, chains, threads, inheritance by fork and execve.
#include "expect.h"
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)
#define SAY(value) BPF_STMT(BPF_RET | BPF_K, value)

static int install(struct sock_filter *code, unsigned short length, unsigned flags) {
    struct sock_fprog program = {length, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
// One call gets this verdict, all others go on.
static int filter(int number, uint32_t verdict, unsigned flags) {
    struct sock_filter code[] = {LOAD(arch), UNLESS(AUDIT_ARCH_X86_64), BPF_STMT(BPF_JMP | BPF_JA, 1), SAY(SECCOMP_RET_KILL_PROCESS),
                                 LOAD(nr),   UNLESS(number),            SAY(verdict),                  SAY(SECCOMP_RET_ALLOW)};
    return install(code, sizeof code / sizeof *code, flags);
}

static siginfo_t trapped;
static void on_trap(int signal, siginfo_t *info, void *context) {
    (void)signal;
    trapped = *info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] += 1000;
}

static void end(const char *what, void (*body)(void)) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        body();
        _exit(7);
    }
    expect(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status))
        printf("%s: signal %d\n", what, WTERMSIG(status));
    else
        printf("%s: exit %d\n", what, WEXITSTATUS(status));
}

static void strict(void) {
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    expect(write(1, "written\n", 8) == 8);
    syscall(SYS_exit, 3);
}
static void strict_broken(void) {
    expect(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
    syscall(SYS_getpid);
}
static void error(void) {
    expect(filter(SYS_mkdir, SECCOMP_RET_ERRNO | EDOM, 0) == 0);
    expect(prctl(PR_GET_SECCOMP) == 2);
    expect(syscall(SYS_mkdir, "/tmp/filtered", 0700) == -1 && errno == EDOM);
    // Also what is answered without the server, and nothing at all.
    expect(filter(SYS_getppid, SECCOMP_RET_ERRNO | EPERM, 0) == 0 && syscall(SYS_getppid) == -1 && errno == EPERM);
    expect(filter(SYS_getuid, SECCOMP_RET_ERRNO, 0) == 0 && syscall(SYS_getuid) == 0);
    expect(filter(SYS_gettid, SECCOMP_RET_ERRNO | 0xffff, 0) == 0 && syscall(SYS_gettid) == -1 && errno == 4095);
    expect(filter(SYS_getgid, SECCOMP_RET_TRACE, 0) == 0 && syscall(SYS_getgid) == -1 && errno == ENOSYS);
    expect(filter(SYS_uname, SECCOMP_RET_LOG, 0) == 0);
    // The newest of equals; a weaker one changes nothing.
    expect(filter(SYS_mkdir, SECCOMP_RET_ERRNO | EFBIG, 0) == 0 && filter(SYS_mkdir, SECCOMP_RET_LOG, 0) == 0);
    expect(syscall(SYS_mkdir, "/tmp/filtered", 0700) == -1 && errno == EFBIG);
    // Strict mode comes too late.
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == -1 && errno == EINVAL);
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (strncmp(line, "Seccomp", 7) == 0)
            fputs(line, stdout);
}
static void trap(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    expect(sigaction(SIGSYS, &action, NULL) == 0 && filter(SYS_getpgid, SECCOMP_RET_TRAP | 77, 0) == 0);
    long result = syscall(SYS_getpgid, 0);
    printf("trapped: result %ld, code %d, data %d, call %d, architecture %x, address %d\n", result, trapped.si_code, trapped.si_errno,
           trapped.si_syscall, trapped.si_arch, trapped.si_call_addr != NULL);
    sigset_t blocked;
    sigemptyset(&blocked), sigaddset(&blocked, SIGSYS);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    syscall(SYS_getpgid, 0);
}
static void kill_all(void) {
    expect(filter(SYS_getsid, SECCOMP_RET_KILL_PROCESS, 0) == 0);
    syscall(SYS_getsid, 0);
}
static void kill_only(void) {
    expect(filter(SYS_getsid, SECCOMP_RET_KILL_THREAD, 0) == 0);
    syscall(SYS_getsid, 0);
}
static void *thread_is_killed(void *unused) {
    kill_only();
    return unused;
}
static void kill_one(void) {
    pthread_t thread;
    void *result;
    expect(pthread_create(&thread, NULL, thread_is_killed, NULL) == 0 && pthread_join(thread, &result) == 0);
}
// By an argument and by memory words.
static void arguments(void) {
    struct sock_filter code[] = {LOAD(nr),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 8),
                                 LOAD(args[1]),
                                 BPF_STMT(BPF_ST, 5),
                                 BPF_STMT(BPF_LDX | BPF_MEM, 5),
                                 BPF_STMT(BPF_LD | BPF_IMM, F_GETFD),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 3),
                                 BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, EXDEV - F_GETFD),
                                 BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
                                 BPF_STMT(BPF_RET | BPF_A, 0),
                                 SAY(SECCOMP_RET_ALLOW)};
    expect(install(code, sizeof code / sizeof *code, 0) == 0);
    expect(fcntl(1, F_GETFD) == -1 && errno == EXDEV && fcntl(1, F_GETFL) >= 0);
}
static volatile int go;
static void *waits(void *unused) {
    while (!go)
        sched_yield();
    return syscall(SYS_getpriority, 0, 0) == -1 && errno == EXDEV ? (void *)"too" : unused;
}
static void synchronise(void) {
    pthread_t thread;
    void *result;
    expect(pthread_create(&thread, NULL, waits, NULL) == 0);
    expect(filter(SYS_getpriority, SECCOMP_RET_ERRNO | EXDEV, SECCOMP_FILTER_FLAG_TSYNC) == 0);
    go = 1;
    expect(pthread_join(thread, &result) == 0);
    printf("other thread: %s\n", result ? (char *)result : "not");
    // One whose filters differ isn't changed, but named.
    go = 0;
    expect(pthread_create(&thread, NULL, waits, NULL) == 0);
    expect(filter(SYS_getsid, SECCOMP_RET_ERRNO | EXDEV, 0) == 0);
    go = 1;
    expect(pthread_join(thread, NULL) == 0);
}
static void inherit(void) {
    int status;
    expect(filter(SYS_mkdir, SECCOMP_RET_ERRNO | EXDEV, 0) == 0);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "filters", "again", NULL);
        _exit(9);
    }
    expect(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 5);
}
static void unprivileged(void) {
    if (geteuid() == 0) {
        expect(setgid(65534) == 0 && setuid(65534) == 0);
        expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 && filter(SYS_mkdir, SECCOMP_RET_ERRNO, 0) == -1 && errno == EACCES);
    }
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && filter(SYS_mkdir, SECCOMP_RET_ERRNO | EXDEV, 0) == 0);
    expect(syscall(SYS_mkdir, "/tmp/filtered", 0700) == -1 && errno == EXDEV);
}

int main(int count, char **names) {
    if (count > 1 && strcmp(names[1], "again") == 0) {
        expect(syscall(SYS_mkdir, "/tmp/filtered", 0700) == -1 && errno == EXDEV && prctl(PR_GET_SECCOMP) == 2);
        return 5;
    }
    expect(prctl(PR_GET_SECCOMP) == 0);
    // What is refused.
    struct sock_filter open_end[] = {LOAD(nr)}, far[] = {BPF_STMT(BPF_JMP | BPF_JA, 1), SAY(0)}, odd[] = {BPF_STMT(0x20, 2), SAY(0)},
                       beyond[] = {BPF_STMT(0x20, sizeof(struct seccomp_data)), SAY(0)}, half[] = {BPF_STMT(0x28, 0), SAY(0)},
                       zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), SAY(0)}, unset[] = {BPF_STMT(BPF_LD | BPF_MEM, 0), SAY(0)};
    struct sock_filter *wrong[] = {open_end, far, odd, beyond, half, zero, unset};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1 && errno == EINVAL);
    for (int i = 0; i < 7; i++)
        expect(install(wrong[i], i ? 2 : 1, 0) == -1 && errno == EINVAL);
    expect(install(odd, 0, 0) == -1 && errno == EINVAL && install((void *)16, 2, 0) == -1 && errno == EFAULT);
    expect(filter(0, SECCOMP_RET_ALLOW, 1 << 20) == -1 && errno == EINVAL);
    expect(syscall(SYS_seccomp, 99, 0, NULL) == -1 && errno == EINVAL);
    uint32_t verdict = SECCOMP_RET_TRAP;
    expect(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &verdict) == 0);
    verdict = 0x12340000;
    expect(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &verdict) == -1 && errno == EOPNOTSUPP);

    if (geteuid() != 0)
        expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);

    end("strict", strict);
    end("strict broken", strict_broken);
    end("error", error);
    end("trap", trap);
    end("kill process", kill_all);
    end("kill thread", kill_only);
    end("kill one of two", kill_one);
    end("arguments", arguments);
    end("synchronise", synchronise);
    end("inherit", inherit);
    end("unprivileged", unprivileged);
    return 0;
}
