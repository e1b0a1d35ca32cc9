/* Files and folders of a file system in memory. */
#include "bench.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TIMES 100
#define BLOCK 4096
/* As deep as a path commonly is. */
#define DEEP FOLDER "/one/two"
#define DEEP_FILE DEEP "/file"

static char block[BLOCK];

static void make_deep_file(void)
{
    mkdir(FOLDER "/one", 0755);
    mkdir(DEEP, 0755);
    int file = open(DEEP_FILE, O_RDWR | O_CREAT, 0644);
    need(file >= 0, "open");
    close(file);
}

static void stat_(void)
{
    struct stat status;
    make_deep_file();
    repeat(TIMES) {
        begin();
        int result = stat(DEEP_FILE, &status);
        end();
        need(result == 0, "stat");
    }
}

static void stat_missing(void)
{
    struct stat status;
    make_deep_file();
    repeat(TIMES) {
        begin();
        int result = stat(DEEP "/nothing", &status);
        end();
        need(result != 0, "stat");
    }
}

static void fstat_(void)
{
    struct stat status;
    make_deep_file();
    int file = open(DEEP_FILE, O_RDONLY);
    repeat(TIMES) {
        begin();
        int result = fstat(file, &status);
        end();
        need(result == 0, "fstat");
    }
}

static void open_close(void)
{
    make_deep_file();
    repeat(TIMES) {
        begin();
        int file = open(DEEP_FILE, O_RDONLY);
        close(file);
        end();
        need(file >= 0, "open");
    }
}

static void getdents_100(void)
{
    static char entries[32768];
    char name[64];
    mkdir(FOLDER "/hundred", 0755);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, FOLDER "/hundred/file-%d", i);
        int file = open(name, O_WRONLY | O_CREAT, 0644);
        need(file >= 0, "open");
        close(file);
    }
    int folder = open(FOLDER "/hundred", O_RDONLY | O_DIRECTORY);
    need(folder >= 0, "open");
    repeat(TIMES / 2) {
        lseek(folder, 0, SEEK_SET);
        long got;
        begin();
        while ((got = call3(SYS_getdents64, folder, (long)entries, sizeof entries)) > 0)
            ;
        end();
        need(got == 0, "getdents64");
    }
}

static void create(void)
{
    char name[64];
    mkdir(FOLDER "/new", 0755);
    repeat(TIMES) {
        snprintf(name, sizeof name, FOLDER "/new/created-%u", round);
        begin();
        int file = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
        close(file);
        end();
        need(file >= 0, "open");
        unlink(name);
    }
}

static int file_of(unsigned blocks)
{
    int file = open(FOLDER "/blocks", O_RDWR | O_CREAT | O_TRUNC, 0644);
    need(file >= 0, "open");
    for (unsigned i = 0; i < blocks; i++)
        need(write(file, block, BLOCK) == BLOCK, "write");
    return file;
}

static void write_new(void)
{
    int file = file_of(0);
    repeat(TIMES) {
        begin();
        long written = write(file, block, BLOCK);
        end();
        need(written == BLOCK, "write");
    }
    unlink(FOLDER "/blocks");
}

static void write_again(void)
{
    int file = file_of(4);
    repeat(TIMES) {
        begin();
        long written = pwrite(file, block, BLOCK, round % 4 * BLOCK);
        end();
        need(written == BLOCK, "pwrite");
    }
    unlink(FOLDER "/blocks");
}

static void read_block(void)
{
    int file = file_of(4);
    repeat(TIMES) {
        begin();
        long got = pread(file, block, BLOCK, round % 4 * BLOCK);
        end();
        need(got == BLOCK, "pread");
    }
    unlink(FOLDER "/blocks");
}

static void delete(void)
{
    repeat(TIMES) {
        close(file_of(1));
        begin();
        int result = unlink(FOLDER "/blocks");
        end();
        need(result == 0, "unlink");
    }
}

static void life(void)
{
    repeat(TIMES) {
        begin();
        int file = open(FOLDER "/life", O_RDWR | O_CREAT | O_EXCL, 0644);
        long written = write(file, block, BLOCK);
        lseek(file, 0, SEEK_SET);
        long got = read(file, block, BLOCK);
        close(file);
        unlink(FOLDER "/life");
        end();
        need(written == BLOCK && got == BLOCK, "write or read");
    }
}

static void mkdir_rmdir(void)
{
    repeat(TIMES) {
        begin();
        int made = mkdir(FOLDER "/folder", 0755);
        rmdir(FOLDER "/folder");
        end();
        need(made == 0, "mkdir");
    }
}

static void rename_(void)
{
    close(file_of(0));
    repeat(TIMES / 2) {
        begin();
        int there = rename(FOLDER "/blocks", FOLDER "/renamed");
        int back = rename(FOLDER "/renamed", FOLDER "/blocks");
        end();
        need(there == 0 && back == 0, "rename");
    }
    unlink(FOLDER "/blocks");
}

const struct row files[] = {
    {"stat", stat_, "stat of " DEEP_FILE},
    {"stat-missing", stat_missing, "stat of a file that isn't there"},
    {"fstat", fstat_, "fstat"},
    {"open-close", open_close, "open and close of " DEEP_FILE},
    {"getdents-100", getdents_100, "getdents64 of a folder of 100 files"},
    {"file-create", create, "open with O_CREAT, and close"},
    {"file-write-new", write_new, "write of 4 KiB at the file's end"},
    {"file-write", write_again, "pwrite of 4 KiB within the file"},
    {"file-read", read_block, "pread of 4 KiB"},
    {"file-delete", delete, "unlink of a file of 4 KiB"},
    {"file-life", life, "create, write and read 4 KiB, close, delete"},
    {"mkdir-rmdir", mkdir_rmdir, "mkdir and rmdir"},
    {"rename", rename_, "rename there and back"},
    {0},
};
