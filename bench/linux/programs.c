/* Whole programs: BusyBox's, on files that are the same in every run. */
#define _GNU_SOURCE
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 5
#define SHELL "/bin/busybox"

static uint32_t state;

static uint32_t random_below(uint32_t limit)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
}

/* A text of about so many bytes: lines of words and numbers. */
static void write_text(const char *path, unsigned bytes)
{
    static const char *const words[] = {"kernel", "capability", "endpoint", "reply", "untyped", "page",
                                        "thread", "budget", "signal", "message", "server", "chestnut"};
    FILE *file = fopen(path, "w");
    need(file != NULL, path);
    for (unsigned written = 0; written < bytes;) {
        unsigned length = 0;
        for (unsigned word = 0, count = 3 + random_below(8); word < count; word++)
            length += fprintf(file, "%s ", words[random_below(12)]);
        written += length + fprintf(file, "%u\n", random_below(100000));
    }
    need(fclose(file) == 0, "fclose");
}

/* 4 folders of 10 files of 4 KiB, and one text of 128 KiB. */
static void make_files(void)
{
    char path[64];
    state = 1;
    mkdir("tree", 0755);
    for (int folder = 0; folder < 4; folder++) {
        snprintf(path, sizeof path, "tree/%d", folder);
        mkdir(path, 0755);
        for (int file = 0; file < 10; file++) {
            snprintf(path, sizeof path, "tree/%d/text-%d", folder, file);
            write_text(path, 4096);
        }
    }
    write_text("text", 128 << 10);
}

/* Runs a command of the shell, with its output thrown away; its status has to be 0. */
static void shell(const char *command)
{
    pid_t child = vfork();
    need(child >= 0, "vfork");
    if (child == 0) {
        execl(SHELL, "sh", "-c", command, NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        give_up(SHELL, strsignal(WTERMSIG(status)));
    if (status != 0)
        give_up(SHELL, "the command failed");
}

static void measure_shell(const char *prepare, const char *command)
{
    make_files();
    repeat(TIMES) {
        if (prepare)
            shell(prepare);
        begin();
        shell(command);
        end();
    }
}

#define ROW(function, prepare, command)                                                                                \
    static void function(void) { measure_shell(prepare, command); }

#define LOOP "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done"
#define SPAWN "for i in 0 1 2 3 4 5 6 7 8 9; do /bin/busybox true; done"
#define PIPELINE "for i in 0 1 2 3 4; do cat text | sort | head -n 3 >/dev/null; done"
#define TAR "tar -cf archive.tar tree"
#define UNTAR "mkdir out && tar -xf archive.tar -C out"
#define GZIP "gzip -c text >text.gz"
#define GUNZIP "gunzip -c text.gz >text.out"
#define GREP "grep -r chestnut tree >/dev/null"
#define SORT "sort text >sorted"
#define AWK "awk '{ sum += $NF; count[$1]++ } END { for (word in count) print word, count[word]; print sum }' text >/dev/null"
#define FIND "find tree -name '*-7' >/dev/null"
#define COPY "rm -rf copy && cp -r tree copy"
#define REMOVE "rm -r copy"

ROW(loop, NULL, LOOP)
ROW(spawn, NULL, SPAWN)
ROW(pipeline, NULL, PIPELINE)
ROW(tar, NULL, TAR)
ROW(untar, TAR "; rm -rf out", UNTAR)
ROW(gzip, NULL, GZIP)
ROW(gunzip, GZIP, GUNZIP)
ROW(grep, NULL, GREP)
ROW(sort_, NULL, SORT)
ROW(awk, NULL, AWK)
ROW(find, NULL, FIND)
ROW(copy, NULL, COPY)
ROW(remove_, COPY, REMOVE)

const struct row programs[] = {
    {"sh-loop", loop, LOOP},
    {"sh-spawn", spawn, SPAWN},
    {"sh-pipeline", pipeline, PIPELINE},
    {"tar", tar, TAR},
    {"untar", untar, UNTAR},
    {"gzip", gzip, GZIP},
    {"gunzip", gunzip, GUNZIP},
    {"grep", grep, GREP},
    {"sort", sort_, SORT},
    {"awk", awk, AWK},
    {"find", find, FIND},
    {"cp", copy, COPY},
    {"rm", remove_, REMOVE},
    {0},
};
