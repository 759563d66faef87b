/* escape.h - attacks on the sandbox, one a name.
 *
 * escape NAME [ARGUMENT] tries one from inside and prints "ESCAPED: what" for
 * everything that got through, and "held" at its end.  Some never end.
 */
#ifndef TP_TESTS_ESCAPE_H
#define TP_TESTS_ESCAPE_H

struct attack {
    const char *name;
    void (*run)(const char *argument);
};
extern const struct attack file_attacks[], process_attacks[], resource_attacks[], kernel_attacks[];

/* r >= 0 is an escape, as of a system call. */
void tried(const char *what, long r);
void escaped_if(int escaped, const char *what);

#endif
