/* Single calls that touch nothing but the process and its descriptors. */
#include "bench.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TIMES 400

static void getpid_(void)
{
    repeat(TIMES) {
        begin();
        call3(SYS_getpid, 0, 0, 0);
        end();
    }
}

static void unknown_call(void)
{
    repeat(TIMES) {
        begin();
        call3(1000, 0, 0, 0);
        end();
    }
}

static void getppid_(void)
{
    repeat(TIMES) {
        begin();
        call3(SYS_getppid, 0, 0, 0);
        end();
    }
}

static void yield(void)
{
    repeat(TIMES) {
        begin();
        call3(SYS_sched_yield, 0, 0, 0);
        end();
    }
}

static void clock_vdso(void)
{
    struct timespec time;
    repeat(TIMES) {
        begin();
        clock_gettime(CLOCK_MONOTONIC, &time);
        end();
    }
}

static void clock_call(void)
{
    struct timespec time;
    repeat(TIMES) {
        begin();
        call3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0);
        end();
    }
}

static int scratch_file(void)
{
    int file = open(FOLDER "/scratch", O_RDWR | O_CREAT, 0644);
    need(file >= 0, "open");
    return file;
}

static void lseek_(void)
{
    int file = scratch_file();
    repeat(TIMES) {
        begin();
        call3(SYS_lseek, file, 0, SEEK_CUR);
        end();
    }
}

static void dup_close(void)
{
    int file = scratch_file();
    repeat(TIMES) {
        begin();
        call3(SYS_close, call3(SYS_dup, file, 0, 0), 0, 0);
        end();
    }
}

/* Reads or writes so many bytes of a device. */
static void transfer(const char *device, long number, size_t bytes)
{
    static char buffer[65536];
    int file = open(device, O_RDWR);
    need(file >= 0, device);
    repeat(TIMES / 2) {
        begin();
        call3(number, file, (long)buffer, (long)bytes);
        end();
    }
}

static void read_null(void) { transfer("/dev/null", SYS_read, 1); }
static void write_null(void) { transfer("/dev/null", SYS_write, 1); }
static void read_zero(void) { transfer("/dev/zero", SYS_read, 1); }
static void write_zero(void) { transfer("/dev/zero", SYS_write, 1); }
static void read_zero_64k(void) { transfer("/dev/zero", SYS_read, 65536); }

const struct row calls[] = {
    {"getpid", getpid_, "getpid"},
    {"unknown-call", unknown_call, "a system call that doesn't exist"},
    {"getppid", getppid_, "getppid"},
    {"yield", yield, "sched_yield with nobody else to run"},
    {"clock-vdso", clock_vdso, "clock_gettime of the C library, by the vDSO"},
    {"clock-call", clock_call, "clock_gettime as a system call"},
    {"lseek", lseek_, "lseek by nothing"},
    {"dup-close", dup_close, "dup and close"},
    {"read-null", read_null, "read of /dev/null"},
    {"write-null", write_null, "write of a byte to /dev/null"},
    {"read-zero", read_zero, "read of a byte of /dev/zero"},
    {"write-zero", write_zero, "write of a byte to /dev/zero"},
    {"read-zero-64k", read_zero_64k, "read of 64 KiB of /dev/zero"},
    {0},
};
