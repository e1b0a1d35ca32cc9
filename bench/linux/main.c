/* The Linux benchmark, in the spirit of lmbench: what system calls and programs cost, on whatever runs it.
 *
 *   PROGRAM [--init] [ROW...]    measures these rows, or all
 *   PROGRAM --list               lists them
 *
 * One line for each row, then "bench-end":
 *
 *   bench NAME MINIMUM MEDIAN ticks          of the time-stamp counter
 *   bench NAME missing REASON                this system can't do it
 */
#include "bench.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds that a row may take; under instruction counting, thousands of millions of instructions. */
#define LIMIT 30

const char *own_file;

static const struct row *const subjects[] = {calls, files, channels, processes, memory, waiting, programs};
#define SUBJECTS (sizeof subjects / sizeof subjects[0])

void measure(const struct row *row);

static void list(void)
{
    for (size_t i = 0; i < SUBJECTS; i++)
        for (const struct row *row = subjects[i]; row->name; row++)
            printf("%s\t%s\n", row->name, row->what);
}

/* In a process of its own, whose helpers end with it: they are of its group. */
static void run(const struct row *row)
{
    pid_t child = fork();
    if (child < 0) {
        dprintf(1, "bench %s missing fork\n", row->name);
        return;
    }
    if (child == 0) {
        setpgid(0, 0);
        alarm(LIMIT);
        measure(row);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        ;
    kill(-child, SIGKILL);
    while (waitpid(-child, NULL, 0) > 0)
        ;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        dprintf(1, "bench %s missing not finished after %d s\n", row->name, LIMIT);
    else if (WIFSIGNALED(status))
        dprintf(1, "bench %s missing ended by signal %d\n", row->name, WTERMSIG(status));
}

static int is_wanted(const char *name, char **names)
{
    if (!*names)
        return 1;
    for (; *names; names++)
        if (!strcmp(*names, name))
            return 1;
    return 0;
}

/* Begins anew at addresses that aren't random: what pages happen to share a place in some table would change figures by chance. */
static void be_predictable(char **argv)
{
    int persona = personality(0xffffffff);
    if (persona == -1 || persona & ADDR_NO_RANDOMIZE || personality(persona | ADDR_NO_RANDOMIZE) == -1)
        return;
    execv(argv[0], argv);
    perror(argv[0]);
}

int main(int argc, char **argv)
{
    char **names = argv + 1;
    if (argc > 1 && !strcmp(argv[1], DO_NOTHING))
        return 0;
    if (argc > 1 && !strcmp(argv[1], "--list")) {
        list();
        return 0;
    }
    be_predictable(argv);
    own_file = argv[0];
    if (argc > 1 && !strcmp(argv[1], "--init")) {
        be_init();
        names++;
    }
    mkdir("/tmp", 0777);
    if (mkdir(FOLDER, 0755) != 0 || chdir(FOLDER) != 0) {
        perror(FOLDER);
        return 1;
    }
    for (size_t i = 0; i < SUBJECTS; i++)
        for (const struct row *row = subjects[i]; row->name; row++)
            if (is_wanted(row->name, names))
                run(row);
    MARK_ALL_DONE();
    dprintf(1, "bench-end\n");
    /* Process 1 must not end; who reads "bench-end" ends the machine. */
    while (argc > 1 && !strcmp(argv[1], "--init"))
        pause();
    return 0;
}
