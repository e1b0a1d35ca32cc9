// Pseudo-terminals: numbers, locks, what each end sees, packets, sizes, the controlling terminal, hang-up.
#include "expect.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

static void refuse(const char *what, long result) { printf("%s: %ld %s\n", what, result, result < 0 ? strerror(errno) : ""); }
static void show(const char *what, const char *bytes, int count) {
    printf("%s: %d", what, count);
    for (int i = 0; i < count; i++)
        printf(" %02x", (unsigned char)bytes[i]);
    printf("\n");
}
static volatile sig_atomic_t hung_up, continued, resized;
static void note(int signal) {
    if (signal == SIGHUP)
        hung_up++;
    if (signal == SIGCONT)
        continued++;
    if (signal == SIGWINCH)
        resized++;
}
static int master_of(char *path) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), number, unlocked = 0;
    expect(master >= 0 && ioctl(master, TIOCGPTN, &number) == 0 && ioctl(master, TIOCSPTLCK, &unlocked) == 0);
    sprintf(path, "/dev/pts/%d", number);
    return master;
}
// A read that must not wait for ever.
static int get(int fd, char *buffer, int size) {
    struct pollfd entry = {fd, POLLIN, 0};
    expect(poll(&entry, 1, 5000) == 1);
    return read(fd, buffer, size);
}

