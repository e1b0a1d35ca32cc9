// What terminal calls say about descriptors that are no terminals.
#include "expect.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

static void describe(const char *what, int fd) {
    struct termios settings;
    struct winsize size;
    char name[64];
    printf("%s: isatty %d", what, isatty(fd));
    printf(" %s,", strerrorname_np(errno));
    printf(" tcgetattr %d %s,", tcgetattr(fd, &settings), strerrorname_np(errno));
    printf(" size %d %s,", ioctl(fd, TIOCGWINSZ, &size), strerrorname_np(errno));
    printf(" tcgetpgrp %d %s,", (int)tcgetpgrp(fd), strerrorname_np(errno));
    printf(" ttyname %s\n", strerrorname_np(ttyname_r(fd, name, sizeof name)));
}

int main(void) {
    int fds[2];
    expect(pipe(fds) == 0);
    describe("pipe", fds[0]);
    describe("pipe's other end", fds[1]);
    describe("null", open("/dev/null", O_RDWR));
    describe("zero", open("/dev/zero", O_RDWR));
    describe("directory", open("/", O_RDONLY | O_DIRECTORY));
    char name[] = "/tmp/chestnut-terminal-XXXXXX";
    describe("file", mkstemp(name));
    expect(unlink(name) == 0);
    describe("closed", 99);
    expect(ioctl(fds[0], 0x12345678, 0) == -1 && errno == ENOTTY);
    expect(tcsendbreak(fds[0], 0) == -1 && errno == ENOTTY && tcdrain(fds[0]) == -1);
    return 0;
}
