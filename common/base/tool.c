/* tool.c - what every program's main() begins and ends with. */
#include "base/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"

struct tool_common tool_common;
struct tool_counts tool_counts;

const struct opt tool_common_options[] = {
    OPT_GROUP("Common options"),
    OPT_INT(0, "seed", &tool_common.seed, "N", "seed of every random choice", 0, 0x1p53),
    OPT_INT(0, "threads", &tool_common.threads, "N", "threads to use (0: all cores)", 0, 1024),
    OPT_FLAG('q', "quiet", &tool_common.quiet, "print only warnings and errors"),
    OPT_FLAG('v', "verbose", &tool_common.verbose, "print more about what is done"),
    OPT_END,
};

static const struct tool *this_tool;
static const char **operand_list;

static bool stdout_abandoned;

void tool_abandon_stdout(void)
{
    stdout_abandoned = true;
}

/* Reports a failure unless `quiet`: one failure is one line. */
static int close_stdout(bool quiet)
{
    if (stdout_abandoned)
        return 0;
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fflush(stdout) != 0)
        failed = true;
    int number = errno;
    /* close, not fclose: log_error still flushes the stream. */
    if (close(STDOUT_FILENO) != 0 && !failed) {
        failed = true;
        number = errno;
    }
    if (!failed || number == EPIPE)
        return 0;
    if (!quiet && number)
        log_error("cannot write standard output: %s", strerror(number));
    else if (!quiet)
        log_error("cannot write standard output");
    return -1;
}

static noreturn void leave_after_printing(void)
{
    exit(close_stdout(false) < 0 ? EXIT_FAILED : EXIT_OK);
}

static noreturn void print_help(const struct opt *table)
{
    printf("%s - %s\n", this_tool->name, this_tool->purpose);
    if (this_tool->example)
        printf("\nExample:\n  %s\n", this_tool->example);
    printf("\nUsage: %s %s\n", this_tool->name, this_tool->usage ? this_tool->usage : "[options]");
    opt_print_help(table);
    leave_after_printing();
}

/* A standard stream that the caller closed must not become the number of a file we open: what is
 * meant for the stream would land in it.  Its place is held the wrong way round, so that using it
 * still fails. */
static void hold_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

static void set_up_process(void)
{
    hold_standard_streams();
    setlocale(LC_ALL, "C");   /* numbers read and print the same everywhere */
    signal(SIGPIPE, SIG_DFL); /* some launchers leave it ignored */
    mem_init();
}

int tool_begin(const struct tool *tool, const struct opt *table, int argc, char **argv,
               const char ***operands)
{
    bool help = false, version = false;
    const struct opt full_table[] = {
        OPT_TABLE(table),
        OPT_FLAG('h', "help", &help, "print this help and exit"),
        OPT_FLAG(0, "version", &version, "print the version and exit"),
        OPT_END,
    };
    this_tool = tool;
    tool_common.argc = argc;
    tool_common.argv = argv;
    set_up_process();
    log_init(tool->name, LOG_INFO);

    struct err err = {0};
    operand_list = xcalloc((size_t)argc + 1, sizeof *operand_list);
    int n = opt_parse(full_table, argc, argv, operand_list, &err);
    if (help)
        print_help(full_table);
    if (version) {
        printf("%s (thinkpipe) %s\n", tool->name, TP_VERSION);
        if (tool_common.verbose && tool->backend)
            printf("backend: %s\n", tool->backend());
        leave_after_printing();
    }
    if (n < 0)
        tool_usage_error("%s", err.text);
    log_init(tool->name, tool_common.quiet ? LOG_WARN : tool_common.verbose ? LOG_DEBUG : LOG_INFO);
    pool_init((int)tool_common.threads);
    *operands = operand_list;
    return n;
}

static void print_usage_hint(void)
{
    fprintf(stderr, "Usage: %s %s\nTry '%s --help'.\n", log_program(),
            this_tool && this_tool->usage ? this_tool->usage : "[options]", log_program());
}

noreturn void tool_usage_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    log_error("%s", text);
    print_usage_hint();
    free(text);
    exit(EXIT_USAGE);
}

int tool_check_output(const char *path, struct err *err)
{
    struct stat out, in;
    if (!operand_list || stat(path, &out) != 0 || !S_ISREG(out.st_mode))
        return 0;
    for (const char **o = operand_list; *o; o++) {
        const char *equals = strchr(*o, '=');
        if ((stat(*o, &in) != 0 && (!equals || stat(equals + 1, &in) != 0)) ||
            in.st_dev != out.st_dev || in.st_ino != out.st_ino)
            continue;
        return err_set(err, "cannot write '%s': it is an input of this command", path);
    }
    return 0;
}

int tool_finish(int rc, const struct err *err)
{
    int status = rc > 0 ? rc : EXIT_OK;
    progress_end();
    if (rc < 0) {
        log_error("%s", err->set ? err->text : "failed without saying why");
        status = err->status ? err->status : EXIT_FAILED;
        if (status == EXIT_USAGE) /* misuse that only showed during the run */
            print_usage_hint();
    }
    if (close_stdout(rc < 0) < 0 && status == EXIT_OK)
        status = EXIT_FAILED;
    if (status != EXIT_USAGE)
        log_info("in=%lld out=%lld rejected=%lld", (long long)tool_counts.in,
                 (long long)tool_counts.out, (long long)tool_counts.rejected);
    pool_release();
    free(operand_list);
    operand_list = NULL;
    return status;
}
