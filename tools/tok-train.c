/* tok-train - documents to a byte-level BPE tokenizer. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/bpe.h"
#include "data/chat.h"
#include "data/jsonl.h"

static const struct tool tool = {
    .name = "tok-train",
    .purpose = "learn a byte-level BPE tokenizer from documents",
    .usage = "--out DIR [options] [file ...]",
    .example = "tok-train --vocab-size 8192 --out tokenizer documents.jsonl",
};

static const struct opt_enum patterns[] = {
    {"cl100k-1digit", BPE_PATTERN_CL100K_1DIGIT},
    {"cl100k", BPE_PATTERN_CL100K},
    {"gpt2", BPE_PATTERN_GPT2},
    {NULL, 0},
};

#define TOKENIZER "tokenizer.json" /* moved last: a folder that has one is complete */
#define EOS "<|endoftext|>"
#define PAD "<|pad|>"
#define END_OF_TURN "<|im_end|>"
static const char *const default_specials[] = {EOS,         PAD,       "<|im_start|>",
                                               END_OF_TURN, "<think>", "</think>"};

struct options {
    const char *out;
    int64_t vocab_size;
    int pattern, tpl;
    struct opt_list specials;
};

static int process(void *self, struct record *rec, struct emit *out, struct err *err)
{
    (void)out;
    return bpe_trainer_add_record(self, rec->obj, err);
}

/* Takes doc. */
static int save(const struct atomic_dir *d, const char *name, json_t *doc, struct err *err)
{
    char *path = path_join(d->tmp, name);
    int rc = json_save_path(path, doc, err);
    json_decref(doc);
    free(path);
    return rc;
}

static json_t *tokenizer_config(const struct options *o)
{
    return json_pack("{ss ss ss sb sb s[s s] ss}", "tokenizer_class", "PreTrainedTokenizerFast",
                     "eos_token", EOS, "pad_token", PAD, "add_bos_token", 0,
                     "clean_up_tokenization_spaces", 0, "additional_special_tokens",
                     "<|im_start|>", END_OF_TURN, "chat_template",
                     chat_template_jinja((enum chat_template)o->tpl));
}

/* A turn ends in <|im_end|>, a document in eos: a generator stops at either. */
static json_t *generation_config(const struct tokenizer *t)
{
    return json_pack("{s[i i] si}", "eos_token_id", tokenizer_token_id(t, END_OF_TURN),
                     tokenizer_token_id(t, EOS), "pad_token_id", tokenizer_token_id(t, PAD));
}

static int save_all(const struct options *o, json_t *doc, struct err *err)
{
    struct tokenizer *t = tokenizer_from_json(doc, "the new tokenizer", err);
    struct atomic_dir d;
    if (!t || atomic_dir_open(&d, o->out, err) < 0) {
        tokenizer_free(t);
        return -1;
    }
    int rc = save(&d, "tokenizer_config.json", tokenizer_config(o), err);
    if (rc == 0)
        rc = save(&d, "generation_config.json", generation_config(t), err);
    if (rc == 0)
        rc = save(&d, TOKENIZER, json_incref(doc), err);
    if (rc == 0)
        rc = atomic_dir_commit(&d, TOKENIZER, err);
    else
        atomic_dir_abort(&d);
    if (rc == 0)
        log_info("%d tokens in %s", tokenizer_vocab_size(t), o->out);
    if (rc == 0 && tokenizer_vocab_size(t) < o->vocab_size)
        log_warn("only %d of %lld tokens: no pair is left that occurs twice",
                 tokenizer_vocab_size(t), (long long)o->vocab_size);
    tokenizer_free(t);
    return rc;
}

static int learn(const struct options *o, struct bpe_trainer *b, struct err *err)
{
    int n = (int)ARRAY_SIZE(default_specials);
    const char **specials = xcalloc((size_t)(n + o->specials.n), sizeof *specials);
    memcpy(specials, default_specials, sizeof default_specials);
    for (int i = 0; i < o->specials.n; i++)
        specials[n++] = o->specials.items[i];
    if (bpe_trainer_words(b) == 0)
        log_warn("no text at all: the vocabulary is the 256 bytes");
    log_debug("%lld distinct pre-tokens", (long long)bpe_trainer_words(b));
    json_t *doc = bpe_trainer_finish(b, o->vocab_size, specials, n, err);
    free(specials);
    int rc = doc ? save_all(o, doc, err) : -1;
    json_decref(doc);
    return rc;
}

static int run(const struct options *o, const char **files, int n_files, struct err *err)
{
    struct bpe_trainer *b = bpe_trainer_new((enum bpe_pattern)o->pattern);
    struct jsonl_filter filter = {.self = b, .process = process, .serial = true};
    int rc = jsonl_run(&filter, files, n_files, err);
    if (rc == 0)
        rc = learn(o, b, err);
    bpe_trainer_free(b);
    return rc;
}

static void check_options(const struct options *o)
{
    int n = (int)ARRAY_SIZE(default_specials);
    if (!o->out)
        tool_usage_error("--out is missing: the folder to write");
    for (int i = 0; i < n + o->specials.n; i++) {
        const char *s = i < n ? default_specials[i] : o->specials.items[i - n];
        for (int k = 0; k < i; k++)
            if (strcmp(s, k < n ? default_specials[k] : o->specials.items[k - n]) == 0)
                tool_usage_error("--special '%s' is there already", s);
        if (!*s)
            tool_usage_error("--special is empty");
    }
    if (o->vocab_size < 256 + n + o->specials.n)
        tool_usage_error("--vocab-size %lld is too small: 256 bytes and %d special tokens",
                         (long long)o->vocab_size, n + o->specials.n);
}

int main(int argc, char **argv)
{
    struct options o = {.vocab_size = 8192, .tpl = CHAT_CHATML};
    struct opt table[] = {
        OPT_GROUP("Tokenizer"),
        OPT_STR('o', "out", &o.out, "DIR", "folder of the new tokenizer"),
        OPT_INT(0, "vocab-size", &o.vocab_size, "N", "tokens, special ones included", 262, (1 << 24) - 1),
        OPT_ENUM(0, "pattern", &o.pattern, "NAME", "cl100k-1digit, cl100k or gpt2", patterns),
        OPT_LIST(0, "special", &o.specials, "TOKEN", "one more special token (repeatable)"),
        OPT_ENUM(0, "template", &o.tpl, "NAME", "chatml, chatml-think or plain", chat_template_names + 1),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    check_options(&o);
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
