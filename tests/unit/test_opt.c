/* test_opt.c - option tables, numbers, --help, and how a tool begins and ends. */
#include "base/opt.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/strbuf.h"
#include "base/tool.h"
#include "check.h"

static void test_parse_int(void)
{
    static const struct {
        const char *text;
        int64_t want;
        bool ok;
    } cases[] = {{"0", 0, true},           {"42", 42, true},     {"-3", -3, true},
                 {"+7", 7, true},          {"2K", 2000, true},   {"3M", 3000000, true},
                 {"1G", 1000000000, true}, {"1hello", 0, false}, {"", 0, false},
                 {" 1", 0, false},         {"1 ", 0, false},     {"1.5", 0, false},
                 {"0x10", 0, false},       {"K", 0, false},      {"1KK", 0, false},
                 {"1k", 0, false},         {"-", 0, false},      {"99999999999999999999", 0, false},
                 {"9999999999G", 0, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = {0};
        int64_t v = 123;
        int rc = parse_int(cases[i].text, -1e18, 1e18, &v, &err);
        CHECK_MSG((rc == 0) == cases[i].ok, "'%s'", cases[i].text);
        CHECK_MSG(v == (cases[i].ok ? cases[i].want : 123), "'%s'", cases[i].text);
        CHECK(err.set == !cases[i].ok);
    }
    struct err err = {0};
    int64_t v = 0;
    CHECK(parse_int("11", 0, 10, &v, &err) < 0);
    CHECK_STR(err.text, "11 is out of range, expected 0 to 10");
    err_clear(&err);
    CHECK(parse_int("-1", 0, 1e19, &v, &err) < 0);
    CHECK_STR(err.text, "-1 is out of range, expected at least 0");
    err_clear(&err);
    CHECK(parse_int("9007199254740992", 0, 0x1p53, &v, &err) == 0 && v == INT64_C(1) << 53);
}

static void test_parse_float(void)
{
    static const struct {
        const char *text;
        double want;
        bool ok;
    } cases[] = {{"0.5", 0.5, true},  {"1e-3", 1e-3, true},   {"-2", -2, true},
                 {".5", 0.5, true},   {"1hello", 0, false},   {"", 0, false},
                 {" 1", 0, false},    {"nan", 0, false},      {"0x1p3", 0, false},
                 {"1e999", 0, false}, {"infinity", 0, false}, {"inf", 0, false},
                 {"1,5", 0, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = {0};
        double v = 123;
        int rc = parse_float(cases[i].text, -10, 10, &v, &err);
        CHECK_MSG((rc == 0) == cases[i].ok, "'%s'", cases[i].text);
        CHECK_MSG(v == (cases[i].ok ? cases[i].want : 123), "'%s'", cases[i].text);
    }
    struct err err = {0};
    double v = 0;
    CHECK(parse_float("2", 0, 0.1, &v, &err) < 0);
    CHECK_STR(err.text, "2 is out of range, expected 0 to 0.1");
    err_clear(&err);
    CHECK(parse_float("inf", 0, HUGE_VAL, &v, &err) == 0 && isinf(v));
    CHECK(parse_float("1e999", 0, HUGE_VAL, &v, &err) < 0);
}

static struct arena words_arena; /* argv strings, which options point into */

struct options {
    bool dry_run, fast;
    int64_t steps;
    double lr;
    const char *out;
    int mode;
    struct opt_list inputs;
};

static const struct opt_enum modes[] = {{"soft", 0}, {"hard", 2}, {NULL, 0}};

/* Parses a NULL-terminated command line into fresh options; returns what opt_parse does. */
static int parse(struct options *o, const char **operands, struct err *err, const char **words)
{
    *o = (struct options){.steps = 5, .lr = 0.1};
    const struct opt shared[] = {OPT_FLAG('f', "fast", &o->fast, "be fast"), OPT_END};
    const struct opt table[] = {
        OPT_GROUP("Main"),
        OPT_FLAG('n', "dry-run", &o->dry_run, "do nothing"),
        OPT_INT('s', "steps", &o->steps, "N", "steps", 1, 1e9),
        OPT_FLOAT(0, "lr", &o->lr, "X", "rate", 0, 1),
        OPT_STR('o', "out", &o->out, "FILE", "output"),
        OPT_ENUM(0, "mode", &o->mode, NULL, "mode", modes),
        OPT_LIST('i', "in", &o->inputs, "FILE", "input"),
        OPT_TABLE(shared),
        OPT_END,
    };
    char *argv[64] = {arena_strdup(&words_arena, "prog")};
    int argc = 1;
    while (words[argc - 1]) {
        argv[argc] = arena_strdup(&words_arena, words[argc - 1]);
        argc++;
    }
    *err = (struct err){0};
    return opt_parse(table, argc, argv, operands, err);
}

#define WORDS(...) ((const char *[]){__VA_ARGS__, NULL})

static void test_options(void)
{
    struct options o;
    struct err err;
    const char *operands[64];
    int n = parse(&o, operands, &err,
                  WORDS("a", "--steps", "2K", "--lr=1e-3", "-no", "x y", "b", "--mode=hard", "-f",
                        "-", "--in", "p", "-iq", "--", "--steps"));
    CHECK(n == 4 && !err.set);
    CHECK_STR(operands[0], "a");
    CHECK_STR(operands[1], "b");
    CHECK_STR(operands[2], "-");
    CHECK_STR(operands[3], "--steps");
    CHECK(o.dry_run && o.fast && o.steps == 2000 && o.lr == 1e-3 && o.mode == 2);
    CHECK_STR(o.out, "x y");
    CHECK(o.inputs.n == 2);
    CHECK_STR(o.inputs.items[0], "p");
    CHECK_STR(o.inputs.items[1], "q");
    CHECK(opt_given("steps") && opt_given("fast") && opt_given("in") && !opt_given("version"));

    CHECK(parse(&o, operands, &err, WORDS("-s7", "-s", "8", "--lr", "0")) == 0);
    CHECK(o.steps == 8 && o.lr == 0 && !opt_given("out"));

    const char *many[41] = {0};
    for (int i = 0; i < 40; i++)
        many[i] = "-iz";
    CHECK(parse(&o, operands, &err, many) == 0 && o.inputs.n == 40);
    CHECK_STR(o.inputs.items[39], "z");
}

static void test_misuse(void)
{
    static const struct {
        const char *words[3], *want;
    } cases[] = {
        {{"--nope"}, "unknown option '--nope'"},
        {{"--step", "3"}, "unknown option '--step'"},
        {{"-x"}, "unknown option '-x'"},
        {{"-nx"}, "unknown option '-x'"},
        {{"--steps"}, "option '--steps' needs a value"},
        {{"-s"}, "option '-s' needs a value"},
        {{"--fast=yes"}, "option '--fast' takes no value"},
        {{"--steps", "1hello"}, "option '--steps': '1hello' is not a whole number"},
        {{"--steps=0"}, "option '--steps': 0 is out of range, expected 1 to 1e+09"},
        {{"--lr=2"}, "option '--lr': 2 is out of range, expected 0 to 1"},
        {{"--mode=sof"}, "option '--mode': 'sof' is not one of soft, hard"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct options o;
        struct err err;
        const char *operands[64];
        CHECK(parse(&o, operands, &err, (const char **)(uintptr_t)cases[i].words) == -1);
        CHECK(err.status == EXIT_USAGE);
        CHECK_STR(err.text, cases[i].want);
    }
}

/* A whole tool in a child process, with its two outputs read back. */

static int child_tool(char **argv, int rc)
{
    static const struct tool tool = {.name = "toy-tool",
                                     .purpose = "try things",
                                     .usage = "[options] [file ...]",
                                     .example = "toy-tool a | wc"};
    double lr = 1e-4;
    const char *out = NULL;
    int mode = 0, argc = 0;
    const struct opt table[] = {
        OPT_FLOAT(0, "lr", &lr, "X", "rate", 0, 1),
        OPT_STR(0, "out", &out, "FILE", "output"),
        OPT_ENUM(0, "mode", &mode, NULL, "mode", modes),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    while (argv[argc])
        argc++;
    const char **files;
    int n = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    for (int i = 0; i < n; i++)
        printf("%s %d\n", files[i], pool_threads());
    tool_counts.in = n;
    if (rc < 0)
        err_set(&err, "it\033broke");
    return tool_finish(rc, &err);
}

static void read_all(int fd, struct strbuf *s)
{
    char buf[4096];
    ssize_t got;
    strbuf_clear(s);
    while ((got = read(fd, buf, sizeof buf)) > 0)
        strbuf_add(s, buf, (size_t)got);
    close(fd);
}

static int run_tool(const char **words, const char *stdout_path, int rc, struct strbuf *out,
                    struct strbuf *err)
{
    int out_pipe[2], err_pipe[2], status = 0;
    char *argv[16] = {arena_strdup(&words_arena, "toy-tool")};
    for (int i = 0; words[i]; i++)
        argv[i + 1] = arena_strdup(&words_arena, words[i]);
    fflush(stdout);
    if (pipe(out_pipe) < 0 || pipe(err_pipe) < 0)
        BUG("pipe failed");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(stdout_path ? open(stdout_path, O_WRONLY) : out_pipe[1], 1);
        dup2(err_pipe[1], 2);
        for (int fd = 3; fd < 20; fd++)
            close(fd);
        exit(child_tool(argv, rc));
    }
    close(out_pipe[1]);
    close(err_pipe[1]);
    read_all(out_pipe[0], out);
    read_all(err_pipe[0], err);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_tool(void)
{
    struct strbuf out = {0}, err = {0};
    CHECK(run_tool(WORDS("--help"), NULL, 0, &out, &err) == 0);
    CHECK(err.len == 0);
    CHECK_STR(out.buf, "toy-tool - try things\n"
                       "\n"
                       "Example:\n"
                       "  toy-tool a | wc\n"
                       "\n"
                       "Usage: toy-tool [options] [file ...]\n"
                       "\n"
                       "Options:\n"
                       "      --lr X                  rate [0.0001]\n"
                       "      --out FILE              output\n"
                       "      --mode soft|hard        mode [soft]\n"
                       "\n"
                       "Common options:\n"
                       "      --seed N                seed of every random choice [0]\n"
                       "      --threads N             threads to use (0: all cores) [0]\n"
                       "  -q, --quiet                 print only warnings and errors\n"
                       "  -v, --verbose               print more about what is done\n"
                       "  -h, --help                  print this help and exit\n"
                       "      --version               print the version and exit\n");
    CHECK(run_tool(WORDS("--version"), NULL, 0, &out, &err) == 0);
    CHECK_STR(out.buf, "toy-tool (thinkpipe) 0.1.0\n");
    CHECK(run_tool(WORDS("--threads=3", "a", "b"), NULL, 0, &out, &err) == 0);
    CHECK_STR(out.buf, "a 3\nb 3\n");
    CHECK_STR(err.buf, "toy-tool: in=2 out=0 rejected=0\n");
    CHECK(run_tool(WORDS("-q"), NULL, 0, &out, &err) == 0);
    CHECK_STR(err.buf, "");
    CHECK(run_tool(WORDS("-q"), NULL, -1, &out, &err) == EXIT_FAILED);
    CHECK_STR(err.buf, "toy-tool: it?broke\n");
    CHECK(run_tool(WORDS("-q"), NULL, EXIT_LIMIT, &out, &err) == EXIT_LIMIT);
    CHECK(run_tool(WORDS("--seed=-1"), NULL, 0, &out, &err) == EXIT_USAGE);
    CHECK(strstr(err.buf, "toy-tool: option '--seed': -1 is out of range") == err.buf);
    CHECK(run_tool(WORDS("--threads=1025"), NULL, 0, &out, &err) == EXIT_USAGE);
    CHECK(run_tool(WORDS("-q", "a"), "/dev/full", 0, &out, &err) == EXIT_FAILED);
    CHECK_STR(err.buf, "toy-tool: cannot write standard output: No space left on device\n");
    CHECK(run_tool(WORDS("--help"), "/dev/full", 0, &out, &err) == EXIT_FAILED);
    strbuf_release(&out);
    strbuf_release(&err);
}

int main(void)
{
    test_parse_int();
    test_parse_float();
    test_options();
    test_misuse();
    test_tool();
    arena_release(&words_arena);
    return check_done();
}