int main(void) {
    char path[64], buffer[256];
    int number, locked, master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    expect(master >= 0);
    expect(ioctl(master, TIOCGPTN, &number) == 0 && number >= 0 && ioctl(master, TIOCGPTLCK, &locked) == 0 && locked == 1);
    sprintf(path, "/dev/pts/%d", number);
    refuse("locked", open(path, O_RDWR | O_NOCTTY));
    expect(unlockpt(master) == 0 && grantpt(master) == 0 && strcmp(ptsname(master), path) == 0);
    int slave = open(path, O_RDWR | O_NOCTTY);
    struct stat status;
    expect(slave >= 0 && isatty(slave) && isatty(master) && strcmp(ttyname(slave), path) == 0);
    expect(fstat(slave, &status) == 0 && S_ISCHR(status.st_mode));
    printf("major %d, mode %o\n", (int)(status.st_rdev >> 8 & 0xfff), status.st_mode & 0600);

    // Both ways, through the line discipline.
    expect(write(master, "line\n", 5) == 5);
    show("read", buffer, get(slave, buffer, sizeof buffer));
    show("echo", buffer, get(master, buffer, sizeof buffer));
    expect(write(slave, "out\n", 4) == 4);
    show("output", buffer, get(master, buffer, sizeof buffer));
    expect(write(master, "ab\177c\r", 5) == 5);
    show("edited", buffer, get(slave, buffer, sizeof buffer));
    show("echo", buffer, get(master, buffer, sizeof buffer));
    struct termios settings;
    expect(tcgetattr(slave, &settings) == 0);
    cfmakeraw(&settings);
    expect(tcsetattr(slave, TCSAFLUSH, &settings) == 0 && write(master, "\r\003", 2) == 2);
    show("raw", buffer, get(slave, buffer, sizeof buffer));
    expect(fcntl(master, F_SETFL, O_NONBLOCK) == 0);
    refuse("no echo", read(master, buffer, 1));

    // Packets.
    int on = 1, off = 0;
    expect(ioctl(master, TIOCPKT, &on) == 0 && write(slave, "data", 4) == 4);
    show("packet", buffer, get(master, buffer, sizeof buffer));
    expect(tcflow(slave, TCOOFF) == 0);
    show("stopped", buffer, get(master, buffer, sizeof buffer));
    expect(tcflow(slave, TCOON) == 0 && tcflush(slave, TCIOFLUSH) == 0);
    struct pollfd entry = {master, POLLIN | POLLPRI | POLLOUT, 0};
    expect(poll(&entry, 1, 5000) == 1);
    printf("ready: %x\n", entry.revents);
    show("started, flushed", buffer, get(master, buffer, sizeof buffer));
    expect(ioctl(master, TIOCPKT, &off) == 0);

    // Sizes are one, from both ends.
    struct winsize size = {40, 100, 0, 0}, found;
    expect(ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCGWINSZ, &found) == 0);
    printf("size %d %d\n", found.ws_row, found.ws_col);
    int count;
    refuse("peer", (count = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY)) >= 0 ? 0 : -1);
    expect(isatty(count) && close(count) == 0);
    refuse("the terminal's number", ioctl(slave, TIOCGPTN, &number));
    refuse("group", tcgetpgrp(slave));
    int second = master_of(path);
    expect(close(second) == 0);
    refuse("closed master's node", open(path, O_RDWR | O_NOCTTY));

    // Ends: the terminal closes, the master finds out; and again it is there.
    expect(write(slave, "last", 4) == 4 && close(slave) == 0);
    show("last", buffer, read(master, buffer, sizeof buffer));
    refuse("deserted", read(master, buffer, 1));
    entry.events = POLLIN;
    expect(poll(&entry, 1, 0) == 1);
    printf("ready: %x\n", entry.revents);
    sprintf(path, "/dev/pts/%d", number);
    slave = open(path, O_RDWR | O_NOCTTY);
    refuse("there again", read(master, buffer, 1));

    // A session of its own: its terminal, its foreground, Ctrl-C, a resize, its hang-up.
    int ready[2];
    expect(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(master);
        struct sigaction action = {.sa_handler = note};
        sigaction(SIGHUP, &action, NULL), sigaction(SIGCONT, &action, NULL), sigaction(SIGWINCH, &action, NULL);
        refuse("no terminal yet", open("/dev/tty", O_RDWR));
        expect(setsid() == getpid());
        refuse("none after setsid", open("/dev/tty", O_RDWR));
        expect(ioctl(slave, TIOCSCTTY, 0) == 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
        int tty = open("/dev/tty", O_RDWR);
        expect(tty >= 0 && tcgetpgrp(tty) == getpgrp() && tcgetsid(slave) == getpid());
        pid_t grandchild = fork();
        if (grandchild == 0) {
            signal(SIGHUP, SIG_DFL);
            setpgid(0, 0);
            expect(write(ready[1], "x", 1) == 1);
            pause();
        }
        setpgid(grandchild, grandchild);
        expect(tcsetpgrp(tty, grandchild) == 0 || errno == EINTR);
        expect(write(ready[1], "y", 1) == 1);
        int ended;
        while (waitpid(grandchild, &ended, 0) < 0)
            ;
        printf("the foreground ended by signal %d\n", WTERMSIG(ended));
        signal(SIGTTOU, SIG_IGN);
        expect(tcsetpgrp(tty, getpgrp()) == 0 && write(ready[1], "z", 1) == 1);
        while (!resized)
            usleep(1000);
        expect(ioctl(tty, TIOCGWINSZ, &size) == 0);
        printf("resized to %d %d\n", size.ws_row, size.ws_col);
        expect(write(ready[1], "w", 1) == 1);
        while (!hung_up || !continued)
            usleep(1000);
        printf("hung up\n");
        refuse("write", write(slave, "x", 1));
        refuse("read", read(slave, buffer, 1));
        refuse("tty", open("/dev/tty", O_RDWR));
        _exit(0);
    }
    close(slave);
    expect(read(ready[0], buffer, 1) == 1 && read(ready[0], buffer, 1) == 1);
    // The settings are raw: back to those that know Ctrl-C.
    expect(tcgetattr(master, &settings) == 0);
    settings.c_lflag |= ISIG | ICANON;
    expect(tcsetattr(master, TCSANOW, &settings) == 0 && write(master, "\003", 1) == 1);
    expect(read(ready[0], buffer, 1) == 1);
    size.ws_row = 50;
    expect(ioctl(master, TIOCSWINSZ, &size) == 0 && read(ready[0], buffer, 1) == 1);
    expect(close(master) == 0);
    int ended;
    expect(waitpid(child, &ended, 0) == child);
    printf("status %d\n", ended);

    // Giving it up.
    master = master_of(path);
    if (fork() == 0) {
        expect(setsid() > 0);
        slave = open(path, O_RDWR);
        expect(slave >= 0 && tcgetpgrp(slave) == getpgrp());
        signal(SIGHUP, SIG_IGN);
        expect(ioctl(slave, TIOCNOTTY) == 0);
        refuse("given up", tcgetpgrp(slave));
        refuse("twice", ioctl(slave, TIOCNOTTY));
        _exit(0);
    }
    expect(wait(&ended) > 0);
    printf("status %d\n", ended);
    return 0;
}
