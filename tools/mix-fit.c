/* mix-fit - which mixture of data sources trains the best model. */
#include <string.h>

#include "base/tool.h"
#include "mix/mixtool.h"

static const struct tool tool = {
    .name = "mix-fit",
    .purpose = "find the best data mixture from many small training runs",
    .usage = "sample|fit|predict|solve|pareto [options]",
    .example = "mix-fit solve --model model.json --objective loss/web:0.8,loss/code:0.2 \\\n"
               "    --sources sources.jsonl > mixture.json",
};

struct command {
    const char *name;
    int (*run)(const struct mix_options *o, struct err *err);
    const char *needs;   /* options that must be given */
    const char *options; /* options it knows, those included; between spaces */
};

/* What solve and pareto share. */
#define PROBLEM_OPTIONS                                                                            \
    " model objective force kl prior sources tokens max-epochs min max fix group extrapolate "     \
    "candidates out "

static const struct command commands[] = {
    {"sample", mix_sample, " ",
     " runs prior domains strength min-weight temperature around objective force tokens max-epochs out "},
    {"fit", mix_fit, " mixtures metrics out ",
     " mixtures metrics regressor terms trees learning-rate higher-is-better normalize report out "},
    {"predict", mix_predict, " model mixtures ", " model mixtures metrics normalize report out "},
    {"solve", mix_solve_print, " model objective ", " search reference no-worse" PROBLEM_OPTIONS},
    {"pareto", mix_pareto_print, " model objective ", " points svg" PROBLEM_OPTIONS},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static const char *const own_options[] = {
    "runs",  "prior",      "domains", "strength", "min-weight", "temperature", "around", "mixtures",
    "metrics", "regressor", "terms", "trees", "learning-rate", "higher-is-better", "normalize", "report",
    "model", "objective",  "force", "kl", "sources", "tokens",   "max-epochs", "min",   "max", "fix",
    "group", "extrapolate", "candidates", "search", "points", "svg", "out",
    "reference", "no-worse",
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
    const struct problem_options *p = &o->solve.problem;
    if (c->run == mix_sample && !p->prior == !o->domains)
        tool_usage_error("sample needs one of --prior and --domains");
    if (c->run == mix_sample && p->tokens > 0 && !p->prior)
        tool_usage_error("--tokens needs --prior");
    if (c->run == mix_sample && o->solve.objective && !o->around)
        tool_usage_error("--objective needs --around");
    if (c->run != mix_sample && p->tokens > 0 && !p->sources)
        tool_usage_error("--tokens needs --sources");
    if (opt_given("max-epochs") && !(p->tokens > 0))
        tool_usage_error("--max-epochs needs --tokens");
    if (o->solve.reference && o->solve.no_worse < 0)
        tool_usage_error("--reference needs --no-worse");
    if (c->run == mix_predict && o->report && !o->metrics)
        tool_usage_error("--report needs --metrics");
}

/* Fewer trees learn faster: their sum stays as far from the mean. */
static void default_rate(struct mix_options *o)
{
    if (!opt_given("learning-rate"))
        o->fit.fit.learning_rate = 10.0 / (double)o->fit.fit.trees;
    if (o->fit.fit.learning_rate > 1)
        o->fit.fit.learning_rate = 1;
}

int main(int argc, char **argv)
{
    int regressor = 3, search = 0;
    int64_t tokens = 0;
    static const struct opt_enum regressor_names[] = {
        {"linear", 0}, {"law", 1}, {"gbt", 2}, {"mean", 3}, {NULL, 0}};
    static const struct opt_enum search_names[] = {{"best", 0}, {"regmix", 1}, {NULL, 0}};
    static const struct regressor *const regressors[] = {&regressor_linear, &regressor_law,
                                                         &regressor_gbt, &regressor_mean};
    struct mix_options o = {.n = 64, .strength = "0.1:5", .min_weight = 0.002, .temperature = 1,
                            .kl = "0.05", .points = 21, .fit.fit.trees = 250,
                            .solve = {.candidates = 100000, .no_worse = -1, .problem = {.max_epochs = 4}}};
    const struct opt table[] = {
        OPT_GROUP("sample: mixtures for N small runs, as CSV"),
        OPT_INT('n', "runs", &o.n, "N", "mixtures; the prior and uniform come first", 1, 1e6),
        OPT_STR(0, "prior", &o.solve.problem.prior, "FILE",
                "sources.jsonl, for the prior (also for solve)"),
        OPT_STR(0, "domains", &o.domains, "A,B,...", "names of domains, with equal shares as prior"),
        OPT_STR(0, "strength", &o.strength, "LO:HI", "how close to the prior: least and most"),
        OPT_FLOAT(0, "min-weight", &o.min_weight, "X", "smaller weights become 0", 0, 1),
        OPT_FLOAT(0, "temperature", &o.temperature, "X", "exponent of the prior's shares: 0 is uniform", 0,
                  100),
        OPT_STR(0, "around", &o.around, "FILE", "next round: a mixture, or a model with --objective"),
        OPT_GROUP("fit, predict: metrics as functions of the mixture"),
        OPT_STR(0, "mixtures", &o.mixtures, "CSV", "weights of each run; first column: its name"),
        OPT_STR(0, "metrics", &o.metrics, "CSV", "what was measured; first column: the run's name"),
        OPT_ENUM(0, "regressor", &regressor, "NAME", "linear, law, gbt (trees) or mean of the last two",
                 regressor_names),
        OPT_INT(0, "terms", &o.fit.fit.terms, "N", "terms of the law (0: by cross-validation)", 0, MAX_TERMS),
        OPT_INT(0, "trees", &o.fit.fit.trees, "N", "trees of gbt", 1, 1e5),
        OPT_FLOAT(0, "learning-rate", &o.fit.fit.learning_rate, "X", "of gbt (0: 10 / trees)", 0, 1),
        OPT_LIST(0, "higher-is-better", &o.rising, "METRIC", "maximise it (repeatable)"),
        OPT_FLAG(0, "normalize", &o.normalize, "divide each mixture by its sum"),
        OPT_STR(0, "report", &o.report, "FILE", "write correlations and errors to FILE as JSON"),
        OPT_GROUP("solve: the best mixture, as JSON for shard-mix"),
        OPT_STR(0, "model", &o.model, "FILE", "what fit wrote (also for predict and pareto)"),
        OPT_STR(0, "objective", &o.solve.objective, "M:W[:max],...", "metrics and their weights"),
        OPT_FLAG(0, "force", &o.solve.force, "keep metrics that rank no better than chance"),
        OPT_STR(0, "kl", &o.kl, "X", "pull towards the prior; 1se: as much as costs one standard error"),
        OPT_STR(0, "sources", &o.solve.problem.sources, "FILE", "sources.jsonl: tokens and limits"),
        OPT_INT(0, "tokens", &tokens, "N", "tokens of the run to come (0: not known)", 0,
                1e15),
        OPT_FLOAT(0, "max-epochs", &o.solve.problem.max_epochs, "X", "most repetitions of a source", 0, 1e6),
        OPT_LIST(0, "min", &o.solve.problem.min, "DOMAIN=X", "least share (repeatable)"),
        OPT_LIST(0, "max", &o.solve.problem.max, "DOMAIN=X", "largest share (repeatable)"),
        OPT_LIST(0, "fix", &o.solve.problem.fix, "DOMAIN=X", "the share (repeatable)"),
        OPT_LIST(0, "group", &o.solve.problem.group, "A,B<=X", "limit of a sum; >= for the least (repeatable)"),
        OPT_FLAG(0, "extrapolate", &o.solve.problem.extrapolate, "allow shares larger than in any run"),
        OPT_FLOAT(0, "no-worse", &o.solve.no_worse, "X",
                  "let no metric of the objective be a part of X worse than at --reference (-1: any)", -1, 1e6),
        OPT_STR(0, "reference", &o.solve.reference, "FILE", "a mixture to be no worse than (the prior)"),
        OPT_INT(0, "candidates", &o.solve.candidates, "N", "mixtures drawn a round (gbt, mean)", 128, 1e8),
        OPT_ENUM(0, "search", &search, "NAME", "best, or regmix: one round around the prior", search_names),
        OPT_GROUP("pareto: the front between the metrics of the objective, as JSON lines"),
        OPT_INT(0, "points", &o.points, "N", "ways to weigh two metrics", 2, 5000),
        OPT_STR(0, "svg", &o.svg, "FILE", "draw the first two metrics"),
        OPT_GROUP("Output"),
        OPT_STR(0, "out", &o.out, "FILE", "write here, not to stdout (fit needs it)"),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **words;
    int n = tool_begin(&tool, table, argc, argv, &words);
    const struct command *c = check_command(words, n);
    o.fit.kind = regressors[regressor];
    default_rate(&o);
    o.solve.regmix = search == 1;
    o.solve.problem.tokens = (double)tokens;
    o.seed = (uint64_t)tool_common.seed;
    check_options(c, &o);
    struct err err = {0};
    return tool_finish(c->run(&o, &err), &err);
}
