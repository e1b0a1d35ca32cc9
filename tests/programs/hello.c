// Arguments, environment, auxiliary vector, exit status.
#include "expect.h"
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    expect(argv[argc] == NULL);
    setenv("CHESTNUT_COLOUR", "brown", 1);
    unsetenv("CHESTNUT_NOTHING");
    printf("colour %s, nothing %s\n", getenv("CHESTNUT_COLOUR"), getenv("CHESTNUT_NOTHING") ? "set" : "unset");
    expect(environ != NULL);
    printf("page size %lu, random bytes %s, vDSO %s\n", getauxval(AT_PAGESZ), getauxval(AT_RANDOM) ? "yes" : "no",
           getauxval(AT_SYSINFO_EHDR) ? "yes" : "no");
    expect(getauxval(AT_ENTRY) && getauxval(AT_PHDR) && getauxval(AT_EXECFN));
    expect(getauxval(AT_UID) == getuid() && getauxval(AT_SECURE) == 0);
    printf("stack aligned: %s\n", (unsigned long)__builtin_frame_address(0) % 16 == 0 ? "yes" : "no");
    printf("Hello from a C program.\n");
    return argc + 6;
}
