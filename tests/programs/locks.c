// File locks: flock, record locks of processes and of descriptions, what ends them, deadlocks, what is refused.
#include "expect.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>

static char name[] = "/tmp/chestnut-locks-XXXXXX";

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static int record(int fd, int command, int type, long start, long length) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &lock);
}
static void find(const char *what, int fd, int command, int type, long start, long length) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int result = fcntl(fd, command, &lock);
    printf("%s: %d type %d", what, result, lock.l_type);
    if (lock.l_type != F_UNLCK)
        printf(" from %ld, %ld bytes, %s", (long)lock.l_start, (long)lock.l_len, lock.l_pid == -1 ? "a description's" : lock.l_pid == getppid() ? "the parent's" : "somebody's");
    printf("\n");
}
static int reopened(void) {
    int fd = open(name, O_RDWR);
    expect(fd >= 0);
    return fd;
}
// Runs `body` in a child, and waits.
#define CHILD(body)                          \
    do {                                     \
        if (fork() == 0) {                   \
            body;                            \
            _exit(0);                        \
        }                                    \
        int status_;                         \
        expect(wait(&status_) > 0 && status_ == 0); \
    } while (0)
static void wait_crosswise(int fd, long start) {
    int result = record(fd, F_SETLKW, F_WRLCK, start, 1);
    if (result < 0)
        refuse("deadlock", result);
}
static void nothing(int signal) { (void)signal; }
static void *lock_second(void *fd) {
    expect(record((int)(long)fd, F_OFD_SETLKW, F_WRLCK, 500, 1) == 0);
    return NULL;
}

