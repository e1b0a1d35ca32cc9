// Pipes: order, blocking, end of file, SIGPIPE, non-blocking ends, shared offsets of dup'ed descriptors.
#include "expect.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

static unsigned sum(const unsigned char *bytes, long length, unsigned seed) {
    for (long i = 0; i < length; i++)
        seed = seed * 31 + bytes[i];
    return seed;
}

int main(void) {
    int fds[2], status;
    unsigned char buffer[10000];
    expect(pipe(fds) == 0);

    // A million bytes from the child, more than any pipe holds at once.
    pid_t pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        for (int i = 0; i < 200; i++) {
            memset(buffer, i, 5000);
            for (long done = 0; done < 5000;) {
                long n = write(fds[1], buffer + done, 5000 - done);
                expect(n > 0);
                done += n;
            }
        }
        _exit(0);
    }
    close(fds[1]);
    long total = 0, n;
    unsigned check = 0;
    while ((n = read(fds[0], buffer, sizeof buffer)) > 0) {
        check = sum(buffer, n, check);
        total += n;
    }
    expect(n == 0);
    expect(waitpid(pid, &status, 0) == pid && status == 0);
    printf("read %ld bytes, checksum %08x\n", total, check);
    close(fds[0]);

    // Nobody reads: EPIPE, and SIGPIPE if it isn't ignored.
    expect(pipe(fds) == 0);
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    expect(write(fds[1], "x", 1) == -1 && errno == EPIPE && write(fds[1], "x", 0) == 0);
    signal(SIGPIPE, SIG_DFL);
    if ((pid = fork()) == 0) {
        write(fds[1], "x", 1);
        _exit(1);
    }
    expect(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    printf("writer without reader: signal %d\n", WTERMSIG(status));
    close(fds[1]);

    // Non-blocking ends; how much fits.
    expect(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
    expect(read(fds[0], buffer, 1) == -1 && errno == EAGAIN);
    expect((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) && (fcntl(fds[1], F_GETFL) & O_NONBLOCK));
    total = 0;
    while ((n = write(fds[1], buffer, 4096)) > 0)
        total += n;
    expect(n == -1 && errno == EAGAIN);
    int waiting;
    expect(ioctl(fds[0], FIONREAD, &waiting) == 0 && waiting == total);
    printf("a pipe holds %ld bytes\n", total);
    close(fds[0]);
    close(fds[1]);

    // Duplicates are the same open file; the last one closed ends the stream.
    expect(pipe(fds) == 0);
    int copy = dup(fds[1]);
    expect(copy >= 0 && dup2(copy, 100) == 100 && fcntl(copy, F_DUPFD, 200) == 200);
    struct iovec parts[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
    expect(writev(100, parts, 3) == 13);
    close(fds[1]);
    close(copy);
    close(100);
    expect(write(200, "!", 1) == 1);
    close(200);
    n = read(fds[0], buffer, sizeof buffer);
    printf("gathered: %.*s, then %ld\n", (int)n, buffer, (long)read(fds[0], buffer, 1));
    expect(lseek(fds[0], 0, SEEK_SET) == -1 && errno == ESPIPE);
    expect(read(100, buffer, 1) == -1 && errno == EBADF);
    close(fds[0]);

    // Back and forth: what is said is heard, wherever it lies and however long it is. A reader with bad memory takes nothing of it.
    int back[2];
    expect(pipe(fds) == 0 && pipe(back) == 0);
    if ((pid = fork()) == 0) {
        static unsigned char heard[16384];
        close(fds[1]);
        close(back[0]);
        expect(read(fds[0], (void *)8, 1) == -1 && errno == EFAULT);
        for (long at = 0; (n = read(fds[0], heard + at % 8000, 8192)) > 0; at += 977)
            expect(write(back[1], heard + at % 8000, n) == n);
        _exit(n != 0);
    }
    close(fds[0]);
    close(back[1]);
    total = 0;
    for (int round = 0; round < 300; round++) {
        static unsigned char said[16384], answer[16384];
        long length = 1 + round * round % 4100, place = round * 331 % 8000;
        for (long i = 0; i < length; i++)
            said[place + i] = round + i;
        expect(write(fds[1], said + place, length) == length);
        for (long got = 0; got < length; got += n)
            expect((n = read(back[0], answer + got, length - got)) > 0);
        expect(memcmp(said + place, answer, length) == 0);
        total += length;
    }
    expect(write(fds[1], (void *)8, 1) == -1 && errno == EFAULT);
    close(fds[1]);
    expect(read(back[0], buffer, 1) == 0);
    expect(waitpid(pid, &status, 0) == pid && status == 0);
    printf("%ld bytes there and back\n", total);
    close(back[0]);

    // A chain of processes, as a shell makes it.
    int in = open("/dev/null", O_RDONLY);
    for (int stage = 0; stage < 5; stage++) {
        expect(pipe(fds) == 0);
        if ((pid = fork()) == 0) {
            char line[64] = "";
            n = read(in, line, sizeof line - 8);
            line[n < 0 ? 0 : n] = 0;
            snprintf(line + strlen(line), 8, "%d", stage);
            expect(write(fds[1], line, strlen(line)) > 0);
            _exit(0);
        }
        close(in);
        close(fds[1]);
        in = fds[0];
    }
    n = read(in, buffer, sizeof buffer);
    printf("through the chain: %.*s\n", (int)n, buffer);
    while (wait(&status) > 0)
        expect(status == 0);
    return 0;
}
