/* Processes and threads, from their making to their end. */
#define _GNU_SOURCE
#include "bench.h"
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 20

static char *const nothing[] = {"bench", DO_NOTHING, NULL};
static char *const no_variables[] = {NULL};

static void fork_exit_wait(void)
{
    repeat(TIMES) {
        begin();
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
        end();
        need(child > 0, "fork");
    }
}

static void vfork_exit_wait(void)
{
    repeat(TIMES) {
        begin();
        pid_t child = vfork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
        end();
        need(child > 0, "vfork");
    }
}

static void fork_exec_wait(void)
{
    repeat(TIMES) {
        int status = 0;
        begin();
        pid_t child = fork();
        if (child == 0) {
            execve(own_file, nothing, no_variables);
            _exit(127);
        }
        waitpid(child, &status, 0);
        end();
        need(child > 0 && status == 0, "fork or execve");
    }
}

static void spawn_wait(void)
{
    repeat(TIMES) {
        int status = 0;
        pid_t child = 0;
        begin();
        int result = posix_spawn(&child, own_file, NULL, NULL, nothing, no_variables);
        waitpid(child, &status, 0);
        end();
        need(result == 0 && status == 0, "posix_spawn");
    }
}

static void *nothing_to_do(void *argument)
{
    return argument;
}

static void thread_create_join(void)
{
    repeat(TIMES) {
        pthread_t thread;
        begin();
        int result = pthread_create(&thread, NULL, nothing_to_do, NULL);
        if (result == 0)
            pthread_join(thread, NULL);
        end();
        need(result == 0, "pthread_create");
    }
}

const struct row processes[] = {
    {"fork-exit-wait", fork_exit_wait, "fork, _exit, waitpid"},
    {"fork-exec-wait", fork_exec_wait, "fork, execve of a static program that does nothing, waitpid"},
    {"vfork-exit-wait", vfork_exit_wait, "vfork, _exit, waitpid"},
    {"vfork-exec-wait", spawn_wait, "posix_spawn of that program, waitpid"},
    {"thread-create-join", thread_create_join, "pthread_create, pthread_join"},
    {0},
};
