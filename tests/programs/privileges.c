// What user 0 may do, how it is given up in parts, and set-id programs. Needs user 0.
#include "expect.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { USER = 12345 };

static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

static unsigned long long effective(void) {
    struct __user_cap_data_struct data[2];
    expect(syscall(SYS_capget, &header, data) == 0);
    return data[0].effective | (unsigned long long)data[1].effective << 32;
}
static int can(int capability) { return effective() >> capability & 1; }

static int in_child(void (*child)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(0);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void give_up_for_good(void) {
    expect(setgroups(0, NULL) == 0 && setgid(USER) == 0 && setuid(USER) == 0);
    expect(effective() == 0);
    expect(setuid(0) == -1 && errno == EPERM);
    expect(kill(getppid(), 0) == -1 && errno == EPERM);
    expect(setgroups(0, NULL) == -1 && errno == EPERM);
    expect(open("secret", O_RDONLY) == -1 && errno == EACCES);
    expect(setpriority(PRIO_PROCESS, 0, -5) == -1 && errno == EACCES);
    expect(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}) == -1 && errno == EPERM);
    expect(sethostname("x", 1) == -1 && errno == EPERM);
    struct rlimit limit;
    expect(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_max += 1;
    expect(setrlimit(RLIMIT_NOFILE, &limit) == -1 && errno == EPERM);
    printf("gave up user 0 for good\n");
}

static void give_up_for_a_while(void) {
    expect(seteuid(USER) == 0 && effective() == 0);
    expect(open("secret", O_RDONLY) == -1 && errno == EACCES);
    expect(seteuid(0) == 0 && can(CAP_KILL) && open("secret", O_RDONLY) >= 0);
    printf("gave up user 0 for a while\n");
}

static void keep_some(void) {
    expect(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
    expect(setresuid(USER, USER, USER) == 0 && effective() == 0);
    struct __user_cap_data_struct data[2] = {{1 << CAP_KILL, 1 << CAP_KILL, 0}, {0}};
    expect(syscall(SYS_capset, &header, data) == 0);
    expect(can(CAP_KILL) && !can(CAP_SETUID));
    expect(kill(getppid(), 0) == 0);
    expect(setuid(0) == -1 && errno == EPERM);
    data[0].permitted |= 1 << CAP_SETUID;
    expect(syscall(SYS_capset, &header, data) == -1 && errno == EPERM);
    printf("kept one capability\n");
}

static void lose_some(void) {
    struct __user_cap_data_struct data[2];
    expect(syscall(SYS_capget, &header, data) == 0);
    data[0].effective &= ~(1 << CAP_SETUID);
    expect(syscall(SYS_capset, &header, data) == 0);
    expect(setuid(USER) == -1 && errno == EPERM);
    data[0].effective |= 1 << CAP_SETUID;
    expect(syscall(SYS_capset, &header, data) == 0);
    expect(prctl(PR_CAPBSET_READ, CAP_KILL) == 1 && prctl(PR_CAPBSET_DROP, CAP_KILL) == 0);
    expect(prctl(PR_CAPBSET_READ, CAP_KILL) == 0);
    expect(prctl(PR_CAPBSET_READ, 63) == -1 && errno == EINVAL);
    expect(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == -1 && errno == EPERM);
    printf("lost some\n");
}

static int program;

static void run_set_id(void) {
    expect(setgid(USER) == 0 && setuid(USER) == 0);
    char *arguments[] = {"set-id", "report", NULL}, *environment[] = {NULL};
    syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    _exit(98);
}
static void run_set_id_without_privileges(void) {
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    run_set_id();
}

static void be_urgent(void) {
    expect(setpriority(PRIO_PROCESS, 0, -20) == 0 && getpriority(PRIO_PROCESS, 0) == -20);
    struct sched_param param = {7}, found;
    expect(sched_setscheduler(0, SCHED_RR, &param) == 0 && sched_getscheduler(0) == SCHED_RR);
    expect(sched_getparam(0, &found) == 0 && found.sched_priority == 7);
    struct timespec turn;
    expect(sched_rr_get_interval(0, &turn) == 0 && turn.tv_nsec > 0);
    param.sched_priority = 99;
    expect(sched_setscheduler(0, SCHED_FIFO, &param) == 0);
    // Others run when it waits, and it runs again.
    pid_t pid = fork();
    if (pid == 0) {
        expect(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}) == 0);
        _exit(3);
    }
    int status;
    expect(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
    printf("was urgent\n");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "report") == 0) {
        printf("%s: user %d, effective %d, secure %lu, capable %d, dumpable %d\n", argv[0], getuid(), geteuid(),
               getauxval(AT_SECURE), can(CAP_SETUID), prctl(PR_GET_DUMPABLE));
        return 0;
    }
    expect(geteuid() == 0);
    int secret = open("secret", O_CREAT | O_WRONLY, 0600);
    expect(secret >= 0);
    printf("status %d\n", in_child(give_up_for_good));
    printf("status %d\n", in_child(give_up_for_a_while));
    printf("status %d\n", in_child(keep_some));
    printf("status %d\n", in_child(lose_some));
    printf("status %d\n", in_child(be_urgent));

    // A copy of this program with the set-user-id bit.
    char buffer[65536];
    ssize_t length;
    int from = open("/proc/self/exe", O_RDONLY), to = open("copy", O_CREAT | O_WRONLY, 0755);
    while ((length = read(from, buffer, sizeof buffer)) > 0)
        expect(write(to, buffer, length) == length);
    expect(fchmod(to, 04755) == 0);
    close(to);
    program = open("copy", O_RDONLY);
    printf("status %d\n", in_child(run_set_id));
    printf("status %d\n", in_child(run_set_id_without_privileges));
    return 0;
}
