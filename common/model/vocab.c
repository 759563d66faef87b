/* vocab.c - what a model can read: its token ids, the tokenizer that makes them, its context. */
#include "model/vocab.h"

#include <stdlib.h>

#include "base/mem.h"
#include "model/config.h"

static int limits_load(const char *dir, int64_t *vocab_size, int64_t *positions, struct err *err)
{
    struct model_config *c = xcalloc(1, sizeof *c);
    int rc = model_config_load(c, dir, err);

    *vocab_size = c->vocab_size;
    *positions = c->max_seq_len;
    free(c);
    return rc;
}

int vocab_size_load(const char *dir, int64_t *size, struct err *err)
{
    int64_t positions;
    return limits_load(dir, size, &positions, err);
}

int context_size_load(const char *dir, int64_t *positions, struct err *err)
{
    int64_t size;
    return limits_load(dir, &size, positions, err);
}

int vocab_load(const char *dir, int64_t *size, struct tokenizer **tokenizer, struct err *err)
{
    *tokenizer = NULL;
    if (vocab_size_load(dir, size, err) < 0)
        return -1;
    if (!tokenizer_exists(dir))
        return 0;
    *tokenizer = tokenizer_load(dir, err);
    if (!*tokenizer)
        return -1;
    if (tokenizer_vocab_size(*tokenizer) <= *size)
        return 0;
    err_set(err, "%s: the tokenizer has %d tokens, the model's vocabulary has %lld", dir,
            tokenizer_vocab_size(*tokenizer), (long long)*size);
    tokenizer_free(*tokenizer);
    *tokenizer = NULL;
    return -1;
}
