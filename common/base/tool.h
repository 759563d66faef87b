/* tool.h - what every program's main() begins and ends with.
 *
 *     static const struct tool tool = {
 *         .name = "shard-dump", .purpose = "print token shards as JSON lines",
 *         .usage = "[options] [file ...]",
 *         .example = "shard-dump train.shard | jq '.tokens | length'",
 *     };
 *     int main(int argc, char **argv)
 *     {
 *         struct options o = {...defaults...};
 *         struct opt table[] = {..., OPT_TABLE(tool_common_options), OPT_END};
 *         const char **files;
 *         int n_files = tool_begin(&tool, table, argc, argv, &files);
 *         struct err err = {0};
 *         int rc = run(&o, files, n_files, &err);
 *         return tool_finish(rc, &err);
 *     }
 */
#ifndef TP_BASE_TOOL_H
#define TP_BASE_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"

#define TP_VERSION "0.1.0"

struct tool {
    const char *name, *purpose, *usage, *example;
    const char *(*backend)(void); /* what it computes with, for --version -v; or NULL */
};

struct tool_common {
    int64_t seed, threads;
    bool quiet, verbose;
    int argc;
    char **argv;
};
extern struct tool_common tool_common;
/* --seed --threads -q -v; --help and --version are built in. */
extern const struct opt tool_common_options[];

struct tool_counts {
    int64_t in, out, rejected;
};
extern struct tool_counts tool_counts; /* printed by tool_finish: in= out= rejected= */

/* Parses the command line (leaving with 0 for --help and --version, with EXIT_USAGE for misuse),
 * starts logging and the thread pool.  Returns the number of operands. */
int tool_begin(const struct tool *tool, const struct opt *table, int argc, char **argv,
               const char ***operands);
/* Prints a usage error and leaves with EXIT_USAGE. */
noreturn void tool_usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* -1 if path is a file that an operand, FILE or NAME=FILE, names: writing it would destroy the input. */
int tool_check_output(const char *path, struct err *err) WARN_UNUSED;
/* What is on standard output does not matter any more: its reader went away. */
void tool_abandon_stdout(void);
/* Reports err if rc < 0 (a positive rc is itself the exit status), flushes and closes stdout,
 * prints the counts, ends the threads; returns the exit status. */
int tool_finish(int rc, const struct err *err);

#endif
