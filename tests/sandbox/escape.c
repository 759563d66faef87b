/* escape.c - a hostile program: one attack a run. */
#include "tests/sandbox/escape.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void escaped_if(int escaped, const char *what)
{
    if (escaped)
        printf("ESCAPED: %s\n", what);
}

void tried(const char *what, long r)
{
    escaped_if(r >= 0, what);
}

int main(int argc, char **argv)
{
    const struct attack *const all[] = {file_attacks, process_attacks, resource_attacks,
                                        kernel_attacks};
    const char *name = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        for (const struct attack *a = all[k]; a->name; a++) {
            if (strcmp(a->name, name) != 0)
                continue;
            a->run(argument);
            puts("held");
            return 0;
        }
    }
    fprintf(stderr, "escape: no attack '%s'\n", name);
    return 2;
}
