// From file to file: sendfile, splice, tee, vmsplice, copy_file_range.
#include "expect.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static char big[1 << 20], back[1 << 20];

int main(void) {
    char from_name[] = "/tmp/chestnut-from-XXXXXX", to_name[] = "/tmp/chestnut-to-XXXXXX", buffer[200] = {0};
    int from = mkstemp(from_name), to = mkstemp(to_name), pipes[2], more[2], pair[2];
    expect(unlink(from_name) == 0 && unlink(to_name) == 0 && write(from, "0123456789", 10) == 10 && lseek(from, 0, SEEK_SET) == 0);
    expect(pipe(pipes) == 0 && pipe(more) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);

    // sendfile
    off_t offset = 3;
    expect(sendfile(to, from, NULL, 4) == 4 && lseek(from, 0, SEEK_CUR) == 4 && sendfile(to, from, &offset, 100) == 7 && offset == 10);
    expect(lseek(from, 0, SEEK_CUR) == 4 && pread(to, buffer, 100, 0) == 11);
    printf("%.11s\n", buffer);
    offset = 2;
    expect(sendfile(pipes[1], from, &offset, 3) == 3 && read(pipes[0], buffer, 100) == 3);
    expect(sendfile(pair[0], from, NULL, 100) == 6 && read(pair[1], buffer + 3, 100) == 6);
    printf("%.9s\n", buffer);
    refuse("from a pipe", sendfile(to, pipes[0], NULL, 1));
    refuse("to a reader", sendfile(pipes[0], from, NULL, 1));
    offset = -1;
    refuse("negative offset", sendfile(to, from, &offset, 1));
    refuse("bad offset", sendfile(to, from, (off_t *)8, 1));
    expect(fcntl(to, F_SETFL, O_APPEND) == 0);
    refuse("to an appender", splice(pipes[0], NULL, to, NULL, 1, SPLICE_F_NONBLOCK));
    expect(fcntl(to, F_SETFL, 0) == 0 && ftruncate(to, 0) == 0 && lseek(to, 0, SEEK_SET) == 0);

    // splice
    loff_t in = 1, out = 5;
    expect(splice(from, &in, pipes[1], NULL, 4, 0) == 4 && in == 5 && splice(pipes[0], NULL, to, &out, 100, 0) == 4 && out == 9);
    expect(pread(to, buffer, 100, 0) == 9 && memcmp(buffer, "\0\0\0\0\0001234", 9) == 0);
    refuse("files only", splice(from, NULL, to, NULL, 1, 0));
    refuse("offset of a pipe", splice(pipes[0], &in, to, NULL, 1, SPLICE_F_NONBLOCK));
    refuse("empty", splice(pipes[0], NULL, to, NULL, 1, SPLICE_F_NONBLOCK));
    refuse("the same", splice(pipes[0], NULL, pipes[1], NULL, 1, SPLICE_F_NONBLOCK));
    refuse("flags", splice(pipes[0], NULL, more[1], NULL, 1, 0x100));
    refuse("bad end", splice(pipes[1], NULL, more[1], NULL, 1, 0));
    refuse("closed", splice(99, NULL, more[1], NULL, 1, 0));
    expect(write(pipes[1], "through", 7) == 7 && splice(pipes[0], NULL, more[1], NULL, 4, 0) == 4 && read(more[0], buffer, 100) == 4);
    printf("%.4s\n", buffer);
    expect(splice(pipes[0], NULL, pair[0], NULL, 100, 0) == 3 && read(pair[1], buffer, 100) == 3);
    printf("%.3s\n", buffer);
    expect(write(pair[0], "back", 4) == 4 && splice(pair[1], NULL, pipes[1], NULL, 100, 0) == 4);

    // tee, vmsplice
    expect(tee(pipes[0], more[1], 100, 0) == 4 && read(more[0], buffer, 100) == 4 && read(pipes[0], buffer + 4, 100) == 4);
    printf("%.8s\n", buffer);
    refuse("tee of nothing", tee(pipes[0], more[1], 1, SPLICE_F_NONBLOCK));
    refuse("tee of a file", tee(from, more[1], 1, SPLICE_F_NONBLOCK));
    struct iovec pieces[2] = {{"vm", 2}, {"splice", 6}}, single = {buffer, 100};
    expect(vmsplice(pipes[1], pieces, 2, 0) == 8 && vmsplice(pipes[0], &single, 1, 0) == 8);
    printf("%.8s\n", buffer);
    refuse("no pipe", vmsplice(from, pieces, 2, 0));
    refuse("bad memory", vmsplice(pipes[1], &(struct iovec){(void *)8, 8}, 1, 0));

    // Somebody else writes, somebody else reads.
    for (unsigned i = 0; i < sizeof big; i++)
        big[i] = i * 7 + i / 977;
    if (fork() == 0) {
        close(pipes[0]), close(more[0]), close(more[1]);
        for (unsigned done = 0; done < sizeof big;) {
            int count = write(pipes[1], big + done, sizeof big - done > 50000 ? 50000 : sizeof big - done);
            expect(count > 0);
            done += count;
        }
        _exit(0);
    }
    if (fork() == 0) {
        close(pipes[1]), close(more[0]);
        long count, total = 0;
        while ((count = splice(pipes[0], NULL, more[1], NULL, sizeof big, 0)) > 0)
            total += count;
        expect(total == sizeof big);
        _exit(0);
    }
    close(pipes[0]), close(pipes[1]), close(more[1]);
    long count, total = 0;
    out = 0;
    while ((count = splice(more[0], NULL, to, &out, sizeof big, 0)) > 0)
        total += count;
    expect(wait(NULL) > 0 && wait(NULL) > 0);
    printf("a million: %ld, at %ld, %d\n", total, (long)out, pread(to, back, sizeof back, 0) == sizeof back && memcmp(big, back, sizeof big) == 0);
    signal(SIGPIPE, SIG_IGN);
    expect(pipe(pipes) == 0 && close(pipes[0]) == 0);
    refuse("no reader", splice(from, (in = 0, &in), pipes[1], NULL, 4, 0));
    refuse("no reader", sendfile(pipes[1], from, (offset = 0, &offset), 4));

    // copy_file_range
    expect(ftruncate(to, 0) == 0 && lseek(to, 0, SEEK_SET) == 0);
    in = 2;
    expect(copy_file_range(from, &in, to, NULL, 3, 0) == 3 && in == 5 && lseek(to, 0, SEEK_CUR) == 3);
    expect(lseek(from, 7, SEEK_SET) == 7 && copy_file_range(from, NULL, to, NULL, 100, 0) == 3 && copy_file_range(from, NULL, to, NULL, 100, 0) == 0);
    expect(pread(to, buffer, 100, 0) == 6);
    printf("%.6s\n", buffer);
    in = 0, out = 2;
    refuse("overlapping", copy_file_range(to, &in, to, &out, 4, 0));
    out = 6;
    refuse("beside", copy_file_range(to, &in, to, &out, 6, 0));
    refuse("flags", copy_file_range(from, NULL, to, NULL, 1, 1));
    refuse("a pipe", copy_file_range(from, NULL, pipes[1], NULL, 1, 0));
    refuse("a directory", copy_file_range(open("/", O_RDONLY), NULL, to, NULL, 1, 0));
    refuse("to a reader", copy_file_range(to, NULL, open("/proc/self/exe", O_RDONLY), NULL, 1, 0));
    return 0;
}
