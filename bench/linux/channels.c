/* What two processes or threads say to each other: round trips of a byte or a word, and a mebibyte one way. */
#include "bench.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 100
#define MEBIBYTE (1 << 20)
#define CHUNK 65536

static char buffer[CHUNK];

/* A process that sends back each byte. */
static void echo(int from, int to)
{
    char byte;
    while (read(from, &byte, 1) == 1)
        if (write(to, &byte, 1) != 1)
            break;
    _exit(0);
}

static void round_trips(int to, int from)
{
    char byte = 1;
    repeat(TIMES) {
        begin();
        long sent = write(to, &byte, 1);
        long got = read(from, &byte, 1);
        end();
        need(sent == 1 && got == 1, "write or read");
    }
}

static void pipe_round_trip(void)
{
    int there[2], back[2];
    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        close(there[1]);
        echo(there[0], back[1]);
    }
    round_trips(there[1], back[0]);
}

static void unix_round_trip(void)
{
    int ends[2];
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        close(ends[0]);
        echo(ends[1], ends[1]);
    }
    round_trips(ends[0], ends[0]);
}

static void unix_datagram_round_trip(void)
{
    int ends[2];
    need(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0, "socketpair");
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0)
        echo(ends[1], ends[1]);
    round_trips(ends[0], ends[0]);
}

/* A process that takes mebibytes and says when it has one. */
static void sink(int from, int back)
{
    for (long rest = MEBIBYTE;;) {
        long got = read(from, buffer, CHUNK);
        if (got <= 0)
            _exit(0);
        rest -= got;
        if (rest <= 0) {
            rest += MEBIBYTE;
            if (write(back, buffer, 1) != 1)
                _exit(0);
        }
    }
}

static void mebibytes(int to, int back)
{
    repeat(8) {
        char byte;
        begin();
        for (int sent = 0; sent < MEBIBYTE; sent += CHUNK)
            need(write(to, buffer, CHUNK) == CHUNK, "write");
        long got = read(back, &byte, 1);
        end();
        need(got == 1, "read");
    }
}

static void pipe_mebibyte(void)
{
    int there[2], back[2];
    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    memset(buffer, 1, CHUNK);
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        close(there[1]);
        sink(there[0], back[1]);
    }
    mebibytes(there[1], back[0]);
}

static void unix_mebibyte(void)
{
    int ends[2], back[2];
    need(pipe(back) == 0, "pipe");
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    memset(buffer, 1, CHUNK);
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        close(ends[0]);
        sink(ends[1], back[1]);
    }
    mebibytes(ends[0], back[0]);
}

static void unix_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = FOLDER "/socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    need(listener >= 0, "socket");
    need(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    need(listen(listener, 8) == 0, "listen");
    repeat(TIMES) {
        begin();
        int client = socket(AF_UNIX, SOCK_STREAM, 0);
        int connected = connect(client, (struct sockaddr *)&address, sizeof address);
        int served = accept(listener, NULL, NULL);
        close(served);
        close(client);
        end();
        need(connected == 0 && served >= 0, "connect or accept");
    }
    unlink(address.sun_path);
}

/* Two words of memory: what was asked, what was answered. */
struct words {
    _Atomic uint32_t asked, answered;
};

static void wait_for(_Atomic uint32_t *word, uint32_t value, int operation)
{
    for (uint32_t seen; (seen = atomic_load(word)) != value;)
        syscall(SYS_futex, word, operation, seen, NULL, NULL, 0);
}

static void tell(_Atomic uint32_t *word, uint32_t value, int operation)
{
    atomic_store(word, value);
    syscall(SYS_futex, word, operation, 1, NULL, NULL, 0);
}

static void ask(struct words *words, int scope)
{
    repeat(TIMES) {
        begin();
        tell(&words->asked, round + 1, FUTEX_WAKE | scope);
        wait_for(&words->answered, round + 1, FUTEX_WAIT | scope);
        end();
    }
}

static void answer(struct words *words, int scope)
{
    repeat(TIMES) {
        wait_for(&words->asked, round + 1, FUTEX_WAIT | scope);
        tell(&words->answered, round + 1, FUTEX_WAKE | scope);
    }
}

static void *answering_thread(void *words)
{
    answer(words, FUTEX_PRIVATE_FLAG);
    return NULL;
}

static void futex_round_trip(void)
{
    static struct words words;
    pthread_t thread;
    need(pthread_create(&thread, NULL, answering_thread, &words) == 0, "pthread_create");
    ask(&words, FUTEX_PRIVATE_FLAG);
    pthread_join(thread, NULL);
}

static void futex_shared_round_trip(void)
{
    struct words *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(words != MAP_FAILED, "mmap");
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        answer(words, 0);
        _exit(0);
    }
    ask(words, 0);
    waitpid(child, NULL, 0);
}

static void futex_wake_nobody(void)
{
    static _Atomic uint32_t word;
    repeat(TIMES) {
        begin();
        syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
        end();
    }
}

const struct row channels[] = {
    {"pipe-round-trip", pipe_round_trip, "a byte to another process and back, by two pipes"},
    {"unix-round-trip", unix_round_trip, "the same by an AF_UNIX stream"},
    {"unix-datagram-round-trip", unix_datagram_round_trip, "the same by AF_UNIX datagrams"},
    {"futex-round-trip", futex_round_trip, "wake another thread and wait until it wakes back"},
    {"futex-shared-round-trip", futex_shared_round_trip, "the same with another process"},
    {"futex-wake-nobody", futex_wake_nobody, "futex wake with nobody waiting"},
    {"pipe-mebibyte", pipe_mebibyte, "1 MiB to another process by a pipe, 64 KiB at a time"},
    {"unix-mebibyte", unix_mebibyte, "1 MiB to another process by an AF_UNIX stream"},
    {"unix-connect", unix_connect, "socket, connect, accept, close both"},
    {0},
};
