/* mix-fit - which mixture of data sources trains the best model. */
#include <string.h>

#include "base/tool.h"
#include "mix/mixtool.h"

static const struct tool tool = {
    .name = "mix-fit",
    .purpose = "find the best data mixture from many small training runs",
    .usage = "sample|fit|predict|solve [options]",
    .example = "mix-fit solve --model model.json --objective loss/web:0.8,loss/code:0.2 \\\n"
               "    --sources sources.jsonl > mixture.json",
};

struct command {
    const char *name;
    int (*run)(const struct mix_options *o, struct err *err);
    const char *needs;   /* options that must be given */
    const char *options; /* options it knows, those included; between spaces */
};

static const struct command commands[] = {
    {"sample", mix_sample, " ", " runs prior domains strength min-weight out "},
    {"fit", mix_fit, " mixtures metrics out ",
     " mixtures metrics regressor higher-is-better normalize out "},
    {"predict", mix_predict, " model mixtures ", " model mixtures normalize out "},
    {"solve", mix_solve_print, " model objective ",
     " model objective kl prior sources tokens max-epochs min max out "},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static const char *const own_options[] = {
    "runs",  "prior",      "domains", "strength", "min-weight", "mixtures", "metrics",
    "model", "regressor",  "higher-is-better",    "normalize",  "objective", "kl",
    "sources", "tokens",   "max-epochs", "min",   "max",        "out",
};

static bool holds(const char *list, const char *name)
{
    char word[40] = " ";
    strncat(word, name, 30);
    strcat(word, " ");
    return strstr(list, word) != NULL;
}

static const struct command *check_command(const char **words, int n)
{
    const struct command *c = NULL;
    for (int i = 0; i < N_COMMANDS && n > 0; i++)
        if (strcmp(commands[i].name, words[0]) == 0)
            c = &commands[i];
    if (!c)
        tool_usage_error(n > 0 ? "unknown command '%s'" : "a command is needed%s",
                         n > 0 ? words[0] : "");
    if (n > 1)
        tool_usage_error("unexpected operand '%s'", words[1]);
    for (size_t i = 0; i < sizeof own_options / sizeof own_options[0]; i++) {
        const char *name = own_options[i];
        if (opt_given(name) && !holds(c->options, name))
            tool_usage_error("%s has no option '--%s'", c->name, name);
        if (!opt_given(name) && holds(c->needs, name))
            tool_usage_error("%s needs --%s", c->name, name);
    }
    return c;
}

static void check_options(const struct command *c, const struct mix_options *o)
{
    if (c->run == mix_sample && !o->prior == !o->domains)
        tool_usage_error("sample needs one of --prior and --domains");
    if (c->run != mix_solve_print)
        return;
    if (o->solve.tokens > 0 && !o->solve.sources)
        tool_usage_error("--tokens needs --sources");
    if (opt_given("max-epochs") && !(o->solve.tokens > 0))
        tool_usage_error("--max-epochs needs --tokens");
}

int main(int argc, char **argv)
{
    int regressor = 0;
    int64_t tokens = 0;
    static const struct opt_enum regressor_names[] = {{"linear", 0}, {"law", 1}, {NULL, 0}};
    static const struct regressor *const regressors[] = {&regressor_linear, &regressor_law};
    struct mix_options o = {.n = 64, .strength = "0.1:5", .min_weight = 0.002,
                            .solve = {.kl = 0.05, .max_epochs = 4}};
    const struct opt table[] = {
        OPT_GROUP("sample: mixtures for N small runs, as CSV"),
        OPT_INT('n', "runs", &o.n, "N", "mixtures; the prior and uniform come first", 1, 1e6),
        OPT_STR(0, "prior", &o.prior, "FILE",
                "sources.jsonl, for the prior (also for solve)"),
        OPT_STR(0, "domains", &o.domains, "A,B,...", "names of domains, with equal shares as prior"),
        OPT_STR(0, "strength", &o.strength, "LO:HI", "how close to the prior: least and most"),
        OPT_FLOAT(0, "min-weight", &o.min_weight, "X", "smaller weights become 0", 0, 1),
        OPT_GROUP("fit, predict: metrics as functions of the mixture"),
        OPT_STR(0, "mixtures", &o.mixtures, "CSV", "weights of each run; first column: its name"),
        OPT_STR(0, "metrics", &o.metrics, "CSV", "what was measured; first column: the run's name"),
        OPT_ENUM(0, "regressor", &regressor, "NAME", "linear or law", regressor_names),
        OPT_LIST(0, "higher-is-better", &o.rising, "METRIC", "maximise it (repeatable)"),
        OPT_FLAG(0, "normalize", &o.normalize, "divide each mixture by its sum"),
        OPT_GROUP("solve: the best mixture, as JSON for shard-mix"),
        OPT_STR(0, "model", &o.model, "FILE", "what fit wrote (also for predict)"),
        OPT_STR(0, "objective", &o.solve.objective, "M:W[:max],...", "metrics and their weights"),
        OPT_FLOAT(0, "kl", &o.solve.kl, "X", "pull towards the prior", 0, 1e6),
        OPT_STR(0, "sources", &o.solve.sources, "FILE", "sources.jsonl: tokens and limits"),
        OPT_INT(0, "tokens", &tokens, "N", "tokens of the run to come (0: not known)", 0,
                1e15),
        OPT_FLOAT(0, "max-epochs", &o.solve.max_epochs, "X", "most repetitions of a source", 0, 1e6),
        OPT_LIST(0, "min", &o.solve.min, "DOMAIN=X", "least share (repeatable)"),
        OPT_LIST(0, "max", &o.solve.max, "DOMAIN=X", "largest share (repeatable)"),
        OPT_GROUP("Output"),
        OPT_STR(0, "out", &o.out, "FILE", "write here, not to stdout (fit needs it)"),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **words;
    int n = tool_begin(&tool, table, argc, argv, &words);
    const struct command *c = check_command(words, n);
    o.regressor = regressors[regressor];
    o.solve.prior = o.prior;
    o.solve.tokens = (double)tokens;
    o.seed = (uint64_t)tool_common.seed;
    check_options(c, &o);
    struct err err = {0};
    return tool_finish(c->run(&o, &err), &err);
}