int main(void) {
    int fd = mkstemp(name), other = reopened();
    expect(fd >= 0 && write(fd, "some contents", 13) == 13);

    // flock: by description.
    expect(flock(fd, LOCK_SH) == 0 && flock(other, LOCK_SH) == 0);
    refuse("exclusive beside shared", flock(fd, LOCK_EX | LOCK_NB));
    refuse("the conversion lost it", flock(other, LOCK_EX | LOCK_NB));
    refuse("so nobody else", flock(fd, LOCK_SH | LOCK_NB));
    CHILD(refuse("inherited", flock(other, LOCK_EX | LOCK_NB)); refuse("and shared", flock(other, LOCK_UN)));
    refuse("unlocked by the child", flock(fd, LOCK_EX | LOCK_NB));
    int copy = dup(fd);
    expect(close(copy) == 0);
    refuse("a copy's close keeps it", flock(other, LOCK_EX | LOCK_NB));
    refuse("operation", flock(fd, 0));
    refuse("no file", flock(99, LOCK_SH));
    if (fork() == 0) {
        int mine = reopened();
        expect(flock(mine, LOCK_EX) == 0);
        printf("the child waited\n");
        _exit(0);
    }
    usleep(30000);
    printf("the parent unlocks\n");
    expect(flock(fd, LOCK_UN) == 0 && wait(NULL) > 0);

    // Records of processes.
    expect(record(fd, F_SETLK, F_WRLCK, 10, 10) == 0 && record(fd, F_SETLK, F_RDLCK, 20, 10) == 0);
    find("own locks are not in the way", fd, F_GETLK, F_WRLCK, 0, 0);
    CHILD({
        find("exclusive", fd, F_GETLK, F_RDLCK, 5, 10);
        find("shared", fd, F_GETLK, F_WRLCK, 25, 0);
        find("shared for the reader", fd, F_GETLK, F_RDLCK, 20, 5);
        find("behind", fd, F_GETLK, F_WRLCK, 30, 0);
        refuse("set", record(fd, F_SETLK, F_WRLCK, 15, 1));
        refuse("set shared", record(fd, F_SETLK, F_RDLCK, 25, 100));
    });
    expect(record(fd, F_SETLK, F_UNLCK, 14, 2) == 0);
    CHILD({
        find("before the gap", fd, F_GETLK, F_WRLCK, 0, 100);
        refuse("in the gap", record(fd, F_SETLK, F_WRLCK, 14, 2));
        find("after it", fd, F_GETLK, F_WRLCK, 16, 100);
    });
    // Relative to offset and end; backwards.
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -3, .l_len = -2};
    expect(fcntl(fd, F_SETLK, &lock) == 0);
    CHILD(find("backwards from the end", fd, F_GETLK, F_WRLCK, 0, 10));
    // Closing any descriptor of the file loses them.
    close(reopened());
    CHILD(find("after a close of another descriptor", fd, F_GETLK, F_WRLCK, 0, 0));
    expect(record(fd, F_SETLK, F_WRLCK, 0, 0) == 0);
    expect(dup2(1, other) == other);
    CHILD(find("after dup2 onto another", fd, F_GETLK, F_WRLCK, 0, 0));
    other = reopened();
    // The owner's end loses them.
    int pipes[2];
    char byte;
    expect(pipe(pipes) == 0);
    if (fork() == 0) {
        expect(record(fd, F_SETLK, F_WRLCK, 0, 5) == 0 && write(pipes[1], "x", 1) == 1);
        usleep(30000);
        _exit(0);
    }
    expect(read(pipes[0], &byte, 1) == 1);
    refuse("a child's", record(fd, F_SETLK, F_RDLCK, 4, 1));
    expect(record(fd, F_SETLKW, F_RDLCK, 4, 1) == 0 && wait(NULL) > 0);
    printf("the child's end gave it\n");
    expect(record(fd, F_SETLK, F_UNLCK, 0, 0) == 0);

    // A deadlock of two: whoever closes the circle is refused.
    expect(record(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
    if (fork() == 0) {
        expect(record(fd, F_SETLK, F_WRLCK, 1, 1) == 0 && write(pipes[1], "x", 1) == 1);
        wait_crosswise(fd, 0);
        _exit(0);
    }
    expect(read(pipes[0], &byte, 1) == 1);
    wait_crosswise(fd, 1);
    expect(record(fd, F_SETLK, F_UNLCK, 0, 0) == 0 && wait(NULL) > 0);

    // A signal ends the waiting.
    if (fork() == 0) {
        expect(record(fd, F_SETLK, F_WRLCK, 0, 0) == 0 && write(pipes[1], "x", 1) == 1);
        pause();
    }
    expect(read(pipes[0], &byte, 1) == 1);
    struct sigaction action = {.sa_handler = nothing};
    expect(sigaction(SIGALRM, &action, NULL) == 0);
    ualarm(20000, 20000);
    refuse("interrupted", record(fd, F_SETLKW, F_WRLCK, 0, 0));
    ualarm(0, 0);
    struct flock holder = {.l_type = F_WRLCK};
    expect(fcntl(fd, F_GETLK, &holder) == 0 && holder.l_pid > 0 && kill(holder.l_pid, SIGKILL) == 0 && wait(NULL) > 0);

    // Records of descriptions: two of one process exclude each other, and see those of processes.
    expect(record(fd, F_OFD_SETLK, F_WRLCK, 0, 10) == 0);
    refuse("another description", record(other, F_OFD_SETLK, F_RDLCK, 5, 1));
    find("found", other, F_OFD_GETLK, F_RDLCK, 5, 1);
    refuse("the process's own", record(other, F_SETLK, F_RDLCK, 5, 1));
    CHILD(refuse("shared by fork", record(fd, F_OFD_SETLK, F_WRLCK, 0, 10)));
    close(reopened());
    refuse("no close of others loses it", record(other, F_OFD_SETLK, F_RDLCK, 5, 1));
    lock = (struct flock){.l_type = F_WRLCK, .l_pid = 1};
    refuse("with a process", fcntl(fd, F_OFD_SETLK, &lock));
    expect(record(fd, F_OFD_SETLK, F_WRLCK, 500, 1) == 0);
    pthread_t thread;
    expect(pthread_create(&thread, NULL, lock_second, (void *)(long)other) == 0);
    usleep(20000);
    close(fd);
    expect(pthread_join(thread, NULL) == 0);
    printf("the close gave it\n");

    // What is refused.
    int reader = open(name, O_RDONLY), writer = open(name, O_WRONLY), path = open(name, O_PATH);
    refuse("writing lock of a reader", record(reader, F_SETLK, F_WRLCK, 0, 1));
    refuse("reading lock of a writer", record(writer, F_SETLK, F_RDLCK, 0, 1));
    refuse("O_PATH", record(path, F_SETLK, F_RDLCK, 0, 1));
    refuse("flock of O_PATH", flock(path, LOCK_SH));
    refuse("type", record(writer, F_SETLK, 9, 0, 1));
    refuse("before the file", record(writer, F_SETLK, F_WRLCK, 0, -1));
    refuse("unlock is no question", record(writer, F_GETLK, F_UNLCK, 0, 1));
    refuse("bad place", fcntl(writer, F_SETLK, 8));
    refuse("whence", fcntl(writer, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_whence = 9}));
    expect(flock(reader, LOCK_EX) == 0);
    printf("flock of a reader\n");
    // Across exec: kept, unless the descriptor closes.
    expect(record(writer, F_SETLK, F_WRLCK, 700, 1) == 0);
    expect(unlink(name) == 0);
    return 0;
}
