// Process groups and sessions: signals to groups, stopped and continued children, orphans of an ended leader.
#include "expect.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

static volatile sig_atomic_t continued;
static void on_continue(int signal) {
    (void)signal;
    continued++;
}
static pid_t sleeper(pid_t group) {
    pid_t pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        expect(setpgid(0, group) == 0);
        for (;;)
            pause();
    }
    // Both sides do it, so that neither order matters.
    expect(setpgid(pid, group) == 0);
    return pid;
}

int main(void) {
    int status, fds[2];
    char byte;

    // A group takes a signal together.
    pid_t leader = sleeper(0), second = sleeper(leader), third = sleeper(leader);
    expect(getpgid(second) == leader && getpgid(third) == leader && getpgid(0) == getpgrp());
    expect(kill(-leader, SIGTERM) == 0);
    int ended = 0;
    for (int i = 0; i < 3; i++) {
        expect(waitpid(-leader, &status, 0) > 0);
        ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    }
    printf("ended together: %d\n", ended);
    expect(waitpid(-leader, &status, 0) == -1 && errno == ECHILD);
    expect(kill(-leader, 0) == -1 && errno == ESRCH);

    // Stop, continue, and what wait says of it.
    int ends[2];
    expect(pipe(fds) == 0 && pipe(ends) == 0);
    pid_t pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        signal(SIGCONT, on_continue);
        expect(write(fds[1], "r", 1) == 1);
        while (continued == 0)
            ;
        // Not before it has been seen to run on.
        expect(read(ends[0], &byte, 1) == 1);
        _exit(continued);
    }
    expect(read(fds[0], &byte, 1) == 1 && kill(pid, SIGSTOP) == 0);
    expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    expect(waitpid(pid, &status, WNOHANG | WUNTRACED) == 0);
    printf("stopped by %d\n", SIGSTOP);
    expect(kill(pid, SIGCONT) == 0 && waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    expect(write(ends[1], "e", 1) == 1);
    expect(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    printf("continued, exit %d\n", WEXITSTATUS(status));

    // A stopped process can be killed, and a stop that a continue overtakes has no effect.
    pid = sleeper(0);
    expect(kill(pid, SIGTSTP) == 0 && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    printf("stopped by the terminal's signal: %d\n", WSTOPSIG(status) == SIGTSTP);
    expect(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    // Sessions.
    pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        expect(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
        expect(setsid() == -1 && errno == EPERM);
        expect(setpgid(0, 0) == -1 && errno == EPERM);
        expect(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
        _exit(0);
    }
    expect(waitpid(pid, &status, 0) == pid);
    printf("session leader: exit %d\n", WEXITSTATUS(status));
    expect(setpgid(1 << 29, 0) == -1 && errno == ESRCH);
    expect(getsid(0) == getsid(getpid()) && getpgid(1 << 29) == -1 && errno == ESRCH);

    // A child whose end nobody waits for, since SIGCHLD is ignored.
    signal(SIGCHLD, SIG_IGN);
    if ((pid = fork()) == 0)
        _exit(1);
    expect(waitpid(pid, &status, 0) == -1 && errno == ECHILD);
    printf("ignored children leave no status\n");
    return 0;
}
