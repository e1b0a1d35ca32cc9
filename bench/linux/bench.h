/* What all benchmarks share: how a row is measured, and how it gives up.
 *
 * A row repeats what it measures, each time between begin() and end(); minimum and median of these samples are printed.
 * Each row runs in a process of its own, so that one that fails or crashes harms no other.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* One line of the table. */
struct row {
    const char *name;
    void (*run)(void);
    /* What is done between two readings of the clock. */
    const char *what;
};

/* Rows by subject, each list ended by a row without a name. */
extern const struct row calls[], files[], channels[], processes[], memory[], waiting[], programs[];

/* The folder for files; made before the first row. */
#define FOLDER "/tmp/bench"
/* This program's own file, to be executed, and the option that makes it do nothing. */
extern const char *own_file;
#define DO_NOTHING "--do-nothing"

extern uint64_t started;

/* Reads the time-stamp counter: under the emulator's instruction counting, one for each instruction. `lfence` is for real
 * processors, which would read it too early. */
static inline uint64_t clock_now(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* Instructions that do nothing and tell a plugin of the emulator where what is measured begins and ends. */
#define MARK_BEGIN() __asm__ volatile("nopl 0x51450001(%%rax)" : : : "memory")
#define MARK_END() __asm__ volatile("nopl 0x51458001(%%rax)" : : : "memory")

/* The same for a row: what was measured before was for calibration; and for the end of everything. */
#define MARK_ROW() __asm__ volatile("nopl 0x51450002(%%rax)" : : : "memory")
#define MARK_ROW_END() __asm__ volatile("nopl 0x51458002(%%rax)" : : : "memory")
#define MARK_ALL_DONE() __asm__ volatile("nopl 0x5145ffff(%%rax)" : : : "memory")

/* The clock is read outside of the marks, so that what is between them is what sample() keeps. */
#define begin()                                                                                                        \
    do {                                                                                                               \
        started = clock_now();                                                                                         \
        MARK_BEGIN();                                                                                                  \
    } while (0)
#define end()                                                                                                          \
    do {                                                                                                               \
        MARK_END();                                                                                                    \
        uint64_t ended = clock_now();                                                                                  \
        sample(ended);                                                                                                 \
    } while (0)

/* Keeps what has passed since begin(), without the clock's own cost. */
void sample(uint64_t now);
/* Later samples are divided by so many: what was measured was done so often. */
void divide_by(unsigned times);

#define repeat(times) for (unsigned round = 0; round < (times); round++)

/* Ends the row's process: the row is reported as missing, and why. */
void give_up(const char *what, const char *why);
/* The same unless the call has succeeded; errno says why. */
void need(int has_succeeded, const char *call);

/* A system call without a library around it. Returns what the kernel returns: a negative errno on failure. */
static inline long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

/* As process 1 of a bare Linux kernel: file systems are mounted and the random pool is filled. */
void be_init(void);

#endif
