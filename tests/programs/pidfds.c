// Descriptors for processes: pidfd_open, signals and waiting by them, CLONE_PIDFD, another's descriptors and memory.
#include "expect.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int pidfd_open(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }
static int pidfd_send(int fd, int signal, siginfo_t *info) { return syscall(SYS_pidfd_send_signal, fd, signal, info, 0); }

int main(void) {
    expect(pidfd_open(-1, 0) == -1 && errno == EINVAL);
    expect(pidfd_open(getpid(), 1) == -1 && errno == EINVAL);
    expect(pidfd_open(4000000, 0) == -1 && errno == ESRCH);
    int self = pidfd_open(getpid(), 0);
    expect(self >= 0 && fcntl(self, F_GETFD) == FD_CLOEXEC);
    expect(pidfd_send(self, 0, NULL) == 0);
    expect(pidfd_send(0, 0, NULL) == -1 && errno == EBADF);
    char byte;
    expect(read(self, &byte, 1) == -1 && errno == EINVAL);

    int gate[2], status;
    expect(pipe(gate) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 1 ? byte : 99);
    }
    int fd = pidfd_open(pid, O_NONBLOCK);
    expect(fd >= 0);
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    expect(poll(&entry, 1, 0) == 0);
    siginfo_t info = {0};
    expect(waitid(P_PIDFD, fd, &info, WEXITED) == -1 && errno == EAGAIN);
    expect(waitid(P_PIDFD, 0, &info, WEXITED) == -1 && errno == EBADF);
    expect(waitid(P_PIDFD, self, &info, WEXITED) == -1 && errno == ECHILD);
    byte = 42;
    expect(write(gate[1], &byte, 1) == 1);
    expect(poll(&entry, 1, 10000) == 1 && (entry.revents & POLLIN));
    expect(waitid(P_PIDFD, fd, &info, WEXITED) == 0);
    printf("waited: signal %d, code %d, status %d, right %d\n", info.si_signo, info.si_code, info.si_status,
           info.si_pid == pid);
    expect(pidfd_send(fd, SIGKILL, NULL) == -1 && errno == ESRCH);
    close(fd);

    // A signal with a value of its own.
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    siginfo_t own = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    own.si_pid = getpid();
    own.si_value.sival_int = 1234;
    expect(pidfd_send(self, SIGUSR1, &own) == 0);
    expect(sigwaitinfo(&mask, &info) == SIGUSR1);
    printf("queued: code %d, value %d\n", info.si_code, info.si_value.sival_int);
    expect(pidfd_send(self, SIGUSR2, &own) == -1 && errno == EINVAL);

    // clone3 with CLONE_PIDFD.
    int64_t made = -1;
    struct clone_args arguments = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&made, .exit_signal = SIGCHLD};
    pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        for (;;)
            pause();
    }
    fd = (int)made;
    expect(pid > 0 && fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    expect(pidfd_send(fd, SIGTERM, NULL) == 0);
    expect(waitid(P_PIDFD, fd, &info, WEXITED) == 0);
    printf("clone3's child: code %d, status %d\n", info.si_code, info.si_status);
    arguments.flags = CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    expect(syscall(SYS_clone3, &arguments, sizeof arguments) == -1 && errno == EINVAL);
    arguments.flags = 0;
    arguments.exit_signal = 65;
    expect(syscall(SYS_clone3, &arguments, sizeof arguments) == -1 && errno == EINVAL);
    expect(syscall(SYS_clone3, &arguments, 8) == -1 && errno == EINVAL);

    // Another's descriptors and memory.
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ready[2];
    expect(pipe(ready) == 0);
    char secret[] = "parent's own words";
    pid = fork();
    if (pid == 0) {
        strcpy(secret, "child's own words!");
        int file = memfd_create("theirs", 0);
        expect(write(file, "in the child's file", 19) == 19);
        shared[0] = file;
        expect(write(ready[1], "x", 1) == 1);
        for (;;) {
            if (strcmp(secret, "written from afar!") == 0)
                _exit(5);
            usleep(1000);
        }
    }
    expect(read(ready[0], &byte, 1) == 1);
    fd = pidfd_open(pid, 0);
    int copy = syscall(SYS_pidfd_getfd, fd, shared[0], 0);
    char text[32] = {0};
    expect(copy >= 0 && pread(copy, text, sizeof text, 0) == 19);
    printf("by pidfd_getfd: %s\n", text);
    expect(syscall(SYS_pidfd_getfd, fd, 77, 0) == -1 && errno == EBADF);
    char found[sizeof secret] = {0};
    struct iovec local[] = {{found, 4}, {found + 4, sizeof found - 4}}, remote = {secret, sizeof secret};
    expect(process_vm_readv(pid, local, 2, &remote, 1, 0) == sizeof secret);
    printf("read: %s, mine: %s\n", found, secret);
    strcpy(found, "written from afar!");
    expect(process_vm_writev(pid, local, 2, &remote, 1, 0) == sizeof secret);
    expect(waitpid(pid, &status, 0) == pid);
    printf("the child saw it: %d\n", WEXITSTATUS(status));
    struct iovec nowhere = {(void *)8, 16};
    expect(process_vm_readv(getpid(), local, 2, &nowhere, 1, 0) == -1 && errno == EFAULT);
    expect(process_vm_readv(4000000, local, 2, &remote, 1, 0) == -1 && errno == ESRCH);
    expect(process_vm_readv(getpid(), local, 2, &remote, 1, 1) == -1 && errno == EINVAL);
    // Who shares what.
    pid_t sharer = fork();
    if (sharer == 0)
        for (;;)
            pause();
    expect(syscall(SYS_kcmp, getpid(), sharer, 0, 1, 1) == 0);
    expect(syscall(SYS_kcmp, getpid(), sharer, 0, 1, gate[0]) > 0);
    expect(syscall(SYS_kcmp, getpid(), sharer, 1, 0, 0) > 0 && syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0) == 0);
    expect(syscall(SYS_kcmp, getpid(), sharer, 2, 0, 0) > 0);
    expect(syscall(SYS_kcmp, getpid(), sharer, 0, 1, 77) == -1 && errno == EBADF);
    expect(syscall(SYS_kcmp, getpid(), sharer, 99, 0, 0) == -1 && errno == EINVAL);
    expect(syscall(SYS_kcmp, getpid(), 4000000, 1, 0, 0) == -1 && errno == ESRCH);
    kill(sharer, SIGKILL);
    expect(waitpid(sharer, &status, 0) == sharer);
    expect(ptrace(PTRACE_ATTACH, 4000000, 0, 0) == -1 && errno == ESRCH);
    return 0;
}
