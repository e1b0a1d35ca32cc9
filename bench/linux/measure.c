/* Samples, and what a row prints about them. */
#include "bench.h"
#include <alloca.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 1000
/* Bytes of a page. */
#define PAGE 4096

uint64_t started;
static uint64_t samples[MOST], overhead;
static unsigned count, divisor = 1;
static const char *name;

void sample(uint64_t now)
{
    uint64_t passed = now - started;
    if (count < MOST)
        samples[count++] = (passed > overhead ? passed - overhead : 0) / divisor;
}

void divide_by(unsigned times)
{
    divisor = times;
}

void give_up(const char *what, const char *why)
{
    dprintf(1, "bench %s missing %s: %s\n", name, what, why);
    _exit(1);
}

void need(int has_succeeded, const char *call)
{
    if (!has_succeeded)
        give_up(call, strerror(errno));
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The row's variables begin right below a page's end, wherever the system has put the stack: one that lies in two pages
 * would cost more, by chance. */
static __attribute__((noinline)) void run(const struct row *row)
{
    volatile char *padding = alloca(((uintptr_t)__builtin_frame_address(0) & (PAGE - 1)) + 1);
    padding[0] = 0;
    MARK_ROW();
    row->run();
    MARK_ROW_END();
}

/* Measures one row and prints its line. */
void measure(const struct row *row)
{
    name = row->name;
    repeat(32) {
        begin();
        end();
    }
    overhead = UINT64_MAX;
    for (unsigned i = 0; i < count; i++)
        if (samples[i] < overhead)
            overhead = samples[i];
    count = 0;
    run(row);
    qsort(samples, count, sizeof samples[0], ascending);
    if (count == 0)
        dprintf(1, "bench %s missing no samples\n", name);
    else
        dprintf(1, "bench %s %lu %lu ticks\n", name, samples[0], samples[count / 2]);
}
